// The decomposed program has the bits of the ops, value for value: rows of 10 and
// 37 (short lanes), 16 (whole lanes), an axis in the middle, rows of several
// dimensions, NaN and infinities.
// RUN: q-run %s --function=softmax --print > %t.softmax
// RUN: q-opt %s --qd-decompose > %t.mlir
// RUN: q-run %t.mlir --function=softmax --print | diff %t.softmax -
// RUN: q-run %s --function=layer_norm --print > %t.layer_norm
// RUN: q-run %t.mlir --function=layer_norm --print | diff %t.layer_norm -
// RUN: q-run %s --function=rms_norm --print > %t.rms_norm
// RUN: q-run %t.mlir --function=rms_norm --print | diff %t.rms_norm -
// RUN: q-run %s --function=functions --print > %t.functions
// RUN: q-run %t.mlir --function=functions --print | diff %t.functions -
// The payload forms of all of them, spelt out to IEEE operations.
// RUN: q-opt %t.mlir --qd-expand-math > %t.math.mlir
// RUN: q-run %t.math.mlir --function=softmax --print | diff %t.softmax -
// RUN: q-run %t.math.mlir --function=layer_norm --print | diff %t.layer_norm -
// RUN: q-run %t.math.mlir --function=rms_norm --print | diff %t.rms_norm -
// RUN: q-run %t.math.mlir --function=functions --print | diff %t.functions -

// Pseudo-random values in [-8, 8), the same in every run.
#id = affine_map<(d0) -> (d0)>
func.func private @values() -> tensor<444xf32> {
  %e = tensor.empty() : tensor<444xf32>
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%e : tensor<444xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %n = arith.index_cast %i : index to i32
    %a = arith.constant 1103515245 : i32
    %c = arith.constant 12345 : i32
    %m = arith.muli %n, %a : i32
    %s = arith.addi %m, %c : i32
    %t = arith.muli %s, %s : i32
    %f = arith.sitofp %t : i32 to f32
    %k = arith.constant 3.7252902984619140625e-09 : f32 // 2^-28
    %v = arith.mulf %f, %k : f32
    linalg.yield %v : f32
  } -> tensor<444xf32>
  return %r : tensor<444xf32>
}

func.func @softmax() -> (tensor<12x37xf32>, tensor<4x37x3xf32>, tensor<3x4xf32>) {
  %v = func.call @values() : () -> tensor<444xf32>
  %x = tensor.expand_shape %v [[0, 1]] output_shape [12, 37] : tensor<444xf32> into tensor<12x37xf32>
  %y = tensor.expand_shape %v [[0, 1, 2]] output_shape [4, 37, 3] : tensor<444xf32> into tensor<4x37x3xf32>
  %z = arith.constant dense<[[0.0, 0x7FC00000, 1.0, 2.0], [0x7F800000, 0.0, 1.0, 2.0], [0xFF800000, 0.0, 1.0, -104.0]]> : tensor<3x4xf32>
  %0 = qd.softmax %x axis = 1 : tensor<12x37xf32>
  %1 = qd.softmax %y axis = 1 : tensor<4x37x3xf32>
  %2 = qd.softmax %z axis = 1 : tensor<3x4xf32>
  return %0, %1, %2 : tensor<12x37xf32>, tensor<4x37x3xf32>, tensor<3x4xf32>
}

func.func @layer_norm() -> (tensor<12x37xf32>, tensor<4x37x3xf32>, tensor<2x16xf32>) {
  %v = func.call @values() : () -> tensor<444xf32>
  %x = tensor.expand_shape %v [[0, 1]] output_shape [12, 37] : tensor<444xf32> into tensor<12x37xf32>
  %y = tensor.expand_shape %v [[0, 1, 2]] output_shape [4, 37, 3] : tensor<444xf32> into tensor<4x37x3xf32>
  %g = tensor.extract_slice %v[5] [37] [1] : tensor<444xf32> to tensor<37xf32>
  %b = tensor.extract_slice %v[50] [37] [1] : tensor<444xf32> to tensor<37xf32>
  %h = tensor.extract_slice %v[60] [111] [1] : tensor<444xf32> to tensor<111xf32>
  %k = tensor.expand_shape %h [[0, 1]] output_shape [37, 3] : tensor<111xf32> into tensor<37x3xf32>
  %s = tensor.extract_slice %v[7] [32] [1] : tensor<444xf32> to tensor<32xf32>
  %w = tensor.expand_shape %s [[0, 1]] output_shape [2, 16] : tensor<32xf32> into tensor<2x16xf32>
  %u = tensor.extract_slice %v[9] [16] [1] : tensor<444xf32> to tensor<16xf32>
  %0 = qd.layer_norm %x, %g, %b axis = 1 epsilon = 1.0e-5 : tensor<12x37xf32>, tensor<37xf32>, tensor<37xf32>
  %1 = qd.layer_norm %y, %k axis = 1 epsilon = 1.0e-3 : tensor<4x37x3xf32>, tensor<37x3xf32>
  %2 = qd.layer_norm %w, %u, %u axis = 1 epsilon = 0.0 : tensor<2x16xf32>, tensor<16xf32>, tensor<16xf32>
  return %0, %1, %2 : tensor<12x37xf32>, tensor<4x37x3xf32>, tensor<2x16xf32>
}

func.func @rms_norm() -> (tensor<12x37xf32>, tensor<4x37x3xf32>) {
  %v = func.call @values() : () -> tensor<444xf32>
  %x = tensor.expand_shape %v [[0, 1]] output_shape [12, 37] : tensor<444xf32> into tensor<12x37xf32>
  %y = tensor.expand_shape %v [[0, 1, 2]] output_shape [4, 37, 3] : tensor<444xf32> into tensor<4x37x3xf32>
  %g = tensor.extract_slice %v[5] [37] [1] : tensor<444xf32> to tensor<37xf32>
  %h = tensor.extract_slice %v[60] [111] [1] : tensor<444xf32> to tensor<111xf32>
  %k = tensor.expand_shape %h [[0, 1]] output_shape [37, 3] : tensor<111xf32> into tensor<37x3xf32>
  %0 = qd.rms_norm %x, %g axis = 1 epsilon = 1.0e-6 : tensor<12x37xf32>, tensor<37xf32>
  %1 = qd.rms_norm %y, %k axis = 1 epsilon = 0.0 : tensor<4x37x3xf32>, tensor<37x3xf32>
  return %0, %1 : tensor<12x37xf32>, tensor<4x37x3xf32>
}

func.func @functions() -> (tensor<444xf32>, tensor<444xf32>, tensor<444xf32>) {
  %v = func.call @values() : () -> tensor<444xf32>
  %0 = qd.gelu %v approximate(none) : tensor<444xf32>
  %1 = qd.gelu %v approximate(tanh) : tensor<444xf32>
  %2 = qd.silu %v : tensor<444xf32>
  return %0, %1, %2 : tensor<444xf32>, tensor<444xf32>, tensor<444xf32>
}
