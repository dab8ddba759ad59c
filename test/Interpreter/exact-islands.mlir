// What --exact-islands changes: an island is rounded once, at its quantize.
// RUN: q-run --interpret %s | FileCheck %s
// RUN: q-run --interpret --exact-islands %s | FileCheck %s --check-prefix=EXACT

// 1 + 2^-30 over 2 is above the tie of 0.5; in f32 the small part is lost and the
// tie goes to 0.
// CHECK-LABEL: @sum_above_a_tie
// CHECK-NEXT: int8 0
// EXACT-LABEL: @sum_above_a_tie
// EXACT-NEXT: int8 1
func.func @sum_above_a_tie() -> tensor<i8> {
  %q = arith.constant dense<1> : tensor<i8>
  %s = arith.constant dense<1.0> : tensor<f32>
  %t = arith.constant dense<9.31322575E-10> : tensor<f32>
  %u = arith.constant dense<2.0> : tensor<f32>
  %a = qd.dequantize %q scale %s : tensor<i8>, tensor<f32> -> tensor<f32>
  %b = qd.dequantize %q scale %t : tensor<i8>, tensor<f32> -> tensor<f32>
  %c = arith.addf %a, %b : tensor<f32>
  %r = qd.quantize %c scale %u rounding(half_even) overflow(saturate) : tensor<f32>, tensor<f32> -> tensor<i8>
  return %r : tensor<i8>
}

// A contraction of 2^24 + 1 + 1: f32 adds the ones to 2^24 one by one and loses
// both; exactly, the sum over 2^24 is above 1 but not by a code.
// CHECK-LABEL: @contraction
// CHECK-NEXT: 1x1xfloat32 [ [16777216] ]
// EXACT-LABEL: @contraction
// EXACT-NEXT: 1x1xfloat64 [ [16777218] ]
func.func @contraction() -> tensor<1x1xf32> {
  %a = arith.constant dense<[[16777216.0, 1.0, 1.0]]> : tensor<1x3xf32>
  %b = arith.constant dense<1.0> : tensor<3x1xf32>
  %i = arith.constant dense<0.0> : tensor<1x1xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<1x3xf32>, tensor<3x1xf32>) outs(%i : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// Integer programs do not change.
// CHECK-LABEL: @requantize
// CHECK-NEXT: int8 2
// EXACT-LABEL: @requantize
// EXACT-NEXT: int8 2
func.func @requantize() -> tensor<i8> {
  %a = arith.constant dense<5> : tensor<i32>
  %s = arith.constant dense<0.5> : tensor<f32>
  %q = qd.requantize %a scale %s rounding(half_even) overflow(saturate) : tensor<i32>, tensor<f32> -> tensor<i8>
  return %q : tensor<i8>
}
