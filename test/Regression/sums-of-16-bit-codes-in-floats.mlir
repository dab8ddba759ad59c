// Sums of 16-bit codes that are not proven to fit 32 bits were made in steps of 256, also where nothing rounds them to a coarser
// grid: a small sum became 0. The first code alone is 1 here: 1 * 0.5 times 100 * 0.25, and times 1 * 0.5. The third is rounded.
// RUN: rm -rf %t && mkdir %t
// RUN: q-run %s --function=values --print > %t/float
// RUN: FileCheck %s --input-file %t/float
// RUN: q-opt %s -qd-integerize -o %t/integer.mlir
// RUN: FileCheck %s --check-prefix=INTEGER --input-file %t/integer.mlir
// RUN: q-run %t/integer.mlir --function=values --print | diff %t/float -
// RUN: sed '/func.func @values/,/^}/d' %s > %t/main.mlir
// RUN: q-compile %t/main.mlir --fail-on-fallback -o %t/net.so
// RUN: q-opt %t/main.mlir -qd-integerize -o %t/main-integer.mlir
// RUN: %python %S/../Execution/Inputs/make-input.py int16 1x1024 %t/x.npy
// RUN: %python %S/../Execution/Inputs/make-input.py int16 1024x2 %t/y.npy
// RUN: %python %S/../Execution/Inputs/make-input.py int16 1x256 %t/u.npy
// RUN: %python %S/../Execution/Inputs/make-input.py int16 256x2 %t/v.npy
// RUN: q-run %t/net.so --input x=%t/x.npy --input y=%t/y.npy --input u=%t/u.npy --input v=%t/v.npy --compare %t/main-integer.mlir --require-equal

// CHECK: 12.5
// CHECK: 0.25
// INTEGER: func.func @main
// INTEGER-COUNT-10: linalg.{{matmul|generic}} {{.*}}qd.acc_bound
// INTEGER-NOT: qd.fallback
func.func @values() -> (tensor<1x1xf32>, tensor<1x2xf32>, tensor<1x2xi16>) {
  %zero = arith.constant 0 : i16
  %one = arith.constant dense<1> : tensor<1x1xi16>
  %ones = arith.constant dense<1> : tensor<1x2xi16>
  %e = tensor.empty() : tensor<1x1024xi16>
  %f = linalg.fill ins(%zero : i16) outs(%e : tensor<1x1024xi16>) -> tensor<1x1024xi16>
  %x = tensor.insert_slice %one into %f[0, 0] [1, 1] [1, 1] : tensor<1x1xi16> into tensor<1x1024xi16>
  %d = tensor.empty() : tensor<1024x2xi16>
  %g = linalg.fill ins(%zero : i16) outs(%d : tensor<1024x2xi16>) -> tensor<1024x2xi16>
  %y = tensor.insert_slice %ones into %g[0, 0] [1, 2] [1, 1] : tensor<1x2xi16> into tensor<1024x2xi16>
  %u = tensor.extract_slice %x[0, 0] [1, 256] [1, 1] : tensor<1x1024xi16> to tensor<1x256xi16>
  %v = tensor.extract_slice %y[0, 0] [256, 2] [1, 1] : tensor<1024x2xi16> to tensor<256x2xi16>
  %r:3 = call @main(%x, %y, %u, %v) : (tensor<1x1024xi16>, tensor<1024x2xi16>, tensor<1x256xi16>, tensor<256x2xi16>) -> (tensor<1x1xf32>, tensor<1x2xf32>, tensor<1x2xi16>)
  return %r#0, %r#1, %r#2 : tensor<1x1xf32>, tensor<1x2xf32>, tensor<1x2xi16>
}

func.func @main(%x: tensor<1x1024xi16> {qd.name = "x"}, %y: tensor<1024x2xi16> {qd.name = "y"},
                %u: tensor<1x256xi16> {qd.name = "u"}, %v: tensor<256x2xi16> {qd.name = "v"})
    -> (tensor<1x1xf32> {qd.name = "weights"}, tensor<1x2xf32> {qd.name = "activations"}, tensor<1x2xi16> {qd.name = "rounded"}) {
  %s = arith.constant dense<0.5> : tensor<f32>
  %w = arith.constant dense<100> : tensor<1024x1xi8>
  %sw = arith.constant dense<0.25> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s : tensor<1x1024xi16>, tensor<f32> -> tensor<1x1024xf32>
  %yd = qd.dequantize %y scale %s : tensor<1024x2xi16>, tensor<f32> -> tensor<1024x2xf32>
  %wd = qd.dequantize %w scale %sw : tensor<1024x1xi8>, tensor<f32> -> tensor<1024x1xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<1x1024xf32>, tensor<1024x1xf32>) outs(%f : tensor<1x1xf32>) -> tensor<1x1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %f2 = linalg.fill ins(%c0 : f32) outs(%e2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %1 = linalg.matmul ins(%xd, %yd : tensor<1x1024xf32>, tensor<1024x2xf32>) outs(%f2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %ud = qd.dequantize %u scale %s : tensor<1x256xi16>, tensor<f32> -> tensor<1x256xf32>
  %vd = qd.dequantize %v scale %s : tensor<256x2xi16>, tensor<f32> -> tensor<256x2xf32>
  %2 = linalg.matmul ins(%ud, %vd : tensor<1x256xf32>, tensor<256x2xf32>) outs(%f2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %sr = arith.constant dense<65536.0> : tensor<f32>
  %3 = qd.quantize %2 scale %sr rounding(half_even) overflow(saturate) : tensor<1x2xf32>, tensor<f32> -> tensor<1x2xi16>
  return %0, %1, %3 : tensor<1x1xf32>, tensor<1x2xf32>, tensor<1x2xi16>
}
