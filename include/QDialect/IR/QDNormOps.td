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

/// f16 and bf16 are computed in f32 and rounded once. f64 is computed in f64,
/// sums from left to right, by the interpreter alone: nothing lowers it.
def QD_FloatTensor : RankedTensorOf<[F16, BF16, F32, F64]>;

class QD_ElementwiseFloatOp<string mnemonic> : QD_Op<mnemonic, [Pure, QD_ShapedAsInput,
    SameOperandsAndResultType, Elementwise, Scalarizable, Vectorizable, Tensorizable]>;

def QD_SoftmaxOp : QD_Op<"softmax", [Pure, QD_ShapedAsInput, SameOperandsAndResultType]> {
  let summary = "softmax over one axis";
  let description = [{
    exp(x - max) divided by its sum, along one axis.

    *Semantics.* Numerics/Reductions.h, each operation rounded to f32:

    ```
    m = maximum of the row (NaN wins);  e[i] = exp(x[i] - m);  y[i] = e[i] / sum(e)
    ```

    exp is Numerics' sequence, the sum runs in sixteen lanes and a tree, so the
    bits are the same everywhere. f16 and bf16 are computed in f32 and
    rounded once; f64 in f64 from left to right, by the interpreter alone. *NaN*: a row with a NaN or +infinity, or of
    -infinity alone, is all NaN. Nothing saturates: m makes every exponent <= 0.

    *Constraints.*
    * C1: input and result are ranked tensors of f16, bf16, f32 or f64, of one type.
    * C2: 0 <= axis < rank.

    *Example.*
    ```mlir
    %p = qd.softmax %x axis = 1 : tensor<8x10xf32>
    ```
  }];
  let arguments = (ins QD_FloatTensor:$input, I64Attr:$axis);
  let results = (outs QD_FloatTensor:$result);
  let assemblyFormat = "$input `axis` `=` custom<Integer>($axis) attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def QD_LayerNormOp : QD_Op<"layer_norm", [Pure, QD_ShapedAsInput, AllTypesMatch<["input", "result"]>]> {
  let summary = "layer normalization over the trailing axes";
  let description = [{
    Normalizes the trailing dimensions from `axis` on, then scales and shifts.

    *Semantics.* With n the number of elements of a row (the trailing dimensions
    together), each operation rounded to f32:

    ```
    mean = sum(x) / n;  d = x - mean;  v = sum(d * d) / n
    y = (d * rsqrt(v + epsilon)) * gamma + beta        no fma; no addition without beta
    ```

    Sums run in sixteen lanes and a tree (Numerics/Reductions.h); rsqrt is 1 / sqrt.
    f16 and bf16 are computed in f32 and rounded once; f64 in f64 from left to
    right, by the interpreter alone. *NaN* and infinities make their row NaN.

    *Constraints.*
    * C1: input, gamma, beta and result are ranked tensors of f16, bf16, f32 or f64.
    * C2: 0 <= axis < rank.
    * C3: gamma has the trailing dimensions of the input from `axis` on and its
      element type.
    * C4: beta, if any, has gamma's type.
    * C5: epsilon is finite and not negative.

    *Example.*
    ```mlir
    %y = qd.layer_norm %x, %gamma, %beta axis = 2 epsilon = 1.0e-5
       : tensor<1x128x768xf32>, tensor<768xf32>, tensor<768xf32>
    ```
  }];
  let arguments = (ins QD_FloatTensor:$input, QD_FloatTensor:$gamma,
      Optional<QD_FloatTensor>:$beta, I64Attr:$axis, F32Attr:$epsilon);
  let results = (outs QD_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $gamma (`,` $beta^)? `axis` `=` custom<Integer>($axis)
    `epsilon` `=` custom<Float32>($epsilon) attr-dict `:` type($input) `,` type($gamma) (`,` type($beta)^)?
  }];
  let hasVerifier = 1;
}

def QD_RmsNormOp : QD_Op<"rms_norm", [Pure, QD_ShapedAsInput, AllTypesMatch<["input", "result"]>]> {
  let summary = "root mean square normalization over the trailing axes";
  let description = [{
    Divides the trailing dimensions from `axis` on by their root mean square, then
    scales them: a layer norm without a mean and an offset.

    *Semantics.* With n the number of elements of a row (the trailing dimensions
    together), each operation rounded to f32:

    ```
    v = sum(x * x) / n
    y = (x * rsqrt(v + epsilon)) * gamma        no fma
    ```

    Sums run in sixteen lanes and a tree (Numerics/Reductions.h); rsqrt is 1 / sqrt.
    f16 and bf16 are computed in f32 and rounded once; f64 in f64 from left to
    right, by the interpreter alone. A *NaN* makes its row NaN; an infinity becomes NaN and the rest of its row 0, as
    a row does of which a square overflows.

    *Constraints.*
    * C1: input, gamma and result are ranked tensors of f16, bf16, f32 or f64.
    * C2: 0 <= axis < rank.
    * C3: gamma has the trailing dimensions of the input from `axis` on and its
      element type.
    * C4: epsilon is finite and not negative.

    *Example.*
    ```mlir
    %y = qd.rms_norm %x, %gamma axis = 2 epsilon = 1.0e-6
       : tensor<1x128x768xf32>, tensor<768xf32>
    ```
  }];
  let arguments = (ins QD_FloatTensor:$input, QD_FloatTensor:$gamma, I64Attr:$axis, F32Attr:$epsilon);
  let results = (outs QD_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $gamma `axis` `=` custom<Integer>($axis) `epsilon` `=` custom<Float32>($epsilon)
    attr-dict `:` type($input) `,` type($gamma)
  }];
  let hasVerifier = 1;
}

def QD_GeluOp : QD_ElementwiseFloatOp<"gelu"> {
  let summary = "Gaussian error linear unit";
  let description = [{
    The Gaussian error linear unit, by the error function or by its tanh
    approximation.

    *Semantics.* Numerics/FloatFunctions.h, each operation rounded to f32:

    ```
    none: (x * 0.5) * (1 + erf(x * 0.70710678))
    tanh: (x * 0.5) * (1 + tanh(0.79788456 * (x + 0.044715 * ((x * x) * x))))
    ```

    *NaN* gives NaN, and so does -infinity (0 * inf). f16 and bf16 are computed in
    f32 and rounded once.

    *Constraints.*
    * C1: input and result are floats, or vectors or tensors of floats, of one type.

    *Example.*
    ```mlir
    %y = qd.gelu %x approximate(tanh) : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins FloatLike:$input, QD_GeluApproximationAttr:$approximate);
  let results = (outs FloatLike:$result);
  let assemblyFormat = [{
    $input `approximate` `(` custom<Keyword>($approximate) `)` attr-dict `:` type($input)
  }];
}

def QD_SiluOp : QD_ElementwiseFloatOp<"silu"> {
  let summary = "sigmoid linear unit, x * sigmoid(x)";
  let description = [{
    x times its logistic sigmoid.

    *Semantics.* Numerics/FloatFunctions.h, each operation rounded to f32, with
    z = exp(-|x|): `x * ((x < 0 ? z : 1) / (1 + z))`. *NaN* gives NaN, and so does
    -infinity (-inf * 0). f16 and bf16 are computed in f32 and rounded once.

    *Constraints.*
    * C1: input and result are floats, or vectors or tensors of floats, of one type.

    *Example.*
    ```mlir
    %y = qd.silu %x : vector<16xf32>
    ```
  }];
  let arguments = (ins FloatLike:$input);
  let results = (outs FloatLike:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

#endif // QDIALECT_IR_QDNORMOPS
