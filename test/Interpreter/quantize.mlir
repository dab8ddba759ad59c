// Values of qd.quantize, one case a function.
// RUN: q-run --interpret %s | FileCheck %s

// CHECK-LABEL: @ties_half_even
// CHECK-NEXT: 8xint8 [0, 2, 2, 0, -2, -2, 4, -4]
func.func @ties_half_even() -> tensor<8xi8> {
  %x = arith.constant dense<[0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.5, -3.5]> : tensor<8xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %q = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<8xf32>, tensor<f32> -> tensor<8xi8>
  return %q : tensor<8xi8>
}

// CHECK-LABEL: @ties_half_away
// CHECK-NEXT: 8xint8 [1, 2, 3, -1, -2, -3, 4, -4]
func.func @ties_half_away() -> tensor<8xi8> {
  %x = arith.constant dense<[0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.5, -3.5]> : tensor<8xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %q = qd.quantize %x scale %s rounding(half_away) overflow(saturate) : tensor<8xf32>, tensor<f32> -> tensor<8xi8>
  return %q : tensor<8xi8>
}

// CHECK-LABEL: @ties_half_up
// CHECK-NEXT: 8xint8 [1, 2, 3, 0, -1, -2, 4, -3]
func.func @ties_half_up() -> tensor<8xi8> {
  %x = arith.constant dense<[0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.5, -3.5]> : tensor<8xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %q = qd.quantize %x scale %s rounding(half_up) overflow(saturate) : tensor<8xf32>, tensor<f32> -> tensor<8xi8>
  return %q : tensor<8xi8>
}

// CHECK-LABEL: @floor_and_trunc
// CHECK-NEXT: 4xint8 [0, 2, -1, -3]
// CHECK-NEXT: 4xint8 [0, 2, 0, -2]
func.func @floor_and_trunc() -> (tensor<4xi8>, tensor<4xi8>) {
  %x = arith.constant dense<[0.9, 2.5, -0.1, -2.9]> : tensor<4xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %a = qd.quantize %x scale %s rounding(floor) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  %b = qd.quantize %x scale %s rounding(trunc) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %a, %b : tensor<4xi8>, tensor<4xi8>
}

// Both ends, just inside, and the infinities.
// CHECK-LABEL: @saturation
// CHECK-NEXT: 8xint8 [126, 127, 127, -127, -128, -128, 127, -128]
func.func @saturation() -> tensor<8xi8> {
  %x = arith.constant dense<[126.4, 127.5, 1000.0, -127.4, -128.6, -1000.0, 0x7F800000, 0xFF800000]> : tensor<8xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %q = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<8xf32>, tensor<f32> -> tensor<8xi8>
  return %q : tensor<8xi8>
}

// NaN and both zeros are the zero point.
// CHECK-LABEL: @nan_and_negative_zero
// CHECK-NEXT: 3xint8 [5, 5, 5]
func.func @nan_and_negative_zero() -> tensor<3xi8> {
  %x = arith.constant dense<[0x7FC00000, -0.0, 0.0]> : tensor<3xf32>
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<5> : tensor<i32>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<3xf32>, tensor<f32>, tensor<i32> -> tensor<3xi8>
  return %q : tensor<3xi8>
}

// x / 0 is an infinity or, for 0 / 0, the zero point.
// CHECK-LABEL: @zero_scale
// CHECK-NEXT: 4xint8 [127, -128, 3, 3]
func.func @zero_scale() -> tensor<4xi8> {
  %x = arith.constant dense<[1.0, -1.0, 0.0, 0x7FC00000]> : tensor<4xf32>
  %s = arith.constant dense<0.0> : tensor<f32>
  %z = arith.constant dense<3> : tensor<i32>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// A zero point may lie outside of the alphabet.
// CHECK-LABEL: @zero_point_outside
// CHECK-NEXT: 3xint8 [127, 100, 127]
func.func @zero_point_outside() -> tensor<3xi8> {
  %x = arith.constant dense<[0.0, -200.0, 0x7FC00000]> : tensor<3xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %z = arith.constant dense<300> : tensor<i32>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<3xf32>, tensor<f32>, tensor<i32> -> tensor<3xi8>
  return %q : tensor<3xi8>
}

// The division decides: in f32 these quotients are 7.4999995 and 12.5; times the
// reciprocal of 0.3 they would be 7.5 and 12.500001, and the codes 8 and 13.
// CHECK-LABEL: @division
// CHECK-NEXT: 2xint8 [7, 12]
func.func @division() -> (tensor<2xi8>) {
  %x = arith.constant dense<[2.25, 3.7500002]> : tensor<2xf32>
  %s = arith.constant dense<[0.3, 0.3]> : tensor<2xf32>
  %q = qd.quantize %x scale %s rounding(half_even) overflow(saturate) block_sizes = [1] : tensor<2xf32>, tensor<2xf32> -> tensor<2xi8>
  return %q : tensor<2xi8>
}

// CHECK-LABEL: @sub_byte
// CHECK-NEXT: 6xint8 [-8, -8, 7, 7, 4, -4]
// CHECK-NEXT: 6xuint8 [0, 0, 7, 8, 4, 0]
func.func @sub_byte() -> (tensor<6xi4>, tensor<6x!qd.uint<4>>) {
  %x = arith.constant dense<[-9.0, -8.0, 7.0, 8.0, 3.5, -3.5]> : tensor<6xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %a = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<6xf32>, tensor<f32> -> tensor<6xi4>
  %b = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<6xf32>, tensor<f32> -> tensor<6x!qd.uint<4>>
  return %a, %b : tensor<6xi4>, tensor<6x!qd.uint<4>>
}

// CHECK-LABEL: @unsigned_byte
// CHECK-NEXT: 4xuint8 [0, 128, 255, 255]
func.func @unsigned_byte() -> tensor<4x!qd.uint<8>> {
  %x = arith.constant dense<[-70.0, 0.0, 63.5, 100.0]> : tensor<4xf32>
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<128> : tensor<i32>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4x!qd.uint<8>>
  return %q : tensor<4x!qd.uint<8>>
}

// CHECK-LABEL: @wrap
// CHECK-NEXT: 4xint8 [-128, 127, 44, 0]
func.func @wrap() -> tensor<4xi8> {
  %x = arith.constant dense<[128.0, -129.0, 300.0, 0x7FC00000]> : tensor<4xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %q = qd.quantize %x scale %s rounding(half_even) overflow(wrap) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// CHECK-LABEL: @per_axis
// CHECK-NEXT: 2x3xint8 [ [1, 2, 3], [11, 12, 13] ]
func.func @per_axis() -> tensor<2x3xi8> {
  %x = arith.constant dense<[[1.0, 2.0, 3.0], [0.5, 1.0, 1.5]]> : tensor<2x3xf32>
  %s = arith.constant dense<[[1.0], [0.5]]> : tensor<2x1xf32>
  %z = arith.constant dense<[[0], [10]]> : tensor<2x1xi32>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) block_sizes = [1, 0] : tensor<2x3xf32>, tensor<2x1xf32>, tensor<2x1xi32> -> tensor<2x3xi8>
  return %q : tensor<2x3xi8>
}

// The last block has one element.
// CHECK-LABEL: @short_last_block
// CHECK-NEXT: 5xint8 [8, 8, 4, 4, 2]
func.func @short_last_block() -> tensor<5xi8> {
  %x = arith.constant dense<8.0> : tensor<5xf32>
  %s = arith.constant dense<[1.0, 2.0, 4.0]> : tensor<3xf32>
  %q = qd.quantize %x scale %s rounding(half_even) overflow(saturate) block_sizes = [2] : tensor<5xf32>, tensor<3xf32> -> tensor<5xi8>
  return %q : tensor<5xi8>
}

// CHECK-LABEL: @group_index
// CHECK-NEXT: 1x4xint8 [ [4, 8, 8, 4] ]
func.func @group_index() -> tensor<1x4xi8> {
  %x = arith.constant dense<8.0> : tensor<1x4xf32>
  %s = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %g = arith.constant dense<[1, 0, 0, 1]> : tensor<4xi32>
  %q = qd.quantize %x scale %s group_index %g rounding(half_even) overflow(saturate) block_sizes = [1, 2] : tensor<1x4xf32>, tensor<1x2xf32>, tensor<4xi32> -> tensor<1x4xi8>
  return %q : tensor<1x4xi8>
}

// CHECK-LABEL: @two_scales
// CHECK-NEXT: 2xint8 [2, 4]
func.func @two_scales() -> tensor<2xi8> {
  %x = arith.constant dense<12.0> : tensor<2xf32>
  %s = arith.constant dense<2.0> : tensor<f32>
  %t = arith.constant dense<[3.0, 1.5]> : tensor<2xf32>
  %q = qd.quantize %x scale %s, %t rounding(half_even) overflow(saturate) block_sizes = [1] : tensor<2xf32>, tensor<f32>, tensor<2xf32> -> tensor<2xi8>
  return %q : tensor<2xi8>
}

// CHECK-LABEL: @real_zero_point
// CHECK-NEXT: 3xint8 [0, 2, -4]
func.func @real_zero_point() -> tensor<3xi8> {
  %x = arith.constant dense<[1.0, 2.0, -1.0]> : tensor<3xf32>
  %s = arith.constant dense<0.5> : tensor<f32>
  %m = arith.constant dense<1.0> : tensor<f32>
  %q = qd.quantize %x scale %s zero_point %m rounding(half_even) overflow(saturate) domain(real) : tensor<3xf32>, tensor<f32>, tensor<f32> -> tensor<3xi8>
  return %q : tensor<3xi8>
}

// CHECK-LABEL: @empty_and_rank_0
// CHECK-NEXT: 0x3xint8 [ ]
// CHECK-NEXT: int8 -7
func.func @empty_and_rank_0() -> (tensor<0x3xi8>, tensor<i8>) {
  %x = arith.constant dense<1.0> : tensor<0x3xf32>
  %y = arith.constant dense<-7.2> : tensor<f32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %a = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<0x3xf32>, tensor<f32> -> tensor<0x3xi8>
  %b = qd.quantize %y scale %s rounding(half_even) overflow(saturate) : tensor<f32>, tensor<f32> -> tensor<i8>
  return %a, %b : tensor<0x3xi8>, tensor<i8>
}

// f8E4M3FN: 1.0 is 0x38, 448 is 0x7E and the largest, NaN is 0x7F.
// CHECK-LABEL: @minifloat
// CHECK-NEXT: 5xuint8 [56, 126, 126, 127, 184]
func.func @minifloat() -> tensor<5xf8E4M3FN> {
  %x = arith.constant dense<[1.0, 448.0, 1000.0, 0x7FC00000, -1.0]> : tensor<5xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %q = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<5xf32>, tensor<f32> -> tensor<5xf8E4M3FN>
  return %q : tensor<5xf8E4M3FN>
}

// Ternary -1 is code 3; binary: 0 is -1, 1 is +1, zero goes up.
// CHECK-LABEL: @ternary_and_binary
// CHECK-NEXT: 5xuint8 [3, 0, 0, 1, 1]
// CHECK-NEXT: 5xuint8 [0, 0, 1, 1, 1]
func.func @ternary_and_binary() -> (tensor<5x!qd.ternary>, tensor<5x!qd.binary>) {
  %x = arith.constant dense<[-5.0, -0.4, 0.5, 0.6, 3.0]> : tensor<5xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %a = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<5xf32>, tensor<f32> -> tensor<5x!qd.ternary>
  %b = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<5xf32>, tensor<f32> -> tensor<5x!qd.binary>
  return %a, %b : tensor<5x!qd.ternary>, tensor<5x!qd.binary>
}

// The scale may be any float or an integer.
// CHECK-LABEL: @scale_types
// CHECK-NEXT: int8 8
// CHECK-NEXT: int8 2
func.func @scale_types() -> (tensor<i8>, tensor<i8>) {
  %x = arith.constant dense<6.0> : tensor<f32>
  %h = arith.constant dense<0.75> : tensor<f16>
  %i = arith.constant dense<3> : tensor<i32>
  %a = qd.quantize %x scale %h rounding(half_even) overflow(saturate) : tensor<f32>, tensor<f16> -> tensor<i8>
  %c = qd.quantize %x scale %i rounding(half_even) overflow(saturate) : tensor<f32>, tensor<i32> -> tensor<i8>
  return %a, %c : tensor<i8>, tensor<i8>
}

// The scalar form in a payload, with a scale per column.
// CHECK-LABEL: @payload
// CHECK-NEXT: 2x2xint8 [ [1, 4], [3, 8] ]
func.func @payload() -> tensor<2x2xi8> {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %s = arith.constant dense<[1.0, 0.5]> : tensor<2xf32>
  %e = tensor.empty() : tensor<2x2xi8>
  %q = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : tensor<2x2xf32>, tensor<2xf32>) outs(%e : tensor<2x2xi8>) {
  ^bb0(%a: f32, %b: f32, %o: i8):
    %c = qd.quantize %a scale %b rounding(half_even) overflow(saturate) : f32, f32 -> i8
    linalg.yield %c : i8
  } -> tensor<2x2xi8>
  return %q : tensor<2x2xi8>
}
