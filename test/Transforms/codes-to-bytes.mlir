// Codes below eight bits and small floats one a byte: types here, values below.
// RUN: q-opt %s --pass-pipeline='builtin.module(func.func(qd-codes-to-bytes))' --split-input-file | FileCheck %s
// RUN: q-opt %s --pass-pipeline='builtin.module(func.func(qd-codes-to-bytes,qd-codes-to-bytes))' --split-input-file | FileCheck %s

#id = affine_map<(d0) -> (d0)>

// Signed codes keep their sign, payloads compute in four bits.
// CHECK-LABEL: func @signed
// CHECK-SAME: (%[[X:.*]]: tensor<4xi8> {qd.codes = i4}) -> (tensor<4xi8> {qd.codes = i4})
func.func @signed(%x: tensor<4xi4>) -> tensor<4xi4> {
  %e = tensor.empty() : tensor<4xi4>
  // CHECK: linalg.generic {{.*}} ins(%[[X]] : tensor<4xi8>)
  // CHECK: ^bb0(%[[A:.*]]: i8,
  // CHECK: %[[CODE:.*]] = arith.trunci %[[A]] : i8 to i4
  // CHECK: %[[SUM:.*]] = arith.addi %[[CODE]], %[[CODE]] : i4
  // CHECK: %[[BYTE:.*]] = arith.extsi %[[SUM]] : i4 to i8
  // CHECK: linalg.yield %[[BYTE]] : i8
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xi4>) outs(%e : tensor<4xi4>) {
  ^bb0(%a: i4, %o: i4):
    %s = arith.addi %a, %a : i4
    linalg.yield %s : i4
  } -> tensor<4xi4>
  return %y : tensor<4xi4>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Other alphabets are zero-extended; eight-bit floats are their own bytes.
// CHECK-LABEL: func @floats
// CHECK-SAME: (%{{.*}}: tensor<4x!qd.uint<8>> {qd.codes = f8E4M3FN}) -> (tensor<4x!qd.uint<8>> {qd.codes = f4E2M1FN})
func.func @floats(%x: tensor<4xf8E4M3FN>) -> tensor<4xf4E2M1FN> {
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<4xf4E2M1FN>
  // CHECK: %[[BITS:.*]] = qd.storage_cast %{{.*}} : !qd.uint<8> to i8
  // CHECK: qd.storage_cast %[[BITS]] : i8 to f8E4M3FN
  // CHECK: %[[SMALL:.*]] = qd.storage_cast %{{.*}} : f4E2M1FN to i4
  // CHECK: %[[WIDE:.*]] = arith.extui %[[SMALL]] : i4 to i8
  // CHECK: %[[YIELD:.*]] = qd.storage_cast %[[WIDE]] : i8 to !qd.uint<8>
  // CHECK: linalg.yield %[[YIELD]]
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xf8E4M3FN>) outs(%e : tensor<4xf4E2M1FN>) {
  ^bb0(%a: f8E4M3FN, %o: f4E2M1FN):
    %r = qd.dequantize %a scale %one : f8E4M3FN, f32 -> f32
    %q = qd.quantize %r scale %one rounding(half_even) overflow(saturate) : f32, f32 -> f4E2M1FN
    linalg.yield %q : f4E2M1FN
  } -> tensor<4xf4E2M1FN>
  return %y : tensor<4xf4E2M1FN>
}

// -----

// What only moves is retyped; scalars and constants follow.
// CHECK-LABEL: func @moves
// CHECK-SAME: (%[[X:.*]]: tensor<2x2xi8> {qd.codes = i4}, %[[I:.*]]: index) -> (tensor<2x4xi8> {qd.codes = i4}, tensor<2x2xi8> {qd.codes = i4}, i4)
func.func @moves(%x: tensor<2x2xi4>, %i: index) -> (tensor<2x4xi4>, tensor<2x2xi4>, i4) {
  %minus = arith.constant -3 : i4
  // CHECK: arith.constant dense<{{\[\[}}1, -1], [7, -8]]> : tensor<2x2xi8>
  %c = arith.constant dense<[[1, -1], [7, -8]]> : tensor<2x2xi4>
  %e = tensor.empty() : tensor<2x2xi4>
  %t = linalg.transpose ins(%x : tensor<2x2xi4>) outs(%e : tensor<2x2xi4>) permutation = [1, 0]
  %y = tensor.concat dim(1) %t, %c : (tensor<2x2xi4>, tensor<2x2xi4>) -> tensor<2x4xi4>
  // CHECK: linalg.fill ins(%{{.*}} : i8) outs(%{{.*}} : tensor<2x2xi8>)
  %f = linalg.fill ins(%minus : i4) outs(%e : tensor<2x2xi4>) -> tensor<2x2xi4>
  // CHECK: %[[BYTE:.*]] = tensor.extract %[[X]][%[[I]], %[[I]]] : tensor<2x2xi8>
  // CHECK: %[[CODE:.*]] = arith.trunci %[[BYTE]] : i8 to i4
  %a = tensor.extract %x[%i, %i] : tensor<2x2xi4>
  %p = tensor.insert %a into %f[%i, %i] : tensor<2x2xi4>
  // CHECK: return %{{.*}}, %{{.*}}, %[[CODE]]
  return %y, %p, %a : tensor<2x4xi4>, tensor<2x2xi4>, i4
}

// -----

// Codes that a kernel takes packed stay; their other reader gets bytes.
// CHECK-LABEL: func @weights
func.func @weights(%x: tensor<1x2xf32>, %s: tensor<f32>) -> (tensor<1x2xf32>, tensor<2x2xi4>) {
  %w = arith.constant dense<[[1, -2], [3, -4]]> : tensor<2x2xi4>
  // CHECK: qd.dequantize %{{.*}} scale %{{.*}} : tensor<2x2xi4>, tensor<f32> -> tensor<2x2xf32>
  %d = qd.dequantize %w scale %s : tensor<2x2xi4>, tensor<f32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<1x2xf32>
  %y = linalg.matmul ins(%x, %d : tensor<1x2xf32>, tensor<2x2xf32>) outs(%e : tensor<1x2xf32>) -> tensor<1x2xf32>
  // CHECK: return %{{.*}}, %{{.*}} : tensor<1x2xf32>, tensor<2x2xi8>
  return %y, %w : tensor<1x2xf32>, tensor<2x2xi4>
}

// -----

// Bytes and wider elements have their form already.
// CHECK-LABEL: func @wide
// CHECK-SAME: (%{{.*}}: tensor<4xi1>, %{{.*}}: tensor<4xi8>, %{{.*}}: tensor<4x!qd.uint<8>>, %{{.*}}: tensor<4x!qd.uint<32>>, %{{.*}}: tensor<4xf16>)
func.func @wide(%a: tensor<4xi1>, %b: tensor<4xi8>, %c: tensor<4x!qd.uint<8>>, %d: tensor<4x!qd.uint<32>>, %e: tensor<4xf16>) {
  return
}

// -----

#id = affine_map<(d0) -> (d0)>

// Saturating casts and clamps compute in bytes, what widens a code reads its byte, a copy is none.
// CHECK-LABEL: func @widened
// CHECK-SAME: (%[[ACC:.*]]: tensor<4xi32>) -> (tensor<4xi8>, tensor<4xi32>)
func.func @widened(%acc: tensor<4xi32>) -> (tensor<4xi8>, tensor<4xi32>) {
  %one = arith.constant 0.5 : f32
  %two = arith.constant 2 : i4
  %e4 = tensor.empty() : tensor<4xi4>
  %e8 = tensor.empty() : tensor<4xi8>
  %e32 = tensor.empty() : tensor<4xi32>
  // CHECK: %[[CODES:.*]] = linalg.generic {{.*}} ins(%[[ACC]] : tensor<4xi32>) outs(%{{.*}} : tensor<4xi8>)
  // CHECK: %[[R:.*]] = qd.requantize %{{.*}} : i32, f32 -> i8
  // CHECK-DAG: %[[LOW:.*]] = arith.constant -8 : i8
  // CHECK: %[[M:.*]] = arith.maxsi %[[R]], %[[LOW]] : i8
  // CHECK-DAG: %[[HIGH:.*]] = arith.constant 7 : i8
  // CHECK: %[[C:.*]] = arith.minsi %[[M]], %[[HIGH]] : i8
  // CHECK: %[[TWO:.*]] = arith.constant 2 : i8
  // CHECK: %[[RELU:.*]] = arith.maxsi %[[C]], %[[TWO]] : i8
  // CHECK: linalg.yield %[[RELU]] : i8
  %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%acc : tensor<4xi32>) outs(%e4 : tensor<4xi4>) {
  ^bb0(%a: i32, %o: i4):
    %r = qd.requantize %a scale %one rounding(half_even) overflow(saturate) : i32, f32 -> i4
    %m = arith.maxsi %r, %two : i4
    linalg.yield %m : i4
  } -> tensor<4xi4>
  %byte = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%q : tensor<4xi4>) outs(%e8 : tensor<4xi8>) {
  ^bb0(%a: i4, %o: i8):
    %r = arith.extsi %a : i4 to i8
    linalg.yield %r : i8
  } -> tensor<4xi8>
  // CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[CODES]] : tensor<4xi8>)
  // CHECK: ^bb0(%[[A:.*]]: i8,
  // CHECK-NEXT: arith.extsi %[[A]] : i8 to i32
  %word = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%q : tensor<4xi4>) outs(%e32 : tensor<4xi32>) {
  ^bb0(%a: i4, %o: i32):
    %r = arith.extsi %a : i4 to i32
    linalg.yield %r : i32
  } -> tensor<4xi32>
  // CHECK: return %[[CODES]], %[[SUM]]
  return %byte, %word : tensor<4xi8>, tensor<4xi32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// What a caller writes may hold anything above the code; a sum that wraps stays narrow.
// CHECK-LABEL: func @not_extended
// CHECK-SAME: (%[[X:.*]]: tensor<4xi8>
func.func @not_extended(%x: tensor<4xi4>) -> tensor<4xi32> {
  %e = tensor.empty() : tensor<4xi32>
  // CHECK: ^bb0(%[[A:.*]]: i8,
  // CHECK: %[[UP:.*]] = arith.shli %[[A]],
  // CHECK: %[[DOWN:.*]] = arith.shrsi %[[UP]],
  // CHECK: arith.extsi %[[DOWN]] : i8 to i32
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xi4>) outs(%e : tensor<4xi32>) {
  ^bb0(%a: i4, %o: i32):
    %r = arith.extsi %a : i4 to i32
    linalg.yield %r : i32
  } -> tensor<4xi32>
  return %y : tensor<4xi32>
}
