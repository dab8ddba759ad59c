// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-insert-observers{recipe=fp6},qd-quantize{recipe=fp6}))" | FileCheck %s

// E3M2 reaches 28: the largest of each channel, 14 and 56, has its code, what lies between two codes the nearest, ties the even one. Nobody
// asks for integers, and the convolution stays as it is.

// CHECK-LABEL: @product
// CHECK-SAME:  %[[X:.+]]: tensor<2x4xf32>
// CHECK-NOT:   qd.requested
// CHECK-DAG:   %[[S:.+]] = arith.constant dense<{{\[\[}}5.000000e-01, 2.000000e+00]]> : tensor<1x2xf32>
// CHECK-DAG:   %[[C:.+]] = arith.constant dense<{{\[\[}}2.800000e+01, 2.800000e+01], [6.250000e-02, 1.000000e+01], [-4.000000e+00, 0.000000e+00], [0.000000e+00, -1.200000e+01]]> : tensor<4x2xf6E3M2FN>
// CHECK:       %[[W:.+]] = qd.dequantize %[[C]] scale %[[S]] block_sizes = [0, 1]
// CHECK:       linalg.matmul {{.*}}ins(%[[X]], %[[W]] : tensor<2x4xf32>, tensor<4x2xf32>)
func.func @product(%x: tensor<2x4xf32> {qd.name = "x"}) -> tensor<2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[14.0, 56.0], [0.03, 20.0], [-2.2, 0.0], [0.01, -22.0]]> : tensor<4x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul {qd.name = "y"} ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// CHECK-LABEL: @convolution
// CHECK-NOT:   {{qd.(quantize|dequantize|requested)}}
// CHECK:       linalg.conv_2d_nhwc_hwcf
func.func @convolution(%x: tensor<1x4x4x2xf32>) -> tensor<1x2x2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<3x3x2x3xf32>
  %e = tensor.empty() : tensor<1x2x2x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2x2x3xf32>) -> tensor<1x2x2x3xf32>
  %y = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<1x4x4x2xf32>, tensor<3x3x2x3xf32>) outs(%init : tensor<1x2x2x3xf32>) -> tensor<1x2x2x3xf32>
  return %y : tensor<1x2x2x3xf32>
}
