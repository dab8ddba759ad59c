// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{recipe=%S/Inputs/plain.yaml statistics=%S/Inputs/quantize.stats.json}))" -split-input-file | FileCheck %s

// The files' ranges: image [-1, 1.55] is s = 0.01, z = 100; relu1 [0, 5.1] is
// s = 0.02, z = 0. Weights: channel 0 {1, -0.5} has s = 1/127; channel 1 is dead and
// its scale is what its bias needs; channel 2 is so small that its bias would
// overflow and its scale is raised.

#map = affine_map<(n, h, w, c) -> (n, h, w, c)>
#channel = affine_map<(n, h, w, c) -> (c)>

// CHECK-LABEL: @conv_bias
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<1x1x2x1xf32>
// CHECK-DAG: %[[SX:.+]] = arith.constant dense<0.00999999977> : tensor<f32>
// CHECK-DAG: %[[ZX:.+]] = arith.constant dense<100> : tensor<i32>
// CHECK: %[[Q:.+]] = qd.quantize %[[X]] scale %[[SX]] zero_point %[[ZX]] rounding(half_even) overflow(saturate) {qd.name = "image"} : tensor<1x1x2x1xf32>, tensor<f32>, tensor<i32> -> tensor<1x1x2x1x!qd.uint<8>>
// CHECK: %[[D:.+]] = qd.dequantize %[[Q]] scale %[[SX]] zero_point %[[ZX]] {qd.name = "image"}
// CHECK: %[[WC:.+]] = arith.constant dense<{{\[\[\[\[}}127, 0, 0]], {{\[\[}}-64, 0, 0]]]]> : tensor<1x2x1x3xi8>
// CHECK: %[[WS:.+]] = arith.constant dense<{{.*}}> : tensor<1x1x1x3xf32>
// CHECK: %[[W:.+]] = qd.dequantize %[[WC]] scale %[[WS]] block_sizes = {{.*}}0, 0, 0, 1{{.*}} : tensor<1x2x1x3xi8>, tensor<1x1x1x3xf32> -> tensor<1x2x1x3xf32>
// CHECK: %[[C:.+]] = linalg.conv_2d_nhwc_hwcf {qd.requested = "w8a8"} ins(%[[D]], %[[W]]
// CHECK: %[[BC:.+]] = arith.constant dense<[12700, {{10[67][0-9]+}}, {{-10[67][0-9]+}}]> : tensor<3xi32>
// CHECK: %[[BS:.+]] = arith.constant dense<[7.8740{{.*}}E-5, {{.*}}> : tensor<3xf32>
// CHECK: %[[B:.+]] = qd.dequantize %[[BC]] scale %[[BS]] block_sizes = {{.*}}1{{.*}} : tensor<3xi32>, tensor<3xf32> -> tensor<3xf32>
// CHECK: linalg.generic {{.*}} ins(%[[C]], %[[B]]
// CHECK: qd.quantize %{{.*}} {qd.name = "relu1"}
// CHECK-NOT: qd.observe
func.func @conv_bias(%x: tensor<1x1x2x1xf32>) -> tensor<1x1x1x3xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[[1.0, 0.0, 1.0e-30]], [[-0.5, 0.0, 0.0]]]]> : tensor<1x2x1x3xf32>
  %b = arith.constant dense<[1.0, 0.5, -3.0]> : tensor<3xf32>
  %ox = qd.observe %x "image" : tensor<1x1x2x1xf32>
  %e = tensor.empty() : tensor<1x1x1x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1x1x3xf32>) -> tensor<1x1x1x3xf32>
  %c = linalg.conv_2d_nhwc_hwcf ins(%ox, %w : tensor<1x1x2x1xf32>, tensor<1x2x1x3xf32>) outs(%init : tensor<1x1x1x3xf32>) -> tensor<1x1x1x3xf32>
  %a = linalg.generic {indexing_maps = [#map, #channel, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c, %b : tensor<1x1x1x3xf32>, tensor<3xf32>) outs(%e : tensor<1x1x1x3xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %s = arith.addf %in, %f : f32
    linalg.yield %s : f32
  } -> tensor<1x1x1x3xf32>
  %o = qd.observe %a "relu1" : tensor<1x1x1x3xf32>
  return %o : tensor<1x1x1x3xf32>
}

// -----

// "a" feeds the concatenation alone and gets its grid ([-1, 4.1]: s = 0.02,
// z = 50); "b" has another reader and keeps its own ([-1, 1]).

// CHECK-LABEL: @concat_shares_its_grid
// CHECK: %[[SA:.+]] = arith.constant dense<2.000000e-02> : tensor<f32>
// CHECK: %[[ZA:.+]] = arith.constant dense<50> : tensor<i32>
// CHECK: qd.quantize %{{.*}} scale %[[SA]] zero_point %[[ZA]] {{.*}} {qd.name = "a"}
// CHECK: %[[SB:.+]] = arith.constant dense<0.00784313772> : tensor<f32>
// CHECK: qd.quantize %{{.*}} scale %[[SB]] {{.*}} {qd.name = "b"}
// CHECK: tensor.concat dim(0) {{.*}} {qd.requested = "a8"}
// CHECK: qd.quantize {{.*}} {qd.name = "cat"}
func.func @concat_shares_its_grid(%x: tensor<1x2xf32>, %y: tensor<1x2xf32>) -> (tensor<2x2xf32>, tensor<1x2xf32>) attributes {qd.program = "0123456789abcdef"} {
  %a = qd.observe %x "a" : tensor<1x2xf32>
  %b = qd.observe %y "b" : tensor<1x2xf32>
  %c = tensor.concat dim(0) %a, %b : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<2x2xf32>
  %o = qd.observe %c "cat" : tensor<2x2xf32>
  return %o, %b : tensor<2x2xf32>, tensor<1x2xf32>
}

// -----

// Nothing to quantize in a model that came with casts, whatever the statistics:
// its ops are marked.

// CHECK-LABEL: @already_quantized
// CHECK-COUNT-1: qd.quantize
// CHECK-NOT: qd.quantize
// CHECK: tensor.concat {{.*}} {qd.requested = "a8"}
func.func @already_quantized(%x: tensor<2x3xf32>) -> tensor<4x3xf32> {
  %scale = arith.constant dense<0.5> : tensor<f32>
  %q = qd.quantize %x scale %scale rounding(half_even) overflow(saturate) : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xi8>
  %d = qd.dequantize %q scale %scale : tensor<2x3xi8>, tensor<f32> -> tensor<2x3xf32>
  %cat = tensor.concat dim(0) %d, %d : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return %cat : tensor<4x3xf32>
}

// -----

// The sum of two dequantized tensors that goes on in floats was never asked to
// be integer; the one that is rounded behind a reshape was.

// CHECK-LABEL: @sum_that_stays_float
// CHECK: linalg.generic {{.*}}qd.requested = "float"
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}}qd.requested = "a8"
// CHECK: arith.addf
func.func @sum_that_stays_float(%x: tensor<6xi8>, %y: tensor<6xi8>) -> (tensor<6xf32>, tensor<2x3xi8>) {
  %scale = arith.constant dense<0.5> : tensor<f32>
  %dx = qd.dequantize %x scale %scale : tensor<6xi8>, tensor<f32> -> tensor<6xf32>
  %dy = qd.dequantize %y scale %scale : tensor<6xi8>, tensor<f32> -> tensor<6xf32>
  %e = tensor.empty() : tensor<6xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%dx, %dy : tensor<6xf32>, tensor<6xf32>) outs(%e : tensor<6xf32>) {
  ^bb0(%u: f32, %v: f32, %out: f32):
    %s = arith.addf %u, %v : f32
    linalg.yield %s : f32
  } -> tensor<6xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%dx, %dy : tensor<6xf32>, tensor<6xf32>) outs(%e : tensor<6xf32>) {
  ^bb0(%u: f32, %v: f32, %out: f32):
    %s = arith.addf %u, %v : f32
    linalg.yield %s : f32
  } -> tensor<6xf32>
  %r = tensor.expand_shape %b [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>
  %q = qd.quantize %r scale %scale rounding(half_even) overflow(saturate) : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xi8>
  return %a, %q : tensor<6xf32>, tensor<2x3xi8>
}
