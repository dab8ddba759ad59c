// Structured control flow: values, and that inserting in a loop does not write
// into what others still read.
// RUN: q-run %s | FileCheck %s

// CHECK-LABEL: @counted
// CHECK:       4xint32 [0, 1, 4, 9]
// CHECK-NEXT:  result1: 4xint32 [7, 7, 7, 7]
func.func @counted() -> (tensor<4xi32>, tensor<4xi32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %start = arith.constant dense<7> : tensor<4xi32>
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%t = %start) -> (tensor<4xi32>) {
    %v = arith.index_cast %i : index to i32
    %s = arith.muli %v, %v : i32
    %n = tensor.insert %s into %t[%i] : tensor<4xi32>
    scf.yield %n : tensor<4xi32>
  }
  return %r, %start : tensor<4xi32>, tensor<4xi32>
}

// No iteration: the initial value.
// CHECK-LABEL: @empty_loop
// CHECK:       2xfloat32 [1.5, 2.5]
func.func @empty_loop() -> tensor<2xf32> {
  %c1 = arith.constant 1 : index
  %start = arith.constant dense<[1.5, 2.5]> : tensor<2xf32>
  %r = scf.for %i = %c1 to %c1 step %c1 iter_args(%t = %start) -> (tensor<2xf32>) {
    %n = arith.addf %t, %t : tensor<2xf32>
    scf.yield %n : tensor<2xf32>
  }
  return %r : tensor<2xf32>
}

// The loop reads what it is given as initial value, too.
// CHECK-LABEL: @reads_initial
// CHECK:       3xint32 [1, 3, 6]
func.func @reads_initial() -> tensor<3xi32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0 : i32
  %start = arith.constant dense<[1, 2, 3]> : tensor<3xi32>
  %r:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%t = %start, %sum = %zero) -> (tensor<3xi32>, i32) {
    %v = tensor.extract %start[%i] : tensor<3xi32>
    %s = arith.addi %sum, %v : i32
    %n = tensor.insert %s into %t[%i] : tensor<3xi32>
    scf.yield %n, %s : tensor<3xi32>, i32
  }
  return %r#0 : tensor<3xi32>
}

// CHECK-LABEL: @branches
// CHECK:       result0: int32 1
// CHECK-NEXT:  result1: int32 2
func.func @branches() -> (tensor<i32>, tensor<i32>) {
  %yes = arith.constant true
  %no = arith.constant false
  %one = arith.constant dense<1> : tensor<i32>
  %two = arith.constant dense<2> : tensor<i32>
  %a = scf.if %yes -> (tensor<i32>) {
    scf.yield %one : tensor<i32>
  } else {
    scf.yield %two : tensor<i32>
  }
  %b = scf.if %no -> (tensor<i32>) {
    scf.yield %one : tensor<i32>
  } else {
    scf.yield %two : tensor<i32>
  }
  return %a, %b : tensor<i32>, tensor<i32>
}

// CHECK-LABEL: @until
// CHECK:       result0: int64 128
func.func @until() -> tensor<i64> {
  %one = arith.constant 1 : i64
  %limit = arith.constant 100 : i64
  %r = scf.while (%v = %one) : (i64) -> i64 {
    %more = arith.cmpi slt, %v, %limit : i64
    scf.condition(%more) %v : i64
  } do {
  ^bb0(%v: i64):
    %n = arith.addi %v, %v : i64
    scf.yield %n : i64
  }
  %t = tensor.from_elements %r : tensor<i64>
  return %t : tensor<i64>
}
