// Loops of symbolic length: over all rows from the last one, and over as many as a count says, none of them too. The
// states are symbolic as well. Compiled with and without the kernel builders, and interpreted.
// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --recipe float -o %t/m.so
// RUN: q-compile %s --recipe float --kernels generic -o %t/g.so
// RUN: q-run %t/m.so --info | FileCheck %s
// RUN: %python %S/Inputs/symbolic_loop.py %t

// CHECK: symbol     t  1..64
// CHECK: symbol     n  2..96 in steps of 2
// CHECK: symbol     k  0..64 from data

#id = affine_map<(i) -> (i)>

func.func @main(%x: tensor<?x?xf32> {qd.name = "x", qd.dims = ["t", "n"]}, %count: tensor<i64> {qd.name = "count"})
    -> (tensor<?x?xf32> {qd.name = "all"}, tensor<?xf32> {qd.name = "first"})
    attributes {qd.dim_bounds = {t = array<i64: 1, 64>, n = array<i64: 2, 96, 2>}} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t = tensor.dim %x, %c0 : tensor<?x?xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?xf32>
  %k = qd.data_size %count "k" at_most %t : tensor<i64>
  %last = arith.subi %t, %c1 : index
  %blank = tensor.empty(%n) : tensor<?xf32>
  %storage = tensor.empty(%t, %n) : tensor<?x?xf32>
  %start = linalg.fill ins(%zero : f32) outs(%blank : tensor<?xf32>) -> tensor<?xf32>
  %backwards:2 = scf.for %i = %c0 to %t step %c1 iter_args(%h = %start, %all = %storage) -> (tensor<?xf32>, tensor<?x?xf32>) {
    %place = arith.subi %last, %i : index
    %row = tensor.extract_slice %x[%place, 0] [1, %n] [1, 1] : tensor<?x?xf32> to tensor<?xf32>
    %sum = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
        ins(%h, %row : tensor<?xf32>, tensor<?xf32>) outs(%blank : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %half = arith.constant 0.5 : f32
      %less = arith.mulf %a, %half : f32
      %s = arith.addf %less, %b : f32
      linalg.yield %s : f32
    } -> tensor<?xf32>
    %written = tensor.insert_slice %sum into %all[%place, 0] [1, %n] [1, 1] : tensor<?xf32> into tensor<?x?xf32>
    scf.yield %sum, %written : tensor<?xf32>, tensor<?x?xf32>
  }
  %first = scf.for %i = %c0 to %k step %c1 iter_args(%h = %start) -> (tensor<?xf32>) {
    %row = tensor.extract_slice %backwards#1[%i, 0] [1, %n] [1, 1] : tensor<?x?xf32> to tensor<?xf32>
    %most = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
        ins(%h, %row : tensor<?xf32>, tensor<?xf32>) outs(%blank : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.maximumf %a, %b : f32
      linalg.yield %s : f32
    } -> tensor<?xf32>
    scf.yield %most : tensor<?xf32>
  }
  return %backwards#1, %first : tensor<?x?xf32>, tensor<?xf32>
}
