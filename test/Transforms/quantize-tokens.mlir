// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-insert-observers{recipe=%S/Inputs/dynamic.yaml},qd-quantize{recipe=%S/Inputs/dynamic.yaml}))" -split-input-file | FileCheck %s

// Nothing is observed: the matrix product quantizes each row that it sums over by a scale and a zero point of the row.

// CHECK-LABEL: @product
// CHECK-SAME:  %[[X:.+]]: tensor<2x?x3xf32>
// CHECK-NOT:   qd.observe
// CHECK:       %[[S:.+]], %[[Z:.+]] = qd.choose_params %[[X]] for !qd.uint<8> block_sizes = [1, 1, 0] {qd.name = "x"}
// CHECK-SAME:    tensor<2x?x3xf32> -> tensor<2x?x1xf32>, tensor<2x?x1xi32>
// CHECK-NEXT:  %[[Q:.+]] = qd.quantize %[[X]] scale %[[S]] zero_point %[[Z]] rounding(half_even) overflow(saturate) block_sizes = [1, 1, 0]
// CHECK-NEXT:  %[[D:.+]] = qd.dequantize %[[Q]] scale %[[S]] zero_point %[[Z]] block_sizes = [1, 1, 0]
// CHECK:       linalg.generic {{.*}} ins(%[[D]], %{{.*}} : tensor<2x?x3xf32>, tensor<3x2xf32>)
// CHECK-SAME:    qd.requested = "w8a8-token"
func.func @product(%x: tensor<2x?x3xf32> {qd.name = "x"}) -> tensor<2x?x2xf32> {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.25, 1.0], [-0.5, 0.5], [0.125, 2.0]]> : tensor<3x2xf32>
  %n = tensor.dim %x, %c1 : tensor<2x?x3xf32>
  %e = tensor.empty(%n) : tensor<2x?x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x?x2xf32>) -> tensor<2x?x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(b, s, n, k) -> (b, s, k)>, affine_map<(b, s, n, k) -> (k, n)>, affine_map<(b, s, n, k) -> (b, s, n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<2x?x3xf32>, tensor<3x2xf32>) outs(%init : tensor<2x?x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %v = arith.addf %o, %m : f32
    linalg.yield %v : f32
  } -> tensor<2x?x2xf32>
  return %y : tensor<2x?x2xf32>
}

// -----

// A table of rows becomes codes with a scale a row; a small one, and one that is read column by column, stay.

// CHECK-LABEL: @tables
// CHECK:       %[[CODES:.+]] = arith.constant dense_resource<table_codes> : tensor<1024x32xi8>
// CHECK-NEXT:  %[[SCALES:.+]] = arith.constant dense_resource<table_scales> : tensor<1024x1xf32>
// CHECK-NEXT:  %[[T:.+]] = qd.dequantize %[[CODES]] scale %[[SCALES]] block_sizes = [1, 0]
// CHECK:       %[[SMALL:.+]] = arith.constant dense_resource<small> : tensor<16x16xf32>
// CHECK:       tensor.extract %[[T]]
// CHECK:       tensor.extract %[[SMALL]]
// The codes are 127 and the scales 1 / 127.
// CHECK:       table_codes: "0x400000007F7F7F7F7F7F7F7F7F
// CHECK:       table_scales: "0x400000000402013C0402013C
func.func @tables(%i: tensor<4xi64>) -> (tensor<4x32xf32>, tensor<4x16xf32>) {
  %t = arith.constant dense<1.0> : tensor<1024x32xf32>
  %s = arith.constant dense_resource<small> : tensor<16x16xf32>
  %e = tensor.empty() : tensor<4x32xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%i : tensor<4xi64>) outs(%e : tensor<4x32xf32>) {
  ^bb0(%a: i64, %o: f32):
    %row = arith.index_cast %a : i64 to index
    %column = linalg.index 1 : index
    %v = tensor.extract %t[%row, %column] : tensor<1024x32xf32>
    linalg.yield %v : f32
  } -> tensor<4x32xf32>
  %f = tensor.empty() : tensor<4x16xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%i : tensor<4xi64>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%a: i64, %o: f32):
    %row = arith.index_cast %a : i64 to index
    %column = linalg.index 1 : index
    %v = tensor.extract %s[%row, %column] : tensor<16x16xf32>
    linalg.yield %v : f32
  } -> tensor<4x16xf32>
  return %y, %z : tensor<4x32xf32>, tensor<4x16xf32>
}
