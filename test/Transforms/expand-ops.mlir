// The ops that come out; that they compute the right bits is shown by
// unittests/Transforms/ExpandOpsTest.cpp.
// RUN: q-opt %s --qd-expand-ops --split-input-file | FileCheck %s

// NaN first, then the two ends, then rounding, then the zero point.
// CHECK-LABEL: func @requantize
// CHECK-SAME: %[[A:.*]]: i32, %[[S:.*]]: f32, %[[Z:.*]]: i32
func.func @requantize(%a: i32, %s: f32, %z: i32) -> i8 {
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
  // CHECK-DAG: %[[MIN:.*]] = arith.constant -128 : i32
  // CHECK-DAG: %[[MAX:.*]] = arith.constant 127 : i32
  // CHECK: %[[F:.*]] = arith.sitofp %[[A]] : i32 to f32
  // CHECK: %[[P:.*]] = arith.mulf %[[F]], %[[S]] : f32
  // CHECK: %[[NAN:.*]] = arith.cmpf uno, %[[P]], %[[P]] : f32
  // CHECK: %[[R:.*]] = arith.select %[[NAN]], %[[ZERO]], %[[P]] : f32
  // CHECK: %[[LI:.*]] = arith.subi %[[MIN]], %[[Z]]
  // CHECK: %[[L:.*]] = arith.sitofp %[[LI]]
  // CHECK: %[[HI:.*]] = arith.subi %[[MAX]], %[[Z]]
  // CHECK: %[[H:.*]] = arith.sitofp %[[HI]]
  // CHECK: %[[BELOW:.*]] = arith.cmpf olt, %[[R]], %[[L]]
  // CHECK: %[[R1:.*]] = arith.select %[[BELOW]], %[[L]], %[[R]]
  // CHECK: %[[ABOVE:.*]] = arith.cmpf ogt, %[[R1]], %[[H]]
  // CHECK: %[[R2:.*]] = arith.select %[[ABOVE]], %[[H]], %[[R1]]
  // CHECK: %[[N:.*]] = math.roundeven %[[R2]]
  // CHECK: %[[I:.*]] = arith.fptosi %[[N]] : f32 to i32
  // CHECK: %[[Q:.*]] = arith.addi %[[I]], %[[Z]]
  // CHECK: arith.trunci %[[Q]] : i32 to i8
  %q = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
  return %q : i8
}

// -----

// One division, unsigned codes by their bits, scalars broadcast to the vector.
// CHECK-LABEL: func @quantize_vector
func.func @quantize_vector(%x: vector<8xf32>, %s: f32, %z: i32) -> vector<8x!qd.uint<8>> {
  // CHECK: %[[S:.*]] = vector.broadcast %{{.*}} : f32 to vector<8xf32>
  // CHECK: %[[Z:.*]] = vector.broadcast %{{.*}} : i32 to vector<8xi32>
  // CHECK: arith.divf %{{.*}}, %[[S]] : vector<8xf32>
  // CHECK: %[[T:.*]] = arith.trunci %{{.*}} : vector<8xi32> to vector<8xi8>
  // CHECK: qd.storage_cast %[[T]] : vector<8xi8> to vector<8x!qd.uint<8>>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : vector<8xf32>, f32, i32 -> vector<8x!qd.uint<8>>
  return %q : vector<8x!qd.uint<8>>
}

// -----

// q - z rounded once, for any z, as the difference of two exact floats; one
// multiplication; the scales' product first.
// CHECK-LABEL: func @dequantize
// CHECK-SAME: %[[Q:.*]]: !qd.uint<4>, %[[S:.*]]: f32, %[[T:.*]]: f16, %[[Z:.*]]: i32
func.func @dequantize(%q: !qd.uint<4>, %s: f32, %t: f16, %z: i32) -> f32 {
  // CHECK: %[[B:.*]] = qd.storage_cast %[[Q]] : !qd.uint<4> to i4
  // CHECK: %[[E:.*]] = arith.extui %[[B]] : i4 to i32
  // CHECK: %[[LOW:.*]] = arith.andi %[[Z]], %c8388607_i32 : i32
  // CHECK: %[[HIGH:.*]] = arith.andi %[[Z]], %c-8388608_i32 : i32
  // CHECK: %[[D:.*]] = arith.subi %[[E]], %[[LOW]] : i32
  // CHECK: %[[N:.*]] = arith.sitofp %[[D]] : i32 to f32
  // CHECK: %[[H:.*]] = arith.sitofp %[[HIGH]] : i32 to f32
  // CHECK: %[[F:.*]] = arith.subf %[[N]], %[[H]] : f32
  // CHECK: %[[T32:.*]] = arith.extf %[[T]] : f16 to f32
  // CHECK: %[[P:.*]] = arith.mulf %[[S]], %[[T32]] : f32
  // CHECK: arith.mulf %[[F]], %[[P]] : f32
  %x = qd.dequantize %q scale %s, %t zero_point %z : !qd.uint<4>, f32, f16, i32 -> f32
  return %x : f32
}

// -----

// A constant zero point needs that at the ends of i32 alone.
// CHECK-LABEL: func @dequantize_known
func.func @dequantize_known(%q: vector<4xi8>, %s: f32) -> (vector<4xf32>, vector<4xf32>) {
  %z = arith.constant dense<-5> : vector<4xi32>
  %big = arith.constant 2147483647 : i32
  // CHECK: %[[D:.*]] = arith.subi %{{.*}}, %{{.*}} : vector<4xi32>
  // CHECK: %[[F:.*]] = arith.sitofp %[[D]]
  // CHECK-NOT: arith.subf
  // CHECK: arith.mulf %[[F]]
  %x = qd.dequantize %q scale %s zero_point %z : vector<4xi8>, f32, vector<4xi32> -> vector<4xf32>
  // CHECK: arith.subf
  %y = qd.dequantize %q scale %s zero_point %big : vector<4xi8>, f32, i32 -> vector<4xf32>
  return %x, %y : vector<4xf32>, vector<4xf32>
}

// -----

// A bias: 64 bits for q - z.
// CHECK-LABEL: func @dequantize_i32
func.func @dequantize_i32(%q: i32, %s: f32, %z: i32) -> f32 {
  // CHECK: arith.subi %{{.*}}, %{{.*}} : i64
  // CHECK: arith.sitofp %{{.*}} : i64 to f32
  %x = qd.dequantize %q scale %s zero_point %z : i32, f32, i32 -> f32
  return %x : f32
}

// -----

// CHECK-LABEL: func @rescale
func.func @rescale(%a: i32, %m: i32, %n: i32) -> i8 {
  // CHECK: %[[P:.*]] = arith.muli %{{.*}}, %{{.*}} : i64
  // CHECK: arith.shrsi
  // CHECK: arith.maxsi
  // CHECK: arith.minsi
  // CHECK: arith.trunci %{{.*}} : i64 to i8
  %q = qd.rescale %a multiplier %m shift %n rounding(half_even) overflow(saturate) : i32, i32, i32 -> i8
  return %q : i8
}

// -----

// A payload's look-up is an extraction.
// CHECK-LABEL: func @lookup
// CHECK-SAME: %[[Q:.*]]: i8, %[[T:.*]]: tensor<256xi8>
func.func @lookup(%q: i8, %t: tensor<256xi8>) -> i8 {
  // CHECK: %[[I:.*]] = arith.index_castui %[[Q]] : i8 to index
  // CHECK: tensor.extract %[[T]][%[[I]]] : tensor<256xi8>
  %y = qd.lookup %q, %t : i8, tensor<256xi8> -> i8
  return %y : i8
}

// -----

// Must not fire: tensors are for qd-cast-to-linalg, powers of two and other
// roundings of minifloats have no expansion.
// CHECK-LABEL: func @left_alone
func.func @left_alone(%x: tensor<4xf32>, %s: tensor<f32>, %a: f32, %b: f32, %q: !qd.minifloat<e = 3, m = 0, bias = 3, specials = none>) -> (tensor<4xi8>, !qd.minifloat<e = 2, m = 1, bias = 1, specials = none>, f32) {
  // CHECK: qd.quantize {{.*}} -> tensor<4xi8>
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  // CHECK: qd.quantize {{.*}} -> !qd.minifloat
  %1 = qd.quantize %a scale %b rounding(half_up) overflow(saturate) : f32, f32 -> !qd.minifloat<e = 2, m = 1, bias = 1, specials = none>
  // CHECK: qd.dequantize
  %2 = qd.dequantize %q scale %b : !qd.minifloat<e = 3, m = 0, bias = 3, specials = none>, f32 -> f32
  return %0, %1, %2 : tensor<4xi8>, !qd.minifloat<e = 2, m = 1, bias = 1, specials = none>, f32
}
