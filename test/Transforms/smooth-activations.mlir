// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-smooth-activations{statistics=%S/Inputs/smooth.stats.json output-statistics=%t.json}))" | FileCheck %s
// RUN: FileCheck %s --check-prefix=FILE < %t.json

// What a float op makes is divided in front of its observer by 16^0.5 / 0.25^0.5 = 8 and 1; the weights 0.25 and 1 become
// 2 and 1. Of the divided value, in [0, 2] and [0, 1], the statistics keep the extremes.

// CHECK:       #[[$CHANNEL:.+]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: @float_producer
// CHECK-NOT:   qd.program = "0123456789abcdef"
// CHECK:       %[[H:.+]] = qd.softmax
// CHECK:       %[[F:.+]] = arith.constant dense<[8.000000e+00, 1.000000e+00]> : tensor<2xf32>
// CHECK:       %[[D:.+]] = linalg.generic {{.*}}#[[$CHANNEL]]{{.*}} ins(%[[H]], %[[F]]
// CHECK:       arith.divf
// CHECK:       %[[O:.+]] = qd.observe %[[D]] "h"
// CHECK:       %[[W:.+]] = arith.constant dense<{{\[\[}}2.000000e+00], [1.000000e+00]]> : tensor<2x1xf32>
// CHECK:       linalg.matmul ins(%[[O]], %[[W]]
// FILE: "h": {"channels":{"max":[2,1],{{.*}}"histogram":{"counts":[],{{.*}}"max":2,"min":0
func.func @float_producer(%x: tensor<1x2xf32>) -> tensor<1x1xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.25], [1.0]]> : tensor<2x1xf32>
  %h = qd.softmax %x axis = 1 : tensor<1x2xf32>
  %o = qd.observe %h "h" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%o, %w : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
