// Values of qd.requantize and qd.rescale, one case a function.
// RUN: q-run --interpret %s | FileCheck %s

// CHECK-LABEL: @requantize_ties
// CHECK-NEXT: 6xint8 [2, 4, -2, -4, 0, 10]
func.func @requantize_ties() -> tensor<6xi8> {
  %a = arith.constant dense<[5, 7, -5, -7, 1, 20]> : tensor<6xi32>
  %s = arith.constant dense<0.5> : tensor<f32>
  %q = qd.requantize %a scale %s rounding(half_even) overflow(saturate) : tensor<6xi32>, tensor<f32> -> tensor<6xi8>
  return %q : tensor<6xi8>
}

// Both ends with a zero point, and the ends of i32.
// CHECK-LABEL: @requantize_saturation
// CHECK-NEXT: 6xint8 [126, 127, -127, -128, 127, -128]
func.func @requantize_saturation() -> tensor<6xi8> {
  %a = arith.constant dense<[116, 118, -137, -139, 2147483647, -2147483648]> : tensor<6xi32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %z = arith.constant dense<10> : tensor<i32>
  %q = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<6xi32>, tensor<f32>, tensor<i32> -> tensor<6xi8>
  return %q : tensor<6xi8>
}

// NaN, 0 * inf and a zero scale give the zero point; infinity saturates.
// CHECK-LABEL: @requantize_special_scales
// CHECK-NEXT: 4xint8 [3, 3, 3, -128]
func.func @requantize_special_scales() -> tensor<4xi8> {
  %a = arith.constant dense<[5, 0, 5, -5]> : tensor<4xi32>
  %s = arith.constant dense<[0x7FC00000, 0x7F800000, 0.0, 0x7F800000]> : tensor<4xf32>
  %z = arith.constant dense<3> : tensor<i32>
  %q = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) block_sizes = [1] : tensor<4xi32>, tensor<4xf32>, tensor<i32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// The accumulator is rounded to f32 first: 33554431 becomes 2^25, so the floor of
// its 2048th is 16384 and not 16383.
// CHECK-LABEL: @requantize_conversion
// CHECK-NEXT: 2xint16 [16384, -16384]
func.func @requantize_conversion() -> tensor<2xi16> {
  %a = arith.constant dense<[33554431, -33554431]> : tensor<2xi32>
  %s = arith.constant dense<4.8828125E-4> : tensor<f32>
  %q = qd.requantize %a scale %s rounding(floor) overflow(saturate) : tensor<2xi32>, tensor<f32> -> tensor<2xi16>
  return %q : tensor<2xi16>
}

// CHECK-LABEL: @requantize_wrap
// CHECK-NEXT: 2xint8 [-128, 44]
func.func @requantize_wrap() -> tensor<2xi8> {
  %a = arith.constant dense<[128, 300]> : tensor<2xi32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %q = qd.requantize %a scale %s rounding(half_even) overflow(wrap) : tensor<2xi32>, tensor<f32> -> tensor<2xi8>
  return %q : tensor<2xi8>
}

// The scalar form, a scale and a zero point per channel.
// CHECK-LABEL: @requantize_payload
// CHECK-NEXT: 2x2xint8 [ [5, 21], [10, 22] ]
func.func @requantize_payload() -> tensor<2x2xi8> {
  %a = arith.constant dense<[[10, 1], [20, 2]]> : tensor<2x2xi32>
  %s = arith.constant dense<[0.5, 1.0]> : tensor<2xf32>
  %z = arith.constant dense<[0, 20]> : tensor<2xi32>
  %e = tensor.empty() : tensor<2x2xi8>
  %q = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%a, %s, %z : tensor<2x2xi32>, tensor<2xf32>, tensor<2xi32>) outs(%e : tensor<2x2xi8>) {
  ^bb0(%x: i32, %t: f32, %y: i32, %o: i8):
    %c = qd.requantize %x scale %t zero_point %y rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
    linalg.yield %c : i8
  } -> tensor<2x2xi8>
  return %q : tensor<2x2xi8>
}

// x / 4 by every rounding: 1.5, 2.5, -1.5, -2.5, -1.25.
// CHECK-LABEL: @rescale_roundings
// CHECK-NEXT: 5xint8 [2, 2, -2, -2, -1]
// CHECK-NEXT: 5xint8 [2, 3, -2, -3, -1]
// CHECK-NEXT: 5xint8 [2, 3, -1, -2, -1]
// CHECK-NEXT: 5xint8 [1, 2, -2, -3, -2]
// CHECK-NEXT: 5xint8 [1, 2, -1, -2, -1]
func.func @rescale_roundings() -> (tensor<5xi8>, tensor<5xi8>, tensor<5xi8>, tensor<5xi8>, tensor<5xi8>) {
  %a = arith.constant dense<[6, 10, -6, -10, -5]> : tensor<5xi32>
  %m = arith.constant dense<1> : tensor<i32>
  %n = arith.constant dense<2> : tensor<i32>
  %0 = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(saturate) : tensor<5xi32>, tensor<i32>, tensor<i32> -> tensor<5xi8>
  %1 = qd.rescale %a multiplier %m shift %n rounding(half_away) overflow(saturate) : tensor<5xi32>, tensor<i32>, tensor<i32> -> tensor<5xi8>
  %2 = qd.rescale %a multiplier %m shift %n rounding(half_up) overflow(saturate) : tensor<5xi32>, tensor<i32>, tensor<i32> -> tensor<5xi8>
  %3 = qd.rescale %a multiplier %m shift %n rounding(floor) overflow(saturate) : tensor<5xi32>, tensor<i32>, tensor<i32> -> tensor<5xi8>
  %4 = qd.rescale %a multiplier %m shift %n rounding(trunc) overflow(saturate) : tensor<5xi32>, tensor<i32>, tensor<i32> -> tensor<5xi8>
  return %0, %1, %2, %3, %4 : tensor<5xi8>, tensor<5xi8>, tensor<5xi8>, tensor<5xi8>, tensor<5xi8>
}

// Products beyond 64 bits and shifts of 0 and 62 are exact.
// CHECK-LABEL: @rescale_extremes
// CHECK-NEXT: 4xint8 [127, -128, 0, 1]
func.func @rescale_extremes() -> tensor<4xi8> {
  %a = arith.constant dense<[9223372036854775807, -9223372036854775808, 1, 2147483649]> : tensor<4xi64>
  %m = arith.constant dense<[2147483647, 2147483647, 2147483647, 2147483647]> : tensor<4xi32>
  %n = arith.constant dense<[0, 31, 62, 62]> : tensor<4xi32>
  %q = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(saturate) block_sizes = [1] : tensor<4xi64>, tensor<4xi32>, tensor<4xi32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// The zero point is added after the rounding, and before the clamp.
// CHECK-LABEL: @rescale_zero_point
// CHECK-NEXT: 4xint8 [13, 127, -128, 9]
func.func @rescale_zero_point() -> tensor<4xi8> {
  %a = arith.constant dense<[10, 1000, -1000, -6]> : tensor<4xi32>
  %m = arith.constant dense<1> : tensor<i32>
  %n = arith.constant dense<2> : tensor<i32>
  %z = arith.constant dense<10> : tensor<i32>
  %q = qd.rescale %a multiplier %m shift %n zero_point %z rounding(half_up) overflow(saturate) : tensor<4xi32>, tensor<i32>, tensor<i32>, tensor<i32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// CHECK-LABEL: @rescale_unsigned_and_wrap
// CHECK-NEXT: 3xuint8 [0, 255, 7]
// CHECK-NEXT: 3xint8 [-1, -56, 7]
func.func @rescale_unsigned_and_wrap() -> (tensor<3x!qd.uint<8>>, tensor<3xi8>) {
  %a = arith.constant dense<[-1, 456, 7]> : tensor<3xi32>
  %m = arith.constant dense<1> : tensor<i32>
  %n = arith.constant dense<0> : tensor<i32>
  %0 = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(saturate) : tensor<3xi32>, tensor<i32>, tensor<i32> -> tensor<3x!qd.uint<8>>
  %1 = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(wrap) : tensor<3xi32>, tensor<i32>, tensor<i32> -> tensor<3xi8>
  return %0, %1 : tensor<3x!qd.uint<8>>, tensor<3xi8>
}
