// RUN: q-opt %s -qd-insert-observers -split-input-file -verify-diagnostics
// RUN: not q-opt %s "-pass-pipeline=builtin.module(func.func(qd-insert-observers{recipe=none}))" -split-input-file 2>&1 | FileCheck %s

// CHECK: error: no recipe 'none' ({{.*}}); built in: {{.*}}w8a8-int
// expected-error @below {{has observers already}}
func.func @twice(%x: tensor<2xf32>) -> tensor<2xf32> {
  %o = qd.observe %x "x" : tensor<2xf32>
  return %o : tensor<2xf32>
}
