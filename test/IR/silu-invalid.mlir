// One case for each constraint label of qd.silu.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @silu_c1_integers(%x: i8) {
  // expected-error@+1 {{operand #0 must be floating-point-like, but got 'i8'}}
  %0 = qd.silu %x : i8
  return
}
