// Products of blocks that stay in floats, and why.
// RUN: q-opt %s -qd-integerize -split-input-file | FileCheck %s

// CHECK-LABEL: func @unsigned_activations
// CHECK: linalg.matmul
// CHECK-SAME: qd.fallback = "its activations are no plain int8 codes"
func.func @unsigned_activations(%q: tensor<2x8x!qd.uint<8>>, %sx: tensor<2x1xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[1], [2], [3], [4], [5], [6], [7], [-8]]> : tensor<8x1xi4>
  %sw = arith.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx block_sizes = [1, 0] : tensor<2x8x!qd.uint<8>>, tensor<2x1xf32> -> tensor<2x8xf32>
  %d = qd.dequantize %w scale %sw block_sizes = [4, 1] : tensor<8x1xi4>, tensor<2x1xf32> -> tensor<8x1xf32>
  %e = tensor.empty() : tensor<2x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %y = linalg.matmul {qd.requested = "int8"} ins(%x, %d : tensor<2x8xf32>, tensor<8x1xf32>) outs(%f : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// -----

// CHECK-LABEL: func @scale_of_two_rows
// CHECK: linalg.matmul
// CHECK-SAME: qd.fallback = "its activations have no scale a row"
func.func @scale_of_two_rows(%q: tensor<2x8xi8>, %sx: tensor<1x1xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[1], [2], [3], [4], [5], [6], [7], [-8]]> : tensor<8x1xi4>
  %sw = arith.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx block_sizes = [0, 0] : tensor<2x8xi8>, tensor<1x1xf32> -> tensor<2x8xf32>
  %d = qd.dequantize %w scale %sw block_sizes = [4, 1] : tensor<8x1xi4>, tensor<2x1xf32> -> tensor<8x1xf32>
  %e = tensor.empty() : tensor<2x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %y = linalg.matmul {qd.requested = "int8"} ins(%x, %d : tensor<2x8xf32>, tensor<8x1xf32>) outs(%f : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// -----

// CHECK-LABEL: func @zero_points_of_rows
// CHECK: linalg.matmul
// CHECK-SAME: qd.fallback = "its activations have a zero point and its weights a scale for each block"
func.func @zero_points_of_rows(%q: tensor<2x8xi8>, %sx: tensor<2x1xf32>, %zx: tensor<2x1xi32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[1], [2], [3], [4], [5], [6], [7], [-8]]> : tensor<8x1xi4>
  %sw = arith.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx zero_point %zx block_sizes = [1, 0] : tensor<2x8xi8>, tensor<2x1xf32>, tensor<2x1xi32> -> tensor<2x8xf32>
  %d = qd.dequantize %w scale %sw block_sizes = [4, 1] : tensor<8x1xi4>, tensor<2x1xf32> -> tensor<8x1xf32>
  %e = tensor.empty() : tensor<2x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %y = linalg.matmul {qd.requested = "int8"} ins(%x, %d : tensor<2x8xf32>, tensor<8x1xf32>) outs(%f : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// -----

// One column or one for each of its blocks, nobody knows.
// CHECK-LABEL: func @columns_of_scales
// CHECK: linalg.matmul
// CHECK-SAME: qd.fallback = "its activations have a dynamic number of scales a row"
func.func @columns_of_scales(%q: tensor<2x8xi8>, %sx: tensor<2x?xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[1], [2], [3], [4], [5], [6], [7], [-8]]> : tensor<8x1xi4>
  %sw = arith.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx block_sizes = [1, 4] : tensor<2x8xi8>, tensor<2x?xf32> -> tensor<2x8xf32>
  %d = qd.dequantize %w scale %sw block_sizes = [4, 1] : tensor<8x1xi4>, tensor<2x1xf32> -> tensor<8x1xf32>
  %e = tensor.empty() : tensor<2x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %y = linalg.matmul {qd.requested = "int8"} ins(%x, %d : tensor<2x8xf32>, tensor<8x1xf32>) outs(%f : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}
