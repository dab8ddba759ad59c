// What has no ONNX form is an error that names the op and the reason, and no file is left behind.
// RUN: rm -rf %t && split-file %s %t
// RUN: not q-translate --export-onnx-qdq %t/rounding.mlir -o %t/rounding.onnx 2>&1 | FileCheck %t/rounding.mlir
// RUN: not q-translate --export-onnx-qdq %t/scales.mlir -o %t/scales.onnx 2>&1 | FileCheck %t/scales.mlir
// RUN: not q-translate --export-onnx-qdq %t/zero_point.mlir -o %t/zero_point.onnx 2>&1 | FileCheck %t/zero_point.mlir
// RUN: not q-translate --export-onnx-qdq %t/zero_points.mlir -o %t/zero_points.onnx 2>&1 | FileCheck %t/zero_points.mlir
// RUN: not q-translate --export-onnx-qdq %t/group.mlir -o %t/group.onnx 2>&1 | FileCheck %t/group.mlir
// RUN: not q-translate --export-onnx-qdq %t/real.mlir -o %t/real.onnx 2>&1 | FileCheck %t/real.mlir
// RUN: not q-translate --export-onnx-qdq %t/two_axes.mlir -o %t/two_axes.onnx 2>&1 | FileCheck %t/two_axes.mlir
// RUN: not q-translate --export-onnx-qdq %t/minimum.mlir -o %t/minimum.onnx 2>&1 | FileCheck %t/minimum.mlir
// RUN: not q-translate --export-onnx-qdq %t/payload.mlir -o %t/payload.onnx 2>&1 | FileCheck %t/payload.mlir
// RUN: not ls %t/rounding.onnx
// RUN: q-opt %t/late.mlir -o %t/late2.mlir
// RUN: not q-translate --export-onnx-qdq %t/late2.mlir -o %t/late.onnx 2>&1 | FileCheck %t/late.mlir
// RUN: not q-translate --export-onnx-qdq %t/plain.mlir -o - --inline-limit=16 2>&1 | FileCheck %t/plain.mlir
// RUN: q-translate --export-onnx-qdq %t/plain.mlir -o %t/plain.onnx --inline-limit=16
// RUN: q-run --dump-codes %t/codes %t/plain.onnx && ls %t/plain.onnx.data

//--- rounding.mlir
// CHECK: rounding.mlir{{.*}}error: 'qd.quantize' op 'q' has no ONNX form: it rounds by half_away, but QuantizeLinear by half_even
func.func @main(%x: tensor<2xf32>) -> tensor<2xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %q = qd.quantize %x scale %s rounding(half_away) overflow(saturate) {qd.name = "q"} : tensor<2xf32>, tensor<f32> -> tensor<2xi8>
  return %q : tensor<2xi8>
}
//--- scales.mlir
// CHECK: error: 'qd.dequantize' op has no ONNX form: it multiplies 2 scales
func.func @main(%x: tensor<2xi8>) -> tensor<2xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %d = qd.dequantize %x scale %s, %s : tensor<2xi8>, tensor<f32>, tensor<f32> -> tensor<2xf32>
  return %d : tensor<2xf32>
}
//--- zero_point.mlir
// CHECK: error: 'qd.dequantize' op has no ONNX form: zero point 200 is no code of 'i8'
func.func @main(%x: tensor<2xi8>) -> tensor<2xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<200> : tensor<i32>
  %d = qd.dequantize %x scale %s zero_point %z : tensor<2xi8>, tensor<f32>, tensor<i32> -> tensor<2xf32>
  return %d : tensor<2xf32>
}
//--- zero_points.mlir
// CHECK: error: 'qd.dequantize' op has no ONNX form: its zero points 'tensor<2xi32>' do not lie like its scales 'tensor<f32>'
func.func @main(%x: tensor<2xi8>) -> tensor<2xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<[1, 2]> : tensor<2xi32>
  %d = qd.dequantize %x scale %s zero_point %z block_sizes = [1] : tensor<2xi8>, tensor<f32>, tensor<2xi32> -> tensor<2xf32>
  return %d : tensor<2xf32>
}
//--- group.mlir
// CHECK: error: 'qd.dequantize' op has no ONNX form: its blocks are not in order (group_index)
func.func @main(%x: tensor<4x2xi8>) -> tensor<4x2xf32> {
  %s = arith.constant dense<0.5> : tensor<2x1xf32>
  %g = arith.constant dense<[1, 0, 1, 0]> : tensor<4xi32>
  %d = qd.dequantize %x scale %s group_index %g block_sizes = [2, 0] : tensor<4x2xi8>, tensor<2x1xf32>, tensor<4xi32> -> tensor<4x2xf32>
  return %d : tensor<4x2xf32>
}
//--- real.mlir
// CHECK: error: 'qd.dequantize' op has no ONNX form: its zero point is a real number
func.func @main(%x: tensor<2xi8>) -> tensor<2xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %d = qd.dequantize %x scale %s zero_point %s domain(real) : tensor<2xi8>, tensor<f32>, tensor<f32> -> tensor<2xf32>
  return %d : tensor<2xf32>
}
//--- two_axes.mlir
// CHECK: error: 'qd.dequantize' op has no ONNX form: its scale 'tensor<2x3x1xf32>' lies neither along one axis nor in blocks of one
func.func @main(%x: tensor<2x3x4xi8>) -> tensor<2x3x4xf32> {
  %s = arith.constant dense<0.5> : tensor<2x3x1xf32>
  %d = qd.dequantize %x scale %s block_sizes = [1, 1, 0] : tensor<2x3x4xi8>, tensor<2x3x1xf32> -> tensor<2x3x4xf32>
  return %d : tensor<2x3x4xf32>
}
//--- minimum.mlir
// CHECK: error: 'linalg.pooling_nhwc_min' op has no ONNX form: no operator takes the minimum of a window
func.func @main(%x: tensor<1x4x4x3xf32>) -> tensor<1x2x2x3xf32> {
  %inf = arith.constant 0x7F800000 : f32
  %w = tensor.empty() : tensor<2x2xf32>
  %e = tensor.empty() : tensor<1x2x2x3xf32>
  %f = linalg.fill ins(%inf : f32) outs(%e : tensor<1x2x2x3xf32>) -> tensor<1x2x2x3xf32>
  %y = linalg.pooling_nhwc_min {strides = dense<2> : vector<2xi64>} ins(%x, %w : tensor<1x4x4x3xf32>, tensor<2x2xf32>) outs(%f : tensor<1x2x2x3xf32>) -> tensor<1x2x2x3xf32>
  return %y : tensor<1x2x2x3xf32>
}
//--- payload.mlir
// CHECK: error: 'linalg.generic' op 'y' has no ONNX form: no operator computes 'math.cbrt'
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(a) -> (a)>, affine_map<(a) -> (a)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) attrs = {qd.name = "y"} {
  ^bb0(%in: f32, %out: f32):
    %s = math.cbrt %in : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
//--- late.mlir
// CHECK: error: '{{.*}}late2.mlir' was written after integerize: only what is not integerized yet has an ONNX form
module attributes {qd.phase = "integerize"} {
  func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
}
//--- plain.mlir
// CHECK: error: -: 2048 bytes of constants need a file beside the model, but it is written to standard output
func.func @main() -> tensor<512xf32> {
  %c = arith.constant dense<1.0> : tensor<512xf32>
  return %c : tensor<512xf32>
}
