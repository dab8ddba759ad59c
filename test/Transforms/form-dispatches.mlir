// RUN: q-opt %s -qd-form-dispatches -split-input-file | FileCheck %s

#id = affine_map<(m, n) -> (m, n)>
#n = affine_map<(m, n) -> (n)>

// A contraction takes its element-wise readers; the residual is an input; the
// constants move inside.
// CHECK-LABEL: func.func @epilogue_with_residual
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>, %[[R:.*]]: tensor<4x16xf32>)
// CHECK-NEXT: %[[D:.*]] = qd.dispatch ins(%[[X]], %[[R]] : tensor<4x8xf32>, tensor<4x16xf32>) -> (tensor<4x16xf32>)
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<4x8xf32>, %[[B:.*]]: tensor<4x16xf32>):
// CHECK: linalg.matmul
// CHECK: linalg.generic
// CHECK: linalg.generic
// CHECK-SAME: "sum"
// CHECK: qd.yield
// CHECK: return %[[D]]
func.func @epilogue_with_residual(%x: tensor<4x8xf32>, %r: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %w = arith.constant dense<1.0> : tensor<8x16xf32>
  %b = arith.constant dense<0.5> : tensor<16xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  %1 = linalg.generic {indexing_maps = [#id, #n, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0, %b : tensor<4x16xf32>, tensor<16xf32>) outs(%e : tensor<4x16xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<4x16xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%1, %r : tensor<4x16xf32>, tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) attrs = {qd.name = "sum"} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<4x16xf32>
  return %2 : tensor<4x16xf32>
}

// -----

#id = affine_map<(m, n) -> (m, n)>
#t = affine_map<(m, n) -> (n, m)>

// What is computed of the other operand comes along; a transpose of it stays on
// its own.
// CHECK-LABEL: func.func @two_sides
// CHECK-SAME: (%[[X:.*]]: tensor<4x4xf32>, %[[Y:.*]]: tensor<4x4xf32>)
// CHECK-NEXT: %[[T:.*]] = qd.dispatch ins(%[[Y]] : tensor<4x4xf32>)
// CHECK: transposed
// CHECK: qd.yield
// CHECK: %[[S:.*]] = qd.dispatch ins(%[[X]], %[[Y]] : tensor<4x4xf32>, tensor<4x4xf32>)
// CHECK: arith.negf
// CHECK: math.absf
// CHECK: arith.addf
// CHECK: qd.yield
// CHECK: %[[P:.*]] = qd.dispatch ins({{.*}}%[[T]]
// CHECK: arith.mulf
// CHECK-NOT: qd.dispatch
func.func @two_sides(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %e = tensor.empty() : tensor<4x4xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = arith.negf %p : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = math.absf %p : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  %2 = linalg.generic {indexing_maps = [#t, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) attrs = {transposed} {
  ^bb0(%p: f32, %o: f32):
    linalg.yield %p : f32
  } -> tensor<4x4xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0, %1 : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  %4 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = arith.addf %p, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  %5 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%4, %2 : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.mulf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  return %3, %5 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

#id = affine_map<(m, n) -> (m, n)>

// A value that two ops read ends its dispatch: fusing it would compute it twice.
// CHECK-LABEL: func.func @two_readers
// CHECK-COUNT-3: qd.dispatch
// CHECK-NOT: qd.dispatch
func.func @two_readers(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = arith.negf %p : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = arith.addf %p, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = arith.mulf %p, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  return %1, %2 : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// Channels in groups of four, sixteen at least: the kernel pads as it loads.
// CHECK-LABEL: func.func @pad_inside
// CHECK-NEXT: qd.dispatch ins(%{{.*}} : tensor<1x6x6x16xi8>)
// CHECK: tensor.pad
// CHECK: linalg.conv_2d_nhwc_hwcf
// CHECK-NOT: qd.dispatch
func.func @pad_inside(%x: tensor<1x6x6x16xi8>) -> tensor<1x6x6x8xi32> {
  %w = arith.constant dense<1> : tensor<3x3x16x8xi8>
  %z = arith.constant -3 : i8
  %c0 = arith.constant 0 : i32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %z : i8
  } : tensor<1x6x6x16xi8> to tensor<1x8x8x16xi8>
  %e = tensor.empty() : tensor<1x6x6x8xi32>
  %f = linalg.fill ins(%c0 : i32) outs(%e : tensor<1x6x6x8xi32>) -> tensor<1x6x6x8xi32>
  %0 = linalg.conv_2d_nhwc_hwcf ins(%p, %w : tensor<1x8x8x16xi8>, tensor<3x3x16x8xi8>) outs(%f : tensor<1x6x6x8xi32>) -> tensor<1x6x6x8xi32>
  return %0 : tensor<1x6x6x8xi32>
}

// -----

// Three channels: the pad is a dispatch of its own.
// CHECK-LABEL: func.func @pad_outside
// CHECK: qd.dispatch
// CHECK: tensor.pad
// CHECK: qd.dispatch
// CHECK-NOT: tensor.pad
// CHECK: linalg.conv_2d_nhwc_hwcf
func.func @pad_outside(%x: tensor<1x6x6x3xi8>) -> tensor<1x6x6x8xi32> {
  %w = arith.constant dense<1> : tensor<3x3x3x8xi8>
  %z = arith.constant -3 : i8
  %c0 = arith.constant 0 : i32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %z : i8
  } : tensor<1x6x6x3xi8> to tensor<1x8x8x3xi8>
  %e = tensor.empty() : tensor<1x6x6x8xi32>
  %f = linalg.fill ins(%c0 : i32) outs(%e : tensor<1x6x6x8xi32>) -> tensor<1x6x6x8xi32>
  %0 = linalg.conv_2d_nhwc_hwcf ins(%p, %w : tensor<1x8x8x3xi8>, tensor<3x3x3x8xi8>) outs(%f : tensor<1x6x6x8xi32>) -> tensor<1x6x6x8xi32>
  return %0 : tensor<1x6x6x8xi32>
}

// -----

// Data movement stands alone; reshapes are views and stay outside; a returned
// constant gets a dispatch to live in.
// CHECK-LABEL: func.func @movement
// CHECK: qd.dispatch ins(%{{.*}} : tensor<4x8xf32>) -> (tensor<8x4xf32>)
// CHECK: linalg.transpose
// CHECK: tensor.collapse_shape
// CHECK: qd.dispatch -> (tensor<2xf32>)
// CHECK-NOT: qd.dispatch
func.func @movement(%x: tensor<4x8xf32>) -> (tensor<32xf32>, tensor<2xf32>) {
  %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %e = tensor.empty() : tensor<8x4xf32>
  %t = linalg.transpose ins(%x : tensor<4x8xf32>) outs(%e : tensor<8x4xf32>) permutation = [1, 0]
  %v = tensor.collapse_shape %t [[0, 1]] : tensor<8x4xf32> into tensor<32xf32>
  return %v, %c : tensor<32xf32>, tensor<2xf32>
}

// -----

// Sizes of symbolic dimensions stay outside and are operands; a size of a value
// inside the program is that of the argument it comes from.
// CHECK-LABEL: func @symbolic_sizes(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8xf32>)
#map = affine_map<(d0, d1) -> (d0, d1)>
func.func @symbolic_sizes(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: %[[N:.*]] = tensor.dim %[[X]]
  // CHECK: %[[A:.*]] = qd.dispatch ins(%[[X]], %[[N]] : tensor<?x8xf32>, index)
  // CHECK: ^bb0(%{{.*}}: tensor<?x8xf32>, %[[M:.*]]: index):
  // CHECK: tensor.empty(%[[M]])
  // CHECK: qd.dispatch ins(%[[A]], %[[N]] : tensor<?x8xf32>, index)
  // CHECK: tensor.pad
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %y = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  } -> tensor<?x8xf32>
  %m = tensor.dim %y, %c0 : tensor<?x8xf32>
  %p = tensor.pad %y low[0, 0] high[%m, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<?x8xf32> to tensor<?x8xf32>
  return %p : tensor<?x8xf32>
}

// -----

// A loop that is none of the program, with two results that are read: one
// dispatch each, the condition read inside from the tensor that holds it.
// CHECK-LABEL: func.func @two_results
// CHECK:         %[[A:.*]] = qd.dispatch ins({{.*}}) -> (tensor<i1>)
// CHECK:           %[[L:.*]]:2 = scf.while
// CHECK:             tensor.extract
// CHECK:           qd.yield %[[L]]#0
// CHECK:         %[[B:.*]] = qd.dispatch ins({{.*}}) -> (tensor<i1>)
// CHECK:           %[[M:.*]]:2 = scf.while
// CHECK:           qd.yield %[[M]]#1
// CHECK:         return %[[A]], %[[B]]
func.func @two_results(%x: tensor<i1>, %y: tensor<i1>) -> (tensor<i1>, tensor<i1>) {
  %r:2 = scf.while (%a = %x, %b = %y) : (tensor<i1>, tensor<i1>) -> (tensor<i1>, tensor<i1>) {
    %true = arith.constant true
    %said = tensor.extract %a[] : tensor<i1>
    %test = arith.xori %said, %true : i1
    scf.condition(%test) %a, %b : tensor<i1>, tensor<i1>
  } do {
  ^bb0(%a: tensor<i1>, %b: tensor<i1>):
    scf.yield %b, %a : tensor<i1>, tensor<i1>
  }
  return %r#0, %r#1 : tensor<i1>, tensor<i1>
}

// -----

#id = affine_map<(m, n) -> (m, n)>
#one = affine_map<(m, n) -> ()>

// A product of minifloats reads the codes of both sides.
// CHECK-LABEL: func.func @minifloats
// CHECK-SAME: (%[[X:.*]]: tensor<4x8x!qd.uint<8>>)
// CHECK-NEXT: qd.dispatch ins(%[[X]] : tensor<4x8x!qd.uint<8>>) -> (tensor<4x16xf32>)
// CHECK: qd.dequantize %{{.*}} : f8E4M3FN, f32 -> f32
// CHECK: qd.dequantize %{{.*}} : tensor<8x16xf8E4M3FN>, tensor<1x16xf32> -> tensor<8x16xf32>
// CHECK: linalg.matmul
// CHECK-NOT: qd.dispatch
func.func @minifloats(%x: tensor<4x8x!qd.uint<8>>) -> tensor<4x16xf32> {
  %w = arith.constant dense<1.0> : tensor<8x16xf8E4M3FN>
  %sw = arith.constant dense<0.5> : tensor<1x16xf32>
  %sx = arith.constant dense<0.25> : tensor<f32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #one, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %sx : tensor<4x8x!qd.uint<8>>, tensor<f32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: !qd.uint<8>, %s: f32, %o: f32):
    %b = qd.storage_cast %a : !qd.uint<8> to i8
    %c = qd.storage_cast %b : i8 to f8E4M3FN
    %d = qd.dequantize %c scale %s : f8E4M3FN, f32 -> f32
    linalg.yield %d : f32
  } -> tensor<4x8xf32>
  %1 = qd.dequantize %w scale %sw block_sizes = [0, 1] : tensor<8x16xf8E4M3FN>, tensor<1x16xf32> -> tensor<8x16xf32>
  %y = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%y : tensor<4x16xf32>) -> tensor<4x16xf32>
  %2 = linalg.matmul ins(%0, %1 : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %2 : tensor<4x16xf32>
}
