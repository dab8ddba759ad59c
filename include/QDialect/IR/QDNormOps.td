// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Float functions that lose their meaning when decomposed. Each has a
// decomposition (qd-decompose) that defines its bits.

#ifndef QDIALECT_IR_QDNORMOPS
#define QDIALECT_IR_QDNORMOPS

include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/VectorInterfaces.td"
include "QDialect/IR/QDOpBase.td"

class QD_ElementwiseFloatOp<string mnemonic> : QD_Op<mnemonic, [Pure,
    SameOperandsAndResultType, Elementwise, Scalarizable, Vectorizable, Tensorizable]>;

def QD_SoftmaxOp : QD_Op<"softmax", [Pure, SameOperandsAndResultType]> {
  let summary = "softmax over one axis";
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `axis` `=` custom<Integer>($axis) attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def QD_LayerNormOp : QD_Op<"layer_norm", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "layer normalization over the trailing axes";
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$gamma,
      Optional<AnyRankedTensor>:$beta, I64Attr:$axis, F32Attr:$epsilon);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $gamma (`,` $beta^)? `axis` `=` custom<Integer>($axis)
    `epsilon` `=` custom<Float32>($epsilon) attr-dict `:` type($input) `,` type($gamma) (`,` type($beta)^)?
  }];
  let hasVerifier = 1;
}

def QD_GeluOp : QD_ElementwiseFloatOp<"gelu"> {
  let summary = "Gaussian error linear unit";
  let arguments = (ins AnyType:$input, QD_GeluApproximationAttr:$approximate);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $input `approximate` `(` custom<Keyword>($approximate) `)` attr-dict `:` type($input)
  }];
}

def QD_SiluOp : QD_ElementwiseFloatOp<"silu"> {
  let summary = "sigmoid linear unit, x * sigmoid(x)";
  let arguments = (ins AnyType:$input);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

#endif // QDIALECT_IR_QDNORMOPS
