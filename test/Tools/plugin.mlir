// mlir-opt, which knows nothing of qd, with the plugin.
// UNSUPPORTED: sanitizer
// RUN: mlir-opt --load-dialect-plugin=%plugin --load-pass-plugin=%plugin --pass-pipeline='builtin.module(qd-integerize-pipeline{rescale=dyadic})' %s | FileCheck %s
// RUN: not mlir-opt %s 2>&1 | FileCheck %s --check-prefix=WITHOUT

// WITHOUT: error: {{.*}}qd

// CHECK-LABEL: func.func @main
// CHECK-NOT: f32
// CHECK: qd.rescale
// CHECK: return %{{.*}} : tensor<2x8xi8>
func.func @main(%x: tensor<2x8xi8>, %y: tensor<2x8xi8>) -> tensor<2x8xi8> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %t = arith.constant dense<0.75> : tensor<f32>
  %a = qd.dequantize %x scale %s : tensor<2x8xi8>, tensor<f32> -> tensor<2x8xf32>
  %b = qd.dequantize %y scale %t : tensor<2x8xi8>, tensor<f32> -> tensor<2x8xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : tensor<2x8xf32>, tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %r = arith.addf %p, %q : f32
    linalg.yield %r : f32
  } -> tensor<2x8xf32>
  %d = qd.quantize %c scale %t rounding(half_even) overflow(saturate) : tensor<2x8xf32>, tensor<f32> -> tensor<2x8xi8>
  return %d : tensor<2x8xi8>
}
