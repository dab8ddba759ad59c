// A loop of the program: its body is cut into kernels, quantized and calibrated like what stands around it. A GRU-like cell
// over five rows; the states of all steps and the last one are results, one row is read backwards.

// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --recipe float -o %t/float.so
// RUN: q-run %t/float.so --receipt | FileCheck %s --check-prefix=FLOAT
// RUN: %python %S/Inputs/program_loops.py %t
// RUN: q-run %t/float.so --input x=%t/x.npy --input h=%t/h.npy --output-dir %t/so
// RUN: q-run %s --input x=%t/x.npy --input h=%t/h.npy --output-dir %t/interpreted
// RUN: %python %S/Inputs/program_loops.py %t compare 1e-6

// The contraction runs five times; nothing is left to the generic family.
// FLOAT-NOT: "kernel": "generic"
// FLOAT: "iterations": 5
// FLOAT: "macs": 320

// RUN: q-compile %s --calibration %t/data.npz --stop-after=quantize -o %t/quantize.mlir
// RUN: FileCheck %s --check-prefix=QUANTIZE --input-file %t/quantize.mlir
// RUN: q-compile %s --calibration %t/data.npz --stop-after=integerize -o %t/integer.mlir
// RUN: q-compile %s --calibration %t/data.npz --fail-on-fallback -o %t/integer.so
// RUN: q-run %t/integer.so --receipt | FileCheck %s --check-prefix=INTEGER
// RUN: q-run %t/integer.so --input x=%t/x.npy --input h=%t/h.npy --output-dir %t/so
// RUN: q-run %t/integer.mlir --input x=%t/x.npy --input h=%t/h.npy --output-dir %t/interpreted
// RUN: %python %S/Inputs/program_loops.py %t compare 0

// The state is rounded in the loop, on the grid of all its iterations.
// QUANTIZE: scf.for
// QUANTIZE: qd.quantize
// QUANTIZE: linalg.matmul
// QUANTIZE: scf.yield
// INTEGER: "int_macs": 320
// INTEGER: "total_macs": 320

#id = affine_map<(i, j) -> (i, j)>
func.func @main(%x: tensor<5x1x8xf32> {qd.name = "x"}, %h: tensor<1x8xf32> {qd.name = "h"})
    -> (tensor<5x1x8xf32> {qd.name = "all"}, tensor<1x8xf32> {qd.name = "last"}, tensor<1x8xf32> {qd.name = "before"}) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c5 = arith.constant 5 : index
  %weights = arith.constant dense<[
    [0.5, -0.25, 0.125, 0.0, 0.75, -0.5, 0.25, 0.0625], [0.25, 0.5, -0.125, 0.5, 0.0, 0.25, -0.75, 0.375],
    [-0.5, 0.125, 0.625, -0.25, 0.5, 0.0, 0.25, 0.125], [0.0, 0.75, -0.5, 0.25, -0.25, 0.5, 0.125, 0.0],
    [0.25, 0.0, 0.5, -0.5, 0.375, 0.25, 0.0, -0.25], [0.125, -0.5, 0.25, 0.0, 0.5, 0.75, -0.25, 0.5],
    [0.75, 0.25, 0.0, 0.125, -0.5, 0.25, 0.5, -0.125], [-0.25, 0.5, 0.375, 0.25, 0.0, -0.125, 0.5, 0.25]
  ]> : tensor<8x8xf32>
  %storage = tensor.empty() : tensor<5x1x8xf32>
  %blank = tensor.empty() : tensor<1x8xf32>
  %end:3 = scf.for %t = %c0 to %c5 step %c1 iter_args(%state = %h, %all = %storage, %old = %h)
      -> (tensor<1x8xf32>, tensor<5x1x8xf32>, tensor<1x8xf32>) {
    %back = arith.subi %c4, %t : index
    %in = tensor.extract_slice %x[%back, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<5x1x8xf32> to tensor<1x8xf32>
    %start = linalg.fill ins(%zero : f32) outs(%blank : tensor<1x8xf32>) -> tensor<1x8xf32>
    %sum = linalg.matmul {qd.name = "product"} ins(%state, %weights : tensor<1x8xf32>, tensor<8x8xf32>)
        outs(%start : tensor<1x8xf32>) -> tensor<1x8xf32>
    %next = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%sum, %in : tensor<1x8xf32>, tensor<1x8xf32>) outs(%blank : tensor<1x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      %y = math.tanh %s : f32
      linalg.yield %y : f32
    } -> tensor<1x8xf32>
    %written = tensor.insert_slice %next into %all[%t, 0, 0] [1, 1, 8] [1, 1, 1]
        : tensor<1x8xf32> into tensor<5x1x8xf32>
    // The state before the last one: what is carried is read before it is written.
    scf.yield %next, %written, %state : tensor<1x8xf32>, tensor<5x1x8xf32>, tensor<1x8xf32>
  }
  return %end#1, %end#0, %end#2 : tensor<5x1x8xf32>, tensor<1x8xf32>, tensor<1x8xf32>
}
