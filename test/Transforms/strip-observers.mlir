// RUN: q-opt %s -qd-strip-observers | FileCheck %s

// CHECK-LABEL: @main
// CHECK-SAME: %[[X:.+]]: tensor<2xf32>
// CHECK-NEXT: return %[[X]]
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %o = qd.observe %x "x" : tensor<2xf32>
  %p = qd.observe %o "again" : tensor<2xf32>
  return %p : tensor<2xf32>
}
