// One case for each constraint label of qd.gelu.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @gelu_c1_integers(%x: tensor<4xi8>) {
  // expected-error@+1 {{operand #0 must be floating-point-like, but got 'tensor<4xi8>'}}
  %0 = qd.gelu %x approximate(none) : tensor<4xi8>
  return
}
