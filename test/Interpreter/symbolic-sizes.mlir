// A program with symbolic sizes is interpreted as a copy for the shapes given.
// RUN: rm -rf %t && mkdir %t
// RUN: %python -c "import numpy as np; np.save('%t/x.npy', np.arange(6, dtype=np.float32).reshape(2, 3)); np.save('%t/y.npy', np.ones(3, np.float32)); np.save('%t/z.npy', np.ones(4, np.float32)); np.save('%t/w.npy', np.ones((9, 3), np.float32))"
// RUN: q-run %s --input x=%t/x.npy --input y=%t/y.npy | FileCheck %s
// RUN: not q-run %s --input x=%t/x.npy --input y=%t/z.npy 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not q-run %s --input x=%t/w.npy --input y=%t/y.npy 2>&1 | FileCheck %s --check-prefix=BOUND
// RUN: not q-run %s --input x=1 --input y=1 2>&1 | FileCheck %s --check-prefix=LITERAL

// CHECK: r: {{.*}}1{{.*}}2{{.*}}3{{.*}}4{{.*}}5{{.*}}6
// OTHER: error: dimension 0 of input 'y' is 4, but must be 3 like every 'seq'
// BOUND: error: dimension 0 of input 'x' is 9, but must be from 1 to 8 ('batch')
// LITERAL: error: input 'x' has symbolic sizes (?x?xfloat32): numbers need the shape of a .npy file

#row = affine_map<(d0, d1) -> (d1)>
#all = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%x: tensor<?x?xf32> {qd.name = "x", qd.dims = ["batch", "seq"]},
                %y: tensor<?xf32> {qd.name = "y", qd.dims = ["seq"]})
    -> (tensor<?xf32> {qd.name = "r"})
    attributes {qd.dim_bounds = {batch = array<i64: 1, 8>, seq = array<i64: 1, 99>}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %batch = tensor.dim %x, %c0 : tensor<?x?xf32>
  %seq = tensor.dim %x, %c1 : tensor<?x?xf32>
  %empty = tensor.empty(%batch, %seq) : tensor<?x?xf32>
  %sum = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : tensor<?x?xf32>, tensor<?xf32>) outs(%empty : tensor<?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<?x?xf32>
  %flat = tensor.collapse_shape %sum [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  return %flat : tensor<?xf32>
}
