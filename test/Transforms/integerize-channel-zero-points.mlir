// RUN: q-opt %s -qd-commute-dequantize -qd-integerize -canonicalize -split-input-file | FileCheck %s

// Channels in front of a depthwise convolution have a zero point each: the pad is the zero point's code of each channel, and
// -z * sum of w stands in the init (10 * 10 and -20 * 2).
// CHECK-LABEL: func.func @depthwise
// CHECK-SAME: %[[Q:.*]]: tensor<1x2x2x2xi8>
// CHECK-DAG: %[[Z:.*]] = arith.constant dense<[-10, 20]> : tensor<2xi8>
// CHECK-DAG: %[[B:.*]] = arith.constant dense<[100, -40]> : tensor<2xi32>
// CHECK: %[[P:.*]] = tensor.pad %[[Q]] low[0, 1, 0, 0] high[0, 0, 1, 0] {
// CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %[[C:.*]]: index):
// CHECK-NEXT: %[[V:.*]] = tensor.extract %[[Z]][%[[C]]] : tensor<2xi8>
// CHECK-NEXT: tensor.yield %[[V]] : i8
// CHECK: linalg.generic {{.*}} ins(%[[B]] : tensor<2xi32>)
// CHECK: linalg.depthwise_conv_2d_nhwc_hwc {{.*}} ins(%[[P]], {{.*}} : tensor<1x3x3x2xi8>, tensor<2x2x2xi8>) {{.*}} -> tensor<1x2x2x2xi32>
// CHECK: qd.requantize
// CHECK-NOT: qd.fallback
func.func @depthwise(%q: tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8> {
  %s = arith.constant dense<[[[[0.5, 0.125]]]]> : tensor<1x1x1x2xf32>
  %z = arith.constant dense<[[[[-10, 20]]]]> : tensor<1x1x1x2xi32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %s zero_point %z block_sizes = [0, 0, 0, 1] : tensor<1x2x2x2xi8>, tensor<1x1x1x2xf32>, tensor<1x1x1x2xi32> -> tensor<1x2x2x2xf32>
  %p = tensor.pad %x low[0, 1, 0, 0] high[0, 0, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %c0 : f32
  } : tensor<1x2x2x2xf32> to tensor<1x3x3x2xf32>
  %w = arith.constant dense<[[[1, 2], [3, -3]], [[4, 5], [2, -2]]]> : tensor<2x2x2xi8>
  %sw = arith.constant dense<[[[0.25, 2.0]]]> : tensor<1x1x2xf32>
  %wf = qd.dequantize %w scale %sw block_sizes = [0, 0, 1] : tensor<2x2x2xi8>, tensor<1x1x2xf32> -> tensor<2x2x2xf32>
  %e = tensor.empty() : tensor<1x2x2x2xf32>
  %i = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %y = linalg.depthwise_conv_2d_nhwc_hwc {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>} ins(%p, %wf : tensor<1x3x3x2xf32>, tensor<2x2x2xf32>) outs(%i : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %r = qd.quantize %y scale %one rounding(half_even) overflow(saturate) : tensor<1x2x2x2xf32>, tensor<f32> -> tensor<1x2x2x2xi8>
  return %r : tensor<1x2x2x2xi8>
}

// -----

// A result with a zero point for each channel: it is added after the rounding. Six is code -128 + 6 / 0.05 = -8 of the first
// channel and beyond the last of the second; zero is each channel's own zero point.
#id = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func.func @result
// CHECK-DAG: %[[UPPER:.*]] = arith.constant dense<[-8, 127]> : tensor<2xi8>
// CHECK-DAG: %[[LOWER:.*]] = arith.constant dense<[-128, 7]> : tensor<2xi8>
// CHECK-DAG: %[[ZERO:.*]] = arith.constant dense<[-128, 7]> : tensor<2xi32>
// CHECK: %[[ACC:.*]] = linalg.matmul {{.*}} : tensor<1x2xi8>, tensor<2x2xi8>) {{.*}} -> tensor<1x2xi32>
// CHECK: linalg.generic {{.*}} ins(%[[ACC]], %[[ZERO]], %[[LOWER]], %[[UPPER]], %{{.*}} : tensor<1x2xi32>, tensor<2xi32>, tensor<2xi8>, tensor<2xi8>, tensor<2xf32>)
// CHECK-NEXT: ^bb0(%[[A:.*]]: i32, %[[Z:.*]]: i32, %[[L:.*]]: i8, %[[U:.*]]: i8, %[[S:.*]]: f32
// CHECK-NEXT: %[[R:.*]] = qd.requantize %[[A]] scale %[[S]] zero_point %[[Z]]
// CHECK-NEXT: %[[M:.*]] = arith.maxsi %[[R]], %[[L]] : i8
// CHECK-NEXT: arith.minsi %[[M]], %[[U]] : i8
func.func @result(%q: tensor<1x2xi8>) -> tensor<1x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %x = qd.dequantize %q scale %s : tensor<1x2xi8>, tensor<f32> -> tensor<1x2xf32>
  %w = arith.constant dense<[[1, 2], [-3, 4]]> : tensor<2x2xi8>
  %sw = arith.constant dense<1.0> : tensor<f32>
  %wf = qd.dequantize %w scale %sw : tensor<2x2xi8>, tensor<f32> -> tensor<2x2xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x2xf32>
  %i = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x2xf32>) -> tensor<1x2xf32>
  %y = linalg.matmul ins(%x, %wf : tensor<1x2xf32>, tensor<2x2xf32>) outs(%i : tensor<1x2xf32>) -> tensor<1x2xf32>
  %c = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<1x2xf32>) outs(%e : tensor<1x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %c6 = arith.constant 6.0 : f32
    %l = arith.maximumf %a, %c0 : f32
    %h = arith.minimumf %l, %c6 : f32
    linalg.yield %h : f32
  } -> tensor<1x2xf32>
  %sy = arith.constant dense<[[0.05, 0.01]]> : tensor<1x2xf32>
  %zy = arith.constant dense<[[-128, 7]]> : tensor<1x2xi32>
  %r = qd.quantize %c scale %sy zero_point %zy rounding(half_even) overflow(saturate) block_sizes = [0, 1] : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xi32> -> tensor<1x2xi8>
  return %r : tensor<1x2xi8>
}

// -----

// Sums and products subtract the zero points of their channels.
#id = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func.func @elementwise
// CHECK-DAG: %[[Z:.*]] = arith.constant dense<[3, -4]> : tensor<2xi32>
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}}, %{{.*}}, %[[Z]]
// CHECK: arith.subi
// CHECK: qd.quantize {{.*}} : f32, f32, i32 -> i8
// CHECK: linalg.generic {{.*}} %[[Z]]
// CHECK: arith.subi
// CHECK: arith.muli
// CHECK: qd.requantize
// CHECK-NOT: qd.fallback
func.func @elementwise(%q: tensor<1x2xi8>, %p: tensor<1x2xi8>) -> (tensor<1x2xi8>, tensor<1x2xi8>) {
  %s = arith.constant dense<[[0.5, 0.25]]> : tensor<1x2xf32>
  %z = arith.constant dense<[[3, -4]]> : tensor<1x2xi32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %x = qd.dequantize %q scale %s zero_point %z block_sizes = [0, 1] : tensor<1x2xi8>, tensor<1x2xf32>, tensor<1x2xi32> -> tensor<1x2xf32>
  %y = qd.dequantize %p scale %one : tensor<1x2xi8>, tensor<f32> -> tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x2xf32>
  %a = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %y : tensor<1x2xf32>, tensor<1x2xf32>) outs(%e : tensor<1x2xf32>) {
  ^bb0(%u: f32, %v: f32, %o: f32):
    %t = arith.addf %u, %v : f32
    linalg.yield %t : f32
  } -> tensor<1x2xf32>
  %m = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %y : tensor<1x2xf32>, tensor<1x2xf32>) outs(%e : tensor<1x2xf32>) {
  ^bb0(%u: f32, %v: f32, %o: f32):
    %t = arith.mulf %u, %v : f32
    linalg.yield %t : f32
  } -> tensor<1x2xf32>
  %ra = qd.quantize %a scale %one rounding(half_even) overflow(saturate) : tensor<1x2xf32>, tensor<f32> -> tensor<1x2xi8>
  %rm = qd.quantize %m scale %one rounding(half_even) overflow(saturate) : tensor<1x2xf32>, tensor<f32> -> tensor<1x2xi8>
  return %ra, %rm : tensor<1x2xi8>, tensor<1x2xi8>
}

// -----

// A mean over what has no grids of its own starts from -z * 4 of each channel.
// CHECK-LABEL: func.func @mean
// CHECK-DAG: arith.constant dense<[-12, 16]> : tensor<2xi32>
// CHECK: -> tensor<1x2xi32>
// CHECK: qd.requantize
// CHECK-NOT: qd.fallback
func.func @mean(%q: tensor<1x4x2xi8>) -> tensor<1x2xi8> {
  %s = arith.constant dense<[[[0.5, 0.25]]]> : tensor<1x1x2xf32>
  %z = arith.constant dense<[[[3, -4]]]> : tensor<1x1x2xi32>
  %x = qd.dequantize %q scale %s zero_point %z block_sizes = [0, 0, 1] : tensor<1x4x2xi8>, tensor<1x1x2xf32>, tensor<1x1x2xi32> -> tensor<1x4x2xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x2xf32>
  %i = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x2xf32>) -> tensor<1x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(n, c, k) -> (n, k, c)>, affine_map<(n, c, k) -> (n, c)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<1x4x2xf32>) outs(%i : tensor<1x2xf32>) {
  ^bb0(%u: f32, %o: f32):
    %t = arith.addf %o, %u : f32
    linalg.yield %t : f32
  } -> tensor<1x2xf32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %r = qd.quantize %y scale %one rounding(half_even) overflow(saturate) : tensor<1x2xf32>, tensor<f32> -> tensor<1x2xi8>
  return %r : tensor<1x2xi8>
}

// -----

// Zero points that vary along what is summed belong to no accumulator.
// CHECK-LABEL: func.func @must_not_fire_summed
// CHECK: linalg.matmul {{.*}}qd.fallback = "its activation's grid varies along a summed dimension"{{.*}} -> tensor<1x2xf32>
func.func @must_not_fire_summed(%q: tensor<1x2xi8>) -> tensor<1x2xi8> {
  %s = arith.constant dense<[[0.5, 0.5]]> : tensor<1x2xf32>
  %z = arith.constant dense<[[3, -4]]> : tensor<1x2xi32>
  %x = qd.dequantize %q scale %s zero_point %z block_sizes = [0, 1] : tensor<1x2xi8>, tensor<1x2xf32>, tensor<1x2xi32> -> tensor<1x2xf32>
  %w = arith.constant dense<[[1, 2], [-3, 4]]> : tensor<2x2xi8>
  %sw = arith.constant dense<1.0> : tensor<f32>
  %wf = qd.dequantize %w scale %sw : tensor<2x2xi8>, tensor<f32> -> tensor<2x2xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x2xf32>
  %i = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x2xf32>) -> tensor<1x2xf32>
  %y = linalg.matmul ins(%x, %wf : tensor<1x2xf32>, tensor<2x2xf32>) outs(%i : tensor<1x2xf32>) -> tensor<1x2xf32>
  %r = qd.quantize %y scale %sw rounding(half_even) overflow(saturate) : tensor<1x2xf32>, tensor<f32> -> tensor<1x2xi8>
  return %r : tensor<1x2xi8>
}

// -----

// A bias that is no whole number of accumulator steps: 3 / 2 steps are 2, and the rest of -1 is added before the rounding.
#id = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func.func @rest_of_bias
// CHECK: arith.constant dense<2> : tensor<2xi32>
// CHECK: linalg.matmul {{.*}} -> tensor<1x2xi32>
// CHECK: %[[REAL:.*]] = arith.sitofp
// CHECK: %[[PRODUCT:.*]] = arith.mulf %[[REAL]]
// CHECK: %[[SUM:.*]] = arith.addf %[[PRODUCT]]
// CHECK: qd.quantize %[[SUM]] scale %{{.*}} zero_point %{{.*}} : f32, f32, i32 -> i8
func.func @rest_of_bias(%q: tensor<1x2xi8>) -> tensor<1x2xi8> {
  %two = arith.constant dense<2.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %x = qd.dequantize %q scale %two : tensor<1x2xi8>, tensor<f32> -> tensor<1x2xf32>
  %w = arith.constant dense<[[1, 2], [-3, 4]]> : tensor<2x2xi8>
  %wf = qd.dequantize %w scale %one : tensor<2x2xi8>, tensor<f32> -> tensor<2x2xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x2xf32>
  %i = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x2xf32>) -> tensor<1x2xf32>
  %y = linalg.matmul ins(%x, %wf : tensor<1x2xf32>, tensor<2x2xf32>) outs(%i : tensor<1x2xf32>) -> tensor<1x2xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<1x2xf32>) outs(%e : tensor<1x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %c3 = arith.constant 3.0 : f32
    %t = arith.addf %a, %c3 : f32
    linalg.yield %t : f32
  } -> tensor<1x2xf32>
  %r = qd.quantize %b scale %one rounding(half_even) overflow(saturate) : tensor<1x2xf32>, tensor<f32> -> tensor<1x2xi8>
  return %r : tensor<1x2xi8>
}
