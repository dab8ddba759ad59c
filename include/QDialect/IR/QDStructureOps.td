// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops about the program and not about numbers: the observer, and the unit of
// code generation.

#ifndef QDIALECT_IR_QDSTRUCTUREOPS
#define QDIALECT_IR_QDSTRUCTUREOPS

include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "QDialect/IR/QDOpBase.td"

def QD_ObserveOp : QD_Op<"observe", [MemoryEffects<[MemWrite]>, SameOperandsAndResultType]> {
  let summary = "marks a value whose statistics are wanted";
  let arguments = (ins AnyRankedTensor:$input, StrAttr:$value_name);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input $value_name attr-dict `:` type($input)";
}

def QD_DispatchOp : QD_Op<"dispatch", [IsolatedFromAbove, RecursiveMemoryEffects, SingleBlock]> {
  let summary = "the unit of code generation and of the receipt";
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`ins` `(` $inputs^ `:` type($inputs) `)`)? `->` `(` type($results) `)`
    attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The qd.yield that ends the body.
    ::qdialect::qd::YieldOp getYield();
  }];
}

def QD_YieldOp : QD_Op<"yield", [Pure, ReturnLike, Terminator, HasParent<"DispatchOp">]> {
  let summary = "ends a qd.dispatch";
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // QDIALECT_IR_QDSTRUCTUREOPS
