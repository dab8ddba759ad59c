// A pass that knows nothing of qd.requested makes an op anew: the layer is
// judged by the casts around it, though others are marked.

// RUN: not q-opt %s "--qd-integerize-pipeline=fail-on-fallback=true" 2>&1 | FileCheck %s
// CHECK: error: layer 'unmarked' stays float
// CHECK-NOT: error:

func.func @main(%x: tensor<1x4xi8> {qd.name="x"}) -> (tensor<1x4xi8> {qd.name="y"}) {
  %w = arith.constant dense<[[1,2,3,4],[1,2,3,4],[1,2,3,4],[5,6,7,8]]> : tensor<4x4xi8>
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant 0.0 : f32
  %dx = qd.dequantize %x scale %s : tensor<1x4xi8>, tensor<f32> -> tensor<1x4xf32>
  %dw = qd.dequantize %w scale %s : tensor<4x4xi8>, tensor<f32> -> tensor<4x4xf32>
  %e = tensor.empty() : tensor<1x4xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %five = arith.constant 5.3 : f32
  %ff = linalg.fill ins(%five : f32) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %m = linalg.matmul {qd.name = "unmarked"} ins(%dx, %dw : tensor<1x4xf32>, tensor<4x4xf32>) outs(%ff : tensor<1x4xf32>) -> tensor<1x4xf32>
  %mq = qd.quantize %m scale %s rounding(half_even) overflow(saturate) : tensor<1x4xf32>, tensor<f32> -> tensor<1x4xi8>
  %mm = qd.dequantize %mq scale %s : tensor<1x4xi8>, tensor<f32> -> tensor<1x4xf32>
  %m2 = linalg.matmul {qd.requested = "w8a8"} ins(%mm, %dw : tensor<1x4xf32>, tensor<4x4xf32>) outs(%f : tensor<1x4xf32>) -> tensor<1x4xf32>
  %q = qd.quantize %m2 scale %s rounding(half_even) overflow(saturate) : tensor<1x4xf32>, tensor<f32> -> tensor<1x4xi8>
  return %q : tensor<1x4xi8>
}
