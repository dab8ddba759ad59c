// Values of qd.dequantize, one case a function.
// RUN: q-run --interpret %s | FileCheck %s

// CHECK-LABEL: @per_tensor
// CHECK-NEXT: 4xfloat32 [-62.5, 1, 1.5, 65]
func.func @per_tensor() -> tensor<4xf32> {
  %q = arith.constant dense<[-128, -1, 0, 127]> : tensor<4xi8>
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<-3> : tensor<i32>
  %x = qd.dequantize %q scale %s zero_point %z : tensor<4xi8>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// One f32 multiplication.
// CHECK-LABEL: @one_multiplication
// CHECK-NEXT: 3xfloat32 [0.3, 0.7, -12.8]
func.func @one_multiplication() -> tensor<3xf32> {
  %q = arith.constant dense<[3, 7, -128]> : tensor<3xi8>
  %s = arith.constant dense<0.1> : tensor<f32>
  %x = qd.dequantize %q scale %s : tensor<3xi8>, tensor<f32> -> tensor<3xf32>
  return %x : tensor<3xf32>
}

// The difference is exact before it is converted: 16777217 - 1 is 2^24.
// CHECK-LABEL: @wide_difference
// CHECK-NEXT: 2xfloat32 [16777216, 2147483648]
func.func @wide_difference() -> tensor<2xf32> {
  %q = arith.constant dense<[16777217, 2147483647]> : tensor<2xi32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %z = arith.constant dense<1> : tensor<i32>
  %x = qd.dequantize %q scale %s zero_point %z : tensor<2xi32>, tensor<f32>, tensor<i32> -> tensor<2xf32>
  return %x : tensor<2xf32>
}

// CHECK-LABEL: @special_scales
// CHECK-NEXT: 3xfloat32 [0, nan, inf]
func.func @special_scales() -> tensor<3xf32> {
  %q = arith.constant dense<[5, 5, 5]> : tensor<3xi8>
  %s = arith.constant dense<[0.0, 0x7FC00000, 0x7F800000]> : tensor<3xf32>
  %x = qd.dequantize %q scale %s block_sizes = [1] : tensor<3xi8>, tensor<3xf32> -> tensor<3xf32>
  return %x : tensor<3xf32>
}

// CHECK-LABEL: @sub_byte
// CHECK-NEXT: 4xfloat32 [-8, -1, 0, 7]
func.func @sub_byte() -> tensor<4xf32> {
  %q = arith.constant dense<[-8, -1, 0, 7]> : tensor<4xi4>
  %s = arith.constant dense<1.0> : tensor<f32>
  %x = qd.dequantize %q scale %s : tensor<4xi4>, tensor<f32> -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// CHECK-LABEL: @per_axis
// CHECK-NEXT: 2x2xfloat32 [ [1, 4], [3, 8] ]
func.func @per_axis() -> tensor<2x2xf32> {
  %q = arith.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>
  %s = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %x = qd.dequantize %q scale %s block_sizes = [0, 1] : tensor<2x2xi8>, tensor<1x2xf32> -> tensor<2x2xf32>
  return %x : tensor<2x2xf32>
}

// CHECK-LABEL: @short_last_block
// CHECK-NEXT: 1x5xfloat32 [ [1, 1, 0, 0, 4] ]
func.func @short_last_block() -> tensor<1x5xf32> {
  %q = arith.constant dense<1> : tensor<1x5xi8>
  %s = arith.constant dense<[[1.0, 2.0, 4.0]]> : tensor<1x3xf32>
  %z = arith.constant dense<[[0, 1, 0]]> : tensor<1x3xi32>
  %x = qd.dequantize %q scale %s zero_point %z block_sizes = [1, 2] : tensor<1x5xi8>, tensor<1x3xf32>, tensor<1x3xi32> -> tensor<1x5xf32>
  return %x : tensor<1x5xf32>
}

// CHECK-LABEL: @group_index
// CHECK-NEXT: 1x4xfloat32 [ [2, 1, 1, 2] ]
func.func @group_index() -> tensor<1x4xf32> {
  %q = arith.constant dense<1> : tensor<1x4xi8>
  %s = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %g = arith.constant dense<[1, 0, 0, 1]> : tensor<4xi32>
  %x = qd.dequantize %q scale %s group_index %g block_sizes = [1, 2] : tensor<1x4xi8>, tensor<1x2xf32>, tensor<4xi32> -> tensor<1x4xf32>
  return %x : tensor<1x4xf32>
}

// q * (s * t) with the product of the scales rounded first.
// CHECK-LABEL: @two_scales
// CHECK-NEXT: 2xfloat32 [12, 6]
func.func @two_scales() -> tensor<2xf32> {
  %q = arith.constant dense<2> : tensor<2xi8>
  %s = arith.constant dense<2.0> : tensor<f32>
  %t = arith.constant dense<[3.0, 1.5]> : tensor<2xf32>
  %x = qd.dequantize %q scale %s, %t block_sizes = [1] : tensor<2xi8>, tensor<f32>, tensor<2xf32> -> tensor<2xf32>
  return %x : tensor<2xf32>
}

// CHECK-LABEL: @real_zero_point
// CHECK-NEXT: 3xfloat32 [1, 2, -63]
func.func @real_zero_point() -> tensor<3xf32> {
  %q = arith.constant dense<[0, 2, -128]> : tensor<3xi8>
  %s = arith.constant dense<0.5> : tensor<f32>
  %m = arith.constant dense<1.0> : tensor<f32>
  %x = qd.dequantize %q scale %s zero_point %m domain(real) : tensor<3xi8>, tensor<f32>, tensor<f32> -> tensor<3xf32>
  return %x : tensor<3xf32>
}

// Codes of the other alphabets come from quantize: dense<> cannot hold them.
// CHECK-LABEL: @alphabets
// CHECK-NEXT: 4xfloat32 [-1, 0, 1, 1]
// CHECK-NEXT: 4xfloat32 [-1, -1, 1, 1]
// CHECK-NEXT: 4xfloat32 [-6, -0, 0.5, 6]
func.func @alphabets() -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %x = arith.constant dense<[-9.0, -0.2, 0.6, 7.5]> : tensor<4xf32>
  %s = arith.constant dense<1.0> : tensor<f32>
  %t = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4x!qd.ternary>
  %b = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4x!qd.binary>
  %m = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4x!qd.minifloat<e = 2, m = 1, bias = 1, specials = none>>
  %0 = qd.dequantize %t scale %s : tensor<4x!qd.ternary>, tensor<f32> -> tensor<4xf32>
  %1 = qd.dequantize %b scale %s : tensor<4x!qd.binary>, tensor<f32> -> tensor<4xf32>
  %2 = qd.dequantize %m scale %s : tensor<4x!qd.minifloat<e = 2, m = 1, bias = 1, specials = none>>, tensor<f32> -> tensor<4xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: @empty_and_rank_0
// CHECK-NEXT: 0xfloat32 []
// CHECK-NEXT: float32 -3.5
func.func @empty_and_rank_0() -> (tensor<0xf32>, tensor<f32>) {
  %q = arith.constant dense<1> : tensor<0xi8>
  %r = arith.constant dense<-7> : tensor<i8>
  %s = arith.constant dense<0.5> : tensor<f32>
  %a = qd.dequantize %q scale %s : tensor<0xi8>, tensor<f32> -> tensor<0xf32>
  %b = qd.dequantize %r scale %s : tensor<i8>, tensor<f32> -> tensor<f32>
  return %a, %b : tensor<0xf32>, tensor<f32>
}

// A result in half precision is rounded once more: 1.001 is 1.0009766 in f16.
// CHECK-LABEL: @half
// CHECK-NEXT: float16 1.0009766
// CHECK-NEXT: bfloat16 1
func.func @half() -> (tensor<f16>, tensor<bf16>) {
  %q = arith.constant dense<1> : tensor<i8>
  %s = arith.constant dense<1.001> : tensor<f32>
  %a = qd.dequantize %q scale %s : tensor<i8>, tensor<f32> -> tensor<f16>
  %b = qd.dequantize %q scale %s : tensor<i8>, tensor<f32> -> tensor<bf16>
  return %a, %b : tensor<f16>, tensor<bf16>
}
