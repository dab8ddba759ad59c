// Products of two activations and softmaxes of symbolic sizes have kernels of their own: every variant and number of threads
// against the interpreter, at sizes on both sides of vectors, panels and tiles.
// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s -o %t/net.so
// RUN: q-run %t/net.so --receipt | FileCheck %s
// RUN: %python %S/Inputs/symbolic_attention.py %t/net.so %s %t | FileCheck %s --check-prefix=EQUAL

// The same on a GPU: grids are computed from sizes.
// RUN: q-compile %s --target nvptx:sm_80 -o %t/gpu.so
// RUN: q-run %t/gpu.so --receipt | FileCheck %s --check-prefix=RECEIPT --implicit-check-not='"kernel": "tasks'
// RUN: %python %S/Inputs/make-input.py int8 2x5x3x7 %t/q.npy
// RUN: %python %S/Inputs/make-input.py int8 2x19x3x7 %t/k.npy
// RUN: q-run %t/gpu.so --device ptx-emulator --input q=%t/q.npy --input k=%t/k.npy --compare %t/net.so --require-equal
// RUN: %python %S/Inputs/make-input.py int8 1x37x3x7 %t/q.npy
// RUN: %python %S/Inputs/make-input.py int8 1x300x3x7 %t/k.npy
// RUN: q-run %t/gpu.so --device ptx-emulator --input q=%t/q.npy --input k=%t/k.npy --compare %t/net.so --require-equal
// RUN: %python %S/Inputs/make-input.py int8 1x1x3x7 %t/q.npy
// RUN: q-run %t/gpu.so --device ptx-emulator --input q=%t/q.npy --input k=%t/q.npy --compare %t/net.so --require-equal
// RUN: env LD_LIBRARY_PATH=%fakecuda FAKE_CUDA=report q-run %t/gpu.so --input q=%t/q.npy --input k=%t/k.npy --compare %t/net.so \
// RUN:   --require-equal 2>&1 | FileCheck %s --check-prefix=DRIVER

// RECEIPT: "kernel": "mma_batch"
// RECEIPT: "kernel": "rows"
// RECEIPT: "kernel": "mma_batch"
// DRIVER: 0 left alive, 0 mistakes

// CHECK-NOT: "kernel": "generic"
// EQUAL: 56 of 56 equal

#scores_q = affine_map<(b, h, s, t, d) -> (b, s, h, d)>
#scores_k = affine_map<(b, h, s, t, d) -> (b, t, h, d)>
#scores = affine_map<(b, h, s, t, d) -> (b, h, s, t)>
#mixed_p = affine_map<(b, s, h, d, t) -> (b, h, s, t)>
#mixed_v = affine_map<(b, s, h, d, t) -> (b, t, h, d)>
#mixed = affine_map<(b, s, h, d, t) -> (b, s, h, d)>
#id = affine_map<(b, h, s, t) -> (b, h, s, t)>

module attributes {qd.phase = "integerize"} {
func.func @main(%q: tensor<?x?x3x7xi8> {qd.name = "q", qd.dims = ["batch", "seq", 3, 7]}, %k: tensor<?x?x3x7xi8> {qd.name = "k", qd.dims = ["batch", "keys", 3, 7]})
    -> (tensor<?x?x3x7xi8> {qd.name = "y"}) attributes {qd.dim_bounds = {batch = array<i64: 1, 8>, seq = array<i64: 1, 300>, keys = array<i64: 1, 300>}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0 : i32
  %b = tensor.dim %q, %c0 : tensor<?x?x3x7xi8>
  %s = tensor.dim %q, %c1 : tensor<?x?x3x7xi8>
  %t = tensor.dim %k, %c1 : tensor<?x?x3x7xi8>
  %es = tensor.empty(%b, %s, %t) : tensor<?x3x?x?xi32>
  %is = linalg.fill ins(%zero : i32) outs(%es : tensor<?x3x?x?xi32>) -> tensor<?x3x?x?xi32>
  %p = linalg.generic {indexing_maps = [#scores_q, #scores_k, #scores], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<?x?x3x7xi8>, tensor<?x?x3x7xi8>) outs(%is : tensor<?x3x?x?xi32>) {
  ^bb0(%x: i8, %y: i8, %o: i32):
    %zx = arith.constant -3 : i32
    %zy = arith.constant 5 : i32
    %ex = arith.extsi %x : i8 to i32
    %ey = arith.extsi %y : i8 to i32
    %dx = arith.subi %ex, %zx : i32
    %dy = arith.subi %ey, %zy : i32
    %m = arith.muli %dx, %dy : i32
    %n = arith.addi %o, %m : i32
    linalg.yield %n : i32
  } -> tensor<?x3x?x?xi32>
  %ef = tensor.empty(%b, %s, %t) : tensor<?x3x?x?xf32>
  %f = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%p : tensor<?x3x?x?xi32>) outs(%ef : tensor<?x3x?x?xf32>) {
  ^bb0(%x: i32, %o: f32):
    %scale = arith.constant 1.1e-4 : f32
    %r = arith.sitofp %x : i32 to f32
    %n = arith.mulf %r, %scale : f32
    linalg.yield %n : f32
  } -> tensor<?x3x?x?xf32>
  %w = qd.softmax %f axis = 3 : tensor<?x3x?x?xf32>
  %ec = tensor.empty(%b, %s, %t) : tensor<?x3x?x?xi8>
  %c = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%w : tensor<?x3x?x?xf32>) outs(%ec : tensor<?x3x?x?xi8>) {
  ^bb0(%x: f32, %o: i8):
    %scale = arith.constant 0.0013 : f32
    %z = arith.constant -128 : i32
    %n = qd.quantize %x scale %scale zero_point %z rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8
    linalg.yield %n : i8
  } -> tensor<?x3x?x?xi8>
  %em = tensor.empty(%b, %s) : tensor<?x?x3x7xi32>
  %im = linalg.fill ins(%zero : i32) outs(%em : tensor<?x?x3x7xi32>) -> tensor<?x?x3x7xi32>
  %a = linalg.generic {indexing_maps = [#mixed_p, #mixed_v, #mixed], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%c, %k : tensor<?x3x?x?xi8>, tensor<?x?x3x7xi8>) outs(%im : tensor<?x?x3x7xi32>) {
  ^bb0(%x: i8, %y: i8, %o: i32):
    %zx = arith.constant -128 : i32
    %zy = arith.constant 5 : i32
    %ex = arith.extsi %x : i8 to i32
    %ey = arith.extsi %y : i8 to i32
    %dx = arith.subi %ex, %zx : i32
    %dy = arith.subi %ey, %zy : i32
    %m = arith.muli %dx, %dy : i32
    %n = arith.addi %o, %m : i32
    linalg.yield %n : i32
  } -> tensor<?x?x3x7xi32>
  %ey = tensor.empty(%b, %s) : tensor<?x?x3x7xi8>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%a : tensor<?x?x3x7xi32>) outs(%ey : tensor<?x?x3x7xi8>) {
  ^bb0(%x: i32, %o: i8):
    %scale = arith.constant 0.0017 : f32
    %z = arith.constant 9 : i32
    %n = qd.requantize %x scale %scale zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
    linalg.yield %n : i8
  } -> tensor<?x?x3x7xi8>
  return %y : tensor<?x?x3x7xi8>
}
}
