// Codes of the caller are copied for the kernels. The copy stood in the loop whose body read them first: a loop that ran no
// iteration left it unwritten for who reads the codes behind the loop, and every other one made it again and again.
// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --recipe float -o %t/net.so
// RUN: %python %S/../Execution/Inputs/make-input.py int8 4x16 %t/x.npy
// RUN: %python -c "import numpy; [numpy.save('%t/%%d.npy' %% n, numpy.int64(n)) for n in (0, 3)]"
// RUN: q-run %t/net.so --input x=%t/x.npy --input n=%t/0.npy --compare %s --require-equal
// RUN: q-run %t/net.so --input x=%t/x.npy --input n=%t/3.npy --compare %s --require-equal

#id = affine_map<(i) -> (i)>
#id2 = affine_map<(i, j) -> (i, j)>
func.func @main(%x: tensor<4x16xi8> {qd.name = "x"}, %count: tensor<i64> {qd.name = "n"})
    -> (tensor<16xi8> {qd.name = "sum"}, tensor<4x16xi8> {qd.name = "all"}) {
  %zero = arith.constant 0 : i8
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %n = qd.data_size %count "n" at_most %c4 : tensor<i64>
  %blank = tensor.empty() : tensor<16xi8>
  %start = linalg.fill ins(%zero : i8) outs(%blank : tensor<16xi8>) -> tensor<16xi8>
  %sum = scf.for %i = %c0 to %n step %c1 iter_args(%total = %start) -> (tensor<16xi8>) {
    %row = tensor.extract_slice %x[%i, 0] [1, 16] [1, 1] : tensor<4x16xi8> to tensor<16xi8>
    %next = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
        ins(%total, %row : tensor<16xi8>, tensor<16xi8>) outs(%blank : tensor<16xi8>) {
    ^bb0(%a: i8, %b: i8, %o: i8):
      %s = arith.maxsi %a, %b : i8
      linalg.yield %s : i8
    } -> tensor<16xi8>
    scf.yield %next : tensor<16xi8>
  }
  %storage = tensor.empty() : tensor<4x16xi8>
  %all = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x16xi8>) outs(%storage : tensor<4x16xi8>) {
  ^bb0(%a: i8, %o: i8):
    %c9 = arith.constant 9 : i8
    %s = arith.minsi %a, %c9 : i8
    linalg.yield %s : i8
  } -> tensor<4x16xi8>
  return %sum, %all : tensor<16xi8>, tensor<4x16xi8>
}
