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
