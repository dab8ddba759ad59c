// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-insert-observers{recipe=%S/Inputs/blocks.yaml},qd-quantize{recipe=%S/Inputs/blocks.yaml}))" -split-input-file | FileCheck %s
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-insert-observers{recipe=%S/Inputs/blocks-tokens.yaml},qd-quantize{recipe=%S/Inputs/blocks-tokens.yaml}))" -split-input-file | FileCheck %s --check-prefix=TOKEN

// The weight becomes codes with a scale and a zero point for each two numbers that are summed; the activation stays, and nobody asks for integers.

// CHECK-LABEL: @product
// CHECK-SAME:  %[[X:.+]]: tensor<2x4xf32>
// CHECK-NOT:   qd.observe
// CHECK-NOT:   qd.requested
// CHECK-DAG:   %[[S:.+]] = arith.constant dense<{{\[\[}}1.000000e+00, 0.0666666701], [1.000000e+00, 0.266666681]]> : tensor<2x2xf32>
// CHECK-DAG:   %[[Z:.+]] = arith.constant dense<{{\[\[}}-8, -8], [7, -1]]> : tensor<2x2xi32>
// CHECK-DAG:   %[[C:.+]] = arith.constant dense<{{\[\[}}-8, 7], [7, -1], [-8, 6], [7, -8]]> : tensor<4x2xi4>
// CHECK:       %[[W:.+]] = qd.dequantize %[[C]] scale %[[S]] zero_point %[[Z]] block_sizes = [2, 1]
// CHECK:       linalg.matmul {{.*}}ins(%[[X]], %[[W]] : tensor<2x4xf32>, tensor<4x2xf32>)

// TOKEN-LABEL: @product
// TOKEN:       qd.dequantize {{.*}} block_sizes = [2, 1]
// TOKEN:       qd.choose_params %{{.+}} for i8 symmetric block_sizes = [1, 0]
// TOKEN:       linalg.matmul {{.*}}qd.requested = "w4a8-token"
func.func @product(%x: tensor<2x4xf32> {qd.name = "x"}) -> tensor<2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.0, 1.0], [15.0, 0.5], [-15.0, 2.0], [0.0, -2.0]]> : tensor<4x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul {qd.name = "y"} ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

// A rule keeps a layer; a product of two activations has no weight.

// CHECK-LABEL: @kept
// CHECK-NOT:   qd.dequantize
// TOKEN-LABEL: @kept
func.func @kept(%x: tensor<2x4xf32> {qd.name = "x"}, %v: tensor<2x2xf32> {qd.name = "v"}) -> (tensor<2x2xf32>, tensor<4x2xf32>) {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<4x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul {qd.name = "exact"} ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y, %w : tensor<2x2xf32>, tensor<4x2xf32>
}

// -----

// Weights with channels as rows.

// CHECK-LABEL: @transposed
// CHECK-DAG:   %[[S:.+]] = arith.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00], [1.000000e+00, 1.000000e+00]]> : tensor<2x2xf32>
// CHECK-DAG:   %[[C:.+]] = arith.constant dense<{{\[\[}}-8, 7, 7], [-8, 7, -8]]> : tensor<2x3xi4>
// CHECK:       qd.dequantize %[[C]] scale %[[S]] zero_point %{{.+}} block_sizes = [1, 2]
// TOKEN-LABEL: @transposed
func.func @transposed(%x: tensor<2x3xf32> {qd.name = "x"}) -> tensor<2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.0, 15.0, 30.0], [-15.0, 0.0, 0.0]]> : tensor<2x3xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] {qd.name = "y"} ins(%x, %w : tensor<2x3xf32>, tensor<2x3xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}
