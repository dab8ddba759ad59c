// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-equalize-cross-layer))" -split-input-file | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#channel = affine_map<(i, j) -> (j)>

// Channel 0 has the ranges 16 and 1, channel 1 has 1 and 4: factors 1/4 and 2 give both channels the range 4 and 2 on both
// sides. The bias goes with the maker; the relu lets factors pass.

// CHECK-LABEL: @relu
// CHECK-DAG:   arith.constant dense<{{\[\[}}4.000000e+00, -2.000000e+00], [-1.000000e+00, 1.000000e+00]]> : tensor<2x2xf32>
// CHECK-DAG:   arith.constant dense<[2.000000e+00, 6.000000e+00]> : tensor<2xf32>
// CHECK-DAG:   arith.constant dense<{{\[\[}}4.000000e+00], [-2.000000e+00]]> : tensor<2x1xf32>
func.func @relu(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %zero = arith.constant 0.0 : f32
  %w1 = arith.constant dense<[[16.0, -1.0], [-4.0, 0.5]]> : tensor<2x2xf32>
  %b1 = arith.constant dense<[8.0, 3.0]> : tensor<2xf32>
  %w2 = arith.constant dense<[[1.0], [-4.0]]> : tensor<2x1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %p = linalg.matmul ins(%x, %w1 : tensor<1x2xf32>, tensor<2x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %h = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %b1 : tensor<1x2xf32>, tensor<2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    %v = arith.maximumf %s, %zero : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%h, %w2 : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

// Three layers settle together: the depthwise weight is made in one group and read in the other. A channel with a dead
// weight keeps its factor.

// CHECK-LABEL: @depthwise
// CHECK-DAG:   arith.constant dense<{{\[\[\[\[(4.0000|3.9999)[0-9]*}}, 3.000000e+00]]]]> : tensor<1x1x1x2xf32>
// CHECK-DAG:   arith.constant dense<{{\[\[\[(4.0000|3.9999)[0-9]*}}, 0.000000e+00]]]> : tensor<1x1x2xf32>
// CHECK-DAG:   arith.constant dense<{{\[\[\[\[(4.0000|3.9999)[0-9]*}}], [5.000000e+00]]]]> : tensor<1x1x2x1xf32>
func.func @depthwise(%x: tensor<1x3x3x1xf32>) -> tensor<1x3x3x1xf32> {
  %zero = arith.constant 0.0 : f32
  %w1 = arith.constant dense<[[[[64.0, 3.0]]]]> : tensor<1x1x1x2xf32>
  %w2 = arith.constant dense<[[[1.0, 0.0]]]> : tensor<1x1x2xf32>
  %w3 = arith.constant dense<[[[[1.0], [5.0]]]]> : tensor<1x1x2x1xf32>
  %e2 = tensor.empty() : tensor<1x3x3x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  %a = linalg.conv_2d_nhwc_hwcf ins(%x, %w1 : tensor<1x3x3x1xf32>, tensor<1x1x1x2xf32>) outs(%init2 : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  %b = linalg.depthwise_conv_2d_nhwc_hwc ins(%a, %w2 : tensor<1x3x3x2xf32>, tensor<1x1x2xf32>) outs(%init2 : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  %e = tensor.empty() : tensor<1x3x3x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x3x3x1xf32>) -> tensor<1x3x3x1xf32>
  %y = linalg.conv_2d_nhwc_hwcf ins(%b, %w3 : tensor<1x3x3x2xf32>, tensor<1x1x2x1xf32>) outs(%init : tensor<1x3x3x1xf32>) -> tensor<1x3x3x1xf32>
  return %y : tensor<1x3x3x1xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// A gated unit: the factor goes through the linear side alone, because silu blocks it.

// CHECK-LABEL: @gated
// CHECK-DAG:   arith.constant dense<{{\[\[}}5.000000e+00, 7.000000e+00]]> : tensor<1x2xf32>
// CHECK-DAG:   arith.constant dense<{{\[\[}}4.000000e+00, 2.000000e+00]]> : tensor<1x2xf32>
// CHECK-DAG:   arith.constant dense<{{\[\[}}4.000000e+00], [2.000000e+00]]> : tensor<2x1xf32>
func.func @gated(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
  %zero = arith.constant 0.0 : f32
  %wg = arith.constant dense<[[5.0, 7.0]]> : tensor<1x2xf32>
  %wu = arith.constant dense<[[16.0, 1.0]]> : tensor<1x2xf32>
  %wd = arith.constant dense<[[1.0], [4.0]]> : tensor<2x1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %g = linalg.matmul ins(%x, %wg : tensor<1x1xf32>, tensor<1x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %u = linalg.matmul ins(%x, %wu : tensor<1x1xf32>, tensor<1x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %s = qd.silu %g : tensor<1x2xf32>
  %m = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s, %u : tensor<1x2xf32>, tensor<1x2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.mulf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%m, %wd : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// A clip at 6 and a second reader that is a result of the program: nothing changes.

// CHECK-LABEL: @blocked
// CHECK-DAG:   arith.constant dense<{{\[\[}}1.600000e+01, 1.000000e+00]]> : tensor<1x2xf32>
// CHECK-DAG:   arith.constant dense<{{\[\[}}1.000000e+00], [4.000000e+00]]> : tensor<2x1xf32>
func.func @blocked(%x: tensor<1x1xf32>) -> (tensor<1x1xf32>, tensor<1x1xf32>, tensor<1x2xf32>) {
  %zero = arith.constant 0.0 : f32
  %six = arith.constant 6.0 : f32
  %w1 = arith.constant dense<[[16.0, 1.0]]> : tensor<1x2xf32>
  %w2 = arith.constant dense<[[1.0], [4.0]]> : tensor<2x1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %p = linalg.matmul ins(%x, %w1 : tensor<1x1xf32>, tensor<1x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p : tensor<1x2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.maximumf %a, %zero : f32
    %v = arith.minimumf %s, %six : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %y = linalg.matmul ins(%h, %w2 : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  %q = linalg.matmul ins(%x, %w1 : tensor<1x1xf32>, tensor<1x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %z = linalg.matmul ins(%q, %w2 : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y, %z, %q : tensor<1x1xf32>, tensor<1x1xf32>, tensor<1x2xf32>
}
