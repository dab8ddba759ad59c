// Functions of one tensor of codes whose values lie next to ties: the nearest float constants, the real numbers and the
// program's f32 operations round some of them to different codes. Float mode gives those of the program, on every kernel
// variant; a function of codes that is no arithmetic is that of the real numbers.
// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --stop-after=integerize --fail-on-fallback -o %t/integer.mlir
// RUN: FileCheck %s < %t/integer.mlir
// RUN: q-compile %s --fail-on-fallback -o %t/net.so
// RUN: %python %S/Inputs/make-input.py int8 4096x24 %t/x.npy
// RUN: q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=scalar q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=avx2 q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: q-compile %s --kernels=generic -o %t/generic.so
// RUN: q-run %t/generic.so --input %t/x.npy --compare %s --require-equal

// One factor for all channels, an offset for each. No input lies further from the exact value than the program's floats do.
// CHECK: linalg.generic
// CHECK-SAME: qd.error_lsb = {{[0-9.]+}}E-{{[67]}} : f64
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK: qd.quantize
// CHECK: qd.lookup
// CHECK-SAME: qd.error_lsb = {{[0-9.]+}}E-{{[67]}} : f64

#id = affine_map<(n, c) -> (n, c)>
#channel = affine_map<(n, c) -> (c)>

func.func @main(%q: tensor<4096x24xi8> {qd.name = "q"}) -> (tensor<4096x24xi8> {qd.name = "biased"}, tensor<4096x24xi8> {qd.name = "scaled"}) {
  %s = arith.constant dense<0.044769403> : tensor<f32>
  %z = arith.constant dense<3> : tensor<i32>
  %sy = arith.constant dense<0.04770089> : tensor<f32>
  %zy = arith.constant dense<0> : tensor<i32>
  %bias = arith.constant dense<[-2.30230761, 1.0785929, 6.21269989, -1.22863865, -6.17885923, 0.299126953, -0.903783977, -2.28870392,
    -0.631695807, 3.67202973, -3.49668074, -3.25817633, 1.3784014, 0.62691319, 3.01594329, -1.57959378,
    0.00973319542, -2.48830199, -2.3148303, -4.26789236, -0.946959078, 3.71013904, -1.42049646, -6.83281136]> : tensor<24xf32>
  %factor = arith.constant 0.3 : f32
  %offset = arith.constant -2.54000163 : f32
  %x = qd.dequantize %q scale %s zero_point %z : tensor<4096x24xi8>, tensor<f32>, tensor<i32> -> tensor<4096x24xf32>
  %e = tensor.empty() : tensor<4096x24xf32>
  %sum = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %bias : tensor<4096x24xf32>, tensor<24xf32>) outs(%e : tensor<4096x24xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %y = arith.addf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<4096x24xf32>
  %affine = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4096x24xf32>) outs(%e : tensor<4096x24xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.mulf %a, %factor : f32
    %y = arith.addf %p, %offset : f32
    linalg.yield %y : f32
  } -> tensor<4096x24xf32>
  %0 = qd.quantize %sum scale %sy zero_point %zy rounding(half_even) overflow(saturate) : tensor<4096x24xf32>, tensor<f32>, tensor<i32> -> tensor<4096x24xi8>
  %1 = qd.quantize %affine scale %sy zero_point %zy rounding(half_even) overflow(saturate) : tensor<4096x24xf32>, tensor<f32>, tensor<i32> -> tensor<4096x24xi8>
  return %0, %1 : tensor<4096x24xi8>, tensor<4096x24xi8>
}
