// RUN: q-opt %s -qd-expose-observed | FileCheck %s

// CHECK-LABEL: @main
// CHECK-SAME: %[[X:.+]]: tensor<2xf32>
// CHECK-SAME: -> (tensor<2x1xf32> {qd.name = "y"}, tensor<2xf32> {qd.name = "x"}, tensor<2x1xf32> {qd.name = "e"})
// CHECK-SAME: qd.observed = ["x", "e"]
// CHECK: %[[E:.+]] = tensor.expand_shape %[[X]]
// CHECK: return %[[E]], %[[X]], %[[E]]
func.func @main(%x: tensor<2xf32>) -> (tensor<2x1xf32> {qd.name = "y"}) {
  %o = qd.observe %x "x" : tensor<2xf32>
  %e = tensor.expand_shape %o [[0, 1]] output_shape [2, 1] : tensor<2xf32> into tensor<2x1xf32>
  %p = qd.observe %e "e" : tensor<2x1xf32>
  return %p : tensor<2x1xf32>
}

// Must not fire: a function without observers keeps its results.

// CHECK-LABEL: @unobserved
// CHECK-SAME: -> tensor<2xf32> attributes {qd.observed = []}
func.func @unobserved(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}

// What a side of a branch computes leaves it with a flag that says whether it did; a branch in a loop has a flag for each row, and
// a branch in a branch none where the outer one was not taken.

// CHECK-LABEL: @branches
// CHECK-SAME: %[[X:.+]]: tensor<2xf32>, %[[C:.+]]: tensor<i1>
// CHECK-SAME: tensor<3x2xf32> {qd.name = "a"}, tensor<2xf32> {qd.name = "b"}, tensor<3xi1> {qd.name = "taken0"}, tensor<i1> {qd.name = "taken1"}
// CHECK-SAME: qd.observed = ["a", "b"], qd.observed_if = array<i64: 0, 1>
// CHECK: %[[Y:.+]]:5 = scf.if
// CHECK:   %[[LOOP:.+]]:3 = scf.for
// CHECK:     %[[INNER:.+]]:3 = scf.if %{{.+}} -> (tensor<2xf32>, tensor<2xf32>, tensor<i1>)
// CHECK:       %[[TRUE:.+]] = arith.constant dense<true> : tensor<i1>
// CHECK:       scf.yield %{{.+}}, %[[A:.+]], %[[TRUE]]
// CHECK:     } else {
// CHECK:       %[[EMPTY:.+]] = tensor.empty() : tensor<2xf32>
// CHECK:       %[[FALSE:.+]] = arith.constant dense<false> : tensor<i1>
// CHECK:       scf.yield %{{.+}}, %[[EMPTY]], %[[FALSE]]
// CHECK:     tensor.insert_slice %[[INNER]]#1 into
// CHECK:     tensor.insert_slice %[[INNER]]#2 into
// CHECK:   scf.yield %[[LOOP]]#0, %[[LOOP]]#1, %[[LOOP]]#2, %{{.+}}, %{{.+}}
// CHECK: } else {
// CHECK:   arith.constant dense<false> : tensor<3xi1>
// CHECK:   arith.constant dense<true> : tensor<i1>
// CHECK: return %[[Y]]#0, %[[Y]]#1, %[[Y]]#3, %[[Y]]#2, %[[Y]]#4
func.func @branches(%x: tensor<2xf32>, %c: tensor<i1>) -> tensor<2xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %condition = tensor.extract %c[] : tensor<i1>
  %y = scf.if %condition -> (tensor<2xf32>) {
    %end = scf.for %t = %c0 to %c3 step %c1 iter_args(%h = %x) -> (tensor<2xf32>) {
      %next = scf.if %condition -> (tensor<2xf32>) {
        %n = qd.softmax %h axis = 0 : tensor<2xf32>
        %o = qd.observe %n "a" : tensor<2xf32>
        scf.yield %o : tensor<2xf32>
      } else {
        scf.yield %h : tensor<2xf32>
      }
      scf.yield %next : tensor<2xf32>
    }
    scf.yield %end : tensor<2xf32>
  } else {
    %n = qd.softmax %x axis = 0 : tensor<2xf32>
    %o = qd.observe %n "b" : tensor<2xf32>
    scf.yield %o : tensor<2xf32>
  }
  return %y : tensor<2xf32>
}
