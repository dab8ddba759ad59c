// One case for each constraint label of qd.int_silu.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @int_silu_c1_width(%x: tensor<4xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 8-bit signless integer or 16-bit signless integer values, but got 'tensor<4xi32>'}}
  %0 = qd.int_silu %x scheme(qd) scale = 1.0 zero_point = 0 to 1.0 zero_point = 0 : tensor<4xi32> -> tensor<4xi8>
  return
}

// -----

func.func @int_silu_c2_shape(%x: tensor<4xi8>) {
  // expected-error@+1 {{result 'tensor<2x2xi8>' does not have the shape of 'tensor<4xi8>'}}
  %0 = qd.int_silu %x scheme(qd) scale = 1.0 zero_point = 0 to 1.0 zero_point = 0 : tensor<4xi8> -> tensor<2x2xi8>
  return
}

// -----

func.func @int_silu_c3_scale(%x: tensor<4xi8>) {
  // expected-error@+1 {{has no integers for scale 1.000000e+00 : f32 to 0.000000e+00 : f32 with scheme ivit}}
  %0 = qd.int_silu %x scheme(ivit) scale = 1.0 zero_point = 0 to 0.0 zero_point = 0 : tensor<4xi8> -> tensor<4xi8>
  return
}

// -----

func.func @int_silu_c4_input_zero_point(%x: tensor<4xi8>) {
  // expected-error@+1 {{zero point 3000000000 is no code of 'tensor<4xi8>'}}
  %0 = qd.int_silu %x scheme(qd) scale = 1.0 zero_point = 3000000000 to 1.0 zero_point = 0 : tensor<4xi8> -> tensor<4xi16>
  return
}

// -----

func.func @int_silu_c4_output_zero_point(%x: tensor<4xi8>) {
  // expected-error@+1 {{zero point 32768 is no code of 'tensor<4xi16>'}}
  %0 = qd.int_silu %x scheme(qd) scale = 1.0 zero_point = 0 to 1.0 zero_point = 32768 : tensor<4xi8> -> tensor<4xi16>
  return
}
