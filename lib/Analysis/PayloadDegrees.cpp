// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "PayloadDegrees.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect {
namespace {

/// How a scalar follows a factor f > 0. Zero is f * 0 and 0 at once.
enum class Degree { Zero, Fixed, Linear, Neither };

/// Of a sum, a maximum, a choice between two.
Degree same(Degree a, Degree b) {
  if (a == Degree::Zero)
    return b;
  if (b == Degree::Zero || a == b)
    return a;
  return Degree::Neither;
}

Degree product(Degree a, Degree b) {
  if (a == Degree::Neither || b == Degree::Neither)
    return Degree::Neither;
  if (a == Degree::Zero || b == Degree::Zero)
    return Degree::Zero;
  if (a == Degree::Fixed)
    return b;
  return b == Degree::Fixed ? a : Degree::Neither;
}

/// Of a constant, inside of the payload or captured.
Degree ofConstant(Operation *op) {
  return matchPattern(op->getResult(0), m_AnyZeroFloat()) ? Degree::Zero
                                                          : Degree::Fixed;
}

Degree ofOp(Operation *op, ArrayRef<Degree> operands) {
  if (op->hasTrait<OpTrait::ConstantLike>())
    return ofConstant(op);
  if (op->getNumRegions() != 0)
    return Degree::Neither;
  if (isa<arith::AddFOp, arith::SubFOp, arith::MaximumFOp, arith::MinimumFOp,
          arith::MaxNumFOp, arith::MinNumFOp>(op))
    return same(operands[0], operands[1]);
  if (isa<arith::MulFOp>(op))
    return product(operands[0], operands[1]);
  if (isa<arith::DivFOp>(op) && operands[1] == Degree::Fixed)
    return operands[0];
  if (isa<arith::NegFOp, math::AbsFOp>(op))
    return operands[0];
  // Which of two is larger does not change with a factor common to both.
  if (isa<arith::CmpFOp>(op))
    return same(operands[0], operands[1]) == Degree::Neither ? Degree::Neither
                                                             : Degree::Fixed;
  if (isa<arith::SelectOp>(op))
    return operands[0] == Degree::Fixed ? same(operands[1], operands[2])
                                        : Degree::Neither;
  bool fixed = llvm::all_of(operands, [](Degree degree) {
    return degree == Degree::Fixed || degree == Degree::Zero;
  });
  return fixed ? Degree::Fixed : Degree::Neither;
}

} // namespace

bool isLinearIn(linalg::GenericOp op, ArrayRef<unsigned> operands) {
  Block &body = *op.getBlock();
  llvm::DenseMap<Value, Degree> degrees;
  for (BlockArgument argument : body.getArguments())
    degrees[argument] = llvm::is_contained(operands, argument.getArgNumber())
                            ? Degree::Linear
                            : Degree::Fixed;
  auto of = [&](Value value) {
    auto it = degrees.find(value);
    if (it != degrees.end())
      return it->second;
    // Captured.
    Operation *maker = value.getDefiningOp();
    return maker && maker->hasTrait<OpTrait::ConstantLike>() ? ofConstant(maker)
                                                             : Degree::Neither;
  };
  for (Operation &inner : body.without_terminator()) {
    SmallVector<Degree> read = llvm::map_to_vector(inner.getOperands(), of);
    Degree degree = ofOp(&inner, read);
    for (Value result : inner.getResults())
      degrees[result] = degree;
  }
  return of(body.getTerminator()->getOperand(0)) == Degree::Linear;
}

} // namespace qdialect
