// Means over axes of symbolic size.
// RUN: q-opt %s -qd-integerize -split-input-file | FileCheck %s

// 128 + 28 - 1 is below 2^8: steps of 2^-22. 200 codes of -128 to 127.
// CHECK-LABEL: func.func @mean
// CHECK: %[[K:.*]] = arith.addi
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<2x?x3xi8>) outs({{.*}} : tensor<2x3xi32>) attrs = {qd.acc_bound = array<i64: -25600, 25400>
// What is rounded are steps of 2^-22 of a code: 2^22 * [-128 + 28, 127 + 28].
// 200 times as many on the way take 38 bits.
// CHECK: qd.acc_bound = array<i64: -419430400, 650117120>
// CHECK-SAME: qd.intermediate_bits = array<i64: 31, 38>
// CHECK: %[[WIDE:.*]] = arith.extsi %{{.*}} : i32 to i64
// CHECK: %[[N:.*]] = arith.index_cast %[[K]] : index to i64
// CHECK: %[[Z:.*]] = arith.constant -28 : i64
// CHECK: %[[SHIFT:.*]] = arith.muli %[[Z]], %[[N]] : i64
// CHECK: %[[SUM:.*]] = arith.subi %[[WIDE]], %[[SHIFT]] : i64
// CHECK: arith.constant 4194304 : i64
// CHECK: arith.divsi
// CHECK: arith.trunci %{{.*}} : i64 to i32
// CHECK: qd.requantize
// CHECK-NOT: qd.fallback
func.func @mean(%q: tensor<2x?x3xi8> {qd.dims = [2, "k", 3]}) -> tensor<2x3xi8> attributes {qd.dim_bounds = {k = array<i64: 1, 200>}} {
  %c1 = arith.constant 1 : index
  %k = tensor.dim %q, %c1 : tensor<2x?x3xi8>
  %zero = arith.constant 0 : index
  %n = arith.addi %k, %zero : index
  %s = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<-28> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  %x = qd.dequantize %q scale %s zero_point %zx : tensor<2x?x3xi8>, tensor<f32>, tensor<i32> -> tensor<2x?x3xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(r, c, k) -> (r, k, c)>, affine_map<(r, c, k) -> (r, c)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<2x?x3xf32>) outs(%f : tensor<2x3xf32>) attrs = {qd.requested = "w8a8"} {
  ^bb0(%v: f32, %o: f32):
    %t = arith.addf %o, %v : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (r, c)>], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %i = arith.index_cast %n : index to i64
    %r = arith.sitofp %i : i64 to f32
    %t = arith.divf %v, %r : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %y = qd.quantize %1 scale %s rounding(half_even) overflow(saturate) : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xi8>
  return %y : tensor<2x3xi8>
}

// -----

// CHECK-LABEL: func.func @another_size
// CHECK: qd.fallback = "its sum is divided by a size that is not the number of its terms"
func.func @another_size(%q: tensor<2x?x3xi8> {qd.dims = [2, "k", 3]}) -> tensor<2x3xi8> attributes {qd.dim_bounds = {k = array<i64: 1, 200>}} {
  %c1 = arith.constant 1 : index
  %k = tensor.dim %q, %c1 : tensor<2x?x3xi8>
  %n = arith.addi %k, %c1 : index
  %s = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<-28> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  %x = qd.dequantize %q scale %s zero_point %zx : tensor<2x?x3xi8>, tensor<f32>, tensor<i32> -> tensor<2x?x3xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(r, c, k) -> (r, k, c)>, affine_map<(r, c, k) -> (r, c)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<2x?x3xf32>) outs(%f : tensor<2x3xf32>) attrs = {qd.requested = "w8a8"} {
  ^bb0(%v: f32, %o: f32):
    %t = arith.addf %o, %v : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (r, c)>], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %i = arith.index_cast %n : index to i64
    %r = arith.sitofp %i : i64 to f32
    %t = arith.divf %v, %r : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %y = qd.quantize %1 scale %s rounding(half_even) overflow(saturate) : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xi8>
  return %y : tensor<2x3xi8>
}

// -----

// CHECK-LABEL: func.func @too_many
// CHECK: qd.fallback = "its sum of up to 20000000 codes does not fit 32 bits"
func.func @too_many(%q: tensor<2x?x3xi8> {qd.dims = [2, "k", 3]}) -> tensor<2x3xi8> attributes {qd.dim_bounds = {k = array<i64: 1, 20000000>}} {
  %c1 = arith.constant 1 : index
  %k = tensor.dim %q, %c1 : tensor<2x?x3xi8>
  %n = arith.muli %k, %c1 : index
  %s = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<-28> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  %x = qd.dequantize %q scale %s zero_point %zx : tensor<2x?x3xi8>, tensor<f32>, tensor<i32> -> tensor<2x?x3xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(r, c, k) -> (r, k, c)>, affine_map<(r, c, k) -> (r, c)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<2x?x3xf32>) outs(%f : tensor<2x3xf32>) attrs = {qd.requested = "w8a8"} {
  ^bb0(%v: f32, %o: f32):
    %t = arith.addf %o, %v : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (r, c)>], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %i = arith.index_cast %n : index to i64
    %r = arith.sitofp %i : i64 to f32
    %t = arith.divf %v, %r : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %y = qd.quantize %1 scale %s rounding(half_even) overflow(saturate) : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xi8>
  return %y : tensor<2x3xi8>
}

// -----

// CHECK-LABEL: func.func @no_bound
// CHECK: qd.fallback = "the number of its terms has no bound (--dim name=low..high gives one)"
func.func @no_bound(%q: tensor<2x?x3xi8> {qd.dims = [2, "k", 3]}) -> tensor<2x3xi8> {
  %c1 = arith.constant 1 : index
  %k = tensor.dim %q, %c1 : tensor<2x?x3xi8>
  %n = arith.muli %k, %c1 : index
  %s = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<-28> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  %x = qd.dequantize %q scale %s zero_point %zx : tensor<2x?x3xi8>, tensor<f32>, tensor<i32> -> tensor<2x?x3xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(r, c, k) -> (r, k, c)>, affine_map<(r, c, k) -> (r, c)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<2x?x3xf32>) outs(%f : tensor<2x3xf32>) attrs = {qd.requested = "w8a8"} {
  ^bb0(%v: f32, %o: f32):
    %t = arith.addf %o, %v : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (r, c)>], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %i = arith.index_cast %n : index to i64
    %r = arith.sitofp %i : i64 to f32
    %t = arith.divf %v, %r : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %y = qd.quantize %1 scale %s rounding(half_even) overflow(saturate) : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xi8>
  return %y : tensor<2x3xi8>
}
