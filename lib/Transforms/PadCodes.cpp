// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See PadCodes.h.

#include "PadCodes.h"

#include "IntegerizeGrid.h"
#include "QDialect/Analysis/Padding.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect {

std::optional<Coefficient> getPadCodes(tensor::PadOp pad) {
  std::optional<Padding> padding = getPadding(pad);
  if (!padding)
    return std::nullopt;
  if (padding->isUniform()) {
    auto code = dyn_cast<IntegerAttr>(padding->value);
    if (!code)
      return std::nullopt;
    return Coefficient::scalar(static_cast<double>(code.getInt()));
  }
  Coefficient codes;
  codes.dims = {padding->dim};
  codes.sizes = {padding->values->numElements()};
  for (int64_t i = 0; i < codes.sizes[0]; ++i)
    codes.values.push_back(padding->values->number(i));
  return codes;
}

Value padCodes(OpBuilder &builder, tensor::PadOp pad, Value input,
               const Coefficient &codes) {
  assert(codes.dims.size() <= 1 && "codes vary along several dimensions");
  OpBuilder::InsertionGuard guard(builder);
  Location loc = pad.getLoc();
  Type element = getElementTypeOrSelf(input.getType());
  Value constant =
      codes.isScalar()
          ? arith::ConstantOp::create(
                builder, loc,
                builder.getIntegerAttr(element,
                                       static_cast<int64_t>(codes.values[0])))
          : codes.makeTensor(builder, loc, element);
  auto type = cast<RankedTensorType>(pad.getType()).clone(element);
  auto copy =
      tensor::PadOp::create(builder, loc, type, input, pad.getMixedLowPad(),
                            pad.getMixedHighPad(), pad.getNofold());
  copyMarks(pad, copy);
  SmallVector<Type> indices(type.getRank(), builder.getIndexType());
  SmallVector<Location> locations(type.getRank(), loc);
  Block *body = builder.createBlock(&copy.getRegion(), {}, indices, locations);
  Value code = constant;
  if (!codes.isScalar())
    code = tensor::ExtractOp::create(builder, loc, constant,
                                     body->getArgument(codes.dims[0]));
  tensor::YieldOp::create(builder, loc, code);
  return copy;
}

} // namespace qdialect
