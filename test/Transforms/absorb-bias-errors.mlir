// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-absorb-bias{statistics=%S/Inputs/absorb.stats.json}))" -split-input-file -verify-diagnostics
// RUN: not q-opt %s "-pass-pipeline=builtin.module(func.func(qd-absorb-bias{statistics=/nowhere.stats.json}))" -split-input-file 2>&1 | FileCheck %s --check-prefix=FILE
// RUN: not q-opt %s "-pass-pipeline=builtin.module(func.func(qd-absorb-bias))" -split-input-file 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not q-opt %s "-pass-pipeline=builtin.module(func.func(qd-absorb-bias{statistics=%S/Inputs/absorb.stats.json sigmas=-1}))" -split-input-file 2>&1 | FileCheck %s --check-prefix=SIGMA
// RUN: not q-opt %s "-pass-pipeline=builtin.module(func.func(qd-smooth-activations{statistics=%S/Inputs/absorb.stats.json alpha=1.5}))" -split-input-file 2>&1 | FileCheck %s --check-prefix=ALPHA
// RUN: not q-opt %s "-pass-pipeline=builtin.module(func.func(qd-awq{statistics=%S/Inputs/absorb.stats.json recipe=nothing}))" -split-input-file 2>&1 | FileCheck %s --check-prefix=RECIPE

// FILE: error: /nowhere.stats.json: No such file or directory
// NONE: error: needs the statistics of the program
// SIGMA: error: sigmas must not be negative
// ALPHA: error: alpha must be between 0 and 1
// RECIPE: error: {{.*}}nothing

// expected-error @below {{statistics are of program "0123456789abcdef", this is "beef"}}
func.func @other_program(%x: tensor<2xf32>) -> tensor<2xf32> attributes {qd.program = "beef"} {
  %o = qd.observe %x "h" : tensor<2xf32>
  return %o : tensor<2xf32>
}

// -----

// expected-error @below {{has no observers; run qd-insert-observers and calibrate it}}
func.func @not_observed(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
