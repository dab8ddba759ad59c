// One case for each constraint label of qd.layer_norm.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @layer_norm_c1_integers(%x: tensor<2x4xf32>, %g: tensor<4xi8>) {
  // expected-error@+1 {{operand #1 must be ranked tensor of 16-bit float or bfloat16 type or 32-bit float or 64-bit float values, but got 'tensor<4xi8>'}}
  %0 = qd.layer_norm %x, %g axis = 1 epsilon = 0.0 : tensor<2x4xf32>, tensor<4xi8>
  return
}

// -----

func.func @layer_norm_c2_axis(%x: tensor<2x4xf32>, %g: tensor<4xf32>) {
  // expected-error@+1 {{axis -1 is outside [0, 2)}}
  %0 = qd.layer_norm %x, %g axis = -1 epsilon = 0.0 : tensor<2x4xf32>, tensor<4xf32>
  return
}

// -----

func.func @layer_norm_c3_gamma(%x: tensor<2x4xf32>, %g: tensor<2xf32>) {
  // expected-error@+1 {{gamma type 'tensor<2xf32>' is not 'tensor<4xf32>'}}
  %0 = qd.layer_norm %x, %g axis = 1 epsilon = 0.0 : tensor<2x4xf32>, tensor<2xf32>
  return
}

// -----

func.func @layer_norm_c4_beta(%x: tensor<2x4xf32>, %g: tensor<4xf32>, %b: tensor<1x4xf32>) {
  // expected-error@+1 {{beta type 'tensor<1x4xf32>' is not 'tensor<4xf32>'}}
  %0 = qd.layer_norm %x, %g, %b axis = 1 epsilon = 0.0 : tensor<2x4xf32>, tensor<4xf32>, tensor<1x4xf32>
  return
}

// -----

func.func @layer_norm_c5_negative(%x: tensor<2x4xf32>, %g: tensor<4xf32>) {
  // expected-error@+1 {{epsilon -1 is not a finite number from 0 on}}
  %0 = qd.layer_norm %x, %g axis = 1 epsilon = -1.0 : tensor<2x4xf32>, tensor<4xf32>
  return
}
