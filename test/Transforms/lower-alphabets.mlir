// RUN: q-opt %s --qd-lower-alphabets --split-input-file | FileCheck %s
// Down to LLVM: bufferization keeps the cast as a view, nothing of qd is left.
// RUN: q-opt %s --one-shot-bufferize="bufferize-function-boundaries" --qd-lower-alphabets --convert-linalg-to-loops --split-input-file | FileCheck %s --check-prefix=BUFFERS

// CHECK-LABEL: func @types
// CHECK-SAME: (%{{.*}}: i8, %{{.*}}: memref<4xi2>, %{{.*}}: vector<4xi1>, %{{.*}}: tensor<2x?xi4>)
// BUFFERS-LABEL: func @types
func.func @types(%a: !qd.uint<8>, %b: memref<4x!qd.ternary>, %c: vector<4x!qd.binary>, %d: tensor<2x?x!qd.codebook<16>>) {
  return
}

// -----

// A cast between types that became equal goes; small floats are codes too.
// CHECK-LABEL: func @casts
// CHECK-SAME: %[[U:.*]]: i8
// BUFFERS-LABEL: func @casts
func.func @casts(%u: !qd.uint<8>) -> (i8, f8E4M3FN) {
  %0 = qd.storage_cast %u : !qd.uint<8> to i8
  %1 = qd.storage_cast %u : !qd.uint<8> to f8E4M3FN
  // CHECK-NOT: qd.storage_cast
  // CHECK: return %[[U]], %[[U]] : i8, i8
  return %0, %1 : i8, f8E4M3FN
}

// -----

// Constants and attributes change type too.
// CHECK-LABEL: func @constant
// BUFFERS-LABEL: func @constant
func.func @constant() -> tensor<4xi8> attributes {test.type = tensor<4x!qd.uint<8>>} {
  // CHECK: arith.constant dense_resource<w> : tensor<4xi8>
  %w = arith.constant dense_resource<w> : tensor<4x!qd.uint<8>>
  %0 = qd.storage_cast %w : tensor<4x!qd.uint<8>> to tensor<4xi8>
  return %0 : tensor<4xi8>
}

{-# dialect_resources: { builtin: { w: "0x0400000001020304" } } #-}

// -----

#id = affine_map<(d0) -> (d0)>
// CHECK-LABEL: func @view
// BUFFERS-LABEL: func @view
// BUFFERS-SAME: %[[A:.*]]: memref<8xi8
func.func @view(%a: tensor<8x!qd.uint<8>>) -> tensor<8xi32> {
  %b = qd.storage_cast %a : tensor<8x!qd.uint<8>> to tensor<8xi8>
  %e = tensor.empty() : tensor<8xi32>
  // No copy is made for the cast: the loop reads the argument.
  // BUFFERS-NOT: memref.copy
  // BUFFERS: scf.for
  // BUFFERS: memref.load %[[A]]
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%b : tensor<8xi8>) outs(%e : tensor<8xi32>) {
  ^bb0(%x: i8, %y: i32):
    %z = arith.extui %x : i8 to i32
    linalg.yield %z : i32
  } -> tensor<8xi32>
  return %r : tensor<8xi32>
}

// -----

// Constants of small floats are their bits; what only moves codes stays.
// CHECK-LABEL: func @small_floats
// CHECK-SAME: (%[[X:.*]]: i8, %{{.*}}: memref<4xi8>, %{{.*}}: i1) -> (i8, vector<2xi4>)
// BUFFERS-LABEL: func @small_floats
func.func @small_floats(%x: f8E4M3FN, %m: memref<4xf8E5M2>, %c: i1) -> (f8E4M3FN, vector<2xf4E2M1FN>) {
  // CHECK: %[[C:.*]] = arith.constant 56 : i8
  // CHECK: %[[V:.*]] = arith.constant dense<[2, -6]> : vector<2xi4>
  // CHECK: %[[S:.*]] = arith.select %{{.*}}, %[[X]], %[[C]] : i8
  // CHECK: return %[[S]], %[[V]]
  %0 = arith.constant 1.0 : f8E4M3FN
  %1 = arith.constant dense<[1.0, -1.0]> : vector<2xf4E2M1FN>
  %2 = arith.select %c, %x, %0 : f8E4M3FN
  return %2, %1 : f8E4M3FN, vector<2xf4E2M1FN>
}
