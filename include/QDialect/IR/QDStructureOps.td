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

def QD_ObserveOp : QD_Op<"observe", [MemoryEffects<[MemWrite]>, QD_ShapedAsInput, SameOperandsAndResultType]> {
  let summary = "marks a value whose statistics are wanted";
  let description = [{
    Passes its input through; whoever calibrates records the values under the
    name. Inserted by `qd-insert-observers`, replaced by a `qd.quantize` and
    `qd.dequantize` pair in `qd-quantize`. It counts as a write, so no pass removes,
    merges or duplicates it.

    *Semantics.* `result = input`, bit for bit.

    *Constraints.*
    * C1: input and result are ranked tensors of one type.

    *Example.*
    ```mlir
    %y = qd.observe %x "conv1" : tensor<1x8x8x16xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, StrAttr:$value_name);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input $value_name attr-dict `:` type($input)";
}

def QD_DispatchOp : QD_Op<"dispatch", [IsolatedFromAbove, RecursiveMemoryEffects, SingleBlock,
    DeclareOpInterfaceMethods<RegionBranchOpInterface, ["getEntrySuccessorOperands", "getRegionInvocationBounds"]>]> {
  let summary = "the unit of code generation and of the receipt";
  let description = [{
    What becomes one kernel: a root (contraction, convolution, pool, reduction, data
    movement) and its element-wise epilogue, or element-wise ops alone. Its
    constants (weights, scales, tables) stand inside; its operands are activations.

    *Semantics.* The results are the values that the body yields for its arguments.
    Nothing is reordered across its border.

    *Constraints.*
    * C1: the body's arguments have the types of the inputs: tensors, and indices
      that are sizes of dynamic dimensions.
    * C2: the body ends in `qd.yield`.
    * C3: the yielded values have the types of the results.
    * C4: it stands in no other dispatch.
    * The body sees nothing but its arguments (IsolatedFromAbove).

    *Example.*
    ```mlir
    %r = qd.dispatch ins(%x : tensor<4xi8>) -> (tensor<4xi8>) attributes {qd.name = "relu"} {
    ^bb0(%a: tensor<4xi8>):
      %t = arith.constant dense_resource<relu> : tensor<256xi8>
      %y = qd.lookup %a, %t : tensor<4xi8>, tensor<256xi8> -> tensor<4xi8>
      qd.yield %y : tensor<4xi8>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyTypeOf<[AnyRankedTensor, Index]>>:$inputs);
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
  let description = [{
    The values that a `qd.dispatch` results in.

    *Example.*
    ```mlir
    qd.yield %y : tensor<4xi8>
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // QDIALECT_IR_QDSTRUCTUREOPS
