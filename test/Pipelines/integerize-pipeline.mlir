// RUN: q-opt %s -qd-integerize-pipeline -split-input-file | FileCheck %s
// RUN: q-opt %s "-qd-integerize-pipeline=rescale=dyadic" -qd-dispatch-pipeline -split-input-file | FileCheck %s --check-prefix=DISPATCH
// RUN: not q-opt %s "-qd-integerize-pipeline=fail-on-fallback=true" -split-input-file 2>&1 | FileCheck %s --check-prefix=FAIL

// Unsigned codes, a pad, a convolution, relu: signed integers from end to end,
// the pad with the zero point's code 120 - 128.
// CHECK-LABEL: func.func @main
// CHECK: qd.quantize %arg0 {{.*}} -> tensor<1x4x4x1xi8>
// CHECK: arith.constant -8 : i8
// CHECK: tensor.pad {{.*}}
// CHECK: linalg.conv_2d_nhwc_hwcf {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x6x6x1xi8>, tensor<3x3x1x2xi8>)
// CHECK: qd.requantize
// CHECK: qd.dequantize {{.*}} -> tensor<1x4x4x2xf32>
// CHECK-NEXT: return
// DISPATCH-LABEL: func.func @main
// DISPATCH: qd.dispatch
// DISPATCH: qd.quantize
// DISPATCH: qd.dispatch
// DISPATCH: tensor.pad
// DISPATCH: qd.dispatch
// DISPATCH: linalg.conv_2d_nhwc_hwcf
// DISPATCH: qd.rescale
// DISPATCH: qd.dispatch
// DISPATCH: qd.dequantize
// DISPATCH: return
func.func @main(%x: tensor<1x4x4x1xf32>) -> tensor<1x4x4x2xf32> {
  %sx = arith.constant dense<0.05> : tensor<f32>
  %zx = arith.constant dense<120> : tensor<i32>
  %w = arith.constant dense<[[[[1, 2]], [[3, 4]], [[5, 6]]], [[[7, 8]], [[9, 10]], [[11, 12]]], [[[13, 14]], [[15, 16]], [[17, 18]]]]> : tensor<3x3x1x2xi8>
  %c0 = arith.constant 0.0 : f32
  %q = qd.quantize %x scale %sx zero_point %zx rounding(half_even) overflow(saturate) : tensor<1x4x4x1xf32>, tensor<f32>, tensor<i32> -> tensor<1x4x4x1x!qd.uint<8>>
  %d = qd.dequantize %q scale %sx zero_point %zx : tensor<1x4x4x1x!qd.uint<8>>, tensor<f32>, tensor<i32> -> tensor<1x4x4x1xf32>
  %p = tensor.pad %d low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %c0 : f32
  } : tensor<1x4x4x1xf32> to tensor<1x6x6x1xf32>
  %wd = qd.dequantize %w scale %sx : tensor<3x3x1x2xi8>, tensor<f32> -> tensor<3x3x1x2xf32>
  %e = tensor.empty() : tensor<1x4x4x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %c = linalg.conv_2d_nhwc_hwcf ins(%p, %wd : tensor<1x6x6x1xf32>, tensor<3x3x1x2xf32>) outs(%f : tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %yq = qd.quantize %c scale %sx zero_point %zx rounding(half_even) overflow(saturate) : tensor<1x4x4x2xf32>, tensor<f32>, tensor<i32> -> tensor<1x4x4x2x!qd.uint<8>>
  %y = qd.dequantize %yq scale %sx zero_point %zx : tensor<1x4x4x2x!qd.uint<8>>, tensor<f32>, tensor<i32> -> tensor<1x4x4x2xf32>
  return %y : tensor<1x4x4x2xf32>
}

// -----

// FAIL: error: layer 'p' stays float: 'qd.softmax' has no integer form
func.func @main(%x: tensor<3x2xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %xd = qd.dequantize %x scale %s : tensor<3x2xi8>, tensor<f32> -> tensor<3x2xf32>
  %0 = qd.softmax %xd axis = 1 {qd.name = "p"} : tensor<3x2xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}
