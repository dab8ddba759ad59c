// q-run on a program with inputs: literals, files, names of outputs.
// RUN: q-run --interpret %s --input "x=[1, -2.5]" --input "i=[[3, 4]]" | FileCheck %s
// Without names, in order; one number fills a tensor.
// RUN: q-run %s --input "dense<[1, -2.5]>" --input 7 | FileCheck %s --check-prefix=ORDER
// What is written can be read again, and is what numpy reads.
// RUN: rm -rf %t && q-run %s --input "x=[1, -2.5]" --input "i=[3, 4]" --output-dir %t | count 0
// RUN: q-run %s --input x=%t/layer_out.npy --input i=%t/result1.npy --print | FileCheck %s --check-prefix=AGAIN
// RUN: %python -c "import numpy; a = numpy.load('%t/layer_out.npy'); print(a.dtype, a.tolist()); numpy.savez('%t/in.npz', x=a, i=numpy.array([[5, 6]], dtype=numpy.int8))" | FileCheck %s --check-prefix=NUMPY
// RUN: q-run %s --input %t/in.npz | FileCheck %s --check-prefix=NPZ
// RUN: not q-run %s --input x=%t/result1.npy --input i=1 2>&1 | FileCheck %s --check-prefix=TYPE

// CHECK: layer/out: 2xfloat32 [2, -5]
// CHECK-NEXT: result1: 1x2xint8 [ [3, 4] ]
// ORDER: layer/out: 2xfloat32 [2, -5]
// ORDER-NEXT: result1: 1x2xint8 [ [7, 7] ]
// AGAIN: layer/out: 2xfloat32 [4, -10]
// NUMPY: float32 [2.0, -5.0]
// NPZ: layer/out: 2xfloat32 [4, -10]
// NPZ-NEXT: result1: 1x2xint8 [ [5, 6] ]
// TYPE: error: input 'x' wants 2xfloat32, '{{.*}}result1.npy' holds 1x2xint8
func.func @main(%x: tensor<2xf32> {qd.name = "x"}, %i: tensor<1x2xi8> {qd.name = "i"})
    -> (tensor<2xf32> {qd.name = "layer/out"}, tensor<1x2xi8>) {
  %0 = arith.addf %x, %x : tensor<2xf32>
  return %0, %i : tensor<2xf32>, tensor<1x2xi8>
}
