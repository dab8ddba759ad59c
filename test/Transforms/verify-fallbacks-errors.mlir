// RUN: q-opt %s -qd-verify-fallbacks -split-input-file -verify-diagnostics

// Every layer that stays float is an error of its own, by name, or by place where it has none.

func.func @named_and_unnamed(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // expected-error@+1 {{layer 'fc1' stays float: its scale is not finite}}
  %a = qd.gelu %x approximate(none) {qd.name = "fc1", qd.fallback = "its scale is not finite"} : tensor<4xf32>
  // expected-error-re@+1 {{layer '{{.*verify-fallbacks-errors.mlir:[0-9]+:[0-9]+}}' stays float: its input has no grid}}
  %b = qd.silu %x {qd.fallback = "its input has no grid"} : tensor<4xf32>
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}

// -----

func.func @none(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = qd.silu %x {qd.name = "silu"} : tensor<4xf32>
  return %a : tensor<4xf32>
}
