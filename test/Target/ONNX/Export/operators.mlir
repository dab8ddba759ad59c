// What each kind of op is written as, and that dimensions keep the order of the model that a convolution wants: no
// transpose stands between a channel-last convolution and what follows.
// RUN: rm -rf %t && split-file %s %t
// RUN: q-translate --export-onnx-qdq %t/conv.mlir -o %t/conv.onnx
// RUN: q-translate --export-onnx-qdq %t/matmul.mlir -o %t/matmul.onnx
// RUN: q-translate --export-onnx-qdq %t/average.mlir -o %t/average.onnx
// RUN: q-translate --export-onnx-qdq %t/grouped.mlir -o %t/grouped.onnx
// RUN: q-translate --export-onnx-qdq %t/look_up.mlir -o %t/look_up.onnx
// RUN: q-translate --export-onnx-qdq %t/blocks.mlir -o %t/blocks.onnx
// RUN: %python %S/../Inputs/print_model.py %t/blocks.onnx | FileCheck %t/blocks.mlir
// RUN: q-translate --export-onnx-qdq %t/norms.mlir -o %t/norms.onnx
// RUN: %python %S/../Inputs/print_model.py %t/conv.onnx | FileCheck %t/conv.mlir
// RUN: %python %S/../Inputs/print_model.py %t/matmul.onnx | FileCheck %t/matmul.mlir
// RUN: %python %S/../Inputs/print_model.py %t/average.onnx | FileCheck %t/average.mlir
// RUN: %python %S/../Inputs/print_model.py %t/grouped.onnx | FileCheck %t/grouped.mlir
// RUN: %python %S/../Inputs/print_model.py %t/look_up.onnx | FileCheck %t/look_up.mlir
// RUN: %python %S/../Inputs/print_model.py %t/norms.onnx | FileCheck %t/norms.mlir

//--- conv.mlir
// Padding and bias are part of Conv, the ReLU is one again, the weights lie as Conv wants them.
// CHECK: (float[1,4,4,2] x) => (float[1,4,4,3] y)
// CHECK: int8[3,2,3,3] w
// CHECK: q = QuantizeLinear (x, s, z)
// CHECK: d = DequantizeLinear (q, s, z)
// CHECK: Transpose <perm: ints = [0, 3, 1, 2]> (d)
// CHECK: DequantizeLinear <axis: int = 0> (w, ws, "w.zero_point")
// CHECK: DequantizeLinear <axis: int = 0> (b, bs)
// CHECK: Conv <kernel_shape: ints = [3, 3], pads: ints = [1, 1, 1, 1], strides: ints = [1, 1], dilations: ints = [1, 1], group: int = 1> (d_1, {{[^,]*}}, {{[^,]*}})
// CHECK: Relu
// CHECK: y = Transpose <perm: ints = [0, 2, 3, 1]>
func.func @main(%x: tensor<1x4x4x2xf32> {qd.name = "x"}) -> (tensor<1x4x4x3xf32> {qd.name = "y"}) {
  %s = arith.constant {qd.name = "s"} dense<0.5> : tensor<f32>
  %z = arith.constant {qd.name = "z"} dense<3> : tensor<i32>
  %w = arith.constant {qd.name = "w"} dense<1> : tensor<3x3x2x3xi8>
  %ws = arith.constant {qd.name = "ws"} dense<0.25> : tensor<1x1x1x3xf32>
  %b = arith.constant {qd.name = "b"} dense<[1, 2, 3]> : tensor<3xi32>
  %bs = arith.constant {qd.name = "bs"} dense<0.125> : tensor<3xf32>
  %zero = arith.constant 0.0 : f32
  %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) {qd.name = "q"} : tensor<1x4x4x2xf32>, tensor<f32>, tensor<i32> -> tensor<1x4x4x2x!qd.uint<8>>
  %d = qd.dequantize %q scale %s zero_point %z {qd.name = "d"} : tensor<1x4x4x2x!qd.uint<8>>, tensor<f32>, tensor<i32> -> tensor<1x4x4x2xf32>
  %dw = qd.dequantize %w scale %ws block_sizes = [0, 0, 0, 1] : tensor<3x3x2x3xi8>, tensor<1x1x1x3xf32> -> tensor<3x3x2x3xf32>
  %db = qd.dequantize %b scale %bs block_sizes = [1] : tensor<3xi32>, tensor<3xf32> -> tensor<3xf32>
  %p = tensor.pad %d low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x4x4x2xf32> to tensor<1x6x6x2xf32>
  %e = tensor.empty() : tensor<1x4x4x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %c = linalg.conv_2d_nhwc_hwcf ins(%p, %dw : tensor<1x6x6x2xf32>, tensor<3x3x2x3xf32>) outs(%f : tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c, %db : tensor<1x4x4x3xf32>, tensor<3xf32>) outs(%e : tensor<1x4x4x3xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %t = arith.addf %bias, %in : f32
    %m = arith.maximumf %t, %zero : f32
    linalg.yield %m : f32
  } -> tensor<1x4x4x3xf32>
  return %r : tensor<1x4x4x3xf32>
}

//--- matmul.mlir
// A product of activations in its own order of dimensions, and weights that lie transposed under a Gemm.
// CHECK: Transpose <perm: ints = [0, 2, 1, 3]> (a)
// CHECK: Transpose <perm: ints = [0, 2, 3, 1]> (b)
// CHECK: MatMul
// CHECK: Gemm <transB: int = 1> ({{[^,]*}}, w, bias)
func.func @main(%a: tensor<2x3x4x5xf32> {qd.name = "a"}, %b: tensor<2x6x4x5xf32> {qd.name = "b"}, %c: tensor<7x5xf32> {qd.name = "c"}) -> (tensor<2x4x3x6xf32>, tensor<7x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant {qd.name = "w"} dense<2.0> : tensor<8x5xf32>
  %bias = arith.constant {qd.name = "bias"} dense<1.0> : tensor<8xf32>
  %e = tensor.empty() : tensor<2x4x3x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(n, h, i, j, k) -> (n, i, h, k)>, affine_map<(n, h, i, j, k) -> (n, j, h, k)>, affine_map<(n, h, i, j, k) -> (n, h, i, j)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%a, %b : tensor<2x3x4x5xf32>, tensor<2x6x4x5xf32>) outs(%f : tensor<2x4x3x6xf32>) {
  ^bb0(%u: f32, %v: f32, %out: f32):
    %p = arith.mulf %u, %v : f32
    %s = arith.addf %out, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x4x3x6xf32>
  %e2 = tensor.empty() : tensor<7x8xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<7x8xf32>) -> tensor<7x8xf32>
  %e3 = tensor.empty() : tensor<5x8xf32>
  %wt = linalg.transpose ins(%w : tensor<8x5xf32>) outs(%e3 : tensor<5x8xf32>) permutation = [1, 0]
  %m = linalg.matmul ins(%c, %wt : tensor<7x5xf32>, tensor<5x8xf32>) outs(%f2 : tensor<7x8xf32>) -> tensor<7x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%m, %bias : tensor<7x8xf32>, tensor<8xf32>) outs(%e2 : tensor<7x8xf32>) {
  ^bb0(%in: f32, %v: f32, %out: f32):
    %s = arith.addf %in, %v : f32
    linalg.yield %s : f32
  } -> tensor<7x8xf32>
  return %y, %r : tensor<2x4x3x6xf32>, tensor<7x8xf32>
}

//--- average.mlir
// A sum divided by its count is an average; one divided by anything else stays a sum.
// CHECK: GlobalAveragePool (x)
// CHECK: Squeeze
// CHECK-NOT: Div
// CHECK: AveragePool <kernel_shape: ints = [2, 2], {{.*}}count_include_pad: int = 1> (x)
// CHECK-NOT: Div
// CHECK: Conv <kernel_shape: ints = [2, 2], {{.*}}group: int = 3> (x, ones)
// CHECK: Div
func.func @main(%x: tensor<1x3x4x4xf32> {qd.name = "x"}) -> (tensor<1x3xf32>, tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32>) {
  %zero = arith.constant 0.0 : f32
  %e1 = tensor.empty() : tensor<1x3xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x3xf32>) -> tensor<1x3xf32>
  %s1 = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (a, b)>], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%x : tensor<1x3x4x4xf32>) outs(%f1 : tensor<1x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %out, %in : f32
    linalg.yield %s : f32
  } -> tensor<1x3xf32>
  %y1 = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]} ins(%s1 : tensor<1x3xf32>) outs(%e1 : tensor<1x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %n = arith.constant 16.0 : f32
    %s = arith.divf %in, %n : f32
    linalg.yield %s : f32
  } -> tensor<1x3xf32>
  %w = tensor.empty() : tensor<2x2xf32>
  %e2 = tensor.empty() : tensor<1x3x2x2xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32>
  %s2 = linalg.pooling_nchw_sum {strides = dense<2> : vector<2xi64>} ins(%x, %w : tensor<1x3x4x4xf32>, tensor<2x2xf32>) outs(%f2 : tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32>
  %y2 = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s2 : tensor<1x3x2x2xf32>) outs(%e2 : tensor<1x3x2x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %n = arith.constant 4.0 : f32
    %s = arith.divf %in, %n : f32
    linalg.yield %s : f32
  } -> tensor<1x3x2x2xf32>
  %s3 = linalg.pooling_nchw_sum {strides = dense<2> : vector<2xi64>} ins(%x, %w : tensor<1x3x4x4xf32>, tensor<2x2xf32>) outs(%f2 : tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32>
  %y3 = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s3 : tensor<1x3x2x2xf32>) outs(%e2 : tensor<1x3x2x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %n = arith.constant 3.0 : f32
    %s = arith.divf %in, %n : f32
    linalg.yield %s : f32
  } -> tensor<1x3x2x2xf32>
  return %y1, %y2, %y3 : tensor<1x3xf32>, tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32>
}

//--- grouped.mlir
// Depthwise without a loop for input channels.
// CHECK: Conv <kernel_shape: ints = [3], pads: ints = [0, 0], strides: ints = [2], dilations: ints = [1], group: int = 4>
func.func @main(%x: tensor<1x9x4xf32> {qd.name = "x"}) -> (tensor<1x4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant {qd.name = "w"} dense<2.0> : tensor<3x4xf32>
  %e = tensor.empty() : tensor<1x4x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  %y = linalg.depthwise_conv_1d_nwc_wc {strides = dense<2> : vector<1xi64>} ins(%x, %w : tensor<1x9x4xf32>, tensor<3x4xf32>) outs(%f : tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  return %y : tensor<1x4x4xf32>
}

//--- look_up.mlir
// Rows of a table, symbolic sizes by name, a reshape of several of them.
// CHECK: (int64[batch,length] ids) => (float[output0_0,{{ ?}}output0_1,{{ ?}}2,{{ ?}}4] output0)
// CHECK: Gather <axis: int = 0> (table,
// CHECK: Shape <{{(start: int = 0, )?}}end: int = 1{{.*}}> (ids)
// CHECK: Reshape
func.func @main(%ids: tensor<?x?xi64> {qd.name = "ids", qd.dims = ["batch", "length"]}) -> tensor<?x?x2x4xf32> attributes {qd.dim_bounds = {batch = array<i64: 1, 8>, length = array<i64: 1, 8>}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %table = arith.constant {qd.name = "table"} dense<2.0> : tensor<10x8xf32>
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %l = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %e = tensor.empty(%b, %l) : tensor<?x?x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b)>, affine_map<(a, b, c) -> (a, b, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%ids : tensor<?x?xi64>) outs(%e : tensor<?x?x8xf32>) {
  ^bb0(%id: i64, %out: f32):
    %i = arith.index_cast %id : i64 to index
    %j = linalg.index 2 : index
    %v = tensor.extract %table[%i, %j] : tensor<10x8xf32>
    linalg.yield %v : f32
  } -> tensor<?x?x8xf32>
  %r = tensor.expand_shape %y [[0], [1], [2, 3]] output_shape [%b, %l, 2, 4] : tensor<?x?x8xf32> into tensor<?x?x2x4xf32>
  return %r : tensor<?x?x2x4xf32>
}

//--- blocks.mlir
// A zero point for all beside a scale for each block.
// CHECK: uint4[4,2] "w.zero_point"
// CHECK: DequantizeLinear <axis: int = 0, block_size: int = 2> (w, s, "w.zero_point")
func.func @main() -> tensor<8x2xf32> {
  %w = arith.constant {qd.name = "w"} dense_resource<w> : tensor<8x2x!qd.uint<4>>
  %s = arith.constant {qd.name = "s"} dense<0.5> : tensor<4x2xf32>
  %z = arith.constant dense<8> : tensor<i32>
  %d = qd.dequantize %w scale %s zero_point %z block_sizes = [2, 1] : tensor<8x2x!qd.uint<4>>, tensor<4x2xf32>, tensor<i32> -> tensor<8x2xf32>
  return %d : tensor<8x2xf32>
}
{-# dialect_resources: { builtin: { w: "0x010000000102030405060708090A0B0C0D0E0F00" } } #-}

//--- norms.mlir
// CHECK: Softmax <axis: int = 1> (x)
// CHECK: LayerNormalization <axis: int = 1, epsilon: float = 1e-05>
// CHECK: Gelu <approximate: string = "tanh">
// CHECK: Sigmoid
// CHECK: Mul
func.func @main(%x: tensor<4x8xf32> {qd.name = "x"}) -> tensor<4x8xf32> {
  %g = arith.constant dense<1.0> : tensor<8xf32>
  %a = qd.softmax %x axis = 1 : tensor<4x8xf32>
  %b = qd.layer_norm %a, %g axis = 1 epsilon = 1.0e-5 : tensor<4x8xf32>, tensor<8xf32>
  %c = qd.gelu %b approximate(tanh) : tensor<4x8xf32>
  %d = qd.silu %c : tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}
