// RUN: q-opt %s -qd-widen-half -split-input-file | FileCheck %s
// Nothing is left to widen.
// RUN: q-opt %s -qd-widen-half -split-input-file > %t.once
// RUN: q-opt %s -qd-widen-half -qd-widen-half -split-input-file | diff %t.once -

#id = affine_map<(i) -> (i)>

// Arguments and results keep their types; in between there is no half precision and no rounding to it.

// CHECK-LABEL: func.func @main
// CHECK-SAME:  (%[[X:.+]]: tensor<4xf16> {qd.name = "x"}) -> (tensor<4xf16> {qd.name = "y"})
// CHECK:       %[[W:.+]] = linalg.generic {{.*}} ins(%[[X]] : tensor<4xf16>) {{.*}} {qd.name = "x"}
// CHECK:         arith.extf %{{.*}} : f16 to f32
// CHECK-DAG:   %[[C:.+]] = arith.constant dense<[1.000000e+00, 2.000000e+00, 0.0999755859, -0.000000e+00]> : tensor<4xf32>
// CHECK-DAG:   %[[H:.+]] = arith.constant 5.000000e-01 : f32
// CHECK:       %[[S:.+]] = linalg.generic {{.*}} ins(%[[W]], %[[C]] : tensor<4xf32>, tensor<4xf32>)
// CHECK:         arith.addf %{{.*}} : f32
// CHECK-NEXT:    arith.mulf %{{.*}}, %[[H]] : f32
// CHECK:       %[[Y:.+]] = linalg.generic {{.*}} ins(%[[S]] : tensor<4xf32>)
// CHECK:         arith.truncf %{{.*}} : f32 to f16
// CHECK:       return %[[Y]]
func.func @main(%x: tensor<4xf16> {qd.name = "x"}) -> (tensor<4xf16> {qd.name = "y"}) {
  %c = arith.constant dense<[1.0, 2.0, 0.1, -0.0]> : tensor<4xf16>
  %half = arith.constant 0.5 : f16
  %e = tensor.empty() : tensor<4xf16>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%x, %c : tensor<4xf16>, tensor<4xf16>) outs(%e : tensor<4xf16>) {
  ^bb0(%a: f16, %b: f16, %o: f16):
    %v = arith.addf %a, %b : f16
    %w = arith.mulf %v, %half : f16
    linalg.yield %w : f16
  } -> tensor<4xf16>
  return %y : tensor<4xf16>
}

// -----

#id = affine_map<(i) -> (i)>

// The casts that converters put around an op vanish, the ops that they were alone in too; a name without another owner
// stays.

// CHECK-LABEL: @casts
// CHECK-SAME:  %[[X:.+]]: tensor<?xf32>
// CHECK-NOT:   f16
// CHECK:       %[[Y:.+]] = linalg.generic {{.*}} ins(%[[X]] : tensor<?xf32>)
// CHECK:         math.exp
// CHECK:       } -> tensor<?xf32>
// CHECK-NEXT:  return %[[Y]]
func.func @casts(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %e16 = tensor.empty(%n) : tensor<?xf16>
  %e32 = tensor.empty(%n) : tensor<?xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf32>) outs(%e16 : tensor<?xf16>) {
  ^bb0(%a: f32, %o: f16):
    %v = arith.truncf %a : f32 to f16
    linalg.yield %v : f16
  } -> tensor<?xf16>
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%h : tensor<?xf16>) outs(%e16 : tensor<?xf16>) {
  ^bb0(%a: f16, %o: f16):
    %v = math.exp %a : f16
    linalg.yield %v : f16
  } -> tensor<?xf16>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%g : tensor<?xf16>) outs(%e32 : tensor<?xf32>) {
  ^bb0(%a: f16, %o: f32):
    %v = arith.extf %a : f16 to f32
    linalg.yield %v : f32
  } -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

#id = affine_map<(i) -> (i)>

// Who looks at the bits of half precision sees those of the rounded value, and who makes a number of bits gets it back.

// CHECK-LABEL: @bits
// CHECK:       %[[R:.+]] = arith.truncf %{{.*}} : f32 to bf16
// CHECK-NEXT:  %[[B:.+]] = arith.bitcast %[[R]] : bf16 to i16
// CHECK-NEXT:  %[[F:.+]] = arith.bitcast %[[B]] : i16 to f16
// CHECK-NEXT:  %[[E:.+]] = arith.extf %[[F]] : f16 to f32
// CHECK-NEXT:  linalg.yield %[[E]] : f32
func.func @bits(%x: tensor<2xf32>) -> tensor<2xf32> {
  %e = tensor.empty() : tensor<2xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<2xf32>) outs(%e : tensor<2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %h = arith.truncf %a : f32 to bf16
    %b = arith.bitcast %h : bf16 to i16
    %f = arith.bitcast %b : i16 to f16
    %v = arith.extf %f : f16 to f32
    linalg.yield %v : f32
  } -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// Control flow and qd ops carry on in f32; f64 stays what it is.

// CHECK-LABEL: @control
// CHECK:       scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (tensor<2x2xf32>)
// CHECK:         qd.softmax %{{.*}} axis = 1 : tensor<2x2xf32>
// CHECK:       arith.extf %{{.*}} : tensor<2x2xf32> to tensor<2x2xf64>
// CHECK:       linalg.generic
// CHECK:         arith.truncf %{{.*}} : f32 to bf16
func.func @control(%x: tensor<2x2xbf16>) -> (tensor<2x2xbf16>, tensor<2x2xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %y = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> tensor<2x2xbf16> {
    %s = qd.softmax %a axis = 1 : tensor<2x2xbf16>
    scf.yield %s : tensor<2x2xbf16>
  }
  %d = arith.extf %y : tensor<2x2xbf16> to tensor<2x2xf64>
  return %y, %d : tensor<2x2xbf16>, tensor<2x2xf64>
}

// -----

// Programs without half precision stay as they are.

// CHECK-LABEL: @nothing
// CHECK-NEXT:  return
func.func @nothing(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
