// RUN: q-opt %s -qd-commute-dequantize -qd-integerize -canonicalize -split-input-file | FileCheck %s

// NNCF gives what a depthwise convolution reads a scale for each channel. Its pad is the zero point's code; the accumulator's
// step is the product of the channel's two scales: 0.5 * 0.25 and 0.125 * 2.
// CHECK-LABEL: func.func @depthwise
// CHECK-SAME: %[[Q:.*]]: tensor<1x2x2x2xi8>
// CHECK-DAG: %[[S:.*]] = arith.constant dense<[1.250000e-01, 2.500000e-01]> : tensor<2xf32>
// CHECK-DAG: %[[Z:.*]] = arith.constant -128 : i8
// CHECK: %[[P:.*]] = tensor.pad %[[Q]]
// CHECK: tensor.yield %[[Z]]
// CHECK: linalg.depthwise_conv_2d_nhwc_hwc {{.*}} ins(%[[P]], {{.*}} : tensor<1x3x3x2xi8>, tensor<2x2x2xi8>) {{.*}} -> tensor<1x2x2x2xi32>
// CHECK: linalg.generic {{.*}}%[[S]]
// CHECK: qd.requantize
// CHECK-NOT: qd.fallback
func.func @depthwise(%q: tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8> {
  %s = arith.constant dense<[[[[0.5, 0.125]]]]> : tensor<1x1x1x2xf32>
  %z = arith.constant dense<-128> : tensor<1x1x1x2xi32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %s zero_point %z block_sizes = [0, 0, 0, 1] : tensor<1x2x2x2xi8>, tensor<1x1x1x2xf32>, tensor<1x1x1x2xi32> -> tensor<1x2x2x2xf32>
  %p = tensor.pad %x low[0, 1, 0, 0] high[0, 0, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %c0 : f32
  } : tensor<1x2x2x2xf32> to tensor<1x3x3x2xf32>
  %w = arith.constant dense_resource<w> : tensor<2x2x2xi8>
  %sw = arith.constant dense<[[[0.25, 2.0]]]> : tensor<1x1x2xf32>
  %wf = qd.dequantize %w scale %sw block_sizes = [0, 0, 1] : tensor<2x2x2xi8>, tensor<1x1x2xf32> -> tensor<2x2x2xf32>
  %e = tensor.empty() : tensor<1x2x2x2xf32>
  %i = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %y = linalg.depthwise_conv_2d_nhwc_hwc {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>} ins(%p, %wf : tensor<1x3x3x2xf32>, tensor<2x2x2xf32>) outs(%i : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %zero = arith.constant dense<0> : tensor<i32>
  %r = qd.quantize %y scale %one zero_point %zero rounding(half_even) overflow(saturate) : tensor<1x2x2x2xf32>, tensor<f32>, tensor<i32> -> tensor<1x2x2x2xi8>
  return %r : tensor<1x2x2x2xi8>
}

{-#
  dialect_resources: {
    builtin: {
      w: "0x400000000102FD04057FF901"
    }
  }
#-}

// -----

// The other side: a matrix product whose result is rounded with a scale for each channel. Six is beyond the last code of both
// channels (6 / 0.02 and 6 / 0.01 steps above -128), so the clamp has one code.
#id = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func.func @result
// CHECK-DAG: arith.constant dense<[2.500000e+01, 5.000000e+01]> : tensor<2xf32>
// CHECK: linalg.matmul {{.*}} : tensor<1x2xi8>, tensor<2x2xi8>) {{.*}} -> tensor<1x2xi32>
// CHECK: qd.requantize
// CHECK-NOT: qd.quantize
// CHECK: return
func.func @result(%q: tensor<1x2xi8>) -> tensor<1x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<3> : tensor<i32>
  %x = qd.dequantize %q scale %s zero_point %z : tensor<1x2xi8>, tensor<f32>, tensor<i32> -> tensor<1x2xf32>
  %w = arith.constant dense_resource<w2> : tensor<2x2xi8>
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
  %sy = arith.constant dense<[[0.02, 0.01]]> : tensor<1x2xf32>
  %zy = arith.constant dense<-128> : tensor<1x2xi32>
  %r = qd.quantize %c scale %sy zero_point %zy rounding(half_even) overflow(saturate) block_sizes = [0, 1] : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xi32> -> tensor<1x2xi8>
  return %r : tensor<1x2xi8>
}

{-#
  dialect_resources: {
    builtin: {
      w2: "0x400000000102FD04"
    }
  }
#-}

// -----

// The scales of a matrix product's activation vary along what is summed: no accumulator has a step.
// CHECK-LABEL: func.func @must_not_fire_summed
// CHECK: linalg.matmul {{.*}} -> tensor<1x2xf32>
func.func @must_not_fire_summed(%q: tensor<1x2xi8>) -> tensor<1x2xi8> {
  %s = arith.constant dense<[[0.5, 0.25]]> : tensor<1x2xf32>
  %x = qd.dequantize %q scale %s block_sizes = [0, 1] : tensor<1x2xi8>, tensor<1x2xf32> -> tensor<1x2xf32>
  %w = arith.constant dense_resource<w2> : tensor<2x2xi8>
  %sw = arith.constant dense<1.0> : tensor<f32>
  %wf = qd.dequantize %w scale %sw : tensor<2x2xi8>, tensor<f32> -> tensor<2x2xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x2xf32>
  %i = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x2xf32>) -> tensor<1x2xf32>
  %y = linalg.matmul ins(%x, %wf : tensor<1x2xf32>, tensor<2x2xf32>) outs(%i : tensor<1x2xf32>) -> tensor<1x2xf32>
  %r = qd.quantize %y scale %sw rounding(half_even) overflow(saturate) : tensor<1x2xf32>, tensor<f32> -> tensor<1x2xi8>
  return %r : tensor<1x2xi8>
}

{-#
  dialect_resources: {
    builtin: {
      w2: "0x400000000102FD04"
    }
  }
#-}
