// Values of qd.lookup, storage_cast, observe, choose_params and dispatch.
// RUN: q-run --interpret %s | FileCheck %s

// The index is the unsigned bit pattern: -1 reads entry 255.
// CHECK-LABEL: @lookup
// CHECK-NEXT: 4xint8 [10, 11, -20, -21]
func.func @lookup() -> tensor<4xi8> {
  %c = arith.constant dense<[0, 127, -128, -1]> : tensor<4xi8>
  %low = arith.constant dense<10> : tensor<127xi8>
  %mid = arith.constant dense<[11, -20]> : tensor<2xi8>
  %high = arith.constant dense<-20> : tensor<126xi8>
  %last = arith.constant dense<-21> : tensor<1xi8>
  %t = tensor.concat dim(0) %low, %mid, %high, %last : (tensor<127xi8>, tensor<2xi8>, tensor<126xi8>, tensor<1xi8>) -> tensor<256xi8>
  %r = qd.lookup %c, %t : tensor<4xi8>, tensor<256xi8> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// CHECK-LABEL: @lookup_sub_byte
// CHECK-NEXT: 3xfloat32 [7.5, 0.5, -1]
func.func @lookup_sub_byte() -> tensor<3xf32> {
  %c = arith.constant dense<[-1, 0, 1]> : tensor<3xi2>
  %t = arith.constant dense<[0.5, -1.0, 3.0, 7.5]> : tensor<4xf32>
  %r = qd.lookup %c, %t : tensor<3xi2>, tensor<4xf32> -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// CHECK-LABEL: @storage_cast
// CHECK-NEXT: 3xuint8 [255, 128, 127]
// CHECK-NEXT: 3xint8 [-1, -128, 127]
// CHECK-NEXT: 3xuint8 [3, 0, 1]
func.func @storage_cast() -> (tensor<3x!qd.uint<8>>, tensor<3xi8>, tensor<3x!qd.ternary>) {
  %c = arith.constant dense<[-1, -128, 127]> : tensor<3xi8>
  %d = arith.constant dense<[-1, 0, 1]> : tensor<3xi2>
  %u = qd.storage_cast %c : tensor<3xi8> to tensor<3x!qd.uint<8>>
  %i = qd.storage_cast %u : tensor<3x!qd.uint<8>> to tensor<3xi8>
  %t = qd.storage_cast %d : tensor<3xi2> to tensor<3x!qd.ternary>
  return %u, %i, %t : tensor<3x!qd.uint<8>>, tensor<3xi8>, tensor<3x!qd.ternary>
}

// CHECK-LABEL: @observe
// CHECK-NEXT: 2xfloat32 [1, -0]
func.func @observe() -> tensor<2xf32> {
  %x = arith.constant dense<[1.0, -0.0]> : tensor<2xf32>
  %y = qd.observe %x "x" : tensor<2xf32>
  return %y : tensor<2xf32>
}

// [-1, 3] on int8: 4 / 255 and -64; symmetric 3 / 127 and 0. Infinities and NaN
// do not count.
// CHECK-LABEL: @choose_params
// CHECK-NEXT: float32 0.015686275
// CHECK-NEXT: int32 -64
// CHECK-NEXT: float32 0.023622047
// CHECK-NEXT: int32 0
func.func @choose_params() -> (tensor<f32>, tensor<i32>, tensor<f32>, tensor<i32>) {
  %x = arith.constant dense<[-1.0, 3.0, 0x7F800000, 0x7FC00000]> : tensor<4xf32>
  %s, %z = qd.choose_params %x for i8 : tensor<4xf32> -> tensor<f32>, tensor<i32>
  %t, %y = qd.choose_params %x for i8 symmetric : tensor<4xf32> -> tensor<f32>, tensor<i32>
  return %s, %z, %t, %y : tensor<f32>, tensor<i32>, tensor<f32>, tensor<i32>
}

// A row each; the dead row gets scale 1.
// CHECK-LABEL: @choose_params_per_row
// CHECK-NEXT: 2x1xfloat32 [ [1], [1] ]
// CHECK-NEXT: 2x1xint32 [ [0], [0] ]
func.func @choose_params_per_row() -> (tensor<2x1xf32>, tensor<2x1xi32>) {
  %x = arith.constant dense<[[0.0, 0.0, 0.0], [127.0, -5.0, 3.0]]> : tensor<2x3xf32>
  %s, %z = qd.choose_params %x for i8 symmetric block_sizes = [1, 0] : tensor<2x3xf32> -> tensor<2x1xf32>, tensor<2x1xi32>
  return %s, %z : tensor<2x1xf32>, tensor<2x1xi32>
}

// CHECK-LABEL: @dispatch
// CHECK-NEXT: 2xfloat32 [3, 5]
func.func @dispatch() -> tensor<2xf32> {
  %x = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %r = qd.dispatch ins(%x : tensor<2xf32>) -> (tensor<2xf32>) {
  ^bb0(%a: tensor<2xf32>):
    %c = arith.constant dense<1.0> : tensor<2xf32>
    %d = arith.addf %a, %a : tensor<2xf32>
    %e = arith.addf %d, %c : tensor<2xf32>
    qd.yield %e : tensor<2xf32>
  }
  return %r : tensor<2xf32>
}
