// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{recipe=%S/Inputs/smooth.yaml statistics=%S/Inputs/smooth.stats.json}))" -split-input-file | FileCheck %s

// What a float op makes is divided by the quantize alone: its scales are those of the dequantize times the factors
// 16^0.5 / 0.25^0.5 = 8 and 1. The weights 0.25 and 1 become 2 and 1.

// CHECK-LABEL: @float_producer
// CHECK-DAG:   %[[SCALES:.+]] = arith.constant dense<{{\[\[}}6.274510e-02, 0.00784313772]]> : tensor<1x2xf32>
// CHECK-DAG:   %[[SCALE:.+]] = arith.constant dense<0.00784313772> : tensor<f32>
// CHECK:       %[[Q:.+]] = qd.quantize %{{.*}} scale %[[SCALES]] {{.*}} block_sizes = [0, 1] {qd.name = "h"}
// CHECK:       qd.dequantize %[[Q]] scale %[[SCALE]] zero_point
// CHECK:       arith.constant dense<{{\[\[}}127], [64]]> : tensor<2x1xi8>
func.func @float_producer(%x: tensor<1x2xf32>) -> tensor<1x1xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.25], [1.0]]> : tensor<2x1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %h = qd.softmax %x axis = 1 : tensor<1x2xf32>
  %o = qd.observe %h "h" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%o, %w : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#channel = affine_map<(i, j) -> (j)>

// A contraction with a bias and a relu is divided itself by 8 and 1: its weights 8 and 1 become equal, its biases 16 and 1
// become 2 and 1. (The input, with factors of 8^-0.5, is smoothed too.) Both casts of "h" have one scale.

// CHECK-LABEL: @contraction_producer
// CHECK:       arith.constant dense<127> : tensor<2x2xi8>
// CHECK:       arith.constant dense<[2.000000e+00, 1.000000e+00]> : tensor<2xf32>
// CHECK:       arith.constant dense<[32385, 16192]> : tensor<2xi32>
// CHECK:       %[[Q:.+]] = qd.quantize %{{.*}} scale %[[SCALE:.+]] zero_point %{{[^ ]+}} rounding(half_even) overflow(saturate) {qd.name = "h"}
// CHECK:       qd.dequantize %[[Q]] scale %[[SCALE]] zero_point
// CHECK:       arith.constant dense<{{\[\[}}127], [64]]> : tensor<2x1xi8>
func.func @contraction_producer(%x: tensor<1x2xf32>) -> tensor<1x1xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w1 = arith.constant dense<[[8.0, 1.0], [8.0, 1.0]]> : tensor<2x2xf32>
  %b1 = arith.constant dense<[16.0, 1.0]> : tensor<2xf32>
  %w2 = arith.constant dense<[[0.25], [1.0]]> : tensor<2x1xf32>
  %ox = qd.observe %x "x" : tensor<1x2xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %p = linalg.matmul ins(%ox, %w1 : tensor<1x2xf32>, tensor<2x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %b1 : tensor<1x2xf32>, tensor<2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<1x2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %v = arith.maximumf %a, %zero : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %oh = qd.observe %h "h" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%oh, %w2 : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Somebody else reads the codes: nothing is divided.

// CHECK-LABEL: @other_reader
// CHECK:       qd.quantize %{{.*}} scale %[[SCALE:[^ ]+]] zero_point %{{[^ ]+}} rounding(half_even) overflow(saturate) {qd.name = "h"}
// CHECK:       arith.constant dense<{{\[\[}}32], [127]]> : tensor<2x1xi8>
func.func @other_reader(%x: tensor<1x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>) attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[0.25], [1.0]]> : tensor<2x1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %h = qd.softmax %x axis = 1 : tensor<1x2xf32>
  %o = qd.observe %h "h" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%o, %w : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  %d = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%o, %o : tensor<1x2xf32>, tensor<1x2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  return %y, %d : tensor<1x1xf32>, tensor<1x2xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// The linear side of a gated unit takes the factors of the product, 8 and 1: its weights 8 and 1 become equal, and its own
// range is that of divided channels.

// CHECK-LABEL: @gated
// CHECK:       arith.constant dense<127> : tensor<2x2xi8>
// CHECK:       arith.constant dense<{{\[\[}}127], [64]]> : tensor<2x1xi8>
func.func @gated(%x: tensor<1x2xf32>, %g: tensor<1x2xf32>) -> tensor<1x1xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w1 = arith.constant dense<[[8.0, 1.0], [8.0, 1.0]]> : tensor<2x2xf32>
  %w2 = arith.constant dense<[[0.25], [1.0]]> : tensor<2x1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %ox = qd.observe %x "x" : tensor<1x2xf32>
  %og = qd.observe %g "x" : tensor<1x2xf32>
  %u = linalg.matmul ins(%ox, %w1 : tensor<1x2xf32>, tensor<2x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %ou = qd.observe %u "h" : tensor<1x2xf32>
  %m = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%ou, %og : tensor<1x2xf32>, tensor<1x2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.mulf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %om = qd.observe %m "h" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.matmul ins(%om, %w2 : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
