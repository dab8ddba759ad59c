// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{statistics=%S/Inputs/quantize.stats.json}))" -split-input-file -verify-diagnostics
// RUN: not q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{statistics=/nowhere.stats.json}))" -split-input-file 2>&1 | FileCheck %s

// CHECK: error: /nowhere.stats.json: No such file or directory

// expected-error @below {{statistics are of program "0123456789abcdef", this is "beef"}}
func.func @other_program(%x: tensor<2xf32>) -> tensor<2xf32> attributes {qd.program = "beef"} {
  %o = qd.observe %x "image" : tensor<2xf32>
  return %o : tensor<2xf32>
}

// -----

func.func @unknown_value(%x: tensor<2xf32>) -> tensor<2xf32> attributes {qd.program = "0123456789abcdef"} {
  // expected-error @below {{no statistics for value "stranger"}}
  %o = qd.observe %x "stranger" : tensor<2xf32>
  return %o : tensor<2xf32>
}

// -----

// Only a branch may never have run.
func.func @never_seen(%x: tensor<2xf32>) -> tensor<2xf32> attributes {qd.program = "0123456789abcdef"} {
  // expected-error @below {{no statistics for value "never"}}
  %o = qd.observe %x "never" : tensor<2xf32>
  return %o : tensor<2xf32>
}
