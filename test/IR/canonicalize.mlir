// What folds, and above all what must not: no quantization error is ever erased.
// RUN: q-opt %s --canonicalize --split-input-file | FileCheck %s

// A code survives the way to its value and back.
// CHECK-LABEL: func @quantize_of_dequantize
// CHECK-SAME: %[[Q:.*]]: tensor<4x2xi8>
func.func @quantize_of_dequantize(%q: tensor<4x2xi8>) -> tensor<4x2xi8> {
  %s = arith.constant dense<[[0.5, 0.25]]> : tensor<1x2xf32>
  %z = arith.constant dense<3> : tensor<i32>
  %x = qd.dequantize %q scale %s zero_point %z block_sizes = [0, 1] : tensor<4x2xi8>, tensor<1x2xf32>, tensor<i32> -> tensor<4x2xf32>
  %r = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) block_sizes = [0, 1] : tensor<4x2xf32>, tensor<1x2xf32>, tensor<i32> -> tensor<4x2xi8>
  // CHECK-NOT: qd.
  // CHECK: return %[[Q]]
  return %r : tensor<4x2xi8>
}

// -----

// The other order is where the error is made.
// CHECK-LABEL: func @dequantize_of_quantize
func.func @dequantize_of_quantize(%x: tensor<4xf32>) -> tensor<4xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  // CHECK: %[[Q:.*]] = qd.quantize
  %q = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  // CHECK: %[[Y:.*]] = qd.dequantize %[[Q]]
  %y = qd.dequantize %q scale %s : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  // CHECK: return %[[Y]]
  return %y : tensor<4xf32>
}

// -----

// f32(q - z) * s / s may lie just below q - z, which floor does not forgive.
// CHECK-LABEL: func @directed_rounding
func.func @directed_rounding(%q: tensor<4xi8>) -> tensor<4xi8> {
  %s = arith.constant dense<0.1> : tensor<f32>
  %x = qd.dequantize %q scale %s : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  // CHECK: qd.quantize
  %r = qd.quantize %x scale %s rounding(floor) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// -----

// 0 / 0 gives the zero point, whatever the code was.
// CHECK-LABEL: func @zero_scale
func.func @zero_scale(%q: tensor<4xi8>) -> tensor<4xi8> {
  %s = arith.constant dense<0.0> : tensor<f32>
  %x = qd.dequantize %q scale %s : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  // CHECK: qd.quantize
  %r = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// -----

// An unknown scale may be zero.
// CHECK-LABEL: func @unknown_scale
func.func @unknown_scale(%q: tensor<4xi8>, %s: tensor<f32>) -> tensor<4xi8> {
  %x = qd.dequantize %q scale %s : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  // CHECK: qd.quantize
  %r = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// -----

// CHECK-LABEL: func @other_parameters
func.func @other_parameters(%q: tensor<4xi8>, %u: tensor<4x!qd.uint<8>>) -> (tensor<4xi8>, tensor<4xi8>, tensor<4xi8>, tensor<4xi8>) {
  %s = arith.constant dense<0.5> : tensor<f32>
  %t = arith.constant dense<0.25> : tensor<f32>
  %z = arith.constant dense<1> : tensor<i32>
  %x = qd.dequantize %q scale %s : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  // CHECK-COUNT-4: qd.quantize
  %0 = qd.quantize %x scale %t rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  %1 = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  %y = qd.dequantize %u scale %s : tensor<4x!qd.uint<8>>, tensor<f32> -> tensor<4xf32>
  %2 = qd.quantize %y scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  // f16 has not the digits.
  %h = qd.dequantize %q scale %s : tensor<4xi8>, tensor<f32> -> tensor<4xf16>
  %3 = qd.quantize %h scale %s rounding(half_even) overflow(saturate) : tensor<4xf16>, tensor<f32> -> tensor<4xi8>
  return %0, %1, %2, %3 : tensor<4xi8>, tensor<4xi8>, tensor<4xi8>, tensor<4xi8>
}

// -----

// CHECK-LABEL: func @storage_casts
// CHECK-SAME: %[[U:.*]]: !qd.uint<8>
func.func @storage_casts(%u: !qd.uint<8>) -> (!qd.uint<8>, i8, f8E4M3FN) {
  %0 = qd.storage_cast %u : !qd.uint<8> to i8
  %1 = qd.storage_cast %0 : i8 to !qd.uint<8>
  %2 = qd.storage_cast %0 : i8 to i8
  // CHECK-DAG: %[[I:.*]] = qd.storage_cast %[[U]] : !qd.uint<8> to i8
  // CHECK-DAG: %[[F:.*]] = qd.storage_cast %[[U]] : !qd.uint<8> to f8E4M3FN
  %3 = qd.storage_cast %0 : i8 to f8E4M3FN
  // CHECK: return %[[U]], %[[I]], %[[F]]
  return %1, %2, %3 : !qd.uint<8>, i8, f8E4M3FN
}

// -----

// A constant takes the new type and keeps its bytes.
// CHECK-LABEL: func @storage_cast_of_constant
func.func @storage_cast_of_constant() -> tensor<4xi8> {
  %w = arith.constant dense_resource<w> : tensor<4x!qd.uint<8>>
  // CHECK: %[[W:.*]] = arith.constant dense_resource<w> : tensor<4xi8>
  // CHECK: return %[[W]]
  %0 = qd.storage_cast %w : tensor<4x!qd.uint<8>> to tensor<4xi8>
  return %0 : tensor<4xi8>
}

{-# dialect_resources: { builtin: { w: "0x0400000001020304" } } #-}

// -----

// Dead pure ops go, observers stay.
// CHECK-LABEL: func @dead
func.func @dead(%x: tensor<4xf32>) {
  // CHECK-NEXT: qd.observe
  %o = qd.observe %x "x" : tensor<4xf32>
  %s = qd.softmax %x axis = 0 : tensor<4xf32>
  %d = qd.dispatch ins(%x : tensor<4xf32>) -> (tensor<4xf32>) {
  ^bb0(%a: tensor<4xf32>):
    qd.yield %a : tensor<4xf32>
  }
  // CHECK-NEXT: return
  return
}
