// A constant with every dimension of the result was split for one pattern and
// merged again for the other, without end.
// RUN: q-opt %s --pass-pipeline="builtin.module(func.func(qd-sink-reshapes))" | FileCheck %s

// CHECK-LABEL: func @main
// CHECK: %[[C:.*]] = tensor.expand_shape %{{.*}} : tensor<2x6xf32> into tensor<2x3x2xf32>
// CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%[[C]], %arg0 : tensor<2x3x2xf32>, tensor<2x3x2xf32>)
// CHECK: tensor.collapse_shape %[[Y]]
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%x: tensor<2x3x2xf32>) -> tensor<2x6xf32> {
  %c = arith.constant dense<[[1., 2., 3., 4., 5., 6.], [7., 8., 9., 10., 11., 12.]]> : tensor<2x6xf32>
  %m = tensor.collapse_shape %x [[0], [1, 2]] : tensor<2x3x2xf32> into tensor<2x6xf32>
  %e = tensor.empty() : tensor<2x6xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%c, %m : tensor<2x6xf32>, tensor<2x6xf32>) outs(%e : tensor<2x6xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.subf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x6xf32>
  return %y : tensor<2x6xf32>
}
