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

def QD_QuantizeOp : QD_Op<"quantize", [Pure, AttrSizedOperandSegments]> {
  let summary = "real values to codes";
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

def QD_DequantizeOp : QD_Op<"dequantize", [Pure, AttrSizedOperandSegments]> {
  let summary = "codes to real values";
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

def QD_RequantizeOp : QD_Op<"requantize", [Pure]> {
  let summary = "accumulators to codes by a float scale";
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

def QD_RescaleOp : QD_Op<"rescale", [Pure]> {
  let summary = "accumulators to codes by a multiplier and a shift";
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

def QD_StorageCastOp : QD_Op<"storage_cast", [Pure, Elementwise, Scalarizable, Vectorizable,
    Tensorizable, DeclareOpInterfaceMethods<CastOpInterface>]> {
  let summary = "the same bits seen as another alphabet";
  let arguments = (ins AnyType:$input);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
}

def QD_ChooseParamsOp : QD_Op<"choose_params", [Pure]> {
  let summary = "scale and zero point from the data, at run time";
  let arguments = (ins AnyRankedTensor:$input, TypeAttr:$alphabet, UnitAttr:$symmetric,
      QD_BlockSizesAttr:$block_sizes);
  let results = (outs AnyRankedTensor:$scale, AnyRankedTensor:$zero_point);
  let assemblyFormat = [{
    $input `for` $alphabet (`symmetric` $symmetric^)? (`block_sizes` `=` $block_sizes^)?
    attr-dict `:` type($input) `->` type($scale) `,` type($zero_point)
  }];
  let hasVerifier = 1;
}

def QD_LookupOp : QD_Op<"lookup", [Pure]> {
  let summary = "a table indexed by codes";
  let arguments = (ins AnyType:$codes, AnyRankedTensor:$table);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $codes `,` $table attr-dict `:` type($codes) `,` type($table) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // QDIALECT_IR_QDCASTOPS
