// Program branches stay, both sides are cut like the function. The condition is read from a tensor; what a side only hands on needs
// no dispatch unless it is a constant, and storage without values stays.
// RUN: q-opt %s --qd-form-dispatches | FileCheck %s

// CHECK-LABEL: func.func @sides
// CHECK-SAME:    %[[X:.*]]: tensor<4xf32>, %[[N:.*]]: tensor<i64>
// CHECK:         %[[EMPTY:.*]] = tensor.empty() : tensor<2xf32>
// CHECK:         %[[FLAG:.*]] = qd.dispatch ins(%[[N]] : tensor<i64>) -> (tensor<i1>)
// CHECK:           arith.cmpi sgt
// CHECK:         %[[CONDITION:.*]] = tensor.extract %[[FLAG]][] : tensor<i1>
// CHECK:         %[[Y:.*]]:3 = scf.if %[[CONDITION]]
// CHECK:           %[[E:.*]] = qd.dispatch ins(%[[X]] : tensor<4xf32>) -> (tensor<4xf32>)
// CHECK:             math.exp
// CHECK:             math.tanh
// CHECK:           scf.yield %[[E]], %[[X]], %[[EMPTY]]
// CHECK:         } else {
// CHECK:           %[[ONES:.*]] = qd.dispatch -> (tensor<4xf32>)
// CHECK:             arith.constant dense<1.0
// CHECK:           %[[TWOS:.*]] = qd.dispatch -> (tensor<2xf32>)
// CHECK:           scf.yield %[[ONES]], %[[X]], %[[TWOS]]
// CHECK:         return %[[Y]]#0, %[[Y]]#1, %[[Y]]#2
#id = affine_map<(i) -> (i)>
func.func @sides(%x: tensor<4xf32>, %n: tensor<i64>) -> (tensor<4xf32>, tensor<4xf32>, tensor<2xf32>) {
  %none = arith.constant 0 : i64
  %ones = arith.constant dense<1.0> : tensor<4xf32>
  %twos = arith.constant dense<2.0> : tensor<2xf32>
  %blank = tensor.empty() : tensor<4xf32>
  %storage = tensor.empty() : tensor<2xf32>
  %number = tensor.extract %n[] : tensor<i64>
  %any = arith.cmpi sgt, %number, %none : i64
  %y:3 = scf.if %any -> (tensor<4xf32>, tensor<4xf32>, tensor<2xf32>) {
    %e = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%x : tensor<4xf32>) outs(%blank : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = math.exp %a : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    %t = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%e : tensor<4xf32>) outs(%blank : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = math.tanh %a : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    scf.yield %t, %x, %storage : tensor<4xf32>, tensor<4xf32>, tensor<2xf32>
  } else {
    scf.yield %ones, %x, %twos : tensor<4xf32>, tensor<4xf32>, tensor<2xf32>
  }
  return %y#0, %y#1, %y#2 : tensor<4xf32>, tensor<4xf32>, tensor<2xf32>
}
