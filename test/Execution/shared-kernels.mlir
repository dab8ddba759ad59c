// Layers that differ in scales and zero points alone share a kernel, which reads
// the numbers from memory. A scale that is a power of two is part of the code,
// and so is what ranges prove: the last product may leave i32 when it is
// scaled. The zero point -128 of a left side needs no sums of columns.
// RUN: rm -rf %t && mkdir %t
// RUN: qd-emit-model %s -o %t/net.so
// RUN: %python %S/Inputs/make-input.py int8 2x20x20 %t/x.npy
// RUN: q-run %t/net.so --input %t/x.npy --output-dir %t/out --compare %s --require-equal
// RUN: env QDIALECT_CPU=avx2 q-run %t/net.so --input %t/x.npy --compare %t/out --require-equal
// RUN: env QDIALECT_CPU=scalar q-run %t/net.so --input %t/x.npy --compare %t/out --require-equal
// RUN: q-run %t/net.so --receipt | FileCheck %s

// CHECK-DAG: "layers": 8
// CHECK-DAG: "kernels": 5

#id = affine_map<(b, m, n) -> (b, m, n)>
#lhs = affine_map<(b, m, n, k) -> (b, m, k)>
#rhs = affine_map<(b, m, n, k) -> (b, k, n)>
#out = affine_map<(b, m, n, k) -> (b, m, n)>

func.func @main(%arg0: tensor<2x20x20xi8> {qd.name = "x"}) -> (tensor<2x20x20xi8>, tensor<2x20x20xi8>, tensor<2x20x20xi8>, tensor<2x20x20xi8>) {
  %v1 = qd.dispatch ins(%arg0 : tensor<2x20x20xi8>) -> (tensor<2x20x20xi8>) {
  ^bb0(%x: tensor<2x20x20xi8>):
    %e = tensor.empty() : tensor<2x20x20xi8>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<2x20x20xi8>) outs(%e : tensor<2x20x20xi8>) {
    ^bb0(%a: i8, %o: i8):
      %s = arith.constant 0.37 : f32
      %z = arith.constant 4 : i32
      %t = arith.constant 0.41 : f32
      %w = arith.constant -7 : i32
      %f = qd.dequantize %a scale %s zero_point %z : i8, f32, i32 -> f32
      %q = qd.quantize %f scale %t zero_point %w rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8
      linalg.yield %q : i8
    } -> tensor<2x20x20xi8>
    qd.yield %r : tensor<2x20x20xi8>
  }
  %v2 = qd.dispatch ins(%v1 : tensor<2x20x20xi8>) -> (tensor<2x20x20xi8>) {
  ^bb0(%x: tensor<2x20x20xi8>):
    %e = tensor.empty() : tensor<2x20x20xi8>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<2x20x20xi8>) outs(%e : tensor<2x20x20xi8>) {
    ^bb0(%a: i8, %o: i8):
      %s = arith.constant 0.53 : f32
      %z = arith.constant -11 : i32
      %t = arith.constant 0.29 : f32
      %w = arith.constant 60 : i32
      %f = qd.dequantize %a scale %s zero_point %z : i8, f32, i32 -> f32
      %q = qd.quantize %f scale %t zero_point %w rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8
      linalg.yield %q : i8
    } -> tensor<2x20x20xi8>
    qd.yield %r : tensor<2x20x20xi8>
  }
  %v3 = qd.dispatch ins(%v2 : tensor<2x20x20xi8>) -> (tensor<2x20x20xi8>) {
  ^bb0(%x: tensor<2x20x20xi8>):
    %e = tensor.empty() : tensor<2x20x20xi8>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<2x20x20xi8>) outs(%e : tensor<2x20x20xi8>) {
    ^bb0(%a: i8, %o: i8):
      %s = arith.constant 0.5 : f32
      %z = arith.constant 9 : i32
      %t = arith.constant 0.3 : f32
      %w = arith.constant -20 : i32
      %f = qd.dequantize %a scale %s zero_point %z : i8, f32, i32 -> f32
      %q = qd.quantize %f scale %t zero_point %w rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8
      linalg.yield %q : i8
    } -> tensor<2x20x20xi8>
    qd.yield %r : tensor<2x20x20xi8>
  }
  %w1 = qd.dispatch ins(%v1, %v2 : tensor<2x20x20xi8>, tensor<2x20x20xi8>) -> (tensor<2x20x20xi8>) {
  ^bb0(%x: tensor<2x20x20xi8>, %y: tensor<2x20x20xi8>):
    %zero = arith.constant 0 : i32
    %e32 = tensor.empty() : tensor<2x20x20xi32>
    %init = linalg.fill ins(%zero : i32) outs(%e32 : tensor<2x20x20xi32>) -> tensor<2x20x20xi32>
    %acc = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %y : tensor<2x20x20xi8>, tensor<2x20x20xi8>) outs(%init : tensor<2x20x20xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %za = arith.constant 13 : i32
      %zb = arith.constant -5 : i32
      %a32 = arith.extsi %a : i8 to i32
      %b32 = arith.extsi %b : i8 to i32
      %ac = arith.subi %a32, %za : i32
      %bc = arith.subi %b32, %zb : i32
      %p = arith.muli %ac, %bc : i32
      %n = arith.addi %o, %p : i32
      linalg.yield %n : i32
    } -> tensor<2x20x20xi32>
    %e = tensor.empty() : tensor<2x20x20xi8>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%acc : tensor<2x20x20xi32>) outs(%e : tensor<2x20x20xi8>) {
    ^bb0(%a: i32, %o: i8):
      %s = arith.constant 0.0031 : f32
      %z = arith.constant -3 : i32
      %q = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
      linalg.yield %q : i8
    } -> tensor<2x20x20xi8>
    qd.yield %r : tensor<2x20x20xi8>
  }
  %w2 = qd.dispatch ins(%v3, %w1 : tensor<2x20x20xi8>, tensor<2x20x20xi8>) -> (tensor<2x20x20xi8>) {
  ^bb0(%x: tensor<2x20x20xi8>, %y: tensor<2x20x20xi8>):
    %zero = arith.constant 0 : i32
    %e32 = tensor.empty() : tensor<2x20x20xi32>
    %init = linalg.fill ins(%zero : i32) outs(%e32 : tensor<2x20x20xi32>) -> tensor<2x20x20xi32>
    %acc = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %y : tensor<2x20x20xi8>, tensor<2x20x20xi8>) outs(%init : tensor<2x20x20xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %za = arith.constant -9 : i32
      %zb = arith.constant 21 : i32
      %a32 = arith.extsi %a : i8 to i32
      %b32 = arith.extsi %b : i8 to i32
      %ac = arith.subi %a32, %za : i32
      %bc = arith.subi %b32, %zb : i32
      %p = arith.muli %ac, %bc : i32
      %n = arith.addi %o, %p : i32
      linalg.yield %n : i32
    } -> tensor<2x20x20xi32>
    %e = tensor.empty() : tensor<2x20x20xi8>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%acc : tensor<2x20x20xi32>) outs(%e : tensor<2x20x20xi8>) {
    ^bb0(%a: i32, %o: i8):
      %s = arith.constant 0.0007 : f32
      %z = arith.constant 17 : i32
      %q = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
      linalg.yield %q : i8
    } -> tensor<2x20x20xi8>
    qd.yield %r : tensor<2x20x20xi8>
  }
  %w3 = qd.dispatch ins(%w1, %w2 : tensor<2x20x20xi8>, tensor<2x20x20xi8>) -> (tensor<2x20x20xi8>) {
  ^bb0(%x: tensor<2x20x20xi8>, %y: tensor<2x20x20xi8>):
    %zero = arith.constant 0 : i32
    %e32 = tensor.empty() : tensor<2x20x20xi32>
    %init = linalg.fill ins(%zero : i32) outs(%e32 : tensor<2x20x20xi32>) -> tensor<2x20x20xi32>
    %acc = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %y : tensor<2x20x20xi8>, tensor<2x20x20xi8>) outs(%init : tensor<2x20x20xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %za = arith.constant 5 : i32
      %zb = arith.constant 8 : i32
      %a32 = arith.extsi %a : i8 to i32
      %b32 = arith.extsi %b : i8 to i32
      %ac = arith.subi %a32, %za : i32
      %bc = arith.subi %b32, %zb : i32
      %p = arith.muli %ac, %bc : i32
      %n = arith.addi %o, %p : i32
      linalg.yield %n : i32
    } -> tensor<2x20x20xi32>
    %e = tensor.empty() : tensor<2x20x20xi8>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%acc : tensor<2x20x20xi32>) outs(%e : tensor<2x20x20xi8>) {
    ^bb0(%a: i32, %o: i8):
      %s = arith.constant 0.00047 : f32
      %z = arith.constant 1 : i32
      %q = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
      linalg.yield %q : i8
    } -> tensor<2x20x20xi8>
    qd.yield %r : tensor<2x20x20xi8>
  }
  %w4 = qd.dispatch ins(%w2, %w3 : tensor<2x20x20xi8>, tensor<2x20x20xi8>) -> (tensor<2x20x20xi8>) {
  ^bb0(%x: tensor<2x20x20xi8>, %y: tensor<2x20x20xi8>):
    %zero = arith.constant 0 : i32
    %e32 = tensor.empty() : tensor<2x20x20xi32>
    %init = linalg.fill ins(%zero : i32) outs(%e32 : tensor<2x20x20xi32>) -> tensor<2x20x20xi32>
    %acc = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %y : tensor<2x20x20xi8>, tensor<2x20x20xi8>) outs(%init : tensor<2x20x20xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %za = arith.constant -128 : i32
      %zb = arith.constant 3 : i32
      %a32 = arith.extsi %a : i8 to i32
      %b32 = arith.extsi %b : i8 to i32
      %ac = arith.subi %a32, %za : i32
      %bc = arith.subi %b32, %zb : i32
      %p = arith.muli %ac, %bc : i32
      %n = arith.addi %o, %p : i32
      linalg.yield %n : i32
    } -> tensor<2x20x20xi32>
    %e = tensor.empty() : tensor<2x20x20xi8>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%acc : tensor<2x20x20xi32>) outs(%e : tensor<2x20x20xi8>) {
    ^bb0(%a: i32, %o: i8):
      %s = arith.constant 0.0009 : f32
      %z = arith.constant 2 : i32
      %q = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
      linalg.yield %q : i8
    } -> tensor<2x20x20xi8>
    qd.yield %r : tensor<2x20x20xi8>
  }
  %w5 = qd.dispatch ins(%w3, %w2 : tensor<2x20x20xi8>, tensor<2x20x20xi8>) -> (tensor<2x20x20xi8>) {
  ^bb0(%x: tensor<2x20x20xi8>, %y: tensor<2x20x20xi8>):
    %zero = arith.constant 0 : i32
    %e32 = tensor.empty() : tensor<2x20x20xi32>
    %init = linalg.fill ins(%zero : i32) outs(%e32 : tensor<2x20x20xi32>) -> tensor<2x20x20xi32>
    %acc = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %y : tensor<2x20x20xi8>, tensor<2x20x20xi8>) outs(%init : tensor<2x20x20xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %za = arith.constant 4 : i32
      %zb = arith.constant 6 : i32
      %a32 = arith.extsi %a : i8 to i32
      %b32 = arith.extsi %b : i8 to i32
      %ac = arith.subi %a32, %za : i32
      %bc = arith.subi %b32, %zb : i32
      %p = arith.muli %ac, %bc : i32
      %n = arith.addi %o, %p : i32
      linalg.yield %n : i32
    } -> tensor<2x20x20xi32>
    %e = tensor.empty() : tensor<2x20x20xi8>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%acc : tensor<2x20x20xi32>) outs(%e : tensor<2x20x20xi8>) {
    ^bb0(%a: i32, %o: i8):
      %s = arith.constant 100000.0 : f32
      %z = arith.constant 5 : i32
      %q = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
      linalg.yield %q : i8
    } -> tensor<2x20x20xi8>
    qd.yield %r : tensor<2x20x20xi8>
  }
  return %w2, %w3, %w4, %w5 : tensor<2x20x20xi8>, tensor<2x20x20xi8>, tensor<2x20x20xi8>, tensor<2x20x20xi8>
}
