// Casts on tensors, their payload form and its expansion have the same values:
// per tensor, per axis, short last blocks, a group index, float zero points,
// two scales, look-ups.
// RUN: q-run %s --function=casts --print > %t.casts
// RUN: q-opt %s --qd-cast-to-linalg > %t.mlir
// RUN: q-run %t.mlir --function=casts --print | diff %t.casts -
// RUN: q-opt %t.mlir --qd-expand-ops > %t.expanded.mlir
// RUN: q-run %t.expanded.mlir --function=casts --print | diff %t.casts -
// RUN: FileCheck %s < %t.expanded.mlir

// CHECK-NOT: qd.{{(quantize|dequantize|requantize|rescale|lookup)}}
func.func @casts() -> (tensor<2x5xi8>, tensor<2x5x!qd.uint<4>>, tensor<2x5xf32>, tensor<2x5xf32>, tensor<2x5xf32>, tensor<2x5xi8>, tensor<2x5xi8>, tensor<2x5xi4>) {
  %x = arith.constant dense<[[-200.0, -1.25, 0x7FC00000, 0.375, 1.0], [0x7F800000, 63.75, 2.5, -0.0, 1.0e-30]]> : tensor<2x5xf32>
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<3> : tensor<i32>
  %axis = arith.constant dense<[[0.1], [0.75]]> : tensor<2x1xf32>
  %block = arith.constant dense<[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]> : tensor<2x3xf32>
  %zeros = arith.constant dense<[[1, -2, 3], [-4, 5, -6]]> : tensor<2x3xi32>
  %group = arith.constant dense<[2, 0, 1, 1, 2]> : tensor<5xi32>
  %real = arith.constant dense<[[-1.5], [0.7]]> : tensor<2x1xf32>
  %acc = arith.constant dense<[[-70000, -3, 0, 1, 2], [16777217, 5, 6, 2147483647, -2147483648]]> : tensor<2x5xi32>
  %m = arith.constant dense<[[1610612736], [3]]> : tensor<2x1xi32>
  %n = arith.constant dense<[[31], [2]]> : tensor<2x1xi32>
  %table = arith.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1]> : tensor<16xi4>
  %0 = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<2x5xf32>, tensor<f32>, tensor<i32> -> tensor<2x5xi8>
  %1 = qd.quantize %x scale %axis rounding(half_up) overflow(wrap) block_sizes = [1, 0] : tensor<2x5xf32>, tensor<2x1xf32> -> tensor<2x5x!qd.uint<4>>
  %2 = qd.dequantize %0 scale %block, %s zero_point %zeros block_sizes = [1, 2] : tensor<2x5xi8>, tensor<2x3xf32>, tensor<f32>, tensor<2x3xi32> -> tensor<2x5xf32>
  %3 = qd.dequantize %0 scale %block zero_point %zeros group_index %group block_sizes = [1, 2] : tensor<2x5xi8>, tensor<2x3xf32>, tensor<2x3xi32>, tensor<5xi32> -> tensor<2x5xf32>
  %4 = qd.dequantize %1 scale %axis zero_point %real block_sizes = [1, 0] domain(real) : tensor<2x5x!qd.uint<4>>, tensor<2x1xf32>, tensor<2x1xf32> -> tensor<2x5xf32>
  %5 = qd.requantize %acc scale %axis zero_point %z rounding(half_away) overflow(saturate) block_sizes = [1, 0] : tensor<2x5xi32>, tensor<2x1xf32>, tensor<i32> -> tensor<2x5xi8>
  %6 = qd.rescale %acc multiplier %m shift %n zero_point %z rounding(half_even) overflow(saturate) block_sizes = [1, 0] : tensor<2x5xi32>, tensor<2x1xi32>, tensor<2x1xi32>, tensor<i32> -> tensor<2x5xi8>
  %7 = qd.lookup %1, %table : tensor<2x5x!qd.uint<4>>, tensor<16xi4> -> tensor<2x5xi4>
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<2x5xi8>, tensor<2x5x!qd.uint<4>>, tensor<2x5xf32>, tensor<2x5xf32>, tensor<2x5xf32>, tensor<2x5xi8>, tensor<2x5xi8>, tensor<2x5xi4>
}

// qd.choose_params: everything, rows, blocks of two, a dead row, values that
// are no numbers, f16.
// RUN: q-run %s --function=params --print > %t.params
// RUN: q-run %t.mlir --function=params --print | diff %t.params -
// RUN: FileCheck %s --check-prefix=PARAMS < %t.mlir
// PARAMS-NOT: qd.choose_params
func.func @params() -> (tensor<f32>, tensor<i32>, tensor<3x1xf32>, tensor<3x1xi32>, tensor<3x2xf32>, tensor<3x2xi32>, tensor<1x4xf32>, tensor<1x4xi32>, tensor<f32>, tensor<i32>) {
  %x = arith.constant dense<[[-1.0, 3.0, 0x7F800000, 0x7FC00000], [0.0, -0.0, 0.0, 0.0], [5.3, 1.0e-3, -77.7, 1.0e30]]> : tensor<3x4xf32>
  %h = arith.constant dense<[0.1, -3.7, 2.2]> : tensor<3xf16>
  %0, %1 = qd.choose_params %x for !qd.uint<8> : tensor<3x4xf32> -> tensor<f32>, tensor<i32>
  %2, %3 = qd.choose_params %x for i8 block_sizes = [1, 0] : tensor<3x4xf32> -> tensor<3x1xf32>, tensor<3x1xi32>
  %4, %5 = qd.choose_params %x for i4 block_sizes = [1, 2] : tensor<3x4xf32> -> tensor<3x2xf32>, tensor<3x2xi32>
  %6, %7 = qd.choose_params %x for i8 symmetric block_sizes = [0, 1] : tensor<3x4xf32> -> tensor<1x4xf32>, tensor<1x4xi32>
  %8, %9 = qd.choose_params %h for i8 : tensor<3xf16> -> tensor<f32>, tensor<i32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9 : tensor<f32>, tensor<i32>, tensor<3x1xf32>, tensor<3x1xi32>, tensor<3x2xf32>, tensor<3x2xi32>, tensor<1x4xf32>, tensor<1x4xi32>, tensor<f32>, tensor<i32>
}

// Minifloats: ties, subnormals, both ends, values that are no numbers, -0.
// RUN: q-run %s --function=minifloats --print > %t.minifloats
// RUN: q-run %t.expanded.mlir --function=minifloats --print | diff %t.minifloats -
func.func @minifloats() -> (tensor<12xf8E4M3FN>, tensor<12xf8E5M2>, tensor<12xf8E4M3FNUZ>, tensor<12xf4E2M1FN>, tensor<12xf32>, tensor<12xf32>, tensor<12xf32>, tensor<12xf32>) {
  %x = arith.constant dense<[0.0, -0.0, 0.0009765625, -0.00146484375, 0.0703125, 1.0625, -1.1875, 447.9, 1.0e30, 0xFF800000, 0x7FC00000, -2.5]> : tensor<12xf32>
  %s = arith.constant dense<0.75> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %0 = qd.quantize %x scale %one rounding(half_even) overflow(saturate) : tensor<12xf32>, tensor<f32> -> tensor<12xf8E4M3FN>
  %1 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<12xf32>, tensor<f32> -> tensor<12xf8E5M2>
  %2 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<12xf32>, tensor<f32> -> tensor<12xf8E4M3FNUZ>
  %3 = qd.quantize %x scale %one rounding(half_even) overflow(saturate) : tensor<12xf32>, tensor<f32> -> tensor<12xf4E2M1FN>
  %4 = qd.dequantize %0 scale %s : tensor<12xf8E4M3FN>, tensor<f32> -> tensor<12xf32>
  %5 = qd.dequantize %1 scale %one : tensor<12xf8E5M2>, tensor<f32> -> tensor<12xf32>
  %6 = qd.dequantize %2 scale %s : tensor<12xf8E4M3FNUZ>, tensor<f32> -> tensor<12xf32>
  %7 = qd.dequantize %3 scale %s : tensor<12xf4E2M1FN>, tensor<f32> -> tensor<12xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<12xf8E4M3FN>, tensor<12xf8E5M2>, tensor<12xf8E4M3FNUZ>, tensor<12xf4E2M1FN>, tensor<12xf32>, tensor<12xf32>, tensor<12xf32>, tensor<12xf32>
}

// Floats that wrap: infinity or NaN beyond the largest value, ties and subnormals as always. Powers of two are decoded.
// RUN: q-run %s --function=small_floats --print > %t.small
// RUN: q-run %t.expanded.mlir --function=small_floats --print | diff %t.small -
// RUN: FileCheck %s --check-prefix=SMALL < %t.small
// SMALL: 126, 126, 127, 127, 127, 127, 127, 128, 0, 127
// SMALL: 95, 95, 95, 252, 124, 252, 126, 128, 0, 123
// SMALL: 128, 128, 128, 128, 128, 128, 128, 0, 0, 128
// SMALL: 5.877472e-39, 1, 2, nan
func.func @small_floats() -> (tensor<10xf8E4M3FN>, tensor<10xf8E5M2>, tensor<10xf8E4M3FNUZ>, tensor<4xf32>) {
  %x = arith.constant dense<[448.0, 464.0, 465.0, -1.0e6, 0x7F800000, 0xFF800000, 0x7FC00000, -0.0, 1.0e-7, 57344.0]> : tensor<10xf32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %p = arith.constant dense<[0x00, 0x7F, 0x80, 0xFF]> : tensor<4xf8E8M0FNU>
  %0 = qd.quantize %x scale %one rounding(half_even) overflow(wrap) : tensor<10xf32>, tensor<f32> -> tensor<10xf8E4M3FN>
  %1 = qd.quantize %x scale %one rounding(half_even) overflow(wrap) : tensor<10xf32>, tensor<f32> -> tensor<10xf8E5M2>
  %2 = qd.quantize %x scale %one rounding(half_even) overflow(wrap) : tensor<10xf32>, tensor<f32> -> tensor<10xf8E4M3FNUZ>
  %3 = qd.dequantize %p scale %one : tensor<4xf8E8M0FNU>, tensor<f32> -> tensor<4xf32>
  return %0, %1, %2, %3 : tensor<10xf8E4M3FN>, tensor<10xf8E5M2>, tensor<10xf8E4M3FNUZ>, tensor<4xf32>
}
