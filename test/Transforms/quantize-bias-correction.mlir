// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{recipe=w8a8-int statistics=%S/Inputs/quantize.stats.json}))" | FileCheck %s

// The weight 0.3 becomes 38 / 127: at the input's mean of 1 the output falls by
// 0.1 / 127, which is 10 steps of sx * sw = 0.01 / 127. A bias is made for it.

// CHECK-LABEL: @makes_a_bias
// CHECK: arith.constant dense<{{\[\[}}127], [38]]> : tensor<2x1xi8>
// CHECK: %[[Y:.+]] = linalg.matmul
// CHECK: %[[BC:.+]] = arith.constant dense<10> : tensor<1xi32>
// CHECK: %[[B:.+]] = qd.dequantize %[[BC]]
// CHECK: %[[S:.+]] = linalg.generic {{.*}} ins(%[[Y]], %[[B]]
// CHECK: arith.addf
// CHECK: qd.quantize %[[S]] {{.*}} {qd.name = "b"}
func.func @makes_a_bias(%x: tensor<1x2xf32>) -> tensor<1x1xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1.0], [0.3]]> : tensor<2x1xf32>
  %ox = qd.observe %x "mean1" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%ox, %w : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  %o = qd.observe %y "b" : tensor<1x1xf32>
  return %o : tensor<1x1xf32>
}
