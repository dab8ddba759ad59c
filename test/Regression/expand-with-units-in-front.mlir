// Groups of unit dimensions that the sizes alone do not give are those of the
// op; sinking a transpose below it read beyond an empty list.
// RUN: q-opt %s --pass-pipeline="builtin.module(func.func(qd-propagate-transposes))" | FileCheck %s

// CHECK-LABEL: func @main
// CHECK: %[[E:.*]] = tensor.expand_shape %arg0 {{\[}}[0, 1], [2], [3, 4], [5, 6, 7]] {{.*}} : tensor<2x1x8x7xf32> into tensor<1x2x1x1x8x1x1x7xf32>
// CHECK: linalg.transpose ins(%[[E]] {{.*}} permutation = [0, 1, 2, 5, 6, 7, 3, 4]
func.func @main(%x: tensor<2x1x8x7xf32>, %e: tensor<2x1x7x8xf32>) -> tensor<1x2x1x1x1x7x1x8xf32> {
  %t = linalg.transpose ins(%x : tensor<2x1x8x7xf32>) outs(%e : tensor<2x1x7x8xf32>) permutation = [0, 1, 3, 2]
  %0 = tensor.expand_shape %t [[0, 1], [2], [3, 4, 5], [6, 7]] output_shape [1, 2, 1, 1, 1, 7, 1, 8] : tensor<2x1x7x8xf32> into tensor<1x2x1x1x1x7x1x8xf32>
  return %0 : tensor<1x2x1x1x1x7x1x8xf32>
}
