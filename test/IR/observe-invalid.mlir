// One case for each constraint label of qd.observe.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @observe_c1_scalar(%x: f32) {
  // expected-error@+1 {{operand #0 must be ranked tensor of any type values, but got 'f32'}}
  %0 = "qd.observe"(%x) <{value_name = "name"}> : (f32) -> f32
  return
}
