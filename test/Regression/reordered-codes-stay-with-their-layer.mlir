// Weights of codes in another order, of a layer that stays float, became a dispatch of their own; their dequantize, which was to be copied
// into the layer's dispatch, then stood between the two: "'linalg.generic' op is not allowed between the dispatches of a program".
// RUN: q-opt %s -qd-form-dispatches | FileCheck %s
// RUN: rm -rf %t && mkdir %t
// RUN: q-opt %s -qd-form-dispatches > %t/formed.mlir
// RUN: %python %S/../Execution/Inputs/make-input.py float32 1x4x4x2 %t/x.npy
// RUN: q-run %t/formed.mlir --input %t/x.npy --compare %s --require-equal

// CHECK: qd.dispatch ins(%arg0
// CHECK: linalg.transpose
// CHECK: qd.dequantize
// CHECK: linalg.depthwise_conv_2d_nhwc_hwc
// CHECK-NOT: qd.dispatch

func.func @main(%x: tensor<1x4x4x2xf32> {qd.name = "x"}) -> (tensor<1x3x3x2xf32> {qd.name = "y"}) {
  %w = arith.constant dense<[[[-300, 2], [7, 1000]], [[5, -32768], [32767, 4]]]> : tensor<2x2x2xi16>
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %t = tensor.empty() : tensor<2x2x2xi16>
  %codes = linalg.transpose ins(%w : tensor<2x2x2xi16>) outs(%t : tensor<2x2x2xi16>) permutation = [1, 2, 0]
  %wd = qd.dequantize %codes scale %s zero_point %z : tensor<2x2x2xi16>, tensor<f32>, tensor<i32> -> tensor<2x2x2xf32>
  %e = tensor.empty() : tensor<1x3x3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  %y = linalg.depthwise_conv_2d_nhwc_hwc {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>} ins(%x, %wd : tensor<1x4x4x2xf32>, tensor<2x2x2xf32>) outs(%f : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  return %y : tensor<1x3x3x2xf32>
}
