// RUN: q-opt %s --pass-pipeline='builtin.module(func.func(qd-codes-to-bytes))' -verify-diagnostics

func.func @unknown(%x: tensor<4xi4>) -> tensor<4xi4> {
  // expected-error@+1 {{reads or makes codes below eight bits, which have no form in memory here}}
  %y = arith.addi %x, %x : tensor<4xi4>
  return %y : tensor<4xi4>
}
