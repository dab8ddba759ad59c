// No named function is left, and nothing but IEEE operations comes out; the bits
// are checked by unittests/Transforms/ExpandMathTest.cpp.
// RUN: q-opt %s --qd-expand-math --split-input-file | FileCheck %s

// CHECK-LABEL: func @vector
// CHECK-NOT: math.{{exp|log|erf|tanh|rsqrt|powf}}
// CHECK-NOT: qd.
// CHECK: math.fma %{{.*}} : vector<16xf32>
// CHECK: return
func.func @vector(%x: vector<16xf32>) -> vector<16xf32> {
  %0 = math.exp %x : vector<16xf32>
  %1 = math.log %0 : vector<16xf32>
  %2 = math.erf %1 : vector<16xf32>
  %3 = math.tanh %2 : vector<16xf32>
  %4 = math.rsqrt %3 : vector<16xf32>
  %5 = qd.silu %4 : vector<16xf32>
  %6 = qd.gelu %5 approximate(none) : vector<16xf32>
  %7 = qd.gelu %6 approximate(tanh) : vector<16xf32>
  %8 = math.powf %7, %x : vector<16xf32>
  return %8 : vector<16xf32>
}

// -----

// 1 / sqrt, two correctly rounded operations.
// CHECK-LABEL: func @rsqrt
// CHECK-SAME: %[[X:.*]]: f32
func.func @rsqrt(%x: f32) -> f32 {
  // CHECK-DAG: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
  // CHECK-DAG: %[[ROOT:.*]] = math.sqrt %[[X]] : f32
  // CHECK: arith.divf %[[ONE]], %[[ROOT]] : f32
  %y = math.rsqrt %x : f32
  return %y : f32
}

// -----

// f16 goes through f32 and is rounded once.
// CHECK-LABEL: func @f16
func.func @f16(%x: f16) -> f16 {
  // CHECK: arith.extf %{{.*}} : f16 to f32
  // CHECK: arith.truncf %{{.*}} : f32 to f16
  %y = math.tanh %x : f16
  return %y : f16
}

// -----

// Must not fire.
// CHECK-LABEL: func @left_alone
func.func @left_alone(%x: f64, %t: tensor<4xf32>) -> (f64, tensor<4xf32>, f64) {
  // CHECK: math.exp %{{.*}} : f64
  %0 = math.exp %x : f64
  // CHECK: math.exp %{{.*}} : tensor<4xf32>
  %1 = math.exp %t : tensor<4xf32>
  // CHECK: math.sqrt
  %2 = math.sqrt %x : f64
  return %0, %1, %2 : f64, tensor<4xf32>, f64
}

// -----

// What is the C library's is computed in f64 and rounded once.
// CHECK-LABEL: func @widened
// CHECK: arith.extf %{{.*}} : vector<16xf32> to vector<16xf64>
// CHECK: math.sin %{{.*}} : vector<16xf64>
// CHECK: arith.truncf %{{.*}} : vector<16xf64> to vector<16xf32>
// CHECK: math.atan2 %{{.*}}, %{{.*}} : f64
func.func @widened(%x: vector<16xf32>, %y: f32) -> (vector<16xf32>, f32) {
  %0 = math.sin %x : vector<16xf32>
  %1 = math.atan2 %y, %y : f32
  return %0, %1 : vector<16xf32>, f32
}
