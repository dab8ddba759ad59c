// RUN: q-opt %s -qd-commute-dequantize -split-input-file | FileCheck %s

// Reshapes, transposes and slices: the dequantize ends below them.
// CHECK-LABEL: func.func @sink_through_movement
// CHECK: linalg.transpose ins(%arg0 : tensor<2x3xi8>)
// CHECK: tensor.extract_slice {{.*}} : tensor<3x2xi8> to tensor<2x2xi8>
// CHECK: tensor.collapse_shape {{.*}} : tensor<2x2xi8> into tensor<4xi8>
// CHECK: qd.dequantize
// CHECK-NEXT: return
func.func @sink_through_movement(%q: tensor<2x3xi8>) -> tensor<4xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<3> : tensor<i32>
  %d = qd.dequantize %q scale %s zero_point %z : tensor<2x3xi8>, tensor<f32>, tensor<i32> -> tensor<2x3xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %t = linalg.transpose ins(%d : tensor<2x3xf32>) outs(%e : tensor<3x2xf32>) permutation = [1, 0]
  %x = tensor.extract_slice %t[0, 0] [2, 2] [1, 1] : tensor<3x2xf32> to tensor<2x2xf32>
  %c = tensor.collapse_shape %x [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
  return %c : tensor<4xf32>
}

// -----

// Real zero is the zero point's code.
// CHECK-LABEL: func.func @pad_with_zero
// CHECK: arith.constant -7 : i8
// CHECK: tensor.pad %arg0
// CHECK: tensor<2xi8> to tensor<4xi8>
// CHECK: qd.dequantize
func.func @pad_with_zero(%q: tensor<2xi8>) -> tensor<4xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<-7> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %d = qd.dequantize %q scale %s zero_point %z : tensor<2xi8>, tensor<f32>, tensor<i32> -> tensor<2xf32>
  %p = tensor.pad %d low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %c0 : f32
  } : tensor<2xf32> to tensor<4xf32>
  return %p : tensor<4xf32>
}

// -----

// 0.3 is no code of a grid of halves.
// CHECK-LABEL: func.func @must_not_fire_pad_between_codes
// CHECK: qd.dequantize
// CHECK: tensor.pad
// CHECK: tensor<2xf32> to tensor<4xf32>
func.func @must_not_fire_pad_between_codes(%q: tensor<2xi8>) -> tensor<4xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<-7> : tensor<i32>
  %c = arith.constant 0.3 : f32
  %d = qd.dequantize %q scale %s zero_point %z : tensor<2xi8>, tensor<f32>, tensor<i32> -> tensor<2xf32>
  %p = tensor.pad %d low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %c : f32
  } : tensor<2xf32> to tensor<4xf32>
  return %p : tensor<4xf32>
}

// -----

// A max pool over a pad of -infinity is a max pool of codes.
// CHECK-LABEL: func.func @max_pool
// CHECK-DAG: arith.constant -128 : i8
// CHECK: tensor.pad
// CHECK: linalg.fill
// CHECK: linalg.pooling_nhwc_max {{.*}}tensor<1x6x6x2xi8>, tensor<2x2xi8>
// CHECK: qd.dequantize
// CHECK-NEXT: return
func.func @max_pool(%q: tensor<1x4x4x2xi8>) -> tensor<1x5x5x2xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i32>
  %inf = arith.constant 0xFF800000 : f32
  %d = qd.dequantize %q scale %s zero_point %z : tensor<1x4x4x2xi8>, tensor<f32>, tensor<i32> -> tensor<1x4x4x2xf32>
  %p = tensor.pad %d low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %inf : f32
  } : tensor<1x4x4x2xf32> to tensor<1x6x6x2xf32>
  %w = tensor.empty() : tensor<2x2xf32>
  %e = tensor.empty() : tensor<1x5x5x2xf32>
  %f = linalg.fill ins(%inf : f32) outs(%e : tensor<1x5x5x2xf32>) -> tensor<1x5x5x2xf32>
  %m = linalg.pooling_nhwc_max {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%p, %w : tensor<1x6x6x2xf32>, tensor<2x2xf32>) outs(%f : tensor<1x5x5x2xf32>) -> tensor<1x5x5x2xf32>
  return %m : tensor<1x5x5x2xf32>
}

// -----

// relu is a max with the zero point.
// CHECK-LABEL: func.func @relu
// CHECK: linalg.generic
// CHECK: %[[Z:.*]] = arith.constant -20 : i8
// CHECK: arith.maxsi %{{.*}}, %[[Z]] : i8
// CHECK: qd.dequantize
// CHECK-NEXT: return
func.func @relu(%q: tensor<4xi8>) -> tensor<4xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<-20> : tensor<i32>
  %d = qd.dequantize %q scale %s zero_point %z : tensor<4xi8>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%d : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %c0 = arith.constant 0.0 : f32
    %m = arith.maximumf %a, %c0 : f32
    linalg.yield %m : f32
  } -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

// One grid: concatenate codes. Two grids: the quantize climbs instead, and the
// branch of its own grid needs no rounding.
// CHECK-LABEL: func.func @concat
// CHECK: %[[B:.*]] = qd.quantize
// CHECK: tensor.concat dim(0) %arg0, %[[B]]
// CHECK-NEXT: return
func.func @concat(%a: tensor<2xi8>, %b: tensor<2xi8>) -> tensor<4xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %t = arith.constant dense<0.25> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i32>
  %da = qd.dequantize %a scale %s zero_point %z : tensor<2xi8>, tensor<f32>, tensor<i32> -> tensor<2xf32>
  %db = qd.dequantize %b scale %t zero_point %z : tensor<2xi8>, tensor<f32>, tensor<i32> -> tensor<2xf32>
  %c = tensor.concat dim(0) %da, %db : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  %q = qd.quantize %c scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// -----

// The error of a quantization is part of the program.
// CHECK-LABEL: func.func @must_not_fire_dequantize_of_quantize
// CHECK: qd.quantize
// CHECK: qd.dequantize
func.func @must_not_fire_dequantize_of_quantize(%x: tensor<4xf32>) -> tensor<4xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i32>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  %d = qd.dequantize %q scale %s zero_point %z : tensor<4xi8>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// -----

// Truncation does not commute with the grid's own codes in general: left alone.
// CHECK-LABEL: func.func @must_not_fire_truncating
// CHECK: qd.dequantize
// CHECK: qd.quantize
func.func @must_not_fire_truncating(%a: tensor<2xi8>) -> tensor<2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i32>
  %d = qd.dequantize %a scale %s zero_point %z : tensor<2xi8>, tensor<f32>, tensor<i32> -> tensor<2xf32>
  %q = qd.quantize %d scale %s zero_point %z rounding(trunc) overflow(saturate) : tensor<2xf32>, tensor<f32>, tensor<i32> -> tensor<2xi8>
  return %q : tensor<2xi8>
}

// -----

// Channels with grids of their own: a transpose takes the numbers along, a pad has a code for each, a max leaves them apart.
// CHECK-LABEL: func.func @channels_down
// CHECK-SAME: %[[Q:.*]]: tensor<1x2x4x4xi8>
// CHECK-DAG: %[[S:.*]] = arith.constant dense<{{\[\[\[\[}}5.000000e-01, 2.500000e-01]]]]> : tensor<1x1x1x2xf32>
// CHECK-DAG: %[[Z:.*]] = arith.constant dense<{{\[\[\[\[}}3, -4]]]]> : tensor<1x1x1x2xi32>
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[Q]] : tensor<1x2x4x4xi8>)
// CHECK: %[[P:.*]] = arith.constant dense<[3, -4]> : tensor<2xi8>
// CHECK: %[[PADDED:.*]] = tensor.pad %[[T]]
// CHECK: tensor.extract %[[P]]
// CHECK: %[[MAX:.*]] = linalg.pooling_nhwc_max{{.*}} ins(%[[PADDED]], {{.*}} -> tensor<1x4x4x2xi8>
// CHECK: qd.dequantize %[[MAX]] scale %[[S]] zero_point %[[Z]] block_sizes = [0, 0, 0, 1]
func.func @channels_down(%q: tensor<1x2x4x4xi8>) -> tensor<1x4x4x2xf32> {
  %s = arith.constant dense<[[[[0.5]], [[0.25]]]]> : tensor<1x2x1x1xf32>
  %z = arith.constant dense<[[[[3]], [[-4]]]]> : tensor<1x2x1x1xi32>
  %x = qd.dequantize %q scale %s zero_point %z block_sizes = [0, 1, 0, 0] : tensor<1x2x4x4xi8>, tensor<1x2x1x1xf32>, tensor<1x2x1x1xi32> -> tensor<1x2x4x4xf32>
  %e = tensor.empty() : tensor<1x4x4x2xf32>
  %t = linalg.transpose ins(%x : tensor<1x2x4x4xf32>) outs(%e : tensor<1x4x4x2xf32>) permutation = [0, 2, 3, 1]
  %c0 = arith.constant 0.0 : f32
  %p = tensor.pad %t low[0, 1, 1, 0] high[0, 0, 0, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %c0 : f32
  } : tensor<1x4x4x2xf32> to tensor<1x5x5x2xf32>
  %low = arith.constant 0xFF800000 : f32
  %w = tensor.empty() : tensor<2x2xf32>
  %i = linalg.fill ins(%low : f32) outs(%e : tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %m = linalg.pooling_nhwc_max ins(%p, %w : tensor<1x5x5x2xf32>, tensor<2x2xf32>) outs(%i : tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  return %m : tensor<1x4x4x2xf32>
}

// -----

// The other way: the pad's value is a code of each channel, here -1 / 0.5 + 3 and -1 / 0.25 - 4.
// CHECK-LABEL: func.func @channels_up
// CHECK-DAG: %[[P:.*]] = arith.constant dense<[1, -8]> : tensor<2xi8>
// CHECK-DAG: %[[Q:.*]] = qd.quantize %arg0 scale %{{.*}} zero_point %{{.*}} block_sizes = [0, 1]
// CHECK: tensor.pad %[[Q]]
// CHECK: tensor.extract %[[P]]
func.func @channels_up(%x: tensor<3x2xf32>) -> tensor<4x2xi8> {
  %s = arith.constant dense<[[0.5, 0.25]]> : tensor<1x2xf32>
  %z = arith.constant dense<[[3, -4]]> : tensor<1x2xi32>
  %v = arith.constant -1.0 : f32
  %p = tensor.pad %x low[1, 0] high[0, 0] {
  ^bb0(%a: index, %b: index):
    tensor.yield %v : f32
  } : tensor<3x2xf32> to tensor<4x2xf32>
  %q = qd.quantize %p scale %s zero_point %z rounding(half_even) overflow(saturate) block_sizes = [0, 1] : tensor<4x2xf32>, tensor<1x2xf32>, tensor<1x2xi32> -> tensor<4x2xi8>
  return %q : tensor<4x2xi8>
}

// -----

// A reshape that regroups the channels, and a pad of channels, keep their casts.
// CHECK-LABEL: func.func @must_not_fire_channels
// CHECK: %[[X:.*]] = qd.dequantize
// CHECK: tensor.collapse_shape %[[X]]
// CHECK: tensor.pad %[[X]]
func.func @must_not_fire_channels(%q: tensor<3x2xi8>) -> (tensor<6xf32>, tensor<3x4xf32>) {
  %s = arith.constant dense<[[0.5, 0.25]]> : tensor<1x2xf32>
  %x = qd.dequantize %q scale %s block_sizes = [0, 1] : tensor<3x2xi8>, tensor<1x2xf32> -> tensor<3x2xf32>
  %c = tensor.collapse_shape %x [[0, 1]] : tensor<3x2xf32> into tensor<6xf32>
  %v = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1] high[0, 1] {
  ^bb0(%a: index, %b: index):
    tensor.yield %v : f32
  } : tensor<3x2xf32> to tensor<3x4xf32>
  return %c, %p : tensor<6xf32>, tensor<3x4xf32>
}

// -----

// A copy to several places copies codes.

// CHECK-LABEL: @repeated_codes
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<3x4xi8>
// CHECK: %[[E:.+]] = tensor.empty() : tensor<3x2x4xi8>
// CHECK: %[[R:.+]] = linalg.generic {{.*}} ins(%[[Q]] : tensor<3x4xi8>) outs(%[[E]] : tensor<3x2x4xi8>)
// CHECK: linalg.yield {{.*}} : i8
// CHECK: return %[[R]]
func.func @repeated_codes(%q: tensor<3x4xi8>) -> tensor<3x2x4xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<3> : tensor<i32>
  %x = qd.dequantize %q scale %s zero_point %z : tensor<3x4xi8>, tensor<f32>, tensor<i32> -> tensor<3x4xf32>
  %e = tensor.empty() : tensor<3x2x4xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(a, i, b) -> (a, b)>, affine_map<(a, i, b) -> (a, i, b)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<3x4xf32>) outs(%e : tensor<3x2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<3x2x4xf32>
  %y = qd.quantize %r scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<3x2x4xf32>, tensor<f32>, tensor<i32> -> tensor<3x2x4xi8>
  return %y : tensor<3x2x4xi8>
}

// -----

// Grids of channels go along.

// CHECK-LABEL: @repeated_channel_grids
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<3x2xi8>
// CHECK: linalg.generic {{.*}} ins(%[[Q]] : tensor<3x2xi8>)
// CHECK: qd.dequantize %{{.*}} scale %{{.*}} block_sizes = [0, 0, 1] : tensor<3x4x2xi8>, tensor<1x1x2xf32> -> tensor<3x4x2xf32>
func.func @repeated_channel_grids(%q: tensor<3x2xi8>) -> tensor<3x4x2xf32> {
  %s = arith.constant dense<[[0.5, 0.25]]> : tensor<1x2xf32>
  %x = qd.dequantize %q scale %s block_sizes = [0, 1] : tensor<3x2xi8>, tensor<1x2xf32> -> tensor<3x2xf32>
  %e = tensor.empty() : tensor<3x4x2xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(a, i, b) -> (a, b)>, affine_map<(a, i, b) -> (a, i, b)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<3x2xf32>) outs(%e : tensor<3x4x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<3x4x2xf32>
  return %r : tensor<3x4x2xf32>
}

// -----

// So do minifloats of one scale.

// CHECK-LABEL: @reshaped_minifloats
// CHECK: %[[Q:.*]] = tensor.collapse_shape %arg0 {{.*}} : tensor<2x3x4xf8E4M3FN> into tensor<6x4xf8E4M3FN>
// CHECK: qd.dequantize %[[Q]] scale %{{.*}} : tensor<6x4xf8E4M3FN>, tensor<f32> -> tensor<6x4xf32>
func.func @reshaped_minifloats(%q: tensor<2x3x4xf8E4M3FN>) -> tensor<6x4xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %x = qd.dequantize %q scale %s : tensor<2x3x4xf8E4M3FN>, tensor<f32> -> tensor<2x3x4xf32>
  %y = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x3x4xf32> into tensor<6x4xf32>
  return %y : tensor<6x4xf32>
}
