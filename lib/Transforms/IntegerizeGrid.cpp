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

/// Is there a number for each index of some dimensions of the codes?
bool variesByIndex(Value numbers, RankedTensorType codes) {
  auto type = dyn_cast<RankedTensorType>(numbers.getType());
  return type && type.getRank() == codes.getRank() &&
         llvm::all_of(llvm::zip_equal(type.getShape(), codes.getShape()),
                      [](auto sizes) {
                        auto [count, size] = sizes;
                        return count == 1 || count == size;
                      });
}

/// What both kinds of grids have in common: the codes of a cast.
template <typename Cast>
std::optional<CodeGrid> readCodes(Cast op, Type codes, std::string *reason) {
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
  return grid;
}

template <typename Cast>
std::optional<CodeGrid> readGrid(Cast op, Type codes, std::string *reason) {
  std::optional<CodeGrid> grid = readCodes(op, codes, reason);
  if (!grid)
    return std::nullopt;
  std::optional<ConstantView> scale = singleElement(op.getScales()[0]);
  if (!scale)
    return fail(reason, "its scale is not one constant");
  if (scale->dtype != DType::F32)
    return fail(reason, "its scale is not f32");
  grid->scale = scale->get<float>(0);
  if (!isScale(grid->scale))
    return fail(reason, "its scale is not a positive number");
  if (Value zero = op.getZeroPoint()) {
    std::optional<ConstantView> view = singleElement(zero);
    if (!view)
      return fail(reason, "its zero point is not one constant");
    grid->zeroPoint = static_cast<int32_t>(view->integer(0));
  }
  return grid;
}

template <typename Cast>
std::optional<IndexedGrid> readIndexedGrid(Cast op, Type codes, AffineMap map) {
  std::optional<CodeGrid> grid = readCodes(op, codes, nullptr);
  auto type = dyn_cast<RankedTensorType>(codes);
  if (!grid || !type)
    return std::nullopt;
  Value scales = op.getScales()[0], zeroPoint = op.getZeroPoint();
  std::optional<Coefficient> scale, zero = Coefficient::scalar(0);
  if (getElementTypeOrSelf(scales).isF32() && variesByIndex(scales, type))
    scale = Coefficient::read(scales, map);
  if (zeroPoint)
    zero = variesByIndex(zeroPoint, type) ? Coefficient::read(zeroPoint, map)
                                          : std::nullopt;
  if (!scale || !zero ||
      !scale->allOf([](double s) { return isScale(static_cast<float>(s)); }))
    return std::nullopt;
  return IndexedGrid{*grid, std::move(*scale), std::move(*zero)};
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

std::optional<CodeGrid> getGrid(Operation *op, std::string *reason) {
  if (auto quantize = dyn_cast<qd::QuantizeOp>(op))
    return readGrid(quantize, quantize.getResult().getType(), reason);
  if (auto dequantize = dyn_cast<qd::DequantizeOp>(op))
    return readGrid(dequantize, dequantize.getInput().getType(), reason);
  return fail(reason, "it is no cast");
}

std::optional<IndexedGrid> getIndexedGrid(Operation *op, AffineMap map) {
  if (getGrid(op))
    return std::nullopt;
  if (auto quantize = dyn_cast<qd::QuantizeOp>(op))
    return readIndexedGrid(quantize, quantize.getResult().getType(), map);
  if (auto dequantize = dyn_cast<qd::DequantizeOp>(op))
    return readIndexedGrid(dequantize, dequantize.getInput().getType(), map);
  return std::nullopt;
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
