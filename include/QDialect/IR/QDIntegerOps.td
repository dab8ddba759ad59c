// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of codes that are made of integers alone. Scales are attributes:
// they say which integers the compiler chooses and are gone when a model runs.

#ifndef QDIALECT_IR_QDINTEGEROPS
#define QDIALECT_IR_QDINTEGEROPS

include "QDialect/IR/QDOpBase.td"

def QD_CodeTensor : RankedTensorOf<[I8, I16]>;

class QD_IntegerOp<string mnemonic> : QD_Op<mnemonic, [Pure, QD_ShapedAsInput]> {
  let results = (outs QD_CodeTensor:$result);
  let hasVerifier = 1;
}

def QD_IntSoftmaxOp : QD_IntegerOp<"int_softmax"> {
  let summary = "softmax of codes over one axis, in integers";
  let description = [{
    The probabilities of codes along one axis, as codes. The zero point of the
    input does not matter.

    *Semantics.* Numerics/IntegerFunctions.h (docs/Numerics.md, section 11), with
    integers N, M, s, h that follow from the scheme and the scales:

    ```
    e[i] = exp(scale * (x[i] - max)), a table or polynomial of the scheme, >= 0
    r = floor(N / sum(e))                                    once a row
    y[i] = clamp(min((e[i] * r * M + h) >> s, qmax - z) + z)
    ```

    *Rounding*: `qd` to nearest, ties up; the papers' schemes take the floor.
    *Saturation*: to the codes of the result. There is no NaN; a row has a
    largest element, so the sum is positive. An empty row gives nothing.

    *Constraints.*
    * C1: input and result are ranked tensors of i8 or i16.
    * C2: the result has the input's shape.
    * C3: 0 <= axis < rank.
    * C4: a row has at most 32768 elements.
    * C5: the scales are positive and finite, that of the result between 2^-24 and 2^24.
    * C6: the zero point is a code of the result.

    *Example.*
    ```mlir
    %p = qd.int_softmax %x scheme(qd) axis = 1 scale = 1.0e-3 to 3.90625e-3 zero_point = -128
       : tensor<8x10xi16> -> tensor<8x10xi8>
    ```
  }];
  let arguments = (ins QD_CodeTensor:$input, QD_IntegerSchemeAttr:$scheme, I64Attr:$axis,
      F32Attr:$input_scale, F32Attr:$output_scale, I64Attr:$zero_point);
  let assemblyFormat = [{
    $input `scheme` `(` custom<Keyword>($scheme) `)` `axis` `=` custom<Integer>($axis)
    `scale` `=` custom<Float32>($input_scale) `to` custom<Float32>($output_scale)
    `zero_point` `=` custom<Integer>($zero_point) attr-dict `:` type($input) `->` type($result)
  }];
}

class QD_IntCurveOp<string mnemonic, string function> : QD_IntegerOp<mnemonic> {
  let summary = function # " of codes, in integers";
  let description = [{
    A function of one code at a time, codes to codes.

    *Semantics.* Numerics/IntegerFunctions.h (docs/Numerics.md, section 11). `qd`: i8
    codes by a table of every result; i16 codes u = x + 32768 by a parabola for
    each of 64 segments, k = u >> 10, t = u & 1023, with f binary digits:

    ```
    slope = ((bend[k] * t + 512) >> 10) + step[k]
    y = clamp((value[k] + ((slope * t + 512) >> 10) + half) >> f)
    ```

    `ibert`, `ivit`: the papers' formula of q = x - zero_point, a product that is
    multiplied and shifted to the result's grid. *Rounding*: to nearest, ties up.
    *Saturation*: to the codes of the result.

    *Constraints.*
    * C1: input and result are ranked tensors of i8 or i16.
    * C2: the result has the input's shape.
    * C3: the scales are positive and finite, and the scheme has integers for
      them (`ibert`'s gelu: a scale of the input of at least 2^-14).
    * C4: the zero points are codes of the input and of the result.

    *Example.*
    ```mlir
    %y = qd.}] # mnemonic # [{ %x scheme(qd) scale = 1.0e-3 zero_point = 0 to 2.0e-2 zero_point = -120
       : tensor<4x8xi16> -> tensor<4x8xi8>
    ```
  }];
  let arguments = (ins QD_CodeTensor:$input, QD_IntegerSchemeAttr:$scheme,
      F32Attr:$input_scale, I64Attr:$input_zero_point, F32Attr:$output_scale, I64Attr:$output_zero_point);
  let assemblyFormat = [{
    $input `scheme` `(` custom<Keyword>($scheme) `)` `scale` `=` custom<Float32>($input_scale)
    `zero_point` `=` custom<Integer>($input_zero_point) `to` custom<Float32>($output_scale)
    `zero_point` `=` custom<Integer>($output_zero_point) attr-dict `:` type($input) `->` type($result)
  }];
}

def QD_IntGeluOp : QD_IntCurveOp<"int_gelu", "Gaussian error linear unit">;
def QD_IntSiluOp : QD_IntCurveOp<"int_silu", "sigmoid linear unit">;

class QD_IntNormOp<string mnemonic> : QD_IntegerOp<mnemonic> {
  let assemblyFormat = [{
    $input `,` $gain `,` $bias `scheme` `(` custom<Keyword>($scheme) `)` `axis` `=` custom<Integer>($axis)
    `epsilon` `=` custom<Integer>($epsilon) `shift` `=` custom<Integer>($shift)
    attr-dict `:` type($input) `,` type($gain) `,` type($bias) `->` type($result)
  }];
}

def QD_IntLayerNormOp : QD_IntNormOp<"int_layer_norm"> {
  let summary = "layer normalization of codes over the trailing axes, in integers";
  let description = [{
    Normalizes the trailing dimensions from `axis` on. Scale and zero point of the
    input do not matter; the result's, gamma and beta are in gain and bias.

    *Semantics.* Numerics/IntegerFunctions.h (docs/Numerics.md, section 11), with n the
    number of elements of a row, f = max(26 - 2 ceil(log2 n), 0), all exact but where >> stands:

    ```
    S = sum(x);  v = ((n * sum(x * x) - S * S) << f) + epsilon               scheme qd
    root = floor(sqrt(v * 4^s)) in [2^30, 2^31);  r = floor(2^60 / root);  t = 44 - f / 2 - s
    z[i] = ((n * x[i] - S) * r + 2^(t - 1)) >> t                             16 digits behind the point
    y[i] = clamp((z[i] * gain[i] + bias[i]) >> shift)

    mean = floor(S / n + 1/2);  root = max(floor(sqrt(sum((x - mean)^2))), 1)    ibert, ivit
    z[i] = ((x[i] - mean) * floor(2^31 / root)) >> 1                         sqrt(n) / 2^30 a step
    ```

    Half a step of the result is part of the bias. *Saturation*: to the codes of the
    result. A row of equal elements gives the bias.

    *Constraints.*
    * C1: input and result are ranked tensors of i8 or i16, the gain of i32, the bias of i64.
    * C2: the result has the input's shape.
    * C3: 0 <= axis < rank.
    * C4: the row's dimensions are static, with 1 to 16384 elements.
    * C5: gain and bias have the trailing dimensions of the input from `axis` on.
    * C6: 0 < epsilon <= 2^60 and 0 <= shift <= 62.
    * C7: every element of the bias is in [-2^62, 2^62], so that no sum with a product leaves
      64 bits. Asked of the elements when the op runs.

    *Example.*
    ```mlir
    %y = qd.int_layer_norm %x, %gain, %bias scheme(qd) axis = 1 epsilon = 12 shift = 40
       : tensor<128x384xi16>, tensor<384xi32>, tensor<384xi64> -> tensor<128x384xi8>
    ```
  }];
  let arguments = (ins QD_CodeTensor:$input, RankedTensorOf<[I32]>:$gain, RankedTensorOf<[I64]>:$bias,
      QD_IntegerSchemeAttr:$scheme, I64Attr:$axis, I64Attr:$epsilon, I64Attr:$shift);
}

def QD_IntRmsNormOp : QD_IntNormOp<"int_rms_norm"> {
  let summary = "root mean square normalization of codes over the trailing axes, in integers";
  let description = [{
    Divides the trailing dimensions from `axis` on by their root mean square.

    *Semantics.* That of qd.int_layer_norm with x - zero_point for x, and with 0 for S
    and for the mean.

    *Constraints.*
    * C1: input and result are ranked tensors of i8 or i16, the gain of i32, the bias of i64.
    * C2: the result has the input's shape.
    * C3: 0 <= axis < rank.
    * C4: the row's dimensions are static, with 1 to 16384 elements.
    * C5: gain and bias have the trailing dimensions of the input from `axis` on.
    * C6: 0 < epsilon <= 2^60 and 0 <= shift <= 62.
    * C7: the zero point is a code of the input.
    * C8: every element of the bias is in [-2^62, 2^62]. Asked of the elements when the op runs.

    *Example.*
    ```mlir
    %y = qd.int_rms_norm %x, %gain, %bias scheme(qd) axis = 1 epsilon = 12 shift = 40 zero_point = -3
       : tensor<128x384xi16>, tensor<384xi32>, tensor<384xi64> -> tensor<128x384xi8>
    ```
  }];
  let arguments = (ins QD_CodeTensor:$input, RankedTensorOf<[I32]>:$gain, RankedTensorOf<[I64]>:$bias,
      QD_IntegerSchemeAttr:$scheme, I64Attr:$axis, I64Attr:$epsilon, I64Attr:$shift, I64Attr:$zero_point);
  let assemblyFormat = [{
    $input `,` $gain `,` $bias `scheme` `(` custom<Keyword>($scheme) `)` `axis` `=` custom<Integer>($axis)
    `epsilon` `=` custom<Integer>($epsilon) `shift` `=` custom<Integer>($shift)
    `zero_point` `=` custom<Integer>($zero_point)
    attr-dict `:` type($input) `,` type($gain) `,` type($bias) `->` type($result)
  }];
}

#endif // QDIALECT_IR_QDINTEGEROPS
