// A padded convolution of codes over images of any size runs a kernel for one
// tile of pixels, with the padding around what lies inside the image: small
// images, several tiles, and tiles that the image cuts.
// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --recipe float -o %t/net.so
// RUN: %python %S/Inputs/make-input.py int8 1x1x1x3 %t/one.npy
// RUN: q-run %t/net.so --input %t/one.npy --compare %s --require-equal
// RUN: %python %S/Inputs/make-input.py int8 1x9x40x3 %t/wide.npy
// RUN: q-run %t/net.so --input %t/wide.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=scalar q-run %t/net.so --input %t/wide.npy --compare %s --require-equal
// RUN: %python %S/Inputs/make-input.py int8 2x37x23x3 %t/high.npy
// RUN: q-run %t/net.so --input %t/high.npy --threads 2 --compare %s --require-equal
// RUN: q-run %t/net.so --receipt | FileCheck %s

// CHECK: "kernel": "contraction"

#id = affine_map<(n, h, w, c) -> (n, h, w, c)>

func.func @main(%x: tensor<?x?x?x3xi8> {qd.name = "x", qd.dims = ["n", "h", "w", 3]}) -> (tensor<?x?x?x4xi8> {qd.name = "y"})
    attributes {qd.dim_bounds = {n = array<i64: 1, 4>, h = array<i64: 1, 64>, w = array<i64: 1, 64>}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x?x?x3xi8>
  %h = tensor.dim %x, %c1 : tensor<?x?x?x3xi8>
  %w = tensor.dim %x, %c2 : tensor<?x?x?x3xi8>
  %zero = arith.constant 0 : i32
  %code = arith.constant 7 : i8
  %weights = arith.constant dense<[[[[-1, 2, 7, -9], [5, -2, -8, -4], [-6, 2, 6, -2]], [[3, 8, -6, 9], [-2, -9, -3, 4], [-1, -4, 3, -4]], [[-7, -5, 5, -5], [-5, -9, -9, -3], [-3, -4, -4, 0]]], [[[1, -3, 8, -3], [-4, -3, 3, 0], [-9, 2, 4, -4]], [[-5, -1, -7, 1], [0, 9, -9, 1], [-7, 0, 2, 0]], [[6, 1, -4, 6], [6, -4, -8, -1], [-9, 2, 3, -9]]], [[[8, 4, 2, 3], [9, -9, 5, -8], [-4, -3, -6, -2]], [[5, 2, 7, 2], [7, -1, 5, -6], [9, 2, 0, -8]], [[4, -7, -3, 1], [7, 2, -5, 1], [-1, 8, -7, 0]]]]> : tensor<3x3x3x4xi8>
  %pad = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %code : i8
  } : tensor<?x?x?x3xi8> to tensor<?x?x?x3xi8>
  %e32 = tensor.empty(%n, %h, %w) : tensor<?x?x?x4xi32>
  %init = linalg.fill ins(%zero : i32) outs(%e32 : tensor<?x?x?x4xi32>) -> tensor<?x?x?x4xi32>
  %acc = linalg.conv_2d_nhwc_hwcf ins(%pad, %weights : tensor<?x?x?x3xi8>, tensor<3x3x3x4xi8>) outs(%init : tensor<?x?x?x4xi32>) -> tensor<?x?x?x4xi32>
  %e8 = tensor.empty(%n, %h, %w) : tensor<?x?x?x4xi8>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%acc : tensor<?x?x?x4xi32>) outs(%e8 : tensor<?x?x?x4xi8>) {
  ^bb0(%a: i32, %o: i8):
    %s = arith.constant 0.0131 : f32
    %z = arith.constant -3 : i32
    %q = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
    linalg.yield %q : i8
  } -> tensor<?x?x?x4xi8>
  return %y : tensor<?x?x?x4xi8>
}
