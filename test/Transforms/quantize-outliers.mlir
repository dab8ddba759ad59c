// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{recipe=%S/Inputs/outliers.yaml statistics=%S/Inputs/outliers.stats.json}))" -split-input-file > %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: q-opt %t.mlir -qd-integerize -qd-cast-to-linalg -qd-form-dispatches -split-input-file | FileCheck %s --check-prefix=FUSED
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-strip-observers,qd-insert-observers{recipe=%S/Inputs/outliers.yaml}))" -split-input-file | FileCheck %s --check-prefix=OBSERVED

// CHECK-DAG:   #[[$ALL:.+]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG:   #[[$ONE:.+]] = affine_map<(d0, d1) -> (d0, 1)>
// CHECK-DAG:   #[[$ROW:.+]] = affine_map<(d0, d1) -> (0, d1)>

// Channel 1 reached -8 in calibration, the others less than 6. Its row of the weight is zero among the codes (scales 0.5 / 127
// and 2 / 127), its products are added behind them, and no scale is chosen by it.

// CHECK-LABEL: @product
// CHECK-SAME:  %[[X:.+]]: tensor<?x3xf32>
// CHECK-DAG:   %[[MASK:.+]] = arith.constant dense<[1.000000e+00, 0.000000e+00, 1.000000e+00]> : tensor<3xf32>
// CHECK-DAG:   %[[HIDDEN:.+]] = linalg.generic {{.*}}ins(%[[X]], %[[MASK]]
// CHECK:       %[[ROWS:.+]] = arith.constant dense<{{\[\[}}-5.000000e-01, 5.000000e-01]]> : tensor<1x2xf32>
// CHECK:       %[[C:.+]] = arith.constant dense<{{\[\[}}127, 0], [0, 0], [64, 127]]> : tensor<3x2xi8>
// CHECK:       %[[S:.+]], %{{.+}} = qd.choose_params %[[HIDDEN]] for i8 symmetric block_sizes = [1, 0] {qd.name = "x"}
// CHECK:       qd.quantize %[[X]] scale %[[S]] {{.*}}block_sizes = [1, 0]
// CHECK:       %[[P:.+]] = linalg.matmul {{.*}}qd.requested = "w8a8-token"
// CHECK:       %[[Y:.+]] = linalg.generic {indexing_maps = [#[[$ALL]], #[[$ONE]], #[[$ROW]], #[[$ALL]]]
// CHECK-SAME:    ins(%[[P]], %[[X]], %[[ROWS]] : {{.*}}qd.outliers = 1 : i64, qd.requested = "float"
// CHECK:         %[[M:.+]] = arith.mulf
// CHECK-NEXT:    arith.addf %{{.+}}, %[[M]]
// CHECK:       return %[[Y]]

// One kernel has the codes' products and those of floats.
// FUSED-LABEL: @product
// FUSED:       linalg.matmul {{.*}}-> tensor<?x2xi32>
// FUSED-NOT:   qd.dispatch
// FUSED:       qd.outliers = 1
// FUSED-NOT:   qd.dispatch
// FUSED:       return

// OBSERVED-LABEL: @product
// OBSERVED-SAME:  %[[X:.+]]: tensor<?x3xf32>
// OBSERVED:       %[[O:.+]] = qd.observe %[[X]] "x"
// OBSERVED:       linalg.matmul {{.*}}ins(%[[O]],
func.func @product(%x: tensor<?x3xf32> {qd.name = "x"}) -> tensor<?x2xf32> attributes {qd.program = "0123456789abcdef"} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.5, 0.0], [-0.5, 0.5], [0.25, 2.0]]> : tensor<3x2xf32>
  %n = tensor.dim %x, %c0 : tensor<?x3xf32>
  %o = qd.observe %x "x" : tensor<?x3xf32>
  %e = tensor.empty(%n) : tensor<?x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<?x2xf32>) -> tensor<?x2xf32>
  %y = linalg.matmul {qd.name = "y"} ins(%o, %w : tensor<?x3xf32>, tensor<3x2xf32>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// Two products of one value, weights with channels as rows: one mask.

// CHECK-LABEL: @shared
// CHECK:       linalg.generic
// CHECK-NOT:   linalg.generic
// CHECK:       arith.constant dense<{{\[\[}}-5.000000e-01, 5.000000e-01]]> : tensor<1x2xf32>
// CHECK:       arith.constant dense<{{\[\[}}127, 0, 64], [0, 0, 127]]> : tensor<2x3xi8>
// CHECK-COUNT-2: qd.outliers = 1
// OBSERVED-LABEL: @shared
// OBSERVED-COUNT-1: qd.observe
// OBSERVED-NOT:   qd.observe
func.func @shared(%x: tensor<4x3xf32> {qd.name = "x"}) -> (tensor<4x2xf32>, tensor<4x2xf32>) attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.5, -0.5, 0.25], [0.0, 0.5, 2.0]]> : tensor<2x3xf32>
  %o = qd.observe %x "x" : tensor<4x3xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] {qd.name = "y"} ins(%o, %w : tensor<4x3xf32>, tensor<2x3xf32>) outs(%init : tensor<4x2xf32>) -> tensor<4x2xf32>
  %z = linalg.matmul indexing_maps = [#x, #w, #y] {qd.name = "z"} ins(%o, %w : tensor<4x3xf32>, tensor<2x3xf32>) outs(%init : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y, %z : tensor<4x2xf32>, tensor<4x2xf32>
}
