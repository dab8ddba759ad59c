// Weights of 16 bits as two bytes: codes that reach the end of the alphabet (the low bytes count from 128), and codes so far from their
// zero points that the differences need 17 bits (a sum of the activations beside them). All steps are powers of two and every sum of
// floats has at most 24 digits, so that they are exact; 256ths of a code are met, ties among them, and both ends of the range.
// RUN: rm -rf %t && mkdir %t
// RUN: q-opt %s -qd-integerize | FileCheck %s --check-prefix=INTEGER
// RUN: q-opt %s -qd-integerize=rescale=dyadic > %t/dyadic.mlir
// RUN: q-opt %s -qd-integerize > %t/float.mlir
// RUN: %python %S/Inputs/make-input.py int8 97x2 %t/x.npy
// RUN: q-run %t/float.mlir --input %t/x.npy --compare %s --require-equal
// RUN: q-run %t/dyadic.mlir --input %t/x.npy --compare %s --require-equal
// RUN: q-compile %s --fail-on-fallback -o %t/net.so
// RUN: q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=scalar q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=avx2 q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: q-compile %s --kernels=generic --fail-on-fallback -o %t/generic.so
// RUN: q-run %t/generic.so --input %t/x.npy --compare %s --require-equal

// INTEGER-COUNT-3: linalg.matmul {{.*}}qd.acc_bound
// INTEGER: qd.requantize
// INTEGER-COUNT-3: linalg.matmul {{.*}}qd.acc_bound
// INTEGER: qd.requantize
// INTEGER-NOT: linalg.matmul

func.func @main(%q: tensor<97x2xi8> {qd.name = "q"}) -> (tensor<97x3xi16> {qd.name = "y"}, tensor<97x3xi16> {qd.name = "z"}) {
  %sx = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<-7> : tensor<i32>
  %sw = arith.constant dense<[[3.0517578125e-05, 6.103515625e-05, 3.0517578125e-05]]> : tensor<1x3xf32>
  %sy = arith.constant dense<0.00390625> : tensor<f32>
  %zy = arith.constant dense<-100> : tensor<i32>
  %w = arith.constant dense<[[32767, -32768, 32640], [32639, 31, -129]]> : tensor<2x3xi16>
  %v = arith.constant dense<[[-32768, 32767, 0], [-30000, 1025, 3]]> : tensor<2x3xi16>
  %zv = arith.constant dense<[[30000, -32767, 1]]> : tensor<1x3xi32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %sx zero_point %zx : tensor<97x2xi8>, tensor<f32>, tensor<i32> -> tensor<97x2xf32>
  %e = tensor.empty() : tensor<97x3xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<97x3xf32>) -> tensor<97x3xf32>
  %wd = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<2x3xi16>, tensor<1x3xf32> -> tensor<2x3xf32>
  %0 = linalg.matmul ins(%x, %wd : tensor<97x2xf32>, tensor<2x3xf32>) outs(%f : tensor<97x3xf32>) -> tensor<97x3xf32>
  %y = qd.quantize %0 scale %sy zero_point %zy rounding(half_even) overflow(saturate) : tensor<97x3xf32>, tensor<f32>, tensor<i32> -> tensor<97x3xi16>
  %vd = qd.dequantize %v scale %sw zero_point %zv block_sizes = [0, 1] : tensor<2x3xi16>, tensor<1x3xf32>, tensor<1x3xi32> -> tensor<2x3xf32>
  %1 = linalg.matmul ins(%x, %vd : tensor<97x2xf32>, tensor<2x3xf32>) outs(%f : tensor<97x3xf32>) -> tensor<97x3xf32>
  %z = qd.quantize %1 scale %sy zero_point %zy rounding(half_even) overflow(saturate) : tensor<97x3xf32>, tensor<f32>, tensor<i32> -> tensor<97x3xi16>
  return %y, %z : tensor<97x3xi16>, tensor<97x3xi16>
}
