// Branches of the program: both sides are cut into kernels, quantized and calibrated like what stands around them. One side has a
// branch and a loop of its own, a loop has a branch in it; a side hands on what came from outside, or one value twice.

// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --recipe float -o %t/float.so
// RUN: q-run %t/float.so --receipt | FileCheck %s --check-prefix=FLOAT
// RUN: %python %S/Inputs/program_branches.py %t
// RUN: q-run %t/float.so --input x=%t/x.npy --input which=%t/0.npy --output-dir %t/so/0
// RUN: q-run %s --input x=%t/x.npy --input which=%t/0.npy --output-dir %t/interpreted/0
// RUN: q-run %t/float.so --input x=%t/x.npy --input which=%t/1.npy --output-dir %t/so/1
// RUN: q-run %s --input x=%t/x.npy --input which=%t/1.npy --output-dir %t/interpreted/1
// RUN: q-run %t/float.so --input x=%t/x.npy --input which=%t/2.npy --output-dir %t/so/2
// RUN: q-run %s --input x=%t/x.npy --input which=%t/2.npy --output-dir %t/interpreted/2
// RUN: %python %S/Inputs/program_branches.py %t 1e-6 1e-6

// The contraction of the loop in a branch runs three times. Exclusive layers all count.
// FLOAT: "name": "inside"
// FLOAT: "kernel": "contraction"
// FLOAT: "iterations": 3,
// FLOAT-NEXT: "branch": "then.then"
// FLOAT: "total_macs": 576

// RUN: q-compile %s --calibration %t/data.npz --stop-after=integerize -o %t/integer.mlir
// RUN: q-compile %s --calibration %t/data.npz --fail-on-fallback -o %t/integer.so
// RUN: q-run %t/integer.so --receipt | FileCheck %s --check-prefix=INTEGER
// RUN: q-run %t/integer.so --input x=%t/x.npy --input which=%t/0.npy --output-dir %t/so/0
// RUN: env QDIALECT_CPU=scalar q-run %t/integer.so --input x=%t/x.npy --input which=%t/0.npy --output-dir %t/scalar/0
// RUN: q-run %t/integer.mlir --input x=%t/x.npy --input which=%t/0.npy --output-dir %t/interpreted/0
// RUN: q-run %t/integer.so --input x=%t/x.npy --input which=%t/1.npy --output-dir %t/so/1
// RUN: env QDIALECT_CPU=scalar q-run %t/integer.so --input x=%t/x.npy --input which=%t/1.npy --output-dir %t/scalar/1
// RUN: q-run %t/integer.mlir --input x=%t/x.npy --input which=%t/1.npy --output-dir %t/interpreted/1
// RUN: q-run %t/integer.so --input x=%t/x.npy --input which=%t/2.npy --output-dir %t/so/2
// RUN: env QDIALECT_CPU=scalar q-run %t/integer.so --input x=%t/x.npy --input which=%t/2.npy --output-dir %t/scalar/2
// RUN: q-run %t/integer.mlir --input x=%t/x.npy --input which=%t/2.npy --output-dir %t/interpreted/2
// RUN: %python %S/Inputs/program_branches.py %t 0 0.08
// RUN: diff -r %t/so %t/scalar

// INTEGER: "fallbacks": 0
// INTEGER: "int_macs": 576
// INTEGER: "total_macs": 576

// No sample takes the first side: its layers say so, and the program is right all the same.
// RUN: q-compile %s --calibration %t/one-side.npz -o %t/one.so 2>&1 | FileCheck %s --check-prefix=WARNING
// RUN: q-run %t/one.so --receipt | FileCheck %s --check-prefix=ONE
// RUN: q-compile %s --calibration %t/one-side.npz --stop-after=integerize -o %t/integer.mlir
// RUN: q-run %t/one.so --input x=%t/x.npy --input which=%t/0.npy --output-dir %t/so/0
// RUN: q-run %t/integer.mlir --input x=%t/x.npy --input which=%t/0.npy --output-dir %t/interpreted/0
// RUN: q-run %t/one.so --input x=%t/x.npy --input which=%t/1.npy --output-dir %t/so/1
// RUN: q-run %t/integer.mlir --input x=%t/x.npy --input which=%t/1.npy --output-dir %t/interpreted/1
// RUN: q-run %t/one.so --input x=%t/x.npy --input which=%t/2.npy --output-dir %t/so/2
// RUN: q-run %t/integer.mlir --input x=%t/x.npy --input which=%t/2.npy --output-dir %t/interpreted/2
// RUN: %python %S/Inputs/program_branches.py %t 1e-6 0.08
// RUN: not q-compile %s --calibration %t/one-side.npz --fail-on-fallback -o %t/none.so 2>&1 | FileCheck %s --check-prefix=FAIL
// WARNING: warning: none of the 6 calibration samples takes the then branch: its layers stay float
// ONE: "name": "inside"
// ONE: "requested": "w8a8"
// ONE: "realised": "f32"
// ONE: "fallback": "no calibration sample takes the branch that it is in"
// FAIL: float: inside (linalg.matmul): no calibration sample takes the branch that it is in
// FAIL: error: 2 layers stay float (--fail-on-fallback)

#id = affine_map<(i, j) -> (i, j)>
func.func @main(%x: tensor<3x1x8xf32> {qd.name = "x"}, %which: tensor<i64> {qd.name = "which"})
    -> (tensor<1x8xf32> {qd.name = "y"}, tensor<1x8xf32> {qd.name = "same"}, tensor<3x1x8xf32> {qd.name = "rows"}) {
  %zero = arith.constant 0.0 : f32
  %none = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %weights = arith.constant dense<[
    [0.5, -0.25, 0.125, 0.0, 0.75, -0.5, 0.25, 0.0625], [0.25, 0.5, -0.125, 0.5, 0.0, 0.25, -0.75, 0.375],
    [-0.5, 0.125, 0.625, -0.25, 0.5, 0.0, 0.25, 0.125], [0.0, 0.75, -0.5, 0.25, -0.25, 0.5, 0.125, 0.0],
    [0.25, 0.0, 0.5, -0.5, 0.375, 0.25, 0.0, -0.25], [0.125, -0.5, 0.25, 0.0, 0.5, 0.75, -0.25, 0.5],
    [0.75, 0.25, 0.0, 0.125, -0.5, 0.25, 0.5, -0.125], [-0.25, 0.5, 0.375, 0.25, 0.0, -0.125, 0.5, 0.25]
  ]> : tensor<8x8xf32>
  %blank = tensor.empty() : tensor<1x8xf32>
  %storage = tensor.empty() : tensor<3x1x8xf32>
  %start = linalg.fill ins(%zero : f32) outs(%blank : tensor<1x8xf32>) -> tensor<1x8xf32>
  %number = tensor.extract %which[] : tensor<i64>
  %any = arith.cmpi sgt, %number, %none : i64
  %two = arith.cmpi sgt, %number, %one : i64
  %first = tensor.extract_slice %x[0, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<3x1x8xf32> to tensor<1x8xf32>
  %in = linalg.matmul {qd.name = "in"} ins(%first, %weights : tensor<1x8xf32>, tensor<8x8xf32>)
      outs(%start : tensor<1x8xf32>) -> tensor<1x8xf32>
  %chosen:2 = scf.if %any -> (tensor<1x8xf32>, tensor<1x8xf32>) {
    %side = scf.if %two -> (tensor<1x8xf32>) {
      %end = scf.for %t = %c0 to %c3 step %c1 iter_args(%state = %in) -> (tensor<1x8xf32>) {
        %sum = linalg.matmul {qd.name = "inside"} ins(%state, %weights : tensor<1x8xf32>, tensor<8x8xf32>)
            outs(%start : tensor<1x8xf32>) -> tensor<1x8xf32>
        %next = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
            ins(%sum : tensor<1x8xf32>) outs(%blank : tensor<1x8xf32>) {
        ^bb0(%a: f32, %o: f32):
          %e = math.tanh %a : f32
          linalg.yield %e : f32
        } -> tensor<1x8xf32>
        scf.yield %next : tensor<1x8xf32>
      }
      scf.yield %end : tensor<1x8xf32>
    } else {
      scf.yield %in : tensor<1x8xf32>
    }
    scf.yield %side, %first : tensor<1x8xf32>, tensor<1x8xf32>
  } else {
    %sum = linalg.matmul {qd.name = "other"} ins(%in, %weights : tensor<1x8xf32>, tensor<8x8xf32>)
        outs(%start : tensor<1x8xf32>) -> tensor<1x8xf32>
    scf.yield %sum, %sum : tensor<1x8xf32>, tensor<1x8xf32>
  }
  %out = linalg.matmul {qd.name = "out"} ins(%chosen#0, %weights : tensor<1x8xf32>, tensor<8x8xf32>)
      outs(%start : tensor<1x8xf32>) -> tensor<1x8xf32>
  %rows = scf.for %t = %c0 to %c3 step %c1 iter_args(%all = %storage) -> (tensor<3x1x8xf32>) {
    %row = scf.if %two -> (tensor<1x8xf32>) {
      %read = tensor.extract_slice %x[%t, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<3x1x8xf32> to tensor<1x8xf32>
      %sum = linalg.matmul {qd.name = "row"} ins(%read, %weights : tensor<1x8xf32>, tensor<8x8xf32>)
          outs(%start : tensor<1x8xf32>) -> tensor<1x8xf32>
      scf.yield %sum : tensor<1x8xf32>
    } else {
      scf.yield %out : tensor<1x8xf32>
    }
    %written = tensor.insert_slice %row into %all[%t, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<1x8xf32> into tensor<3x1x8xf32>
    scf.yield %written : tensor<3x1x8xf32>
  }
  return %out, %chosen#1, %rows : tensor<1x8xf32>, tensor<1x8xf32>, tensor<3x1x8xf32>
}
