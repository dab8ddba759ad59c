// A product whose activation has a scale and a zero point for each row becomes an integer sum that ends in floats; the
// numbers are those of the float product of the dequantized sides, but for the rounding of its sums.
// RUN: q-opt %s -qd-integerize | FileCheck %s
// RUN: q-opt %s -qd-integerize > %t.mlir
// RUN: q-run %s --function=values --print > %t.float
// RUN: q-run %t.mlir --function=values --print | diff %t.float -
// RUN: FileCheck %s --check-prefix=VALUES < %t.float

// CHECK-LABEL: @rows
// CHECK:       %[[W:.+]] = arith.constant dense<{{\[\[}}1, 4], [-2, 2], [3, 127]]> : tensor<3x2xi8>
// CHECK:       %[[ACC:.+]] = linalg.generic {{.*}} ins(%{{.*}}, %[[W]] : tensor<3x3xi8>, tensor<3x2xi8>)
// CHECK-SAME:    qd.acc_bound = array<i64: -17024, 16891>, qd.macs = 18 : i64
// CHECK-DAG:   %[[SUMS:.+]] = arith.constant dense<[2, 133]> : tensor<2xi32>
// CHECK-DAG:   %[[SW:.+]] = arith.constant dense<[2.500000e-01, 5.000000e-01]> : tensor<2xf32>
// CHECK:       %[[Y:.+]] = linalg.generic {{.*}} ins(%[[ACC]], %{{.*}}, %{{.*}}, %[[SW]], %[[SUMS]] : tensor<3x2xi32>, tensor<3xf32>, tensor<3xi32>, tensor<2xf32>, tensor<2xi32>)
// CHECK:         %[[P:.+]] = arith.muli
// CHECK:         arith.subi %{{.*}}, %[[P]] : i32
// CHECK:         arith.mulf
// CHECK:         arith.sitofp
// CHECK:         arith.mulf
// CHECK:       return %[[Y]]
func.func @rows(%q: tensor<3x3xi8>, %s: tensor<3x1xf32>, %z: tensor<3x1xi32>) -> tensor<3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1, 4], [-2, 2], [3, 127]]> : tensor<3x2xi8>
  %sw = arith.constant dense<[[0.25, 0.5]]> : tensor<1x2xf32>
  %dw = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<3x2xi8>, tensor<1x2xf32> -> tensor<3x2xf32>
  %x = qd.dequantize %q scale %s zero_point %z block_sizes = [1, 0] : tensor<3x3xi8>, tensor<3x1xf32>, tensor<3x1xi32> -> tensor<3x3xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(s, n, k) -> (s, k)>, affine_map<(s, n, k) -> (k, n)>, affine_map<(s, n, k) -> (s, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %dw : tensor<3x3xf32>, tensor<3x2xf32>) outs(%init : tensor<3x2xf32>) attrs = {qd.requested = "w8a8-token"} {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %v = arith.addf %o, %m : f32
    linalg.yield %v : f32
  } -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// A scale that changes along the summed dimension has no integer form.
// CHECK-LABEL: @columns
// CHECK:       qd.fallback = "its activation's scale varies along a summed dimension"
func.func @columns(%q: tensor<2x3xi8>, %s: tensor<1x3xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1, 4], [-2, 2], [3, 127]]> : tensor<3x2xi8>
  %sw = arith.constant dense<0.25> : tensor<f32>
  %dw = qd.dequantize %w scale %sw : tensor<3x2xi8>, tensor<f32> -> tensor<3x2xf32>
  %x = qd.dequantize %q scale %s block_sizes = [0, 1] : tensor<2x3xi8>, tensor<1x3xf32> -> tensor<2x3xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul {qd.requested = "w8a8-token"} ins(%x, %dw : tensor<2x3xf32>, tensor<3x2xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// Powers of two, so that both ways are exact: the ends of the codes, zero points at both ends, a dead row.
// VALUES: {{[0-9-]}}
func.func @values() -> tensor<3x2xf32> {
  %q = arith.constant dense<[[-128, 127, 5], [7, -7, 0], [3, 3, 3]]> : tensor<3x3xi8>
  %s = arith.constant dense<[[0.5], [2.0], [1.0]]> : tensor<3x1xf32>
  %z = arith.constant dense<[[127], [-128], [3]]> : tensor<3x1xi32>
  %r = func.call @rows(%q, %s, %z) : (tensor<3x3xi8>, tensor<3x1xf32>, tensor<3x1xi32>) -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// A payload that reads a dequantized table reads its codes; the values stay.
// CHECK-LABEL: @table
// CHECK-DAG:   %[[CODES:.+]] = arith.constant dense<{{.*}}> : tensor<3x2xi8>
// CHECK-DAG:   %[[SCALES:.+]] = tensor.collapse_shape %{{.*}} : tensor<3x1xf32> into tensor<3xf32>
// CHECK:         %[[C:.+]] = tensor.extract %[[CODES]][%[[ROW:.+]], %{{.+}}] : tensor<3x2xi8>
// CHECK:         %[[S:.+]] = tensor.extract %[[SCALES]][%[[ROW]]] : tensor<3xf32>
// CHECK:         qd.dequantize %[[C]] scale %[[S]] : i8, f32 -> f32
func.func @table(%i: tensor<4xi64>) -> tensor<4x2xf32> {
  %codes = arith.constant dense<[[1, -128], [127, 0], [5, 6]]> : tensor<3x2xi8>
  %scales = arith.constant dense<[[0.1], [0.3], [1.0e-3]]> : tensor<3x1xf32>
  %t = qd.dequantize %codes scale %scales block_sizes = [1, 0] : tensor<3x2xi8>, tensor<3x1xf32> -> tensor<3x2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%i : tensor<4xi64>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%a: i64, %o: f32):
    %row = arith.index_cast %a : i64 to index
    %column = linalg.index 1 : index
    %v = tensor.extract %t[%row, %column] : tensor<3x2xf32>
    linalg.yield %v : f32
  } -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}
