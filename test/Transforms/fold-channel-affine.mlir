// RUN: q-opt %s -qd-fold-channel-affine -split-input-file | FileCheck %s
// RUN: q-opt %s -qd-fold-channel-affine -split-input-file | q-opt -qd-fold-channel-affine -split-input-file | FileCheck %s

#nchw = affine_map<(n, c, h, w) -> (n, c, h, w)>
#channel = affine_map<(n, c, h, w) -> (c)>

// conv, then (y + 1) * {2, -3} + {10, 20}: weights times {2, -3}, bias {12, 17}.

// CHECK: #[[$CHANNEL:.+]] = affine_map<(d0, d1, d2, d3) -> (d1)>
// CHECK-LABEL: @batch_norm_after_conv
// CHECK: %[[W:.+]] = arith.constant dense<{{\[\[\[\[}}2.000000e+00]]], {{\[\[\[}}-6.000000e+00]]]]> : tensor<2x1x1x1xf32>
// CHECK: %[[Y:.+]] = linalg.conv_2d_nchw_fchw ins(%{{.*}}, %[[W]]
// CHECK: %[[B:.+]] = arith.constant dense<[1.200000e+01, 1.700000e+01]> : tensor<2xf32>
// CHECK: %[[Z:.+]] = linalg.generic {{.*}}#[[$CHANNEL]]{{.*}} ins(%[[Y]], %[[B]] {{.*}} attrs =  {qd.name = "bn"}
// CHECK-NEXT: ^bb0(%[[X:.+]]: f32, %[[C:.+]]: f32, %{{.+}}: f32):
// CHECK-NEXT: %[[SUM:.+]] = arith.addf %[[X]], %[[C]] : f32
// CHECK-NEXT: linalg.yield %[[SUM]]
// CHECK: return %[[Z]]
func.func @batch_norm_after_conv(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>
  %a = arith.constant dense<[2.0, -3.0]> : tensor<2xf32>
  %b = arith.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %empty = tensor.empty() : tensor<1x2x4x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %y = linalg.conv_2d_nchw_fchw ins(%x, %w : tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>) outs(%init : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %plus = linalg.generic {indexing_maps = [#nchw, #nchw], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%y : tensor<1x2x4x4xf32>) outs(%empty : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %in, %one : f32
    linalg.yield %s : f32
  } -> tensor<1x2x4x4xf32>
  %bn = linalg.generic {indexing_maps = [#nchw, #channel, #channel, #nchw], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%plus, %a, %b : tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>) outs(%empty : tensor<1x2x4x4xf32>) attrs = {qd.name = "bn"} {
  ^bb0(%in: f32, %f: f32, %o: f32, %out: f32):
    %p = arith.mulf %in, %f : f32
    %s = arith.addf %p, %o : f32
    linalg.yield %s : f32
  } -> tensor<1x2x4x4xf32>
  return %bn : tensor<1x2x4x4xf32>
}

// -----

#map = affine_map<(m, n) -> (m, n)>
#column = affine_map<(m, n) -> (n)>

// A matmul times a scalar and divided per column: no bias is left.

// CHECK-LABEL: @matmul_scaled
// CHECK: %[[W:.+]] = arith.constant dense<{{\[\[}}1.000000e+00, 1.000000e+00], [3.000000e+00, 2.000000e+00]]> : tensor<2x2xf32>
// CHECK: %[[Y:.+]] = linalg.matmul ins(%{{.*}}, %[[W]]
// CHECK-NEXT: return %[[Y]]
func.func @matmul_scaled(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2.0 : f32
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %d = arith.constant dense<[2.0, 4.0]> : tensor<2xf32>
  %empty = tensor.empty() : tensor<3x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<3x2xf32>, tensor<2x2xf32>) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  %z = linalg.generic {indexing_maps = [#map, #column, #map], iterator_types = ["parallel", "parallel"]} ins(%y, %d : tensor<3x2xf32>, tensor<2xf32>) outs(%empty : tensor<3x2xf32>) {
  ^bb0(%in: f32, %by: f32, %out: f32):
    %p = arith.mulf %two, %in : f32
    %q = arith.divf %p, %by : f32
    linalg.yield %q : f32
  } -> tensor<3x2xf32>
  return %z : tensor<3x2xf32>
}

// -----

#in = affine_map<(n, g, o, h, w, c, kh, kw) -> (n, g, c, h + kh, w + kw)>
#filter = affine_map<(n, g, o, h, w, c, kh, kw) -> (g, o, c, kh, kw)>
#out = affine_map<(n, g, o, h, w, c, kh, kw) -> (n, g, o, h, w)>
#map = affine_map<(n, c, h, w) -> (n, c, h, w)>
#channel = affine_map<(n, c, h, w) -> (c)>

// A grouped convolution: channel 2 * g + o, through the collapse of its groups.

// CHECK-LABEL: @grouped_through_collapse
// CHECK: arith.constant dense<{{\[\[\[\[\[}}1.000000e+00]]], {{\[\[\[}}2.000000e+00]]]], {{\[\[\[\[}}3.000000e+00]]], {{\[\[\[}}4.000000e+00]]]]]> : tensor<2x2x1x1x1xf32>
// CHECK: %[[COLLAPSED:.+]] = tensor.collapse_shape
// CHECK-NEXT: return %[[COLLAPSED]]
func.func @grouped_through_collapse(%x: tensor<1x2x1x4x4xf32>) -> tensor<1x4x4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<2x2x1x1x1xf32>
  %a = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %empty = tensor.empty() : tensor<1x2x2x4x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x2x2x4x4xf32>) -> tensor<1x2x2x4x4xf32>
  %y = linalg.generic {indexing_maps = [#in, #filter, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<1x2x1x4x4xf32>, tensor<2x2x1x1x1xf32>) outs(%init : tensor<1x2x2x4x4xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x2x2x4x4xf32>
  %flat = tensor.collapse_shape %y [[0], [1, 2], [3], [4]] : tensor<1x2x2x4x4xf32> into tensor<1x4x4x4xf32>
  %to = tensor.empty() : tensor<1x4x4x4xf32>
  %z = linalg.generic {indexing_maps = [#map, #channel, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%flat, %a : tensor<1x4x4x4xf32>, tensor<4xf32>) outs(%to : tensor<1x4x4x4xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %p = arith.mulf %in, %f : f32
    linalg.yield %p : f32
  } -> tensor<1x4x4x4xf32>
  return %z : tensor<1x4x4x4xf32>
}

// -----

#map = affine_map<(m, n) -> (m, n)>
#column = affine_map<(m, n) -> (n)>
#row = affine_map<(m, n) -> (m)>

// Must not fire: another reader, a constant along rows, a product with itself, a
// contraction that adds to a value, weights that are no constant.

// CHECK-LABEL: @left_alone
// CHECK-COUNT-5: arith.mulf
// CHECK: return
func.func @left_alone(%x: tensor<2x2xf32>, %v: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %a = arith.constant dense<[2.0, 4.0]> : tensor<2xf32>
  %empty = tensor.empty() : tensor<2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x2xf32>) -> tensor<2x2xf32>
  %read_twice = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  %0 = linalg.generic {indexing_maps = [#map, #column, #map], iterator_types = ["parallel", "parallel"]} ins(%read_twice, %a : tensor<2x2xf32>, tensor<2xf32>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %p = arith.mulf %in, %f : f32
    linalg.yield %p : f32
  } -> tensor<2x2xf32>
  %by_row = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = linalg.generic {indexing_maps = [#map, #row, #map], iterator_types = ["parallel", "parallel"]} ins(%by_row, %a : tensor<2x2xf32>, tensor<2xf32>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %p = arith.mulf %in, %f : f32
    linalg.yield %p : f32
  } -> tensor<2x2xf32>
  %to_square = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%to_square : tensor<2x2xf32>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %p = arith.mulf %in, %in : f32
    linalg.yield %p : f32
  } -> tensor<2x2xf32>
  %adds = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%v : tensor<2x2xf32>) -> tensor<2x2xf32>
  %3 = linalg.generic {indexing_maps = [#map, #column, #map], iterator_types = ["parallel", "parallel"]} ins(%adds, %a : tensor<2x2xf32>, tensor<2xf32>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %p = arith.mulf %in, %f : f32
    linalg.yield %p : f32
  } -> tensor<2x2xf32>
  %dynamic = linalg.matmul ins(%x, %v : tensor<2x2xf32>, tensor<2x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  %4 = linalg.generic {indexing_maps = [#map, #column, #map], iterator_types = ["parallel", "parallel"]} ins(%dynamic, %a : tensor<2x2xf32>, tensor<2xf32>) outs(%empty : tensor<2x2xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %p = arith.mulf %in, %f : f32
    linalg.yield %p : f32
  } -> tensor<2x2xf32>
  return %read_twice, %0, %1, %2, %3, %4 : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}
