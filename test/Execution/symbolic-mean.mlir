// Means over images of any size, of codes of 8 bits and, negated, of 16: the number of pixels divides sums of codes. All steps are powers of
// two and all sums have at most 24 digits, so that floats are as good; halves of a code are met.
// RUN: rm -rf %t && mkdir %t
// RUN: q-opt %s -qd-integerize=rescale=dyadic > %t/dyadic.mlir
// RUN: q-opt %s -qd-integerize > %t/float.mlir
// RUN: q-compile %s --fail-on-fallback -o %t/net.so
// RUN: q-compile %s --kernels=generic --rescale=dyadic --fail-on-fallback -o %t/generic.so
// RUN: %python %S/Inputs/make-input.py int8 5x1x1x7 %t/q.npy
// RUN: %python %S/Inputs/make-input.py int16 5x1x1x7 %t/p.npy
// RUN: q-run %t/net.so --input q=%t/q.npy --input p=%t/p.npy --compare %s --require-equal
// RUN: %python %S/Inputs/make-input.py int8 5x4x2x7 %t/q.npy
// RUN: %python %S/Inputs/make-input.py int16 5x4x2x7 %t/p.npy
// RUN: q-run %t/float.mlir --input q=%t/q.npy --input p=%t/p.npy --compare %s --require-equal
// RUN: q-run %t/dyadic.mlir --input q=%t/q.npy --input p=%t/p.npy --compare %s --require-equal
// RUN: q-run %t/net.so --input q=%t/q.npy --input p=%t/p.npy --compare %s --require-equal
// RUN: q-run %t/generic.so --input q=%t/q.npy --input p=%t/p.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=scalar q-run %t/net.so --input q=%t/q.npy --input p=%t/p.npy --compare %s --require-equal
// RUN: %python %S/Inputs/make-input.py int8 5x13x37x7 %t/q.npy
// RUN: %python %S/Inputs/make-input.py int16 5x13x37x7 %t/p.npy
// RUN: q-run %t/dyadic.mlir --input q=%t/q.npy --input p=%t/p.npy --compare %s --require-equal
// RUN: q-run %t/net.so --input q=%t/q.npy --input p=%t/p.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=avx2 q-run %t/net.so --input q=%t/q.npy --input p=%t/p.npy --compare %s --require-equal

#image = affine_map<(n, c, h, w) -> (n, h, w, c)>
#sum = affine_map<(n, c, h, w) -> (n, c)>
#id = affine_map<(n, c) -> (n, c)>
#one = affine_map<(n, c) -> ()>

func.func @main(%q: tensor<5x?x?x7xi8> {qd.name = "q", qd.dims = [5, "h", "w", 7]},
                %p: tensor<5x?x?x7xi16> {qd.name = "p", qd.dims = [5, "h", "w", 7]})
    -> (tensor<5x7xi8> {qd.name = "y"}, tensor<5x7xi16> {qd.name = "z"})
    attributes {qd.dim_bounds = {h = array<i64: 1, 64>, w = array<i64: 1, 64>}} {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %h = tensor.dim %q, %c1 : tensor<5x?x?x7xi8>
  %w = tensor.dim %q, %c2 : tensor<5x?x?x7xi8>
  %n = arith.muli %h, %w : index
  %s = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<5> : tensor<i32>
  %zy = arith.constant dense<-3> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>

  %x = qd.dequantize %q scale %s zero_point %zx : tensor<5x?x?x7xi8>, tensor<f32>, tensor<i32> -> tensor<5x?x?x7xf32>
  %0 = linalg.generic {indexing_maps = [#image, #sum], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%x : tensor<5x?x?x7xf32>) outs(%f : tensor<5x7xf32>) {
  ^bb0(%v: f32, %o: f32):
    %t = arith.addf %o, %v : f32
    linalg.yield %t : f32
  } -> tensor<5x7xf32>
  %scalar = tensor.empty() : tensor<f32>
  %count = linalg.generic {indexing_maps = [affine_map<() -> ()>], iterator_types = []} outs(%scalar : tensor<f32>) {
  ^bb0(%o: f32):
    %i = arith.index_cast %n : index to i64
    %r = arith.sitofp %i : i64 to f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %1 = linalg.generic {indexing_maps = [#id, #one, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %count : tensor<5x7xf32>, tensor<f32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%v: f32, %d: f32, %o: f32):
    %t = arith.divf %v, %d : f32
    linalg.yield %t : f32
  } -> tensor<5x7xf32>
  %y = qd.quantize %1 scale %s zero_point %zy rounding(half_even) overflow(saturate) : tensor<5x7xf32>, tensor<f32>, tensor<i32> -> tensor<5x7xi8>

  %u = qd.dequantize %p scale %s zero_point %zx : tensor<5x?x?x7xi16>, tensor<f32>, tensor<i32> -> tensor<5x?x?x7xf32>
  %2 = linalg.generic {indexing_maps = [#image, #sum], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%u : tensor<5x?x?x7xf32>) outs(%f : tensor<5x7xf32>) {
  ^bb0(%v: f32, %o: f32):
    %t = arith.addf %o, %v : f32
    linalg.yield %t : f32
  } -> tensor<5x7xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%2 : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%v: f32, %o: f32):
    %i = arith.index_cast %n : index to i64
    %r = arith.sitofp %i : i64 to f32
    %t = arith.divf %v, %r : f32
    linalg.yield %t : f32
  } -> tensor<5x7xf32>
  %4 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%3 : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%v: f32, %o: f32):
    %t = arith.negf %v : f32
    linalg.yield %t : f32
  } -> tensor<5x7xf32>
  %z = qd.quantize %4 scale %s zero_point %zy rounding(half_even) overflow(saturate) : tensor<5x7xf32>, tensor<f32>, tensor<i32> -> tensor<5x7xi16>
  return %y, %z : tensor<5x7xi8>, tensor<5x7xi16>
}
