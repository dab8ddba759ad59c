// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All of the dialect in one file, for the generated reference. C++ is generated
// family by family.

#ifndef QDIALECT_IR_QDOPS
#define QDIALECT_IR_QDOPS

include "QDialect/IR/QDCastOps.td"
include "QDialect/IR/QDIntegerOps.td"
include "QDialect/IR/QDNormOps.td"
include "QDialect/IR/QDProductOps.td"
include "QDialect/IR/QDSizeOps.td"
include "QDialect/IR/QDStructureOps.td"

#endif // QDIALECT_IR_QDOPS
