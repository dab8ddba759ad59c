// RUN: q-opt %s -qd-fold-constants -split-input-file -mlir-elide-resource-strings-if-larger=16 | FileCheck %s

// The outer sum of two vectors is larger than what is folded for its own sake; as a weight it is worth its bytes.
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>
#both = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: @weight
// CHECK-SAME: %[[X:.*]]: tensor<1x512xf32>
// CHECK: %[[W:.*]] = arith.constant {{.*}}dense_resource<{{.*}}> : tensor<512x700xf32>
// CHECK-NOT: linalg.generic
// CHECK: linalg.matmul ins(%[[X]], %[[W]]
func.func @weight(%x: tensor<1x512xf32>) -> tensor<1x700xf32> {
  %a = arith.constant dense<1.0> : tensor<512xf32>
  %b = arith.constant dense<2.0> : tensor<700xf32>
  %e = tensor.empty() : tensor<512x700xf32>
  %s = linalg.generic {indexing_maps = [#row, #column, #both], iterator_types = ["parallel", "parallel"]} ins(%a, %b : tensor<512xf32>, tensor<700xf32>) outs(%e : tensor<512x700xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %t = arith.addf %p, %q : f32
    linalg.yield %t : f32
  } -> tensor<512x700xf32>
  // Not the weight itself, but what it is made of.
  %w = linalg.generic {indexing_maps = [#both, #both], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<512x700xf32>) outs(%e : tensor<512x700xf32>) {
  ^bb0(%p: f32, %o: f32):
    %t = math.sin %p : f32
    linalg.yield %t : f32
  } -> tensor<512x700xf32>
  %z = arith.constant 0.0 : f32
  %f = tensor.empty() : tensor<1x700xf32>
  %i = linalg.fill ins(%z : f32) outs(%f : tensor<1x700xf32>) -> tensor<1x700xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<1x512xf32>, tensor<512x700xf32>) outs(%i : tensor<1x700xf32>) -> tensor<1x700xf32>
  return %0 : tensor<1x700xf32>
}

// -----

#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>
#both = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: @table
// CHECK: linalg.generic
func.func @table() -> tensor<512x700xf32> {
  %a = arith.constant dense<1.0> : tensor<512xf32>
  %b = arith.constant dense<2.0> : tensor<700xf32>
  %e = tensor.empty() : tensor<512x700xf32>
  %s = linalg.generic {indexing_maps = [#row, #column, #both], iterator_types = ["parallel", "parallel"]} ins(%a, %b : tensor<512xf32>, tensor<700xf32>) outs(%e : tensor<512x700xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %t = arith.addf %p, %q : f32
    linalg.yield %t : f32
  } -> tensor<512x700xf32>
  return %s : tensor<512x700xf32>
}
