// Loops of the program that go on by a bool that they carry: a list that grows and two that change places, interpreted and
// compiled. The sizes that they end with are those of the results; a size that is not the tensor's is seen.
// RUN: %python -c "import numpy as np; [np.save(f'%t{i}.npy', np.array(i)) for i in (0, 1, 5)]; np.save('%tx.npy', np.array([[1, 2]], 'f4'))"
// RUN: q-compile %s --recipe float -o %t.so
// RUN: rm -rf %t.0 && q-run --interpret %s --input x=%tx.npy --input m=%t0.npy --output-dir %t.0
// RUN: rm -rf %t.1 && q-run --interpret %s --input x=%tx.npy --input m=%t1.npy --output-dir %t.1
// RUN: rm -rf %t.5 && q-run --interpret %s --input x=%tx.npy --input m=%t5.npy --output-dir %t.5
// RUN: q-run %t.so --input x=%tx.npy --input m=%t0.npy --compare %t.0 --require-equal
// RUN: q-run %t.so --input x=%tx.npy --input m=%t1.npy --compare %t.1 --require-equal
// RUN: q-run %t.so --input x=%tx.npy --input m=%t5.npy --compare %t.5 --require-equal
// RUN: %python -c "import numpy as np; print(np.load('%t.5/list.npy').tolist(), np.load('%t.5/a.npy').tolist())" | FileCheck %s
// RUN: sed 's/addi %%n, %%c0/addi %%n, %%c1/' %s > %t.wrong.mlir
// RUN: not q-run --interpret %t.wrong.mlir --input x=%tx.npy --input m=%t1.npy 2>&1 | FileCheck %s --check-prefix=WRONG

// CHECK: {{\[\[}}1.0, 2.0], [2.0, 4.0], [4.0, 8.0], [8.0, 16.0], [16.0, 32.0], [32.0, 64.0{{\]\]}} [3.0]
// WRONG: says that dimension 0 is 2, but it is 1

#id = affine_map<() -> ()>
#row = affine_map<(i, j) -> (i, j)>

func.func @main(%x: tensor<1x2xf32> {qd.name = "x"}, %m: tensor<i64> {qd.name = "m"})
    -> (tensor<?x2xf32> {qd.name = "list"}, tensor<1xf32> {qd.name = "a"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0> : tensor<i64>
  %begin = arith.constant dense<1> : tensor<i64>
  %three = arith.constant dense<3.0> : tensor<1xf32>
  %four = arith.constant dense<4.0> : tensor<1xf32>
  %bool = tensor.empty() : tensor<i1>
  %go = linalg.generic {indexing_maps = [#id, #id], iterator_types = []} ins(%m : tensor<i64>) outs(%bool : tensor<i1>) {
  ^bb0(%most: i64, %o: i1):
    %none = arith.constant 0 : i64
    %c = arith.cmpi sgt, %most, %none : i64
    linalg.yield %c : i1
  } -> tensor<i1>
  %any = qd.any_size %x : tensor<1x2xf32> to tensor<?x2xf32>
  %end:7 = scf.while (%t = %zero, %g = %go, %l = %any, %k = %begin, %v = %x, %a = %four, %b = %three)
      : (tensor<i64>, tensor<i1>, tensor<?x2xf32>, tensor<i64>, tensor<1x2xf32>, tensor<1xf32>, tensor<1xf32>)
      -> (tensor<i64>, tensor<i1>, tensor<?x2xf32>, tensor<i64>, tensor<1x2xf32>, tensor<1xf32>, tensor<1xf32>) {
    %c = tensor.extract %g[] : tensor<i1>
    scf.condition(%c) %t, %g, %l, %k, %v, %a, %b
      : tensor<i64>, tensor<i1>, tensor<?x2xf32>, tensor<i64>, tensor<1x2xf32>, tensor<1xf32>, tensor<1xf32>
  } do {
  ^bb0(%t: tensor<i64>, %g: tensor<i1>, %l: tensor<?x2xf32>, %k: tensor<i64>, %v: tensor<1x2xf32>, %a: tensor<1xf32>,
       %b: tensor<1xf32>):
    %n = qd.data_size %k "n" : tensor<i64>
    %stated = arith.addi %n, %c0 : index
    %list = qd.sized %l[%stated] : tensor<?x2xf32>
    %storage = tensor.empty() : tensor<1x2xf32>
    %twice = linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel", "parallel"]}
        ins(%v : tensor<1x2xf32>) outs(%storage : tensor<1x2xf32>) {
    ^bb0(%e: f32, %o: f32):
      %s = arith.addf %e, %e : f32
      linalg.yield %s : f32
    } -> tensor<1x2xf32>
    %more = tensor.concat dim(0) %list, %twice : (tensor<?x2xf32>, tensor<1x2xf32>) -> tensor<?x2xf32>
    %size = arith.addi %n, %c1 : index
    %number = arith.index_cast %size : index to i64
    %place = tensor.empty() : tensor<i64>
    %count = linalg.fill ins(%number : i64) outs(%place : tensor<i64>) -> tensor<i64>
    %next = linalg.generic {indexing_maps = [#id, #id], iterator_types = []} ins(%t : tensor<i64>) outs(%place : tensor<i64>) {
    ^bb0(%e: i64, %o: i64):
      %one = arith.constant 1 : i64
      %s = arith.addi %e, %one : i64
      linalg.yield %s : i64
    } -> tensor<i64>
    %goes = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = []}
        ins(%next, %m : tensor<i64>, tensor<i64>) outs(%bool : tensor<i1>) {
    ^bb0(%e: i64, %most: i64, %o: i1):
      %c = arith.cmpi slt, %e, %most : i64
      linalg.yield %c : i1
    } -> tensor<i1>
    %open = qd.any_size %more : tensor<?x2xf32> to tensor<?x2xf32>
    scf.yield %next, %goes, %open, %count, %twice, %b, %a
      : tensor<i64>, tensor<i1>, tensor<?x2xf32>, tensor<i64>, tensor<1x2xf32>, tensor<1xf32>, tensor<1xf32>
  }
  %rows = qd.data_size %end#3 "rows" : tensor<i64>
  %y = qd.sized %end#2[%rows] : tensor<?x2xf32>
  return %y, %end#5 : tensor<?x2xf32>, tensor<1xf32>
}
