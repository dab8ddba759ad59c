// Values of integer functions: 16 bits for what they read, bytes for products, both where both read.
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{recipe=%S/Inputs/nonlinear.yaml statistics=%S/Inputs/nonlinear.stats.json}))" -split-input-file | FileCheck %s

#rows = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
#one = affine_map<(d0) -> (d0)>

// Scores of [-20, 25]: their sum with the mask is on [-36, 25], the mask, of which calibration saw zeros alone, on [-61, 0]:
// (25 + 36) / 65535 and the same.
// CHECK-LABEL: func @attention
// CHECK-SAME: qd.integer_only
// CHECK: %[[M:.+]] = arith.constant dense<9.308{{.*}}E-4> : tensor<f32>
// CHECK: qd.quantize %{{.*}} scale %[[M]] {{.*}} {qd.name = "mask"} : tensor<8xf32>, tensor<f32>, tensor<i32> -> tensor<8x!qd.uint<16>>
// CHECK: %[[S:.+]] = arith.constant dense<9.308{{.*}}E-4> : tensor<f32>
// CHECK: qd.quantize %{{.*}} scale %[[S]] {{.*}} {qd.name = "masked"} : tensor<4x8xf32>, tensor<f32>, tensor<i32> -> tensor<4x8x!qd.uint<16>>
// CHECK: qd.softmax %{{.*}} axis = 1 {qd.integer_scheme = #qd.integer_scheme<ibert>, qd.requested = "a16"}
// CHECK: qd.quantize %{{.*}} {qd.name = "prob"} : tensor<4x8xf32>, tensor<f32>, tensor<i32> -> tensor<4x8x!qd.uint<8>>
func.func @attention(%x: tensor<4x8xf32>, %m: tensor<8xi64>) -> tensor<4x2xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<8x2xf32>
  %scores = qd.observe %x "scores" : tensor<4x8xf32>
  %em = tensor.empty() : tensor<8xf32>
  %f = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%m : tensor<8xi64>) outs(%em : tensor<8xf32>) {
  ^bb0(%i: i64, %o: f32):
    %large = arith.constant -1.0e4 : f32
    %r = arith.sitofp %i : i64 to f32
    %p = arith.mulf %r, %large : f32
    linalg.yield %p : f32
  } -> tensor<8xf32>
  %mask = qd.observe %f "mask" : tensor<8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %sum = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%scores, %mask : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %masked = qd.observe %sum "masked" : tensor<4x8xf32>
  %p = qd.softmax %masked axis = 1 : tensor<4x8xf32>
  %prob = qd.observe %p "prob" : tensor<4x8xf32>
  %ey = tensor.empty() : tensor<4x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%ey : tensor<4x2xf32>) -> tensor<4x2xf32>
  %y = linalg.matmul ins(%prob, %w : tensor<4x8xf32>, tensor<8x2xf32>) outs(%init : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

// A float mask of 0 and -10000, of which calibration saw both: the same grids as above.
// CHECK-LABEL: func @gap
// CHECK: %[[M:.+]] = arith.constant dense<9.308{{.*}}E-4> : tensor<f32>
// CHECK: qd.quantize %{{.*}} scale %[[M]] {{.*}} {qd.name = "gap"}
// CHECK: %[[S:.+]] = arith.constant dense<9.308{{.*}}E-4> : tensor<f32>
// CHECK: qd.quantize %{{.*}} scale %[[S]] {{.*}} {qd.name = "gap_masked"}
func.func @gap(%x: tensor<4x8xf32>, %m: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {qd.program = "0123456789abcdef"} {
  %scores = qd.observe %x "scores" : tensor<4x8xf32>
  %mask = qd.observe %m "gap" : tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%scores, %mask : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %masked = qd.observe %sum "gap_masked" : tensor<4x8xf32>
  %p = qd.softmax %masked axis = 1 : tensor<4x8xf32>
  %prob = qd.observe %p "prob" : tensor<4x8xf32>
  return %prob : tensor<4x8xf32>
}

// -----

// 0 and 10000 that are subtracted, zeros within a bin of 8192: the mask on [0, 77], the difference on [-52, 25].
// CHECK-LABEL: func @subtracted
// CHECK: %[[M:.+]] = arith.constant dense<0.00117{{.*}}> : tensor<f32>
// CHECK: qd.quantize %{{.*}} scale %[[M]] {{.*}} {qd.name = "subtracted"}
// CHECK: %[[S:.+]] = arith.constant dense<0.00117{{.*}}> : tensor<f32>
// CHECK: qd.quantize %{{.*}} scale %[[S]] {{.*}} {qd.name = "subtracted_masked"}
func.func @subtracted(%x: tensor<4x8xf32>, %m: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {qd.program = "0123456789abcdef"} {
  %scores = qd.observe %x "scores" : tensor<4x8xf32>
  %mask = qd.observe %m "subtracted" : tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%scores, %mask : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.subf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %masked = qd.observe %sum "subtracted_masked" : tensor<4x8xf32>
  %p = qd.softmax %masked axis = 1 : tensor<4x8xf32>
  %prob = qd.observe %p "prob" : tensor<4x8xf32>
  return %prob : tensor<4x8xf32>
}

// -----

// A position bias of [-40, 6] masks nothing, although the sum is wide: its own range, and all of [-60, 25] with 16 below.
// CHECK-LABEL: func @bias
// CHECK: %[[M:.+]] = arith.constant dense<7.019{{.*}}> : tensor<f32>
// CHECK: qd.quantize %{{.*}} scale %[[M]] {{.*}} {qd.name = "bias"}
// CHECK: %[[S:.+]] = arith.constant dense<0.00154{{.*}}> : tensor<f32>
// CHECK: qd.quantize %{{.*}} scale %[[S]] {{.*}} {qd.name = "bias_masked"}
func.func @bias(%x: tensor<4x8xf32>, %m: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {qd.program = "0123456789abcdef"} {
  %scores = qd.observe %x "scores" : tensor<4x8xf32>
  %mask = qd.observe %m "bias" : tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%scores, %mask : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %masked = qd.observe %sum "bias_masked" : tensor<4x8xf32>
  %p = qd.softmax %masked axis = 1 : tensor<4x8xf32>
  %prob = qd.observe %p "prob" : tensor<4x8xf32>
  return %prob : tensor<4x8xf32>
}

// -----

// A layer norm and a product read "x": 16 bits, and bytes made of those in front of the product.
// CHECK-LABEL: func @both
// CHECK: %[[Q:.+]] = qd.quantize %{{.*}} {qd.name = "x"} : {{.*}} -> tensor<4x2x!qd.uint<16>>
// CHECK: %[[WIDE:.+]] = qd.dequantize %[[Q]]
// CHECK: %[[B:.+]] = qd.quantize %[[WIDE]] {{.*}} {qd.name = "x"} : {{.*}} -> tensor<4x2x!qd.uint<8>>
// CHECK: %[[BYTES:.+]] = qd.dequantize %[[B]]
// CHECK: qd.layer_norm %[[WIDE]]
// CHECK: linalg.matmul {{.*}} ins(%[[BYTES]]
func.func @both(%a: tensor<4x2xf32>) -> (tensor<4x2xf32>, tensor<4x2xf32>) attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<2x2xf32>
  %g = arith.constant dense<1.0> : tensor<2xf32>
  %x = qd.observe %a "x" : tensor<4x2xf32>
  %n = qd.layer_norm %x, %g axis = 1 epsilon = 0.0 : tensor<4x2xf32>, tensor<2xf32>
  %y = qd.observe %n "y" : tensor<4x2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<4x2xf32>, tensor<2x2xf32>) outs(%init : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y, %p : tensor<4x2xf32>, tensor<4x2xf32>
}
