// A symbolic number of rows on a GPU: kernels for 1024, 128, 16, 4 rows and one, each launched once, with the second dimension of
// the grid for its blocks of rows.
// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --target nvptx:sm_80 -o %t/gpu.so
// RUN: q-compile %s -o %t/cpu.so
// RUN: %python %S/Inputs/make-input.py int8 1x48 %t/1.npy
// RUN: %python %S/Inputs/make-input.py int8 35x48 %t/35.npy
// RUN: %python %S/Inputs/make-input.py int8 1301x48 %t/1301.npy
// RUN: q-run %t/gpu.so --device ptx-emulator --input %t/1.npy --compare %t/cpu.so --require-equal --counters | FileCheck %s --check-prefix=ONE
// RUN: q-run %t/gpu.so --device ptx-emulator --input %t/35.npy --compare %t/cpu.so --require-equal --counters | FileCheck %s --check-prefix=SOME
// RUN: q-run %t/gpu.so --device ptx-emulator --input %t/1301.npy --compare %t/cpu.so --require-equal --counters | FileCheck %s --check-prefix=MANY
// RUN: env LD_LIBRARY_PATH=%fakecuda FAKE_CUDA=report q-run %t/gpu.so --input %t/1301.npy --compare %t/cpu.so --require-equal 2>&1 \
// RUN:   | FileCheck %s --check-prefix=DRIVER

// ONE: equal 1.000000
// ONE: counters {{.*}}(rest)  kernel {{.*}}_{{gemv|mma_bits}}  launches 1
// ONE-NOT: {{_mma|_gemv}}
// SOME: equal 1.000000
// SOME: counters {{.*}}  kernel {{.*}}_mma{{(_bits)?}}  launches 1
// SOME: counters {{.*}}  kernel {{.*}}_{{gemv|mma_bits}}  launches 1
// SOME-NOT: {{_mma|_gemv}}
// MANY: equal 1.000000
// MANY-COUNT-5: _{{mma|mma_bits|gemv}}  launches 1
// MANY-NOT: {{_mma|_gemv}}
// DRIVER: equal 1.000000
// DRIVER: 0 left alive, 0 mistakes

#row = affine_map<(n, c) -> (n, c)>

module attributes {qd.phase = "integerize"} {
func.func @main(%x: tensor<?x48xi8> {qd.name = "x", qd.dims = ["n", 48]}) -> (tensor<?x33xi8> {qd.name = "y"})
    attributes {qd.dim_bounds = {n = array<i64: 1, 100000>}} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x48xi8>
  %w = arith.constant dense<3> : tensor<48x33xi8>
  %start = arith.constant 100 : i32
  %e = tensor.empty(%n) : tensor<?x33xi32>
  %init = linalg.fill ins(%start : i32) outs(%e : tensor<?x33xi32>) -> tensor<?x33xi32>
  %sums = linalg.matmul ins(%x, %w : tensor<?x48xi8>, tensor<48x33xi8>) outs(%init : tensor<?x33xi32>) -> tensor<?x33xi32>
  %eq = tensor.empty(%n) : tensor<?x33xi8>
  %y = linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel", "parallel"]} ins(%sums : tensor<?x33xi32>) outs(%eq : tensor<?x33xi8>) {
  ^bb0(%a: i32, %o: i8):
    %s = arith.constant 0.013 : f32
    %c = qd.requantize %a scale %s rounding(half_even) overflow(saturate) : i32, f32 -> i8
    linalg.yield %c : i8
  } -> tensor<?x33xi8>
  return %y : tensor<?x33xi8>
}
}
