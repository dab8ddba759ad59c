// RUN: q-opt %s -qd-convert-to-channel-last -split-input-file | FileCheck %s
// RUN: q-opt %s -qd-convert-to-channel-last -split-input-file | q-opt -qd-convert-to-channel-last -split-input-file | FileCheck %s

// The filter's element (f, c, kh, kw) goes to (kh, kw, c, f); the name stays
// with the convolution.

// CHECK-LABEL: @conv_2d
// CHECK-SAME: %[[X:.+]]: tensor<1x2x5x5xf32>
// CHECK-DAG: %[[W:.+]] = arith.constant dense<{{\[\[\[\[}}1.000000e+00, 5.000000e+00, 9.000000e+00], [3.000000e+00, 7.000000e+00, 1.100000e+01]], {{\[\[}}2.000000e+00, 6.000000e+00, 1.000000e+01], [4.000000e+00, 8.000000e+00, 1.200000e+01]]]]> : tensor<1x2x2x3xf32>
// CHECK-DAG: %[[T:.+]] = linalg.transpose ins(%[[X]] {{.*}} permutation = [0, 2, 3, 1]
// CHECK: %[[Y:.+]] = linalg.conv_2d_nhwc_hwcf {{.*}}qd.name = "conv"{{.*}} ins(%[[T]], %[[W]] : tensor<1x5x5x2xf32>, tensor<1x2x2x3xf32>) {{.*}} -> tensor<1x5x4x3xf32>
// CHECK: linalg.transpose ins(%[[Y]] {{.*}} permutation = [0, 3, 1, 2]
func.func @conv_2d(%x: tensor<1x2x5x5xf32>) -> tensor<1x3x5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[[1., 2.]], [[3., 4.]]], [[[5., 6.]], [[7., 8.]]], [[[9., 10.]], [[11., 12.]]]]> : tensor<3x2x1x2xf32>
  %empty = tensor.empty() : tensor<1x3x5x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x3x5x4xf32>) -> tensor<1x3x5x4xf32>
  %y = linalg.conv_2d_nchw_fchw {qd.name = "conv"} ins(%x, %w : tensor<1x2x5x5xf32>, tensor<3x2x1x2xf32>) outs(%init : tensor<1x3x5x4xf32>) -> tensor<1x3x5x4xf32>
  return %y : tensor<1x3x5x4xf32>
}

// -----

// CHECK-LABEL: @depthwise_conv_2d
// CHECK: linalg.depthwise_conv_2d_nhwc_hwc {dilations = dense<2> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
// CHECK-SAME: tensor<1x7x7x2xf32>, tensor<3x3x2xf32>
func.func @depthwise_conv_2d(%x: tensor<1x2x7x7xf32>, %w: tensor<2x3x3xf32>) -> tensor<1x2x3x3xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<1x2x3x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %y = linalg.depthwise_conv_2d_nchw_chw {dilations = dense<2> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>} ins(%x, %w : tensor<1x2x7x7xf32>, tensor<2x3x3xf32>) outs(%init : tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  return %y : tensor<1x2x3x3xf32>
}

// -----

// The window of a pool has no channels; the init of a max pool stays -inf.

// CHECK-LABEL: @max_pool_and_conv_1d
// CHECK: linalg.pooling_nhwc_max {{.*}} tensor<1x6x6x4xf32>, tensor<2x3xf32>
// CHECK: linalg.conv_1d_nwc_wcf {{.*}} tensor<1x6x4xf32>, tensor<3x4x5xf32>
func.func @max_pool_and_conv_1d(%x: tensor<1x4x6x6xf32>, %s: tensor<1x4x6xf32>, %w: tensor<5x4x3xf32>) -> (tensor<1x4x5x4xf32>, tensor<1x5x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %window = tensor.empty() : tensor<2x3xf32>
  %empty = tensor.empty() : tensor<1x4x5x4xf32>
  %init = linalg.fill ins(%low : f32) outs(%empty : tensor<1x4x5x4xf32>) -> tensor<1x4x5x4xf32>
  %y = linalg.pooling_nchw_max ins(%x, %window : tensor<1x4x6x6xf32>, tensor<2x3xf32>) outs(%init : tensor<1x4x5x4xf32>) -> tensor<1x4x5x4xf32>
  %empty1 = tensor.empty() : tensor<1x5x4xf32>
  %init1 = linalg.fill ins(%zero : f32) outs(%empty1 : tensor<1x5x4xf32>) -> tensor<1x5x4xf32>
  %z = linalg.conv_1d_ncw_fcw ins(%s, %w : tensor<1x4x6xf32>, tensor<5x4x3xf32>) outs(%init1 : tensor<1x5x4xf32>) -> tensor<1x5x4xf32>
  return %y, %z : tensor<1x4x5x4xf32>, tensor<1x5x4xf32>
}

// -----

#in = affine_map<(n, g, o, h, w, c, kh, kw) -> (n, g, c, h * 2 + kh, w * 2 + kw)>
#filter = affine_map<(n, g, o, h, w, c, kh, kw) -> (g, o, c, kh, kw)>
#out = affine_map<(n, g, o, h, w, c, kh, kw) -> (n, g, o, h, w)>

// A grouped convolution has no named sibling: batch, image, group, channel; the
// filter group, image, input, output.

// CHECK-DAG: #[[$IN:.+]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d3 * 2 + d6, d4 * 2 + d7, d1, d5)>
// CHECK-DAG: #[[$FILTER:.+]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d1, d6, d7, d5, d2)>
// CHECK-DAG: #[[$OUT:.+]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d3, d4, d1, d2)>
// CHECK-LABEL: @grouped
// CHECK: linalg.generic {indexing_maps = [#[[$IN]], #[[$FILTER]], #[[$OUT]]]
// CHECK-SAME: tensor<1x9x9x2x3xf32>, tensor<2x3x3x3x5xf32>
// CHECK-SAME: tensor<1x4x4x2x5xf32>
func.func @grouped(%x: tensor<1x2x3x9x9xf32>, %w: tensor<2x5x3x3x3xf32>) -> tensor<1x2x5x4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<1x2x5x4x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x2x5x4x4xf32>) -> tensor<1x2x5x4x4xf32>
  %y = linalg.generic {indexing_maps = [#in, #filter, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<1x2x3x9x9xf32>, tensor<2x5x3x3x3xf32>) outs(%init : tensor<1x2x5x4x4xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x2x5x4x4xf32>
  return %y : tensor<1x2x5x4x4xf32>
}

// -----

// Codes of a quantized filter are permuted with their scales.

// CHECK-LABEL: @quantized_filter
// CHECK-DAG: %[[CODES:.+]] = arith.constant dense<{{\[\[\[\[}}1, 3], [2, 4]]]]> : tensor<1x1x2x2xi8>
// CHECK-DAG: %[[SCALE:.+]] = arith.constant dense<{{\[\[\[\[}}5.000000e-01, 2.500000e-01]]]]> : tensor<1x1x1x2xf32>
// CHECK: %[[W:.+]] = qd.dequantize %[[CODES]] scale %[[SCALE]] block_sizes = {{.*}}0, 0, 0, 1
// CHECK: linalg.conv_2d_nhwc_hwcf {{.*}}%[[W]] :
func.func @quantized_filter(%x: tensor<1x2x5x5xf32>) -> tensor<1x2x5x5xf32> {
  %zero = arith.constant 0.0 : f32
  %codes = arith.constant dense<[[[[1]], [[2]]], [[[3]], [[4]]]]> : tensor<2x2x1x1xi8>
  %scale = arith.constant dense<[[[[0.5]]], [[[0.25]]]]> : tensor<2x1x1x1xf32>
  %w = qd.dequantize %codes scale %scale block_sizes = [1, 0, 0, 0] : tensor<2x2x1x1xi8>, tensor<2x1x1x1xf32> -> tensor<2x2x1x1xf32>
  %empty = tensor.empty() : tensor<1x2x5x5xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x2x5x5xf32>) -> tensor<1x2x5x5xf32>
  %y = linalg.conv_2d_nchw_fchw ins(%x, %w : tensor<1x2x5x5xf32>, tensor<2x2x1x1xf32>) outs(%init : tensor<1x2x5x5xf32>) -> tensor<1x2x5x5xf32>
  return %y : tensor<1x2x5x5xf32>
}

// -----

// Must not fire: channels are last already; a matmul has no image.

// CHECK-LABEL: @left_alone
// CHECK-NOT: linalg.transpose
// CHECK: return
func.func @left_alone(%x: tensor<1x5x5x2xf32>, %w: tensor<1x1x2x3xf32>, %a: tensor<2x3xf32>, %b: tensor<3x4xf32>) -> (tensor<1x5x5x3xf32>, tensor<2x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<1x5x5x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x5x5x3xf32>) -> tensor<1x5x5x3xf32>
  %y = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<1x5x5x2xf32>, tensor<1x1x2x3xf32>) outs(%init : tensor<1x5x5x3xf32>) -> tensor<1x5x5x3xf32>
  %empty1 = tensor.empty() : tensor<2x4xf32>
  %init1 = linalg.fill ins(%zero : f32) outs(%empty1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %z = linalg.matmul ins(%a, %b : tensor<2x3xf32>, tensor<3x4xf32>) outs(%init1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y, %z : tensor<1x5x5x3xf32>, tensor<2x4xf32>
}
