// Everything that can go wrong says so, with its exit code, and leaves no file.
// RUN: rm -rf %t && mkdir %t && touch %t/file
// RUN: not qd-emit-model %s -o %t/file/net.so 2>&1 | FileCheck %s --check-prefix=FILE
// RUN: not qd-emit-model %s -o %t 2>&1 | FileCheck %s --check-prefix=FOLDER
// RUN: not qd-emit-model %s --prefix 1st -o %t/net.so 2>&1 | FileCheck %s --check-prefix=PREFIX
// RUN: ls %t | FileCheck %s --check-prefix=NOTHING
// RUN: qd-emit-model %s --target-cpu scalar -o %t/net.so

// RUN: not q-run %t/file.so 2>&1 | FileCheck %s --check-prefix=ABSENT
// RUN: cp %s %t/text.so
// RUN: not q-run %t/text.so --info 2>&1 | FileCheck %s --check-prefix=TEXT
// RUN: not q-run %t/net.so 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: %python %S/Inputs/make-input.py float32 4 %t/good.npy
// RUN: %python %S/Inputs/make-input.py float32 5 %t/long.npy
// RUN: %python %S/Inputs/make-input.py float64 4 %t/double.npy
// RUN: not q-run %t/net.so --input %t/long.npy 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: not q-run %t/net.so --input %t/double.npy 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not q-run %t/net.so --input z=%t/good.npy 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not env QDIALECT_CPU=avx2 q-run %t/net.so --info 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not q-run %t/net.so --threads -1 --info 2>&1 | FileCheck %s --check-prefix=THREADS
// RUN: q-run --help | FileCheck %s --check-prefix=HELP

// A difference under --require-equal is exit code 2.
// RUN: q-run %t/net.so --input %t/good.npy --output-dir %t/out
// RUN: %python -c "import numpy; numpy.save(r'%t/out/result0.npy', numpy.zeros(4, 'float32'))"
// RUN: sh -c "q-run %t/net.so --input %t/good.npy --compare %t/out --require-equal; test $? = 2"

// FILE: error: cannot write '{{.*}}file/net.so': Not a directory
// FOLDER: error: cannot write '{{.*}}': Is a directory
// PREFIX: error: symbol prefix '1st' is not a C identifier
// NOTHING: file
// NOTHING-NOT: {{.}}
// ABSENT: error: cannot open '{{.*}}file.so': No such file or directory
// TEXT: error: '{{.*}}text.so' is not a compiled model
// MISSING: error: input 'arg0' (4xfloat32) is not given
// SHAPE: error: input 'arg0' is 4xfloat32, file '{{.*}}long.npy' holds 5xfloat32
// TYPE: error: input 'arg0' is 4xfloat32, file '{{.*}}double.npy' holds 4xfloat64
// NAME: error: the model has no input 'z'; its inputs: arg0
// CPU: error: cannot start model {{.*}} (asked for: avx2); the library has scalar
// THREADS: error: cannot start model {{.*}}: invalid argument (threads = -1)
// HELP: Exit codes: 0 success

func.func @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
  %0 = qd.dispatch ins(%arg0 : tensor<4xf32>) -> (tensor<4xf32>) {
  ^bb0(%x: tensor<4xf32>):
    %e = tensor.empty() : tensor<4xf32>
    %r = linalg.generic {
        indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
        iterator_types = ["parallel"]}
        ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.mulf %a, %a : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    qd.yield %r : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}
