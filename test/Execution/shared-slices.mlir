// Slices that differ in where they begin share a kernel, which reads the place
// from memory; so do a transposed slice and another of the same steps. Those at
// the very start need no place, and another length is another kernel.
// RUN: rm -rf %t && mkdir %t
// RUN: qd-emit-model %s -o %t/net.so
// RUN: %python %S/Inputs/make-input.py int8 6x7x40 %t/x.npy
// RUN: q-run %t/net.so --input %t/x.npy --output-dir %t/out --compare %s --require-equal
// RUN: env QDIALECT_CPU=avx2 q-run %t/net.so --input %t/x.npy --compare %t/out --require-equal
// RUN: env QDIALECT_CPU=scalar q-run %t/net.so --input %t/x.npy --compare %t/out --require-equal
// RUN: q-run %t/net.so --receipt | FileCheck %s

// CHECK-DAG: "layers": 7
// CHECK-DAG: "kernels": 4

func.func @main(%arg0: tensor<6x7x40xi8> {qd.name = "x"}) -> (tensor<6x1x40xi8>, tensor<6x1x40xi8>, tensor<6x1x40xi8>, tensor<6x40x1xi8>, tensor<6x2x40xi8>, tensor<20x6x2xi8>, tensor<20x6x2xi8>) {
  %first = qd.dispatch ins(%arg0 : tensor<6x7x40xi8>) -> (tensor<6x1x40xi8>) {
  ^bb0(%x: tensor<6x7x40xi8>):
    %s = tensor.extract_slice %x[0, 0, 0] [6, 1, 40] [1, 1, 1] : tensor<6x7x40xi8> to tensor<6x1x40xi8>
    qd.yield %s : tensor<6x1x40xi8>
  }
  %third = qd.dispatch ins(%arg0 : tensor<6x7x40xi8>) -> (tensor<6x1x40xi8>) {
  ^bb0(%x: tensor<6x7x40xi8>):
    %s = tensor.extract_slice %x[0, 2, 0] [6, 1, 40] [1, 1, 1] : tensor<6x7x40xi8> to tensor<6x1x40xi8>
    qd.yield %s : tensor<6x1x40xi8>
  }
  %last = qd.dispatch ins(%arg0 : tensor<6x7x40xi8>) -> (tensor<6x1x40xi8>) {
  ^bb0(%x: tensor<6x7x40xi8>):
    %s = tensor.extract_slice %x[0, 6, 0] [6, 1, 40] [1, 1, 1] : tensor<6x7x40xi8> to tensor<6x1x40xi8>
    qd.yield %s : tensor<6x1x40xi8>
  }
  %turned = qd.dispatch ins(%arg0 : tensor<6x7x40xi8>) -> (tensor<6x40x1xi8>) {
  ^bb0(%x: tensor<6x7x40xi8>):
    %s = tensor.extract_slice %x[0, 5, 0] [6, 1, 40] [1, 1, 1] : tensor<6x7x40xi8> to tensor<6x1x40xi8>
    %e = tensor.empty() : tensor<6x40x1xi8>
    %t = linalg.transpose ins(%s : tensor<6x1x40xi8>) outs(%e : tensor<6x40x1xi8>) permutation = [0, 2, 1]
    qd.yield %t : tensor<6x40x1xi8>
  }
  %two = qd.dispatch ins(%arg0 : tensor<6x7x40xi8>) -> (tensor<6x2x40xi8>) {
  ^bb0(%x: tensor<6x7x40xi8>):
    %s = tensor.extract_slice %x[0, 5, 0] [6, 2, 40] [1, 1, 1] : tensor<6x7x40xi8> to tensor<6x2x40xi8>
    qd.yield %s : tensor<6x2x40xi8>
  }
  %even = qd.dispatch ins(%arg0 : tensor<6x7x40xi8>) -> (tensor<20x6x2xi8>) {
  ^bb0(%x: tensor<6x7x40xi8>):
    %s = tensor.extract_slice %x[0, 1, 2] [6, 2, 20] [1, 1, 1] : tensor<6x7x40xi8> to tensor<6x2x20xi8>
    %e = tensor.empty() : tensor<20x6x2xi8>
    %t = linalg.transpose ins(%s : tensor<6x2x20xi8>) outs(%e : tensor<20x6x2xi8>) permutation = [2, 0, 1]
    qd.yield %t : tensor<20x6x2xi8>
  }
  %odd = qd.dispatch ins(%arg0 : tensor<6x7x40xi8>) -> (tensor<20x6x2xi8>) {
  ^bb0(%x: tensor<6x7x40xi8>):
    %s = tensor.extract_slice %x[0, 5, 20] [6, 2, 20] [1, 1, 1] : tensor<6x7x40xi8> to tensor<6x2x20xi8>
    %e = tensor.empty() : tensor<20x6x2xi8>
    %t = linalg.transpose ins(%s : tensor<6x2x20xi8>) outs(%e : tensor<20x6x2xi8>) permutation = [2, 0, 1]
    qd.yield %t : tensor<20x6x2xi8>
  }
  return %first, %third, %last, %turned, %two, %even, %odd : tensor<6x1x40xi8>, tensor<6x1x40xi8>, tensor<6x1x40xi8>, tensor<6x40x1xi8>, tensor<6x2x40xi8>, tensor<20x6x2xi8>, tensor<20x6x2xi8>
}
