// A pad of symbolic width stopped transposes, and stood in a dispatch of its
// own in front of the convolution.
// RUN: q-opt %s --pass-pipeline="builtin.module(func.func(qd-propagate-transposes))" | FileCheck %s
// RUN: q-opt %s --pass-pipeline="builtin.module(func.func(qd-propagate-transposes,qd-form-dispatches))" | FileCheck %s --check-prefix=FORM

// CHECK-LABEL: func @main
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x?x?x16xf32>
// CHECK: %[[H:.*]] = tensor.dim
// CHECK-NOT: linalg.transpose
// CHECK: tensor.pad %[[X]] low[0, %[[H]], 1, 0] high[0, 2, %[[H]], 0]
// CHECK-NOT: linalg.transpose
// CHECK: linalg.conv_2d_nhwc_hwcf

// FORM-COUNT-1: qd.dispatch
// FORM: tensor.pad
// FORM: linalg.conv_2d_nhwc_hwcf
// FORM-NOT: qd.dispatch
func.func @main(%x: tensor<?x?x?x16xf32>, %empty: tensor<?x16x?x?xf32>, %back: tensor<?x?x?x16xf32>, %init: tensor<?x?x?x8xf32>) -> tensor<?x?x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c1 = arith.constant 1 : index
  %h = tensor.dim %x, %c1 : tensor<?x?x?x16xf32>
  %w = arith.constant dense<1.0> : tensor<3x3x16x8xf32>
  %t = linalg.transpose ins(%x : tensor<?x?x?x16xf32>) outs(%empty : tensor<?x16x?x?xf32>) permutation = [0, 3, 1, 2]
  %p = tensor.pad %t low[0, 0, %h, 1] high[0, 0, 2, %h] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<?x16x?x?xf32> to tensor<?x16x?x?xf32>
  %u = linalg.transpose ins(%p : tensor<?x16x?x?xf32>) outs(%back : tensor<?x?x?x16xf32>) permutation = [0, 2, 3, 1]
  %y = linalg.conv_2d_nhwc_hwcf ins(%u, %w : tensor<?x?x?x16xf32>, tensor<3x3x16x8xf32>) outs(%init : tensor<?x?x?x8xf32>) -> tensor<?x?x?x8xf32>
  return %y : tensor<?x?x?x8xf32>
}
