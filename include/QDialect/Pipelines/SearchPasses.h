// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that compile and run programs, generated from Passes.td.

#ifndef QDIALECT_PIPELINES_SEARCHPASSES_H
#define QDIALECT_PIPELINES_SEARCHPASSES_H

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace qdialect {

#define GEN_PASS_DECL
#include "QDialect/Pipelines/SearchPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "QDialect/Pipelines/SearchPasses.h.inc"

} // namespace qdialect

#endif // QDIALECT_PIPELINES_SEARCHPASSES_H
