// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Declarations of every pass, generated from Passes.td. The patterns behind
// them are published in Transforms.h.

#ifndef QDIALECT_TRANSFORMS_PASSES_H
#define QDIALECT_TRANSFORMS_PASSES_H

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

namespace qdialect {

#define GEN_PASS_DECL
#include "QDialect/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "QDialect/Transforms/Passes.h.inc"

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_PASSES_H
