// The negative of a mean: the sum of codes is negated before it is rounded. All steps are powers of two, so that floats are exact;
// quarters and halves of a code are met, both sides of zero and both ends of the range.
// RUN: rm -rf %t && mkdir %t
// RUN: q-opt %s -qd-integerize | FileCheck %s --check-prefix=INTEGER
// RUN: q-opt %s -qd-integerize=rescale=dyadic > %t/dyadic.mlir
// RUN: q-opt %s -qd-integerize > %t/float.mlir
// RUN: %python %S/Inputs/make-input.py int8 6x4x37 %t/x.npy
// RUN: q-run %t/float.mlir --input %t/x.npy --compare %s --require-equal
// RUN: q-run %t/dyadic.mlir --input %t/x.npy --compare %s --require-equal
// RUN: q-compile %s --fail-on-fallback -o %t/net.so
// RUN: q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=scalar q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: env QDIALECT_CPU=avx2 q-run %t/net.so --input %t/x.npy --compare %s --require-equal
// RUN: q-compile %s --kernels=generic --fail-on-fallback -o %t/generic.so
// RUN: q-run %t/generic.so --input %t/x.npy --compare %s --require-equal

// INTEGER: linalg.generic {{.*}} outs(%{{.*}} : tensor<6x37xi32>)
// INTEGER: arith.subi %c0_i32
// INTEGER: qd.requantize

func.func @main(%q: tensor<6x4x37xi8> {qd.name = "q"}) -> (tensor<6x37xi8> {qd.name = "y"}) {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zx = arith.constant dense<5> : tensor<i32>
  %zy = arith.constant dense<-3> : tensor<i32>
  %c0 = arith.constant 0.0 : f32
  %x = qd.dequantize %q scale %s zero_point %zx : tensor<6x4x37xi8>, tensor<f32>, tensor<i32> -> tensor<6x4x37xf32>
  %e = tensor.empty() : tensor<6x37xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<6x37xf32>) -> tensor<6x37xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(r, k, c) -> (r, k, c)>, affine_map<(r, k, c) -> (r, c)>], iterator_types = ["parallel", "reduction", "parallel"]} ins(%x : tensor<6x4x37xf32>) outs(%f : tensor<6x37xf32>) {
  ^bb0(%v: f32, %o: f32):
    %t = arith.addf %o, %v : f32
    linalg.yield %t : f32
  } -> tensor<6x37xf32>
  %mean = linalg.generic {indexing_maps = [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (r, c)>], iterator_types = ["parallel", "parallel"]} ins(%sum : tensor<6x37xf32>) outs(%e : tensor<6x37xf32>) {
  ^bb0(%v: f32, %o: f32):
    %four = arith.constant 4.0 : f32
    %m = arith.divf %v, %four : f32
    %n = arith.negf %m : f32
    linalg.yield %n : f32
  } -> tensor<6x37xf32>
  %y = qd.quantize %mean scale %s zero_point %zy rounding(half_even) overflow(saturate) : tensor<6x37xf32>, tensor<f32>, tensor<i32> -> tensor<6x37xi8>
  return %y : tensor<6x37xi8>
}
