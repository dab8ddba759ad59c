// Products of minifloats stay products of floats whose kernels take the codes:
// no fallback, whatever was asked for.
// RUN: q-opt %s -qd-integerize | FileCheck %s

// CHECK-LABEL: func @both_sides
// CHECK: %[[X:.*]] = qd.dequantize %arg0
// CHECK: %[[W:.*]] = qd.dequantize
// CHECK-SAME: tensor<8x16xf8E4M3FN>
// CHECK: linalg.matmul {qd.requested = "w8a8"} ins(%[[X]], %[[W]]
// CHECK-NOT: qd.fallback
// CHECK: return
func.func @both_sides(%q: tensor<4x8xf8E4M3FN>) -> tensor<4x16xf32> {
  %w = arith.constant dense<1.5> : tensor<8x16xf8E4M3FN>
  %sw = arith.constant dense<0.5> : tensor<1x16xf32>
  %sx = arith.constant dense<0.25> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx : tensor<4x8xf8E4M3FN>, tensor<f32> -> tensor<4x8xf32>
  %d = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<8x16xf8E4M3FN>, tensor<1x16xf32> -> tensor<8x16xf32>
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %y = linalg.matmul {qd.requested = "w8a8"} ins(%x, %d : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}

// A weight that is NaN is no code that kernels take.
// CHECK-LABEL: func @not_a_number
// CHECK-NOT: qd.dequantize {{.*}} : tensor<8x16xf8E4M3FN>
// CHECK: linalg.matmul {qd.fallback = "its activation is quantized, but its codes are not integers"
func.func @not_a_number(%q: tensor<4x8xf8E4M3FN>) -> tensor<4x16xf32> {
  %w = arith.constant dense<0x7F> : tensor<8x16xf8E4M3FN>
  %sw = arith.constant dense<0.5> : tensor<1x16xf32>
  %sx = arith.constant dense<0.25> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx : tensor<4x8xf8E4M3FN>, tensor<f32> -> tensor<4x8xf32>
  %d = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<8x16xf8E4M3FN>, tensor<1x16xf32> -> tensor<8x16xf32>
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %y = linalg.matmul {qd.requested = "w8a8"} ins(%x, %d : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}
