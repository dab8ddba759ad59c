// Statistics that are not those of the program's values, for every pass that
// reads some.
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{statistics=%S/Inputs/absorb.stats.json}))" -split-input-file -verify-diagnostics
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-absorb-bias{statistics=%S/Inputs/absorb.stats.json}))" -split-input-file -verify-diagnostics
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-smooth-activations{statistics=%S/Inputs/absorb.stats.json}))" -split-input-file -verify-diagnostics

func.func @absent(%x: tensor<2x2xf32>) -> tensor<2x2xf32> attributes {qd.program = "0123456789abcdef"} {
  // expected-error @below {{no statistics for value "stranger"}}
  %o = qd.observe %x "stranger" : tensor<2x2xf32>
  return %o : tensor<2x2xf32>
}

// -----

func.func @channels(%x: tensor<2x3xf32>) -> tensor<2x3xf32> attributes {qd.program = "0123456789abcdef"} {
  // expected-error @below {{statistics for value "h" have 2 channels, its type is 'tensor<2x3xf32>'}}
  %o = qd.observe %x "h" : tensor<2x3xf32>
  return %o : tensor<2x3xf32>
}
