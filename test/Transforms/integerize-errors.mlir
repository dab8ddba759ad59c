// RUN: q-opt %s -qd-integerize -split-input-file | FileCheck %s
// RUN: not q-opt %s -qd-integerize=rescale=half -split-input-file 2>&1 | FileCheck %s --check-prefix=MODE
// RUN: not q-opt %s -qd-integerize -qd-verify-fallbacks -split-input-file 2>&1 | FileCheck %s --check-prefix=VERIFY

// MODE: unknown rescale mode 'half', expected 'float' or 'dyadic'

// What cannot be proven stays float, correct, and says why.

// CHECK-LABEL: func.func @long_product
// CHECK: linalg.matmul {{.*}}qd.fallback = "its 140000 products of up to 16384 need more than 32 bits"
// VERIFY: error: layer 'attention' stays float: its 140000 products of up to 16384 need more than 32 bits
func.func @long_product(%x: tensor<3x140000xi8>, %w: tensor<140000x2xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s : tensor<3x140000xi8>, tensor<f32> -> tensor<3x140000xf32>
  %wd = qd.dequantize %w scale %s : tensor<140000x2xi8>, tensor<f32> -> tensor<140000x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul {qd.name = "attention"} ins(%xd, %wd : tensor<3x140000xf32>, tensor<140000x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}

// -----

// Blocked weights of a float layer stay codes.
// CHECK-LABEL: func.func @scale_along_the_sum
// CHECK: qd.dequantize %{{.*}} block_sizes = [1, 0] : tensor<2x2xi8>
// CHECK: qd.fallback = "its weight's scale varies along a summed dimension"
func.func @scale_along_the_sum(%x: tensor<3x2xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %sw = arith.constant dense<[[0.5], [0.25]]> : tensor<2x1xf32>
  %w = arith.constant dense<[[3, 1], [-2, 4]]> : tensor<2x2xi8>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s : tensor<3x2xi8>, tensor<f32> -> tensor<3x2xf32>
  %wd = qd.dequantize %w scale %sw block_sizes = [1, 0] : tensor<2x2xi8>, tensor<2x1xf32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}

// -----

// A bias of 1.1e9 steps is 1.1 output steps: 2 of them less, or no weights at
// all, would not bring it into i32 either.
// CHECK-LABEL: func.func @bias_out_of_range
// CHECK: qd.fallback = "its bias is 1.10e+09 accumulator steps, which exceeds 32 bits"
func.func @bias_out_of_range(%x: tensor<3x2048xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<1.0> : tensor<f32>
  %sw = arith.constant dense<1.0e-09> : tensor<f32>
  %w = arith.constant dense<127> : tensor<2048x2xi8>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s : tensor<3x2048xi8>, tensor<f32> -> tensor<3x2048xf32>
  %wd = qd.dequantize %w scale %sw : tensor<2048x2xi8>, tensor<f32> -> tensor<2048x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<3x2048xf32>, tensor<2048x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<3x2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %b = arith.constant 1.1 : f32
    %t = arith.addf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<3x2xf32>
  %y = qd.quantize %1 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}

// -----

// CHECK-LABEL: func.func @softmax
// CHECK: qd.softmax {{.*}}qd.fallback = "'qd.softmax' has no integer form"
func.func @softmax(%x: tensor<3x2xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %xd = qd.dequantize %x scale %s : tensor<3x2xi8>, tensor<f32> -> tensor<3x2xf32>
  %0 = qd.softmax %xd axis = 1 {qd.requested = "w8a8"} : tensor<3x2xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}

// -----

// CHECK-LABEL: func.func @not_a_number
// CHECK: linalg.generic {{.*}} {{.*}}qd.fallback = "a constant of it is not a finite number"
func.func @not_a_number(%x: tensor<3xi8>) -> tensor<3xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %b = arith.constant dense<[1.0, 0x7FC00000, 2.0]> : tensor<3xf32>
  %xd = qd.dequantize %x scale %s : tensor<3xi8>, tensor<f32> -> tensor<3xf32>
  %e = tensor.empty() : tensor<3xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%xd, %b : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %t = arith.addf %p, %q : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<3xf32>, tensor<f32> -> tensor<3xi8>
  return %y : tensor<3xi8>
}

// -----

// The other weights of a float layer are floats: 3 * 0.5 and so on.
// CHECK-LABEL: func.func @activation_without_codes
// CHECK: arith.constant dense<{{\[\[}}1.500000e+00, 5.000000e-01], [-1.000000e+00, 2.000000e+00]]> : tensor<2x2xf32>
// CHECK-NOT: qd.dequantize
func.func @activation_without_codes(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %w = arith.constant dense<[[3, 1], [-2, 4]]> : tensor<2x2xi8>
  %c0 = arith.constant 0.0 : f32
  %wd = qd.dequantize %w scale %s : tensor<2x2xi8>, tensor<f32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul ins(%x, %wd : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

// CHECK-LABEL: func.func @product_and_constant
// CHECK: qd.dequantize {{.*}}qd.fallback = "its sum is rounded in floats: a constant is added to a product of two activations without a rounding in between"
func.func @product_and_constant(%x: tensor<3x2xi8>, %z: tensor<2x2xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s : tensor<3x2xi8>, tensor<f32> -> tensor<3x2xf32>
  %zd = qd.dequantize %z scale %s : tensor<2x2xi8>, tensor<f32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul {qd.requested = "int8"} ins(%xd, %zd : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<3x2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %b = arith.constant 1.5 : f32
    %t = arith.addf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<3x2xf32>
  %y = qd.quantize %1 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}

// -----

// CHECK-LABEL: func.func @signs_of_channels
// CHECK: qd.fallback = "its sum is scaled by factors that are neither all positive nor all negative"
func.func @signs_of_channels(%x: tensor<3x8x2xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %signs = arith.constant dense<[0.125, -0.125]> : tensor<2xf32>
  %d = qd.dequantize %x scale %s : tensor<3x8x2xi8>, tensor<f32> -> tensor<3x8x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.generic {qd.requested = "int8", indexing_maps = [affine_map<(r, k, c) -> (r, k, c)>, affine_map<(r, k, c) -> (r, c)>], iterator_types = ["parallel", "reduction", "parallel"]} ins(%d : tensor<3x8x2xf32>) outs(%f : tensor<3x2xf32>) {
  ^bb0(%v: f32, %o: f32):
    %t = arith.addf %o, %v : f32
    linalg.yield %t : f32
  } -> tensor<3x2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%0, %signs : tensor<3x2xf32>, tensor<2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<3x2xf32>
  %y = qd.quantize %1 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}
