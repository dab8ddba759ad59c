// linalg ops by their maps and payloads, hand-computed.
// RUN: q-run --interpret %s | FileCheck %s

// CHECK-LABEL: @matmul
// CHECK-NEXT: 2x2xfloat32 [ [22, 28], [59, 74] ]
// CHECK-NEXT: 2x2xint32 [ [-122, 28], [49, 64] ]
func.func @matmul() -> (tensor<2x2xf32>, tensor<2x2xi32>) {
  %a = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %b = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %c = arith.constant dense<[[0.0, 0.0], [10.0, 10.0]]> : tensor<2x2xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<2x3xf32>, tensor<3x2xf32>) outs(%c : tensor<2x2xf32>) -> tensor<2x2xf32>
  %d = arith.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>
  %e = arith.constant dense<[[-128, 2], [-9, 4], [8, 6]]> : tensor<3x2xi8>
  %f = arith.constant dense<[[0, 0], [558, 0]]> : tensor<2x2xi32>
  %1 = linalg.matmul ins(%d, %e : tensor<2x3xi8>, tensor<3x2xi8>) outs(%f : tensor<2x2xi32>) -> tensor<2x2xi32>
  return %0, %1 : tensor<2x2xf32>, tensor<2x2xi32>
}

// Input 1x4x4x1 counts up, kernel 2x2 of ones, stride 2, then dilation 2.
// CHECK-LABEL: @convolution
// CHECK-NEXT: 1x2x2x1xfloat32 [ [ [ [14], [22] ], [ [46], [54] ] ] ]
// CHECK-NEXT: 1x2x2x1xfloat32 [ [ [ [24], [28] ], [ [40], [44] ] ] ]
func.func @convolution() -> (tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>) {
  %v = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0]> : tensor<16xf32>
  %x = tensor.expand_shape %v [[0, 1, 2, 3]] output_shape [1, 4, 4, 1] : tensor<16xf32> into tensor<1x4x4x1xf32>
  %w = arith.constant dense<1.0> : tensor<2x2x1x1xf32>
  %i = arith.constant dense<0.0> : tensor<1x2x2x1xf32>
  %0 = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%x, %w : tensor<1x4x4x1xf32>, tensor<2x2x1x1xf32>) outs(%i : tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32>
  %1 = linalg.conv_2d_nhwc_hwcf {strides = dense<1> : tensor<2xi64>, dilations = dense<2> : tensor<2xi64>} ins(%x, %w : tensor<1x4x4x1xf32>, tensor<2x2x1x1xf32>) outs(%i : tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32>
  return %0, %1 : tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>
}

// CHECK-LABEL: @depthwise
// CHECK-NEXT: 1x1x1x2xint32 [ [ [ [4, -8] ] ] ]
func.func @depthwise() -> tensor<1x1x1x2xi32> {
  %x = arith.constant dense<[[[[1, 2], [1, 2]], [[1, 2], [1, 2]]]]> : tensor<1x2x2x2xi8>
  %w = arith.constant dense<[[[1, -1], [1, -1]], [[1, -1], [1, -1]]]> : tensor<2x2x2xi8>
  %i = arith.constant dense<0> : tensor<1x1x1x2xi32>
  %0 = linalg.depthwise_conv_2d_nhwc_hwc {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%x, %w : tensor<1x2x2x2xi8>, tensor<2x2x2xi8>) outs(%i : tensor<1x1x1x2xi32>) -> tensor<1x1x1x2xi32>
  return %0 : tensor<1x1x1x2xi32>
}

// CHECK-LABEL: @pooling
// CHECK-NEXT: 1x1x2x1xfloat32 [ [ [ [5], [nan] ] ] ]
// CHECK-NEXT: 1x1x2x1xint8 [ [ [ [-2], [4] ] ] ]
// CHECK-NEXT: 1x1x2x1xint32 [ [ [ [-15], [6] ] ] ]
func.func @pooling() -> (tensor<1x1x2x1xf32>, tensor<1x1x2x1xi8>, tensor<1x1x2x1xi32>) {
  %k = tensor.empty() : tensor<1x2xf32>
  %l = tensor.empty() : tensor<1x2xi32>
  %x = arith.constant dense<[[[[5.0], [3.0], [0x7FC00000], [4.0]]]]> : tensor<1x1x4x1xf32>
  %y = arith.constant dense<[[[[-13], [-2], [2], [4]]]]> : tensor<1x1x4x1xi8>
  %i = arith.constant dense<0xFF800000> : tensor<1x1x2x1xf32>
  %m = arith.constant dense<-128> : tensor<1x1x2x1xi8>
  %n = arith.constant dense<0> : tensor<1x1x2x1xi32>
  %0 = linalg.pooling_nhwc_max {strides = dense<[1, 2]> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%x, %k : tensor<1x1x4x1xf32>, tensor<1x2xf32>) outs(%i : tensor<1x1x2x1xf32>) -> tensor<1x1x2x1xf32>
  %1 = linalg.pooling_nhwc_max {strides = dense<[1, 2]> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%y, %k : tensor<1x1x4x1xi8>, tensor<1x2xf32>) outs(%m : tensor<1x1x2x1xi8>) -> tensor<1x1x2x1xi8>
  %2 = linalg.pooling_nhwc_sum {strides = dense<[1, 2]> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%y, %l : tensor<1x1x4x1xi8>, tensor<1x2xi32>) outs(%n : tensor<1x1x2x1xi32>) -> tensor<1x1x2x1xi32>
  return %0, %1, %2 : tensor<1x1x2x1xf32>, tensor<1x1x2x1xi8>, tensor<1x1x2x1xi32>
}

// CHECK-LABEL: @fill_and_transpose
// CHECK-NEXT: 3x2xint16 [ [1, 4], [2, 5], [3, 6] ]
// CHECK-NEXT: 2xint16 [-7, -7]
func.func @fill_and_transpose() -> (tensor<3x2xi16>, tensor<2xi16>) {
  %x = arith.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi16>
  %e = tensor.empty() : tensor<3x2xi16>
  %0 = linalg.transpose ins(%x : tensor<2x3xi16>) outs(%e : tensor<3x2xi16>) permutation = [1, 0]
  %c = arith.constant -7 : i16
  %f = tensor.empty() : tensor<2xi16>
  %1 = linalg.fill ins(%c : i16) outs(%f : tensor<2xi16>) -> tensor<2xi16>
  return %0, %1 : tensor<3x2xi16>, tensor<2xi16>
}

// Sum of squares of differences along the inner loop, a maximum along the outer.
// CHECK-LABEL: @reductions
// CHECK-NEXT: 2xfloat32 [5, 11]
// CHECK-NEXT: 2xint32 [3, 4]
func.func @reductions() -> (tensor<2xf32>, tensor<2xi32>) {
  %x = arith.constant dense<[[1.0, 2.0], [1.0, 3.0]]> : tensor<2x2xf32>
  %i = arith.constant dense<[0.0, 1.0]> : tensor<2xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<2x2xf32>) outs(%i : tensor<2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %b = arith.mulf %a, %a : f32
    %c = arith.addf %o, %b : f32
    linalg.yield %c : f32
  } -> tensor<2xf32>
  %y = arith.constant dense<[[1, 4], [3, 2]]> : tensor<2x2xi32>
  %m = arith.constant dense<-100> : tensor<2xi32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>], iterator_types = ["reduction", "parallel"]}
      ins(%y : tensor<2x2xi32>) outs(%m : tensor<2xi32>) {
  ^bb0(%a: i32, %o: i32):
    %c = arith.maxsi %a, %o : i32
    linalg.yield %c : i32
  } -> tensor<2xi32>
  return %0, %1 : tensor<2xf32>, tensor<2xi32>
}

// The init stands on both sides of the payload: no combination of that form.
// Horner's rule along the reduction: ((0 * 2 + 1) * 2 + 2) * 2 + 3 = 11.
// CHECK-LABEL: @general_reduction
// CHECK-NEXT: int32 11
func.func @general_reduction() -> tensor<i32> {
  %x = arith.constant dense<[1, 2, 3]> : tensor<3xi32>
  %i = arith.constant dense<0> : tensor<i32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<3xi32>) outs(%i : tensor<i32>) {
  ^bb0(%a: i32, %o: i32):
    %b = arith.addi %o, %o : i32
    %c = arith.addi %a, %b : i32
    linalg.yield %c : i32
  } -> tensor<i32>
  return %0 : tensor<i32>
}

// Two results of one reduction: a sum and the index of the maximum so far.
// CHECK-LABEL: @two_results
// CHECK-NEXT: 2xint32 [6, 60]
// CHECK-NEXT: 2xint32 [3, 30]
func.func @two_results() -> (tensor<2xi32>, tensor<2xi32>) {
  %x = arith.constant dense<[[1, 2, 3], [10, 20, 30]]> : tensor<2x3xi32>
  %i = arith.constant dense<0> : tensor<2xi32>
  %0:2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<2x3xi32>) outs(%i, %i : tensor<2xi32>, tensor<2xi32>) {
  ^bb0(%a: i32, %o: i32, %p: i32):
    %b = arith.addi %o, %a : i32
    %c = arith.maxsi %p, %a : i32
    linalg.yield %b, %c : i32, i32
  } -> (tensor<2xi32>, tensor<2xi32>)
  return %0#0, %0#1 : tensor<2xi32>, tensor<2xi32>
}

// Maps with floordiv and mod, linalg.index, and a gather from a captured tensor.
// CHECK-LABEL: @maps_and_indices
// CHECK-NEXT: 4xint32 [10, 10, 20, 20]
// CHECK-NEXT: 4xint32 [10, 20, 10, 20]
// CHECK-NEXT: 2x3xint64 [ [0, 1, 2], [10, 11, 12] ]
// CHECK-NEXT: 3xint32 [20, 10, 20]
func.func @maps_and_indices() -> (tensor<4xi32>, tensor<4xi32>, tensor<2x3xindex>, tensor<3xi32>) {
  %x = arith.constant dense<[10, 20]> : tensor<2xi32>
  %e = tensor.empty() : tensor<4xi32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i floordiv 2)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<2xi32>) outs(%e : tensor<4xi32>) {
  ^bb0(%a: i32, %o: i32):
    linalg.yield %a : i32
  } -> tensor<4xi32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i) -> (i mod 2)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<2xi32>) outs(%e : tensor<4xi32>) {
  ^bb0(%a: i32, %o: i32):
    linalg.yield %a : i32
  } -> tensor<4xi32>
  %f = tensor.empty() : tensor<2x3xindex>
  %c10 = arith.constant 10 : index
  %2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      outs(%f : tensor<2x3xindex>) {
  ^bb0(%o: index):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %k = arith.muli %i, %c10 : index
    %l = arith.addi %k, %j : index
    linalg.yield %l : index
  } -> tensor<2x3xindex>
  %g = arith.constant dense<[1, 0, 1]> : tensor<3xi64>
  %h = tensor.empty() : tensor<3xi32>
  %3 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%g : tensor<3xi64>) outs(%h : tensor<3xi32>) {
  ^bb0(%a: i64, %o: i32):
    %at = arith.index_cast %a : i64 to index
    %v = tensor.extract %x[%at] : tensor<2xi32>
    linalg.yield %v : i32
  } -> tensor<3xi32>
  return %0, %1, %2, %3 : tensor<4xi32>, tensor<4xi32>, tensor<2x3xindex>, tensor<3xi32>
}

// An empty reduction leaves the init; an empty result is empty.
// CHECK-LABEL: @empty
// CHECK-NEXT: 2x2xfloat32 [ [7, 7], [7, 7] ]
// CHECK-NEXT: 0x2xfloat32 [ ]
func.func @empty() -> (tensor<2x2xf32>, tensor<0x2xf32>) {
  %a = arith.constant dense<1.0> : tensor<2x0xf32>
  %b = arith.constant dense<1.0> : tensor<0x2xf32>
  %i = arith.constant dense<7.0> : tensor<2x2xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<2x0xf32>, tensor<0x2xf32>) outs(%i : tensor<2x2xf32>) -> tensor<2x2xf32>
  %c = arith.constant dense<1.0> : tensor<2x2xf32>
  %1 = linalg.matmul ins(%b, %c : tensor<0x2xf32>, tensor<2x2xf32>) outs(%b : tensor<0x2xf32>) -> tensor<0x2xf32>
  return %0, %1 : tensor<2x2xf32>, tensor<0x2xf32>
}
