// The list of blocks that qd-expose-observed walks died before the walk: with two loops it read another program's memory.
// RUN: q-opt %s --qd-expose-observed | FileCheck %s

// CHECK: -> (tensor<2xf32>, tensor<2xf32>, tensor<3x2xf32> {qd.name = "a"}, tensor<3x2xf32> {qd.name = "b"})
// CHECK-SAME: qd.observed = ["a", "b"]
// CHECK-NOT: qd.observe
func.func @main(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %a = scf.for %t = %c0 to %c3 step %c1 iter_args(%h = %x) -> (tensor<2xf32>) {
    %o = qd.observe %h "a" : tensor<2xf32>
    %n = qd.softmax %o axis = 0 : tensor<2xf32>
    scf.yield %n : tensor<2xf32>
  }
  %b = scf.for %t = %c0 to %c3 step %c1 iter_args(%h = %a) -> (tensor<2xf32>) {
    %o = qd.observe %h "b" : tensor<2xf32>
    %n = qd.softmax %o axis = 0 : tensor<2xf32>
    scf.yield %n : tensor<2xf32>
  }
  return %a, %b : tensor<2xf32>, tensor<2xf32>
}
