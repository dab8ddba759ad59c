// Program loops stay, their bodies are cut like the function: the counter chooses rows, which are views on the way in and the
// row that the end of an iteration writes on the way out. Any other loop is one kernel.
// RUN: q-opt %s --qd-form-dispatches --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @rows
// CHECK:         %[[STORAGE:.*]] = tensor.empty() : tensor<3x4xf32>
// CHECK:         %[[START:.*]] = qd.dispatch -> (tensor<4xf32>)
// CHECK:         %[[END:.*]]:2 = scf.for %[[T:.*]] = {{.*}} iter_args(%[[H:.*]] = %[[START]], %[[ALL:.*]] = %[[STORAGE]])
// CHECK:           %[[ROW:.*]] = tensor.extract_slice %{{.*}}[%[[T]], 0] [1, 4] [1, 1]
// CHECK:           %[[SUM:.*]] = qd.dispatch ins(%[[H]], %[[ROW]] : {{.*}}) -> (tensor<4xf32>)
// CHECK-NOT:       qd.dispatch
// CHECK:             math.exp
// CHECK:             qd.yield
// CHECK:           %[[WRITTEN:.*]] = tensor.insert_slice %[[SUM]] into %[[ALL]][%[[T]], 0] [1, 4] [1, 1]
// CHECK:           scf.yield %[[SUM]], %[[WRITTEN]]
// CHECK:         return %[[END]]#0, %[[END]]#1
func.func @rows(%x: tensor<3x4xf32>) -> (tensor<4xf32>, tensor<3x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %blank = tensor.empty() : tensor<4xf32>
  %storage = tensor.empty() : tensor<3x4xf32>
  %start = linalg.fill ins(%zero : f32) outs(%blank : tensor<4xf32>) -> tensor<4xf32>
  %end:2 = scf.for %t = %c0 to %c3 step %c1 iter_args(%h = %start, %all = %storage) -> (tensor<4xf32>, tensor<3x4xf32>) {
    %row = tensor.extract_slice %x[%t, 0] [1, 4] [1, 1] : tensor<3x4xf32> to tensor<4xf32>
    %sum = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
        iterator_types = ["parallel"]} ins(%h, %row : tensor<4xf32>, tensor<4xf32>) outs(%blank : tensor<4xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    %next = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
        iterator_types = ["parallel"]} ins(%sum : tensor<4xf32>) outs(%blank : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %e = math.exp %a : f32
      linalg.yield %e : f32
    } -> tensor<4xf32>
    %written = tensor.insert_slice %next into %all[%t, 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<3x4xf32>
    scf.yield %next, %written : tensor<4xf32>, tensor<3x4xf32>
  }
  return %end#0, %end#1 : tensor<4xf32>, tensor<3x4xf32>
}

// -----

// The counter is a number here: a kernel of its own.
// CHECK-LABEL: func.func @numbers
// CHECK:         qd.dispatch
// CHECK:           scf.for
// CHECK:           qd.yield
func.func @numbers(%x: tensor<f32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %end = scf.for %t = %c0 to %c3 step %c1 iter_args(%h = %x) -> (tensor<f32>) {
    %integer = arith.index_cast %t : index to i32
    %number = arith.sitofp %integer : i32 to f32
    %old = tensor.extract %h[] : tensor<f32>
    %new = arith.addf %old, %number : f32
    %next = tensor.insert %new into %h[] : tensor<f32>
    scf.yield %next : tensor<f32>
  }
  return %end : tensor<f32>
}

// -----

// Of symbolic length and width, backwards.
// CHECK-LABEL: func.func @symbolic
// CHECK:         %[[LAST:.*]] = arith.subi
// CHECK:         %[[START:.*]] = qd.dispatch ins(%[[N:.*]] : index) -> (tensor<?xf32>)
// CHECK:         scf.for %[[T:.*]] = {{.*}} iter_args(%[[H:.*]] = %[[START]], %[[ALL:.*]] = %{{.*}})
// CHECK:           %[[PLACE:.*]] = arith.subi %[[LAST]], %[[T]]
// CHECK:           %[[ROW:.*]] = tensor.extract_slice %{{.*}}[%[[PLACE]], 0] [1, %[[N]]] [1, 1]
// CHECK:           %[[SUM:.*]] = qd.dispatch ins(%[[H]], %[[ROW]], %[[N]] : {{.*}}) -> (tensor<?xf32>)
// CHECK:             qd.yield
// CHECK:           tensor.insert_slice %[[SUM]] into %[[ALL]][%[[PLACE]], 0] [1, %[[N]]] [1, 1]
func.func @symbolic(%x: tensor<?x?xf32> {qd.dims = ["t", "n"]}) -> (tensor<?xf32>, tensor<?x?xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %steps = tensor.dim %x, %c0 : tensor<?x?xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?xf32>
  %last = arith.subi %steps, %c1 : index
  %blank = tensor.empty(%n) : tensor<?xf32>
  %storage = tensor.empty(%steps, %n) : tensor<?x?xf32>
  %start = linalg.fill ins(%zero : f32) outs(%blank : tensor<?xf32>) -> tensor<?xf32>
  %end:2 = scf.for %t = %c0 to %steps step %c1 iter_args(%h = %start, %all = %storage) -> (tensor<?xf32>, tensor<?x?xf32>) {
    %place = arith.subi %last, %t : index
    %row = tensor.extract_slice %x[%place, 0] [1, %n] [1, 1] : tensor<?x?xf32> to tensor<?xf32>
    %sum = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
        iterator_types = ["parallel"]} ins(%h, %row : tensor<?xf32>, tensor<?xf32>) outs(%blank : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      linalg.yield %s : f32
    } -> tensor<?xf32>
    %written = tensor.insert_slice %sum into %all[%place, 0] [1, %n] [1, 1] : tensor<?xf32> into tensor<?x?xf32>
    scf.yield %sum, %written : tensor<?xf32>, tensor<?x?xf32>
  }
  return %end#0, %end#1 : tensor<?xf32>, tensor<?x?xf32>
}

// -----

// Half a row is no row: a kernel of its own.
// CHECK-LABEL: func.func @part_of_a_row
// CHECK:         qd.dispatch
// CHECK:           scf.for
// CHECK:           qd.yield
func.func @part_of_a_row(%x: tensor<?x?xf32> {qd.dims = ["t", "n"]}, %start: tensor<2xf32>) -> tensor<2xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %steps = tensor.dim %x, %c0 : tensor<?x?xf32>
  %end = scf.for %t = %c0 to %steps step %c1 iter_args(%h = %start) -> (tensor<2xf32>) {
    %row = tensor.extract_slice %x[%t, 0] [1, 2] [1, 1] : tensor<?x?xf32> to tensor<2xf32>
    scf.yield %row : tensor<2xf32>
  }
  return %end : tensor<2xf32>
}
