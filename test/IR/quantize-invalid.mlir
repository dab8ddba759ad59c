// One case for each constraint label of qd.quantize.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @quantize_c1_scalar_scale_of_a_tensor(%x: tensor<4xf32>, %s: f32) {
  // expected-error@+1 {{scale type 'f32' does not go with input type 'tensor<4xf32>'}}
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, f32 -> tensor<4xi8>
  return
}

// -----

func.func @quantize_c2_result_shape(%x: tensor<4xf32>, %s: tensor<f32>) {
  // expected-error@+1 {{result type 'tensor<5xi8>' differs in shape from input type 'tensor<4xf32>'}}
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<5xi8>
  return
}

// -----

func.func @quantize_c3_integer_input(%x: i32, %s: f32) {
  // expected-error@+1 {{input element type 'i32' is not f16, bf16 or f32}}
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : i32, f32 -> i8
  return
}

// -----

func.func @quantize_c4_wide_codes(%x: f32, %s: f32) {
  // expected-error@+1 {{result element type 'i32' is not an alphabet of at most 19 bits}}
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : f32, f32 -> i32
  return
}

// -----

func.func @quantize_c5_scale_element(%x: f32, %s: f64) {
  // expected-error@+1 {{scale element type 'f64' is not f32, f16, bf16, f8E8M0FNU, f8E4M3FN or a signless integer}}
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : f32, f64 -> i8
  return
}

// -----

func.func @quantize_c6_zero_point_element(%x: f32, %s: f32, %z: i8) {
  // expected-error@+1 {{zero point element type 'i8' is not i32}}
  %0 = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : f32, f32, i8 -> i8
  return
}

// -----

func.func @quantize_c7_zero_point_of_ternary(%x: f32, %s: f32, %z: i32) {
  // expected-error@+1 {{zero point in codes needs an integer alphabet, not '!qd.ternary'}}
  %0 = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : f32, f32, i32 -> !qd.ternary
  return
}

// -----

func.func @quantize_c8_block_count(%x: tensor<4x8xf32>, %s: tensor<f32>) {
  // expected-error@+1 {{block_sizes has 1 entries for an input of rank 2}}
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) block_sizes = [0] : tensor<4x8xf32>, tensor<f32> -> tensor<4x8xi8>
  return
}

// -----

func.func @quantize_c9_negative_block(%x: tensor<4x8xf32>, %s: tensor<f32>) {
  // expected-error@+1 {{block size -1 of dimension 1 is negative}}
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) block_sizes = [0, -1] : tensor<4x8xf32>, tensor<f32> -> tensor<4x8xi8>
  return
}

// -----

func.func @quantize_c10_blocks(%x: tensor<4x40xf32>, %s: tensor<1x3xf32>) {
  // expected-error@+1 {{scale has 3 elements in dimension 1, where there are 2 blocks}}
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) block_sizes = [0, 32] : tensor<4x40xf32>, tensor<1x3xf32> -> tensor<4x40xi8>
  return
}

// -----

func.func @quantize_c11_group_index_without_blocks(%x: tensor<4x8xf32>, %s: tensor<1x8xf32>, %g: tensor<8xi32>) {
  // expected-error@+1 {{group_index needs exactly one block size above 1, there are 0}}
  %0 = qd.quantize %x scale %s group_index %g rounding(half_even) overflow(saturate) block_sizes = [0, 1] : tensor<4x8xf32>, tensor<1x8xf32>, tensor<8xi32> -> tensor<4x8xi8>
  return
}

// -----

func.func @quantize_c12_group_index_length(%x: tensor<4x8xf32>, %s: tensor<1x2xf32>, %g: tensor<4xi32>) {
  // expected-error@+1 {{group_index type 'tensor<4xi32>' is not a row of i32 for dimension 1 of size 8}}
  %0 = qd.quantize %x scale %s group_index %g rounding(half_even) overflow(saturate) block_sizes = [0, 4] : tensor<4x8xf32>, tensor<1x2xf32>, tensor<4xi32> -> tensor<4x8xi8>
  return
}

// -----

func.func @quantize_c13_stochastic_without_seed(%x: tensor<4xf32>, %s: tensor<f32>) {
  // expected-error@+1 {{rounding stochastic needs a seed}}
  %0 = qd.quantize %x scale %s rounding(stochastic) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return
}

// -----

func.func @quantize_c14_stochastic_scalar(%x: f32, %s: f32) {
  // expected-error@+1 {{rounding stochastic needs a tensor, not 'i8'}}
  %0 = qd.quantize %x scale %s rounding(stochastic) overflow(saturate) {seed = 1 : i64} : f32, f32 -> i8
  return
}

// -----

func.func @quantize_c15_wrapping_ternary(%x: f32, %s: f32) {
  // expected-error@+1 {{overflow wrap needs integers or floats, not '!qd.ternary'}}
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(wrap) : f32, f32 -> !qd.ternary
  return
}

// -----

func.func @quantize_c16_group(%x: tensor<4xf32>, %s: tensor<2xf32>) {
  %g = arith.constant dense<[0, 1, 2, 1]> : tensor<4xi32>
  // expected-error@+1 {{group_index holds 2, but dimension 0 has 2 blocks}}
  %0 = qd.quantize %x scale %s group_index %g rounding(half_even) overflow(saturate) block_sizes = [2] : tensor<4xf32>, tensor<2xf32>, tensor<4xi32> -> tensor<4xi8>
  return
}
