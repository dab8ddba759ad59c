// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads and writes grids of casts; see the header.

#include "IntegerizeGrid.h"

#include "QDialect/Numerics/Quantize.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

/// The only element of a constant of one element.
std::optional<ConstantView> singleElement(Value value) {
  std::optional<ConstantView> view = constantView(value);
  if (!view || view->numElements() != 1)
    return std::nullopt;
  return view;
}

std::optional<CodeGrid> fail(std::string *reason, const char *why) {
  if (reason)
    *reason = why;
  return std::nullopt;
}

bool isScale(float scale) { return scale > 0 && std::isfinite(scale); }

/// The only value of a constant.
std::optional<ConstantView> onlyValue(Value value) {
  std::optional<ConstantView> view = constantView(value);
  if (!view || view->numElements() == 0)
    return std::nullopt;
  for (int64_t i = 1; i < view->numElements(); ++i)
    if (view->integer(i) != view->integer(0))
      return std::nullopt;
  return view;
}

/// Is there a positive constant for each index of some dimensions?
bool hasScaleByIndex(Value scales, RankedTensorType codes) {
  auto type = cast<RankedTensorType>(scales.getType());
  std::optional<ConstantView> view = constantView(scales);
  if (!view || view->dtype != DType::F32 || type.getRank() != codes.getRank())
    return false;
  for (int64_t dim = 0; dim < codes.getRank(); ++dim)
    if (type.getDimSize(dim) != 1 &&
        type.getDimSize(dim) != codes.getDimSize(dim))
      return false;
  for (int64_t i = 0; i < view->numElements(); ++i)
    if (!isScale(view->get<float>(i)))
      return false;
  return true;
}

template <typename Cast>
std::optional<CodeGrid> readGrid(Cast op, Type codes, bool byIndex,
                                 std::string *reason) {
  if (op.getScales().size() != 1)
    return fail(reason, "its grid has several scales");
  if (op.getGroupIndex())
    return fail(reason, "its grid has a group index");
  if (op.getZeroPointDomain() != qd::ZeroPointDomain::Code)
    return fail(reason, "its zero point is a real number");
  CodeGrid grid;
  grid.alphabet = getElementTypeOrSelf(codes);
  auto alphabet = dyn_cast<qd::AlphabetTypeInterface>(grid.alphabet);
  if (!alphabet || alphabet.getIntegerShift() != 0)
    return fail(reason, "its codes are not integers");
  grid.min = static_cast<int64_t>(alphabet.getMinFinite());
  grid.max = static_cast<int64_t>(alphabet.getMaxFinite());
  if (byIndex) {
    auto type = dyn_cast<RankedTensorType>(codes);
    if (!type || !hasScaleByIndex(op.getScales()[0], type))
      return fail(reason, "its scales are not constants by dimension");
  } else {
    std::optional<ConstantView> scale = singleElement(op.getScales()[0]);
    if (!scale)
      return fail(reason, "its scale is not one constant");
    if (scale->dtype != DType::F32)
      return fail(reason, "its scale is not f32");
    grid.scale = scale->get<float>(0);
    if (!isScale(grid.scale))
      return fail(reason, "its scale is not a positive number");
  }
  if (Value zero = op.getZeroPoint()) {
    std::optional<ConstantView> view =
        byIndex ? onlyValue(zero) : singleElement(zero);
    if (!view)
      return fail(reason, "its zero point is not one constant");
    grid.zeroPoint = static_cast<int32_t>(view->integer(0));
  }
  return grid;
}

Value makeRankZero(OpBuilder &builder, Location loc, Attribute value,
                   Type type) {
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(RankedTensorType::get({}, type), value));
}

} // namespace

bool CodeGrid::isInteger() const {
  auto integer = dyn_cast<IntegerType>(alphabet);
  return integer && integer.isSignless() && integer.getWidth() >= 2 &&
         integer.getWidth() <= 16;
}

int32_t CodeGrid::encode(double value) const {
  return quantizeExact(value, scale, zeroPoint, min, max);
}

std::optional<int64_t> CodeGrid::exactCode(double value) const {
  int32_t code = encode(value);
  if (dequantizeExact(code, scale, zeroPoint) != value)
    return std::nullopt;
  return code;
}

static std::optional<CodeGrid> readGridOf(Operation *op, bool byIndex,
                                          std::string *reason) {
  if (auto quantize = dyn_cast<qd::QuantizeOp>(op))
    return readGrid(quantize, quantize.getResult().getType(), byIndex, reason);
  if (auto dequantize = dyn_cast<qd::DequantizeOp>(op))
    return readGrid(dequantize, dequantize.getInput().getType(), byIndex,
                    reason);
  return fail(reason, "it is no cast");
}

std::optional<CodeGrid> getGrid(Operation *op, std::string *reason) {
  return readGridOf(op, /*byIndex=*/false, reason);
}

std::optional<CodeGrid> getUnitGrid(Operation *op) {
  return readGridOf(op, /*byIndex=*/true, nullptr);
}

bool roundsToNearest(qd::QuantizeOp op) {
  return op.getRounding() == qd::Rounding::HalfEven &&
         op.getOverflow() == qd::Overflow::Saturate;
}

Value makeScale(OpBuilder &builder, Location loc, float scale) {
  return makeRankZero(builder, loc, builder.getF32FloatAttr(scale),
                      builder.getF32Type());
}

Value makeZeroPoint(OpBuilder &builder, Location loc, int32_t zeroPoint) {
  return makeRankZero(builder, loc, builder.getI32IntegerAttr(zeroPoint),
                      builder.getI32Type());
}

qd::DequantizeOp makeDequantize(OpBuilder &builder, Location loc, Type result,
                                Value codes, const CodeGrid &grid) {
  return qd::DequantizeOp::create(builder, loc, result, codes,
                                  makeScale(builder, loc, grid.scale),
                                  makeZeroPoint(builder, loc, grid.zeroPoint));
}

qd::QuantizeOp makeQuantize(OpBuilder &builder, Location loc, Value input,
                            const CodeGrid &grid) {
  Type result = cast<ShapedType>(input.getType()).clone(grid.alphabet);
  return qd::QuantizeOp::create(builder, loc, result, input,
                                makeScale(builder, loc, grid.scale),
                                makeZeroPoint(builder, loc, grid.zeroPoint));
}

void copyMarks(Operation *from, Operation *to) {
  for (NamedAttribute attr : from->getDiscardableAttrs())
    if (attr.getName().getValue().starts_with("qd."))
      to->setAttr(attr.getName(), attr.getValue());
}

} // namespace qdialect
