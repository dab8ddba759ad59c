// Groups scattered along the summed dimension become blocks, the activations
// are read in their order; groups in their place need no reading; what is no
// whole block stays.
// RUN: q-opt %s -qd-sort-weight-groups | FileCheck %s
// The product is the same; exactly, where scales are powers of two.
// RUN: q-run %s --function=values --interpret > %t.before
// RUN: q-opt %s -qd-sort-weight-groups | q-run - --function=values --interpret | diff %t.before -

// Group 0 has rows 1 and 3, group 1 rows 0 and 2: the order is 1, 3, 0, 2.
// CHECK-LABEL: func @scattered
// CHECK: %[[W:.*]] = arith.constant dense<{{\[\[}}2], [4], [1], [3]]> : tensor<4x1xi4>
// CHECK: %[[D:.*]] = qd.dequantize %[[W]] scale %{{.*}} block_sizes = [2, 1] : tensor<4x1xi4>, tensor<2x1xf32> -> tensor<4x1xf32>
// CHECK: %[[ORDER:.*]] = arith.constant dense<[1, 3, 0, 2]> : tensor<4xi32>
// CHECK: %[[X:.*]] = linalg.generic {{.*}} ins(%[[ORDER]] : tensor<4xi32>)
// CHECK: %[[K:.*]] = arith.index_cast
// CHECK: tensor.extract %arg0[%{{.*}}, %[[K]]]
// CHECK: linalg.matmul ins(%[[X]], %[[D]]
func.func @scattered(%x: tensor<?x4xf32>) -> tensor<?x1xf32> {
  %w = arith.constant {qd.name = "b"} dense<[[1], [2], [3], [4]]> : tensor<4x1xi4>
  %s = arith.constant dense<[[1.0], [8.0]]> : tensor<2x1xf32>
  %g = arith.constant dense<[1, 0, 1, 0]> : tensor<4xi32>
  %d = qd.dequantize %w scale %s group_index %g block_sizes = [2, 1] {qd.packed} : tensor<4x1xi4>, tensor<2x1xf32>, tensor<4xi32> -> tensor<4x1xf32>
  %c0 = arith.constant 0.0 : f32
  %zero = arith.constant 0 : index
  %m = tensor.dim %x, %zero : tensor<?x4xf32>
  %e = tensor.empty(%m) : tensor<?x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<?x1xf32>) -> tensor<?x1xf32>
  %y = linalg.matmul ins(%x, %d : tensor<?x4xf32>, tensor<4x1xf32>) outs(%f : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// Blocks already, the last one short.
// CHECK-LABEL: func @in_place
// CHECK-NOT: group_index
// CHECK-NOT: tensor.extract
// CHECK: linalg.matmul ins(%arg0,
func.func @in_place(%x: tensor<2x3xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[1], [2], [3]]> : tensor<3x1xi4>
  %s = arith.constant dense<[[1.0], [8.0]]> : tensor<2x1xf32>
  %g = arith.constant dense<[0, 0, 1]> : tensor<3xi32>
  %d = qd.dequantize %w scale %s group_index %g block_sizes = [2, 1] : tensor<3x1xi4>, tensor<2x1xf32>, tensor<3xi32> -> tensor<3x1xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %y = linalg.matmul ins(%x, %d : tensor<2x3xf32>, tensor<3x1xf32>) outs(%f : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// Three rows of one group, one of the other.
// CHECK-LABEL: func @uneven
// CHECK: qd.dequantize {{.*}} group_index
func.func @uneven(%x: tensor<2x4xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[1], [2], [3], [4]]> : tensor<4x1xi4>
  %s = arith.constant dense<[[1.0], [8.0]]> : tensor<2x1xf32>
  %g = arith.constant dense<[1, 0, 0, 0]> : tensor<4xi32>
  %d = qd.dequantize %w scale %s group_index %g block_sizes = [2, 1] : tensor<4x1xi4>, tensor<2x1xf32>, tensor<4xi32> -> tensor<4x1xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %y = linalg.matmul ins(%x, %d : tensor<2x4xf32>, tensor<4x1xf32>) outs(%f : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// The weights themselves are wanted.
// CHECK-LABEL: func @no_product
// CHECK: qd.dequantize {{.*}} group_index
func.func @no_product() -> tensor<4x1xf32> {
  %w = arith.constant dense<[[1], [2], [3], [4]]> : tensor<4x1xi4>
  %s = arith.constant dense<[[1.0], [8.0]]> : tensor<2x1xf32>
  %g = arith.constant dense<[1, 0, 1, 0]> : tensor<4xi32>
  %d = qd.dequantize %w scale %s group_index %g block_sizes = [2, 1] : tensor<4x1xi4>, tensor<2x1xf32>, tensor<4xi32> -> tensor<4x1xf32>
  return %d : tensor<4x1xf32>
}

// Groups known at run time.
// CHECK-LABEL: func @computed_groups
// CHECK: qd.dequantize {{.*}} group_index
func.func @computed_groups(%x: tensor<2x4xf32>, %g: tensor<4xi32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[1], [2], [3], [4]]> : tensor<4x1xi4>
  %s = arith.constant dense<[[1.0], [8.0]]> : tensor<2x1xf32>
  %d = qd.dequantize %w scale %s group_index %g block_sizes = [2, 1] : tensor<4x1xi4>, tensor<2x1xf32>, tensor<4xi32> -> tensor<4x1xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %y = linalg.matmul ins(%x, %d : tensor<2x4xf32>, tensor<4x1xf32>) outs(%f : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// Channels first, with zero points: 0.5 * ... of the sorted rows.
// CHECK-LABEL: func @values
func.func @values() -> tensor<2x2xf32> {
  %x = arith.constant dense<[[1.0, 2.0, 3.0, 4.0], [-5.0, 6.0, 0.0, 8.0]]> : tensor<2x4xf32>
  %w = arith.constant dense<[[1, 2, 3, 4], [5, 6, 7, -8]]> : tensor<2x4xi4>
  %s = arith.constant dense<[[1.0, 8.0], [0.5, 2.0]]> : tensor<2x2xf32>
  %z = arith.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi32>
  %g = arith.constant dense<[1, 0, 0, 1]> : tensor<4xi32>
  %d = qd.dequantize %w scale %s zero_point %z group_index %g block_sizes = [1, 2] : tensor<2x4xi4>, tensor<2x2xf32>, tensor<2x2xi32>, tensor<4xi32> -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %d : tensor<2x4xf32>, tensor<2x4xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}
