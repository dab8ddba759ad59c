// A while that goes on by a bool that it carries is one of the program: its body is cut into dispatches, a tensor whose
// sizes are left open stays a view. What its condition computes would be a kernel of its own.
// RUN: q-opt %s --pass-pipeline='builtin.module(func.func(qd-form-dispatches))' | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func.func @main
// CHECK-DAG:   %[[COUNT:.*]] = qd.dispatch -> (tensor<i64>)
// CHECK-DAG:   %[[ANY:.*]] = qd.any_size %arg0
// CHECK:       %[[END:.*]]:3 = scf.while (%{{.*}} = %arg1, %{{.*}} = %[[ANY]], %{{.*}} = %[[COUNT]])
// CHECK-NEXT:    tensor.extract
// CHECK-NEXT:    scf.condition
// CHECK-NEXT:  } do
// CHECK:         %[[N:.*]] = qd.data_size
// CHECK:         %[[LIST:.*]] = qd.sized %{{.*}}[%[[N]]]
// CHECK:         %[[MORE:.*]] = qd.dispatch ins(%[[LIST]], %arg0
// CHECK:           tensor.concat
// CHECK:         qd.dispatch ins(%{{.*}} : index) -> (tensor<i64>)
// CHECK:         qd.any_size %[[MORE]]
// CHECK-NOT:     qd.dispatch
// CHECK:         scf.yield
// CHECK:       qd.sized %[[END]]#1
func.func @main(%x: tensor<1x2xf32>, %go: tensor<i1>) -> tensor<?x2xf32> {
  %begin = arith.constant dense<1> : tensor<i64>
  %c1 = arith.constant 1 : index
  %any = qd.any_size %x : tensor<1x2xf32> to tensor<?x2xf32>
  %end:3 = scf.while (%a = %go, %l = %any, %k = %begin)
      : (tensor<i1>, tensor<?x2xf32>, tensor<i64>) -> (tensor<i1>, tensor<?x2xf32>, tensor<i64>) {
    %c = tensor.extract %a[] : tensor<i1>
    scf.condition(%c) %a, %l, %k : tensor<i1>, tensor<?x2xf32>, tensor<i64>
  } do {
  ^bb0(%a: tensor<i1>, %l: tensor<?x2xf32>, %k: tensor<i64>):
    %n = qd.data_size %k "n" : tensor<i64>
    %list = qd.sized %l[%n] : tensor<?x2xf32>
    %more = tensor.concat dim(0) %list, %x : (tensor<?x2xf32>, tensor<1x2xf32>) -> tensor<?x2xf32>
    %size = arith.addi %n, %c1 : index
    %number = arith.index_cast %size : index to i64
    %storage = tensor.empty() : tensor<i64>
    %count = linalg.fill ins(%number : i64) outs(%storage : tensor<i64>) -> tensor<i64>
    %open = qd.any_size %more : tensor<?x2xf32> to tensor<?x2xf32>
    scf.yield %a, %open, %count : tensor<i1>, tensor<?x2xf32>, tensor<i64>
  }
  %m = qd.data_size %end#2 "m" : tensor<i64>
  %y = qd.sized %end#1[%m] : tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
