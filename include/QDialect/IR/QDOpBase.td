// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the op families share.

#ifndef QDIALECT_IR_QDOPBASE
#define QDIALECT_IR_QDOPBASE

include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "QDialect/IR/QDAttrs.td"
include "QDialect/IR/QDTypes.td"

class QD_Op<string mnemonic, list<Trait> traits = []> : Op<QD_Dialect, mnemonic, traits>;

/// The result, where it is a tensor, has the shape of the first operand.
def QD_ShapedAsInput
    : DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>;

/// One block size a dimension, 0 = the whole dimension; empty = all zero.
def QD_BlockSizesAttr : DefaultValuedAttr<DenseI64ArrayAttr, "{}">;

#endif // QDIALECT_IR_QDOPBASE
