// RUN: q-opt %s -qd-expose-observed | FileCheck %s

// CHECK-LABEL: @main
// CHECK-SAME: %[[X:.+]]: tensor<2xf32>
// CHECK-SAME: -> (tensor<2x1xf32> {qd.name = "y"}, tensor<2xf32> {qd.name = "x"}, tensor<2x1xf32> {qd.name = "e"})
// CHECK-SAME: qd.observed = ["x", "e"]
// CHECK: %[[E:.+]] = tensor.expand_shape %[[X]]
// CHECK: return %[[E]], %[[X]], %[[E]]
func.func @main(%x: tensor<2xf32>) -> (tensor<2x1xf32> {qd.name = "y"}) {
  %o = qd.observe %x "x" : tensor<2xf32>
  %e = tensor.expand_shape %o [[0, 1]] output_shape [2, 1] : tensor<2xf32> into tensor<2x1xf32>
  %p = qd.observe %e "e" : tensor<2x1xf32>
  return %p : tensor<2x1xf32>
}

// Must not fire: a function without observers keeps its results.

// CHECK-LABEL: @unobserved
// CHECK-SAME: -> tensor<2xf32> attributes {qd.observed = []}
func.func @unobserved(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
