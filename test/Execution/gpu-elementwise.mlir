// A model compiled for GPUs runs on the PTX emulator, with all checkers, and gives what the CPU's code gives. Its multiplications and
// additions are rounded one by one: no instruction without `.rn` that ptxas might fuse.

// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --recipe float --target nvptx:sm_80,sm_90 -o %t/gpu.so
// RUN: q-compile %s --recipe float -o %t/cpu.so
// RUN: %python %S/Inputs/make-input.py float32 5x33 %t/x.npy
// RUN: q-run %t/gpu.so --device ptx-emulator --info --counters --input x=%t/x.npy --input y=%t/x.npy \
// RUN:   --compare %t/cpu.so --require-equal | FileCheck %s
// RUN: q-run %t/gpu.so --device ptx-emulator:sm_86 --info | FileCheck %s --check-prefix=OLDER
// RUN: grep -a -o 'mul.rn.f32\|add.rn.f32\|fma.rn.f32' %t/gpu.so | sort -u | FileCheck %s --check-prefix=PTX
// RUN: q-run %t/gpu.so --device ptx-emulator --receipt | FileCheck %s --check-prefix=RECEIPT

// CHECK: variants   sm_90, sm_80
// CHECK: runs here  sm_90
// CHECK: compare    z {{.*}} equal 1.000000
// CHECK: counters   step0 {{.*}} launches 1 {{.*}} bank conflicts 0
// OLDER: runs here  sm_80
// PTX: add.rn.f32
// PTX-NOT: fma
// PTX: mul.rn.f32
// RECEIPT: "variants": [
// RECEIPT-NEXT: "sm_90",
// RECEIPT-NEXT: "sm_80"
// RECEIPT: "launches": {
// RECEIPT-NEXT: "sm_90": {
// RECEIPT-NEXT: "blocks": 2,
// RECEIPT-NEXT: "threads": 128,

func.func @main(%x: tensor<5x33xf32> {qd.name = "x"}, %y: tensor<5x33xf32> {qd.name = "y"}) -> (tensor<5x33xf32> {qd.name = "z"}) {
  %e = tensor.empty() : tensor<5x33xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : tensor<5x33xf32>, tensor<5x33xf32>) outs(%e : tensor<5x33xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %m, %a : f32
    linalg.yield %s : f32
  } -> tensor<5x33xf32>
  return %r : tensor<5x33xf32>
}
