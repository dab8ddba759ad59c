// RUN: q-opt %s --convert-quant-to-qd --canonicalize --split-input-file | FileCheck %s

// CHECK-LABEL: func @per_tensor
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>) -> tensor<4xi8>
func.func @per_tensor(%x: tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 0.5:3>> {
  // CHECK-DAG: %[[S:.*]] = arith.constant dense<5.000000e-01> : tensor<f32>
  // CHECK-DAG: %[[Z:.*]] = arith.constant dense<3> : tensor<i32>
  // CHECK: %[[Q:.*]] = qd.quantize %[[X]] scale %[[S]] zero_point %[[Z]] rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  %q = quant.qcast %x : tensor<4xf32> to tensor<4x!quant.uniform<i8:f32, 0.5:3>>
  // CHECK: return %[[Q]]
  return %q : tensor<4x!quant.uniform<i8:f32, 0.5:3>>
}

// -----

// Zero points that are all 0 are left out.
// CHECK-LABEL: func @per_axis
// CHECK-SAME: %[[Q:.*]]: tensor<2x3xi8>
func.func @per_axis(%q: tensor<2x3x!quant.uniform<i8:f32:1, {0.5, 0.25, 2.0}>>) -> tensor<2x3xf32> {
  // CHECK: %[[S:.*]] = arith.constant dense<{{\[\[}}5.000000e-01, 2.500000e-01, 2.000000e+00]]> : tensor<1x3xf32>
  // CHECK: qd.dequantize %[[Q]] scale %[[S]] block_sizes = [0, 1] : tensor<2x3xi8>, tensor<1x3xf32> -> tensor<2x3xf32>
  %x = quant.dcast %q : tensor<2x3x!quant.uniform<i8:f32:1, {0.5, 0.25, 2.0}>> to tensor<2x3xf32>
  return %x : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func @sub_channel
// CHECK-SAME: %[[Q:.*]]: tensor<4x2x!qd.uint<8>>
func.func @sub_channel(%q: tensor<4x2x!quant.uniform<u8:f32:{0:2, 1:1}, {{1.0:1, 2.0:2}, {3.0:3, 4.0:255}}>>) -> tensor<4x2xf32> {
  // CHECK-DAG: %[[S:.*]] = arith.constant dense<{{.*}}1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00]]> : tensor<2x2xf32>
  // CHECK-DAG: %[[Z:.*]] = arith.constant dense<{{.*}}1, 2], [3, 255]]> : tensor<2x2xi32>
  // CHECK: qd.dequantize %[[Q]] scale %[[S]] zero_point %[[Z]] block_sizes = [2, 1] : tensor<4x2x!qd.uint<8>>
  %x = quant.dcast %q : tensor<4x2x!quant.uniform<u8:f32:{0:2, 1:1}, {{1.0:1, 2.0:2}, {3.0:3, 4.0:255}}>> to tensor<4x2xf32>
  return %x : tensor<4x2xf32>
}

// -----

// Data movement and function types follow; a storage cast of unsigned codes is
// one of ours, of signed ones nothing.
// CHECK-LABEL: func @storage
// CHECK-SAME: %[[A:.*]]: tensor<4xi8>, %[[B:.*]]: tensor<4x!qd.uint<8>>) -> (tensor<2xi8>, tensor<4xi8>)
func.func @storage(%a: tensor<4x!quant.uniform<i8:f32, 1.0>>, %b: tensor<4x!quant.uniform<u8:f32, 1.0>>) -> (tensor<2xi8>, tensor<4xi8>) {
  // CHECK: %[[E:.*]] = tensor.extract_slice %[[A]][0] [2] [1] : tensor<4xi8> to tensor<2xi8>
  %s = tensor.extract_slice %a[0] [2] [1] : tensor<4x!quant.uniform<i8:f32, 1.0>> to tensor<2x!quant.uniform<i8:f32, 1.0>>
  %0 = quant.scast %s : tensor<2x!quant.uniform<i8:f32, 1.0>> to tensor<2xi8>
  // CHECK: %[[C:.*]] = qd.storage_cast %[[B]] : tensor<4x!qd.uint<8>> to tensor<4xi8>
  %1 = quant.scast %b : tensor<4x!quant.uniform<u8:f32, 1.0>> to tensor<4xi8>
  // CHECK: return %[[E]], %[[C]]
  return %0, %1 : tensor<2xi8>, tensor<4xi8>
}
