// Values of qd.block_matmul: blocks, a short one, zero points, both ends of the
// codes, scales that are no numbers, nothing to sum, roundings in their order.
// RUN: q-run --interpret %s | FileCheck %s
// RUN: q-run --interpret --exact-islands %s | FileCheck %s --check-prefix=EXACT
// The decomposed program has the same bits.
// RUN: q-run --interpret %s > %t.values
// RUN: q-opt %s --qd-decompose | q-run --interpret - | diff %t.values -

// The example of Numerics/BlockMatmul.h: 20 * 0.5, then 110 * 0.5 more.
// CHECK-LABEL: @zero_points
// CHECK-NEXT: 1x1xfloat32 [ [65] ]
// EXACT-LABEL: @zero_points
// EXACT-NEXT: 1x1xfloat64 [ [65] ]
func.func @zero_points() -> tensor<1x1xf32> {
  %x = arith.constant dense<[[1, 2, 3, 4]]> : tensor<1x4xi8>
  %sx = arith.constant dense<[[0.5, 2.0]]> : tensor<1x2xf32>
  %w = arith.constant dense<[[10], [20], [30], [40]]> : tensor<4x1xi8>
  %sw = arith.constant dense<[[1.0], [0.25]]> : tensor<2x1xf32>
  %z = arith.constant dense<[[10], [20]]> : tensor<2x1xi32>
  %y = qd.block_matmul %x scale %sx, %w scale %sw zero_point %z block = 2 : tensor<1x4xi8>, tensor<1x2xf32>, tensor<4x1xi8>, tensor<2x1xf32>, tensor<2x1xi32> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// Blocks of 2 and 1; -128 times both ends of i4; one scale a row.
// CHECK-LABEL: @short_block
// CHECK-NEXT: 2x2xfloat32 [ [2048, -1792], [-2.5, 8] ]
func.func @short_block() -> tensor<2x2xf32> {
  %x = arith.constant dense<[[-128, -128, -128], [1, -1, 2]]> : tensor<2x3xi8>
  %sx = arith.constant dense<[[1.0], [0.5]]> : tensor<2x1xf32>
  %w = arith.constant dense<[[-8, 7], [-8, 7], [-8, 7]]> : tensor<3x2xi4>
  %sw = arith.constant dense<[[1.0, 1.0], [0.0, 0.0]]> : tensor<2x2xf32>
  %w2 = arith.constant dense<[[1, 4], [2, -4], [-2, 4]]> : tensor<3x2xi4>
  %sw2 = arith.constant dense<[[1.0, 1.0], [1.0, 1.0]]> : tensor<2x2xf32>
  %a = qd.block_matmul %x scale %sx, %w scale %sw block = 2 : tensor<2x3xi8>, tensor<2x1xf32>, tensor<3x2xi4>, tensor<2x2xf32> -> tensor<2x2xf32>
  %b = qd.block_matmul %x scale %sx, %w2 scale %sw2 block = 2 : tensor<2x3xi8>, tensor<2x1xf32>, tensor<3x2xi4>, tensor<2x2xf32> -> tensor<2x2xf32>
  %r0 = tensor.extract_slice %a[0, 0] [1, 2] [1, 1] : tensor<2x2xf32> to tensor<1x2xf32>
  %r1 = tensor.extract_slice %b[1, 0] [1, 2] [1, 1] : tensor<2x2xf32> to tensor<1x2xf32>
  %y = tensor.concat dim(0) %r0, %r1 : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// Unsigned codes: 15 is 15.
// CHECK-LABEL: @unsigned_codes
// CHECK-NEXT: 1x1xfloat32 [ [7] ]
func.func @unsigned_codes() -> tensor<1x1xf32> {
  %x = arith.constant dense<[[1, 1]]> : tensor<1x2xi8>
  %s = arith.constant dense<1.0> : tensor<1x1xf32>
  %n = arith.constant dense<[[15], [8]]> : tensor<2x1xi8>
  %t = arith.constant dense<1.0> : tensor<f32>
  %f = qd.dequantize %n scale %t : tensor<2x1xi8>, tensor<f32> -> tensor<2x1xf32>
  %w = qd.quantize %f scale %t rounding(half_even) overflow(saturate) : tensor<2x1xf32>, tensor<f32> -> tensor<2x1x!qd.uint<4>>
  %z = arith.constant dense<8> : tensor<1x1xi32>
  %y = qd.block_matmul %x scale %s, %w scale %s zero_point %z block = 2 : tensor<1x2xi8>, tensor<1x1xf32>, tensor<2x1x!qd.uint<4>>, tensor<1x1xf32>, tensor<1x1xi32> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// NaN and infinity of a scale; infinity times a sum of 0 is NaN.
// CHECK-LABEL: @special_scales
// CHECK-NEXT: 1x3xfloat32 [ [nan, inf, nan] ]
func.func @special_scales() -> tensor<1x3xf32> {
  %x = arith.constant dense<[[1]]> : tensor<1x1xi8>
  %sx = arith.constant dense<1.0> : tensor<1x1xf32>
  %w = arith.constant dense<[[1, 1, 0]]> : tensor<1x3xi8>
  %sw = arith.constant dense<[[0x7FC00000, 0x7F800000, 0x7F800000]]> : tensor<1x3xf32>
  %y = qd.block_matmul %x scale %sx, %w scale %sw block = 1 : tensor<1x1xi8>, tensor<1x1xf32>, tensor<1x3xi8>, tensor<1x3xf32> -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// CHECK-LABEL: @nothing_to_sum
// CHECK-NEXT: 1x2xfloat32 [ [0, 0] ]
func.func @nothing_to_sum() -> tensor<1x2xf32> {
  %x = arith.constant dense<1> : tensor<1x0xi8>
  %sx = arith.constant dense<1.0> : tensor<1x0xf32>
  %w = arith.constant dense<1> : tensor<0x2xi8>
  %sw = arith.constant dense<1.0> : tensor<0x2xf32>
  %y = qd.block_matmul %x scale %sx, %w scale %sw block = 4 : tensor<1x0xi8>, tensor<1x0xf32>, tensor<0x2xi8>, tensor<0x2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// fma: 3 * f32(1 / 3 rounded up) - 1 = 2^-25 * 1.0000000, which a rounded
// product would have lost (0 with two roundings).
// CHECK-LABEL: @rounded_once
// CHECK-NEXT: 1x1xfloat32 [ [2.9802322e-08] ]
func.func @rounded_once() -> tensor<1x1xf32> {
  %x = arith.constant dense<[[-1, 3]]> : tensor<1x2xi8>
  %sx = arith.constant dense<1.0> : tensor<1x1xf32>
  %w = arith.constant dense<[[1], [1]]> : tensor<2x1xi8>
  %sw = arith.constant dense<[[1.0], [0x3EAAAAAB]]> : tensor<2x1xf32>
  %y = qd.block_matmul %x scale %sx, %w scale %sw block = 1 : tensor<1x2xi8>, tensor<1x1xf32>, tensor<2x1xi8>, tensor<2x1xf32> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
