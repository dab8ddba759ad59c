// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/IR/QDCheckOps.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "QDialect/IR/QDCheckOps.cpp.inc"
