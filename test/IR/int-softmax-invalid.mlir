// One case for each constraint label of qd.int_softmax.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @int_softmax_c1_floats(%x: tensor<4xf32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 8-bit signless integer or 16-bit signless integer values, but got 'tensor<4xf32>'}}
  %0 = qd.int_softmax %x scheme(qd) axis = 0 scale = 1.0 to 1.0 zero_point = 0 : tensor<4xf32> -> tensor<4xi8>
  return
}

// -----

func.func @int_softmax_c2_shape(%x: tensor<4xi8>) {
  // expected-error@+1 {{result 'tensor<5xi8>' does not have the shape of 'tensor<4xi8>'}}
  %0 = qd.int_softmax %x scheme(qd) axis = 0 scale = 1.0 to 1.0 zero_point = 0 : tensor<4xi8> -> tensor<5xi8>
  return
}

// -----

func.func @int_softmax_c3_axis(%x: tensor<4xi8>) {
  // expected-error@+1 {{axis 1 is outside [0, 1)}}
  %0 = qd.int_softmax %x scheme(qd) axis = 1 scale = 1.0 to 1.0 zero_point = 0 : tensor<4xi8> -> tensor<4xi8>
  return
}

// -----

func.func @int_softmax_c4_length(%x: tensor<32769xi8>) {
  // expected-error@+1 {{rows of 32769 elements are longer than 32768}}
  %0 = qd.int_softmax %x scheme(qd) axis = 0 scale = 1.0 to 1.0 zero_point = 0 : tensor<32769xi8> -> tensor<32769xi8>
  return
}

// -----

func.func @int_softmax_c5_scale(%x: tensor<4xi8>) {
  // expected-error@+1 {{has no integers for scale -1.000000e+00 : f32 to 1.000000e+00 : f32}}
  %0 = qd.int_softmax %x scheme(qd) axis = 0 scale = -1.0 to 1.0 zero_point = 0 : tensor<4xi8> -> tensor<4xi8>
  return
}

// -----

func.func @int_softmax_c6_zero_point(%x: tensor<4xi16>) {
  // expected-error@+1 {{zero point -4294967297 is no code of 'tensor<4xi8>'}}
  %0 = qd.int_softmax %x scheme(qd) axis = 0 scale = 1.0 to 1.0 zero_point = -4294967297 : tensor<4xi16> -> tensor<4xi8>
  return
}

// -----

func.func @int_softmax_c6_zero_point(%x: tensor<4xi16>) {
  // expected-error@+1 {{zero point 128 is no code of 'tensor<4xi8>'}}
  %0 = qd.int_softmax %x scheme(qd) axis = 0 scale = 1.0 to 1.0 zero_point = 128 : tensor<4xi16> -> tensor<4xi8>
  return
}
