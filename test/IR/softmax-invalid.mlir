// One case for each constraint label of qd.softmax.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @softmax_c1_integers(%x: tensor<4xi8>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 16-bit float or bfloat16 type or 32-bit float or 64-bit float values, but got 'tensor<4xi8>'}}
  %0 = qd.softmax %x axis = 0 : tensor<4xi8>
  return
}

// -----

func.func @softmax_c2_axis(%x: tensor<4xf32>) {
  // expected-error@+1 {{axis 1 is outside [0, 1)}}
  %0 = qd.softmax %x axis = 1 : tensor<4xf32>
  return
}
