// Loops and branches in one kernel hand on what their bodies compute: values that swap places, new tensors in each iteration, and
// the results of branches, whose buffers end with the branch, as do constant tensors in it.

// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --recipe float -o %t/m.so
// RUN: %python -c "import numpy as np; np.save('%t/x.npy', np.array([1, 2, 3], np.float32)); np.save('%t/n.npy', np.array(5, np.int64))"
// RUN: q-run %t/m.so --input x=%t/x.npy --input n=%t/n.npy --output-dir %t/so
// RUN: q-run %s --input x=%t/x.npy --input n=%t/n.npy --output-dir %t/interpreted
// RUN: diff -r %t/so %t/interpreted
// RUN: %python -c "import numpy as np; r = {k: np.load('%t/so/' + k + '.npy').tolist() for k in ('a', 'b', 'c')}; assert r == {'a': [5, 10, 15], 'b': [8, 16, 24], 'c': [-1, -2, -6]}, r"

#id = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<3xf32> {qd.name = "x"}, %n: tensor<i64> {qd.name = "n"})
    -> (tensor<3xf32> {qd.name = "a"}, tensor<3xf32> {qd.name = "b"}, tensor<3xf32> {qd.name = "c"}) {
  %zero = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %start = arith.constant dense<0> : tensor<i64>
  %e = tensor.empty() : tensor<3xf32>
  // (a, b) = (b, a + b), n times from (0 * x, x): Fibonacci numbers.
  %f = arith.constant 0.0 : f32
  %none = linalg.fill ins(%f : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %end:3 = scf.while (%i = %start, %a = %none, %b = %x) : (tensor<i64>, tensor<3xf32>, tensor<3xf32>)
      -> (tensor<i64>, tensor<3xf32>, tensor<3xf32>) {
    %at = tensor.extract %i[] : tensor<i64>
    %limit = tensor.extract %n[] : tensor<i64>
    %more = arith.cmpi slt, %at, %limit : i64
    scf.condition(%more) %i, %a, %b : tensor<i64>, tensor<3xf32>, tensor<3xf32>
  } do {
  ^bb0(%i: tensor<i64>, %a: tensor<3xf32>, %b: tensor<3xf32>):
    %at = tensor.extract %i[] : tensor<i64>
    %next = arith.addi %at, %one : i64
    %number = tensor.from_elements %next : tensor<i64>
    %sum = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
        ins(%a, %b : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
    ^bb0(%p: f32, %q: f32, %o: f32):
      %s = arith.addf %p, %q : f32
      linalg.yield %s : f32
    } -> tensor<3xf32>
    scf.yield %number, %b, %sum : tensor<i64>, tensor<3xf32>, tensor<3xf32>
  }
  %number = tensor.extract %n[] : tensor<i64>
  %isNegative = arith.cmpi slt, %number, %zero : i64
  %c = scf.if %isNegative -> (tensor<3xf32>) {
    scf.yield %x : tensor<3xf32>
  } else {
    %inside = arith.constant dense<[-1.0, -1.0, -2.0]> : tensor<3xf32>
    %minus = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
        ins(%x, %inside : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
    ^bb0(%p: f32, %q: f32, %o: f32):
      %s = arith.mulf %p, %q : f32
      linalg.yield %s : f32
    } -> tensor<3xf32>
    scf.yield %minus : tensor<3xf32>
  }
  return %end#1, %end#2, %c : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}
