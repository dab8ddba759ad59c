// A declaration beside a program is left alone by every pass over functions.
//
// RUN: q-opt %s --qd-fold-constants --qd-raise-float-ops --qd-propagate-transposes --qd-convert-to-channel-last | FileCheck %s
// RUN: q-opt %s --qd-insert-observers --qd-quantize --qd-integerize --qd-form-dispatches | FileCheck %s
// RUN: q-opt %s --qd-normalize-pipeline | FileCheck %s
// RUN: q-opt %s --qd-quantize-pipeline | FileCheck %s
// RUN: q-opt %s --qd-absorb-bias --qd-correct-bias --qd-smooth-activations --qd-awq --qd-equalize-log --qd-clip-percentile --qd-expose-observed | FileCheck %s

// CHECK: func.func private @elsewhere(tensor<4xf16>, tensor<?x4x!qd.uint<4>>) -> tensor<4xf32>{{$}}
func.func private @elsewhere(tensor<4xf16>, tensor<?x4x!qd.uint<4>>) -> tensor<4xf32>
