// One case for each constraint label of qd.choose_params.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @choose_params_c1_integer_input(%x: tensor<4xi32>) {
  // expected-error@+1 {{input element type 'i32' is not f16, bf16 or f32}}
  %s, %z = qd.choose_params %x for i8 : tensor<4xi32> -> tensor<f32>, tensor<i32>
  return
}

// -----

func.func @choose_params_c2_float_alphabet(%x: tensor<4xf32>) {
  // expected-error@+1 {{alphabet 'f8E4M3FN' is not an integer of at most 16 bits}}
  %s, %z = qd.choose_params %x for f8E4M3FN : tensor<4xf32> -> tensor<f32>, tensor<i32>
  return
}

// -----

func.func @choose_params_c3_scale_element(%x: tensor<4xf32>) {
  // expected-error@+1 {{scale element type 'f16' is not f32}}
  %s, %z = qd.choose_params %x for i8 : tensor<4xf32> -> tensor<f16>, tensor<i32>
  return
}

// -----

func.func @choose_params_c4_zero_point_element(%x: tensor<4xf32>) {
  // expected-error@+1 {{zero point element type 'i8' is not i32}}
  %s, %z = qd.choose_params %x for i8 : tensor<4xf32> -> tensor<f32>, tensor<i8>
  return
}

// -----

func.func @choose_params_c5_block_count(%x: tensor<4xf32>) {
  // expected-error@+1 {{block_sizes has 2 entries for an input of rank 1}}
  %s, %z = qd.choose_params %x for i8 block_sizes = [0, 0] : tensor<4xf32> -> tensor<f32>, tensor<i32>
  return
}

// -----

func.func @choose_params_c6_negative_block(%x: tensor<4xf32>) {
  // expected-error@+1 {{block size -1 of dimension 0 is negative}}
  %s, %z = qd.choose_params %x for i8 block_sizes = [-1] : tensor<4xf32> -> tensor<f32>, tensor<i32>
  return
}

// -----

func.func @choose_params_c7_blocks(%x: tensor<4x8xf32>) {
  // expected-error@+1 {{scale has 8 elements in dimension 1, where there are 1 blocks}}
  %s, %z = qd.choose_params %x for i8 block_sizes = [1, 0] : tensor<4x8xf32> -> tensor<1x8xf32>, tensor<1x8xi32>
  return
}

// -----

func.func @choose_params_c8_shapes(%x: tensor<4x8xf32>) {
  // expected-error@+1 {{scale type 'tensor<4x1xf32>' and zero point type 'tensor<1x1xi32>' differ in shape}}
  %s, %z = qd.choose_params %x for i8 block_sizes = [1, 0] : tensor<4x8xf32> -> tensor<4x1xf32>, tensor<1x1xi32>
  return
}
