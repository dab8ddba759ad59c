// The variant for AMX, in one file with others: its contraction multiplies by
// tiles, configured once a call, and released; what has no tiles is compiled
// once for both variants with vpdpbusd. Where the machine has AMX the best
// variant is that one, and its codes are those of the interpreter.
// RUN: rm -rf %t && mkdir %t
// RUN: qd-emit-model %s --target-cpu avx512amx,avx512vnni,avx2 -o %t/net.so
// RUN: q-run %t/net.so --info | FileCheck %s --check-prefix=INFO
// RUN: q-run %t/net.so --receipt | FileCheck %s --check-prefix=RECEIPT
// RUN: objdump -d --no-show-raw-insn %t/net.so | FileCheck %s --check-prefix=CODE
// RUN: %python %S/Inputs/make-input.py int8 1x9x9x20 %t/x.npy
// RUN: q-run %t/net.so --input %t/x.npy --output-dir %t/out --compare %s --require-equal
// RUN: env QDIALECT_CPU=avx2 q-run %t/net.so --input %t/x.npy --compare %t/out --require-equal

// INFO: variants avx512amx, avx512vnni, avx2

// RECEIPT: "avx512amx": "tdpbusd"

// CODE-DAG: ldtilecfg
// CODE-DAG: tileloadd
// CODE-DAG: tdpbusd
// CODE-DAG: tilestored
// CODE-DAG: tilerelease

func.func @main(%arg0: tensor<1x9x9x20xi8> {qd.name = "x"}) -> (tensor<1x9x9x24xi8>) {
  %0 = qd.dispatch ins(%arg0 : tensor<1x9x9x20xi8>) -> (tensor<1x9x9x24xi8>) {
  ^bb0(%x: tensor<1x9x9x20xi8>):
    %w = arith.constant dense<3> : tensor<3x3x20x24xi8>
    %zero = arith.constant -5 : i8
    %pad = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %zero : i8
    } : tensor<1x9x9x20xi8> to tensor<1x11x11x20xi8>
    %start = arith.constant 100 : i32
    %e = tensor.empty() : tensor<1x9x9x24xi32>
    %init = linalg.fill ins(%start : i32) outs(%e : tensor<1x9x9x24xi32>) -> tensor<1x9x9x24xi32>
    %acc = linalg.conv_2d_nhwc_hwcf {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
        ins(%pad, %w : tensor<1x11x11x20xi8>, tensor<3x3x20x24xi8>)
        outs(%init : tensor<1x9x9x24xi32>) -> tensor<1x9x9x24xi32>
    %eq = tensor.empty() : tensor<1x9x9x24xi8>
    %q = linalg.generic {indexing_maps = [affine_map<(n, y, x, c) -> (n, y, x, c)>, affine_map<(n, y, x, c) -> (n, y, x, c)>],
        iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
        ins(%acc : tensor<1x9x9x24xi32>) outs(%eq : tensor<1x9x9x24xi8>) {
    ^bb0(%a: i32, %o: i8):
      %s = arith.constant 0.013 : f32
      %c = qd.requantize %a scale %s rounding(half_even) overflow(saturate) : i32, f32 -> i8
      linalg.yield %c : i8
    } -> tensor<1x9x9x24xi8>
    qd.yield %q : tensor<1x9x9x24xi8>
  }
  return %0 : tensor<1x9x9x24xi8>
}
