// RUN: q-opt %s -qd-sink-reshapes -split-input-file | FileCheck %s

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#channel = affine_map<(d0, d1, d2) -> (d2)>

// Bias and residual come to the two dimensions of the product; the norm follows,
// and what collapses its result again disappears.

// CHECK-LABEL: @linear
// CHECK-SAME: %[[X:.+]]: tensor<6x4xf32>, %[[R:.+]]: tensor<2x3x4xf32>
// CHECK: %[[B:.+]] = linalg.generic {{.*}} ins(%[[X]], %{{.+}} : tensor<6x4xf32>, tensor<4xf32>)
// CHECK: %[[C:.+]] = tensor.collapse_shape %[[R]] {{\[\[}}0, 1], [2]]
// CHECK: %[[S:.+]] = linalg.generic {{.*}} ins(%[[B]], %[[C]] : tensor<6x4xf32>, tensor<6x4xf32>)
// CHECK: %[[N:.+]] = qd.layer_norm %[[S]], %{{.+}} axis = 1
// CHECK-DAG: %[[M:.+]] = qd.rms_norm %[[N]], %{{.+}} axis = 1
// CHECK-DAG: %[[G:.+]] = qd.gelu %[[M]]
// CHECK-DAG: %[[E:.+]] = tensor.expand_shape %[[N]]
// CHECK: return %[[E]], %[[G]]
func.func @linear(%x: tensor<6x4xf32>, %r: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<6x4xf32>) {
  %b = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %w = tensor.expand_shape %x [[0, 1], [2]] output_shape [2, 3, 4] : tensor<6x4xf32> into tensor<2x3x4xf32>
  %e = tensor.empty() : tensor<2x3x4xf32>
  %s = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %b : tensor<2x3x4xf32>, tensor<4xf32>) outs(%e : tensor<2x3x4xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %1 = arith.addf %v, %u : f32
    linalg.yield %1 : f32
  } -> tensor<2x3x4xf32>
  %t = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %r : tensor<2x3x4xf32>, tensor<2x3x4xf32>) outs(%e : tensor<2x3x4xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %1 = arith.addf %v, %u : f32
    linalg.yield %1 : f32
  } -> tensor<2x3x4xf32>
  %n = qd.layer_norm %t, %b, %b axis = 2 epsilon = 1.0e-5 : tensor<2x3x4xf32>, tensor<4xf32>, tensor<4xf32>
  %m = qd.rms_norm %n, %b axis = 2 epsilon = 1.0e-5 : tensor<2x3x4xf32>, tensor<4xf32>
  %g = qd.gelu %m approximate(none) : tensor<2x3x4xf32>
  %c = tensor.collapse_shape %g [[0, 1], [2]] : tensor<2x3x4xf32> into tensor<6x4xf32>
  return %n, %c : tensor<2x3x4xf32>, tensor<6x4xf32>
}

// -----

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>

// A mask of one row a batch is broadcast along heads: with one batch it has no
// part of the joined dimension, with two it has the outer half.

// CHECK-LABEL: @one_batch
// CHECK: %[[M:.+]] = tensor.collapse_shape %arg1 {{\[\[}}0, 1]]
// CHECK: linalg.generic {{.*}} ins(%arg0, %[[M]] : tensor<3x4xf32>, tensor<4xf32>)
func.func @one_batch(%x: tensor<3x4xf32>, %m: tensor<1x4xf32>) -> tensor<1x3x4xf32> {
  %w = tensor.expand_shape %x [[0, 1], [2]] output_shape [1, 3, 4] : tensor<3x4xf32> into tensor<1x3x4xf32>
  %e = tensor.empty() : tensor<1x3x4xf32>
  %s = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1, d2) -> (d0, d2)>, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %m : tensor<1x3x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x3x4xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %1 = arith.addf %v, %u : f32
    linalg.yield %1 : f32
  } -> tensor<1x3x4xf32>
  return %s : tensor<1x3x4xf32>
}

// CHECK-LABEL: @two_batches
// CHECK: tensor.expand_shape %arg0
// CHECK: linalg.generic {{.*}} outs(%{{.+}} : tensor<2x3x4xf32>)
// CHECK-NOT: tensor.expand_shape
func.func @two_batches(%x: tensor<6x4xf32>, %m: tensor<2x4xf32>) -> tensor<2x3x4xf32> {
  %w = tensor.expand_shape %x [[0, 1], [2]] output_shape [2, 3, 4] : tensor<6x4xf32> into tensor<2x3x4xf32>
  %e = tensor.empty() : tensor<2x3x4xf32>
  %s = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1, d2) -> (d0, d2)>, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %m : tensor<2x3x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x3x4xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %1 = arith.addf %v, %u : f32
    linalg.yield %1 : f32
  } -> tensor<2x3x4xf32>
  return %s : tensor<2x3x4xf32>
}

// The reshape splits the rows of this softmax.
// CHECK-LABEL: @split_rows
// CHECK: %[[E:.+]] = tensor.expand_shape
// CHECK: qd.softmax %[[E]] axis = 1
func.func @split_rows(%x: tensor<2x12xf32>) -> tensor<2x3x4xf32> {
  %w = tensor.expand_shape %x [[0], [1, 2]] output_shape [2, 3, 4] : tensor<2x12xf32> into tensor<2x3x4xf32>
  %y = qd.softmax %w axis = 1 : tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// A collapse that leaves the symbolic dimension alone moves; one that merges it
// stays.

// CHECK-LABEL: @symbolic
// CHECK: %[[D:.+]] = tensor.dim %arg0
// CHECK: %[[E:.+]] = tensor.empty(%[[D]]) : tensor<?x2x3xf32>
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<?x2x3xf32>) outs(%[[E]]
// CHECK: tensor.collapse_shape %{{.+}} {{\[\[}}0], [1, 2]]
// CHECK: tensor.collapse_shape %arg0 {{\[\[}}0, 1], [2]]
// CHECK: linalg.generic {{.*}} ins(%{{.+}} : tensor<?x3xf32>)
func.func @symbolic(%a: tensor<?x2x3xf32>) -> (tensor<?x6xf32>, tensor<?x3xf32>) {
  %zero = arith.constant 0 : index
  %c = tensor.collapse_shape %a [[0], [1, 2]] : tensor<?x2x3xf32> into tensor<?x6xf32>
  %n = tensor.dim %c, %zero : tensor<?x6xf32>
  %e = tensor.empty(%n) : tensor<?x6xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]} ins(%c : tensor<?x6xf32>) outs(%e : tensor<?x6xf32>) {
  ^bb0(%v: f32, %o: f32):
    %m = arith.negf %v : f32
    linalg.yield %m : f32
  } -> tensor<?x6xf32>
  %d = tensor.collapse_shape %a [[0, 1], [2]] : tensor<?x2x3xf32> into tensor<?x3xf32>
  %k = tensor.dim %d, %zero : tensor<?x3xf32>
  %g = tensor.empty(%k) : tensor<?x3xf32>
  %h = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]} ins(%d : tensor<?x3xf32>) outs(%g : tensor<?x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %m = arith.negf %v : f32
    linalg.yield %m : f32
  } -> tensor<?x3xf32>
  return %f, %h : tensor<?x6xf32>, tensor<?x3xf32>
}
