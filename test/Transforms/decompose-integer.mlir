// RUN: q-opt %s --qd-decompose | FileCheck %s --implicit-check-not=qd. --implicit-check-not=f32

// Reductions and element-wise ops over integers, one division a row; values are compared in
// test/Interpreter/integer-functions.mlir.

// CHECK-LABEL: @softmax
// CHECK:       linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]{{.*}} ins({{.*}} : tensor<3x4xi8>)
// CHECK:         arith.maxsi
// CHECK:       linalg.generic {{.*}} outs({{.*}} : tensor<3x4xi32>)
// CHECK:         tensor.extract {{.*}} : tensor<32xi32>
// CHECK:       linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]{{.*}} outs({{.*}} : tensor<3xi64>)
// CHECK:         arith.addi {{.*}} : i64
// CHECK:       linalg.generic {{.*}} outs({{.*}} : tensor<3xi64>)
// CHECK:         arith.divui
// CHECK:       linalg.generic {{.*}} outs({{.*}} : tensor<3x4xi8>)
// CHECK:         arith.shrsi
func.func @softmax(%x: tensor<3x4xi8>) -> tensor<3x4xi8> {
  %y = qd.int_softmax %x scheme(qd) axis = 1 scale = 6.25e-2 to 3.90625e-3 zero_point = -128 : tensor<3x4xi8> -> tensor<3x4xi8>
  return %y : tensor<3x4xi8>
}
