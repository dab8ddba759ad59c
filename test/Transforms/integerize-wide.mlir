// RUN: q-opt %s -qd-integerize -split-input-file | FileCheck %s
// RUN: q-opt %s -qd-integerize -canonicalize -cse -split-input-file | FileCheck %s --check-prefix=CLEAN

// code = 256 * high + low + 128. sx * sw = (1/8, 1/4), zx = 1000:
// bias / step = (100, -50), minus 1000 * (1, 5) = (-900, -5050).
// high starts from round(/256) = (-4, -20); low from the rest, (124, 70), and
// 128 * (1, 5): (252, 710).
// CHECK-LABEL: func.func @gemm
// CHECK-DAG: %[[HIGHBIAS:.*]] = arith.constant dense<[-4, -20]> : tensor<2xi32>
// CHECK-DAG: %[[HIGH:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<3x2xi16>) outs(%{{.*}} : tensor<3x2xi8>)
// CHECK-DAG: arith.shrsi %{{.*}}, %c8_i16 : i16
// CHECK-DAG: %[[LOW:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<3x2xi16>) outs(%{{.*}} : tensor<3x2xi8>)
// CHECK-DAG: arith.xori %{{.*}}, %c-128_i8 : i8
// CHECK: %[[HIGHINIT:.*]] = linalg.generic {{.*}} ins(%[[HIGHBIAS]] : tensor<2xi32>)
// CHECK: %[[A:.*]] = linalg.matmul
// CHECK-SAME: qd.acc_bound = array<i64: -660, 633>
// CHECK-SAME: ins(%{{.*}}, %[[W:.*]] : tensor<3x2xi8>, tensor<2x2xi8>) outs(%[[HIGHINIT]] : tensor<3x2xi32>)
// CHECK: %[[LOWBIAS:.*]] = arith.constant dense<[252, 710]> : tensor<2xi32>
// CHECK: %[[LOWINIT:.*]] = linalg.generic {{.*}} ins(%[[LOWBIAS]] : tensor<2xi32>)
// CHECK: %[[B:.*]] = linalg.matmul
// CHECK-SAME: outs(%[[LOWINIT]] : tensor<3x2xi32>)
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[B]], %[[A]] : tensor<3x2xi32>, tensor<3x2xi32>)
// CHECK: arith.muli %{{.*}}, %c256_i32 : i32
// CHECK: arith.addi
// CHECK: linalg.generic {{.*}} ins(%[[SUM]],
// CHECK: qd.requantize %{{.*}} : i32, f32, i32 -> i16
// CHECK-NOT: qd.fallback
func.func @gemm(%x: tensor<3x2xi16>) -> tensor<3x2xi16> {
  %sx = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<1000> : tensor<i32>
  %w = arith.constant dense<[[3, 1], [-2, 4]]> : tensor<2x2xi8>
  %sw = arith.constant dense<[[0.25, 0.5]]> : tensor<1x2xf32>
  %b = arith.constant dense<[12.5, -12.5]> : tensor<2xf32>
  %sy = arith.constant dense<0.05> : tensor<f32>
  %zy = arith.constant dense<-100> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %sx zero_point %zx : tensor<3x2xi16>, tensor<f32>, tensor<i32> -> tensor<3x2xf32>
  %wd = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<2x2xi8>, tensor<1x2xf32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%0, %b : tensor<3x2xf32>, tensor<2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<3x2xf32>
  %y = qd.quantize %1 scale %sy zero_point %zy rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32>, tensor<i32> -> tensor<3x2xi16>
  return %y : tensor<3x2xi16>
}

// -----

// The whole sum does not fit i32: it is made in steps of 256.
// low starts from 128 * 102400 and half a step.
// CHECK-LABEL: func.func @coarse
// CHECK: linalg.matmul
// CHECK: arith.constant dense<13107328> : tensor<1xi32>
// CHECK: linalg.matmul
// CHECK: arith.shrsi %{{.*}}, %c8_i32 : i32
// CHECK: qd.requantize %{{.*}} : i32, f32, i32 -> i16
// CHECK-NOT: qd.fallback
func.func @coarse(%x: tensor<1x1024xi16>) -> tensor<1x1xi16> {
  %sx = arith.constant dense<0.5> : tensor<f32>
  %w = arith.constant dense<100> : tensor<1024x1xi8>
  %sw = arith.constant dense<0.25> : tensor<f32>
  %sy = arith.constant dense<1024.0> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %sx : tensor<1x1024xi16>, tensor<f32> -> tensor<1x1024xf32>
  %wd = qd.dequantize %w scale %sw : tensor<1024x1xi8>, tensor<f32> -> tensor<1024x1xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<1x1024xf32>, tensor<1024x1xf32>) outs(%f : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = qd.quantize %0 scale %sy rounding(half_even) overflow(saturate) : tensor<1x1xf32>, tensor<f32> -> tensor<1x1xi16>
  return %y : tensor<1x1xi16>
}

// -----

// Nothing rounds it: steps of 256 would be far above those of floats.
// CHECK-LABEL: func.func @unrounded
// CHECK-COUNT-2: linalg.matmul
// CHECK: arith.extsi %{{.*}} : i32 to i64
// CHECK: arith.muli %{{.*}}, %c256_i64 : i64
// CHECK: arith.sitofp %{{.*}} : i64 to f32
// CHECK: arith.mulf
// CHECK-NOT: qd.fallback
func.func @unrounded(%x: tensor<1x1024xi16>) -> tensor<1x1xf32> {
  %sx = arith.constant dense<0.5> : tensor<f32>
  %w = arith.constant dense<100> : tensor<1024x1xi8>
  %sw = arith.constant dense<0.25> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %sx : tensor<1x1024xi16>, tensor<f32> -> tensor<1x1024xf32>
  %wd = qd.dequantize %w scale %sw : tensor<1024x1xi8>, tensor<f32> -> tensor<1024x1xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %0 = linalg.matmul {qd.requested = "int16"} ins(%xd, %wd : tensor<1x1024xf32>, tensor<1024x1xf32>) outs(%f : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// -----

// 127 * 8421504 + 128 * 8421504 is 2^31 - 128: half a step more does not fit.
// CHECK-LABEL: func.func @half_step_beyond
// CHECK: linalg.generic {{.*}}qd.fallback = "its sum is rounded in floats: its accumulator can reach [-1077952512, 2147483648], which needs 33 bits"
func.func @half_step_beyond(%x: tensor<1x131586xi16>) -> tensor<1x1xi16> {
  %sx = arith.constant dense<0.5> : tensor<f32>
  %w = arith.constant dense<64> : tensor<131586x1xi8>
  %sw = arith.constant dense<0.25> : tensor<f32>
  %sy = arith.constant dense<16777216.0> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %sx : tensor<1x131586xi16>, tensor<f32> -> tensor<1x131586xf32>
  %wd = qd.dequantize %w scale %sw : tensor<131586x1xi8>, tensor<f32> -> tensor<131586x1xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %0 = linalg.matmul {qd.requested = "int16"} ins(%xd, %wd : tensor<1x131586xf32>, tensor<131586x1xf32>) outs(%f : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = qd.quantize %0 scale %sy rounding(half_even) overflow(saturate) : tensor<1x1xf32>, tensor<f32> -> tensor<1x1xi16>
  return %y : tensor<1x1xi16>
}

// -----

// Bytes of pads are pads of bytes: 1000 = 256 * 3 + 104 + 128.
// CLEAN-LABEL: func.func @padded
// CLEAN-DAG: %[[LOW:.*]] = arith.constant 104 : i8
// CLEAN-DAG: %[[HIGH:.*]] = arith.constant 3 : i8
// CLEAN-DAG: tensor.yield %[[HIGH]] : i8
// CLEAN-DAG: tensor.yield %[[LOW]] : i8
// CLEAN-COUNT-2: linalg.conv_2d_nhwc_hwcf
// CLEAN-NOT: tensor.pad {{.*}}i16
func.func @padded(%x: tensor<1x3x3x1xi16>) -> tensor<1x3x3x1xi16> {
  %sx = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<1000> : tensor<i32>
  %w = arith.constant dense<2> : tensor<3x3x1x1xi8>
  %sw = arith.constant dense<0.25> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %code = arith.constant 1000 : i16
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %code : i16
  } : tensor<1x3x3x1xi16> to tensor<1x5x5x1xi16>
  %xd = qd.dequantize %p scale %sx zero_point %zx : tensor<1x5x5x1xi16>, tensor<f32>, tensor<i32> -> tensor<1x5x5x1xf32>
  %wd = qd.dequantize %w scale %sw : tensor<3x3x1x1xi8>, tensor<f32> -> tensor<3x3x1x1xf32>
  %e = tensor.empty() : tensor<1x3x3x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x3x3x1xf32>) -> tensor<1x3x3x1xf32>
  %0 = linalg.conv_2d_nhwc_hwcf ins(%xd, %wd : tensor<1x5x5x1xf32>, tensor<3x3x1x1xf32>) outs(%f : tensor<1x3x3x1xf32>) -> tensor<1x3x3x1xf32>
  %y = qd.quantize %0 scale %sx zero_point %zx rounding(half_even) overflow(saturate) : tensor<1x3x3x1xf32>, tensor<f32>, tensor<i32> -> tensor<1x3x3x1xi16>
  return %y : tensor<1x3x3x1xi16>
}

// -----

// A function of 16-bit codes that is no arithmetic is a table of them all.
// CHECK-LABEL: func.func @tanh
// CHECK: qd.lookup %arg0, %{{.*}} : tensor<4xi16>, tensor<65536xi16> -> tensor<4xi16>
func.func @tanh(%x: tensor<4xi16>) -> tensor<4xi16> {
  %sx = arith.constant dense<0.001> : tensor<f32>
  %sy = arith.constant dense<0.0001> : tensor<f32>
  %xd = qd.dequantize %x scale %sx : tensor<4xi16>, tensor<f32> -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%xd : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = math.tanh %p : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  %y = qd.quantize %0 scale %sy rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi16>
  return %y : tensor<4xi16>
}

// -----

// A product of two needs 33 bits.
// CHECK-LABEL: func.func @product
// CHECK: arith.muli %{{.*}} : i64
// CHECK: qd.requantize %{{.*}} : i64, f32, i32 -> i16
func.func @product(%x: tensor<4xi16>, %z: tensor<4xi16>) -> tensor<4xi16> {
  %sx = arith.constant dense<0.001> : tensor<f32>
  %zx = arith.constant dense<-32768> : tensor<i32>
  %sy = arith.constant dense<0.03> : tensor<f32>
  %xd = qd.dequantize %x scale %sx zero_point %zx : tensor<4xi16>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  %zd = qd.dequantize %z scale %sx zero_point %zx : tensor<4xi16>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%xd, %zd : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.mulf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  %y = qd.quantize %0 scale %sy rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi16>
  return %y : tensor<4xi16>
}

// -----

// The high bytes of 12-bit codes are -8 to 7, the low ones start from 4 * 128.
// CHECK-LABEL: func.func @pool_of_12_bits
// CHECK: linalg.pooling_nhwc_sum {{.*}}qd.acc_bound = array<i64: -32, 28>
// CHECK: linalg.pooling_nhwc_sum {{.*}}qd.acc_bound = array<i64: 0, 1020>
// CHECK: arith.muli %{{.*}}, %c256_i32
// CHECK-NOT: qd.dequantize
func.func @pool_of_12_bits(%x: tensor<1x4x4x2xi12>) -> tensor<1x2x2x2xi12> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %t = arith.constant dense<4.0> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %d = qd.dequantize %x scale %s : tensor<1x4x4x2xi12>, tensor<f32> -> tensor<1x4x4x2xf32>
  %w = tensor.empty() : tensor<2x2xf32>
  %e = tensor.empty() : tensor<1x2x2x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %p = linalg.pooling_nhwc_sum {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%d, %w : tensor<1x4x4x2xf32>, tensor<2x2xf32>) outs(%f : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %y = qd.quantize %p scale %t rounding(half_even) overflow(saturate) : tensor<1x2x2x2xf32>, tensor<f32> -> tensor<1x2x2x2xi12>
  return %y : tensor<1x2x2x2xi12>
}
