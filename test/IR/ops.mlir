// Every op in its custom form, through text, the generic form and bytecode.
// RUN: q-opt %s -verify-roundtrip | FileCheck %s
// RUN: q-opt %s --mlir-print-op-generic | q-opt | FileCheck %s
// RUN: q-opt %s --emit-bytecode | q-opt | FileCheck %s

// CHECK-LABEL: func @scalar_casts
func.func @scalar_casts(%x: f32, %s: f32, %z: i32, %acc: i32, %m: i32, %n: i32) {
  // CHECK: qd.quantize %{{.*}} scale %{{.*}} zero_point %{{.*}} rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8
  %0 = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8
  // CHECK: qd.quantize %{{.*}} scale %{{.*}}, %{{.*}} rounding(half_away) overflow(wrap) : f32, f32, f32 -> !qd.uint<4>
  %1 = qd.quantize %x scale %s, %s rounding(half_away) overflow(wrap) : f32, f32, f32 -> !qd.uint<4>
  // CHECK: qd.quantize %{{.*}} scale %{{.*}} zero_point %{{.*}} rounding(floor) overflow(saturate) domain(real) : f32, f32, f32 -> i4
  %2 = qd.quantize %x scale %s zero_point %s rounding(floor) overflow(saturate) domain(real) : f32, f32, f32 -> i4
  // CHECK: qd.dequantize %{{.*}} scale %{{.*}} zero_point %{{.*}} : i8, f32, i32 -> f32
  %3 = qd.dequantize %0 scale %s zero_point %z : i8, f32, i32 -> f32
  // CHECK: qd.dequantize %{{.*}} scale %{{.*}}, %{{.*}} : !qd.uint<4>, f32, f32 -> f16
  %4 = qd.dequantize %1 scale %s, %s : !qd.uint<4>, f32, f32 -> f16
  // CHECK: qd.requantize %{{.*}} scale %{{.*}} zero_point %{{.*}} rounding(half_up) overflow(saturate) : i32, f32, i32 -> i8
  %5 = qd.requantize %acc scale %s zero_point %z rounding(half_up) overflow(saturate) : i32, f32, i32 -> i8
  // CHECK: qd.requantize %{{.*}} scale %{{.*}} rounding(half_even) overflow(wrap) : i32, f32 -> i16
  %6 = qd.requantize %acc scale %s rounding(half_even) overflow(wrap) : i32, f32 -> i16
  // CHECK: qd.rescale %{{.*}} multiplier %{{.*}} shift %{{.*}} zero_point %{{.*}} rounding(trunc) overflow(saturate) : i32, i32, i32, i32 -> i8
  %7 = qd.rescale %acc multiplier %m shift %n zero_point %z rounding(trunc) overflow(saturate) : i32, i32, i32, i32 -> i8
  // CHECK: qd.rescale %{{.*}} multiplier %{{.*}} shift %{{.*}} rounding(half_even) overflow(saturate) : i32, i32, i32 -> i32
  %8 = qd.rescale %acc multiplier %m shift %n rounding(half_even) overflow(saturate) : i32, i32, i32 -> i32
  // CHECK: qd.storage_cast %{{.*}} : !qd.uint<4> to i4
  %9 = qd.storage_cast %1 : !qd.uint<4> to i4
  return
}

// CHECK-LABEL: func @vector_casts
func.func @vector_casts(%x: vector<16xf32>, %v: vector<16xf32>, %s: f32, %a: vector<16xi32>, %z: i32) {
  // A parameter of a vector may be a scalar.
  // CHECK: qd.quantize %{{.*}} scale %{{.*}} zero_point %{{.*}} rounding(half_even) overflow(saturate) : vector<16xf32>, vector<16xf32>, i32 -> vector<16xi8>
  %0 = qd.quantize %x scale %v zero_point %z rounding(half_even) overflow(saturate) : vector<16xf32>, vector<16xf32>, i32 -> vector<16xi8>
  // CHECK: qd.dequantize %{{.*}} scale %{{.*}} : vector<16xi8>, f32 -> vector<16xf32>
  %1 = qd.dequantize %0 scale %s : vector<16xi8>, f32 -> vector<16xf32>
  // CHECK: qd.requantize %{{.*}} scale %{{.*}} rounding(half_even) overflow(saturate) : vector<16xi32>, f32 -> vector<16x!qd.uint<8>>
  %2 = qd.requantize %a scale %s rounding(half_even) overflow(saturate) : vector<16xi32>, f32 -> vector<16x!qd.uint<8>>
  // CHECK: qd.rescale %{{.*}} multiplier %{{.*}} shift %{{.*}} rounding(half_even) overflow(saturate) : vector<16xi32>, vector<16xi32>, i32 -> vector<16xi8>
  %3 = qd.rescale %a multiplier %a shift %z rounding(half_even) overflow(saturate) : vector<16xi32>, vector<16xi32>, i32 -> vector<16xi8>
  // CHECK: qd.storage_cast %{{.*}} : vector<16x!qd.uint<8>> to vector<16xi8>
  %4 = qd.storage_cast %2 : vector<16x!qd.uint<8>> to vector<16xi8>
  return
}

// CHECK-LABEL: func @tensor_casts
func.func @tensor_casts(%x: tensor<4x40xf32>, %s: tensor<f32>, %z: tensor<i32>, %c: tensor<1x40xf32>,
                        %b: tensor<4x2xf8E4M3FN>, %g: tensor<40xi32>, %k: tensor<4x2xi32>, %e: tensor<0x3xf32>) {
  // CHECK: qd.quantize {{.*}} : tensor<4x40xf32>, tensor<f32>, tensor<i32> -> tensor<4x40xi8>
  %0 = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4x40xf32>, tensor<f32>, tensor<i32> -> tensor<4x40xi8>
  // Per axis.
  // CHECK: qd.quantize {{.*}} block_sizes = [0, 1] : tensor<4x40xf32>, tensor<1x40xf32> -> tensor<4x40xi8>
  %1 = qd.quantize %x scale %c rounding(half_even) overflow(saturate) block_sizes = [0, 1] : tensor<4x40xf32>, tensor<1x40xf32> -> tensor<4x40xi8>
  // Blocks of 32 with a short last one, a second scale for all.
  // CHECK: qd.quantize {{.*}} block_sizes = [1, 32] : tensor<4x40xf32>, tensor<4x2xf8E4M3FN>, tensor<f32> -> tensor<4x40x!qd.minifloat<e = 2, m = 1, bias = 1, specials = none>>
  %2 = qd.quantize %x scale %b, %s rounding(half_even) overflow(saturate) block_sizes = [1, 32] : tensor<4x40xf32>, tensor<4x2xf8E4M3FN>, tensor<f32> -> tensor<4x40x!qd.minifloat<e = 2, m = 1, bias = 1, specials = none>>
  // CHECK: qd.dequantize {{.*}} group_index %{{.*}} block_sizes = [1, 32] : tensor<4x40xi8>, tensor<4x2xf8E4M3FN>, tensor<4x2xi32>, tensor<40xi32> -> tensor<4x40xf32>
  %3 = qd.dequantize %1 scale %b zero_point %k group_index %g block_sizes = [1, 32] : tensor<4x40xi8>, tensor<4x2xf8E4M3FN>, tensor<4x2xi32>, tensor<40xi32> -> tensor<4x40xf32>
  // CHECK: qd.quantize {{.*}} rounding(stochastic) overflow(saturate) {seed = 7 : i64} : tensor<4x40xf32>
  %4 = qd.quantize %x scale %s rounding(stochastic) overflow(saturate) {seed = 7 : i64} : tensor<4x40xf32>, tensor<f32> -> tensor<4x40xi8>
  // CHECK: qd.quantize {{.*}} : tensor<0x3xf32>, tensor<f32> -> tensor<0x3xi8>
  %5 = qd.quantize %e scale %s rounding(half_even) overflow(saturate) : tensor<0x3xf32>, tensor<f32> -> tensor<0x3xi8>
  // CHECK: qd.choose_params %{{.*}} for i8 symmetric block_sizes = [1, 0] : tensor<4x40xf32> -> tensor<4x1xf32>, tensor<4x1xi32>
  %6, %7 = qd.choose_params %x for i8 symmetric block_sizes = [1, 0] : tensor<4x40xf32> -> tensor<4x1xf32>, tensor<4x1xi32>
  // CHECK: qd.choose_params %{{.*}} for !qd.uint<8> : tensor<4x40xf32> -> tensor<f32>, tensor<i32>
  %8, %9 = qd.choose_params %x for !qd.uint<8> : tensor<4x40xf32> -> tensor<f32>, tensor<i32>
  return
}

// CHECK-LABEL: func @dynamic_shapes
func.func @dynamic_shapes(%x: tensor<?x?xf32>, %s: tensor<?x1xf32>) {
  // CHECK: qd.quantize {{.*}} block_sizes = [16, 0] : tensor<?x?xf32>, tensor<?x1xf32> -> tensor<?x?xi8>
  %0 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) block_sizes = [16, 0] : tensor<?x?xf32>, tensor<?x1xf32> -> tensor<?x?xi8>
  return
}

// CHECK-LABEL: func @lookups
func.func @lookups(%q: tensor<4xi8>, %t: tensor<256xi8>, %c: i4, %u: tensor<16xf32>) {
  // CHECK: qd.lookup %{{.*}}, %{{.*}} : tensor<4xi8>, tensor<256xi8> -> tensor<4xi8>
  %0 = qd.lookup %q, %t : tensor<4xi8>, tensor<256xi8> -> tensor<4xi8>
  // CHECK: qd.lookup %{{.*}}, %{{.*}} : i4, tensor<16xf32> -> f32
  %1 = qd.lookup %c, %u : i4, tensor<16xf32> -> f32
  return
}

// CHECK-LABEL: func @functions
func.func @functions(%x: tensor<2x4x8xf32>, %g: tensor<4x8xf32>, %v: vector<8xf16>) {
  // CHECK: qd.softmax %{{.*}} axis = 1 : tensor<2x4x8xf32>
  %0 = qd.softmax %x axis = 1 : tensor<2x4x8xf32>
  // CHECK: qd.layer_norm %{{.*}}, %{{.*}}, %{{.*}} axis = 1 epsilon = 9.99999974E-6 : tensor<2x4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  %1 = qd.layer_norm %x, %g, %g axis = 1 epsilon = 1.0e-5 : tensor<2x4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  // CHECK: qd.layer_norm %{{.*}}, %{{.*}} axis = 1 epsilon = 0.000000e+00 : tensor<2x4x8xf32>, tensor<4x8xf32>
  %2 = qd.layer_norm %x, %g axis = 1 epsilon = 0.0 : tensor<2x4x8xf32>, tensor<4x8xf32>
  // CHECK: qd.rms_norm %{{.*}}, %{{.*}} axis = 1 epsilon = 9.99999997E-7 : tensor<2x4x8xf32>, tensor<4x8xf32>
  %6 = qd.rms_norm %x, %g axis = 1 epsilon = 1.0e-6 : tensor<2x4x8xf32>, tensor<4x8xf32>
  // CHECK: qd.gelu %{{.*}} approximate(none) : tensor<2x4x8xf32>
  %3 = qd.gelu %x approximate(none) : tensor<2x4x8xf32>
  // CHECK: qd.gelu %{{.*}} approximate(tanh) : vector<8xf16>
  %4 = qd.gelu %v approximate(tanh) : vector<8xf16>
  // CHECK: qd.silu %{{.*}} : tensor<2x4x8xf32>
  %5 = qd.silu %x : tensor<2x4x8xf32>
  return
}

// CHECK-LABEL: func @integer_functions
func.func @integer_functions(%x: tensor<2x8xi16>, %g: tensor<8xi32>, %b: tensor<8xi64>) {
  // CHECK: qd.int_softmax %{{.*}} scheme(ibert) axis = 1 scale = 1.000000e-03 to 3.906250e-03 zero_point = -128 : tensor<2x8xi16> -> tensor<2x8xi8>
  %0 = qd.int_softmax %x scheme(ibert) axis = 1 scale = 1.0e-3 to 3.90625e-3 zero_point = -128 : tensor<2x8xi16> -> tensor<2x8xi8>
  // CHECK: qd.int_gelu %{{.*}} scheme(qd) scale = 1.000000e-03 zero_point = 7 to 2.000000e-02 zero_point = -120 : tensor<2x8xi16> -> tensor<2x8xi8>
  %1 = qd.int_gelu %x scheme(qd) scale = 1.0e-3 zero_point = 7 to 2.0e-2 zero_point = -120 : tensor<2x8xi16> -> tensor<2x8xi8>
  // CHECK: qd.int_silu %{{.*}} scheme(ivit) scale = 1.000000e-03 zero_point = 0 to 2.000000e-02 zero_point = 0 : tensor<2x8xi16> -> tensor<2x8xi16>
  %2 = qd.int_silu %x scheme(ivit) scale = 1.0e-3 zero_point = 0 to 2.0e-2 zero_point = 0 : tensor<2x8xi16> -> tensor<2x8xi16>
  // CHECK: qd.int_layer_norm %{{.*}}, %{{.*}}, %{{.*}} scheme(qd) axis = 1 epsilon = 12 shift = 40 : tensor<2x8xi16>, tensor<8xi32>, tensor<8xi64> -> tensor<2x8xi8>
  %3 = qd.int_layer_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 12 shift = 40 : tensor<2x8xi16>, tensor<8xi32>, tensor<8xi64> -> tensor<2x8xi8>
  // CHECK: qd.int_rms_norm %{{.*}}, %{{.*}}, %{{.*}} scheme(qd) axis = 1 epsilon = 12 shift = 40 zero_point = -3 : tensor<2x8xi16>, tensor<8xi32>, tensor<8xi64> -> tensor<2x8xi8>
  %4 = qd.int_rms_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 12 shift = 40 zero_point = -3 : tensor<2x8xi16>, tensor<8xi32>, tensor<8xi64> -> tensor<2x8xi8>
  return
}

// CHECK-LABEL: func @structure
func.func @structure(%x: tensor<4xf32>) -> tensor<4xi8> {
  // CHECK: %[[O:.*]] = qd.observe %{{.*}} "conv1" : tensor<4xf32>
  %o = qd.observe %x "conv1" : tensor<4xf32>
  // CHECK: qd.dispatch ins(%[[O]] : tensor<4xf32>) -> (tensor<4xi8>) attributes {qd.name = "y"} {
  // CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<4xf32>):
  %d = qd.dispatch ins(%o : tensor<4xf32>) -> (tensor<4xi8>) attributes {qd.name = "y"} {
  ^bb0(%a: tensor<4xf32>):
    %s = arith.constant dense<0.5> : tensor<f32>
    %q = qd.quantize %a scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
    // CHECK: qd.yield %{{.*}} : tensor<4xi8>
    qd.yield %q : tensor<4xi8>
  }
  // CHECK: qd.dispatch -> (tensor<i8>) {
  %c = qd.dispatch -> (tensor<i8>) {
    %s = arith.constant dense<1> : tensor<i8>
    qd.yield %s : tensor<i8>
  }
  return %d : tensor<4xi8>
}

// CHECK-LABEL: func @any_sizes
func.func @any_sizes(%x: tensor<2x3xf32>, %n: index) -> tensor<?x3xf32> {
  // CHECK: qd.any_size %{{.*}} : tensor<2x3xf32> to tensor<?x3xf32>
  %any = qd.any_size %x : tensor<2x3xf32> to tensor<?x3xf32>
  // CHECK: qd.sized %{{.*}}[%{{.*}}] : tensor<?x3xf32>
  %y = qd.sized %any[%n] : tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// CHECK-LABEL: func @data_sizes
func.func @data_sizes(%count: tensor<i64>, %limit: index) -> (index, index) {
  // CHECK: qd.data_size %{{.*}} "boxes" at_most %{{.*}} : tensor<i64>
  %n = qd.data_size %count "boxes" at_most %limit : tensor<i64>
  // CHECK: qd.data_size %{{.*}} "rounds" : tensor<i64>
  %m = qd.data_size %count "rounds" : tensor<i64>
  // CHECK: qd.check_count %{{.*}} at_most %{{.*}} "node 'best' (TopK): K" : tensor<i64>
  qd.check_count %count at_most %limit "node 'best' (TopK): K" : tensor<i64>
  // CHECK: qd.check_count %{{.*}} "shape[0]" : tensor<i64>
  qd.check_count %count "shape[0]" : tensor<i64>
  // CHECK: qd.check_size %{{.*}} is %{{.*}} "the number of elements"
  qd.check_size %n is %m "the number of elements"
  return %n, %m : index, index
}

// CHECK-LABEL: func @block_matmul
func.func @block_matmul(%x: tensor<4x100xi8>, %sx: tensor<4x4xf32>, %w: tensor<100x7x!qd.uint<4>>, %sw: tensor<4x7xf32>, %z: tensor<4x7xi32>, %rows: tensor<?x100xi8>, %s1: tensor<?x1xf32>) {
  // CHECK: qd.block_matmul %{{.*}} scale %{{.*}}, %{{.*}} scale %{{.*}} zero_point %{{.*}} block = 32 : tensor<4x100xi8>, tensor<4x4xf32>, tensor<100x7x!qd.uint<4>>, tensor<4x7xf32>, tensor<4x7xi32> -> tensor<4x7xf32>
  %0 = qd.block_matmul %x scale %sx, %w scale %sw zero_point %z block = 32 : tensor<4x100xi8>, tensor<4x4xf32>, tensor<100x7x!qd.uint<4>>, tensor<4x7xf32>, tensor<4x7xi32> -> tensor<4x7xf32>
  // CHECK: qd.block_matmul %{{.*}} scale %{{.*}}, %{{.*}} scale %{{.*}} block = 32 : tensor<?x100xi8>, tensor<?x1xf32>, tensor<100x7x!qd.uint<4>>, tensor<4x7xf32> -> tensor<?x7xf32>
  %1 = qd.block_matmul %rows scale %s1, %w scale %sw block = 32 : tensor<?x100xi8>, tensor<?x1xf32>, tensor<100x7x!qd.uint<4>>, tensor<4x7xf32> -> tensor<?x7xf32>
  return
}
