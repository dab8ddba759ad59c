// RUN: not q-opt %s "-pass-pipeline=builtin.module(qd-smooth-search{statistics=/nowhere.json})" 2>&1 | FileCheck %s
// RUN: not q-opt %s "-pass-pipeline=builtin.module(qd-smooth-search{recipe=w8a8-dynamic})" 2>&1 | FileCheck %s

// CHECK: error: has no function @main with observers
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
