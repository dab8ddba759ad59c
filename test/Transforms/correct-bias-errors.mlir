// RUN: not q-opt %s "-pass-pipeline=builtin.module(func.func(qd-correct-bias{recipe=%S/Inputs/plain.yaml statistics=%S/Inputs/absorb.stats.json calibration=x.npz}))" 2>&1 | FileCheck %s

// CHECK: error: bias_correction: sequential wants inputs of fixed sizes (--dim name=number); 'rows' has a symbolic one
func.func @main(%x: tensor<?x2xf32> {qd.name = "rows"}) -> tensor<?x2xf32> attributes {qd.program = "0123456789abcdef"} {
  %h = qd.observe %x "h" : tensor<?x2xf32>
  return %h : tensor<?x2xf32>
}
