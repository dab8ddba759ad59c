// RUN: q-opt %s -qd-widen-half -verify-diagnostics

func.func @main(%x: tensor<4xf16>) -> tensor<4xf16> {
  // expected-error @+1 {{constant of type 'tensor<4xf16>' has no bytes}}
  %c = arith.constant dense_resource<absent> : tensor<4xf16>
  return %c : tensor<4xf16>
}
