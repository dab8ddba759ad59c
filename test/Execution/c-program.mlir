// A C11 program over the generated headers of two models, warnings as errors.
// RUN: rm -rf %t && mkdir %t
// RUN: qd-emit-model %s --prefix first -o %t/first.so
// RUN: qd-emit-model %s --prefix second -o %t/second.so
// RUN: clang -std=c11 -Wall -Wextra -Wpedantic -Werror -I %t %S/Inputs/two-models.c %t/first.so %t/second.so -o %t/program
// RUN: env LD_LIBRARY_PATH=%t %t/program | FileCheck %s
// The header is C++ too.
// RUN: clang -x c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I %t %S/Inputs/two-models.c

// CHECK: 4 -8 12 -16
// CHECK-NEXT: invalid argument

func.func @main(%arg0: tensor<4xf32> {qd.name = "x"}) -> tensor<4xf32> {
  %0 = qd.dispatch ins(%arg0 : tensor<4xf32>) -> (tensor<4xf32>) {
  ^bb0(%x: tensor<4xf32>):
    %e = tensor.empty() : tensor<4xf32>
    %r = linalg.generic {
        indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
        iterator_types = ["parallel"]}
        ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.addf %a, %a : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    qd.yield %r : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}
