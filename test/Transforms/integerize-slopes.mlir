// RUN: q-opt %s -qd-integerize=rescale=dyadic -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: q-run --interpret %t.mlir --input "[[4, 0], [-4, 0], [5, 1], [-5, -1], [127, 127], [-128, -128]]" | FileCheck %s --check-prefix=VALUES
// RUN: q-opt %s -qd-integerize=rescale=float | FileCheck %s --check-prefix=FLOAT

// A relu with a slope for each channel: the sign of the accumulator chooses
// between two multipliers; below a negative slope the accumulator changes its
// sign. With float rescaling the sum is integer and the relu a float.

// CHECK-LABEL: @main
// CHECK: %[[ACC:.+]] = linalg.matmul
// CHECK: linalg.generic
// CHECK-NOT: f32
// CHECK: %[[BELOW:.+]] = arith.cmpi slt, %[[A:.+]], %{{.*}} : i32
// CHECK-DAG: %[[M:.+]] = arith.select %[[BELOW]], %{{.*}}, %{{.*}} : i32
// CHECK-DAG: %[[N:.+]] = arith.muli %[[A]], %{{.*}} : i32
// CHECK-DAG: %[[S:.+]] = arith.select %[[BELOW]], %[[N]], %[[A]] : i32
// CHECK: qd.rescale %[[S]] multiplier %[[M]]

// FLOAT: linalg.matmul {{.*}} -> tensor<6x4xi32>
// FLOAT: arith.cmpf
// FLOAT: qd.quantize

// x * 0.5 * 1.0 / 0.25 = 2 x plus the bias of 4 steps of 0.5 in the second
// channel; slopes 0.25, -0.5, 0, 2.
// VALUES: 6x4xint8
// VALUES-SAME: [9, 17, 9, -15]
// VALUES-SAME: [-1, 1, 1, 9]
// VALUES-SAME: [11, 19, 11, -15]
// VALUES-SAME: [-1, 2, 1, 9]
// VALUES-SAME: [127, 127, 127, 1]
// VALUES-SAME: [-63, 125, 1, 1]
func.func @main(%q: tensor<6x2xi8>) -> tensor<6x4xi8> {
  %sx = arith.constant dense<0.5> : tensor<f32>
  %sw = arith.constant dense<1.0> : tensor<f32>
  %sy = arith.constant dense<0.25> : tensor<f32>
  %zy = arith.constant dense<1> : tensor<i32>
  %wq = arith.constant dense<[[1, 1, 1, -1], [0, 0, 0, 1]]> : tensor<2x4xi8>
  %bias = arith.constant dense<[0.0, 2.0, 0.0, 0.0]> : tensor<4xf32>
  %slopes = arith.constant dense<[0.25, -0.5, 0.0, 2.0]> : tensor<4xf32>
  %zero = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx : tensor<6x2xi8>, tensor<f32> -> tensor<6x2xf32>
  %w = qd.dequantize %wq scale %sw : tensor<2x4xi8>, tensor<f32> -> tensor<2x4xf32>
  %e = tensor.empty() : tensor<6x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6x4xf32>) -> tensor<6x4xf32>
  %m = linalg.matmul ins(%x, %w : tensor<6x2xf32>, tensor<2x4xf32>) outs(%f : tensor<6x4xf32>) -> tensor<6x4xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (j)>,
                       affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%m, %bias, %slopes : tensor<6x4xf32>, tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<6x4xf32>) {
  ^bb0(%a: f32, %b: f32, %slope: f32, %o: f32):
    %sum = arith.addf %a, %b : f32
    %scaled = arith.mulf %sum, %slope : f32
    %below = arith.cmpf olt, %sum, %zero : f32
    %y = arith.select %below, %scaled, %sum : f32
    linalg.yield %y : f32
  } -> tensor<6x4xf32>
  %y = qd.quantize %r scale %sy zero_point %zy rounding(half_even) overflow(saturate) : tensor<6x4xf32>, tensor<f32>, tensor<i32> -> tensor<6x4xi8>
  return %y : tensor<6x4xi8>
}
