// RUN: q-opt %s -qd-raise-float-ops -split-input-file | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>

// x * 0.5 * (1 + erf(x / sqrt 2)), the factors over three ops.

// CHECK-LABEL: @erf_gelu
// CHECK-NEXT: %[[Y:.+]] = qd.gelu %arg0 {{.*}}qd.name = "gelu"
// CHECK-NEXT: return %[[Y]]
func.func @erf_gelu(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %r = arith.constant 1.41421354 : f32
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.divf %v, %r : f32
    %2 = math.erf %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.addf %one, %v : f32
    linalg.yield %1 : f32
  } -> tensor<4x8xf32>
  %c = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%b, %x : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) attrs = {qd.name = "gelu"} {
  ^bb0(%v: f32, %w: f32, %o: f32):
    %1 = arith.mulf %w, %half : f32
    %2 = arith.mulf %v, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// 0.5 x (1 + tanh(0.7979 (x + 0.0447 x^3))) with the halves inside the sum.

// CHECK-LABEL: @tanh_gelu
// CHECK-NEXT: %[[Y:.+]] = qd.gelu %arg0 approximate(tanh)
// CHECK-NEXT: return %[[Y]]
func.func @tanh_gelu(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %k = arith.constant 0.797884583 : f32
  %c3 = arith.constant 0.044715 : f32
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.mulf %v, %v : f32
    %2 = arith.mulf %c3, %1 : f32
    %3 = arith.addf %2, %one : f32
    %4 = arith.mulf %k, %v : f32
    %5 = arith.mulf %4, %3 : f32
    %6 = math.tanh %5 : f32
    %7 = arith.mulf %6, %half : f32
    %8 = arith.addf %half, %7 : f32
    linalg.yield %8 : f32
  } -> tensor<4x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %x : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %w: f32, %o: f32):
    %1 = arith.mulf %v, %w : f32
    linalg.yield %1 : f32
  } -> tensor<4x8xf32>
  return %b : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: @silu
// CHECK-NEXT: %[[Y:.+]] = qd.silu %arg0
// CHECK-NEXT: return %[[Y]]
func.func @silu(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %one = arith.constant 1.0 : f32
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.negf %v : f32
    %2 = math.exp %1 : f32
    %3 = arith.addf %2, %one : f32
    %4 = arith.divf %v, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x8xf32>
  return %b : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>

// The variance as mean of x^2 minus the square of the mean, bounded by zero, and
// x * (g * r) + (b - m * (g * r)), as one exporter writes it.

// CHECK-LABEL: @layer_norm
// CHECK-SAME: %[[X:.+]]: tensor<4x8xf32>, %[[G:.+]]: tensor<8xf32>, %[[B:.+]]: tensor<8xf32>
// CHECK-NEXT: %[[Y:.+]] = qd.layer_norm %[[X]], %[[G]], %[[B]] axis = 1 epsilon = 9.99999974E-6
// CHECK-NEXT: return %[[Y]]
func.func @layer_norm(%x: tensor<4x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %er = tensor.empty() : tensor<4xf32>
  %zero = arith.constant 0.0 : f32
  %eps = arith.constant 1.0e-5 : f32
  %eighth = arith.constant 0.125 : f32
  %init = linalg.fill ins(%zero : f32) outs(%er : tensor<4xf32>) -> tensor<4xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.addf %o, %v : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  %sq = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.mulf %v, %v : f32
    linalg.yield %1 : f32
  } -> tensor<4x8xf32>
  %q = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%sq : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.addf %v, %o : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%s, %q : tensor<4xf32>, tensor<4xf32>) outs(%er : tensor<4xf32>) {
  ^bb0(%v: f32, %w: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %m = arith.mulf %v, %eighth : f32
    %m2 = arith.mulf %m, %m : f32
    %n = arith.mulf %w, %eighth : f32
    %d = arith.subf %n, %m2 : f32
    %c = arith.maximumf %zero, %d : f32
    %t = arith.addf %c, %eps : f32
    %u = math.sqrt %t : f32
    %i = arith.divf %one, %u : f32
    linalg.yield %i : f32
  } -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%s : tensor<4xf32>) outs(%er : tensor<4xf32>) {
  ^bb0(%v: f32, %o: f32):
    %eight = arith.constant 8.0 : f32
    %1 = arith.divf %v, %eight : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  %rg = linalg.generic {indexing_maps = [#row, #column, #id], iterator_types = ["parallel", "parallel"]} ins(%r, %g : tensor<4xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %w: f32, %o: f32):
    %1 = arith.mulf %v, %w : f32
    linalg.yield %1 : f32
  } -> tensor<4x8xf32>
  %k = linalg.generic {indexing_maps = [#column, #row, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%b, %m, %rg : tensor<8xf32>, tensor<4xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %w: f32, %u: f32, %o: f32):
    %1 = arith.mulf %w, %u : f32
    %2 = arith.subf %v, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %rg, %k : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %w: f32, %u: f32, %o: f32):
    %1 = arith.mulf %v, %w : f32
    %2 = arith.addf %1, %u : f32
    linalg.yield %2 : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#last = affine_map<(d0, d1) -> (d1)>

// Along the first dimension, so between transposes.

// CHECK-LABEL: @softmax_of_columns
// CHECK: %[[T:.+]] = linalg.transpose ins(%arg0 {{.*}} permutation = [1, 0]
// CHECK: %[[S:.+]] = qd.softmax %[[T]] axis = 1
// CHECK: %[[Y:.+]] = linalg.transpose ins(%[[S]] {{.*}} permutation = [1, 0]
// CHECK: return %[[Y]]
func.func @softmax_of_columns(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %er = tensor.empty() : tensor<8xf32>
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %i0 = linalg.fill ins(%zero : f32) outs(%er : tensor<8xf32>) -> tensor<8xf32>
  %i1 = linalg.fill ins(%low : f32) outs(%er : tensor<8xf32>) -> tensor<8xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%i1 : tensor<8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.maximumf %o, %v : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  %p = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %w: f32, %o: f32):
    %1 = arith.subf %v, %w : f32
    %2 = math.exp %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4x8xf32>
  %s = linalg.generic {indexing_maps = [#id, #last], iterator_types = ["reduction", "parallel"]} ins(%p : tensor<4x8xf32>) outs(%i0 : tensor<8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.addf %o, %v : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  %y = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %s : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %w: f32, %o: f32):
    %1 = arith.divf %v, %w : f32
    linalg.yield %1 : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// Other constants are other functions.

// CHECK-LABEL: @not_gelu
// CHECK-NOT: qd.gelu
// CHECK-NOT: qd.silu
// CHECK: return
func.func @not_gelu(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<4x8xf32>
  %one = arith.constant 1.0 : f32
  %half = arith.constant 0.5 : f32
  %k = arith.constant 1.702 : f32
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = math.erf %v : f32
    %2 = arith.addf %1, %one : f32
    %3 = arith.mulf %v, %half : f32
    %4 = arith.mulf %2, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.mulf %v, %k : f32
    %2 = arith.negf %1 : f32
    %3 = math.exp %2 : f32
    %4 = arith.addf %3, %one : f32
    %5 = arith.divf %v, %4 : f32
    linalg.yield %5 : f32
  } -> tensor<4x8xf32>
  return %a, %b : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// Transposes that undo each other stand between the parts.

#map = affine_map<(m, n) -> (m, n)>

// CHECK-LABEL: @silu_between_transposes
// CHECK-SAME: %[[X:.+]]: tensor<3x4xf32>
// CHECK-NEXT: %[[Y:.+]] = qd.silu %[[X]]
// CHECK-NEXT: return %[[Y]]
func.func @silu_between_transposes(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %e = tensor.empty() : tensor<3x4xf32>
  %t = tensor.empty() : tensor<4x3xf32>
  %a = linalg.transpose ins(%x : tensor<3x4xf32>) outs(%t : tensor<4x3xf32>) permutation = [1, 0]
  %b = linalg.transpose ins(%a : tensor<4x3xf32>) outs(%e : tensor<3x4xf32>) permutation = [1, 0]
  %s = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%b : tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%v: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %n = arith.negf %v : f32
    %p = math.exp %n : f32
    %d = arith.addf %p, %one : f32
    %q = arith.divf %one, %d : f32
    linalg.yield %q : f32
  } -> tensor<3x4xf32>
  %c = linalg.transpose ins(%s : tensor<3x4xf32>) outs(%t : tensor<4x3xf32>) permutation = [1, 0]
  %f = linalg.transpose ins(%c : tensor<4x3xf32>) outs(%e : tensor<3x4xf32>) permutation = [1, 0]
  %y = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%f, %x : tensor<3x4xf32>, tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%v: f32, %w: f32, %o: f32):
    %q = arith.mulf %v, %w : f32
    linalg.yield %q : f32
  } -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>

// g * (x * (1 / sqrt(mean + eps))) with the mean as a sum times 1/8.

// CHECK-LABEL: @rms_norm
// CHECK-SAME: %[[X:.+]]: tensor<4x8xf32>, %[[G:.+]]: tensor<8xf32>
// CHECK-NEXT: %[[Y:.+]] = qd.rms_norm %[[X]], %[[G]] axis = 1 epsilon = 9.99999997E-7
// CHECK-NEXT: return %[[Y]]
func.func @rms_norm(%x: tensor<4x8xf32>, %g: tensor<8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %er = tensor.empty() : tensor<4xf32>
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%er : tensor<4xf32>) -> tensor<4xf32>
  %sq = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %two = arith.constant 2.0 : f32
    %1 = math.powf %v, %two : f32
    linalg.yield %1 : f32
  } -> tensor<4x8xf32>
  %q = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%sq : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.addf %v, %o : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #column, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %q, %g : tensor<4x8xf32>, tensor<4xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %s: f32, %w: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %eighth = arith.constant 0.125 : f32
    %eps = arith.constant 1.0e-6 : f32
    %m = arith.mulf %s, %eighth : f32
    %a = arith.addf %m, %eps : f32
    %r = math.sqrt %a : f32
    %i = arith.divf %one, %r : f32
    %n = arith.mulf %v, %i : f32
    %y = arith.mulf %w, %n : f32
    linalg.yield %y : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// x / sqrt(sum x^2 + eps) is a norm of gain 1 / sqrt 4 and an epsilon of a quarter; an x that is not the one in the
// sum is none.

// CHECK-LABEL: @length
// CHECK-SAME: %[[X:.+]]: tensor<2x4xf32>, %[[Z:.+]]: tensor<2x4xf32>
// CHECK: %[[G:.+]] = arith.constant dense<5.000000e-01> : tensor<4xf32>
// CHECK: qd.rms_norm %[[X]], %[[G]] axis = 1 epsilon = 2.500000e-01
// CHECK-NOT: qd.rms_norm
func.func @length(%x: tensor<2x4xf32>, %z: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %e = tensor.empty() : tensor<2x4xf32>
  %er = tensor.empty() : tensor<2xf32>
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%er : tensor<2xf32>) -> tensor<2xf32>
  %sq = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.mulf %v, %v : f32
    linalg.yield %1 : f32
  } -> tensor<2x4xf32>
  %q = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%sq : tensor<2x4xf32>) outs(%init : tensor<2xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.addf %v, %o : f32
    linalg.yield %1 : f32
  } -> tensor<2xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %q : tensor<2x4xf32>, tensor<2xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%v: f32, %s: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %a = arith.addf %s, %one : f32
    %r = math.rsqrt %a : f32
    %n = arith.mulf %v, %r : f32
    linalg.yield %n : f32
  } -> tensor<2x4xf32>
  %w = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%z, %q : tensor<2x4xf32>, tensor<2xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%v: f32, %s: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %a = arith.addf %s, %one : f32
    %r = math.rsqrt %a : f32
    %n = arith.mulf %v, %r : f32
    linalg.yield %n : f32
  } -> tensor<2x4xf32>
  return %y, %w : tensor<2x4xf32>, tensor<2x4xf32>
}
