// tensor.dim of what qd ops give is one of what they take.
// RUN: q-opt %s --resolve-ranked-shaped-type-result-dims --cse | FileCheck %s

// CHECK-LABEL: func @casts
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x4xf32>
func.func @casts(%x: tensor<?x4xf32>, %s: tensor<f32>, %t: tensor<256xi8>) -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK-DAG: %[[FOUR:.*]] = arith.constant 4 : index
  // CHECK-DAG: %[[N:.*]] = tensor.dim %[[X]], %c0
  // CHECK: return %[[N]], %[[N]], %[[FOUR]]
  %q = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<?x4xf32>, tensor<f32> -> tensor<?x4x!qd.uint<8>>
  %b = qd.storage_cast %q : tensor<?x4x!qd.uint<8>> to tensor<?x4xi8>
  %l = qd.lookup %b, %t : tensor<?x4xi8>, tensor<256xi8> -> tensor<?x4xi8>
  %y = qd.dequantize %l scale %s : tensor<?x4xi8>, tensor<f32> -> tensor<?x4xf32>
  %o = qd.observe %y "y" : tensor<?x4xf32>
  %n = tensor.dim %q, %c0 : tensor<?x4x!qd.uint<8>>
  %m = tensor.dim %o, %c0 : tensor<?x4xf32>
  %k = tensor.dim %y, %c1 : tensor<?x4xf32>
  return %n, %m, %k : index, index, index
}

// CHECK-LABEL: func @functions
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x4xf32>
func.func @functions(%x: tensor<?x4xf32>, %g: tensor<4xf32>) -> index {
  %c0 = arith.constant 0 : index
  // CHECK: %[[N:.*]] = tensor.dim %[[X]], %c0
  // CHECK: return %[[N]]
  %0 = qd.softmax %x axis = 1 : tensor<?x4xf32>
  %1 = qd.layer_norm %0, %g axis = 1 epsilon = 0.0 : tensor<?x4xf32>, tensor<4xf32>
  %2 = qd.rms_norm %1, %g axis = 1 epsilon = 0.0 : tensor<?x4xf32>, tensor<4xf32>
  %3 = qd.gelu %2 approximate(none) : tensor<?x4xf32>
  %4 = qd.silu %3 : tensor<?x4xf32>
  %n = tensor.dim %4, %c0 : tensor<?x4xf32>
  return %n : index
}

// qd.sized states its sizes; qd.any_size hides them.
// CHECK-LABEL: func @sizes
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x4xf32>, %[[N:[a-z0-9]*]]: index
func.func @sizes(%x: tensor<?x4xf32>, %n: index) -> (index, index) {
  %c0 = arith.constant 0 : index
  // CHECK: %[[A:.*]] = qd.any_size
  // CHECK: %[[D:.*]] = tensor.dim %[[A]], %c0
  // CHECK: return %[[N]], %[[D]]
  %a = qd.any_size %x : tensor<?x4xf32> to tensor<?x4xf32>
  %s = qd.sized %x[%n] : tensor<?x4xf32>
  %0 = tensor.dim %s, %c0 : tensor<?x4xf32>
  %1 = tensor.dim %a, %c0 : tensor<?x4xf32>
  return %0, %1 : index, index
}
