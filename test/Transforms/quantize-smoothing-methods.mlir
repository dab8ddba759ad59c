// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{recipe=%S/Inputs/smooth-log.yaml statistics=%S/Inputs/smooth-log.stats.json}))" -split-input-file | FileCheck %s
// RUN: not q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{recipe=%S/Inputs/smooth-search.yaml statistics=%S/Inputs/smooth-log.stats.json}))" -split-input-file 2>&1 | FileCheck %s --check-prefix=SEARCH

// FPTQ's policy. Up to 15 a value keeps its channels: one scale, 14 / 255.

// SEARCH: error: smoothing: search runs the network on calibration data, which q-compile does; give an exponent

// CHECK-LABEL: @small
// CHECK-DAG:   %[[SCALE:.+]] = arith.constant dense<0.0549019612> : tensor<f32>
// CHECK:       qd.quantize %{{.*}} scale %[[SCALE]] zero_point %{{[^ ]+}} rounding
func.func @small(%x: tensor<1x2xf32>) -> tensor<1x1xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.25], [1.0]]> : tensor<2x1xf32>
  %h = qd.softmax %x axis = 1 : tensor<1x2xf32>
  %o = qd.observe %h "small" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%o, %w : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

// Channels of 62 and 2 become log2(64) = 6 and log2(4) = 2: the scale is 6 / 255, times the factors 62 / 6 and 1. The
// weights 0.25 and 1 become 2.58 and 1.

// CHECK-LABEL: @middle
// CHECK-DAG:   %[[SCALES:.+]] = arith.constant dense<{{\[\[}}0.243137255, 0.0235294122]]> : tensor<1x2xf32>
// CHECK-DAG:   %[[SCALE:.+]] = arith.constant dense<0.0235294122> : tensor<f32>
// CHECK:       %[[Q:.+]] = qd.quantize %{{.*}} scale %[[SCALES]]
// CHECK:       qd.dequantize %[[Q]] scale %[[SCALE]] zero_point
// CHECK:       arith.constant dense<{{\[\[}}127], [49]]> : tensor<2x1xi8>
func.func @middle(%x: tensor<1x2xf32>) -> tensor<1x1xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.25], [1.0]]> : tensor<2x1xf32>
  %h = qd.softmax %x axis = 1 : tensor<1x2xf32>
  %o = qd.observe %h "middle" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%o, %w : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

// From 150 on scales are chosen at run time, from the value as it is.

// CHECK-LABEL: @large
// CHECK:       %[[H:.+]] = qd.softmax
// CHECK:       %[[S:.+]], %[[Z:.+]] = qd.choose_params %[[H]]
// CHECK:       qd.quantize %[[H]] scale %[[S]] zero_point %[[Z]]
// CHECK-NOT:   qd.observe
func.func @large(%x: tensor<1x2xf32>) -> tensor<1x1xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.25], [1.0]]> : tensor<2x1xf32>
  %h = qd.softmax %x axis = 1 : tensor<1x2xf32>
  %o = qd.observe %h "large" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%o, %w : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
