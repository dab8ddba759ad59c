// RUN: q-opt %s -qd-integerize=rescale=dyadic | FileCheck %s
// RUN: q-opt %s -qd-integerize=rescale=float | FileCheck %s --check-prefix=FLOAT
// RUN: q-opt %s -qd-integerize=rescale=dyadic -o %t.mlir
// RUN: q-run --interpret %t.mlir --input "[[-128, 127, 0, 4], [-1, 5, 1, -3]]" | FileCheck %s --check-prefix=VALUES

// Two rows become four: 1/4 and 3/4 are whole numbers of 2^-14, so the one
// rounding is that of the exact sum. A float build keeps its float sum.

// CHECK-LABEL: @main
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<2x4xi8>
// CHECK-DAG: arith.constant dense<[16384, 12288, 4096, 16384]> : tensor<4xi32>
// CHECK-DAG: arith.constant dense<[0, 4096, 12288, 0]> : tensor<4xi32>
// All of one code: 2^14 * [-128 + 7, 127 + 7].
// CHECK: linalg.generic
// CHECK-SAME: qd.acc_bound = array<i64: -1982464, 2195456>
// CHECK-SAME: qd.error_lsb
// CHECK-SAME: qd.intermediate_bits = array<i64: 23, 48>
// CHECK: tensor.extract %[[Q]]
// CHECK: arith.muli
// CHECK: tensor.extract %[[Q]]
// CHECK: arith.muli
// CHECK: arith.addi
// CHECK: qd.rescale
// CHECK-NOT: f32
// CHECK: return

// FLOAT-LABEL: @main
// FLOAT: arith.mulf
// FLOAT: qd.quantize

// Ties, here 103.5 and 42.5 steps from the zero point, go to even before it is
// added: 104 - 7 and 42 - 7.
// VALUES: 4x4xint8 {{\[}} [-128, 127, 0, 4], [-96, 97, 0, 2], [-33, 35, 1, -1], [-1, 5, 1, -3] ]
func.func @main(%q: tensor<2x4xi8>) -> tensor<4x4xi8> {
  %s = arith.constant dense<0.375> : tensor<f32>
  %z = arith.constant dense<-7> : tensor<i32>
  %first = arith.constant dense<[0, 0, 0, 1]> : tensor<4xi64>
  %second = arith.constant dense<[1, 1, 1, 1]> : tensor<4xi64>
  %w0 = arith.constant dense<[1.0, 0.75, 0.25, 1.0]> : tensor<4xf32>
  %w1 = arith.constant dense<[0.0, 0.25, 0.75, 0.0]> : tensor<4xf32>
  %x = qd.dequantize %q scale %s zero_point %z : tensor<2x4xi8>, tensor<f32>, tensor<i32> -> tensor<2x4xf32>
  %e = tensor.empty() : tensor<4x4xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(h, w) -> (h)>, affine_map<(h, w) -> (h)>, affine_map<(h, w) -> (h)>,
                       affine_map<(h, w) -> (h)>, affine_map<(h, w) -> (h, w)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%first, %w0, %second, %w1 : tensor<4xi64>, tensor<4xf32>, tensor<4xi64>, tensor<4xf32>)
      outs(%e : tensor<4x4xf32>) {
  ^bb0(%p0: i64, %a: f32, %p1: i64, %b: f32, %o: f32):
    %w = linalg.index 1 : index
    %i0 = arith.index_cast %p0 : i64 to index
    %v0 = tensor.extract %x[%i0, %w] : tensor<2x4xf32>
    %m0 = arith.mulf %v0, %a : f32
    %i1 = arith.index_cast %p1 : i64 to index
    %v1 = tensor.extract %x[%i1, %w] : tensor<2x4xf32>
    %m1 = arith.mulf %b, %v1 : f32
    %sum = arith.addf %m0, %m1 : f32
    linalg.yield %sum : f32
  } -> tensor<4x4xf32>
  %y = qd.quantize %r scale %s zero_point %z rounding(half_even) overflow(saturate) : tensor<4x4xf32>, tensor<f32>, tensor<i32> -> tensor<4x4xi8>
  return %y : tensor<4x4xi8>
}
