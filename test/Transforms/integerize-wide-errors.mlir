// Codes of more than 8 bits whose sums no kernel adds.
// RUN: q-opt %s -qd-integerize -split-input-file | FileCheck %s

// 128 * 16712057 of the high bytes, (255 * 16712057 + 128) / 256 of the low ones, and one of rounding.
// CHECK-LABEL: func.func @coarse_sum_too_long
// CHECK: linalg.matmul
// CHECK-SAME: qd.fallback = "its accumulator in steps of 256 can reach 2155790073"
func.func @coarse_sum_too_long(%x: tensor<1x131591xi16>) -> tensor<1x1xi16> {
  %sx = arith.constant dense<0.5> : tensor<f32>
  %w = arith.constant dense<127> : tensor<131591x1xi8>
  %sw = arith.constant dense<0.25> : tensor<f32>
  %sy = arith.constant dense<16777216.0> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %sx : tensor<1x131591xi16>, tensor<f32> -> tensor<1x131591xf32>
  %wd = qd.dequantize %w scale %sw : tensor<131591x1xi8>, tensor<f32> -> tensor<131591x1xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %0 = linalg.matmul {qd.requested = "int16"} ins(%xd, %wd : tensor<1x131591xf32>, tensor<131591x1xf32>) outs(%f : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = qd.quantize %0 scale %sy rounding(half_even) overflow(saturate) : tensor<1x1xf32>, tensor<f32> -> tensor<1x1xi16>
  return %y : tensor<1x1xi16>
}

// -----

// (-32768 - 8388607)^2 is more than 2^46.
// CHECK-LABEL: func.func @zero_point_far_away
// CHECK: linalg.generic
// CHECK-SAME: qd.fallback = "its zero points make the product exceed 40 bits"
func.func @zero_point_far_away(%x: tensor<4xi16>, %z: tensor<4xi16>) -> tensor<4xi16> {
  %s = arith.constant dense<0.001> : tensor<f32>
  %zx = arith.constant dense<8388607> : tensor<i32>
  %xd = qd.dequantize %x scale %s zero_point %zx : tensor<4xi16>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  %zd = qd.dequantize %z scale %s zero_point %zx : tensor<4xi16>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%xd, %zd : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) attrs = {qd.requested = "int16"} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    linalg.yield %m : f32
  } -> tensor<4xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi16>
  return %y : tensor<4xi16>
}

// -----

// CHECK-LABEL: func.func @codes_of_one_bit
// CHECK: linalg.matmul
// CHECK-SAME: qd.fallback = "its activation has codes other than integers of 2 to 16 bits"
func.func @codes_of_one_bit(%x: tensor<3x2x!qd.binary>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %w = arith.constant dense<[[3, 1], [-2, 4]]> : tensor<2x2xi8>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s : tensor<3x2x!qd.binary>, tensor<f32> -> tensor<3x2xf32>
  %wd = qd.dequantize %w scale %s : tensor<2x2xi8>, tensor<f32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul {qd.requested = "int8"} ins(%xd, %wd : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}
