// Softmax, layer norm and functions between casts in their integer forms.
// RUN: q-opt %s --qd-integerize --split-input-file | FileCheck %s

// CHECK-LABEL: func @softmax
// CHECK-SAME: %[[Q:.*]]: tensor<4x8xi16>
func.func @softmax(%q: tensor<4x8xi16>) -> tensor<4x8xi8> {
  %s = arith.constant dense<1.0e-3> : tensor<f32>
  %z = arith.constant dense<17> : tensor<i32>
  %sp = arith.constant dense<3.90625e-3> : tensor<f32>
  %zp = arith.constant dense<-128> : tensor<i32>
  // CHECK: %[[P:.*]] = qd.int_softmax %[[Q]] scheme(ibert) axis = 1 scale = 1.000000e-03 to 3.906250e-03 zero_point = -128
  // CHECK-SAME: {qd.error_lsb = {{.*}} : f64, qd.intermediate_bits = array<i64: {{[0-9]+, [0-9]+}}>, qd.name = "prob"}
  // CHECK-NEXT: return %[[P]]
  %x = qd.dequantize %q scale %s zero_point %z : tensor<4x8xi16>, tensor<f32>, tensor<i32> -> tensor<4x8xf32>
  %p = qd.softmax %x axis = 1 {qd.name = "prob", qd.integer_scheme = #qd.integer_scheme<ibert>} : tensor<4x8xf32>
  %r = qd.quantize %p scale %sp zero_point %zp rounding(half_even) overflow(saturate) : tensor<4x8xf32>, tensor<f32>, tensor<i32> -> tensor<4x8xi8>
  return %r : tensor<4x8xi8>
}

// -----

// Nobody asked for it.
// CHECK-LABEL: func @float_softmax
// CHECK: qd.softmax
func.func @float_softmax(%q: tensor<4x8xi16>) -> tensor<4x8xi8> {
  %s = arith.constant dense<1.0e-3> : tensor<f32>
  %x = qd.dequantize %q scale %s : tensor<4x8xi16>, tensor<f32> -> tensor<4x8xf32>
  %p = qd.softmax %x axis = 1 : tensor<4x8xf32>
  %r = qd.quantize %p scale %s rounding(half_even) overflow(saturate) : tensor<4x8xf32>, tensor<f32> -> tensor<4x8xi8>
  return %r : tensor<4x8xi8>
}

// -----

// gain = round(2^d * gamma / scale) with the most digits below 2^30: 2^26 / 0.125; the bias has the zero point and half a step.
// CHECK-LABEL: func @layer_norm
// CHECK-DAG: %[[G:.*]] = arith.constant dense<[536870912, -268435456]> : tensor<2xi32>
// CHECK-DAG: %[[B:.*]] = arith.constant dense<[50577534877696, 37383395344384]> : tensor<2xi64>
// CHECK: qd.int_layer_norm %{{.*}}, %[[G]], %[[B]] scheme(qd) axis = 1 epsilon = {{[0-9]+}} shift = 42 {qd.error_lsb = {{.*}} : f64, qd.intermediate_bits = array<i64: {{[0-9]+, [0-9]+}}>}
func.func @layer_norm(%q: tensor<4x2xi16>) -> tensor<4x2xi8> {
  %s = arith.constant dense<1.0e-3> : tensor<f32>
  %sy = arith.constant dense<0.125> : tensor<f32>
  %zy = arith.constant dense<3> : tensor<i32>
  %g = arith.constant dense<[1.0, -0.5]> : tensor<2xf32>
  %b = arith.constant dense<[1.0, 0.625]> : tensor<2xf32>
  %x = qd.dequantize %q scale %s : tensor<4x2xi16>, tensor<f32> -> tensor<4x2xf32>
  %y = qd.layer_norm %x, %g, %b axis = 1 epsilon = 1.0e-5 {qd.integer_scheme = #qd.integer_scheme<qd>} : tensor<4x2xf32>, tensor<2xf32>, tensor<2xf32>
  %r = qd.quantize %y scale %sy zero_point %zy rounding(half_even) overflow(saturate) : tensor<4x2xf32>, tensor<f32>, tensor<i32> -> tensor<4x2xi8>
  return %r : tensor<4x2xi8>
}

// -----

// The zero point of the input matters; the gain as above.
// A gain that is one number everywhere may be filled in.
// CHECK-LABEL: func @filled_gain
// CHECK: %[[G:.*]] = arith.constant dense<536870912> : tensor<2xi32>
// CHECK: qd.int_layer_norm %{{.*}}, %[[G]]
func.func @filled_gain(%q: tensor<4x2xi16>) -> tensor<4x2xi8> {
  %s = arith.constant dense<1.0e-3> : tensor<f32>
  %sy = arith.constant dense<0.125> : tensor<f32>
  %zy = arith.constant dense<3> : tensor<i32>
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<2xf32>
  %g = linalg.fill ins(%one : f32) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  %x = qd.dequantize %q scale %s : tensor<4x2xi16>, tensor<f32> -> tensor<4x2xf32>
  %y = qd.layer_norm %x, %g axis = 1 epsilon = 1.0e-5 {qd.integer_scheme = #qd.integer_scheme<qd>} : tensor<4x2xf32>, tensor<2xf32>
  %r = qd.quantize %y scale %sy zero_point %zy rounding(half_even) overflow(saturate) : tensor<4x2xf32>, tensor<f32>, tensor<i32> -> tensor<4x2xi8>
  return %r : tensor<4x2xi8>
}

// CHECK-LABEL: func @rms_norm
// CHECK-DAG: %[[G:.*]] = arith.constant dense<[536870912, -268435456]> : tensor<2xi32>
// CHECK-DAG: %[[B:.*]] = arith.constant dense<{{.*}}> : tensor<2xi64>
// CHECK: qd.int_rms_norm %{{.*}}, %[[G]], %[[B]] scheme(qd) axis = 1 epsilon = {{[0-9]+}} shift = {{[0-9]+}} zero_point = 11 {qd.error_lsb = {{.*}} : f64, qd.intermediate_bits = array<i64: {{[0-9]+, [0-9]+}}>, qd.name = "norm"}
func.func @rms_norm(%q: tensor<4x2xi16>) -> tensor<4x2xi8> {
  %s = arith.constant dense<1.0e-3> : tensor<f32>
  %z = arith.constant dense<11> : tensor<i32>
  %sy = arith.constant dense<0.125> : tensor<f32>
  %zy = arith.constant dense<3> : tensor<i32>
  %g = arith.constant dense<[1.0, -0.5]> : tensor<2xf32>
  %x = qd.dequantize %q scale %s zero_point %z : tensor<4x2xi16>, tensor<f32>, tensor<i32> -> tensor<4x2xf32>
  %y = qd.rms_norm %x, %g axis = 1 epsilon = 1.0e-5 {qd.name = "norm", qd.integer_scheme = #qd.integer_scheme<qd>} : tensor<4x2xf32>, tensor<2xf32>
  %r = qd.quantize %y scale %sy zero_point %zy rounding(half_even) overflow(saturate) : tensor<4x2xf32>, tensor<f32>, tensor<i32> -> tensor<4x2xi8>
  return %r : tensor<4x2xi8>
}

// -----

// gelu of 16-bit codes; of bytes a table.
// CHECK-LABEL: func @gelu
// CHECK: qd.int_gelu %{{.*}} scheme(qd) scale = 1.000000e-03 zero_point = 0 to 2.000000e-02 zero_point = 0
// CHECK: qd.lookup
func.func @gelu(%q: tensor<8xi16>, %c: tensor<8xi8>) -> (tensor<8xi8>, tensor<8xi8>) {
  %s = arith.constant dense<1.0e-3> : tensor<f32>
  %t = arith.constant dense<2.0e-2> : tensor<f32>
  %x = qd.dequantize %q scale %s : tensor<8xi16>, tensor<f32> -> tensor<8xf32>
  %y = qd.gelu %x approximate(none) {qd.integer_scheme = #qd.integer_scheme<qd>} : tensor<8xf32>
  %r = qd.quantize %y scale %t rounding(half_even) overflow(saturate) : tensor<8xf32>, tensor<f32> -> tensor<8xi8>
  %v = qd.dequantize %c scale %t : tensor<8xi8>, tensor<f32> -> tensor<8xf32>
  %w = qd.gelu %v approximate(none) {qd.integer_scheme = #qd.integer_scheme<qd>} : tensor<8xf32>
  %p = qd.quantize %w scale %t rounding(half_even) overflow(saturate) : tensor<8xf32>, tensor<f32> -> tensor<8xi8>
  return %r, %p : tensor<8xi8>, tensor<8xi8>
}

// -----

// An attention mask: 0 where the model attends, the end of the grid elsewhere, whatever the integer.
// CHECK-LABEL: func @mask
// CHECK-SAME: %[[M:.*]]: tensor<4xi64>
func.func @mask(%m: tensor<4xi64>) -> tensor<4xi8> {
  // CHECK: %[[BYTES:.*]] = linalg.generic {{.*}} ins(%[[M]] : tensor<4xi64>)
  // CHECK: arith.maxsi
  // CHECK: arith.minsi
  // CHECK: arith.trunci
  // CHECK: qd.lookup %[[BYTES]]
  %s = arith.constant dense<0.25> : tensor<f32>
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%m : tensor<4xi64>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: i64, %o: f32):
    %one = arith.constant 1.0 : f32
    %large = arith.constant -1.0e4 : f32
    %r = arith.sitofp %i : i64 to f32
    %d = arith.subf %one, %r : f32
    %p = arith.mulf %d, %large : f32
    linalg.yield %p : f32
  } -> tensor<4xf32>
  %r = qd.quantize %f scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// -----

// An integer that the grid holds has no end: it stays a float.
// CHECK-LABEL: func @unbounded
// CHECK: arith.sitofp
func.func @unbounded(%m: tensor<4xi64>) -> tensor<4xi16> {
  %s = arith.constant dense<0.25> : tensor<f32>
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%m : tensor<4xi64>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: i64, %o: f32):
    %r = arith.sitofp %i : i64 to f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %r = qd.quantize %f scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi16>
  return %r : tensor<4xi16>
}

// -----

// Below the grid for every byte, yet 1000 is 0 and 2000 is the largest code: no table of bytes.
// CHECK-LABEL: func @left_on_one_side
// CHECK: arith.sitofp
// CHECK-NOT: qd.lookup
func.func @left_on_one_side(%m: tensor<4xi64>) -> tensor<4xi8> {
  %s = arith.constant dense<0.00390625> : tensor<f32>
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%m : tensor<4xi64>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: i64, %o: f32):
    %a = arith.constant 0.001 : f32
    %b = arith.constant -1.0 : f32
    %x = arith.sitofp %i : i64 to f32
    %y = arith.mulf %x, %a : f32
    %p = arith.addf %y, %b : f32
    linalg.yield %p : f32
  } -> tensor<4xf32>
  %r = qd.quantize %f scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// -----

// The same for -1000 and -2000.
// CHECK-LABEL: func @left_on_one_side_below
// CHECK: arith.sitofp
// CHECK-NOT: qd.lookup
func.func @left_on_one_side_below(%m: tensor<4xi64>) -> tensor<4xi8> {
  %s = arith.constant dense<0.00390625> : tensor<f32>
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%m : tensor<4xi64>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: i64, %o: f32):
    %a = arith.constant -0.001 : f32
    %b = arith.constant -1.0 : f32
    %x = arith.sitofp %i : i64 to f32
    %y = arith.mulf %x, %a : f32
    %p = arith.addf %y, %b : f32
    linalg.yield %p : f32
  } -> tensor<4xf32>
  %r = qd.quantize %f scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// -----

// As an unsigned number -1 is the largest: left on that side too.
// CHECK-LABEL: func @unsigned_mask
// CHECK: qd.lookup
func.func @unsigned_mask(%m: tensor<4xi32>) -> tensor<4xi8> {
  %s = arith.constant dense<0.00390625> : tensor<f32>
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%m : tensor<4xi32>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: i32, %o: f32):
    %a = arith.constant -1.0e4 : f32
    %b = arith.constant 0.0 : f32
    %x = arith.uitofp %i : i32 to f32
    %y = arith.mulf %x, %a : f32
    %p = arith.addf %y, %b : f32
    linalg.yield %p : f32
  } -> tensor<4xf32>
  %r = qd.quantize %f scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// -----

// 127 to 2^31 - 1 cross the grid.
// CHECK-LABEL: func @unsigned_slow
// CHECK: arith.uitofp
// CHECK-NOT: qd.lookup
func.func @unsigned_slow(%m: tensor<4xi32>) -> tensor<4xi8> {
  %s = arith.constant dense<0.00390625> : tensor<f32>
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%m : tensor<4xi32>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: i32, %o: f32):
    %a = arith.constant 1.0e-9 : f32
    %b = arith.constant -1.0 : f32
    %x = arith.uitofp %i : i32 to f32
    %y = arith.mulf %x, %a : f32
    %p = arith.addf %y, %b : f32
    linalg.yield %p : f32
  } -> tensor<4xf32>
  %r = qd.quantize %f scale %s rounding(half_even) overflow(saturate) : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// -----

// Rows of a table that are rounded at once are rows of codes.
// CHECK-LABEL: func @gather
// CHECK: %[[T:.*]] = arith.constant dense<{{\[\[}}-128, 2], [4, 127]]> : tensor<2x2xi8>
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<3x2xi8>)
// CHECK: tensor.extract %[[T]]
// CHECK-NOT: f32
func.func @gather(%ids: tensor<3xi64>) -> tensor<3x2xi8> {
  %t = arith.constant dense<[[-100.0, 0.5], [1.125, 99.0]]> : tensor<2x2xf32>
  %s = arith.constant dense<0.25> : tensor<f32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<3xi64>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%i: i64, %o: f32):
    %row = arith.index_cast %i : i64 to index
    %column = linalg.index 1 : index
    %v = tensor.extract %t[%row, %column] : tensor<2x2xf32>
    linalg.yield %v : f32
  } -> tensor<3x2xf32>
  %r = qd.quantize %f scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %r : tensor<3x2xi8>
}
