// Values of qd.softmax, layer_norm, rms_norm, gelu and silu. The bits of the functions are
// tested in Numerics; here their wiring: axes, strides, special values.
// RUN: q-run --interpret %s | FileCheck %s
// RUN: q-run --interpret --exact-islands %s | FileCheck %s --check-prefix=EXACT

// CHECK-LABEL: @softmax_last_axis
// CHECK-NEXT: 2x2xfloat32 [ [0.5, 0.5], [1, 0] ]
func.func @softmax_last_axis() -> tensor<2x2xf32> {
  %x = arith.constant dense<[[3.0, 3.0], [200.0, 0.0]]> : tensor<2x2xf32>
  %y = qd.softmax %x axis = 1 : tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// CHECK-LABEL: @softmax_middle_axis
// CHECK-NEXT: 1x2x2xfloat32 [ [ [0.5, 1], [0.5, 0] ] ]
// EXACT-LABEL: @softmax_middle_axis
// EXACT-NEXT: 1x2x2xfloat64 [ [ [0.5, 1], [0.5, 0] ] ]
func.func @softmax_middle_axis() -> tensor<1x2x2xf32> {
  %x = arith.constant dense<[[[3.0, 1000.0], [3.0, 0.0]]]> : tensor<1x2x2xf32>
  %y = qd.softmax %x axis = 1 : tensor<1x2x2xf32>
  return %y : tensor<1x2x2xf32>
}

// A masked element is 0; a row of -inf, or with NaN or +inf, is NaN.
// CHECK-LABEL: @softmax_special
// CHECK-NEXT: 4x2xfloat32 [ [0, 1], [nan, nan], [nan, nan], [nan, nan] ]
// EXACT-LABEL: @softmax_special
// EXACT-NEXT: 4x2xfloat64 [ [0, 1], [nan, nan], [nan, nan], [nan, nan] ]
func.func @softmax_special() -> tensor<4x2xf32> {
  %x = arith.constant dense<[[0xFF800000, 1.0], [0xFF800000, 0xFF800000], [0x7FC00000, 1.0], [0x7F800000, 1.0]]> : tensor<4x2xf32>
  %y = qd.softmax %x axis = 1 : tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// CHECK-LABEL: @softmax_empty
// CHECK-NEXT: 0x2xfloat32 [ ]
func.func @softmax_empty() -> tensor<0x2xf32> {
  %x = arith.constant dense<1.0> : tensor<0x2xf32>
  %y = qd.softmax %x axis = 1 : tensor<0x2xf32>
  return %y : tensor<0x2xf32>
}

// CHECK-LABEL: @layer_norm
// CHECK-NEXT: 2x4xfloat32 [ [1, -1, 2, -1], [0, 1, 0, 1] ]
// EXACT-LABEL: @layer_norm
// EXACT-NEXT: 2x4xfloat64 [ [1, -1, 2, -1], [0, 1, 0, 1] ]
func.func @layer_norm() -> tensor<2x4xf32> {
  %x = arith.constant dense<[[6.0, 2.0, 6.0, 2.0], [5.0, 5.0, 5.0, 5.0]]> : tensor<2x4xf32>
  %g = arith.constant dense<[1.0, 2.0, 2.0, 2.0]> : tensor<4xf32>
  %b = arith.constant dense<[0.0, 1.0, 0.0, 1.0]> : tensor<4xf32>
  %e = arith.constant dense<0.0> : tensor<f32>
  %y = qd.layer_norm %x, %g, %b axis = 1 epsilon = 1.0e-30 : tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>
  return %y : tensor<2x4xf32>
}

// Two trailing axes are one row; beta is optional.
// CHECK-LABEL: @layer_norm_two_axes
// CHECK-NEXT: 1x2x2xfloat32 [ [ [1, -1], [2, -2] ] ]
func.func @layer_norm_two_axes() -> tensor<1x2x2xf32> {
  %x = arith.constant dense<[[[6.0, 2.0], [6.0, 2.0]]]> : tensor<1x2x2xf32>
  %g = arith.constant dense<[[1.0, 1.0], [2.0, 2.0]]> : tensor<2x2xf32>
  %y = qd.layer_norm %x, %g axis = 1 epsilon = 1.0e-30 : tensor<1x2x2xf32>, tensor<2x2xf32>
  return %y : tensor<1x2x2xf32>
}

// Mean squares 4, 0, and 4 of two axes; the square of 2^96 is an infinity; an infinity and a NaN.
// CHECK-LABEL: @rms_norm
// CHECK-NEXT: 5x4xfloat32 [ [1, 2, -2, 2], [0, 0, -0, 0], [0, 0, 0, 0], [nan, 0, 0, 0], [nan, nan, nan, nan] ]
// CHECK-NEXT: 1x2x2xfloat32 [ [ [1, -1], [2, -2] ] ]
// EXACT-LABEL: @rms_norm
// EXACT-NEXT: 5x4xfloat64 [ [1, 2, -2, 2], [0, 0, 0, 0], [2, 0, 0, 0], [nan, 0, 0, 0], [nan, nan, nan, nan] ]
func.func @rms_norm() -> (tensor<5x4xf32>, tensor<1x2x2xf32>) {
  %x = arith.constant dense<[[2.0, 2.0, -2.0, 2.0], [0.0, 0.0, -0.0, 0.0], [7.9228162514264338e+28, 0.0, 0.0, 0.0],
                             [0x7F800000, 1.0, 1.0, 1.0], [0x7FC00000, 1.0, 1.0, 1.0]]> : tensor<5x4xf32>
  %g = arith.constant dense<[1.0, 2.0, 2.0, 2.0]> : tensor<4xf32>
  %y = qd.rms_norm %x, %g axis = 1 epsilon = 1.0e-30 : tensor<5x4xf32>, tensor<4xf32>
  %v = arith.constant dense<[[[2.0, -2.0], [2.0, -2.0]]]> : tensor<1x2x2xf32>
  %h = arith.constant dense<[[1.0, 1.0], [2.0, 2.0]]> : tensor<2x2xf32>
  %z = qd.rms_norm %v, %h axis = 1 epsilon = 1.0e-30 : tensor<1x2x2xf32>, tensor<2x2xf32>
  return %y, %z : tensor<5x4xf32>, tensor<1x2x2xf32>
}

// 0.5 * 2 * (1 + erf(sqrt 2)) = 1.9544997; tanh form 1.9545977; 2 / (1 + e^-2).
// CHECK-LABEL: @gelu_and_silu
// CHECK-NEXT: 4xfloat32 [-0, 0, 1.95449{{[0-9]*}}, nan]
// CHECK-NEXT: 4xfloat32 [-0, 0, 1.95459{{[0-9]*}}, nan]
// CHECK-NEXT: 4xfloat32 [-0, 0, 1.76159{{[0-9]*}}, nan]
// EXACT-LABEL: @gelu_and_silu
// EXACT-NEXT: 4xfloat64 [-0, 0, 1.9544997361036416, nan]
// EXACT-NEXT: 4xfloat64 [-0, 0, 1.95459769{{[0-9]*}}, nan]
// EXACT-NEXT: 4xfloat64 [-0, 0, 1.761594155955{{[0-9]*}}, nan]
func.func @gelu_and_silu() -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %x = arith.constant dense<[-0.0, 0.0, 2.0, 0x7FC00000]> : tensor<4xf32>
  %0 = qd.gelu %x approximate(none) : tensor<4xf32>
  %1 = qd.gelu %x approximate(tanh) : tensor<4xf32>
  %2 = qd.silu %x : tensor<4xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
