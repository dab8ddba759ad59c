// Weights whose codes stay with their zero point (the differences do not fit i8), with a symbolic batch: the sum of the
// activation's codes was asked for a static shape, and the compiler crashed.
// RUN: rm -rf %t && mkdir %t
// RUN: q-opt %s -qd-integerize | FileCheck %s
// RUN: q-compile %s --fail-on-fallback -o %t/net.so
// RUN: %python %S/../Execution/Inputs/make-input.py int8 1x6x5x3 %t/one.npy
// RUN: q-run %t/net.so --input %t/one.npy --compare %s --require-equal
// RUN: %python %S/../Execution/Inputs/make-input.py int8 4x9x7x3 %t/four.npy
// RUN: q-run %t/net.so --input %t/four.npy --compare %s --require-equal

// CHECK: linalg.conv_2d_nhwc_hwcf
// CHECK: tensor.empty(%{{.*}}, %{{.*}}, %{{.*}}) : tensor<?x?x?x1xi32>
// CHECK: linalg.conv_2d_nhwc_hwcf {{.*}} outs(%{{.*}} : tensor<?x?x?x1xi32>)
// CHECK: tensor.empty(%{{.*}}) : tensor<?x1xi32>
// CHECK: linalg.matmul {{.*}} outs(%{{.*}} : tensor<?x1xi32>)
// CHECK-NOT: qd.fallback
func.func @main(%x: tensor<?x?x?x3xi8> {qd.name = "x", qd.dims = ["n", "h", "w", 3]}) -> (tensor<?x2xi8> {qd.name = "y"})
    attributes {qd.dim_bounds = {n = array<i64: 1, 8>, h = array<i64: 3, 16>, w = array<i64: 3, 16>}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %sx = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<3> : tensor<i32>
  %sw = arith.constant dense<0.25> : tensor<f32>
  %zw = arith.constant dense<-28> : tensor<i32>
  %sy = arith.constant dense<16.0> : tensor<f32>
  %sz = arith.constant dense<100.0> : tensor<f32>
  %filter = arith.constant dense<[[[[-128, 127], [100, 17], [3, -90]], [[5, 6], [-7, 8], [127, -128]]]]> : tensor<1x2x3x2xi8>
  %weight = arith.constant dense<[[-128, 127], [100, 17]]> : tensor<2x2xi8>
  %n = tensor.dim %x, %c0 : tensor<?x?x?x3xi8>
  %h = tensor.dim %x, %c1 : tensor<?x?x?x3xi8>
  %w = tensor.dim %x, %c2 : tensor<?x?x?x3xi8>
  %less = arith.subi %w, %c1 : index
  %xd = qd.dequantize %x scale %sx zero_point %zx : tensor<?x?x?x3xi8>, tensor<f32>, tensor<i32> -> tensor<?x?x?x3xf32>
  %fd = qd.dequantize %filter scale %sw zero_point %zw : tensor<1x2x3x2xi8>, tensor<f32>, tensor<i32> -> tensor<1x2x3x2xf32>
  %wd = qd.dequantize %weight scale %sw zero_point %zw : tensor<2x2xi8>, tensor<f32>, tensor<i32> -> tensor<2x2xf32>
  %image = tensor.empty(%n, %h, %less) : tensor<?x?x?x2xf32>
  %start = linalg.fill ins(%zero : f32) outs(%image : tensor<?x?x?x2xf32>) -> tensor<?x?x?x2xf32>
  %conv = linalg.conv_2d_nhwc_hwcf ins(%xd, %fd : tensor<?x?x?x3xf32>, tensor<1x2x3x2xf32>) outs(%start : tensor<?x?x?x2xf32>) -> tensor<?x?x?x2xf32>
  %codes = qd.quantize %conv scale %sy rounding(half_even) overflow(saturate) : tensor<?x?x?x2xf32>, tensor<f32> -> tensor<?x?x?x2xi8>
  %pixels = tensor.extract_slice %codes[0, 0, 0, 0] [%n, 1, 1, 2] [1, 1, 1, 1] : tensor<?x?x?x2xi8> to tensor<?x2xi8>
  %real = qd.dequantize %pixels scale %sy : tensor<?x2xi8>, tensor<f32> -> tensor<?x2xf32>
  %rows = tensor.empty(%n) : tensor<?x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%rows : tensor<?x2xf32>) -> tensor<?x2xf32>
  %product = linalg.matmul ins(%real, %wd : tensor<?x2xf32>, tensor<2x2xf32>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %y = qd.quantize %product scale %sz rounding(half_even) overflow(saturate) : tensor<?x2xf32>, tensor<f32> -> tensor<?x2xi8>
  return %y : tensor<?x2xi8>
}
