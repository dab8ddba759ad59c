// RUN: q-opt %s -qd-propagate-transposes -split-input-file | FileCheck %s

#map = affine_map<(m, n) -> (m, n)>

// An argument keeps the transposes from sinking; hoisting one removes the other.

// CHECK-LABEL: @over_a_mixed_addition
// CHECK-SAME: %[[X:.+]]: tensor<3x2xf32>, %[[C:.+]]: tensor<2x3xf32>
// CHECK: %[[T:.+]] = linalg.transpose ins(%[[C]]
// CHECK-NOT: linalg.transpose
// CHECK: %[[S:.+]] = linalg.generic {{.*}} ins(%[[X]], %[[T]]
// CHECK: return %[[S]]
func.func @over_a_mixed_addition(%x: tensor<3x2xf32>, %c: tensor<2x3xf32>) -> tensor<3x2xf32> {
  %e = tensor.empty() : tensor<2x3xf32>
  %t = linalg.transpose ins(%x : tensor<3x2xf32>) outs(%e : tensor<2x3xf32>) permutation = [1, 0]
  %s = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%t, %c : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %p = arith.addf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x3xf32>
  %e1 = tensor.empty() : tensor<3x2xf32>
  %r = linalg.transpose ins(%s : tensor<2x3xf32>) outs(%e1 : tensor<3x2xf32>) permutation = [1, 0]
  return %r : tensor<3x2xf32>
}

// -----

// An expansion whose groups move as wholes is passed, to the argument.

// CHECK-LABEL: @over_an_expansion
// CHECK-SAME: %[[X:.+]]: tensor<6x4xf32>
// CHECK: %[[T:.+]] = linalg.transpose ins(%[[X]] {{.*}} permutation = [1, 0]
// CHECK: %[[E:.+]] = tensor.expand_shape %[[T]] {{\[\[}}0], [1, 2]] output_shape [4, 2, 3]
// CHECK: return %[[E]]
func.func @over_an_expansion(%x: tensor<6x4xf32>) -> tensor<4x2x3xf32> {
  %s = tensor.expand_shape %x [[0, 1], [2]] output_shape [2, 3, 4] : tensor<6x4xf32> into tensor<2x3x4xf32>
  %e = tensor.empty() : tensor<4x2x3xf32>
  %t = linalg.transpose ins(%s : tensor<2x3x4xf32>) outs(%e : tensor<4x2x3xf32>) permutation = [2, 0, 1]
  return %t : tensor<4x2x3xf32>
}

// -----

#map = affine_map<(m, n) -> (m, n)>

// Left alone: a group that the transpose takes apart, and a value with another
// reader, which would be computed twice.

// CHECK-LABEL: @left_alone
// CHECK: %[[E:.+]] = tensor.expand_shape
// CHECK: linalg.transpose ins(%[[E]]
// CHECK: %[[S:.+]] = linalg.generic
// CHECK: linalg.transpose ins(%[[S]]
func.func @left_alone(%x: tensor<6x4xf32>, %y: tensor<2x3xf32>) -> (tensor<3x4x2xf32>, tensor<2x3xf32>, tensor<3x2xf32>) {
  %s = tensor.expand_shape %x [[0, 1], [2]] output_shape [2, 3, 4] : tensor<6x4xf32> into tensor<2x3x4xf32>
  %e = tensor.empty() : tensor<3x4x2xf32>
  %t = linalg.transpose ins(%s : tensor<2x3x4xf32>) outs(%e : tensor<3x4x2xf32>) permutation = [1, 2, 0]
  %e1 = tensor.empty() : tensor<2x3xf32>
  %n = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x3xf32>) outs(%e1 : tensor<2x3xf32>) {
  ^bb0(%a: f32, %out: f32):
    %p = arith.negf %a : f32
    linalg.yield %p : f32
  } -> tensor<2x3xf32>
  %e2 = tensor.empty() : tensor<3x2xf32>
  %r = linalg.transpose ins(%n : tensor<2x3xf32>) outs(%e2 : tensor<3x2xf32>) permutation = [1, 0]
  return %t, %n, %r : tensor<3x4x2xf32>, tensor<2x3xf32>, tensor<3x2xf32>
}
