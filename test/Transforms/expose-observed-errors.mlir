// RUN: q-opt %s -qd-expose-observed -verify-diagnostics

// expected-error @below {{has more than one block}}
func.func @branches(%x: tensor<2xf32>) -> tensor<2xf32> {
  %o = qd.observe %x "x" : tensor<2xf32>
  cf.br ^next
^next:
  return %o : tensor<2xf32>
}
