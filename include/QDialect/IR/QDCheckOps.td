// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of sizes that depend on data.

#ifndef QDIALECT_IR_QDCHECKOPS
#define QDIALECT_IR_QDCHECKOPS

include "QDialect/IR/QDOpBase.td"

def QD_CheckCountOp : QD_Op<"check_count", [MemoryEffects<[MemWrite]>]> {
  let summary = "a number that must be a size";
  let description = [{
    A number that somebody asked for and that becomes a `qd.data_size` (the shape of a
    Reshape, the k of a TopK), which would silently move it into its range. Outside of
    the range the program ends there with an error that names the number and the bound
    that it exceeds. It stands in `@main` and nowhere else, in front of that size.

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
    program ends there with an error that names both. It stands in `@main` and nowhere
    else.

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

#endif // QDIALECT_IR_QDCHECKOPS
