// A size that the program computes: of what is selected, of what is made from it, of a size computed from both; two that
// follow each other; results of no rows. Compiled with and without the kernel builders, and interpreted.

// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --recipe float -o %t/m.so
// RUN: q-compile %s --recipe float --kernels generic -o %t/g.so
// RUN: q-run %t/m.so --info | FileCheck %s
// RUN: %python %S/Inputs/data-sizes.py %t

// CHECK: output     head  nx2xfloat32
// CHECK: output     codes  nx2xint8
// CHECK: output     both  n + mx2xfloat32
// CHECK: output     total  float32

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>
func.func @main(%x: tensor<8x2xf32> {qd.name = "x"}, %count: tensor<i64> {qd.name = "count"})
    -> (tensor<?x2xf32> {qd.name = "head"}, tensor<?x2xi8> {qd.name = "codes"}, tensor<?x2xf32> {qd.name = "both"},
        tensor<f32> {qd.name = "total"}) {
  %c8 = arith.constant 8 : index
  %n = qd.data_size %count "n" at_most %c8 : tensor<i64>
  %head = tensor.extract_slice %x[0, 0] [%n, 2] [1, 1] : tensor<8x2xf32> to tensor<?x2xf32>
  // codes = head as integers
  %codeStore = tensor.empty(%n) : tensor<?x2xi8>
  %codes = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%head : tensor<?x2xf32>) outs(%codeStore : tensor<?x2xi8>) {
  ^bb0(%a: f32, %o: i8):
    %i = arith.fptosi %a : f32 to i8
    linalg.yield %i : i8
  } -> tensor<?x2xi8>
  // total = sum of head; m = total, without a limit.
  %zero = arith.constant 0.0 : f32
  %sumStore = tensor.empty() : tensor<f32>
  %sumStart = linalg.fill ins(%zero : f32) outs(%sumStore : tensor<f32>) -> tensor<f32>
  %total = linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction"]}
      ins(%head : tensor<?x2xf32>) outs(%sumStart : tensor<f32>) {
  ^bb0(%a: f32, %sum: f32):
    %s = arith.addf %a, %sum : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  %wideStore = tensor.empty() : tensor<i64>
  %wide = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%total : tensor<f32>) outs(%wideStore : tensor<i64>) {
  ^bb0(%a: f32, %o: i64):
    %i = arith.fptosi %a : f32 to i64
    linalg.yield %i : i64
  } -> tensor<i64>
  %m = qd.data_size %wide "m" : tensor<i64>
  %tailStore = tensor.empty(%m) : tensor<?x2xf32>
  %tail = linalg.generic {indexing_maps = [#none, #id], iterator_types = ["parallel", "parallel"]}
      ins(%total : tensor<f32>) outs(%tailStore : tensor<?x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<?x2xf32>
  %both = tensor.concat dim(0) %head, %tail : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  return %head, %codes, %both, %total : tensor<?x2xf32>, tensor<?x2xi8>, tensor<?x2xf32>, tensor<f32>
}
