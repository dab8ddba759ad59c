// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the named float functions.

#include "OpSyntax.h"

using namespace mlir;
using namespace qdialect::qd;

#define GET_OP_CLASSES
#include "QDialect/IR/QDNormOps.cpp.inc"

LogicalResult SoftmaxOp::verify() { return success(); }
LogicalResult LayerNormOp::verify() { return success(); }
