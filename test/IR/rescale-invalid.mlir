// One case for each constraint label of qd.rescale.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @rescale_c1_tensor_shift_of_a_vector(%a: vector<4xi32>, %m: i32, %n: tensor<i32>) {
  // expected-error@+1 {{shift type 'tensor<i32>' does not go with input type 'vector<4xi32>'}}
  %0 = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(saturate) : vector<4xi32>, i32, tensor<i32> -> vector<4xi8>
  return
}

// -----

func.func @rescale_c2_multiplier_shape(%a: vector<4xi32>, %m: vector<2xi32>, %n: i32) {
  // expected-error@+1 {{multiplier type 'vector<2xi32>' differs in shape from input type 'vector<4xi32>'}}
  %0 = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(saturate) : vector<4xi32>, vector<2xi32>, i32 -> vector<4xi8>
  return
}

// -----

func.func @rescale_c3_narrow_accumulator(%a: i8, %m: i32, %n: i32) {
  // expected-error@+1 {{input element type 'i8' is not i32 or i64}}
  %0 = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(saturate) : i8, i32, i32 -> i8
  return
}

// -----

func.func @rescale_c4_wide_codes(%a: i32, %m: i32, %n: i32) {
  // expected-error@+1 {{result element type 'i64' is not an integer alphabet of at most 32 bits}}
  %0 = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(saturate) : i32, i32, i32 -> i64
  return
}

// -----

func.func @rescale_c5_shift_element(%a: i32, %m: i32, %n: i8) {
  // expected-error@+1 {{shift element type 'i8' is not i32}}
  %0 = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(saturate) : i32, i32, i8 -> i8
  return
}

// -----

func.func @rescale_c6_block_count(%a: tensor<4xi32>, %m: tensor<i32>) {
  // expected-error@+1 {{block_sizes has 2 entries for an input of rank 1}}
  %0 = qd.rescale %a multiplier %m shift %m rounding(half_even) overflow(saturate) block_sizes = [0, 0] : tensor<4xi32>, tensor<i32>, tensor<i32> -> tensor<4xi8>
  return
}

// -----

func.func @rescale_c7_negative_block(%a: tensor<4xi32>, %m: tensor<i32>) {
  // expected-error@+1 {{block size -1 of dimension 0 is negative}}
  %0 = qd.rescale %a multiplier %m shift %m rounding(half_even) overflow(saturate) block_sizes = [-1] : tensor<4xi32>, tensor<i32>, tensor<i32> -> tensor<4xi8>
  return
}

// -----

func.func @rescale_c8_blocks(%a: tensor<4xi32>, %m: tensor<i32>, %n: tensor<3xi32>) {
  // expected-error@+1 {{shift has 3 elements in dimension 0, where there are 4 blocks}}
  %0 = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(saturate) block_sizes = [1] : tensor<4xi32>, tensor<i32>, tensor<3xi32> -> tensor<4xi8>
  return
}

// -----

func.func @rescale_c9_stochastic(%a: i32, %m: i32, %n: i32) {
  // expected-error@+1 {{rounding stochastic is for quantize alone}}
  %0 = qd.rescale %a multiplier %m shift %n rounding(stochastic) overflow(saturate) : i32, i32, i32 -> i8
  return
}
