// RUN: q-opt %s -qd-rebase-unsigned -split-input-file | FileCheck %s

// Codes and zero point move together by 128.
// CHECK-LABEL: func.func @inside
// CHECK: %[[Z:.*]] = arith.constant dense<-118> : tensor<i32>
// CHECK: %[[Q:.*]] = qd.quantize %arg0 scale %{{.*}} zero_point %[[Z]] {{.*}} -> tensor<4xi8>
// CHECK: %[[ZD:.*]] = arith.constant dense<-118> : tensor<i32>
// CHECK: qd.dequantize %[[Q]] scale %{{.*}} zero_point %[[ZD]] : tensor<4xi8>
// CHECK-NOT: uint
func.func @inside(%x: tensor<4xf32>) -> tensor<4xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<10> : tensor<i32>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4x!qd.uint<8>>
  %d = qd.dequantize %q scale %s zero_point %z : tensor<4x!qd.uint<8>>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// -----

// At the border the top bit flips.
// CHECK-LABEL: func.func @border
// CHECK-SAME: (%[[A:.*]]: tensor<4x!qd.uint<8>>) -> tensor<2x2x!qd.uint<8>>
// CHECK: %[[C:.*]] = qd.storage_cast %[[A]]
// CHECK: %[[F:.*]] = linalg.generic {{.*}} ins(%[[C]] : tensor<4xi8>)
// CHECK: arith.xori %{{.*}} : i8
// CHECK: %[[E:.*]] = tensor.expand_shape %[[F]] {{.*}} : tensor<4xi8> into tensor<2x2xi8>
// CHECK: linalg.generic {{.*}} ins(%[[E]] : tensor<2x2xi8>)
// CHECK: arith.xori
// CHECK: qd.storage_cast %{{.*}} : tensor<2x2xi8> to tensor<2x2x!qd.uint<8>>
func.func @border(%q: tensor<4x!qd.uint<8>>) -> tensor<2x2x!qd.uint<8>> {
  %e = tensor.expand_shape %q [[0, 1]] output_shape [2, 2] : tensor<4x!qd.uint<8>> into tensor<2x2x!qd.uint<8>>
  return %e : tensor<2x2x!qd.uint<8>>
}

// -----

// Constants are rewritten, a missing zero point is -128 afterwards.
// CHECK-LABEL: func.func @constant
// CHECK: %[[C:.*]] = arith.constant dense<[-128, -1, 0, 127]> : tensor<4xi8>
// CHECK: %[[Z:.*]] = arith.constant dense<-128> : tensor<i32>
// CHECK: qd.dequantize %[[C]] scale %{{.*}} zero_point %[[Z]]
func.func @constant() -> tensor<4xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %q = arith.constant dense_resource<codes> : tensor<4x!qd.uint<8>>
  %d = qd.dequantize %q scale %s : tensor<4x!qd.uint<8>>, tensor<f32> -> tensor<4xf32>
  return %d : tensor<4xf32>
}

{-#
  dialect_resources: {
    builtin: {
      codes: "0x01000000007F80FF"
    }
  }
#-}

// -----

// CHECK-LABEL: func.func @must_not_fire_signed
// CHECK: qd.quantize {{.*}} zero_point %arg1
func.func @must_not_fire_signed(%x: tensor<4xf32>, %z: tensor<i32>) -> tensor<4xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// -----

// A zero point of the run time is lowered when the program runs, and signed
// codes that the program made of unsigned ones are those that there are.
// CHECK-LABEL: func.func @run_time
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %{{.*}}: tensor<f32>, %[[Z:.*]]: tensor<i32>) -> tensor<2x2xi8>
// CHECK: %[[L:.*]] = linalg.generic {{.*}} ins(%[[Z]] : tensor<i32>)
// CHECK: arith.subi %{{.*}}, %c128_i32
// CHECK: %[[Q:.*]] = qd.quantize %[[X]] scale %{{.*}} zero_point %[[L]] {{.*}} -> tensor<4xi8>
// CHECK: %[[E:.*]] = tensor.expand_shape %[[Q]]
// CHECK: return %[[E]]
func.func @run_time(%x: tensor<4xf32>, %s: tensor<f32>, %z: tensor<i32>) -> tensor<2x2xi8> {
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4x!qd.uint<8>>
  %b = qd.storage_cast %q : tensor<4x!qd.uint<8>> to tensor<4xi8>
  %r = tensor.expand_shape %b [[0, 1]] output_shape [2, 2] : tensor<4xi8> into tensor<2x2xi8>
  %e = tensor.empty() : tensor<2x2xi8>
  %f = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%r : tensor<2x2xi8>) outs(%e : tensor<2x2xi8>) {
  ^bb0(%in: i8, %out: i8):
    %top = arith.constant -128 : i8
    %y = arith.xori %in, %top : i8
    linalg.yield %y : i8
  } -> tensor<2x2xi8>
  return %f : tensor<2x2xi8>
}
