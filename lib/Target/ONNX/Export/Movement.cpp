// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Data movement. A transpose writes nothing: its result is bound to the same
// tensor in another order. Reshapes keep the order where they only split
// dimensions, or merge such as lie beside each other.

#include "Export/Exporter.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace qdialect::onnx_export {
namespace {

int64_t placeOf(ArrayRef<int64_t> order, int64_t dim) {
  return llvm::find(order, dim) - order.begin();
}

LogicalResult emitTranspose(Exporter &e, Operation *op) {
  auto transpose = cast<linalg::TransposeOp>(op);
  std::optional<Binding> x = e.find(transpose.getInput());
  if (!x)
    return failure();
  Order order;
  for (int64_t dim : x->order)
    order.push_back(placeOf(transpose.getPermutation(), dim));
  e.bind(op->getResult(0), x->name, order);
  return success();
}

LogicalResult emitExpandShape(Exporter &e, Operation *op) {
  auto expand = cast<tensor::ExpandShapeOp>(op);
  std::optional<Binding> x = e.find(expand.getSrc());
  if (!x)
    return failure();
  SmallVector<ReassociationIndices> groups = expand.getReassociationIndices();
  SmallVector<OpFoldResult> all = expand.getMixedOutputShape(), shape;
  Order order;
  for (int64_t dim : x->order)
    llvm::append_range(order, groups[dim]);
  // A scalar has no group; all of its dimensions are ones.
  if (groups.empty())
    order = identityOrder(static_cast<int64_t>(all.size()));
  for (int64_t dim : order)
    shape.push_back(all[dim]);
  std::string sizes = e.sizes(shape, /*inferOne=*/true);
  if (sizes.empty())
    return failure();
  std::string y = e.nameFor(expand.getResult(), order);
  e.model.addNode("Reshape", {x->name, sizes}, {y}, {});
  e.bind(expand.getResult(), y, order);
  return success();
}

/// The order of the groups where each lies together in `order`; dimensions of
/// size one lie anywhere.
std::optional<Order> orderOfGroups(RankedTensorType source,
                                   ArrayRef<ReassociationIndices> groups,
                                   ArrayRef<int64_t> order) {
  SmallVector<int64_t> groupOf(source.getRank());
  SmallVector<bool> isUnit(groups.size(), true);
  for (auto [number, group] : llvm::enumerate(groups))
    for (int64_t dim : group) {
      groupOf[dim] = static_cast<int64_t>(number);
      isUnit[number] = isUnit[number] && source.getDimSize(dim) == 1;
    }
  Order result;
  int64_t last = -1;
  for (int64_t dim : order) {
    int64_t group = groupOf[dim];
    if (source.getDimSize(dim) == 1 && !isUnit[group])
      continue;
    bool isNew = !llvm::is_contained(result, group);
    bool continues = !result.empty() && result.back() == group && last < dim;
    if (!isNew && !continues && !isUnit[group])
      return std::nullopt;
    if (isNew)
      result.push_back(group);
    last = dim;
  }
  return result;
}

LogicalResult emitCollapseShape(Exporter &e, Operation *op) {
  auto collapse = cast<tensor::CollapseShapeOp>(op);
  std::optional<Binding> x = e.find(collapse.getSrc());
  if (!x)
    return failure();
  SmallVector<ReassociationIndices> groups = collapse.getReassociationIndices();
  RankedTensorType type = collapse.getResultType();
  std::optional<Order> order =
      orderOfGroups(collapse.getSrcType(), groups, x->order);
  std::string source = x->name;
  if (!order) {
    order = identityOrder(type.getRank());
    source = e.use(collapse.getSrc());
  }
  Order shape;
  for (int64_t dim : *order)
    shape.push_back(type.isDynamicDim(dim) ? -1 : type.getDimSize(dim));
  std::string y;
  if (llvm::count(shape, -1) <= 1) {
    y = e.nameFor(collapse.getResult(), *order);
    e.model.addNode("Reshape", {source, e.integers(shape)}, {y}, {});
  } else {
    Layout layout;
    for (int64_t dim : *order)
      layout.push_back({groups[dim].begin(), groups[dim].end()});
    y = e.use(collapse.getSrc(), layout);
    if (y.empty())
      return failure();
  }
  e.bind(collapse.getResult(), y, *order);
  return success();
}

LogicalResult emitConcat(Exporter &e, Operation *op) {
  auto concat = cast<tensor::ConcatOp>(op);
  // In the order of the first operand that is not as it should be.
  Order order = identityOrder(concat.getResultType().getRank());
  for (Value input : concat.getInputs()) {
    std::optional<Binding> x = e.find(input);
    if (!x)
      return failure();
    if (x->order != identityOrder(static_cast<int64_t>(order.size()))) {
      order = x->order;
      break;
    }
  }
  SmallVector<std::string> inputs;
  for (Value input : concat.getInputs()) {
    inputs.push_back(e.use(input, layoutOf(order)));
    if (inputs.back().empty())
      return failure();
  }
  std::string y = e.nameFor(concat.getResult(), order);
  e.model.addNode(
      "Concat", inputs, {y},
      {{"axis", placeOf(order, static_cast<int64_t>(concat.getDim()))}});
  e.bind(concat.getResult(), y, order);
  return success();
}

LogicalResult emitSlice(Exporter &e, Operation *op) {
  auto slice = cast<tensor::ExtractSliceOp>(op);
  std::optional<Binding> x = e.find(slice.getSource());
  if (!x)
    return failure();
  RankedTensorType source = slice.getSourceType();
  Order axes, steps;
  SmallVector<OpFoldResult> starts, extents;
  for (int64_t dim = 0; dim < source.getRank(); ++dim) {
    OpFoldResult offset = slice.getMixedOffsets()[dim];
    OpFoldResult extent = slice.getMixedSizes()[dim];
    std::optional<int64_t> stride =
        getConstantIntValue(slice.getMixedStrides()[dim]);
    if (!stride)
      return e.refuse(op) << "the stride of dimension " << dim
                          << " is not constant";
    if (isConstantIntValue(offset, 0) && *stride == 1 &&
        !source.isDynamicDim(dim) &&
        isConstantIntValue(extent, source.getDimSize(dim)))
      continue;
    axes.push_back(placeOf(x->order, dim));
    steps.push_back(*stride);
    starts.push_back(offset);
    extents.push_back(extent);
  }
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  Order order, squeezed;
  for (auto [place, dim] : llvm::enumerate(x->order)) {
    if (dropped.test(dim)) {
      squeezed.push_back(static_cast<int64_t>(place));
      continue;
    }
    int64_t before = 0;
    for (int64_t other = 0; other < dim; ++other)
      before += dropped.test(other);
    order.push_back(dim - before);
  }
  std::string y = x->name;
  if (!axes.empty()) {
    std::string from = e.sizes(starts, /*inferOne=*/false);
    std::string count = e.sizes(extents, /*inferOne=*/false);
    if (from.empty() || count.empty())
      return failure();
    // end = start + extent * stride: what lies behind the last element and
    // before that is not reached, and Slice clamps.
    if (!llvm::all_of(steps, [](int64_t step) { return step == 1; }))
      count = e.node("Mul", {count, e.integers(steps)});
    y = e.node("Slice",
               {y, from, e.node("Add", {from, count}), e.integers(axes),
                e.integers(steps)},
               {}, slice.getResult());
  }
  if (!squeezed.empty())
    y = e.node("Squeeze", {y, e.integers(squeezed)}, {}, slice.getResult());
  e.bind(slice.getResult(), y, order);
  return success();
}

LogicalResult emitPad(Exporter &e, Operation *op) {
  auto pad = cast<tensor::PadOp>(op);
  auto number = dyn_cast_or_null<TypedAttr>(getConstantPadding(op));
  if (!number)
    return e.refuse(op) << "its padding is computed";
  std::optional<Binding> x = e.find(pad.getSource());
  if (!x)
    return failure();
  SmallVector<OpFoldResult> all;
  for (auto sizes : {pad.getMixedLowPad(), pad.getMixedHighPad()})
    for (int64_t dim : x->order)
      all.push_back(sizes[dim]);
  std::string sizes = e.sizes(all, /*inferOne=*/false);
  if (sizes.empty())
    return failure();
  std::string y = e.nameFor(pad.getResult(), x->order);
  e.model.addNode("Pad", {x->name, sizes, e.scalar(number)}, {y}, {});
  e.bind(pad.getResult(), y, x->order);
  return success();
}

LogicalResult emitFill(Exporter &e, Operation *op) {
  auto number = getSplatValue(op->getResult(0));
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  auto typed = number ? dyn_cast<TypedAttr>(*number) : TypedAttr();
  if (!typed)
    return e.refuse(op) << "its element is computed";
  if (!type.hasStaticShape())
    return e.refuse(op) << "its sizes are symbolic";
  std::string y = e.nameFor(op->getResult(0), identityOrder(type.getRank()));
  e.model.addNode("Expand", {e.scalar(typed), e.integers(type.getShape())}, {y},
                  {});
  e.bind(op->getResult(0), y);
  return success();
}

/// Only ops that overwrite them should read such tensors.
LogicalResult refuseEmpty(Exporter &e, Operation *op) {
  return e.refuse(op) << "nothing has written its elements";
}

} // namespace

FoldedPad foldPad(Value value, llvm::function_ref<bool(Attribute)> isNeutral,
                  ArrayRef<unsigned> except) {
  auto rank = cast<RankedTensorType>(value.getType()).getRank();
  FoldedPad none{value, SmallVector<int64_t>(rank, 0),
                 SmallVector<int64_t>(rank, 0)};
  auto pad = value.getDefiningOp<tensor::PadOp>();
  if (!pad || !isNeutral(getConstantPadding(pad)))
    return none;
  FoldedPad folded{pad.getSource(), {}, {}};
  for (auto [mixed, sizes] : {std::pair(pad.getMixedLowPad(), &folded.low),
                              std::pair(pad.getMixedHighPad(), &folded.high)})
    for (OpFoldResult size : mixed) {
      std::optional<int64_t> number = getConstantIntValue(size);
      if (!number)
        return none;
      sizes->push_back(*number);
    }
  for (unsigned dim : except)
    if (folded.low[dim] != 0 || folded.high[dim] != 0)
      return none;
  return folded;
}

void addMovementRules(Rules &rules) {
  rules.push_back(
      {isOneOf<linalg::TransposeOp>, emitTranspose, /*onDemand=*/true});
  rules.push_back({isOneOf<tensor::EmptyOp>, refuseEmpty, /*onDemand=*/true});
  rules.push_back({isOneOf<linalg::FillOp>, emitFill, /*onDemand=*/true});
  rules.push_back({isOneOf<tensor::PadOp>, emitPad, /*onDemand=*/true});
  rules.push_back({isOneOf<tensor::ExpandShapeOp>, emitExpandShape});
  rules.push_back({isOneOf<tensor::CollapseShapeOp>, emitCollapseShape});
  rules.push_back({isOneOf<tensor::ConcatOp>, emitConcat});
  rules.push_back({isOneOf<tensor::ExtractSliceOp>, emitSlice});
}

} // namespace qdialect::onnx_export
