// One case for each constraint label of qd.int_layer_norm.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @int_layer_norm_c1_gain(%x: tensor<2x4xi16>, %g: tensor<4xf32>, %b: tensor<4xi64>) {
  // expected-error@+1 {{operand #1 must be ranked tensor of 32-bit signless integer values, but got 'tensor<4xf32>'}}
  %0 = qd.int_layer_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 1 shift = 0 : tensor<2x4xi16>, tensor<4xf32>, tensor<4xi64> -> tensor<2x4xi8>
  return
}

// -----

func.func @int_layer_norm_c2_shape(%x: tensor<2x4xi16>, %g: tensor<4xi32>, %b: tensor<4xi64>) {
  // expected-error@+1 {{result 'tensor<8xi8>' does not have the shape of 'tensor<2x4xi16>'}}
  %0 = qd.int_layer_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 1 shift = 0 : tensor<2x4xi16>, tensor<4xi32>, tensor<4xi64> -> tensor<8xi8>
  return
}

// -----

func.func @int_layer_norm_c3_axis(%x: tensor<2x4xi16>, %g: tensor<4xi32>, %b: tensor<4xi64>) {
  // expected-error@+1 {{axis -1 is outside [0, 2)}}
  %0 = qd.int_layer_norm %x, %g, %b scheme(qd) axis = -1 epsilon = 1 shift = 0 : tensor<2x4xi16>, tensor<4xi32>, tensor<4xi64> -> tensor<2x4xi8>
  return
}

// -----

func.func @int_layer_norm_c4_length(%x: tensor<2x?xi16>, %g: tensor<?xi32>, %b: tensor<?xi64>) {
  // expected-error@+1 {{rows of 'tensor<2x?xi16>' do not have 1 to 16384 elements}}
  %0 = qd.int_layer_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 1 shift = 0 : tensor<2x?xi16>, tensor<?xi32>, tensor<?xi64> -> tensor<2x?xi8>
  return
}

// -----

func.func @int_layer_norm_c5_bias(%x: tensor<2x4xi16>, %g: tensor<4xi32>, %b: tensor<2x4xi64>) {
  // expected-error@+1 {{bias 'tensor<2x4xi64>' does not have the shape of a row of 'tensor<2x4xi16>'}}
  %0 = qd.int_layer_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 1 shift = 0 : tensor<2x4xi16>, tensor<4xi32>, tensor<2x4xi64> -> tensor<2x4xi8>
  return
}

// -----

func.func @int_layer_norm_c6_epsilon(%x: tensor<2x4xi16>, %g: tensor<4xi32>, %b: tensor<4xi64>) {
  // expected-error@+1 {{epsilon 0 is outside [1, 2^60]}}
  %0 = qd.int_layer_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 0 shift = 0 : tensor<2x4xi16>, tensor<4xi32>, tensor<4xi64> -> tensor<2x4xi8>
  return
}

// -----

func.func @int_layer_norm_c6_shift(%x: tensor<2x4xi16>, %g: tensor<4xi32>, %b: tensor<4xi64>) {
  // expected-error@+1 {{shift 63 is outside [0, 62]}}
  %0 = qd.int_layer_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 1 shift = 63 : tensor<2x4xi16>, tensor<4xi32>, tensor<4xi64> -> tensor<2x4xi8>
  return
}
