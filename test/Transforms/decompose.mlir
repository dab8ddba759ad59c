// RUN: q-opt %s --qd-decompose --split-input-file | FileCheck %s

// The maximum, the shifted exponential, sixteen lanes, the tree, the quotient.
// CHECK-LABEL: func @softmax
// CHECK-SAME: %[[X:.*]]: tensor<4x10xf32>
func.func @softmax(%x: tensor<4x10xf32>) -> tensor<4x10xf32> {
  // CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%[[X]]
  // CHECK: arith.maximumf
  // CHECK: %[[E:.*]] = linalg.generic {{.*}} ins(%[[X]], %{{.*}} : tensor<4x10xf32>, tensor<4xf32>)
  // CHECK: arith.subf
  // CHECK: math.exp
  // CHECK: tensor.pad %[[E]] low[0, 0] high[0, 6]
  // CHECK: tensor.expand_shape %{{.*}} {{.*}} : tensor<4x16xf32> into tensor<4x1x16xf32>
  // CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "reduction", "parallel"]}
  // CHECK: tensor.extract_slice %{{.*}}[0, 0] [4, 8] [1, 1]
  // CHECK: tensor.extract_slice %{{.*}}[0, 8] [4, 8] [1, 1]
  // CHECK: tensor.extract_slice %{{.*}}[0, 1] [4, 1] [1, 1]
  // CHECK: %[[SUM:.*]] = tensor.collapse_shape %{{.*}} : tensor<4x1xf32> into tensor<4xf32>
  // CHECK: linalg.generic {{.*}} ins(%[[E]], %[[SUM]] : {{.*}}) outs({{.*}}) attrs = {qd.name = "p"}
  // CHECK: arith.divf
  %p = qd.softmax %x axis = 1 {qd.name = "p"} : tensor<4x10xf32>
  return %p : tensor<4x10xf32>
}

// -----

// An axis in the middle; a multiple of sixteen needs no padding.
// CHECK-LABEL: func @softmax_middle_axis
func.func @softmax_middle_axis(%x: tensor<2x32x3xf32>) -> tensor<2x32x3xf32> {
  // CHECK-NOT: tensor.pad
  // CHECK: tensor.expand_shape %{{.*}} {{.*}} : tensor<2x32x3xf32> into tensor<2x2x16x3xf32>
  // CHECK: tensor.collapse_shape %{{.*}} : tensor<2x1x3xf32> into tensor<2x3xf32>
  %p = qd.softmax %x axis = 1 : tensor<2x32x3xf32>
  return %p : tensor<2x32x3xf32>
}

// -----

// Rows of several dimensions are merged first and split last.
// CHECK-LABEL: func @layer_norm
// CHECK-SAME: %[[X:.*]]: tensor<2x4x8xf32>, %[[G:.*]]: tensor<4x8xf32>
func.func @layer_norm(%x: tensor<2x4x8xf32>, %g: tensor<4x8xf32>) -> tensor<2x4x8xf32> {
  // CHECK-DAG: arith.constant 3.200000e+01 : f32
  // CHECK: tensor.collapse_shape %[[X]] {{.*}} : tensor<2x4x8xf32> into tensor<2x32xf32>
  // CHECK: arith.divf
  // CHECK: arith.subf
  // CHECK: arith.mulf
  // CHECK: tensor.collapse_shape %[[G]] {{.*}} : tensor<4x8xf32> into tensor<32xf32>
  // CHECK: math.rsqrt
  // CHECK-NOT: arith.addf
  // CHECK: tensor.expand_shape {{.*}} : tensor<2x32xf32> into tensor<2x4x8xf32>
  %y = qd.layer_norm %x, %g axis = 1 epsilon = 1.0e-5 : tensor<2x4x8xf32>, tensor<4x8xf32>
  return %y : tensor<2x4x8xf32>
}

// -----

// CHECK-LABEL: func @functions
func.func @functions(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  // CHECK: linalg.generic
  // CHECK: math.erf
  %0 = qd.gelu %x approximate(none) : tensor<4xf32>
  // CHECK: linalg.generic
  // CHECK: math.tanh
  %1 = qd.gelu %x approximate(tanh) : tensor<4xf32>
  // CHECK: linalg.generic
  // CHECK: math.absf
  // CHECK: math.exp
  // CHECK: arith.divf
  %2 = qd.silu %x : tensor<4xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// Must not fire: the lanes are written for f32 rows.
// CHECK-LABEL: func @left_alone
func.func @left_alone(%y: tensor<4x8xf64>) -> tensor<4x8xf64> {
  // CHECK: qd.softmax
  %0 = qd.softmax %y axis = 1 : tensor<4x8xf64>
  return %0 : tensor<4x8xf64>
}

// -----

// Rows of symbolic length are padded to whole groups of lanes when they run.
// CHECK-LABEL: func @symbolic_rows(
// CHECK-SAME:    %[[X:.*]]: tensor<?x?xf32>)
func.func @symbolic_rows(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  // CHECK: arith.divui
  // CHECK: %[[HIGH:.*]] = arith.subi
  // CHECK: tensor.pad {{.*}} low[0, 0] high[0, %[[HIGH]]]
  // CHECK: tensor.expand_shape {{.*}} {{\[\[}}0], [1, 2]] output_shape [{{.*}}, {{.*}}, 16]
  // CHECK-NOT: qd.softmax
  %0 = qd.softmax %x axis = 1 : tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}
