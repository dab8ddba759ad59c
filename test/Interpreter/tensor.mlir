// tensor ops.
// RUN: q-run --interpret %s | FileCheck %s

// CHECK-LABEL: @pad
// CHECK-NEXT: 2x4xint8 [ [-128, 1, 2, -128], [-128, -128, -128, -128] ]
func.func @pad() -> tensor<2x4xi8> {
  %x = arith.constant dense<[[1, 2]]> : tensor<1x2xi8>
  %c = arith.constant -128 : i8
  %0 = tensor.pad %x low[0, 1] high[1, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %c : i8
  } : tensor<1x2xi8> to tensor<2x4xi8>
  return %0 : tensor<2x4xi8>
}

// Padding that is computed from the index, here a code for each column.
// CHECK-LABEL: @pad_by_index
// CHECK-NEXT: 2x3xint8 [ [7, 1, 2], [7, 8, 9] ]
func.func @pad_by_index() -> tensor<2x3xi8> {
  %x = arith.constant dense<[[1, 2]]> : tensor<1x2xi8>
  %codes = arith.constant dense<[7, 8, 9]> : tensor<3xi8>
  %0 = tensor.pad %x low[0, 1] high[1, 0] {
  ^bb0(%i: index, %j: index):
    %c = tensor.extract %codes[%j] : tensor<3xi8>
    tensor.yield %c : i8
  } : tensor<1x2xi8> to tensor<2x3xi8>
  return %0 : tensor<2x3xi8>
}

// CHECK-LABEL: @concat
// CHECK-NEXT: 2x3xint8 [ [1, 3, 4], [2, 5, 6] ]
// CHECK-NEXT: 3xint8 [1, 2, 3]
func.func @concat() -> (tensor<2x3xi8>, tensor<3xi8>) {
  %a = arith.constant dense<[[1], [2]]> : tensor<2x1xi8>
  %b = arith.constant dense<[[3, 4], [5, 6]]> : tensor<2x2xi8>
  %0 = tensor.concat dim(1) %a, %b : (tensor<2x1xi8>, tensor<2x2xi8>) -> tensor<2x3xi8>
  %c = arith.constant dense<[1, 2]> : tensor<2xi8>
  %d = arith.constant dense<0> : tensor<0xi8>
  %e = arith.constant dense<3> : tensor<1xi8>
  %1 = tensor.concat dim(0) %c, %d, %e : (tensor<2xi8>, tensor<0xi8>, tensor<1xi8>) -> tensor<3xi8>
  return %0, %1 : tensor<2x3xi8>, tensor<3xi8>
}

// CHECK-LABEL: @reshape
// CHECK-NEXT: 4xint8 [1, 2, 3, 4]
// CHECK-NEXT: 1x2x2xint8 [ [ [1, 2], [3, 4] ] ]
func.func @reshape() -> (tensor<4xi8>, tensor<1x2x2xi8>) {
  %x = arith.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>
  %0 = tensor.collapse_shape %x [[0, 1]] : tensor<2x2xi8> into tensor<4xi8>
  %1 = tensor.expand_shape %x [[0, 1], [2]] output_shape [1, 2, 2] : tensor<2x2xi8> into tensor<1x2x2xi8>
  return %0, %1 : tensor<4xi8>, tensor<1x2x2xi8>
}

// Strides, rank reduction, and an insertion into a copy: %x is untouched.
// CHECK-LABEL: @slices
// CHECK-NEXT: 2x2xint8 [ [2, 4], [10, 12] ]
// CHECK-NEXT: 4xint8 [5, 6, 7, 8]
// CHECK-NEXT: 3x4xint8 [ [1, 2, 3, 4], [5, -1, 7, -2], [9, 10, 11, 12] ]
// CHECK-NEXT: 3x4xint8 [ [1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12] ]
func.func @slices() -> (tensor<2x2xi8>, tensor<4xi8>, tensor<3x4xi8>, tensor<3x4xi8>) {
  %x = arith.constant dense<[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]> : tensor<3x4xi8>
  %0 = tensor.extract_slice %x[0, 1] [2, 2] [2, 2] : tensor<3x4xi8> to tensor<2x2xi8>
  %1 = tensor.extract_slice %x[1, 0] [1, 4] [1, 1] : tensor<3x4xi8> to tensor<4xi8>
  %y = arith.constant dense<[-1, -2]> : tensor<2xi8>
  %2 = tensor.insert_slice %y into %x[1, 1] [1, 2] [1, 2] : tensor<2xi8> into tensor<3x4xi8>
  return %0, %1, %2, %x : tensor<2x2xi8>, tensor<4xi8>, tensor<3x4xi8>, tensor<3x4xi8>
}

// CHECK-LABEL: @elements
// CHECK-NEXT: 3xint32 [4, 5, 3]
// CHECK-NEXT: 2xint32 [3, 3]
// CHECK-NEXT: 2x2xint32 [ [1, 2], [7, 4] ]
// CHECK-NEXT: int64 2
// CHECK-NEXT: 2x2xint64 [ [0, 1], [1, 2] ]
func.func @elements() -> (tensor<3xi32>, tensor<2xi32>, tensor<2x2xi32>, index, tensor<2x2xindex>) {
  %x = arith.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = tensor.extract %x[%c1, %c0] : tensor<2x2xi32>
  %b = tensor.extract %x[%c1, %c1] : tensor<2x2xi32>
  %one = arith.constant 1 : i32
  %c = arith.addi %b, %one : i32
  %0 = tensor.from_elements %b, %c, %a : tensor<3xi32>
  %1 = tensor.splat %a : tensor<2xi32>
  %seven = arith.constant 7 : i32
  %2 = tensor.insert %seven into %x[%c1, %c0] : tensor<2x2xi32>
  %3 = tensor.dim %x, %c1 : tensor<2x2xi32>
  %4 = tensor.generate {
  ^bb0(%i: index, %j: index):
    %s = arith.addi %i, %j : index
    tensor.yield %s : index
  } : tensor<2x2xindex>
  return %0, %1, %2, %3, %4 : tensor<3xi32>, tensor<2xi32>, tensor<2x2xi32>, index, tensor<2x2xindex>
}

// What tensor.empty holds shows: NaN.
// CHECK-LABEL: @empty_is_poison
// CHECK-NEXT: 2xfloat32 [nan, nan]
func.func @empty_is_poison() -> tensor<2xf32> {
  %e = tensor.empty() : tensor<2xf32>
  return %e : tensor<2xf32>
}
