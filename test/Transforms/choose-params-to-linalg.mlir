// qd.choose_params: everything, rows, blocks of two, a dead row, values that
// are no numbers, f16.
// RUN: q-opt %s --qd-cast-to-linalg > %t.mlir
// RUN: q-run %s --function=params --print > %t.params
// RUN: q-run %t.mlir --function=params --print | diff %t.params -
// RUN: FileCheck %s --check-prefix=PARAMS < %t.mlir
// PARAMS-LABEL: func @params
// PARAMS-NOT: qd.choose_params
func.func @params() -> (tensor<f32>, tensor<i32>, tensor<3x1xf32>, tensor<3x1xi32>, tensor<3x2xf32>, tensor<3x2xi32>, tensor<1x4xf32>, tensor<1x4xi32>, tensor<f32>, tensor<i32>) {
  %x = arith.constant dense<[[-1.0, 3.0, 0x7F800000, 0x7FC00000], [0.0, -0.0, 0.0, 0.0], [5.3, 1.0e-3, -77.7, 1.0e30]]> : tensor<3x4xf32>
  %h = arith.constant dense<[0.1, -3.7, 2.2]> : tensor<3xf16>
  %0, %1 = qd.choose_params %x for !qd.uint<8> : tensor<3x4xf32> -> tensor<f32>, tensor<i32>
  %2, %3 = qd.choose_params %x for i8 block_sizes = [1, 0] : tensor<3x4xf32> -> tensor<3x1xf32>, tensor<3x1xi32>
  %4, %5 = qd.choose_params %x for i4 block_sizes = [1, 2] : tensor<3x4xf32> -> tensor<3x2xf32>, tensor<3x2xi32>
  %6, %7 = qd.choose_params %x for i8 symmetric block_sizes = [0, 1] : tensor<3x4xf32> -> tensor<1x4xf32>, tensor<1x4xi32>
  %8, %9 = qd.choose_params %h for i8 : tensor<3xf16> -> tensor<f32>, tensor<i32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9 : tensor<f32>, tensor<i32>, tensor<3x1xf32>, tensor<3x1xi32>, tensor<3x2xf32>, tensor<3x2xi32>, tensor<1x4xf32>, tensor<1x4xi32>, tensor<f32>, tensor<i32>
}

// Everything, of more than one row of columns: two reductions, the first of
// which keeps the columns.
// PARAMS-LABEL: func @large
// PARAMS: tensor.collapse_shape %{{.*}} : tensor<3x4096xf32> into tensor<12288xf32>
// PARAMS: tensor.expand_shape %{{.*}} : tensor<12288xf32> into tensor<3x4096xf32>
// PARAMS: linalg.generic {{.*}}iterator_types = ["reduction", "parallel"]
// PARAMS: arith.minimumf
// PARAMS: linalg.generic {{.*}}iterator_types = ["reduction"]
func.func @large(%x: tensor<3x4096xf32>) -> (tensor<f32>, tensor<i32>) {
  %s, %z = qd.choose_params %x for i8 : tensor<3x4096xf32> -> tensor<f32>, tensor<i32>
  return %s, %z : tensor<f32>, tensor<i32>
}

// A block that is cut short counts as filled up with 0: 5 elements in blocks of
// 2, the last of which is below 0 alone.
// RUN: q-run %s --function=short_block --print > %t.short
// RUN: q-run %t.mlir --function=short_block --print | diff %t.short -
// PARAMS-LABEL: func @short_block
// PARAMS: tensor.pad %{{.*}} low[0, 0] high[0, 1]
// PARAMS-NOT: qd.choose_params
func.func @short_block() -> (tensor<2x3xf32>, tensor<2x3xi32>) {
  %x = arith.constant dense<[[1.0, 2.0, -3.0, 0.5, -9.0], [0.0, 0.0, 5.0, 6.0, 0.0]]> : tensor<2x5xf32>
  %s, %z = qd.choose_params %x for i8 block_sizes = [1, 2] : tensor<2x5xf32> -> tensor<2x3xf32>, tensor<2x3xi32>
  return %s, %z : tensor<2x3xf32>, tensor<2x3xi32>
}

// Blocks of a dimension of dynamic size are not lowered: their op stays.
// PARAMS-LABEL: func @dynamic_blocks
// PARAMS: qd.choose_params
func.func @dynamic_blocks(%x: tensor<2x?xf32>) -> (tensor<2x?xf32>, tensor<2x?xi32>) {
  %s, %z = qd.choose_params %x for i8 block_sizes = [1, 2] : tensor<2x?xf32> -> tensor<2x?xf32>, tensor<2x?xi32>
  return %s, %z : tensor<2x?xf32>, tensor<2x?xi32>
}
