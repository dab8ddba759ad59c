// RUN: q-opt %s -qd-integerize -split-input-file | FileCheck %s

// w = 256 * high + low. sx * sw = 1/4, zx = 10: the init is bias / step - zx * (sum of w) = (-10 * 6008, -10 * -500).
// The whole fits i32, which the sums are joined in.
// CHECK-LABEL: func.func @bytes
// CHECK-DAG: dense<{{\[\[}}2, -4], [22, 2]]> : tensor<2x2xi8>
// CHECK-DAG: dense<{{\[\[}}-12, 24], [-124, -12]]> : tensor<2x2xi8>
// CHECK-DAG: linalg.matmul {qd.acc_bound = array<i64: -3072, 3048>
// CHECK-DAG: linalg.matmul {qd.acc_bound = array<i64: -17272, 17408>
// CHECK: dense<[-60080, 5000]> : tensor<2xi32>
// CHECK: arith.muli %{{.*}}, %c256_i32
// CHECK: qd.requantize %{{.*}} : i32, f32, i32 -> i8
// CHECK-NOT: qd.fallback
func.func @bytes(%x: tensor<3x2xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<10> : tensor<i32>
  %sy = arith.constant dense<1000.0> : tensor<f32>
  %w = arith.constant dense<[[500, -1000], [5508, 500]]> : tensor<2x2xi16>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s zero_point %zx : tensor<3x2xi8>, tensor<f32>, tensor<i32> -> tensor<3x2xf32>
  %wd = qd.dequantize %w scale %s : tensor<2x2xi16>, tensor<f32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = qd.quantize %0 scale %sy rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}

// -----

// 16 by 16 bits: four products, and two sums of activations for the end of the alphabet, in i64; an i32 goes on.
// CHECK-LABEL: func.func @words
// CHECK-COUNT-6: linalg.matmul {{.*}}qd.acc_bound
// CHECK: arith.muli %{{.*}}, %c65536_i64
// CHECK: %[[N:.*]] = arith.constant 6 : i64
// CHECK: arith.shrsi %{{.*}}, %[[N]] : i64
// CHECK: arith.trunci %{{.*}} : i64 to i32
// CHECK: qd.requantize %{{.*}} : i32, f32, i32 -> i16
// CHECK-NOT: qd.fallback
func.func @words(%x: tensor<1x64xi16>) -> tensor<1x1xi16> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %sy = arith.constant dense<1.0e6> : tensor<f32>
  %w = arith.constant dense<32767> : tensor<64x1xi16>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s : tensor<1x64xi16>, tensor<f32> -> tensor<1x64xf32>
  %wd = qd.dequantize %w scale %s : tensor<64x1xi16>, tensor<f32> -> tensor<64x1xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<1x64xf32>, tensor<64x1xf32>) outs(%f : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = qd.quantize %0 scale %sy rounding(half_even) overflow(saturate) : tensor<1x1xf32>, tensor<f32> -> tensor<1x1xi16>
  return %y : tensor<1x1xi16>
}

// -----

// Nothing rounds it: the i64 is all.
// CHECK-LABEL: func.func @unrounded
// CHECK-NOT: arith.trunci %{{.*}} : i64
// CHECK: arith.sitofp %{{.*}} : i64 to f32
func.func @unrounded(%x: tensor<1x64xi16>) -> tensor<1x1xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %w = arith.constant dense<32767> : tensor<64x1xi16>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s : tensor<1x64xi16>, tensor<f32> -> tensor<1x64xf32>
  %wd = qd.dequantize %w scale %s : tensor<64x1xi16>, tensor<f32> -> tensor<64x1xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %0 = linalg.matmul {qd.requested = "w16a16"} ins(%xd, %wd : tensor<1x64xf32>, tensor<64x1xf32>) outs(%f : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// -----

// Too long for sums of bytes in i32.
// CHECK-LABEL: func.func @too_long
// CHECK: qd.fallback = "its sums of 131072 products of bytes do not fit 32 bits"
func.func @too_long(%x: tensor<1x131072xi8>) -> tensor<1x1xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %w = arith.constant dense<300> : tensor<131072x1xi16>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s : tensor<1x131072xi8>, tensor<f32> -> tensor<1x131072xf32>
  %wd = qd.dequantize %w scale %s : tensor<131072x1xi16>, tensor<f32> -> tensor<131072x1xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %0 = linalg.matmul {qd.requested = "w16a8"} ins(%xd, %wd : tensor<1x131072xf32>, tensor<131072x1xf32>) outs(%f : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<1x1xf32>, tensor<f32> -> tensor<1x1xi8>
  return %y : tensor<1x1xi8>
}
