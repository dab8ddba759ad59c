// Sizes that were asked for: outside of their range, or not as many as there are, they end the program.
// RUN: q-run %s --input count=3 | FileCheck %s --check-prefix=FITS
// RUN: not q-run %s --input count=-1 2>&1 | FileCheck %s --check-prefix=BELOW
// RUN: not q-run %s --input count=9 2>&1 | FileCheck %s --check-prefix=ABOVE
// RUN: not q-run %s --input count=2 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: %python -c "import numpy as np; [np.save(f'%t{i}.npy', np.array(i)) for i in (3, -1, 9, 2)]"
// RUN: q-compile %s --recipe float -o %t.so
// RUN: q-run %t.so --input count=%t3.npy
// RUN: not q-run %t.so --input count=%t-1.npy 2>&1 | FileCheck %s --check-prefix=BELOW
// RUN: not q-run %t.so --input count=%t9.npy 2>&1 | FileCheck %s --check-prefix=ABOVE
// RUN: not q-run %t.so --input count=%t2.npy 2>&1 | FileCheck %s --check-prefix=OTHER

// FITS: y: {{.*}}3x2{{.*}}0{{.*}}1{{.*}}2{{.*}}3{{.*}}4{{.*}}5
// BELOW: node 'r' (Reshape): shape is -1, but must be at least 0
// ABOVE: node 'r' (Reshape): shape is 9, but must be at most 6
// OTHER: node 'r' (Reshape): the number of elements is 4, but must be 6
func.func @main(%count: tensor<i64> {qd.name = "count"}) -> (tensor<?x2xi64> {qd.name = "y"}) {
  %c2 = arith.constant 2 : index
  %c6 = arith.constant 6 : index
  qd.check_count %count at_most %c6 "node 'r' (Reshape): shape" : tensor<i64>
  %n = qd.data_size %count "n" at_most %c6 : tensor<i64>
  %all = arith.constant dense<[0, 1, 2, 3, 4, 5]> : tensor<6xi64>
  %size = arith.muli %n, %c2 : index
  qd.check_size %size is %c6 "node 'r' (Reshape): the number of elements"
  %some = tensor.extract_slice %all[0] [%size] [1] : tensor<6xi64> to tensor<?xi64>
  %y = tensor.expand_shape %some [[0, 1]] output_shape [%n, 2] : tensor<?xi64> into tensor<?x2xi64>
  return %y : tensor<?x2xi64>
}
