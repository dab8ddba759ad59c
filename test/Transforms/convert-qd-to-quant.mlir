// RUN: q-opt %s --convert-qd-to-quant --split-input-file | FileCheck %s
// The way back gives the same program.
// RUN: q-opt %s --convert-qd-to-quant --convert-quant-to-qd --canonicalize --split-input-file | FileCheck %s --check-prefix=BACK

// CHECK-LABEL: func @per_tensor
// BACK-LABEL: func @per_tensor
func.func @per_tensor(%x: tensor<4xf32>) -> tensor<4xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<3> : tensor<i32>
  // CHECK: %[[T:.*]] = quant.qcast %{{.*}} : tensor<4xf32> to tensor<4x!quant.uniform<i8:f32, 5.000000e-01:3>>
  // CHECK: quant.scast %[[T]] : tensor<4x!quant.uniform<i8:f32, 5.000000e-01:3>> to tensor<4xi8>
  // BACK: qd.quantize %{{.*}} scale %{{.*}} zero_point %{{.*}} rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// -----

// CHECK-LABEL: func @per_axis
// BACK-LABEL: func @per_axis
func.func @per_axis(%q: tensor<2x2x!qd.uint<8>>) -> tensor<2x2xf32> {
  %s = arith.constant dense<[[0.5], [0.25]]> : tensor<2x1xf32>
  %z = arith.constant dense<128> : tensor<i32>
  // CHECK: %[[B:.*]] = qd.storage_cast %{{.*}} : tensor<2x2x!qd.uint<8>> to tensor<2x2xi8>
  // CHECK: %[[T:.*]] = quant.scast %[[B]] : tensor<2x2xi8> to tensor<2x2x!quant.uniform<u8:f32:0, {5.000000e-01:128,2.500000e-01:128}>>
  // CHECK: quant.dcast %[[T]]
  // BACK: qd.dequantize %{{.*}} scale %{{.*}} zero_point %{{.*}} block_sizes = [1, 0] : tensor<2x2x!qd.uint<8>>, tensor<2x1xf32>, tensor<2x1xi32> -> tensor<2x2xf32>
  %x = qd.dequantize %q scale %s zero_point %z block_sizes = [1, 0] : tensor<2x2x!qd.uint<8>>, tensor<2x1xf32>, tensor<i32> -> tensor<2x2xf32>
  return %x : tensor<2x2xf32>
}

// -----

// CHECK-LABEL: func @sub_channel
// BACK-LABEL: func @sub_channel
func.func @sub_channel(%q: tensor<4x2xi4>) -> tensor<4x2xf32> {
  %s = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  // CHECK: quant.dcast %{{.*}} : tensor<4x2x!quant.uniform<i4:f32:{0:2, 1:1}, {{.*}}>> to tensor<4x2xf32>
  // BACK: qd.dequantize %{{.*}} scale %{{.*}} block_sizes = [2, 1] : tensor<4x2xi4>, tensor<2x2xf32> -> tensor<4x2xf32>
  %x = qd.dequantize %q scale %s block_sizes = [2, 1] : tensor<4x2xi4>, tensor<2x2xf32> -> tensor<4x2xf32>
  return %x : tensor<4x2xf32>
}

// -----

// Must not fire: upstream cannot say any of these.
// CHECK-LABEL: func @left_alone
// CHECK-NOT: quant.
// BACK-LABEL: func @left_alone
func.func @left_alone(%x: tensor<4xf32>, %d: tensor<f32>, %q: tensor<4xf8E4M3FN>) -> (tensor<4xi8>, tensor<4xi8>, tensor<4xi8>, tensor<4xf32>) {
  %s = arith.constant dense<0.5> : tensor<f32>
  %0 = qd.quantize %x scale %d rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  %1 = qd.quantize %x scale %s rounding(half_up) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  %2 = qd.quantize %x scale %s, %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<f32> -> tensor<4xi8>
  %3 = qd.dequantize %q scale %s : tensor<4xf8E4M3FN>, tensor<f32> -> tensor<4xf32>
  return %0, %1, %2, %3 : tensor<4xi8>, tensor<4xi8>, tensor<4xi8>, tensor<4xf32>
}
