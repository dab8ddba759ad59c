// RUN: q-opt %s --qd-cast-to-linalg --split-input-file | FileCheck %s

// Parameters of a whole tensor have the empty map; the name moves along.
// CHECK-DAG: #[[$ALL:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[$ONE:.*]] = affine_map<(d0, d1) -> ()>
// CHECK-LABEL: func @per_tensor
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>, %[[S:.*]]: tensor<f32>, %[[Z:.*]]: tensor<i32>
func.func @per_tensor(%x: tensor<4x8xf32>, %s: tensor<f32>, %z: tensor<i32>) -> tensor<4x8xi8> {
  // CHECK: linalg.generic {indexing_maps = [#[[$ALL]], #[[$ONE]], #[[$ONE]], #[[$ALL]]], iterator_types = ["parallel", "parallel"]} ins(%[[X]], %[[S]], %[[Z]] : {{.*}}) outs(%{{.*}} : tensor<4x8xi8>) attrs = {qd.name = "y"}
  // CHECK: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32, %[[C:.*]]: i32, %{{.*}}: i8):
  // CHECK: %[[Q:.*]] = qd.quantize %[[A]] scale %[[B]] zero_point %[[C]] rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8
  // CHECK: linalg.yield %[[Q]]
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) {qd.name = "y"} : tensor<4x8xf32>, tensor<f32>, tensor<i32> -> tensor<4x8xi8>
  return %q : tensor<4x8xi8>
}

// -----

// Blocks divide; a dynamic dimension needs nothing special.
// CHECK-DAG: #[[$BLOCKS:.*]] = affine_map<(d0, d1) -> (d0, d1 floordiv 32)>
// CHECK-LABEL: func @blocks
func.func @blocks(%x: tensor<?x40xi4>, %s: tensor<?x2xf32>, %t: tensor<f32>) -> tensor<?x40xf32> {
  // CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[$BLOCKS]], #{{.*}}, #{{.*}}]
  // CHECK: qd.dequantize %{{.*}} scale %{{.*}}, %{{.*}} : i4, f32, f32 -> f32
  %q = qd.dequantize %x scale %s, %t block_sizes = [1, 32] : tensor<?x40xi4>, tensor<?x2xf32>, tensor<f32> -> tensor<?x40xf32>
  return %q : tensor<?x40xf32>
}

// -----

// Unit dimensions are broadcast and collapsed away, in constants at once.
// CHECK-DAG: #[[$CHANNEL:.*]] = affine_map<(d0, d1, d2, d3) -> (d1)>
// CHECK-LABEL: func @per_channel
// CHECK-SAME: %[[A:.*]]: tensor<1x4x2x2xi32>, %[[N:.*]]: tensor<1x4x1x1xi32>
func.func @per_channel(%a: tensor<1x4x2x2xi32>, %n: tensor<1x4x1x1xi32>) -> tensor<1x4x2x2xi8> {
  %m = arith.constant dense<[[[[3]], [[5]], [[7]], [[9]]]]> : tensor<1x4x1x1xi32>
  // CHECK-DAG: %[[M:.*]] = arith.constant dense<[3, 5, 7, 9]> : tensor<4xi32>
  // CHECK-DAG: %[[C:.*]] = tensor.collapse_shape %[[N]] {{.*}} : tensor<1x4x1x1xi32> into tensor<4xi32>
  // CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[$CHANNEL]], #[[$CHANNEL]], #{{.*}}]{{.*}} ins(%[[A]], %[[M]], %[[C]] :
  // CHECK: qd.rescale %{{.*}} multiplier %{{.*}} shift %{{.*}} rounding(half_up) overflow(saturate) : i32, i32, i32 -> i8
  %q = qd.rescale %a multiplier %m shift %n rounding(half_up) overflow(saturate) block_sizes = [0, 1, 0, 0] : tensor<1x4x2x2xi32>, tensor<1x4x1x1xi32>, tensor<1x4x1x1xi32> -> tensor<1x4x2x2xi8>
  return %q : tensor<1x4x2x2xi8>
}

// -----

// CHECK-LABEL: func @requantize
func.func @requantize(%a: tensor<4xi32>, %s: tensor<4xf32>) -> tensor<4x!qd.uint<8>> {
  // CHECK: linalg.generic
  // CHECK: qd.requantize %{{.*}} scale %{{.*}} rounding(half_even) overflow(saturate) : i32, f32 -> !qd.uint<8>
  %q = qd.requantize %a scale %s rounding(half_even) overflow(saturate) block_sizes = [1] : tensor<4xi32>, tensor<4xf32> -> tensor<4x!qd.uint<8>>
  return %q : tensor<4x!qd.uint<8>>
}

// -----

// Under a group index a grouped parameter is extracted, another one is not. A
// number of the run is moved to the nearest block.
// CHECK-LABEL: func @group_index
// CHECK-SAME: %[[Q:.*]]: tensor<3x64xi4>, %[[S:.*]]: tensor<3x2xf32>, %[[Z:.*]]: tensor<3x1xi32>, %[[G:.*]]: tensor<64xi32>
func.func @group_index(%q: tensor<3x64xi4>, %s: tensor<3x2xf32>, %z: tensor<3x1xi32>, %g: tensor<64xi32>) -> tensor<3x64xf32> {
  // CHECK: %[[C:.*]] = tensor.collapse_shape %[[Z]]
  // CHECK: linalg.generic {{.*}} ins(%[[Q]], %[[G]], %[[C]] :
  // CHECK: ^bb0(%[[A:.*]]: i4, %[[B:.*]]: i32, %[[D:.*]]: i32, %{{.*}}: f32):
  // CHECK: %[[GROUP:.*]] = arith.index_cast %[[B]] : i32 to index
  // CHECK: %[[ROW:.*]] = linalg.index 0
  // CHECK: %[[LEAST:.*]] = arith.maxsi %[[GROUP]], %{{.*}} : index
  // CHECK: %[[BLOCK:.*]] = arith.minsi %[[LEAST]], %{{.*}} : index
  // CHECK: %[[E:.*]] = tensor.extract %[[S]][%[[ROW]], %[[BLOCK]]]
  // CHECK: qd.dequantize %[[A]] scale %[[E]] zero_point %[[D]]
  %x = qd.dequantize %q scale %s zero_point %z group_index %g block_sizes = [1, 32] : tensor<3x64xi4>, tensor<3x2xf32>, tensor<3x1xi32>, tensor<64xi32> -> tensor<3x64xf32>
  return %x : tensor<3x64xf32>
}

// -----

// Those of a constant are verified.
// CHECK-LABEL: func @constant_group_index
func.func @constant_group_index(%q: tensor<4xi4>, %s: tensor<2xf32>) -> tensor<4xf32> {
  %g = arith.constant dense<[0, 1, 1, 0]> : tensor<4xi32>
  // CHECK: linalg.generic
  // CHECK-NOT: arith.maxsi
  // CHECK: qd.dequantize
  %x = qd.dequantize %q scale %s group_index %g block_sizes = [2] : tensor<4xi4>, tensor<2xf32>, tensor<4xi32> -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// CHECK-LABEL: func @functions
// CHECK-SAME: %{{.*}}: tensor<4xi8>, %[[T:.*]]: tensor<256xi8>
func.func @functions(%q: tensor<4xi8>, %t: tensor<256xi8>, %x: tensor<4xf32>) -> (tensor<4xi8>, tensor<4xf32>) {
  // CHECK: qd.lookup %{{.*}}, %[[T]] : i8, tensor<256xi8> -> i8
  %0 = qd.lookup %q, %t : tensor<4xi8>, tensor<256xi8> -> tensor<4xi8>
  // CHECK: qd.silu %{{.*}} : f32
  %1 = qd.silu %x : tensor<4xf32>
  // CHECK: qd.gelu %{{.*}} approximate(tanh) : f32
  %2 = qd.gelu %1 approximate(tanh) : tensor<4xf32>
  return %0, %2 : tensor<4xi8>, tensor<4xf32>
}

// -----

// Must not fire: stochastic rounding needs the index of the element; scalars
// are payloads already.
// CHECK-LABEL: func @left_alone
// CHECK-NOT: linalg.generic
func.func @left_alone(%x: tensor<4xf32>, %s: tensor<f32>, %a: f32, %b: f32) -> (tensor<4xi8>, i8) {
  %0 = qd.quantize %x scale %s rounding(stochastic) overflow(saturate) {seed = 1 : i64} : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  %1 = qd.quantize %a scale %b rounding(half_even) overflow(saturate) : f32, f32 -> i8
  return %0, %1 : tensor<4xi8>, i8
}
