// Channels with a scale and a zero point each: a padded depthwise convolution, a clamp and a residual sum. All
// steps are powers of two, so that floats are exact and the codes are those of the program with its casts, on every kernel
// variant, for images of known and of symbolic size.
// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --stop-after=integerize --fail-on-fallback -o %t/integer.mlir
// RUN: FileCheck %s --check-prefix=INTEGER < %t/integer.mlir
// RUN: q-compile %s --fail-on-fallback -o %t/net.so
// RUN: q-run %t/net.so --receipt | FileCheck %s
// RUN: %python %S/Inputs/make-input.py int8 1x1x1x20 %t/one.npy
// RUN: q-run %t/net.so --input %t/one.npy --compare %s --require-equal
// RUN: %python %S/Inputs/make-input.py int8 2x19x37x20 %t/x.npy
// RUN: q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: q-run %t/net.so --input %t/x.npy --compare %t/integer.mlir --require-equal
// RUN: env QDIALECT_CPU=scalar q-run %t/net.so --input %t/x.npy --threads 2 --compare %s --require-equal
// RUN: env QDIALECT_CPU=avx2 q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: sed -e 's/to tensor<?x?x?x/to tensor<2x21x39x/' -e 's/%around, %wf : tensor<?x?x?x/%around, %wf : tensor<2x21x39x/' -e 's/?x?x?x/2x19x37x/g' -e 's/(%n, %h, %w)/()/' -e 's/, qd.dims = [^}]*//' -e 's/attributes {qd.dim_bounds[^}]*}}//' %s > %t/static.mlir
// RUN: q-compile %t/static.mlir --fail-on-fallback -o %t/static.so
// RUN: q-run %t/static.so --input %t/x.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=scalar q-run %t/static.so --input %t/x.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=avx2 q-run %t/static.so --input %t/x.npy --compare %s --require-equal
// RUN: q-compile %t/static.mlir --kernels=generic -o %t/generic.so
// RUN: q-run %t/generic.so --input %t/x.npy --compare %s --require-equal

// INTEGER: tensor.extract {{.*}} : tensor<20xi8>
// INTEGER: linalg.depthwise_conv_2d_nhwc_hwc
// INTEGER: arith.maxsi
// INTEGER: arith.minsi
// CHECK: "kernel": "depthwise"

#id = affine_map<(n, h, w, c) -> (n, h, w, c)>

func.func @main(%q: tensor<?x?x?x20xi8> {qd.name = "q", qd.dims = ["n", "h", "w", 20]}) -> (tensor<?x?x?x20xi8> {qd.name = "y"})
    attributes {qd.dim_bounds = {n = array<i64: 1, 4>, h = array<i64: 1, 64>, w = array<i64: 1, 64>}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %q, %c0 : tensor<?x?x?x20xi8>
  %h = tensor.dim %q, %c1 : tensor<?x?x?x20xi8>
  %w = tensor.dim %q, %c2 : tensor<?x?x?x20xi8>
  %sx = arith.constant dense<[[[[0.125, 3.81469726562500000e-06, 0.5, 3.81469726562500000e-06, 0.25, 0.125, 0.125, 0.25, 3.81469726562500000e-06, 0.5, 0.25, 0.25, 0.125, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5, 3.81469726562500000e-06]]]]> : tensor<1x1x1x20xf32>
  %zx = arith.constant dense<[[[[-80, 39, 64, -68, -56, -17, -61, 121, -83, 101, 76, 88, -99, -28, 32, -2, 42, 45, 41, -113]]]]> : tensor<1x1x1x20xi32>
  %sy = arith.constant dense<[[[[0.000244140625, 0.03125, 0.000244140625, 0.25, 0.25, 0.03125, 0.125, 0.125, 0.000244140625, 0.25, 0.03125, 0.125, 0.125, 0.000244140625, 0.25, 0.125, 0.25, 0.25, 0.125, 0.03125]]]]> : tensor<1x1x1x20xf32>
  %zy = arith.constant dense<[[[[0, -100, -128, -17, -17, -128, -128, -100, -128, -17, 0, 0, -100, 0, -17, -128, -17, -128, -100, -17]]]]> : tensor<1x1x1x20xi32>
  %weights = arith.constant dense<[[[7, -8, 7, 7, -1, -3, 9, 9, 3, -2, -6, 8, -4, 1, 3, -5, -4, 5, -6, 3], [8, 3, 3, -1, 9, -5, -3, 3, 3, -7, -6, 4, 6, 3, 8, -2, -3, 6, -9, -6], [-6, -2, -7, 6, 7, -2, -9, 4, -7, 2, -6, 8, 3, 9, 2, 4, -2, 6, -7, -7]], [[-3, 4, 0, 7, 8, -2, -1, 1, 3, 0, 2, 9, 4, -3, -1, -2, -7, -9, 6, -2], [-3, 2, 1, 8, 2, 8, 1, -3, -3, 9, 2, -6, 6, 6, -9, -7, 4, -2, -3, -8], [-6, 7, 6, 6, 1, -7, -3, 1, 9, -5, 1, 0, 0, 1, 4, -7, 9, 7, 5, -4]], [[-1, -1, -4, -8, 5, -9, 5, -6, 3, -3, -5, 8, 0, 7, -6, 0, -3, -1, -9, 3], [-3, 7, -5, -3, -9, 6, 1, -2, 8, 2, 9, 5, 2, 0, -6, 4, 6, 4, -2, -9], [4, -9, 6, -7, -4, -5, 1, -6, -5, -9, 9, -5, -6, 2, -7, 7, 5, -3, -2, -3]]]> : tensor<3x3x20xi8>
  %sw = arith.constant dense<[[[0.03125, 0.0625, 0.03125, 0.125, 0.125, 0.03125, 0.25, 0.25, 0.125, 0.0625, 0.25, 0.03125, 0.125, 0.25, 0.0625, 0.03125, 0.03125, 0.03125, 0.125, 0.25]]]> : tensor<1x1x20xf32>
  %zero = arith.constant 0.0 : f32
  %six = arith.constant 6.0 : f32
  %x = qd.dequantize %q scale %sx zero_point %zx block_sizes = [0, 0, 0, 1] : tensor<?x?x?x20xi8>, tensor<1x1x1x20xf32>, tensor<1x1x1x20xi32> -> tensor<?x?x?x20xf32>
  %around = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<?x?x?x20xf32> to tensor<?x?x?x20xf32>
  %wf = qd.dequantize %weights scale %sw block_sizes = [0, 0, 1] : tensor<3x3x20xi8>, tensor<1x1x20xf32> -> tensor<3x3x20xf32>
  %e = tensor.empty(%n, %h, %w) : tensor<?x?x?x20xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?x20xf32>) -> tensor<?x?x?x20xf32>
  %conv = linalg.depthwise_conv_2d_nhwc_hwc ins(%around, %wf : tensor<?x?x?x20xf32>, tensor<3x3x20xf32>) outs(%init : tensor<?x?x?x20xf32>) -> tensor<?x?x?x20xf32>
  %relu6 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%conv : tensor<?x?x?x20xf32>) outs(%e : tensor<?x?x?x20xf32>) {
  ^bb0(%a: f32, %o: f32):
    %max = arith.maximumf %a, %zero : f32
    %min = arith.minimumf %max, %six : f32
    linalg.yield %min : f32
  } -> tensor<?x?x?x20xf32>
  %qr = qd.quantize %relu6 scale %sy zero_point %zy rounding(half_even) overflow(saturate) block_sizes = [0, 0, 0, 1] : tensor<?x?x?x20xf32>, tensor<1x1x1x20xf32>, tensor<1x1x1x20xi32> -> tensor<?x?x?x20xi8>
  %r = qd.dequantize %qr scale %sy zero_point %zy block_sizes = [0, 0, 0, 1] : tensor<?x?x?x20xi8>, tensor<1x1x1x20xf32>, tensor<1x1x1x20xi32> -> tensor<?x?x?x20xf32>
  %sum = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%r, %x : tensor<?x?x?x20xf32>, tensor<?x?x?x20xf32>) outs(%e : tensor<?x?x?x20xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.addf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x20xf32>
  %qs = qd.quantize %sum scale %sx zero_point %zx rounding(half_even) overflow(saturate) block_sizes = [0, 0, 0, 1] : tensor<?x?x?x20xf32>, tensor<1x1x1x20xf32>, tensor<1x1x1x20xi32> -> tensor<?x?x?x20xi8>
  return %qs : tensor<?x?x?x20xi8>
}
