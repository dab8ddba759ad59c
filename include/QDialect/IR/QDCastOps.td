// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Casts between real values and codes, and between codes.

#ifndef QDIALECT_IR_QDCASTOPS
#define QDIALECT_IR_QDCASTOPS

include "mlir/Interfaces/CastInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/VectorInterfaces.td"
include "QDialect/IR/QDOpBase.td"

def QD_QuantizeOp : QD_Op<"quantize", [Pure, QD_ShapedAsInput, AttrSizedOperandSegments]> {
  let summary = "real values to codes";
  let description = [{
    Divides by the scale, adds the zero point and takes the nearest code of the
    result's alphabet.

    *Semantics.* For each element x, with s the product of the scales in f32 from
    left to right, z the zero point (0 if absent) and [qmin, qmax] the codes:

    ```
    r = f32(x) / s                        one IEEE division, never x * (1 / s)
    r = 0                                 if r is NaN
    saturate: q = z + round(clamp(r, f32(qmin - z), f32(qmax - z)))
    wrap:     q = the low bits of z + round(r); infinities count as 0 too
    domain(real), z = m: r = (f32(x) - m) / s, then as with z = 0
    other alphabets than integers: q = the code nearest to r (Numerics/Format.h);
    floats that wrap: infinity or else NaN beyond the largest value, as IEEE 754 has it
    ```

    *Rounding* is the attribute; `stochastic` goes up with the probability of the
    fraction, by Philox keyed by `seed` and the element's row-major index.
    *Saturation*: clamping precedes rounding, which for integer ends is the same
    as after it. *NaN* (also 0 / 0) counts as r = 0 before the clamp, so it gives
    z where z is a code. x / 0 saturates by the sign of x; infinities saturate. A
    dead channel's scale is 1 by convention, never 0. An empty tensor gives an
    empty tensor. z may lie outside [qmin, qmax]; with |z| <= 2^23 the bounds are
    exact, beyond that the result is unspecified.

    *Constraints.*
    * C1: input, scales, zero point and result are all scalars, all vectors or all
      ranked tensors; a scale or zero point of a vector may be a scalar.
    * C2: input and result (and vector parameters) have one shape.
    * C3: input elements are f16, bf16 or f32.
    * C4: result elements are an alphabet of at most 19 bits.
    * C5: there is a scale; scale elements are f32, f16, bf16, f8E8M0FNU, f8E4M3FN
      or signless integers.
    * C6: the zero point is i32, or a float in the real domain.
    * C7: a zero point in codes needs an integer alphabet.
    * C8: `block_sizes` is empty, or the input is a tensor and there is one size a
      dimension.
    * C9: no block size is negative.
    * C10: each scale and zero point of a tensor has rank 0, or the input's rank
      with 1 or ceil(dimension / block) elements in each dimension (the last block
      may be short; block 0 is the whole dimension).
    * C11: with `group_index` exactly one block size is above 1.
    * C12: `group_index` is a row of i32 as long as that dimension; element i of
      it uses block `group_index[i]` instead of block i / size.
    * C13: `seed` is there if and only if the rounding is stochastic.
    * C14: stochastic rounding is for tensors.
    * C15: wrapping needs an alphabet of integers or floats.
    * C16: the numbers of a constant `group_index` are those of blocks, at least 0 and
      below ceil(dimension / size). Of one computed at run time they must be, too: the
      interpreter ends with an error, compiled code takes the nearest block.

    *Examples.*
    ```mlir
    %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate)
       : tensor<2x3xf32>, tensor<f32>, tensor<i32> -> tensor<2x3xi8>
    // One scale for each index of dimension 1.
    %c = qd.quantize %w scale %v rounding(half_even) overflow(saturate) block_sizes = [0, 1]
       : tensor<2x3xf32>, tensor<1x3xf32> -> tensor<2x3xi8>
    // The payload of a linalg.generic.
    %p = qd.quantize %a scale %b rounding(half_away) overflow(saturate) : f32, f32 -> !qd.uint<8>
    // NVFP4: a float scale for each 16 elements, another one for all.
    %n = qd.quantize %y scale %t, %s rounding(half_even) overflow(saturate) block_sizes = [1, 16]
       : tensor<4x64xf32>, tensor<4x4xf8E4M3FN>, tensor<f32> -> tensor<4x64xf4E2M1FN>
    ```
  }];
  let arguments = (ins AnyType:$input, Variadic<AnyType>:$scales,
      Optional<AnyType>:$zero_point, Optional<AnyType>:$group_index,
      QD_RoundingAttr:$rounding, QD_OverflowAttr:$overflow,
      QD_BlockSizesAttr:$block_sizes,
      DefaultValuedAttr<QD_ZeroPointDomainAttr, "ZeroPointDomain::Code">:$zero_point_domain,
      OptionalAttr<I64Attr>:$seed);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $input `scale` $scales (`zero_point` $zero_point^)? (`group_index` $group_index^)?
    `rounding` `(` custom<Keyword>($rounding) `)` `overflow` `(` custom<Keyword>($overflow) `)`
    (`block_sizes` `=` $block_sizes^)?
    (`domain` `(` custom<Keyword>($zero_point_domain)^ `)`)?
    attr-dict `:` type(operands) `->` type($result)
  }];
  let builders = [
    /// One scale, half_even, saturating, zero point (may be null) in codes.
    OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$input, "::mlir::Value":$scale,
      "::mlir::Value":$zeroPoint, CArg<"::llvm::ArrayRef<int64_t>", "{}">:$blockSizes)>
  ];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def QD_DequantizeOp : QD_Op<"dequantize", [Pure, QD_ShapedAsInput, AttrSizedOperandSegments]> {
  let summary = "codes to real values";
  let description = [{
    Takes the zero point off and multiplies by the scale.

    *Semantics.* With s, z as in `qd.quantize`:

    ```
    integers:       x = f32(q - z) * s    q - z exact, then rounded to f32
    other alphabets: x = f32(decode(q)) * s
    domain(real):   x = f32(q) * s + m    two roundings, no fma
    ```

    *Rounding*: to nearest even, in f32; an f16 or bf16 result is rounded once
    more. z may be any i32. *Saturation*: none, overflow gives infinity. *NaN* codes give NaN. On its
    own the op computes these bits; inside an island (everything up to the next
    `qd.quantize`) the exact value counts, see docs/Numerics.md.

    *Constraints.*
    * C1, C2: as for `qd.quantize`.
    * C3: input elements are an alphabet of at most 19 bits, or integers of at most
      32 bits (a bias).
    * C4: result elements are f16, bf16 or f32.
    * C5: as for `qd.quantize`.
    * C6: the zero point is i32, or a float in the real domain.
    * C7: a zero point in codes needs an integer alphabet.
    * C8: `block_sizes` is empty, or the input is a tensor and there is one size a
      dimension.
    * C9: no block size is negative.
    * C10: each scale and zero point of a tensor has rank 0, or the input's rank
      with 1 or ceil(dimension / block) elements in each dimension (the last block
      may be short; block 0 is the whole dimension).
    * C11: with `group_index` exactly one block size is above 1.
    * C12: `group_index` is a row of i32 as long as that dimension; element i of
      it uses block `group_index[i]` instead of block i / size.
    * C13: the numbers of a constant `group_index` are those of blocks, at least 0 and
      below ceil(dimension / size). Of one computed at run time they must be, too: the
      interpreter ends with an error, compiled code takes the nearest block.

    *Examples.*
    ```mlir
    %x = qd.dequantize %q scale %s zero_point %z : tensor<2x3xi8>, tensor<f32>, tensor<i32> -> tensor<2x3xf32>
    // Groups of 32 along dimension 0, in the order GPTQ chose.
    %w = qd.dequantize %c scale %v group_index %g block_sizes = [32, 1]
       : tensor<64x8xi4>, tensor<2x8xf32>, tensor<64xi32> -> tensor<64x8xf32>
    // Float zero points: q * s + m.
    %y = qd.dequantize %d scale %t zero_point %m domain(real) : tensor<8x!qd.uint<4>>, tensor<f32>, tensor<f32> -> tensor<8xf32>
    ```
  }];
  let arguments = (ins AnyType:$input, Variadic<AnyType>:$scales,
      Optional<AnyType>:$zero_point, Optional<AnyType>:$group_index,
      QD_BlockSizesAttr:$block_sizes,
      DefaultValuedAttr<QD_ZeroPointDomainAttr, "ZeroPointDomain::Code">:$zero_point_domain);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $input `scale` $scales (`zero_point` $zero_point^)? (`group_index` $group_index^)?
    (`block_sizes` `=` $block_sizes^)?
    (`domain` `(` custom<Keyword>($zero_point_domain)^ `)`)?
    attr-dict `:` type(operands) `->` type($result)
  }];
  let builders = [
    /// One scale, zero point (may be null) in codes.
    OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$input, "::mlir::Value":$scale,
      "::mlir::Value":$zeroPoint, CArg<"::llvm::ArrayRef<int64_t>", "{}">:$blockSizes)>
  ];
  let hasVerifier = 1;
}

def QD_RequantizeOp : QD_Op<"requantize", [Pure, QD_ShapedAsInput]> {
  let summary = "accumulators to codes by a float scale";
  let description = [{
    Scales an integer accumulator in f32 and takes the nearest code: the float
    rescale mode of integerized programs.

    *Semantics.*

    ```
    r = f32(acc) * s                      acc rounded to nearest even from 2^24 on
    r = 0                                 if r is NaN
    q = z + round(clamp(r, f32(qmin - z), f32(qmax - z)))
    wrap: as in qd.quantize
    ```

    s is RN(RN(sx * sw) / sy) for an input scale sx, a weight scale sw and an output
    scale sy. *Rounding* is the attribute. *Saturation* precedes rounding. *NaN* (an
    infinite or NaN s) counts as 0. z is as in `qd.quantize`.

    *Constraints.*
    * C1: input, scale, zero point and result are all scalars, all vectors or all
      ranked tensors; a scale or zero point of a vector may be a scalar.
    * C2: input and result (and vector parameters) have one shape.
    * C3: input elements are i32 or i64.
    * C4: result elements are an integer alphabet of at most 16 bits.
    * C5: the scale is f32.
    * C6: the zero point is i32.
    * C7, C8: `block_sizes` as C8, C9 of `qd.quantize`.
    * C9: parameters follow the blocks, as C10 of `qd.quantize`.
    * C10: the rounding is not stochastic.

    *Example.*
    ```mlir
    %q = qd.requantize %acc scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
    ```
  }];
  let arguments = (ins AnyType:$input, AnyType:$scale, Optional<AnyType>:$zero_point,
      QD_RoundingAttr:$rounding, QD_OverflowAttr:$overflow, QD_BlockSizesAttr:$block_sizes);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $input `scale` $scale (`zero_point` $zero_point^)?
    `rounding` `(` custom<Keyword>($rounding) `)` `overflow` `(` custom<Keyword>($overflow) `)`
    (`block_sizes` `=` $block_sizes^)? attr-dict `:` type(operands) `->` type($result)
  }];
  let hasVerifier = 1;
}

def QD_RescaleOp : QD_Op<"rescale", [Pure, QD_ShapedAsInput]> {
  let summary = "accumulators to codes by a multiplier and a shift";
  let description = [{
    Multiplies an integer accumulator by multiplier / 2^shift in integers: the
    dyadic rescale mode, compatible with `tosa.rescale`.

    *Semantics.*

    ```
    p = i64(acc) * multiplier             proven by the producer: |p| + 2^(shift - 1) < 2^63
    q = clamp(round(p / 2^shift) + z, qmin, qmax)
    wrap: the low bits of round(p / 2^shift) + z
    ```

    0 <= multiplier < 2^31, 0 <= shift <= 62; outside of this the result is
    unspecified. *Rounding* is the attribute (half_even from ONNX, half_up from
    TOSA), exact on the integer quotient. *Saturation* follows the addition of z.
    There is no NaN.

    *Constraints.*
    * C1: input, multiplier, shift, zero point and result are all scalars, all
      vectors or all ranked tensors; a parameter of a vector may be a scalar.
    * C2: input and result (and vector parameters) have one shape.
    * C3: input elements are i32 or i64.
    * C4: result elements are an integer alphabet of at most 32 bits.
    * C5: multiplier, shift and zero point are i32.
    * C6, C7: `block_sizes` as C8, C9 of `qd.quantize`.
    * C8: parameters follow the blocks, as C10 of `qd.quantize`.
    * C9: the rounding is not stochastic.

    *Example.*
    ```mlir
    // acc * 0.75 with 31 digits.
    %m = arith.constant 1610612736 : i32
    %n = arith.constant 31 : i32
    %q = qd.rescale %acc multiplier %m shift %n zero_point %z rounding(half_even) overflow(saturate)
       : i32, i32, i32, i32 -> i8
    ```
  }];
  let arguments = (ins AnyType:$input, AnyType:$multiplier, AnyType:$shift,
      Optional<AnyType>:$zero_point,
      QD_RoundingAttr:$rounding, QD_OverflowAttr:$overflow, QD_BlockSizesAttr:$block_sizes);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $input `multiplier` $multiplier `shift` $shift (`zero_point` $zero_point^)?
    `rounding` `(` custom<Keyword>($rounding) `)` `overflow` `(` custom<Keyword>($overflow) `)`
    (`block_sizes` `=` $block_sizes^)? attr-dict `:` type(operands) `->` type($result)
  }];
  let hasVerifier = 1;
}

def QD_StorageCastOp : QD_Op<"storage_cast", [Pure, QD_ShapedAsInput, Elementwise, Scalarizable, Vectorizable,
    Tensorizable, DeclareOpInterfaceMethods<CastOpInterface>]> {
  let summary = "the same bits seen as another alphabet";
  let description = [{
    Reinterprets the bits of codes as another element type of as many bits: the
    way between alphabet types and the integers or floats that arith and linalg
    accept. It costs nothing: tensors share their buffer (see
    BufferizableOpInterfaceImpl.h), and `qd-lower-alphabets` erases it.

    *Semantics.* The result has the bits of the input. No rounding, no saturation;
    NaN payloads are kept.

    *Constraints.*
    * C1: the result's type is the input's (scalar, vector, tensor or memref) with
      another element type: shape, scalable dimensions, encoding, layout and memory
      space are the same. Both element types are alphabets of as many bits.

    *Example.*
    ```mlir
    %bits = qd.storage_cast %codes : tensor<4x!qd.uint<8>> to tensor<4xi8>
    ```
  }];
  let arguments = (ins AnyType:$input);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
}

def QD_ChooseParamsOp : QD_Op<"choose_params", [Pure]> {
  let summary = "scale and zero point from the data, at run time";
  let description = [{
    Scale and zero point of each block from the data's minimum and maximum, for
    quantization at run time.

    *Semantics.* For each block, over its finite values, each operation rounded
    to f32, as ONNX's DynamicQuantizeLinear has it (Numerics/ScaleSelection.h):

    ```
    lo = min(0, values), hi = max(0, values)
    asymmetric: s = (hi - lo) / (qmax - qmin)
                z = rne(clamp(qmin - lo / s, qmin, qmax))
    symmetric:  s = max(|lo|, hi) / (qmax - z), z = the middle of the codes
    s = 1 where that is 0 or infinite
    ```

    *Rounding*: z to nearest even, clamped to the codes. *NaN* and infinities are
    ignored. A block without finite values or of zeros alone has s = 1 and z the
    code of 0. An empty tensor counts as such a block.

    *Constraints.*
    * C1: input elements are f16, bf16 or f32.
    * C2: the alphabet is an integer one of at most 16 bits.
    * C3: the scale is f32.
    * C4: the zero point is i32.
    * C5, C6: `block_sizes` as C8, C9 of `qd.quantize`.
    * C7: scale and zero point follow the blocks, as C10 of `qd.quantize`.
    * C8: scale and zero point have one shape.

    *Example.*
    ```mlir
    // One scale a row (token).
    %s, %z = qd.choose_params %x for i8 symmetric block_sizes = [1, 0]
           : tensor<16x64xf32> -> tensor<16x1xf32>, tensor<16x1xi32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, TypeAttr:$alphabet, UnitAttr:$symmetric,
      QD_BlockSizesAttr:$block_sizes);
  let results = (outs AnyRankedTensor:$scale, AnyRankedTensor:$zero_point);
  let assemblyFormat = [{
    $input `for` $alphabet (`symmetric` $symmetric^)? (`block_sizes` `=` $block_sizes^)?
    attr-dict `:` type($input) `->` type($scale) `,` type($zero_point)
  }];
  let hasVerifier = 1;
}

def QD_LookupOp : QD_Op<"lookup", [Pure, QD_ShapedAsInput]> {
  let summary = "a table indexed by codes";
  let description = [{
    Replaces each code by the table's element at the unsigned value of its bits;
    how integer programs compute any function of 8-bit codes.

    *Semantics.* `result = table[zext(bits(code))]`: code -1 of i8 reads element 255.
    No rounding, no saturation, no NaN.

    *Constraints.*
    * C1: codes and result are both scalars, vectors or ranked tensors.
    * C2: they have one shape.
    * C3: the codes are an alphabet of at most 16 bits.
    * C4: the table is a row of 2^bits elements.
    * C5: the result has the table's element type.

    *Example.*
    ```mlir
    %y = qd.lookup %codes, %table : tensor<4xi8>, tensor<256xi8> -> tensor<4xi8>
    ```
  }];
  let arguments = (ins AnyType:$codes, AnyRankedTensor:$table);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $codes `,` $table attr-dict `:` type($codes) `,` type($table) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // QDIALECT_IR_QDCASTOPS
