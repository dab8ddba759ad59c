// A size that depends on data stands between dispatches, and they read it; its count is computed in one.
// RUN: q-opt %s --pass-pipeline='builtin.module(func.func(qd-form-dispatches))' | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK:       %[[FIRST:.*]] = qd.dispatch ins(%arg0 : tensor<8xi64>) -> (tensor<1xi64>)
// CHECK:       %[[COUNT:.*]] = tensor.collapse_shape %[[FIRST]]
// CHECK:       %[[N:.*]] = qd.data_size %[[COUNT]] "n" at_most %{{.*}} : tensor<i64>
// CHECK:       qd.dispatch ins(%arg0, %[[N]] : tensor<8xi64>, index) -> (tensor<?xi64>)
// CHECK:         tensor.extract_slice
func.func @main(%x: tensor<8xi64>) -> tensor<?xi64> {
  %c8 = arith.constant 8 : index
  %first = tensor.extract_slice %x[0] [1] [1] : tensor<8xi64> to tensor<1xi64>
  %count = tensor.collapse_shape %first [] : tensor<1xi64> into tensor<i64>
  %n = qd.data_size %count "n" at_most %c8 : tensor<i64>
  %y = tensor.extract_slice %x[0] [%n] [1] : tensor<8xi64> to tensor<?xi64>
  return %y : tensor<?xi64>
}

// CHECK-LABEL: func.func @constant_count
// CHECK:       %[[COUNT:.*]] = qd.dispatch -> (tensor<i64>)
// CHECK:       qd.data_size %[[COUNT]] "n" : tensor<i64>
func.func @constant_count(%x: tensor<8xi64>) -> tensor<?xi64> {
  %count = arith.constant dense<3> : tensor<i64>
  %n = qd.data_size %count "n" : tensor<i64>
  %y = tensor.extract_slice %x[0] [%n] [1] : tensor<8xi64> to tensor<?xi64>
  return %y : tensor<?xi64>
}

// Checks stand between dispatches as they are, though nobody reads them.
// CHECK-LABEL: func.func @checked
// CHECK:       qd.check_count %arg1 "n" : tensor<i64>
// CHECK:       %[[N:.*]] = qd.data_size %arg1 "n" : tensor<i64>
// CHECK:       qd.check_size %[[N]] is %{{.*}} "elements"
// CHECK-NEXT:  qd.dispatch ins(%arg0, %[[N]] : tensor<8xi64>, index)
func.func @checked(%x: tensor<8xi64>, %count: tensor<i64>) -> tensor<?xi64> {
  %c8 = arith.constant 8 : index
  qd.check_count %count "n" : tensor<i64>
  %n = qd.data_size %count "n" : tensor<i64>
  qd.check_size %n is %c8 "elements"
  %y = tensor.extract_slice %x[0] [%n] [1] : tensor<8xi64> to tensor<?xi64>
  return %y : tensor<?xi64>
}
