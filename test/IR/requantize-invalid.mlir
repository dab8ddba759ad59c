// One case for each constraint label of qd.requantize.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @requantize_c1_tensor_zero_point_of_a_scalar(%a: i32, %s: f32, %z: tensor<i32>) {
  // expected-error@+1 {{zero point type 'tensor<i32>' does not go with input type 'i32'}}
  %0 = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, tensor<i32> -> i8
  return
}

// -----

func.func @requantize_c2_result_shape(%a: vector<4xi32>, %s: f32) {
  // expected-error@+1 {{result type 'vector<8xi8>' differs in shape from input type 'vector<4xi32>'}}
  %0 = qd.requantize %a scale %s rounding(half_even) overflow(saturate) : vector<4xi32>, f32 -> vector<8xi8>
  return
}

// -----

func.func @requantize_c3_float_accumulator(%a: f32, %s: f32) {
  // expected-error@+1 {{input element type 'f32' is not i32 or i64}}
  %0 = qd.requantize %a scale %s rounding(half_even) overflow(saturate) : f32, f32 -> i8
  return
}

// -----

func.func @requantize_c4_wide_codes(%a: i32, %s: f32) {
  // expected-error@+1 {{result element type 'i32' is not an integer alphabet of at most 16 bits}}
  %0 = qd.requantize %a scale %s rounding(half_even) overflow(saturate) : i32, f32 -> i32
  return
}

// -----

func.func @requantize_c5_scale_element(%a: i32, %s: f16) {
  // expected-error@+1 {{scale element type 'f16' is not f32}}
  %0 = qd.requantize %a scale %s rounding(half_even) overflow(saturate) : i32, f16 -> i8
  return
}

// -----

func.func @requantize_c6_zero_point_element(%a: i32, %s: f32, %z: f32) {
  // expected-error@+1 {{zero point element type 'f32' is not i32}}
  %0 = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, f32 -> i8
  return
}

// -----

func.func @requantize_c7_block_count(%a: tensor<4xi32>, %s: tensor<f32>) {
  // expected-error@+1 {{block_sizes has 2 entries for an input of rank 1}}
  %0 = qd.requantize %a scale %s rounding(half_even) overflow(saturate) block_sizes = [0, 0] : tensor<4xi32>, tensor<f32> -> tensor<4xi8>
  return
}

// -----

func.func @requantize_c8_negative_block(%a: tensor<4xi32>, %s: tensor<f32>) {
  // expected-error@+1 {{block size -2 of dimension 0 is negative}}
  %0 = qd.requantize %a scale %s rounding(half_even) overflow(saturate) block_sizes = [-2] : tensor<4xi32>, tensor<f32> -> tensor<4xi8>
  return
}

// -----

func.func @requantize_c9_channels_without_block_sizes(%a: tensor<4x8xi32>, %s: tensor<1x8xf32>) {
  // expected-error@+1 {{scale has 8 elements in dimension 1, where there are 1 blocks}}
  %0 = qd.requantize %a scale %s rounding(half_even) overflow(saturate) : tensor<4x8xi32>, tensor<1x8xf32> -> tensor<4x8xi8>
  return
}

// -----

func.func @requantize_c10_stochastic(%a: i32, %s: f32) {
  // expected-error@+1 {{rounding stochastic is for quantize alone}}
  %0 = qd.requantize %a scale %s rounding(stochastic) overflow(saturate) : i32, f32 -> i8
  return
}
