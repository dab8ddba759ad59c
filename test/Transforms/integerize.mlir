// RUN: q-opt %s -qd-integerize -split-input-file | FileCheck %s --check-prefixes=CHECK,FLOAT
// RUN: q-opt %s -qd-integerize=rescale=dyadic -split-input-file | FileCheck %s --check-prefixes=CHECK,DYADIC

#id = affine_map<(m, n) -> (m, n)>
#n = affine_map<(m, n) -> (n)>

// bias / (sx * sw) = (100, -50), minus zx * (sum of w) = 10 * (1, 5):
// init = (90, -100). Bounds: [90 - 638, 90 + 637] and [-100 - 640, -100 + 635].
// relu6: codes of 0 and 6 on the grid (0.05, -100) are -100 and 20.
// CHECK-LABEL: func.func @gemm_relu6
// CHECK-DAG: %[[BIAS:.*]] = arith.constant dense<[90, -100]> : tensor<2xi32>
// CHECK-DAG: %[[W:.*]] = arith.constant dense<{{\[\[}}3, 1], [-2, 4]]> : tensor<2x2xi8>
// CHECK: %[[INIT:.*]] = linalg.generic {{.*}} ins(%[[BIAS]] : tensor<2xi32>)
// CHECK: %[[ACC:.*]] = linalg.matmul
// CHECK-SAME: qd.acc_bound = array<i64: -740, 727>
// CHECK-SAME: qd.macs = 12 : i64
// CHECK-SAME: qd.name = "fc"
// CHECK-SAME: ins(%arg0, %[[W]] : tensor<3x2xi8>, tensor<2x2xi8>) outs(%[[INIT]] : tensor<3x2xi32>)
// FLOAT: %[[S:.*]] = arith.constant dense<{{.*}}> : tensor<2xf32>
// FLOAT: linalg.generic {{.*}} ins(%[[ACC]], %[[S]] : tensor<3x2xi32>, tensor<2xf32>)
// FLOAT-SAME: qd.error_lsb
// FLOAT-SAME: qd.name = "relu6"
// FLOAT: %[[Z:.*]] = arith.constant -100 : i32
// FLOAT: qd.requantize %{{.*}} scale %{{.*}} zero_point %[[Z]] rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
// DYADIC: linalg.generic {{.*}} ins(%[[ACC]], %{{.*}}, %{{.*}} : tensor<3x2xi32>, tensor<2xi32>, tensor<2xi32>)
// DYADIC: qd.rescale %{{.*}} multiplier %{{.*}} shift %{{.*}} zero_point %{{.*}} rounding(half_even) overflow(saturate) : i32, i32, i32, i32 -> i8
// CHECK: %[[LOW:.*]] = arith.constant -100 : i8
// CHECK: arith.maxsi %{{.*}}, %[[LOW]]
// CHECK: %[[HIGH:.*]] = arith.constant 20 : i8
// CHECK: arith.minsi %{{.*}}, %[[HIGH]]
// CHECK-NOT: qd.fallback
func.func @gemm_relu6(%x: tensor<3x2xi8>) -> tensor<3x2xi8> {
  %sx = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<10> : tensor<i32>
  %w = arith.constant dense<[[3, 1], [-2, 4]]> : tensor<2x2xi8>
  %sw = arith.constant dense<[[0.25, 0.5]]> : tensor<1x2xf32>
  %b = arith.constant dense<[12.5, -12.5]> : tensor<2xf32>
  %sy = arith.constant dense<0.05> : tensor<f32>
  %zy = arith.constant dense<-100> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %c6 = arith.constant 6.0 : f32
  %xd = qd.dequantize %x scale %sx zero_point %zx : tensor<3x2xi8>, tensor<f32>, tensor<i32> -> tensor<3x2xf32>
  %wd = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<2x2xi8>, tensor<1x2xf32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul {qd.name = "fc"} ins(%xd, %wd : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = linalg.generic {indexing_maps = [#id, #n, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %b : tensor<3x2xf32>, tensor<2xf32>) outs(%e : tensor<3x2xf32>) attrs = {qd.name = "relu6"} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    %r = arith.maximumf %s, %c0 : f32
    %t = arith.minimumf %r, %c6 : f32
    linalg.yield %t : f32
  } -> tensor<3x2xf32>
  %y = qd.quantize %1 scale %sy zero_point %zy rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32>, tensor<i32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}

// -----

#id = affine_map<(i) -> (i)>

// CHECK-LABEL: func.func @residual_add
// CHECK: linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<4xi8>, tensor<4xi8>)
// CHECK: arith.extsi
// FLOAT: arith.sitofp
// FLOAT: arith.mulf
// FLOAT: arith.addf
// FLOAT: qd.quantize %{{.*}} scale %{{.*}} zero_point %{{.*}} rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8
// DYADIC: arith.muli
// DYADIC: arith.addi
// DYADIC: qd.rescale
// CHECK-NOT: qd.dequantize
func.func @residual_add(%a: tensor<4xi8>, %b: tensor<4xi8>) -> tensor<4xi8> {
  %sa = arith.constant dense<0.5> : tensor<f32>
  %sb = arith.constant dense<0.3> : tensor<f32>
  %za = arith.constant dense<7> : tensor<i32>
  %zb = arith.constant dense<0> : tensor<i32>
  %da = qd.dequantize %a scale %sa zero_point %za : tensor<4xi8>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  %db = qd.dequantize %b scale %sb zero_point %zb : tensor<4xi8>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %s = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%da, %db : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %t = arith.addf %p, %q : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %y = qd.quantize %s scale %sa zero_point %za rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  return %y : tensor<4xi8>
}

// -----

// The sum of four codes starts from -4 * z; the division joins the scale.
// CHECK-LABEL: func.func @average_pool
// CHECK: arith.constant -20 : i32
// CHECK: linalg.pooling_nhwc_sum
// CHECK-SAME: tensor<1x4x4x2xi8>, tensor<2x2xi8>
// FLOAT: qd.requantize
// DYADIC: qd.rescale
// CHECK-NOT: qd.dequantize
func.func @average_pool(%x: tensor<1x4x4x2xi8>) -> tensor<1x2x2x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<5> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %d = qd.dequantize %x scale %s zero_point %z : tensor<1x4x4x2xi8>, tensor<f32>, tensor<i32> -> tensor<1x4x4x2xf32>
  %w = tensor.empty() : tensor<2x2xf32>
  %e = tensor.empty() : tensor<1x2x2x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %p = linalg.pooling_nhwc_sum {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%d, %w : tensor<1x4x4x2xf32>, tensor<2x2xf32>) outs(%f : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%p : tensor<1x2x2x2xf32>) outs(%e : tensor<1x2x2x2xf32>) {
  ^bb0(%i: f32, %o: f32):
    %c4 = arith.constant 4.0 : f32
    %q = arith.divf %i, %c4 : f32
    linalg.yield %q : f32
  } -> tensor<1x2x2x2xf32>
  %y = qd.quantize %m scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<1x2x2x2xf32>, tensor<f32>, tensor<i32> -> tensor<1x2x2x2xi8>
  return %y : tensor<1x2x2x2xi8>
}

// -----

#id = affine_map<(i) -> (i)>

// CHECK-LABEL: func.func @tanh_table
// CHECK: %[[T:.*]] = arith.constant dense_resource<{{.*}}> : tensor<256xi8>
// CHECK: qd.lookup %arg0, %[[T]]
// CHECK-NEXT: return
func.func @tanh_table(%x: tensor<4xi8>) -> tensor<4xi8> {
  %s = arith.constant dense<0.03> : tensor<f32>
  %t = arith.constant dense<0.0078125> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i32>
  %d = qd.dequantize %x scale %s zero_point %z : tensor<4xi8>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%d : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.tanh %a : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %q = qd.quantize %y scale %t zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// -----

// A table that only clamps is a clamp: relu6 on the input's own grid.
// CHECK-LABEL: func.func @clip_on_one_grid
// CHECK-NOT: qd.lookup
// CHECK: %[[L:.*]] = arith.constant 0 : i8
// CHECK: arith.maxsi %{{.*}}, %[[L]]
// CHECK: %[[H:.*]] = arith.constant 12 : i8
// CHECK: arith.minsi %{{.*}}, %[[H]]
func.func @clip_on_one_grid(%x: tensor<4xi8>) -> tensor<4xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %c6 = arith.constant 6.0 : f32
  %d = qd.dequantize %x scale %s zero_point %z : tensor<4xi8>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%d : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %c0 : f32
    %t = arith.minimumf %r, %c6 : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %q = qd.quantize %y scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// -----

// A contraction that ends in floats: integer sum, dequantized accumulator.
// CHECK-LABEL: func.func @unrounded
// CHECK: %[[ACC:.*]] = linalg.matmul {{.*}} -> tensor<3x2xi32>
// CHECK: qd.dequantize %[[ACC]] scale %{{.*}} block_sizes = [0, 1] : tensor<3x2xi32>, tensor<1x2xf32> -> tensor<3x2xf32>
// CHECK-NOT: qd.fallback
func.func @unrounded(%x: tensor<3x2xi8>) -> tensor<3x2xf32> {
  %sx = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<10> : tensor<i32>
  %w = arith.constant dense<[[3, 1], [-2, 4]]> : tensor<2x2xi8>
  %sw = arith.constant dense<[[0.25, 0.5]]> : tensor<1x2xf32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %sx zero_point %zx : tensor<3x2xi8>, tensor<f32>, tensor<i32> -> tensor<3x2xf32>
  %wd = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<2x2xi8>, tensor<1x2xf32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

// The edges of a program are no fallbacks.
// CHECK-LABEL: func.func @must_not_fire_edges
// CHECK: qd.quantize %arg0
// CHECK: qd.dequantize
// CHECK-NOT: qd.fallback
func.func @must_not_fire_edges(%x: tensor<4xf32>) -> tensor<4xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i32>
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32>, tensor<i32> -> tensor<4xi8>
  %d = qd.dequantize %q scale %s zero_point %z : tensor<4xi8>, tensor<f32>, tensor<i32> -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// -----

// Weight codes too far from their zero point: it is multiplied by the sum of
// the activation's codes.
// CHECK-LABEL: func.func @weight_zero_point_too_far
// CHECK: %[[ACC:.*]] = linalg.matmul {{.*}}ins(%arg0, %{{.*}} : tensor<3x2xi8>, tensor<2x2xi8>)
// CHECK: %[[ONES:.*]] = arith.constant dense<1> : tensor<2x1xi8>
// CHECK: %[[SUM:.*]] = linalg.matmul {qd.acc_bound = array<i64: -256, 254>} ins(%arg0, %[[ONES]] : tensor<3x2xi8>, tensor<2x1xi8>)
// CHECK: %[[ROW:.*]] = tensor.collapse_shape %[[SUM]] {{.*}} : tensor<3x1xi32> into tensor<3xi32>
// CHECK: linalg.generic {{.*}} ins(%[[ACC]], %[[ROW]] : tensor<3x2xi32>, tensor<3xi32>)
// CHECK: arith.muli
// CHECK: arith.subi
// CHECK-NOT: qd.fallback
func.func @weight_zero_point_too_far(%x: tensor<3x2xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<-100> : tensor<i32>
  %w = arith.constant dense<[[3, 1], [-2, 127]]> : tensor<2x2xi8>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s : tensor<3x2xi8>, tensor<f32> -> tensor<3x2xf32>
  %wd = qd.dequantize %w scale %s zero_point %z : tensor<2x2xi8>, tensor<f32>, tensor<i32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul ins(%xd, %wd : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}

// -----

// Two activations: their zero points stand in the payload, the scales multiply.

// CHECK-LABEL: func.func @product_of_activations
// CHECK: %[[P:.+]] = linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<3x2xi8>, tensor<2x2xi8>) {{.*}}qd.acc_bound = array<i64: -76076, 76076>, qd.macs = 12
// CHECK-NEXT: ^bb0(%[[A:.+]]: i8, %[[B:.+]]: i8, %[[O:.+]]: i32):
// CHECK: %[[AW:.+]] = arith.extsi %[[A]]
// CHECK: %[[AC:.+]] = arith.subi %[[AW]], %c-120_i32
// CHECK: %[[BW:.+]] = arith.extsi %[[B]]
// CHECK: arith.muli %[[AC]], %[[BC:.+]] : i32
// CHECK: linalg.generic {{.*}} ins(%[[P]]
// FLOAT: qd.requantize %{{.+}} scale %cst
// DYADIC: qd.rescale %{{.+}} multiplier %c1073741824_i32 shift %c31_i32
func.func @product_of_activations(%x: tensor<3x2xi8>, %w: tensor<2x2xi8>) -> tensor<3x2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %za = arith.constant dense<-120> : tensor<i32>
  %zb = arith.constant dense<26> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %xd = qd.dequantize %x scale %s zero_point %za : tensor<3x2xi8>, tensor<f32>, tensor<i32> -> tensor<3x2xf32>
  %wd = qd.dequantize %w scale %s zero_point %zb : tensor<2x2xi8>, tensor<f32>, tensor<i32> -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul {qd.name = "attention"} ins(%xd, %wd : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}
