// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-absorb-bias{statistics=%S/Inputs/absorb.stats.json output-statistics=%t.json}))" -split-input-file | FileCheck %s
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-absorb-bias{statistics=%S/Inputs/absorb.stats.json sigmas=0.5}))" -split-input-file | FileCheck %s --check-prefix=SIGMA
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-absorb-bias{statistics=%S/Inputs/absorb.stats.json output-statistics=%t.json},qd-quantize{recipe=%S/Inputs/plain.yaml statistics=%t.json}),cse)" -split-input-file | sed 's/qd.program = "[0-9a-f]*", qd.recipe = "[a-z]*"/qd.program/' > %t.alone
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-quantize{recipe=%S/Inputs/absorb.yaml statistics=%S/Inputs/absorb.stats.json}),cse)" -split-input-file | sed 's/qd.program = "[0-9a-f]*", qd.recipe = "[a-z]*"/qd.program/' > %t.within
// RUN: diff %t.alone %t.within
// RUN: FileCheck %s --check-prefix=FILE < %t.json

// "h" takes values in [4, 8] and [1, 3] behind its relu: 4 and 1 go. The biases 5 and 2 become 1 and 1; the reader's
// weights 0.5 and 2 make up for it by 4 * 0.5 + 1 * 2 = 4, in its bias of 1. With half a standard deviation (2 and 1) below
// the means 6 and 2 it is 5 and 1.5: biases 0 and 0.5, and 1 + 5.5.

// FILE: "flat": {{.*}}"max":8,"min":0
// FILE: "h": {"channels":{"max":[4,2],"min":[0,0],"sum":[4,2],"sum_of_squares":[16,4]},"count":4,"histogram":{"counts":[],{{.*}}"max":4,"min":0,"sum":6,"sum_of_squares":20}

#id = affine_map<(i, j) -> (i, j)>
#channel = affine_map<(i, j) -> (j)>

// CHECK-LABEL: @behind_a_relu
// CHECK:       %[[P:.+]] = linalg.matmul
// CHECK:       %[[B1:.+]] = arith.constant dense<1.000000e+00> : tensor<2xf32>
// CHECK:       linalg.generic {{.*}} ins(%[[P]], %[[B1]]
// CHECK:       qd.observe
// CHECK:       %[[Q:.+]] = linalg.matmul
// CHECK:       %[[B2:.+]] = arith.constant dense<5.000000e+00> : tensor<1xf32>
// CHECK:       linalg.generic {{.*}} ins(%[[Q]], %[[B2]]
// SIGMA-LABEL: @behind_a_relu
// SIGMA:       arith.constant dense<[0.000000e+00, 5.000000e-01]> : tensor<2xf32>
// SIGMA:       arith.constant dense<6.500000e+00> : tensor<1xf32>
func.func @behind_a_relu(%x: tensor<1x2xf32>) -> (tensor<1x1xf32>) attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w1 = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b1 = arith.constant dense<[5.0, 2.0]> : tensor<2xf32>
  %w2 = arith.constant dense<[[0.5], [2.0]]> : tensor<2x1xf32>
  %b2 = arith.constant dense<[1.0]> : tensor<1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %p = linalg.matmul ins(%x, %w1 : tensor<1x2xf32>, tensor<2x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %b1 : tensor<1x2xf32>, tensor<2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<1x2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %v = arith.maximumf %a, %zero : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %h = qd.observe %r "h" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %q = linalg.matmul ins(%h, %w2 : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
      ins(%q, %b2 : tensor<1x1xf32>, tensor<1xf32>) outs(%e : tensor<1x1xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#channel = affine_map<(i, j) -> (j)>

// The middles 6 and 2 go: biases -1 and 0, and the reader gets a bias of 7.

// CHECK-LABEL: @without_a_relu
// CHECK:       arith.constant dense<[-1.000000e+00, 0.000000e+00]> : tensor<2xf32>
// CHECK:       qd.observe
// CHECK:       %[[Q:.+]] = linalg.matmul
// CHECK:       %[[B2:.+]] = arith.constant dense<7.000000e+00> : tensor<1xf32>
// CHECK:       %[[Y:.+]] = linalg.generic {{.*}} ins(%[[Q]], %[[B2]]
// CHECK:       return %[[Y]]
func.func @without_a_relu(%x: tensor<1x2xf32>) -> (tensor<1x1xf32>) attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w1 = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b1 = arith.constant dense<[5.0, 2.0]> : tensor<2xf32>
  %w2 = arith.constant dense<[[0.5], [2.0]]> : tensor<2x1xf32>
  %b2 = arith.constant dense<[1.0]> : tensor<1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %p = linalg.matmul ins(%x, %w1 : tensor<1x2xf32>, tensor<2x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %b1 : tensor<1x2xf32>, tensor<2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %h = qd.observe %s "h" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %q = linalg.matmul ins(%h, %w2 : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %q : tensor<1x1xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#channel = affine_map<(i, j) -> (j)>

// The largest channel begins at 0: the range would stay [0, 8].

// CHECK-LABEL: @same_range
// CHECK-DAG:   arith.constant dense<[5.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK-DAG:   arith.constant dense<1.000000e+00> : tensor<1xf32>
func.func @same_range(%x: tensor<1x2xf32>) -> (tensor<1x1xf32>) attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w1 = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b1 = arith.constant dense<[5.0, 2.0]> : tensor<2xf32>
  %w2 = arith.constant dense<[[0.5], [2.0]]> : tensor<2x1xf32>
  %b2 = arith.constant dense<[1.0]> : tensor<1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %p = linalg.matmul ins(%x, %w1 : tensor<1x2xf32>, tensor<2x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %b1 : tensor<1x2xf32>, tensor<2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<1x2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %v = arith.maximumf %a, %zero : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %h = qd.observe %r "flat" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %q = linalg.matmul ins(%h, %w2 : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
      ins(%q, %b2 : tensor<1x1xf32>, tensor<1xf32>) outs(%e : tensor<1x1xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#channel = affine_map<(i, j) -> (j)>

// The program returns the value itself.

// CHECK-LABEL: @other_reader
// CHECK-DAG:   arith.constant dense<[5.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK-DAG:   arith.constant dense<1.000000e+00> : tensor<1xf32>
func.func @other_reader(%x: tensor<1x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>) attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %w1 = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b1 = arith.constant dense<[5.0, 2.0]> : tensor<2xf32>
  %w2 = arith.constant dense<[[0.5], [2.0]]> : tensor<2x1xf32>
  %b2 = arith.constant dense<[1.0]> : tensor<1xf32>
  %e2 = tensor.empty() : tensor<1x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %p = linalg.matmul ins(%x, %w1 : tensor<1x2xf32>, tensor<2x2xf32>) outs(%init2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %b1 : tensor<1x2xf32>, tensor<2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<1x2xf32>) outs(%e2 : tensor<1x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %v = arith.maximumf %a, %zero : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %h = qd.observe %r "h" : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %q = linalg.matmul ins(%h, %w2 : tensor<1x2xf32>, tensor<2x1xf32>) outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
      ins(%q, %b2 : tensor<1x1xf32>, tensor<1xf32>) outs(%e : tensor<1x1xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x1xf32>
  return %y, %h : tensor<1x1xf32>, tensor<1x2xf32>
}

// -----

#id = affine_map<(n, h, w, c) -> (n, h, w, c)>
#channel = affine_map<(n, h, w, c) -> (c)>

// The zeros around the image would become -4 and -1.

// CHECK-LABEL: @zeros_around
// CHECK:       arith.constant dense<[5.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK:       %[[Y:.+]] = linalg.depthwise_conv_2d_nhwc_hwc
// CHECK-NEXT:  return %[[Y]]
func.func @zeros_around(%x: tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %w1 = arith.constant dense<1.0> : tensor<1x1x2x2xf32>
  %b1 = arith.constant dense<[5.0, 2.0]> : tensor<2xf32>
  %w2 = arith.constant dense<0.25> : tensor<2x2x2xf32>
  %e2 = tensor.empty() : tensor<1x2x2x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %p = linalg.conv_2d_nhwc_hwcf ins(%x, %w1 : tensor<1x2x2x2xf32>, tensor<1x1x2x2xf32>) outs(%init2 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%p, %b1 : tensor<1x2x2x2xf32>, tensor<2xf32>) outs(%e2 : tensor<1x2x2x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2x2x2xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s : tensor<1x2x2x2xf32>) outs(%e2 : tensor<1x2x2x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %v = arith.maximumf %a, %zero : f32
    linalg.yield %v : f32
  } -> tensor<1x2x2x2xf32>
  %h = qd.observe %r "h" : tensor<1x2x2x2xf32>
  %m = tensor.pad %h low[0, 0, 0, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x2x2x2xf32> to tensor<1x3x3x2xf32>
  %e = tensor.empty() : tensor<1x2x2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %y = linalg.depthwise_conv_2d_nhwc_hwc ins(%m, %w2 : tensor<1x3x3x2xf32>, tensor<2x2x2xf32>) outs(%init : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %y : tensor<1x2x2x2xf32>
}

// -----

#id = affine_map<(n, h, w, c) -> (n, h, w, c)>
#channel = affine_map<(n, h, w, c) -> (c)>

// A maximum is shifted like its elements; -infinity stays. Each output of the depthwise convolution lacks 4 * 0.25 times
// what its channel lacks.

// CHECK-LABEL: @maxima
// CHECK:       arith.constant dense<1.000000e+00> : tensor<2xf32>
// CHECK:       %[[D:.+]] = linalg.depthwise_conv_2d_nhwc_hwc
// CHECK:       %[[B2:.+]] = arith.constant dense<[4.000000e+00, 1.000000e+00]> : tensor<2xf32>
// CHECK:       linalg.generic {{.*}} ins(%[[D]], %[[B2]]
func.func @maxima(%x: tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> attributes {qd.program = "0123456789abcdef"} {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %w1 = arith.constant dense<1.0> : tensor<1x1x2x2xf32>
  %b1 = arith.constant dense<[5.0, 2.0]> : tensor<2xf32>
  %w2 = arith.constant dense<0.25> : tensor<2x2x2xf32>
  %e2 = tensor.empty() : tensor<1x2x2x2xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %p = linalg.conv_2d_nhwc_hwcf ins(%x, %w1 : tensor<1x2x2x2xf32>, tensor<1x1x2x2xf32>) outs(%init2 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%p, %b1 : tensor<1x2x2x2xf32>, tensor<2xf32>) outs(%e2 : tensor<1x2x2x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2x2x2xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s : tensor<1x2x2x2xf32>) outs(%e2 : tensor<1x2x2x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %v = arith.maximumf %a, %zero : f32
    linalg.yield %v : f32
  } -> tensor<1x2x2x2xf32>
  %h = qd.observe %r "h" : tensor<1x2x2x2xf32>
  %q = tensor.pad %h low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %low : f32
  } : tensor<1x2x2x2xf32> to tensor<1x4x4x2xf32>
  %window = tensor.empty() : tensor<2x2xf32>
  %em = tensor.empty() : tensor<1x3x3x2xf32>
  %lows = linalg.fill ins(%low : f32) outs(%em : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  %m = linalg.pooling_nhwc_max ins(%q, %window : tensor<1x4x4x2xf32>, tensor<2x2xf32>) outs(%lows : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  %e = tensor.empty() : tensor<1x2x2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %y = linalg.depthwise_conv_2d_nhwc_hwc ins(%m, %w2 : tensor<1x3x3x2xf32>, tensor<2x2x2xf32>) outs(%init : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %y : tensor<1x2x2x2xf32>
}
