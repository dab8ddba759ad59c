// RUN: q-opt %s -qd-propagate-transposes -split-input-file | FileCheck %s

// Flattened channels first: rows (c, h, w) of the weights go to (h, w, c).

// CHECK-LABEL: @float_weights
// CHECK-SAME: %[[X:.+]]: tensor<4x1x2x2xf32>
// CHECK-DAG: %[[W:.+]] = arith.constant dense<{{\[\[}}1.000000e+00], [3.000000e+00], [2.000000e+00], [4.000000e+00]]> : tensor<4x1xf32>
// CHECK-DAG: %[[F:.+]] = tensor.collapse_shape %[[X]] {{\[\[}}0], [1, 2, 3]] : tensor<4x1x2x2xf32> into tensor<4x4xf32>
// CHECK: linalg.matmul ins(%[[F]], %[[W]]
func.func @float_weights(%x: tensor<4x1x2x2xf32>) -> tensor<4x1xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1.0], [2.0], [3.0], [4.0]]> : tensor<4x1xf32>
  %e0 = tensor.empty() : tensor<4x2x1x2xf32>
  %t = linalg.transpose ins(%x : tensor<4x1x2x2xf32>) outs(%e0 : tensor<4x2x1x2xf32>) permutation = [0, 3, 1, 2]
  %f = tensor.collapse_shape %t [[0], [1, 2, 3]] : tensor<4x2x1x2xf32> into tensor<4x4xf32>
  %e1 = tensor.empty() : tensor<4x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<4x1xf32>) -> tensor<4x1xf32>
  %y = linalg.matmul ins(%f, %w : tensor<4x4xf32>, tensor<4x1xf32>) outs(%init : tensor<4x1xf32>) -> tensor<4x1xf32>
  return %y : tensor<4x1xf32>
}

// -----

// Codes with a scale for each column are permuted below their scales, and a
// rounding to one grid stands between without harm.

// CHECK-LABEL: @codes
// CHECK-SAME: %[[X:.+]]: tensor<1x1x2x2xf32>
// CHECK-DAG: %[[C:.+]] = arith.constant {{.*}}tensor<4x2xi8>
// CHECK-DAG: %[[F:.+]] = tensor.collapse_shape %[[X]]
// CHECK-DAG: %[[Q:.+]] = qd.quantize %[[F]]
// CHECK-DAG: %[[D:.+]] = qd.dequantize %[[Q]]
// CHECK-DAG: %[[W:.+]] = qd.dequantize %[[C]]
// CHECK-NOT: linalg.transpose
// CHECK: linalg.matmul ins(%[[D]], %[[W]]
func.func @codes(%x: tensor<1x1x2x2xf32>) -> tensor<1x2xf32> {
  %zero = arith.constant 0.0 : f32
  %c = arith.constant dense<[[1, 2], [3, 4], [5, 6], [7, 8]]> : tensor<4x2xi8>
  %s = arith.constant dense<[[0.5, 0.25]]> : tensor<1x2xf32>
  %one = arith.constant dense<0.5> : tensor<f32>
  %w = qd.dequantize %c scale %s block_sizes = [0, 1] : tensor<4x2xi8>, tensor<1x2xf32> -> tensor<4x2xf32>
  %e0 = tensor.empty() : tensor<1x2x1x2xf32>
  %t = linalg.transpose ins(%x : tensor<1x1x2x2xf32>) outs(%e0 : tensor<1x2x1x2xf32>) permutation = [0, 3, 1, 2]
  %f = tensor.collapse_shape %t [[0], [1, 2, 3]] : tensor<1x2x1x2xf32> into tensor<1x4xf32>
  %q = qd.quantize %f scale %one rounding(half_even) overflow(saturate) : tensor<1x4xf32>, tensor<f32> -> tensor<1x4xi8>
  %d = qd.dequantize %q scale %one : tensor<1x4xi8>, tensor<f32> -> tensor<1x4xf32>
  %e1 = tensor.empty() : tensor<1x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %y = linalg.matmul ins(%d, %w : tensor<1x4xf32>, tensor<4x2xf32>) outs(%init : tensor<1x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Left alone: weights that are computed, and a transpose that moves the rows of
// the product, too.

// CHECK-LABEL: @left_alone
// CHECK: %[[T:.+]] = linalg.transpose
// CHECK: tensor.collapse_shape %[[T]]
// CHECK: %[[U:.+]] = linalg.transpose
// CHECK: tensor.collapse_shape %[[U]]
func.func @left_alone(%x: tensor<1x5x6x2xf32>, %w: tensor<60x3xf32>, %z: tensor<3x2x2xf32>) -> (tensor<1x3xf32>, tensor<2x1xf32>) {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<1x2x5x6xf32>
  %t = linalg.transpose ins(%x : tensor<1x5x6x2xf32>) outs(%e0 : tensor<1x2x5x6xf32>) permutation = [0, 3, 1, 2]
  %f = tensor.collapse_shape %t [[0], [1, 2, 3]] : tensor<1x2x5x6xf32> into tensor<1x60xf32>
  %e1 = tensor.empty() : tensor<1x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x3xf32>) -> tensor<1x3xf32>
  %y = linalg.matmul ins(%f, %w : tensor<1x60xf32>, tensor<60x3xf32>) outs(%init : tensor<1x3xf32>) -> tensor<1x3xf32>
  %v = arith.constant dense<[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]]> : tensor<6x1xf32>
  %e2 = tensor.empty() : tensor<2x2x3xf32>
  %u = linalg.transpose ins(%z : tensor<3x2x2xf32>) outs(%e2 : tensor<2x2x3xf32>) permutation = [2, 1, 0]
  %g = tensor.collapse_shape %u [[0], [1, 2]] : tensor<2x2x3xf32> into tensor<2x6xf32>
  %e3 = tensor.empty() : tensor<2x1xf32>
  %init1 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x1xf32>) -> tensor<2x1xf32>
  %o = linalg.matmul ins(%g, %v : tensor<2x6xf32>, tensor<6x1xf32>) outs(%init1 : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y, %o : tensor<1x3xf32>, tensor<2x1xf32>
}
