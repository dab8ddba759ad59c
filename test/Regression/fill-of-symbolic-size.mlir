// A fill of symbolic size that is returned got a dispatch that copied the function's arguments: crash. A view of a broadcast of a
// computed row was left between the dispatches: refused.
// RUN: q-opt %s --pass-pipeline='builtin.module(func.func(qd-form-dispatches))' | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK:       %[[N:.*]] = tensor.dim %arg0, %c0
// CHECK:       %[[PLACES:.*]] = qd.dispatch ins(%[[N]] : index) -> (tensor<?xf32>)
// CHECK:       %[[SPREAD:.*]] = qd.dispatch ins(%[[PLACES]], %[[N]] : tensor<?xf32>, index) -> (tensor<?x2xf32>)
// CHECK:       %[[FILLED:.*]] = qd.dispatch ins(%[[N]] : index) -> (tensor<?xf32>)
// CHECK:         linalg.fill
// CHECK-NOT:   linalg.generic
// CHECK:       return %[[FILLED]], %{{.*}} : tensor<?xf32>, tensor<?x1x2xf32>
func.func @main(%x: tensor<?xf32> {qd.dims = ["n"]}) -> (tensor<?xf32>, tensor<?x1x2xf32>) {
  %c0 = arith.constant 0 : index
  %two = arith.constant 2.0 : f32
  %half = arith.constant 0.5 : f32
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %empty = tensor.empty(%n) : tensor<?xf32>
  %filled = linalg.fill ins(%two : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %places = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%empty : tensor<?xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %whole = arith.index_cast %i : index to i64
    %place = arith.sitofp %whole : i64 to f32
    %middle = arith.addf %place, %half : f32
    linalg.yield %middle : f32
  } -> tensor<?xf32>
  %wide = tensor.empty(%n) : tensor<?x2xf32>
  %spread = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%places : tensor<?xf32>) outs(%wide : tensor<?x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<?x2xf32>
  %view = tensor.expand_shape %spread [[0, 1], [2]] output_shape [%n, 1, 2] : tensor<?x2xf32> into tensor<?x1x2xf32>
  return %filled, %view : tensor<?xf32>, tensor<?x1x2xf32>
}
