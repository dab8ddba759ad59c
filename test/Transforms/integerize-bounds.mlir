// RUN: q-opt %s -qd-integerize=rescale=dyadic -split-input-file | FileCheck %s
// RUN: q-opt %s -qd-integerize=rescale=float -split-input-file | FileCheck %s --check-prefix=FLOAT

// Element-wise ops state what the numbers that they round can be.

#id = affine_map<(m, n) -> (m, n)>
#n = affine_map<(m, n) -> (n)>

// In steps of 2^-23, one output step is 2^23 of the first tensor and 2^22 of the
// second: 2^22 * [2 * (-128 - 7) - 128, 2 * (127 - 7) + 127], and the constants
// 3 and -4 are one of 6 and one of -8 output steps: -8 for the lower end, 6 for
// the upper one. What is computed on the way and half a step for the rounding
// need 32 bits. A sum of floats is no integer.
// CHECK-LABEL: @sum
// CHECK: qd.acc_bound = array<i64: -1736441856, 1589641216>
// CHECK-SAME: qd.intermediate_bits = array<i64: 32, 32>
// FLOAT-LABEL: @sum
// FLOAT-NOT: qd.acc_bound
// FLOAT: return
func.func @sum(%a: tensor<2x2xi8>, %b: tensor<2x2xi8>) -> tensor<2x2xi8> {
  %sa = arith.constant dense<0.5> : tensor<f32>
  %sb = arith.constant dense<0.25> : tensor<f32>
  %za = arith.constant dense<7> : tensor<i32>
  %zb = arith.constant dense<0> : tensor<i32>
  %c = arith.constant dense<[3.0, -4.0]> : tensor<2xf32>
  %da = qd.dequantize %a scale %sa zero_point %za : tensor<2x2xi8>, tensor<f32>, tensor<i32> -> tensor<2x2xf32>
  %db = qd.dequantize %b scale %sb zero_point %zb : tensor<2x2xi8>, tensor<f32>, tensor<i32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #id, #n, #id], iterator_types = ["parallel", "parallel"]} ins(%da, %db, %c : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32, %o: f32):
    %t = arith.addf %p, %q : f32
    %u = arith.addf %t, %r : f32
    linalg.yield %u : f32
  } -> tensor<2x2xf32>
  %y = qd.quantize %s scale %sa zero_point %za rounding(half_even) overflow(saturate) : tensor<2x2xf32>, tensor<f32>, tensor<i32> -> tensor<2x2xi8>
  return %y : tensor<2x2xi8>
}

// -----

#id = affine_map<(m) -> (m)>

// [-135, 120] times [-98, 157]: -135 * 157 and 120 * 157.
// CHECK-LABEL: @product
// CHECK: qd.acc_bound = array<i64: -21195, 18840>
// CHECK-SAME: qd.intermediate_bits = array<i64: 16,
// FLOAT-LABEL: @product
// FLOAT: qd.acc_bound = array<i64: -21195, 18840>
// FLOAT-SAME: qd.intermediate_bits = array<i64: 16, 0>
func.func @product(%a: tensor<2xi8>, %b: tensor<2xi8>) -> tensor<2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %za = arith.constant dense<7> : tensor<i32>
  %zb = arith.constant dense<-30> : tensor<i32>
  %da = qd.dequantize %a scale %s zero_point %za : tensor<2xi8>, tensor<f32>, tensor<i32> -> tensor<2xf32>
  %db = qd.dequantize %b scale %s zero_point %zb : tensor<2xi8>, tensor<f32>, tensor<i32> -> tensor<2xf32>
  %e = tensor.empty() : tensor<2xf32>
  %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%da, %db : tensor<2xf32>, tensor<2xf32>) outs(%e : tensor<2xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %t = arith.mulf %p, %q : f32
    linalg.yield %t : f32
  } -> tensor<2xf32>
  %y = qd.quantize %p scale %s zero_point %za rounding(half_even) overflow(saturate) : tensor<2xf32>, tensor<f32>, tensor<i32> -> tensor<2xi8>
  return %y : tensor<2xi8>
}

// -----

#id = affine_map<(m, n) -> (m, n)>
#n = affine_map<(m, n) -> (n)>

// Grids of channels: [-128 - 7, 120] in one, [-128, 127] in the other, times
// [-128, 127].
// CHECK-LABEL: @product_of_channels
// CHECK: qd.acc_bound = array<i64: -17145, 17280>
func.func @product_of_channels(%a: tensor<2x2xi8>, %b: tensor<2x2xi8>) -> tensor<2x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i32>
  %sa = arith.constant dense<0.5> : tensor<1x2xf32>
  %za = arith.constant dense<[[7, 0]]> : tensor<1x2xi32>
  %da = qd.dequantize %a scale %sa zero_point %za block_sizes = [0, 1] : tensor<2x2xi8>, tensor<1x2xf32>, tensor<1x2xi32> -> tensor<2x2xf32>
  %db = qd.dequantize %b scale %s zero_point %z : tensor<2x2xi8>, tensor<f32>, tensor<i32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%da, %db : tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %t = arith.mulf %p, %q : f32
    linalg.yield %t : f32
  } -> tensor<2x2xf32>
  %y = qd.quantize %p scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<2x2xf32>, tensor<f32>, tensor<i32> -> tensor<2x2xi8>
  return %y : tensor<2x2xi8>
}
