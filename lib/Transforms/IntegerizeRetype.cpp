// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies a linalg op over operands of other element types. Named ops bring the
// builder of their payload; a generic gets the payload of its kind.

#include "IntegerizeRetype.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

namespace qdialect {
namespace {

/// out (+) ext(a) [* ext(b)] for integers, or max(out, a), or a.
void buildPayload(OpBuilder &builder, Location loc, linalg::GenericOp original,
                  Block &body) {
  Type type = body.getArguments().back().getType();
  Value accumulator = body.getArguments().back();
  auto widen = [&](Value value) -> Value {
    if (value.getType() == type)
      return value;
    return arith::ExtSIOp::create(builder, loc, type, value);
  };
  Value element = widen(body.getArgument(0));
  // Of a pool too, whose second input is the shape of its window.
  std::optional<ReductionKind> kind = getReductionKind(original);
  Value result;
  if (isCopy(original)) {
    result = body.getArgument(0);
  } else if (kind == ReductionKind::Max) {
    result = arith::MaxSIOp::create(builder, loc, accumulator, element);
  } else if (kind == ReductionKind::Sum) {
    result = arith::AddIOp::create(builder, loc, accumulator, element);
  } else {
    Value product = arith::MulIOp::create(builder, loc, element,
                                          widen(body.getArgument(1)));
    result = arith::AddIOp::create(builder, loc, accumulator, product);
  }
  linalg::YieldOp::create(builder, loc, result);
}

} // namespace

Operation *retypeLinalg(OpBuilder &builder, linalg::LinalgOp op,
                        ValueRange operands) {
  Location loc = op.getLoc();
  Type result = operands.back().getType();
  // The attributes go over as they are: strides, maps, operand segments.
  Operation *copy = Operation::create(
      loc, op->getName(), TypeRange(result), operands, NamedAttrList(),
      op->getPropertiesStorage(), BlockRange(), /*numRegions=*/1);
  builder.insert(copy);
  Block &body = copy->getRegion(0).emplaceBlock();
  for (Value operand : operands)
    body.addArgument(getElementTypeOrSelf(operand.getType()), loc);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&body);
  if (auto generic = dyn_cast<linalg::GenericOp>(op.getOperation())) {
    buildPayload(builder, loc, generic, body);
    return copy;
  }
  ImplicitLocOpBuilder payload(loc, builder);
  op.getRegionBuilder()(payload, body, copy->getAttrs(),
                        [&]() { return copy->emitError(); });
  return copy;
}

} // namespace qdialect
