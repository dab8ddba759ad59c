// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-insert-observers{recipe=%S/Inputs/every-unit.yaml}))" -split-input-file | FileCheck %s
// RUN: q-opt %s "-pass-pipeline=builtin.module(func.func(qd-insert-observers{recipe=%S/Inputs/keep-float.yaml}))" -split-input-file | FileCheck %s -check-prefix=KEEP

#map = affine_map<(n, h, w, c) -> (n, h, w, c)>
#channel = affine_map<(n, h, w, c) -> (c)>

// The argument at its source, the fused relu's result under its name; nothing
// between, nothing behind the pad. The second unit has no name.

// CHECK-LABEL: @conv_bias_relu
// CHECK-SAME: %[[X:.+]]: tensor<1x4x4x2xf32>
// CHECK-SAME: qd.program = "{{[0-9a-f]+}}"
// CHECK: %[[OX:.+]] = qd.observe %[[X]] "image"
// CHECK: %[[P:.+]] = tensor.pad %[[OX]]
// CHECK: %[[C:.+]] = linalg.conv_2d_nhwc_hwcf {{.*}} ins(%[[P]]
// CHECK: %[[B:.+]] = linalg.generic {{.*}} ins(%[[C]]
// CHECK: %[[R:.+]] = linalg.generic {{.*}} ins(%[[B]]
// CHECK: %[[OR:.+]] = qd.observe %[[R]] "relu1"
// CHECK: %[[M:.+]] = linalg.pooling_nhwc_max ins(%[[OR]]
// CHECK: %[[S:.+]] = linalg.generic {{.*}} ins(%[[M]], %[[M]]
// CHECK: %[[OS:.+]] = qd.observe %[[S]] "value0"
// CHECK-NOT: qd.observe
// CHECK: return %[[OS]]

// A rule that matches any name of the unit keeps all of it float: its argument is
// then nobody's, and its result is the product's source alone.
// KEEP-LABEL: @conv_bias_relu
// KEEP-NOT: qd.observe %{{.*}} "image"
// KEEP: qd.observe %{{.*}} "relu1"
// KEEP: qd.observe %{{.*}} "value0"
func.func @conv_bias_relu(%x: tensor<1x4x4x2xf32> {qd.name = "image"}) -> tensor<1x3x3x3xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %w = arith.constant dense<1.0> : tensor<3x3x2x3xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x4x4x2xf32> to tensor<1x6x6x2xf32>
  %e = tensor.empty() : tensor<1x4x4x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %c = linalg.conv_2d_nhwc_hwcf {qd.name = "conv1"} ins(%p, %w : tensor<1x6x6x2xf32>, tensor<3x3x2x3xf32>) outs(%init : tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %a = linalg.generic {indexing_maps = [#map, #channel, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c, %b : tensor<1x4x4x3xf32>, tensor<3xf32>) outs(%e : tensor<1x4x4x3xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %s = arith.addf %in, %f : f32
    linalg.yield %s : f32
  } -> tensor<1x4x4x3xf32>
  %r = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a : tensor<1x4x4x3xf32>) outs(%e : tensor<1x4x4x3xf32>) attrs = {qd.name = "relu1"} {
  ^bb0(%in: f32, %out: f32):
    %s = arith.maximumf %in, %zero : f32
    linalg.yield %s : f32
  } -> tensor<1x4x4x3xf32>
  %window = tensor.empty() : tensor<2x2xf32>
  %e1 = tensor.empty() : tensor<1x3x3x3xf32>
  %lowest = linalg.fill ins(%low : f32) outs(%e1 : tensor<1x3x3x3xf32>) -> tensor<1x3x3x3xf32>
  %m = linalg.pooling_nhwc_max ins(%r, %window : tensor<1x4x4x3xf32>, tensor<2x2xf32>) outs(%lowest : tensor<1x3x3x3xf32>) -> tensor<1x3x3x3xf32>
  %s = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%m, %m : tensor<1x3x3x3xf32>, tensor<1x3x3x3xf32>) outs(%e1 : tensor<1x3x3x3xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %t = arith.mulf %in, %f : f32
    linalg.yield %t : f32
  } -> tensor<1x3x3x3xf32>
  return %s : tensor<1x3x3x3xf32>
}

// -----

#map = affine_map<(m, n) -> (m, n)>

// A mean is one unit with its division; a concatenation, a residual addition and
// any other function are observed before and after. Equal names get numbers.

// CHECK-LABEL: @other_units
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x3xf32> {{.*}}, %[[Y:[a-z0-9]+]]: tensor<2x3xf32>
// CHECK-DAG: %[[OX:.+]] = qd.observe %[[X]] "v"
// CHECK-DAG: %[[OY:.+]] = qd.observe %[[Y]] "y"
// CHECK: %[[S:.+]] = linalg.generic {{.*}} ins(%[[OX]], %[[OY]]
// CHECK: %[[R:.+]] = linalg.generic {{.*}} ins(%[[S]]
// CHECK: %[[OR:.+]] = qd.observe %[[R]] "v#2"
// CHECK: %[[T:.+]] = linalg.generic {{.*}} ins(%[[OR]]
// CHECK: %[[OT:.+]] = qd.observe %[[T]] "tanh"
// CHECK: %[[CAT:.+]] = tensor.concat dim(0) %[[OT]], %[[OX]]
// CHECK: %[[OCAT:.+]] = qd.observe %[[CAT]] "cat"
// CHECK-NOT: qd.observe
// CHECK: return %[[OCAT]]
func.func @other_units(%x: tensor<2x3xf32> {qd.name = "v"}, %y: tensor<2x3xf32> {qd.name = "y"}) -> tensor<4x3xf32> {
  %zero = arith.constant 0.0 : f32
  %six = arith.constant 6.0 : f32
  %e = tensor.empty() : tensor<2x3xf32>
  %s = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%x, %y : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %t = arith.addf %in, %f : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %r = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) attrs = {qd.name = "v"} {
  ^bb0(%in: f32, %out: f32):
    %t = arith.maximumf %in, %zero : f32
    %u = arith.minimumf %t, %six : f32
    linalg.yield %u : f32
  } -> tensor<2x3xf32>
  %t = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%r : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) attrs = {qd.name = "tanh"} {
  ^bb0(%in: f32, %out: f32):
    %t = math.tanh %in : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %cat = tensor.concat dim(0) %t, %x {qd.name = "cat"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return %cat : tensor<4x3xf32>
}

// -----

#map = affine_map<(m, n) -> (m, n)>

// Codes are wanted by the product alone, of both its operands. So the sum and the
// product's result, which float functions read, are not rounded, and the other
// readers of the norm read it as it is, behind a reshape of their own.

// CHECK-LABEL: @not_wanted
// CHECK: %[[S:.+]] = linalg.generic {{.*}} ins(%arg0, %arg1
// CHECK-NEXT: ^bb0
// CHECK: %[[N:.+]] = qd.layer_norm %[[S]]
// CHECK: %[[O:.+]] = qd.observe %[[N]] "norm"
// CHECK-DAG: %[[FLOAT:.+]] = tensor.expand_shape %[[N]]
// CHECK-DAG: %[[CODES:.+]] = tensor.expand_shape %[[O]]
// CHECK: %[[P:.+]] = linalg.batch_matmul ins(%[[CODES]], %[[CODES]]
// CHECK: qd.softmax %[[P]]
// CHECK: linalg.generic {{.*}} ins(%[[FLOAT]]
// CHECK-NOT: qd.observe
func.func @not_wanted(%x: tensor<2x2xf32>, %y: tensor<2x2xf32>) -> (tensor<1x2x2xf32>, tensor<1x2x2xf32>) {
  %one = arith.constant dense<1.0> : tensor<2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x2xf32>
  %s = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%x, %y : tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %t = arith.addf %in, %f : f32
    linalg.yield %t : f32
  } -> tensor<2x2xf32>
  %n = qd.layer_norm %s, %one axis = 1 epsilon = 1.0e-5 {qd.name = "norm"} : tensor<2x2xf32>, tensor<2xf32>
  %w = tensor.expand_shape %n [[0, 1], [2]] output_shape [1, 2, 2] : tensor<2x2xf32> into tensor<1x2x2xf32>
  %e3 = tensor.empty() : tensor<1x2x2xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e3 : tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  %p = linalg.batch_matmul ins(%w, %w : tensor<1x2x2xf32>, tensor<1x2x2xf32>) outs(%i : tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  %q = qd.softmax %p axis = 2 : tensor<1x2x2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %q : tensor<1x2x2xf32>, tensor<1x2x2xf32>) outs(%e3 : tensor<1x2x2xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %t = arith.addf %in, %f : f32
    linalg.yield %t : f32
  } -> tensor<1x2x2xf32>
  %l = qd.softmax %r axis = 2 : tensor<1x2x2xf32>
  return %q, %l : tensor<1x2x2xf32>, tensor<1x2x2xf32>
}

// -----

#in = affine_map<(n, h, w, c) -> (n, h, w, c)>
#out = affine_map<(n, h, w, c) -> (n, c)>
#map = affine_map<(n, c) -> (n, c)>

// A mean and its division are one unit, under the name that the node's last op, a
// reshape, carries.

// CHECK-LABEL: @mean
// CHECK: %[[S:.+]] = linalg.generic {{.*}}"reduction"
// CHECK: %[[D:.+]] = linalg.generic {{.*}} ins(%[[S]]
// CHECK: %[[O:.+]] = qd.observe %[[D]] "pooled"
// CHECK: tensor.expand_shape %[[O]]
func.func @mean(%x: tensor<1x4x4x3xf32>) -> tensor<1x3x1x1xf32> {
  %zero = arith.constant 0.0 : f32
  %count = arith.constant 16.0 : f32
  %e = tensor.empty() : tensor<1x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x3xf32>) -> tensor<1x3xf32>
  %s = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "reduction", "reduction", "parallel"]} ins(%x : tensor<1x4x4x3xf32>) outs(%init : tensor<1x3xf32>) {
  ^bb0(%in: f32, %acc: f32):
    %t = arith.addf %acc, %in : f32
    linalg.yield %t : f32
  } -> tensor<1x3xf32>
  %d = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<1x3xf32>) outs(%e : tensor<1x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %t = arith.divf %in, %count : f32
    linalg.yield %t : f32
  } -> tensor<1x3xf32>
  %r = tensor.expand_shape %d [[0], [1, 2, 3]] output_shape [1, 3, 1, 1] {qd.name = "pooled"} : tensor<1x3xf32> into tensor<1x3x1x1xf32>
  return %r : tensor<1x3x1x1xf32>
}

// -----

// A padding value that may lie outside the grid of what it pads: the padded tensor
// is observed itself.

// CHECK-LABEL: @pad_with_a_value
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x3xf32>
// CHECK-NOT: qd.observe %[[X]]
// CHECK: %[[P:.+]] = tensor.pad %[[X]]
// CHECK: qd.observe %[[P]] "padded"
// CHECK: linalg.matmul
func.func @pad_with_a_value(%x: tensor<2x3xf32>) -> tensor<4x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<3x2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  %seven = arith.constant 7.0 : f32
  %p = tensor.pad %x low[1, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %seven : f32
  } {qd.name = "padded"} : tensor<2x3xf32> to tensor<4x3xf32>
  %y = linalg.matmul ins(%p, %w : tensor<4x3xf32>, tensor<3x2xf32>) outs(%init : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

// What float ops make is gathered for the caller as it is; slices of the state that the program reads as codes have grids of
// their own.

// CHECK-LABEL: @parts_of_a_state
// CHECK: %[[A:.+]] = tensor.extract_slice
// CHECK: %[[O:.+]] = qd.observe %[[A]] "state0"
// CHECK: linalg.matmul ins(%[[O]]
// CHECK-NOT: qd.observe
// CHECK: tensor.concat
func.func @parts_of_a_state(%s: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<3x3xf32>
  %e = tensor.empty() : tensor<1x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1x3xf32>) -> tensor<1x3xf32>
  %a = tensor.extract_slice %s[0, 0] [1, 3] [1, 1] {qd.name = "state0"} : tensor<2x3xf32> to tensor<1x3xf32>
  %b = tensor.extract_slice %s[1, 0] [1, 3] [1, 1] : tensor<2x3xf32> to tensor<1x3xf32>
  %y = linalg.matmul ins(%a, %w : tensor<1x3xf32>, tensor<3x3xf32>) outs(%init : tensor<1x3xf32>) -> tensor<1x3xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%y, %b : tensor<1x3xf32>, tensor<1x3xf32>) outs(%e : tensor<1x3xf32>) {
  ^bb0(%in: f32, %f: f32, %out: f32):
    %t = math.tanh %in : f32
    %u = arith.mulf %t, %f : f32
    linalg.yield %u : f32
  } -> tensor<1x3xf32>
  %c = tensor.concat dim(0) %n, %n {qd.name = "state1"} : (tensor<1x3xf32>, tensor<1x3xf32>) -> tensor<2x3xf32>
  return %c : tensor<2x3xf32>
}

// -----

// Must not fire: a model that came with its own casts, and what no unit reads.

// CHECK-LABEL: @already_quantized
// CHECK-NOT: qd.observe
func.func @already_quantized(%x: tensor<2x3xf32>) -> tensor<4x3xf32> {
  %scale = arith.constant dense<0.5> : tensor<f32>
  %q = qd.quantize %x scale %scale rounding(half_even) overflow(saturate) : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xi8>
  %d = qd.dequantize %q scale %scale : tensor<2x3xi8>, tensor<f32> -> tensor<2x3xf32>
  %cat = tensor.concat dim(0) %d, %d : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return %cat : tensor<4x3xf32>
}

// CHECK-LABEL: @nothing_to_quantize
// CHECK-NOT: qd.observe
func.func @nothing_to_quantize(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %p = qd.softmax %x axis = 1 : tensor<2x3xf32>
  return %p : tensor<2x3xf32>
}
