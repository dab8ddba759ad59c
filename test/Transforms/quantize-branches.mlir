// A value in a branch that no sample took has statistics of nothing. What needs its codes stays float and says why; the product
// that reads codes from outside and gives floats is integer.
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{statistics=%S/Inputs/never.stats.json}))" -verify-diagnostics | FileCheck %s

// CHECK-LABEL: @main
// CHECK:         %[[W:.*]] = arith.constant dense<{{.*}}> : tensor<2x2xf32>
// CHECK:         %[[Q:.*]] = qd.quantize %arg0
// CHECK:         scf.if
// CHECK:           %[[X:.*]] = qd.dequantize
// CHECK-NOT:       qd.observe
// CHECK:           linalg.matmul {qd.requested = "w8a8"} ins(%{{.*}}, %{{.*}} : tensor<1x2xf32>, tensor<2x2xf32>)
// CHECK:           linalg.matmul {qd.fallback = "no calibration sample takes the branch that it is in", qd.requested = "w8a8"} ins(%{{.*}}, %[[W]] : tensor<1x2xf32>, tensor<2x2xf32>)
func.func @main(%x: tensor<1x2xf32>, %c: i1) -> tensor<1x2xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1.0, 2.0], [-1.0, 0.5]]> : tensor<2x2xf32>
  %blank = tensor.empty() : tensor<1x2xf32>
  %start = linalg.fill ins(%zero : f32) outs(%blank : tensor<1x2xf32>) -> tensor<1x2xf32>
  %in = qd.observe %x "seen" : tensor<1x2xf32>
  // expected-warning @below {{none of the 4 calibration samples takes the then branch: its layers stay float}}
  %y = scf.if %c -> (tensor<1x2xf32>) {
    %a = linalg.matmul ins(%in, %w : tensor<1x2xf32>, tensor<2x2xf32>) outs(%start : tensor<1x2xf32>) -> tensor<1x2xf32>
    %o = qd.observe %a "never" : tensor<1x2xf32>
    %b = linalg.matmul ins(%o, %w : tensor<1x2xf32>, tensor<2x2xf32>) outs(%start : tensor<1x2xf32>) -> tensor<1x2xf32>
    scf.yield %b : tensor<1x2xf32>
  } else {
    scf.yield %x : tensor<1x2xf32>
  }
  return %y : tensor<1x2xf32>
}
