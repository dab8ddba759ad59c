// RUN: q-opt %s -qd-propagate-transposes -split-input-file | FileCheck %s

#in = affine_map<(n, c, h, w) -> (n, c, h, w)>
#out = affine_map<(n, c, h, w) -> (n, c)>

// A mean over the image reads the untransposed tensor.

// CHECK: #[[$IMAGE:.+]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>
// CHECK-LABEL: @into_a_reduction
// CHECK-SAME: %[[X:.+]]: tensor<1x5x6x2xf32>
// CHECK-NOT: linalg.transpose
// CHECK: linalg.generic {indexing_maps = [#[[$IMAGE]], {{.*}} ins(%[[X]] : tensor<1x5x6x2xf32>)
func.func @into_a_reduction(%x: tensor<1x5x6x2xf32>) -> tensor<1x2xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<1x2x5x6xf32>
  %t = linalg.transpose ins(%x : tensor<1x5x6x2xf32>) outs(%e0 : tensor<1x2x5x6xf32>) permutation = [0, 3, 1, 2]
  %e1 = tensor.empty() : tensor<1x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %s = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%t : tensor<1x2x5x6xf32>) outs(%init : tensor<1x2xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %p = arith.addf %acc, %a : f32
    linalg.yield %p : f32
  } -> tensor<1x2xf32>
  return %s : tensor<1x2xf32>
}

// -----

// Through an expansion and a collapse of what lies side by side.

// CHECK-LABEL: @through_reshapes
// CHECK-SAME: %[[X:.+]]: tensor<4x6xf32>
// CHECK: %[[E:.+]] = tensor.expand_shape %[[X]] {{\[\[}}0], [1, 2]] output_shape [4, 2, 3]
// CHECK: %[[O:.+]] = qd.observe %[[E]] "v"
// CHECK: %[[C:.+]] = tensor.collapse_shape %[[O]] {{\[\[}}0], [1, 2]] : tensor<4x2x3xf32> into tensor<4x6xf32>
// CHECK: %[[T:.+]] = linalg.transpose ins(%[[C]] {{.*}} permutation = [1, 0]
// CHECK: return %[[T]]
func.func @through_reshapes(%x: tensor<4x6xf32>) -> tensor<6x4xf32> {
  %e = tensor.empty() : tensor<6x4xf32>
  %t = linalg.transpose ins(%x : tensor<4x6xf32>) outs(%e : tensor<6x4xf32>) permutation = [1, 0]
  %s = tensor.expand_shape %t [[0, 1], [2]] output_shape [2, 3, 4] : tensor<6x4xf32> into tensor<2x3x4xf32>
  %o = qd.observe %s "v" : tensor<2x3x4xf32>
  %c = tensor.collapse_shape %o [[0, 1], [2]] : tensor<2x3x4xf32> into tensor<6x4xf32>
  return %c : tensor<6x4xf32>
}

// -----

#map = affine_map<(m, n) -> (m, n)>

// An operand that lies the other way is taken along where its transpose is
// there already.

// CHECK-LABEL: @with_a_transpose_from_elsewhere
// CHECK-SAME: %[[X:.+]]: tensor<2x3xf32>, %[[Y:.+]]: tensor<3x2xf32>
// CHECK: %[[U:.+]] = linalg.transpose ins(%[[X]]
// CHECK: %[[S:.+]] = linalg.generic {{.*}} ins(%[[Y]], %[[U]]
// CHECK: %[[T:.+]] = linalg.transpose ins(%[[S]]
// CHECK: return %[[T]], %[[S]], %[[U]]
func.func @with_a_transpose_from_elsewhere(%x: tensor<2x3xf32>, %y: tensor<3x2xf32>) -> (tensor<2x3xf32>, tensor<3x2xf32>, tensor<3x2xf32>) {
  %e = tensor.empty() : tensor<2x3xf32>
  %e1 = tensor.empty() : tensor<3x2xf32>
  %u = linalg.transpose ins(%x : tensor<2x3xf32>) outs(%e1 : tensor<3x2xf32>) permutation = [1, 0]
  %t = linalg.transpose ins(%y : tensor<3x2xf32>) outs(%e : tensor<2x3xf32>) permutation = [1, 0]
  %s = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%t, %x : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %p = arith.addf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x3xf32>
  %r = linalg.transpose ins(%s : tensor<2x3xf32>) outs(%e1 : tensor<3x2xf32>) permutation = [1, 0]
  return %s, %r, %u : tensor<2x3xf32>, tensor<3x2xf32>, tensor<3x2xf32>
}

// -----

#map = affine_map<(m, n) -> (m, n)>

// Left alone: a collapse that mixes transposed dimensions, and an addition of
// something that lies the other way.

// CHECK-LABEL: @left_alone
// CHECK: %[[T:.+]] = linalg.transpose
// CHECK: tensor.collapse_shape %[[T]]
// CHECK: %[[U:.+]] = linalg.transpose
// CHECK: linalg.generic {{.*}} ins(%[[U]],
func.func @left_alone(%x: tensor<5x6x2xf32>, %y: tensor<3x2xf32>, %z: tensor<2x3xf32>) -> (tensor<60xf32>, tensor<2x3xf32>) {
  %e0 = tensor.empty() : tensor<2x5x6xf32>
  %t = linalg.transpose ins(%x : tensor<5x6x2xf32>) outs(%e0 : tensor<2x5x6xf32>) permutation = [2, 0, 1]
  %f = tensor.collapse_shape %t [[0, 1, 2]] : tensor<2x5x6xf32> into tensor<60xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %u = linalg.transpose ins(%y : tensor<3x2xf32>) outs(%e : tensor<2x3xf32>) permutation = [1, 0]
  %s = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%u, %z : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %p = arith.addf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x3xf32>
  return %f, %s : tensor<60xf32>, tensor<2x3xf32>
}

// -----

// A copy that repeats pixels repeats rows of channels instead.

// CHECK-LABEL: @repeated_pixels
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<1x3x5x4xf32>
// CHECK: %[[Y:.+]] = linalg.generic
// CHECK-SAME: ins(%[[X]] : tensor<1x3x5x4xf32>) outs(%{{.*}} : tensor<1x3x2x5x3x4xf32>)
// CHECK: %[[Z:.+]] = tensor.collapse_shape %[[Y]] {{\[\[}}0], [1, 2], [3, 4], [5]{{\]}}
// CHECK: linalg.transpose ins(%[[Z]] : tensor<1x6x15x4xf32>) {{.*}} permutation = [0, 3, 1, 2]
func.func @repeated_pixels(%x: tensor<1x3x5x4xf32>) -> tensor<1x4x6x15xf32> {
  %e = tensor.empty() : tensor<1x4x3x5xf32>
  %t = linalg.transpose ins(%x : tensor<1x3x5x4xf32>) outs(%e : tensor<1x4x3x5xf32>) permutation = [0, 3, 1, 2]
  %o = tensor.empty() : tensor<1x4x3x2x5x3xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(n, c, h, i, w, j) -> (n, c, h, w)>, affine_map<(n, c, h, i, w, j) -> (n, c, h, i, w, j)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%t : tensor<1x4x3x5xf32>) outs(%o : tensor<1x4x3x2x5x3xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<1x4x3x2x5x3xf32>
  %y = tensor.collapse_shape %r [[0], [1], [2, 3], [4, 5]] : tensor<1x4x3x2x5x3xf32> into tensor<1x4x6x15xf32>
  return %y : tensor<1x4x6x15xf32>
}

// -----

// A payload that reads its tensor in step with the loops reads the tensor as it
// was; the loop that a table moves is another one then.

// CHECK-LABEL: @rows_by_table
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<1x3x5x4xf32>
// CHECK-NOT: linalg.transpose
// CHECK: %[[Y:.+]] = linalg.generic
// CHECK-SAME: ins(%{{.*}} : tensor<7xindex>) outs(%{{.*}} : tensor<1x3x7x4xf32>)
// CHECK-NEXT: ^bb0(%[[P:.+]]: index, %{{.*}}: f32):
// CHECK-DAG: %[[C:.+]] = linalg.index 3 : index
// CHECK-DAG: %[[N:.+]] = linalg.index 0 : index
// CHECK-DAG: %[[H:.+]] = linalg.index 1 : index
// CHECK: tensor.extract %[[X]][%[[N]], %[[H]], %[[P]], %[[C]]]
// CHECK-NOT: linalg.transpose
// CHECK: return %[[Y]]
func.func @rows_by_table(%x: tensor<1x3x5x4xf32>, %p: tensor<7xindex>) -> tensor<1x3x7x4xf32> {
  %e = tensor.empty() : tensor<1x4x3x5xf32>
  %t = linalg.transpose ins(%x : tensor<1x3x5x4xf32>) outs(%e : tensor<1x4x3x5xf32>) permutation = [0, 3, 1, 2]
  %o = tensor.empty() : tensor<1x4x3x7xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(n, c, h, w) -> (w)>, affine_map<(n, c, h, w) -> (n, c, h, w)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%p : tensor<7xindex>) outs(%o : tensor<1x4x3x7xf32>) {
  ^bb0(%place: index, %b: f32):
    %n = linalg.index 0 : index
    %c = linalg.index 1 : index
    %h = linalg.index 2 : index
    %v = tensor.extract %t[%n, %c, %h, %place] : tensor<1x4x3x5xf32>
    linalg.yield %v : f32
  } -> tensor<1x4x3x7xf32>
  %e1 = tensor.empty() : tensor<1x3x7x4xf32>
  %u = linalg.transpose ins(%y : tensor<1x4x3x7xf32>) outs(%e1 : tensor<1x3x7x4xf32>) permutation = [0, 2, 3, 1]
  return %u : tensor<1x3x7x4xf32>
}

// -----

// One that mirrors across two dimensions reads at the other's loop: the
// transpose stays above it.

// CHECK-LABEL: @crossed_read
// CHECK: %[[T:.+]] = linalg.transpose
// CHECK: tensor.extract %[[T]]
func.func @crossed_read(%x: tensor<4x4x3xf32>) -> tensor<3x4x4xf32> {
  %e = tensor.empty() : tensor<3x4x4xf32>
  %t = linalg.transpose ins(%x : tensor<4x4x3xf32>) outs(%e : tensor<3x4x4xf32>) permutation = [2, 0, 1]
  %y = linalg.generic {
      indexing_maps = [affine_map<(c, h, w) -> (c, h, w)>],
      iterator_types = ["parallel", "parallel", "parallel"]} outs(%e : tensor<3x4x4xf32>) {
  ^bb0(%b: f32):
    %c = linalg.index 0 : index
    %h = linalg.index 1 : index
    %w = linalg.index 2 : index
    %v = tensor.extract %t[%c, %w, %h] : tensor<3x4x4xf32>
    linalg.yield %v : f32
  } -> tensor<3x4x4xf32>
  return %y : tensor<3x4x4xf32>
}
