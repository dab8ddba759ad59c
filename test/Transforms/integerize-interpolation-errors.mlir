// RUN: q-opt %s -qd-integerize=rescale=dyadic -split-input-file | FileCheck %s

// A place outside of the tensor is no interpolation.

// CHECK-LABEL: @outside
// CHECK: qd.fallback = "'tensor.extract' is not rounded before it and is no affine function"
func.func @outside(%q: tensor<2xi8>) -> tensor<3xi8> {
  %s = arith.constant dense<0.375> : tensor<f32>
  %places = arith.constant dense<[0, 1, 2]> : tensor<3xi64>
  %x = qd.dequantize %q scale %s : tensor<2xi8>, tensor<f32> -> tensor<2xf32>
  %e = tensor.empty() : tensor<3xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%places : tensor<3xi64>) outs(%e : tensor<3xf32>) attrs = {qd.requested = "a8"} {
  ^bb0(%p: i64, %o: f32):
    %i = arith.index_cast %p : i64 to index
    %v = tensor.extract %x[%i] : tensor<2xf32>
    linalg.yield %v : f32
  } -> tensor<3xf32>
  %y = qd.quantize %r scale %s rounding(half_even) overflow(saturate) : tensor<3xf32>, tensor<f32> -> tensor<3xi8>
  return %y : tensor<3xi8>
}

// -----

// CHECK-LABEL: @heavy
// CHECK: qd.fallback = "a weight of it exceeds 4"
func.func @heavy(%q: tensor<2x2xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.375> : tensor<f32>
  %places = arith.constant dense<[0, 1, 1]> : tensor<3xi64>
  %weights = arith.constant dense<[1.0, 5.0, 1.0]> : tensor<3xf32>
  %x = qd.dequantize %q scale %s : tensor<2x2xi8>, tensor<f32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%places, %weights : tensor<3xi64>, tensor<3xf32>) outs(%e : tensor<3x2xf32>) attrs = {qd.requested = "a8"} {
  ^bb0(%p: i64, %w: f32, %o: f32):
    %i = arith.index_cast %p : i64 to index
    %j = linalg.index 1 : index
    %v = tensor.extract %x[%i, %j] : tensor<2x2xf32>
    %m = arith.mulf %v, %w : f32
    linalg.yield %m : f32
  } -> tensor<3x2xf32>
  %y = qd.quantize %r scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}
