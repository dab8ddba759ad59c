// RUN: q-opt %s -qd-fold-layout-into-products -split-input-file | FileCheck %s

// Attention scores as exporters write them: heads before rows, a batch matmul in
// three dimensions. The queries keep their products innermost, the keys are packed
// by the kernel and may lie as they like.

// CHECK-DAG: #[[Q:.+]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d1, d4)>
// CHECK-DAG: #[[K:.+]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d1, d4)>
// CHECK-DAG: #[[S:.+]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
// CHECK: func.func @scores
// CHECK-SAME: %[[X:.+]]: tensor<2x5x3x8xf32>, %[[Y:.+]]: tensor<2x7x3x8xf32>
// CHECK-NOT: transpose
// CHECK: %[[R:.+]] = linalg.generic {indexing_maps = [#[[Q]], #[[K]], #[[S]]], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%[[X]], %[[Y]] {{.*}}qd.name = "qk"
// CHECK-NEXT: ^bb0
// CHECK: return %[[R]]
func.func @scores(%q: tensor<2x5x3x8xf32>, %k: tensor<2x7x3x8xf32>) -> tensor<2x3x5x7xf32> {
  %eq = tensor.empty() : tensor<2x3x5x8xf32>
  %ek = tensor.empty() : tensor<2x3x8x7xf32>
  %qt = linalg.transpose ins(%q : tensor<2x5x3x8xf32>) outs(%eq : tensor<2x3x5x8xf32>) permutation = [0, 2, 1, 3]
  %kt = linalg.transpose ins(%k : tensor<2x7x3x8xf32>) outs(%ek : tensor<2x3x8x7xf32>) permutation = [0, 2, 3, 1]
  %qc = tensor.collapse_shape %qt [[0, 1], [2], [3]] : tensor<2x3x5x8xf32> into tensor<6x5x8xf32>
  %kc = tensor.collapse_shape %kt [[0, 1], [2], [3]] : tensor<2x3x8x7xf32> into tensor<6x8x7xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6x5x7xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<6x5x7xf32>) -> tensor<6x5x7xf32>
  %s = linalg.batch_matmul ins(%qc, %kc : tensor<6x5x8xf32>, tensor<6x8x7xf32>) outs(%i : tensor<6x5x7xf32>) -> tensor<6x5x7xf32>
  %r = tensor.expand_shape %s [[0, 1], [2], [3]] output_shape [2, 3, 5, 7] {qd.name = "qk"} : tensor<6x5x7xf32> into tensor<2x3x5x7xf32>
  return %r : tensor<2x3x5x7xf32>
}

// -----

// The context goes out by rows at once.

// CHECK-DAG: #[[O:.+]] = affine_map<(d0, d1, d2, d3) -> (d1, d0, d2)>
// CHECK: func.func @context
// CHECK-NOT: transpose
// CHECK: linalg.generic {indexing_maps = [#{{.+}}, #{{.+}}, #[[O]]]
func.func @context(%p: tensor<3x5x7xf32>, %v: tensor<3x7x8xf32>) -> tensor<5x3x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x5x8xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<3x5x8xf32>) -> tensor<3x5x8xf32>
  %s = linalg.batch_matmul ins(%p, %v : tensor<3x5x7xf32>, tensor<3x7x8xf32>) outs(%i : tensor<3x5x8xf32>) -> tensor<3x5x8xf32>
  %et = tensor.empty() : tensor<5x3x8xf32>
  %r = linalg.transpose ins(%s : tensor<3x5x8xf32>) outs(%et : tensor<5x3x8xf32>) permutation = [1, 0, 2]
  return %r : tensor<5x3x8xf32>
}

// -----

// Columns apart, products of the left side apart, and constant weights: left as
// they are.

// CHECK-LABEL: @left_alone
// CHECK-COUNT-3: linalg.transpose
func.func @left_alone(%p: tensor<3x7x5xf32>, %v: tensor<3x7x8xf32>, %x: tensor<8x5xf32>) -> (tensor<3x8x5xf32>, tensor<5x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %ep = tensor.empty() : tensor<3x5x7xf32>
  %pt = linalg.transpose ins(%p : tensor<3x7x5xf32>) outs(%ep : tensor<3x5x7xf32>) permutation = [0, 2, 1]
  %e = tensor.empty() : tensor<3x5x8xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<3x5x8xf32>) -> tensor<3x5x8xf32>
  %s = linalg.batch_matmul ins(%pt, %v : tensor<3x5x7xf32>, tensor<3x7x8xf32>) outs(%i : tensor<3x5x8xf32>) -> tensor<3x5x8xf32>
  %et = tensor.empty() : tensor<3x8x5xf32>
  %r = linalg.transpose ins(%s : tensor<3x5x8xf32>) outs(%et : tensor<3x8x5xf32>) permutation = [0, 2, 1]
  %w = arith.constant dense<1.0> : tensor<8x4xf32>
  %ex = tensor.empty() : tensor<5x8xf32>
  %xt = linalg.transpose ins(%x : tensor<8x5xf32>) outs(%ex : tensor<5x8xf32>) permutation = [1, 0]
  %ew = tensor.empty() : tensor<5x4xf32>
  %iw = linalg.fill ins(%zero : f32) outs(%ew : tensor<5x4xf32>) -> tensor<5x4xf32>
  %m = linalg.matmul ins(%xt, %w : tensor<5x8xf32>, tensor<8x4xf32>) outs(%iw : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %r, %m : tensor<3x8x5xf32>, tensor<5x4xf32>
}

// -----

// Symbolic sizes: the batch that a collapse_shape merged with the heads is split as it was.

// CHECK-DAG:   #[[$Q:.+]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d1, d4)>
// CHECK-DAG:   #[[$K:.+]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d1, d4)>
// CHECK-DAG:   #[[$Y:.+]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
// CHECK-LABEL: @symbolic
// CHECK-SAME:  %[[Q:.+]]: tensor<?x?x2x8xf32>, %[[K:.+]]: tensor<?x?x2x8xf32>
// CHECK-NOT:   linalg.transpose
// CHECK:       %[[E:.+]] = tensor.empty(%[[B:.+]], %[[S:.+]], %[[S]]) : tensor<?x2x?x?xf32>
// CHECK:       linalg.generic {indexing_maps = [#[[$Q]], #[[$K]], #[[$Y]]]
// CHECK-SAME:    ins(%[[Q]], %[[K]] : tensor<?x?x2x8xf32>, tensor<?x?x2x8xf32>)
func.func @symbolic(%q: tensor<?x?x2x8xf32>, %k: tensor<?x?x2x8xf32>) -> tensor<?x2x?x?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %q, %c0 : tensor<?x?x2x8xf32>
  %s = tensor.dim %q, %c1 : tensor<?x?x2x8xf32>
  %eq = tensor.empty(%b, %s) : tensor<?x2x?x8xf32>
  %tq = linalg.transpose ins(%q : tensor<?x?x2x8xf32>) outs(%eq : tensor<?x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %ek = tensor.empty(%b, %s) : tensor<?x2x8x?xf32>
  %tk = linalg.transpose ins(%k : tensor<?x?x2x8xf32>) outs(%ek : tensor<?x2x8x?xf32>) permutation = [0, 2, 3, 1]
  %cq = tensor.collapse_shape %tq [[0, 1], [2], [3]] : tensor<?x2x?x8xf32> into tensor<?x?x8xf32>
  %ck = tensor.collapse_shape %tk [[0, 1], [2], [3]] : tensor<?x2x8x?xf32> into tensor<?x8x?xf32>
  %n = arith.muli %b, %c2 : index
  %e = tensor.empty(%n, %s, %s) : tensor<?x?x?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %p = linalg.batch_matmul ins(%cq, %ck : tensor<?x?x8xf32>, tensor<?x8x?xf32>) outs(%init : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %y = tensor.expand_shape %p [[0, 1], [2], [3]] output_shape [%b, 2, %s, %s] : tensor<?x?x?xf32> into tensor<?x2x?x?xf32>
  return %y : tensor<?x2x?x?xf32>
}
