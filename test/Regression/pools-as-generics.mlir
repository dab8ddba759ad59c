// RUN: q-opt %s -qd-commute-dequantize -qd-integerize=rescale=float -o %t.mlir
// RUN: FileCheck %s --input-file %t.mlir
// RUN: q-run --interpret %t.mlir --input "[-3, 7, 1, -128, 5, 5]" | FileCheck %s --check-prefix=VALUES

// Pools of three dimensions have no op of their own: they are generics whose
// second input is the shape of a window, which was multiplied into the sums
// and maxima of codes.

// CHECK-LABEL: @main
// CHECK-NOT: arith.muli
// CHECK: arith.maxsi
// CHECK-NOT: arith.muli
// CHECK: return
// VALUES: 3xint8 [7, 1, 5]
// VALUES: 3xint8 [2, -64, 5]
#window = affine_map<(o, w) -> (o * 2 + w)>
#shape = affine_map<(o, w) -> (w)>
#result = affine_map<(o, w) -> (o)>
func.func @main(%q: tensor<6xi8>) -> (tensor<3xi8>, tensor<3xi8>) {
  %s = arith.constant dense<0.5> : tensor<f32>
  %x = qd.dequantize %q scale %s : tensor<6xi8>, tensor<f32> -> tensor<6xf32>
  %w = tensor.empty() : tensor<2xf32>
  %e = tensor.empty() : tensor<3xf32>
  %lowest = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %f = linalg.fill ins(%lowest : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %max = linalg.generic {indexing_maps = [#window, #shape, #result], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : tensor<6xf32>, tensor<2xf32>) outs(%f : tensor<3xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %m = arith.maximumf %o, %v : f32
    linalg.yield %m : f32
  } -> tensor<3xf32>
  %g = linalg.fill ins(%zero : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %sum = linalg.generic {indexing_maps = [#window, #shape, #result], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : tensor<6xf32>, tensor<2xf32>) outs(%g : tensor<3xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %m = arith.addf %o, %v : f32
    linalg.yield %m : f32
  } -> tensor<3xf32>
  %mean = linalg.generic {indexing_maps = [affine_map<(o) -> (o)>, affine_map<(o) -> (o)>], iterator_types = ["parallel"]}
      ins(%sum : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %m = arith.mulf %v, %half : f32
    linalg.yield %m : f32
  } -> tensor<3xf32>
  %a = qd.quantize %max scale %s rounding(half_even) overflow(saturate) : tensor<3xf32>, tensor<f32> -> tensor<3xi8>
  %b = qd.quantize %mean scale %s rounding(half_even) overflow(saturate) : tensor<3xf32>, tensor<f32> -> tensor<3xi8>
  return %a, %b : tensor<3xi8>, tensor<3xi8>
}
