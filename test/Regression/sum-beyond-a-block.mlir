// Bytes times weights of one scale a column: a block as long as the sum, which may exceed what a block sums in i32. Such an op
// does not verify; the product by rows takes them. Blocks of that length stay in floats, with the reason.
// RUN: q-opt %s -qd-integerize -split-input-file | FileCheck %s

// CHECK-LABEL: @one_block
// CHECK: linalg.matmul {{.*}} -> tensor<1x2xi32>
// CHECK-NOT: qd.fallback
func.func @one_block(%q: tensor<1x70000xi8>, %s: tensor<1x1xf32>) -> tensor<1x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<3> : tensor<70000x2xi4>
  %sw = arith.constant dense<[[0.25, 0.5]]> : tensor<1x2xf32>
  %dw = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<70000x2xi4>, tensor<1x2xf32> -> tensor<70000x2xf32>
  %x = qd.dequantize %q scale %s block_sizes = [1, 0] : tensor<1x70000xi8>, tensor<1x1xf32> -> tensor<1x70000xf32>
  %e = tensor.empty() : tensor<1x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2xf32>) -> tensor<1x2xf32>
  %y = linalg.matmul {qd.requested = "int8"} ins(%x, %dw : tensor<1x70000xf32>, tensor<70000x2xf32>) outs(%init : tensor<1x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// CHECK-LABEL: @two_blocks
// CHECK: linalg.matmul
// CHECK-SAME: qd.fallback = "its weights have blocks of 65537 numbers, whose sums may exceed 32 bits"
func.func @two_blocks(%q: tensor<1x70000xi8>, %s: tensor<1x1xf32>) -> tensor<1x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<3> : tensor<70000x2xi4>
  %sw = arith.constant dense<[[0.25, 0.5], [1.0, 2.0]]> : tensor<2x2xf32>
  %dw = qd.dequantize %w scale %sw block_sizes = [65537, 1] : tensor<70000x2xi4>, tensor<2x2xf32> -> tensor<70000x2xf32>
  %x = qd.dequantize %q scale %s block_sizes = [1, 0] : tensor<1x70000xi8>, tensor<1x1xf32> -> tensor<1x70000xf32>
  %e = tensor.empty() : tensor<1x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2xf32>) -> tensor<1x2xf32>
  %y = linalg.matmul {qd.requested = "int8"} ins(%x, %dw : tensor<1x70000xf32>, tensor<70000x2xf32>) outs(%init : tensor<1x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
