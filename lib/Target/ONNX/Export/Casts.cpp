// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd.quantize and qd.dequantize as QuantizeLinear and DequantizeLinear, with
// the codes' type on the zero point. What has no operator of its own (other
// roundings, several scales, GPTQ's order of groups, real zero points) is
// refused: written any other way, the codes would not be the same.

#include "Export/Exporter.h"

#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_export {
namespace {

/// How the parameters lie over a tensor of a layout.
struct GridPlace {
  Layout layout; ///< of scale and zero point
  SmallVector<NodeAttribute> attributes;
};

/// Nothing if the grid varies along anything but one dimension of the tensor,
/// or within blocks of one.
std::optional<GridPlace> placeGrid(RankedTensorType real, Value scale,
                                   ArrayRef<int64_t> blockSizes,
                                   const Layout &layout) {
  GridPlace place;
  auto type = cast<RankedTensorType>(scale.getType());
  if (type.hasStaticShape() && type.getNumElements() == 1)
    return place;
  SmallVector<int64_t> axes, blocked;
  for (auto [position, group] : llvm::enumerate(layout)) {
    SmallVector<int64_t> sizes;
    for (int64_t dim : group)
      if (real.getDimSize(dim) != 1)
        sizes.push_back(blockSizes[dim]);
    if (sizes.empty() || !llvm::all_equal(sizes)) {
      if (!sizes.empty())
        return std::nullopt;
    } else if (sizes[0] == 1) {
      axes.push_back(position);
    } else if (sizes[0] != 0) {
      if (sizes.size() > 1)
        return std::nullopt;
      blocked.push_back(position);
    }
  }
  if (blocked.empty() && axes.size() == 1) {
    place.layout = {layout[axes[0]]};
    int64_t axis = axes[0];
#if QDIALECT_MUTATE == 40 // channels counted from the other end
    axis = static_cast<int64_t>(layout.size()) - 1 - axis;
#endif
    place.attributes = {{"axis", axis}};
    return place;
  }
  if (blocked.size() != 1)
    return std::nullopt;
  for (auto [position, group] : llvm::enumerate(layout))
    if (static_cast<int64_t>(position) != blocked[0] &&
        !llvm::is_contained(axes, position) &&
        llvm::any_of(group,
                     [&](int64_t dim) { return real.getDimSize(dim) != 1; }))
      return std::nullopt;
  int64_t size = 0;
  for (int64_t dim : layout[blocked[0]])
    if (real.getDimSize(dim) != 1)
      size = blockSizes[dim];
  place.layout = layout;
  place.attributes = {{"axis", blocked[0]}, {"block_size", size}};
  return place;
}

InFlightDiagnostic refusePlace(Exporter &e, Operation *cast, Value scale) {
  return e.refuse(cast) << "its scale " << scale.getType()
                        << " lies neither along one axis nor in blocks of one";
}

/// The zero point in the type of the codes, laid out like the scale; zeros if
/// there is none. Empty after an error.
std::string zeroPointOf(Exporter &e, Operation *cast, Value zeroPoint,
                        Value scale, const Layout &layout, Type codes,
                        StringRef near) {
  if (zeroPoint && !constantView(zeroPoint)) {
    std::string wide = e.use(zeroPoint, layout);
    return wide.empty() ? wide : e.convert(wide, codes);
  }
  std::vector<int64_t> shape;
  for (ArrayRef<int64_t> group : layout) {
    shape.push_back(1);
    for (int64_t dim : group)
      shape.back() *=
          llvm::cast<RankedTensorType>(scale.getType()).getDimSize(dim);
  }
  HostTensor narrow(*hostType(codes), shape);
  std::string name = (near + ".zero_point").str();
  if (zeroPoint) {
    ConstantView given = *constantView(zeroPoint);
    // One for all is spread: the operators want the shape of the scale.
    bool isOne = given.numElements() == 1;
    if (!isOne && given.numElements() != narrow.size()) {
      e.refuse(cast) << "its zero points " << zeroPoint.getType()
                     << " do not lie like its scales " << scale.getType();
      return "";
    }
    HostTensor numbers(DType::I32, shape);
    if (isOne)
      std::fill_n(numbers.mutableData<int32_t>(), numbers.size(),
                  static_cast<int32_t>(given.integer(0)));
    else
      numbers = *e.constant(zeroPoint, layout);
    narrow = numbers.converted(narrow.type());
    // Small floats and biases have no other zero point than 0.
    bool hasZero = qd::getFormat(codes) && qd::isIntegerAlphabet(codes);
    double low = hasZero ? qd::detail::minFinite(codes) : 0;
    double high = hasZero ? qd::detail::maxFinite(codes) : 0;
    for (int64_t i = 0; i < numbers.size(); ++i)
      if (double zero = numbers.asDouble(i); zero < low || zero > high) {
        e.refuse(cast) << "zero point " << numbers.asInteger(i)
                       << " is no code of " << codes;
        return "";
      }
    if (StringRef given = givenName(zeroPoint.getDefiningOp()); !given.empty())
      name = given.str();
  }
  return e.constant(narrow, codes, name);
}

/// Checks what the operators have no word for.
LogicalResult checkForm(Exporter &e, Operation *cast, ValueRange scales,
                        Value groupIndex, qd::ZeroPointDomain domain,
                        Type codes) {
  if (!hasDataType(codes))
    return e.refuse(cast) << "there is no type for codes of " << codes;
  if (scales.size() != 1)
    return e.refuse(cast) << "it multiplies " << scales.size() << " scales";
  if (groupIndex)
    return e.refuse(cast) << "its blocks are not in order (group_index)";
  if (domain != qd::ZeroPointDomain::Code)
    return e.refuse(cast) << "its zero point is a real number";
  return success();
}

LogicalResult emitQuantize(Exporter &e, Operation *op) {
  auto quantize = cast<qd::QuantizeOp>(op);
  Type codes = getElementTypeOrSelf(quantize.getType());
  if (failed(checkForm(e, op, quantize.getScales(), quantize.getGroupIndex(),
                       quantize.getZeroPointDomain(), codes)))
    return failure();
  if (quantize.getRounding() != qd::Rounding::HalfEven)
    return e.refuse(op) << "it rounds by "
                        << qd::stringifyRounding(quantize.getRounding())
                        << ", but QuantizeLinear by half_even";
  if (quantize.getOverflow() != qd::Overflow::Saturate)
    return e.refuse(op) << "it wraps, but QuantizeLinear saturates";
  std::optional<Binding> x = e.find(quantize.getInput());
  if (!x)
    return failure();
  Value scale = quantize.getScales()[0];
  std::optional<GridPlace> place =
      placeGrid(cast<RankedTensorType>(quantize.getType()), scale,
                quantize.getBlockSizes(), layoutOf(x->order));
  if (!place)
    return refusePlace(e, op, scale);
  StringRef near = givenName(op).empty() ? StringRef("value") : givenName(op);
  std::string s = e.use(scale, place->layout, (near + ".scale").str());
  std::string z = zeroPointOf(e, op, quantize.getZeroPoint(), scale,
                              place->layout, codes, near);
  if (s.empty() || z.empty())
    return failure();
  std::string y = e.nameFor(quantize.getResult(), x->order);
  e.model.addNode("QuantizeLinear", {x->name, s, z}, {y}, place->attributes);
  e.bind(quantize.getResult(), y, x->order);
  return success();
}

LogicalResult emitDequantize(Exporter &e, Operation *op) {
  auto dequantize = cast<qd::DequantizeOp>(op);
  std::optional<Binding> codes = e.find(dequantize.getInput());
  if (!codes)
    return failure();
  std::optional<std::string> y =
      e.dequantize(dequantize, codes->name, layoutOf(codes->order));
  if (!y)
    return refusePlace(e, op, dequantize.getScales()[0]);
  if (y->empty())
    return failure();
  e.bind(dequantize.getResult(), *y, codes->order);
  return success();
}

/// Only over a whole tensor of bytes, which is DynamicQuantizeLinear.
LogicalResult emitChooseParams(Exporter &e, Operation *op) {
  auto choose = cast<qd::ChooseParamsOp>(op);
  auto alphabet = dyn_cast<qd::UIntType>(choose.getAlphabet());
  if (!alphabet || alphabet.getWidth() != 8 || choose.getSymmetric() ||
      cast<RankedTensorType>(choose.getScale().getType()).getRank() != 0)
    return e.refuse(op) << "DynamicQuantizeLinear chooses one scale of "
                           "!qd.uint<8>";
  std::optional<Binding> x = e.find(choose.getInput());
  if (!x)
    return failure();
  std::string codes = e.model.uniqueName(x->name + ".codes");
  std::string scale = e.model.uniqueName(x->name + ".scale");
  std::string zero = e.model.uniqueName(x->name + ".zero_point");
  e.model.addNode("DynamicQuantizeLinear", {x->name}, {codes, scale, zero}, {});
  e.bind(choose.getScale(), scale);
  e.bind(choose.getZeroPoint(),
         e.convert(zero, IntegerType::get(op->getContext(), 32)));
  return success();
}

/// Bytes seen as bytes of the other sign: Cast keeps the low bits.
LogicalResult emitStorageCast(Exporter &e, Operation *op) {
  auto view = cast<qd::StorageCastOp>(op);
  Type from = getElementTypeOrSelf(view.getInput().getType());
  Type to = getElementTypeOrSelf(view.getType());
  if (!isa<RankedTensorType>(view.getType()) || !qd::isIntegerAlphabet(from) ||
      !qd::isIntegerAlphabet(to) || !hasDataType(from) || !hasDataType(to))
    return e.refuse(op) << "no operator sees " << from << " as " << to;
  std::optional<Binding> x = e.find(view.getInput());
  if (!x)
    return failure();
  e.bind(view.getResult(), e.convert(x->name, to), x->order);
  return success();
}

} // namespace

bool Exporter::isConstantDequantize(qd::DequantizeOp op) {
  return isa<RankedTensorType>(op.getType()) &&
         llvm::all_of(op->getOperands(), [](Value operand) {
           return operand.getDefiningOp<arith::ConstantOp>() != nullptr;
         });
}

bool Exporter::fitsLayout(qd::DequantizeOp op, const Layout &layout) {
  return placeGrid(cast<RankedTensorType>(op.getType()), op.getScales()[0],
                   op.getBlockSizes(), layout)
      .has_value();
}

std::optional<std::string> Exporter::dequantize(qd::DequantizeOp op,
                                                std::string codes,
                                                const Layout &layout,
                                                StringRef otherwise) {
  Type alphabet = getElementTypeOrSelf(op.getInput().getType());
  if (failed(checkForm(*this, op, op.getScales(), op.getGroupIndex(),
                       op.getZeroPointDomain(), alphabet)))
    return "";
  Value scale = op.getScales()[0];
  auto type = cast<RankedTensorType>(op.getType());
  std::optional<GridPlace> place =
      placeGrid(type, scale, op.getBlockSizes(), layout);
  if (!place)
    return std::nullopt;
  // As q-run --dump-codes calls it.
  StringRef near = givenName(op.getInput().getDefiningOp());
  if (near.empty())
    near = givenName(op).empty() ? otherwise : givenName(op);
  SmallVector<std::string> inputs{
      std::move(codes), use(scale, place->layout, (near + ".scale").str())};
  if (op.getZeroPoint() || !alphabet.isInteger(32))
    inputs.push_back(zeroPointOf(*this, op, op.getZeroPoint(), scale,
                                 place->layout, alphabet, near));
  if (llvm::any_of(inputs, [](auto &name) { return name.empty(); }))
    return "";
  std::string y = nameFor(op.getResult(), layout);
  model.addNode("DequantizeLinear", inputs, {y}, place->attributes);
  return y;
}

void addCastRules(Rules &rules) {
  rules.push_back({isOneOf<qd::QuantizeOp>, emitQuantize});
  rules.push_back({isOneOf<qd::DequantizeOp>, emitDequantize});
  rules.push_back({isOneOf<qd::ChooseParamsOp>, emitChooseParams});
  rules.push_back({isOneOf<qd::StorageCastOp>, emitStorageCast});
}

} // namespace qdialect::onnx_export
