// qd.data_size keeps a count inside of [0, at_most]; what follows has that size, reshaped or not.
// RUN: q-run %s --input count=2 | FileCheck %s --check-prefix=TWO
// RUN: q-run %s --input count=-1 | FileCheck %s --check-prefix=NONE
// RUN: q-run %s --input count=9 | FileCheck %s --check-prefix=MOST

// TWO: y: {{.*}}2x2{{.*}}0{{.*}}1{{.*}}2{{.*}}3
// NONE: y: {{.*}}0x2
// MOST: y: {{.*}}3x2
func.func @main(%count: tensor<i64> {qd.name = "count"}) -> (tensor<?x2xi64> {qd.name = "y"}) {
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %n = qd.data_size %count "n" at_most %c3 : tensor<i64>
  %all = arith.constant dense<[0, 1, 2, 3, 4, 5]> : tensor<6xi64>
  %size = arith.muli %n, %c2 : index
  %some = tensor.extract_slice %all[0] [%size] [1] : tensor<6xi64> to tensor<?xi64>
  %y = tensor.expand_shape %some [[0, 1]] output_shape [%n, 2] : tensor<?xi64> into tensor<?x2xi64>
  return %y : tensor<?x2xi64>
}
