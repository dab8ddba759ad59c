// Products whose operands both have scales by blocks become qd.block_matmul:
// weights of either layout, with and without zero points; what reads the
// result stays as it is.
// RUN: q-opt %s -qd-integerize | FileCheck %s
// The integer program computes what the float one does, up to its roundings;
// exactly, where scales are powers of two.
// RUN: q-run %s --function=exact --interpret > %t.float
// RUN: q-opt %s -qd-integerize | q-run - --function=exact --interpret | diff %t.float -

// CHECK-LABEL: func @symmetric
// CHECK-DAG: %[[W:.*]] = arith.constant dense_resource<{{.*}}> : tensor<6x3xi4>
// CHECK-DAG: %[[SW:.*]] = arith.constant dense<{{.*}}> : tensor<2x3xf32>
// CHECK: %[[Y:.*]] = qd.block_matmul %arg0 scale %arg1, %[[W]] scale %[[SW]] block = 4 {qd.name = "fc", qd.requested = "int8"}
// CHECK-NOT: linalg.matmul
// CHECK-NOT: qd.fallback
// CHECK: return %[[Y]]
func.func @symmetric(%q: tensor<2x6xi8>, %sx: tensor<2x2xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense_resource<w> : tensor<6x3xi4>
  %sw = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx block_sizes = [1, 4] : tensor<2x6xi8>, tensor<2x2xf32> -> tensor<2x6xf32>
  %d = qd.dequantize %w scale %sw block_sizes = [4, 1] : tensor<6x3xi4>, tensor<2x3xf32> -> tensor<6x3xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = linalg.matmul {qd.name = "fc", qd.requested = "int8"} ins(%x, %d : tensor<2x6xf32>, tensor<6x3xf32>) outs(%f : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// Channels first, one zero point for all blocks, one scale a row.
// CHECK-LABEL: func @channels_first
// CHECK-DAG: %[[W:.*]] = arith.constant dense<{{\[\[}}1, 5], [2, 6], [3, 7], [4, -8]]> : tensor<4x2xi4>
// CHECK-DAG: %[[SW:.*]] = arith.constant dense<{{\[\[}}1.000000e+00, 3.000000e+00], [2.000000e+00, 4.000000e+00]]> : tensor<2x2xf32>
// CHECK-DAG: %[[Z:.*]] = arith.constant dense<3> : tensor<2x2xi32>
// CHECK: qd.block_matmul %arg0 scale %arg1, %[[W]] scale %[[SW]] zero_point %[[Z]] block = 2
func.func @channels_first(%q: tensor<2x4xi8>, %sx: tensor<2x1xf32>) -> tensor<2x2xf32> {
  %w = arith.constant dense<[[1, 2, 3, 4], [5, 6, 7, -8]]> : tensor<2x4xi4>
  %sw = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %z = arith.constant dense<3> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx block_sizes = [1, 0] : tensor<2x4xi8>, tensor<2x1xf32> -> tensor<2x4xf32>
  %d = qd.dequantize %w scale %sw zero_point %z block_sizes = [1, 2] : tensor<2x4xi4>, tensor<2x2xf32>, tensor<i32> -> tensor<2x4xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %d : tensor<2x4xf32>, tensor<2x4xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// Blocks of different sizes on both sides.
// CHECK-LABEL: func @other_blocks
// CHECK: linalg.matmul
// CHECK-SAME: qd.fallback = "its activations have blocks of 2 numbers, its weights of 4"
func.func @other_blocks(%q: tensor<2x8xi8>, %sx: tensor<2x4xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[1], [2], [3], [4], [5], [6], [7], [-8]]> : tensor<8x1xi4>
  %sw = arith.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx block_sizes = [1, 2] : tensor<2x8xi8>, tensor<2x4xf32> -> tensor<2x8xf32>
  %d = qd.dequantize %w scale %sw block_sizes = [4, 1] : tensor<8x1xi4>, tensor<2x1xf32> -> tensor<8x1xf32>
  %e = tensor.empty() : tensor<2x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %y = linalg.matmul {qd.requested = "int8"} ins(%x, %d : tensor<2x8xf32>, tensor<8x1xf32>) outs(%f : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// CHECK-LABEL: func @exact
// CHECK: qd.block_matmul
func.func @exact() -> tensor<2x2xf32> {
  %q = arith.constant dense<[[1, -2, 3, 127, 5], [-128, 0, 9, 100, -77]]> : tensor<2x5xi8>
  %sx = arith.constant dense<[[0.5, 2.0, 1.0], [0.25, 4.0, 8.0]]> : tensor<2x3xf32>
  %w = arith.constant dense<[[-8, 7], [3, 4], [0, 1], [-1, 5], [7, -8]]> : tensor<5x2xi4>
  %sw = arith.constant dense<[[0.5, 1.0], [2.0, 0.125], [1.0, 4.0]]> : tensor<3x2xf32>
  %z = arith.constant dense<[[1, -2], [-8, 7], [0, 3]]> : tensor<3x2xi32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx block_sizes = [1, 2] : tensor<2x5xi8>, tensor<2x3xf32> -> tensor<2x5xf32>
  %d = qd.dequantize %w scale %sw zero_point %z block_sizes = [2, 1] : tensor<5x2xi4>, tensor<3x2xf32>, tensor<3x2xi32> -> tensor<5x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul ins(%x, %d : tensor<2x5xf32>, tensor<5x2xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

{-#
  dialect_resources: {
    builtin: {
      w: "0x40000000010203040506070001020304050607000102"
    }
  }
#-}
