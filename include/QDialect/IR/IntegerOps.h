// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The integers that functions of codes stand for: from the attributes of an op
// to the parameters of Numerics/IntegerFunctions.h. Empty only for what the
// verifiers refuse.

#ifndef QDIALECT_IR_INTEGEROPS_H
#define QDIALECT_IR_INTEGEROPS_H

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/IntegerFunctions.h"

namespace qdialect {

std::optional<IntegerSoftmax> integersOf(qd::IntSoftmaxOp op);
std::optional<IntegerCurve> integersOf(qd::IntGeluOp op);
std::optional<IntegerCurve> integersOf(qd::IntSiluOp op);

} // namespace qdialect

#endif // QDIALECT_IR_INTEGEROPS_H
