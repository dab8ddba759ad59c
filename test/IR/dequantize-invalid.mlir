// One case for each constraint label of qd.dequantize.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @dequantize_c1_tensor_to_vector(%q: tensor<4xi8>, %s: tensor<f32>) {
  // expected-error@+1 {{input type 'tensor<4xi8>' and result type 'vector<4xf32>' are not both scalars, vectors or ranked tensors}}
  %0 = qd.dequantize %q scale %s : tensor<4xi8>, tensor<f32> -> vector<4xf32>
  return
}

// -----

func.func @dequantize_c2_vector_scale_shape(%q: vector<4xi8>, %s: vector<8xf32>) {
  // expected-error@+1 {{scale type 'vector<8xf32>' differs in shape from input type 'vector<4xi8>'}}
  %0 = qd.dequantize %q scale %s : vector<4xi8>, vector<8xf32> -> vector<4xf32>
  return
}

// -----

func.func @dequantize_c3_codebook_input(%q: !qd.codebook<16>, %s: f32) {
  // expected-error@+1 {{input element type '!qd.codebook<16>' is not an alphabet of at most 19 bits or an integer of at most 32}}
  %0 = qd.dequantize %q scale %s : !qd.codebook<16>, f32 -> f32
  return
}

// -----

func.func @dequantize_c4_integer_result(%q: i8, %s: f32) {
  // expected-error@+1 {{result element type 'i32' is not f16, bf16 or f32}}
  %0 = qd.dequantize %q scale %s : i8, f32 -> i32
  return
}

// -----

func.func @dequantize_c5_no_scale(%q: i8) {
  // expected-error@+1 {{has no scale}}
  %0 = "qd.dequantize"(%q) <{operandSegmentSizes = array<i32: 1, 0, 0, 0>}> : (i8) -> f32
  return
}

// -----

func.func @dequantize_c6_integer_zero_point_in_the_real_domain(%q: i8, %s: f32, %z: i32) {
  // expected-error@+1 {{real zero point element type 'i32' is not f16, bf16 or f32}}
  %0 = qd.dequantize %q scale %s zero_point %z domain(real) : i8, f32, i32 -> f32
  return
}

// -----

func.func @dequantize_c7_zero_point_of_float_codes(%q: f8E4M3FN, %s: f32, %z: i32) {
  // expected-error@+1 {{zero point in codes needs an integer alphabet, not 'f8E4M3FN'}}
  %0 = qd.dequantize %q scale %s zero_point %z : f8E4M3FN, f32, i32 -> f32
  return
}

// -----

func.func @dequantize_c8_blocks_on_a_scalar(%q: i8, %s: f32) {
  // expected-error@+1 {{block_sizes stand on an input of type 'i8', which is no tensor}}
  %0 = qd.dequantize %q scale %s block_sizes = [1] : i8, f32 -> f32
  return
}

// -----

func.func @dequantize_c9_negative_block(%q: tensor<4xi8>, %s: tensor<f32>) {
  // expected-error@+1 {{block size -4 of dimension 0 is negative}}
  %0 = qd.dequantize %q scale %s block_sizes = [-4] : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  return
}

// -----

func.func @dequantize_c10_zero_point_rank(%q: tensor<4x8xi8>, %s: tensor<f32>, %z: tensor<8xi32>) {
  // expected-error@+1 {{zero point has rank 1, expected 0 or the input's 2}}
  %0 = qd.dequantize %q scale %s zero_point %z block_sizes = [0, 1] : tensor<4x8xi8>, tensor<f32>, tensor<8xi32> -> tensor<4x8xf32>
  return
}

// -----

func.func @dequantize_c11_two_grouped_dimensions(%q: tensor<4x8xi8>, %s: tensor<2x2xf32>, %g: tensor<8xi32>) {
  // expected-error@+1 {{group_index needs exactly one block size above 1, there are 2}}
  %0 = qd.dequantize %q scale %s group_index %g block_sizes = [2, 4] : tensor<4x8xi8>, tensor<2x2xf32>, tensor<8xi32> -> tensor<4x8xf32>
  return
}

// -----

func.func @dequantize_c12_group_index_element(%q: tensor<4x8xi8>, %s: tensor<1x2xf32>, %g: tensor<8xi64>) {
  // expected-error@+1 {{group_index type 'tensor<8xi64>' is not a row of i32 for dimension 1 of size 8}}
  %0 = qd.dequantize %q scale %s group_index %g block_sizes = [0, 4] : tensor<4x8xi8>, tensor<1x2xf32>, tensor<8xi64> -> tensor<4x8xf32>
  return
}

// -----

func.func @dequantize_c13_group(%x: tensor<4xi8>, %s: tensor<2xf32>) {
  %g = arith.constant dense<[0, 1, -7, 1]> : tensor<4xi32>
  // expected-error@+1 {{group_index holds -7, but dimension 0 has 2 blocks}}
  %0 = qd.dequantize %x scale %s group_index %g block_sizes = [2] : tensor<4xi8>, tensor<2xf32>, tensor<4xi32> -> tensor<4xf32>
  return
}
