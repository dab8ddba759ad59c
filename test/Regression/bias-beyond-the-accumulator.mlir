// Quantizers that fit a bias into i32 by its own steps leave channels whose bias
// is almost 2^31 steps. Whole output steps of it go to the zero point (@shifted);
// where the bias is less than a step, so are the weights, and they count as none
// (@dropped). Neither is a fallback, and the codes are those of the exact value.
// RUN: q-run %s --function=shifted --exact-islands --print > %t.shifted
// RUN: q-run %s --function=dropped --exact-islands --print > %t.dropped
// RUN: q-opt %s -qd-integerize > %t.mlir
// RUN: q-run %t.mlir --function=shifted --print | diff %t.shifted -
// RUN: q-run %t.mlir --function=dropped --print | diff %t.dropped -
// RUN: q-opt %s -qd-integerize=rescale=dyadic > %t.dyadic.mlir
// RUN: q-run %t.dyadic.mlir --function=shifted --print | diff %t.shifted -
// RUN: FileCheck %s < %t.mlir

// CHECK-NOT: qd.fallback
// CHECK-LABEL: func.func @shifted
// CHECK: arith.constant dense<[3, -3]> : tensor<2xi32>
// CHECK: qd.requantize
// CHECK-LABEL: func.func @dropped
// CHECK: arith.constant dense<{{\[\[}}3, 0], [-2, 0]]> : tensor<2x2xi8>
// CHECK-NOT: qd.fallback

func.func @shifted() -> tensor<2x2xi8> {
  %x = arith.constant dense<[[100, -7], [-128, 127]]> : tensor<2x2xi8>
  %w = arith.constant dense<[[3, 1], [-2, 4]]> : tensor<2x2xi8>
  %b = arith.constant dense<[50, -2147483648]> : tensor<2xi32>
  %sx = arith.constant dense<0.5> : tensor<f32>
  %sw = arith.constant dense<[[0.0001, 5.0e-12]]> : tensor<1x2xf32>
  %sb = arith.constant dense<[0.00005, 2.5e-12]> : tensor<2xf32>
  %sy = arith.constant dense<0.001> : tensor<f32>
  %z = arith.constant dense<3> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %sx : tensor<2x2xi8>, tensor<f32> -> tensor<2x2xf32>
  %wd = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<2x2xi8>, tensor<1x2xf32> -> tensor<2x2xf32>
  %bd = qd.dequantize %b scale %sb block_sizes = [1] : tensor<2xi32>, tensor<2xf32> -> tensor<2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<2x2xf32>, tensor<2x2xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%0, %bd : tensor<2x2xf32>, tensor<2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %s = arith.addf %in, %bias : f32
    linalg.yield %s : f32
  } -> tensor<2x2xf32>
  %y = qd.quantize %1 scale %sy zero_point %z rounding(half_even) overflow(saturate) : tensor<2x2xf32>, tensor<f32>, tensor<i32> -> tensor<2x2xi8>
  return %y : tensor<2x2xi8>
}

func.func @dropped() -> tensor<2x2xi8> {
  %x = arith.constant dense<[[100, -7], [-128, 127]]> : tensor<2x2xi8>
  %w = arith.constant dense<[[3, 1], [-2, 4]]> : tensor<2x2xi8>
  %b = arith.constant dense<[50, -2147483648]> : tensor<2xi32>
  %sx = arith.constant dense<0.5> : tensor<f32>
  %sw = arith.constant dense<[[0.01, 5.0e-12]]> : tensor<1x2xf32>
  %sb = arith.constant dense<[0.005, 2.5e-12]> : tensor<2xf32>
  %sy = arith.constant dense<0.02> : tensor<f32>
  %z = arith.constant dense<3> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %sx : tensor<2x2xi8>, tensor<f32> -> tensor<2x2xf32>
  %wd = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<2x2xi8>, tensor<1x2xf32> -> tensor<2x2xf32>
  %bd = qd.dequantize %b scale %sb block_sizes = [1] : tensor<2xi32>, tensor<2xf32> -> tensor<2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<2x2xf32>, tensor<2x2xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%0, %bd : tensor<2x2xf32>, tensor<2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %s = arith.addf %in, %bias : f32
    linalg.yield %s : f32
  } -> tensor<2x2xf32>
  %y = qd.quantize %1 scale %sy zero_point %z rounding(half_even) overflow(saturate) : tensor<2x2xf32>, tensor<f32>, tensor<i32> -> tensor<2x2xi8>
  return %y : tensor<2x2xi8>
}
