// RUN: q-opt %s --qd-lower-alphabets -split-input-file -verify-diagnostics

// An unsigned code would be read as a signed one.
func.func @dequantize(%x: !qd.uint<4>, %s: f32) -> f32 {
  // expected-error@+1 {{computes with '!qd.uint<4>', of which only the bits would be left; expand it before qd-lower-alphabets}}
  %v = qd.dequantize %x scale %s : !qd.uint<4>, f32 -> f32
  return %v : f32
}

// -----

func.func @parameters(%x: tensor<4xf32>) -> (tensor<f32>, tensor<i32>) {
  // expected-error@+1 {{computes with !qd.uint<8>}}
  %s, %z = qd.choose_params %x for !qd.uint<8> : tensor<4xf32> -> tensor<f32>, tensor<i32>
  return %s, %z : tensor<f32>, tensor<i32>
}

// -----

// With no other sign of qd in the module, too.
func.func @extend(%x: f8E4M3FN) -> f32 {
  // expected-error@+1 {{computes with 'f8E4M3FN'}}
  %a = arith.extf %x : f8E4M3FN to f32
  return %a : f32
}
