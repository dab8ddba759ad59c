// A sum of integers whose rounding stayed float, because its island was refused,
// was reported as integer: 'no fallback', and f32 tensors between two kernels.
// RUN: q-opt %s --qd-integerize | FileCheck %s
// RUN: not q-opt %s --qd-integerize --qd-verify-fallbacks 2>&1 | FileCheck %s --check-prefix=ERROR

// ERROR: error: {{.*}}its sum is rounded in floats

// CHECK-LABEL: func.func @main
// CHECK: linalg.matmul {{.*}} -> tensor<2x6xi32>
// CHECK: qd.dequantize {{.*}}qd.fallback = "its sum is rounded in floats: {{.*}}", qd.requested = "w8a8"
#same = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<2x4xi8>) -> tensor<12xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %codes = arith.constant dense<3> : tensor<4x6xi8>
  %zero = arith.constant 0.0 : f32
  %a = qd.dequantize %x scale %s : tensor<2x4xi8>, tensor<f32> -> tensor<2x4xf32>
  %w = qd.dequantize %codes scale %s : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf32>
  %e = tensor.empty() : tensor<2x6xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<2x6xf32>) -> tensor<2x6xf32>
  %m = linalg.matmul {qd.requested = "w8a8"} ins(%a, %w : tensor<2x4xf32>, tensor<4x6xf32>)
      outs(%i : tensor<2x6xf32>) -> tensor<2x6xf32>
  %c = tensor.collapse_shape %m [[0, 1]] : tensor<2x6xf32> into tensor<12xf32>
  %o = tensor.empty() : tensor<12xf32>
  %r = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]}
      ins(%c : tensor<12xf32>) outs(%o : tensor<12xf32>) {
  ^bb0(%in: f32, %out: f32):
    %t = arith.maximumf %in, %zero : f32
    linalg.yield %t : f32
  } -> tensor<12xf32>
  %q = qd.quantize %r scale %s rounding(half_even) overflow(saturate)
      : tensor<12xf32>, tensor<f32> -> tensor<12xi8>
  return %q : tensor<12xi8>
}
