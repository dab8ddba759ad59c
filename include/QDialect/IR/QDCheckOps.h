// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The checks of sizes and the tensors that change size, for the few that make,
// run and compile them.

#ifndef QDIALECT_IR_QDCHECKOPS_H
#define QDIALECT_IR_QDCHECKOPS_H

#include "QDialect/IR/QDDialect.h"

#define GET_OP_CLASSES
#include "QDialect/IR/QDCheckOps.h.inc"

#endif // QDIALECT_IR_QDCHECKOPS_H
