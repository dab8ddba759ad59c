// What a compiled model needs, exports and says; what q-run does with it.
// RUN: rm -rf %t && mkdir %t
// RUN: qd-emit-model %s --prefix net -o %t/net.so
// RUN: ldd %t/net.so | FileCheck %s --check-prefix=NEEDS
// RUN: nm -D --defined-only %t/net.so | cut -d' ' -f2- | FileCheck %s --check-prefix=EXPORTS
// RUN: ls %t | FileCheck %s --check-prefix=FILES
// RUN: q-run %t/net.so --info | FileCheck %s --check-prefix=INFO
// RUN: q-run %t/net.so --receipt > %t/printed.json
// RUN: cmp %t/printed.json %t/net.receipt.json
// RUN: %python -m json.tool %t/net.receipt.json | FileCheck %s --check-prefix=RECEIPT

// Every variant and number of threads, against the interpreter.
// RUN: %python %S/Inputs/make-input.py int8 300x400 %t/x.npy
// RUN: q-run %t/net.so --input %t/x.npy --output-dir %t/out --compare %s --require-equal | FileCheck %s --check-prefix=EQUAL
// RUN: q-run %t/net.so --input x=%t/x.npy --threads 2 --compare %t/out --require-equal
// RUN: env QDIALECT_CPU=scalar q-run %t/net.so --input %t/x.npy --threads 3 --compare %t/out --require-equal
// RUN: qd-emit-model %s --generic-kernels -o %t/generic.so
// RUN: q-run %t/generic.so --input %t/x.npy --compare %t/out --require-equal

// RUN: q-run %t/net.so --benchmark --profile --min-time 0.01 --threads 2 --json %t/b.json | FileCheck %s --check-prefix=BENCH
// RUN: FileCheck %s --check-prefix=JSON --input-file %t/b.json

// NEEDS-NOT: =>
// NEEDS: libc.so.6 =>
// NEEDS-NOT: =>

// EXPORTS-COUNT-11: T net_{{create|destroy|error|info|output_dims|profile|result|run|run_dims|status_string|variant}}
// EXPORTS-NOT: {{.}}

// FILES: net.h
// FILES-NEXT: net.receipt.json
// FILES-NEXT: net.so
// FILES-NOT: {{.}}

// INFO: prefix net
// INFO: variants avx512amx, avx512vnni, avx2, scalar
// INFO: input x 300x400xint8
// INFO: output y 300x400xint8

// RECEIPT: "name": "clip"
// RECEIPT: "op": "elementwise"
// RECEIPT: "realised": "int8"
// RECEIPT: "int_macs": 0

// EQUAL: compare y max_abs_diff 0 sqnr_db inf cosine 1.000000 equal 1.000000

// BENCH: benchmark {{[0-9]+}} runs min {{.*}} threads 2
// BENCH: profile {{.*}} copy-in x
// BENCH: profile {{.*}} predicted {{[0-9.]+}} ms clip
// BENCH: profile {{.*}} copy-out y

// JSON: "threads": 2
// JSON: "runs": {{[0-9]+}}
// JSON: "min_ms": {{[0-9.]+}}
// JSON: "median_ms": {{[0-9.]+}}

func.func @main(%arg0: tensor<300x400xi8> {qd.name = "x"})
    -> (tensor<300x400xi8> {qd.name = "y"}) {
  %0 = qd.dispatch ins(%arg0 : tensor<300x400xi8>) -> (tensor<300x400xi8>) {
  ^bb0(%x: tensor<300x400xi8>):
    %low = arith.constant -100 : i8
    %high = arith.constant 90 : i8
    %e = tensor.empty() : tensor<300x400xi8>
    %r = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (i, j)>,
                         affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<300x400xi8>) outs(%e : tensor<300x400xi8>)
        attrs = {qd.name = "clip"} {
    ^bb0(%a: i8, %o: i8):
      %m = arith.maxsi %a, %low : i8
      %n = arith.minsi %m, %high : i8
      linalg.yield %n : i8
    } -> tensor<300x400xi8>
    qd.yield %r : tensor<300x400xi8>
  }
  return %0 : tensor<300x400xi8>
}
