// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes that depend on data: where they come from, their checks, and tensors
// that change size.

#ifndef QDIALECT_IR_QDSIZEOPS
#define QDIALECT_IR_QDSIZEOPS

include "QDialect/IR/QDOpBase.td"

def QD_DataSizeOp : QD_Op<"data_size", [Pure]> {
  let summary = "a size that depends on data";
  let description = [{
    The size of a dimension of which only the run knows how much of it there is: the
    number of boxes that a non-maximum suppression keeps, of elements that are not
    zero, of iterations of a loop. It stands in `@main` or in a body of one of its
    loops and branches, and defines a symbol (`SymbolicShapes`), which sizes of later
    ops are computed from like from those of the inputs. `at_most` states the most that it can be, where there is
    such a number.

    *Semantics.*

    ```
    result = min(max(count, 0), at_most)        without at_most: max(count, 0)
    ```

    *Constraints.*
    * C1: count is a tensor of rank 0 of `i64`; at_most and the result are indices.

    *Example.*
    ```mlir
    %n = qd.data_size %count "boxes" at_most %limit : tensor<i64>
    ```
  }];
  let arguments = (ins 0DTensorOf<[I64]>:$count, StrAttr:$symbol, Optional<Index>:$limit);
  let results = (outs Index:$result);
  let assemblyFormat = "$count $symbol (`at_most` $limit^)? attr-dict `:` type($count)";
}

def QD_CheckCountOp : QD_Op<"check_count", [MemoryEffects<[MemWrite]>]> {
  let summary = "a number that must be a size";
  let description = [{
    A number that somebody asked for and that becomes a `qd.data_size` (the shape of a
    Reshape, the k of a TopK), which would silently move it into its range. Outside of
    the range the program ends there with an error that names the number and the bound
    that it exceeds. It stands where that size does, in front of it.

    *Semantics.*

    ```
    error "<what> is <count>, but must be at least 0"          if count < 0
    error "<what> is <count>, but must be at most <at_most>"   if count > at_most
    ```

    *Constraints.*
    * C1: count is a tensor of rank 0 of `i64`; at_most is an index.

    *Example.*
    ```mlir
    qd.check_count %k at_most %limit "node 'best' (TopK, opset 13): K" : tensor<i64>
    ```
  }];
  let arguments = (ins 0DTensorOf<[I64]>:$count, Optional<Index>:$limit, StrAttr:$what);
  let assemblyFormat = "$count (`at_most` $limit^)? $what attr-dict `:` type($count)";
}

def QD_CheckSizeOp : QD_Op<"check_size", [MemoryEffects<[MemWrite]>]> {
  let summary = "two sizes that must be equal";
  let description = [{
    What follows relies on two sizes being the same number, which depends on data: the
    elements of a tensor and those of the shape that it is given. If they differ the
    program ends there with an error that names both. It stands
    where such sizes do.

    *Semantics.*

    ```
    error "<what> is <size>, but must be <expected>"           if size != expected
    ```

    *Constraints.*
    * C1: both are indices.

    *Example.*
    ```mlir
    qd.check_size %asked is %count "node 'r' (Reshape, opset 13): the number of elements"
    ```
  }];
  let arguments = (ins Index:$size, Index:$expected, StrAttr:$what);
  let assemblyFormat = "$size `is` $expected $what attr-dict";
}

def QD_AnySizeOp : QD_Op<"any_size", [Pure]> {
  let summary = "a tensor whose sizes may change";
  let description = [{
    The same tensor, of a type that leaves sizes open: what a loop carries from one
    iteration to the next or a branch gives may be larger or smaller each time (a list
    that grows). The sizes of the result are unknown to `SymbolicShapes`, whatever those
    of the operand; `qd.sized` states them again. Unlike a `tensor.cast`, it is never
    moved through the loop, which would fix the sizes. Programs hold such tensors in
    memory that grows.

    *Semantics.*

    ```
    result = input
    ```

    *Constraints.*
    * C1: input and result are tensors of the same rank and element type; a static size
      of the result is that of the input.

    *Example.*
    ```mlir
    %0 = qd.any_size %start : tensor<1x8xf32> to tensor<?x8xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
}

def QD_SizedOp : QD_Op<"sized", [Pure,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>, AllTypesMatch<["input", "result"]>]> {
  let summary = "the sizes of a tensor that may change them";
  let description = [{
    The same tensor with its sizes stated, which were left open by a `qd.any_size`. Like
    every size they are index arithmetic over sizes of inputs and `qd.data_size`; the
    counts are carried beside the tensor. They must be its sizes: the interpreter says
    where they are not.

    *Semantics.*

    ```
    result = input                      shape(result) = shape(input) = type with sizes
    ```

    *Constraints.*
    * C1: there is a size for each `?` of the type.

    *Example.*
    ```mlir
    %n = qd.data_size %count "list:0" : tensor<i64>
    %0 = qd.sized %list[%n] : tensor<?x8xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, Variadic<Index>:$sizes);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `[` $sizes `]` attr-dict `:` type($input)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The sizes of all dimensions.
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedSizes();
  }];
}

#endif // QDIALECT_IR_QDSIZEOPS
