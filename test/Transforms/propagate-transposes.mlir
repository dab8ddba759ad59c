// RUN: q-opt %s -qd-propagate-transposes -split-input-file | FileCheck %s
// RUN: q-opt %s -qd-propagate-transposes -split-input-file | q-opt -qd-propagate-transposes -split-input-file | FileCheck %s

#map = affine_map<(n, c, h, w) -> (n, c, h, w)>
#channel = affine_map<(n, c, h, w) -> (c)>

// Through a bias, a residual addition and a pad the two meet and vanish.

// CHECK: #[[$LAST:.+]] = affine_map<(d0, d1, d2, d3) -> (d3)>
// CHECK-LABEL: @meet_through_elementwise_and_pad
// CHECK-NOT: linalg.transpose
// CHECK: linalg.generic {indexing_maps = [#{{.+}}, #[[$LAST]], #{{.+}}, #{{.+}}]
// CHECK-SAME: tensor<1x5x6x2xf32>, tensor<2xf32>, tensor<1x5x6x2xf32>
// CHECK: tensor.pad %{{.*}} low[0, 1, 2, 0] high[0, 3, 4, 0]
// CHECK-NOT: linalg.transpose
// CHECK: return
func.func @meet_through_elementwise_and_pad(%x: tensor<1x5x6x2xf32>, %r: tensor<1x5x6x2xf32>) -> tensor<1x9x12x2xf32> {
  %zero = arith.constant 0.0 : f32
  %bias = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %e0 = tensor.empty() : tensor<1x2x5x6xf32>
  %t0 = linalg.transpose ins(%x : tensor<1x5x6x2xf32>) outs(%e0 : tensor<1x2x5x6xf32>) permutation = [0, 3, 1, 2]
  %t1 = linalg.transpose ins(%r : tensor<1x5x6x2xf32>) outs(%e0 : tensor<1x2x5x6xf32>) permutation = [0, 3, 1, 2]
  %s = linalg.generic {indexing_maps = [#map, #channel, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%t0, %bias, %t1 : tensor<1x2x5x6xf32>, tensor<2xf32>, tensor<1x2x5x6xf32>) outs(%e0 : tensor<1x2x5x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %out: f32):
    %p = arith.addf %a, %b : f32
    %q = arith.addf %p, %c : f32
    linalg.yield %q : f32
  } -> tensor<1x2x5x6xf32>
  %p = tensor.pad %s low[0, 0, 1, 2] high[0, 0, 3, 4] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x2x5x6xf32> to tensor<1x2x9x12xf32>
  %e1 = tensor.empty() : tensor<1x9x12x2xf32>
  %t2 = linalg.transpose ins(%p : tensor<1x2x9x12xf32>) outs(%e1 : tensor<1x9x12x2xf32>) permutation = [0, 2, 3, 1]
  return %t2 : tensor<1x9x12x2xf32>
}

// -----

// Concatenation and slice: the dimension follows. A constant is permuted, an
// observer and casts let pass.

// CHECK-LABEL: @concat_slice_observe
// CHECK-DAG: %[[C:.+]] = arith.constant dense<{{\[\[}}1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00]]> : tensor<3x2xf32>
// CHECK: %[[CAT:.+]] = tensor.concat dim(1) %{{.*}}, %[[C]] : (tensor<3x4xf32>, tensor<3x2xf32>)
// CHECK: %[[SLICE:.+]] = tensor.extract_slice %[[CAT]][1, 0] [2, 5] [1, 1]
// CHECK: %[[O:.+]] = qd.observe %[[SLICE]] "v"
// CHECK: %[[Q:.+]] = qd.quantize %[[O]] {{.*}} : tensor<2x5xf32>
// CHECK: return %[[Q]]
func.func @concat_slice_observe(%x: tensor<3x4xf32>) -> tensor<2x5xi8> {
  %c = arith.constant dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>
  %scale = arith.constant dense<0.5> : tensor<f32>
  %e = tensor.empty() : tensor<4x3xf32>
  %t = linalg.transpose ins(%x : tensor<3x4xf32>) outs(%e : tensor<4x3xf32>) permutation = [1, 0]
  %cat = tensor.concat dim(0) %t, %c : (tensor<4x3xf32>, tensor<2x3xf32>) -> tensor<6x3xf32>
  %slice = tensor.extract_slice %cat[0, 1] [5, 2] [1, 1] : tensor<6x3xf32> to tensor<5x2xf32>
  %o = qd.observe %slice "v" : tensor<5x2xf32>
  %q = qd.quantize %o scale %scale rounding(half_even) overflow(saturate) : tensor<5x2xf32>, tensor<f32> -> tensor<5x2xi8>
  %e1 = tensor.empty() : tensor<2x5xi8>
  %r = linalg.transpose ins(%q : tensor<5x2xi8>) outs(%e1 : tensor<2x5xi8>) permutation = [1, 0]
  return %r : tensor<2x5xi8>
}

// -----

// Only dimensions of size 1 move: a reshape, and none when the shape is the
// same.

// CHECK-LABEL: @unit_dimensions
// CHECK-NOT: linalg.transpose
// CHECK: tensor.expand_shape
// CHECK-SAME: into tensor<1x7x1x1xf32>
// CHECK: return
func.func @unit_dimensions(%x: tensor<1x1x1x7xf32>) -> tensor<1x7x1x1xf32> {
  %e = tensor.empty() : tensor<1x7x1x1xf32>
  %t = linalg.transpose ins(%x : tensor<1x1x1x7xf32>) outs(%e : tensor<1x7x1x1xf32>) permutation = [0, 3, 1, 2]
  return %t : tensor<1x7x1x1xf32>
}

// -----

// Must not fire: a collapse that mixes transposed dimensions keeps its transpose,
// and so does a matmul whose weights are no constant.

// CHECK-LABEL: @left_alone
// CHECK: %[[T:.+]] = linalg.transpose
// CHECK: tensor.collapse_shape %[[T]]
// CHECK: linalg.matmul
func.func @left_alone(%x: tensor<1x5x6x2xf32>, %w: tensor<60x3xf32>) -> tensor<1x3xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<1x2x5x6xf32>
  %t = linalg.transpose ins(%x : tensor<1x5x6x2xf32>) outs(%e0 : tensor<1x2x5x6xf32>) permutation = [0, 3, 1, 2]
  %f = tensor.collapse_shape %t [[0], [1, 2, 3]] : tensor<1x2x5x6xf32> into tensor<1x60xf32>
  %e1 = tensor.empty() : tensor<1x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x3xf32>) -> tensor<1x3xf32>
  %y = linalg.matmul ins(%f, %w : tensor<1x60xf32>, tensor<60x3xf32>) outs(%init : tensor<1x3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// -----

// A pool of unsigned codes works on their storage: the transposes around it
// meet through the casts.

// CHECK-LABEL: @pool_of_codes
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<1x4x4x3x!qd.uint<8>>
// CHECK-NOT: linalg.transpose
// CHECK: qd.storage_cast %[[X]] : tensor<1x4x4x3x!qd.uint<8>> to tensor<1x4x4x3xi8>
// CHECK: linalg.pooling_nhwc_max
// CHECK: %[[Y:.+]] = qd.storage_cast {{.*}} : tensor<1x2x2x3xi8> to tensor<1x2x2x3x!qd.uint<8>>
// CHECK: return %[[Y]]
func.func @pool_of_codes(%x: tensor<1x4x4x3x!qd.uint<8>>) -> tensor<1x2x2x3x!qd.uint<8>> {
  %low = arith.constant -128 : i8
  %e0 = tensor.empty() : tensor<1x3x4x4x!qd.uint<8>>
  %t = linalg.transpose ins(%x : tensor<1x4x4x3x!qd.uint<8>>) outs(%e0 : tensor<1x3x4x4x!qd.uint<8>>) permutation = [0, 3, 1, 2]
  %b = qd.storage_cast %t : tensor<1x3x4x4x!qd.uint<8>> to tensor<1x3x4x4xi8>
  %e1 = tensor.empty() : tensor<1x4x4x3xi8>
  %u = linalg.transpose ins(%b : tensor<1x3x4x4xi8>) outs(%e1 : tensor<1x4x4x3xi8>) permutation = [0, 2, 3, 1]
  %w = tensor.empty() : tensor<2x2xi8>
  %e2 = tensor.empty() : tensor<1x2x2x3xi8>
  %f = linalg.fill ins(%low : i8) outs(%e2 : tensor<1x2x2x3xi8>) -> tensor<1x2x2x3xi8>
  %p = linalg.pooling_nhwc_max {strides = dense<2> : vector<2xi64>} ins(%u, %w : tensor<1x4x4x3xi8>, tensor<2x2xi8>) outs(%f : tensor<1x2x2x3xi8>) -> tensor<1x2x2x3xi8>
  %e3 = tensor.empty() : tensor<1x3x2x2xi8>
  %v = linalg.transpose ins(%p : tensor<1x2x2x3xi8>) outs(%e3 : tensor<1x3x2x2xi8>) permutation = [0, 3, 1, 2]
  %c = qd.storage_cast %v : tensor<1x3x2x2xi8> to tensor<1x3x2x2x!qd.uint<8>>
  %e4 = tensor.empty() : tensor<1x2x2x3x!qd.uint<8>>
  %r = linalg.transpose ins(%c : tensor<1x3x2x2x!qd.uint<8>>) outs(%e4 : tensor<1x2x2x3x!qd.uint<8>>) permutation = [0, 2, 3, 1]
  return %r : tensor<1x2x2x3x!qd.uint<8>>
}
