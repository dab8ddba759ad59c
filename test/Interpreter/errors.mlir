// What q-run says and how it exits when something is wrong.
// RUN: not q-run --interpret %s --function unknown_op --input x=1 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not q-run --interpret %s --function divide 2>&1 | FileCheck %s --check-prefix=DIVIDE
// RUN: not q-run --interpret %s --function bias --input [0,0] 2>&1 | FileCheck %s --check-prefix=BIAS
// RUN: not q-run --interpret %s --function none 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not q-run --interpret %s --function input 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not q-run --interpret %s --function input --input y=1 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not q-run --interpret %s --function input --input x=[1,2,3] 2>&1 | FileCheck %s --check-prefix=COUNT
// RUN: not q-run --interpret %s --function input --input x=one 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not q-run --interpret %s --function input --input x=1 --input 2 2>&1 | FileCheck %s --check-prefix=MORE
// RUN: not q-run --interpret %t.does-not-exist.mlir 2>&1 | FileCheck %s --check-prefix=FILE
// RUN: not q-run --interpret %s --function input --input x=1 --output-dir /proc/none 2>&1 | FileCheck %s --check-prefix=WRITE

// UNKNOWN: error: {{.*}}errors.mlir:[[#@LINE+2]]:8: 'math.cbrt' is not known to the interpreter
func.func @unknown_op(%x: tensor<2xf32> {qd.name = "x"}) -> tensor<2xf32> {
  %0 = math.cbrt %x : tensor<2xf32>
  return %0 : tensor<2xf32>
}

// BIAS: errors.mlir:[[#@LINE+4]]:8: 'qd.int_layer_norm' has the bias 9223372036854775807 at 1, outside [-2^62, 2^62]
func.func @bias(%x: tensor<1x2xi16>) -> tensor<1x2xi8> {
  %g = arith.constant dense<1> : tensor<2xi32>
  %b = arith.constant dense<[4611686018427387904, 9223372036854775807]> : tensor<2xi64>
  %0 = qd.int_layer_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 1 shift = 62 : tensor<1x2xi16>, tensor<2xi32>, tensor<2xi64> -> tensor<1x2xi8>
  return %0 : tensor<1x2xi8>
}

// DIVIDE: errors.mlir:[[#@LINE+3]]:8: 'arith.divsi' divides by zero
func.func @divide() -> tensor<1xi32> {
  %z = arith.constant dense<0> : tensor<1xi32>
  %0 = arith.divsi %z, %z : tensor<1xi32>
  return %0 : tensor<1xi32>
}

// NONE: error: '{{.*}}errors.mlir' has no function 'none'
// MISSING: error: no data for input 'x' (2xfloat32): give --input x=FILE.npy
// NAME: error: the program has no input 'y'
// COUNT: error: input 'x' wants 2 elements, got 3
// NUMBER: error: input 'x': 'one' is no number
// MORE: error: more inputs than the program has (1)
// FILE: does-not-exist.mlir
// WRITE: error: cannot create folder '/proc/none'
func.func @input(%x: tensor<2xf32> {qd.name = "x"}) -> (tensor<2xf32> {qd.name = "y"}) {
  return %x : tensor<2xf32>
}
