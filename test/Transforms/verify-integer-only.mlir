// RUN: q-opt %s -qd-verify-integer-only | FileCheck %s

// Floats at the edges: casts of the argument and of the result, and what moves
// them.
// CHECK-LABEL: func @edges
func.func @edges(%x: tensor<2x4xf32>, %s: tensor<f32>) -> tensor<8xf32> attributes {qd.integer_only} {
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<2x4xf32> into tensor<8xf32>
  %q = qd.quantize %flat scale %s rounding(half_even) overflow(saturate) : tensor<8xf32>, tensor<f32> -> tensor<8xi8>
  %p = qd.int_softmax %q scheme(qd) axis = 0 scale = 0.5 to 0.25 zero_point = 0 : tensor<8xi8> -> tensor<8xi8>
  %y = qd.dequantize %p scale %s : tensor<8xi8>, tensor<f32> -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// Nobody asked.
// CHECK-LABEL: func @floats
func.func @floats(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = qd.silu %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// The size of a tensor of floats is none.
// CHECK-LABEL: func @sizes
func.func @sizes(%x: tensor<?xf32>, %s: tensor<f32>) -> (tensor<?xf32>, index) attributes {qd.integer_only} {
  %zero = arith.constant 0 : index
  %q = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<?xf32>, tensor<f32> -> tensor<?xi8>
  %y = qd.dequantize %q scale %s : tensor<?xi8>, tensor<f32> -> tensor<?xf32>
  %n = tensor.dim %y, %zero : tensor<?xf32>
  return %y, %n : tensor<?xf32>, index
}
