// Bytes with one scale and one zero point a column, by activations with a scale a row: the product by rows takes no such zero
// points, the product of blocks does (of one block here). It stayed in floats.
// RUN: q-opt %s -qd-integerize | FileCheck %s
// RUN: q-opt %s -qd-integerize > %t.mlir
// RUN: q-run %s --function=values --print > %t.float
// RUN: q-run %t.mlir --function=values --print | diff %t.float -

// CHECK-LABEL: @values
// CHECK: qd.block_matmul
// CHECK-NOT: qd.fallback
func.func @values() -> tensor<2x2xf32> {
  %q = arith.constant dense<[[-127, 127, 5], [7, -7, 0]]> : tensor<2x3xi8>
  %s = arith.constant dense<[[0.5], [2.0]]> : tensor<2x1xf32>
  %r = call @main(%q, %s) : (tensor<2x3xi8>, tensor<2x1xf32>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}

func.func @main(%q: tensor<2x3xi8>, %s: tensor<2x1xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1, 4], [-128, 2], [3, 127]]> : tensor<3x2xi8>
  %sw = arith.constant dense<[[0.25, 0.5]]> : tensor<1x2xf32>
  %zw = arith.constant dense<[[100, -128]]> : tensor<1x2xi32>
  %dw = qd.dequantize %w scale %sw zero_point %zw block_sizes = [0, 1] : tensor<3x2xi8>, tensor<1x2xf32>, tensor<1x2xi32> -> tensor<3x2xf32>
  %x = qd.dequantize %q scale %s block_sizes = [1, 0] : tensor<2x3xi8>, tensor<2x1xf32> -> tensor<2x3xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul ins(%x, %dw : tensor<2x3xf32>, tensor<3x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}
