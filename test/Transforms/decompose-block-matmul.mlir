// RUN: q-opt %s --qd-decompose -split-input-file | FileCheck %s
// Values: test/Interpreter/block-matmul.mlir.

// Whole blocks in a loop, each an i32 sum and a fused multiplication; the short
// one behind it.

// CHECK-LABEL: @short_block
// CHECK-SAME: %[[X:.+]]: tensor<3x10xi8>, %[[SX:.+]]: tensor<3x3xf32>, %[[W:.+]]: tensor<10x5xi4>, %[[SW:.+]]: tensor<3x5xf32>
// CHECK-DAG: %[[TWO:.+]] = arith.constant 2 : index
// CHECK: scf.for %[[B:.+]] = %{{.+}} to %[[TWO]] step %{{.+}} iter_args
// CHECK: tensor.extract_slice %[[X]]{{.*}} : tensor<3x10xi8> to tensor<3x4xi8>
// CHECK: linalg.generic {{.*}} outs(%{{.+}} : tensor<3x5xi32>)
// CHECK: linalg.generic
// CHECK: math.fma
// CHECK: scf.yield
// CHECK: tensor.extract_slice %[[X]]{{.*}} : tensor<3x10xi8> to tensor<3x2xi8>
// CHECK: math.fma
// CHECK-NOT: qd.block_matmul
func.func @short_block(%x: tensor<3x10xi8>, %sx: tensor<3x3xf32>, %w: tensor<10x5xi4>, %sw: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %y = qd.block_matmul %x scale %sx, %w scale %sw block = 4 : tensor<3x10xi8>, tensor<3x3xf32>, tensor<10x5xi4>, tensor<3x5xf32> -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}
