// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RowAnalysis.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/Padding.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {

static bool areZero(ArrayRef<OpFoldResult> list) {
  return llvm::all_of(
      list, [](OpFoldResult number) { return isConstantIntValue(number, 0); });
}

bool RowWindow::containsRows() const {
  return pad && llvm::all_of(axes, [](const WindowAxis &axis) {
           return axis.stride == 1 && !SymbolicSizes::isSymbolic(axis.low) &&
                  axis.low <= axis.reach;
         });
}

RowAnalysis::RowAnalysis(qd::DispatchOp dispatch, SymbolicShapes &shapes,
                         int64_t dims, bool takesWindow)
    : dispatch(dispatch), shapes(shapes), dims(dims), takesWindow(takesWindow),
      rows(shapes.shapeOf(dispatch.getYield().getOperand(0))) {
  rows.truncate(dims);
}

/// The value must have the rows as its leading dimensions.
bool RowAnalysis::require(Value value) {
  if (withoutRows.contains(value) ||
      (found && found->image == value && !found->containsRows()))
    return false;
  if (!withRows.insert(value).second)
    return true;
  SymbolicShapes::Shape shape = shapes.shapeOf(value);
  if (static_cast<int64_t>(shape.size()) < dims ||
      ArrayRef(shape).take_front(dims) != ArrayRef(rows))
    return false;
  Operation *op = value.getDefiningOp();
  // A constant lies in memory once; rows of it would be read beyond its end.
  return !op || (!op->hasTrait<OpTrait::ConstantLike>() && visit(op));
}

/// The value is the same for all rows: nothing it is made of has any.
bool RowAnalysis::requireNone(Value value) {
  if (withRows.contains(value) || (found && found->image == value))
    return false;
  if (!withoutRows.insert(value).second)
    return true;
  Operation *op = value.getDefiningOp();
  return !op || llvm::all_of(op->getOperands(), [&](Value operand) {
    return !isa<RankedTensorType>(operand.getType()) || requireNone(operand);
  });
}

bool RowAnalysis::visitLinalg(linalg::LinalgOp op) {
  if (op.getNumDpsInits() != 1 || !op.hasPureTensorSemantics())
    return false;
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  SmallVector<unsigned> loops;
  for (int64_t axis = 0; axis < dims; ++axis) {
    auto dim = dyn_cast<AffineDimExpr>(output.getResult(axis));
    if (!dim || iterators[dim.getPosition()] != utils::IteratorType::parallel)
      return false;
    loops.push_back(dim.getPosition());
  }
  // Positions of rows are not positions in the copy.
  bool reads = false;
  op->walk([&](linalg::IndexOp index) {
    reads |= llvm::is_contained(loops, index.getDim());
  });
  // Nor may a payload read a tensor with rows at places of its own.
  op->walk([&](tensor::ExtractOp extract) {
    reads |= !requireNone(extract.getTensor());
  });
  if (reads)
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    bool mentions = llvm::any_of(
        loops, [&](unsigned loop) { return map.isFunctionOfDim(loop); });
    if (!mentions) {
      if (!requireNone(operand.get()))
        return false;
      continue;
    }
    if (isRows(map, loops) ? !require(operand.get())
                           : !readsWindow(op, operand, loops))
      return false;
  }
  return true;
}

bool RowAnalysis::isRows(AffineMap map, ArrayRef<unsigned> loops) const {
  if (static_cast<int64_t>(map.getNumResults()) < dims)
    return false;
  for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
    if (static_cast<int64_t>(axis) < dims) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim || dim.getPosition() != loops[axis])
        return false;
    } else if (llvm::any_of(loops, [expr = expr](unsigned loop) {
                 return expr.isFunctionOfDim(loop);
               })) {
      return false;
    }
  }
  return true;
}

/// Adds `expr` to the window of a row dimension, whose loop is `loop`: a
/// multiple of it, and of loops of known size that sum.
static bool addToWindow(AffineExpr expr, int64_t factor, unsigned loop,
                        ArrayRef<int64_t> sizes, WindowAxis &axis) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    if (dim.getPosition() == loop) {
      axis.stride += factor;
      return true;
    }
    int64_t size = sizes[dim.getPosition()];
    if (ShapedType::isDynamic(size) || factor < 0)
      return false;
    axis.reach += (size - 1) * factor;
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (binary.getKind() == AffineExprKind::Add)
    return addToWindow(binary.getLHS(), factor, loop, sizes, axis) &&
           addToWindow(binary.getRHS(), factor, loop, sizes, axis);
  auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
  return binary.getKind() == AffineExprKind::Mul && constant &&
         addToWindow(binary.getLHS(), factor * constant.getValue(), loop, sizes,
                     axis);
}

/// Is the padding the same for all rows: one constant, or one for each index of
/// the innermost dimension?
bool RowAnalysis::padsRowsAlike(tensor::PadOp pad) const {
  std::optional<Padding> padding = getPadding(pad);
  int64_t last = pad.getResultType().getRank() - 1;
  return padding &&
         (padding->isUniform() || (padding->dim == last && last >= dims));
}

/// The value becomes the one that is read in windows.
bool RowAnalysis::takeWindow(Value value, SmallVector<WindowAxis> axes) {
  if (!takesWindow || found)
    return false;
  RowWindow window;
  if (auto pad = value.getDefiningOp<tensor::PadOp>()) {
    SmallVector<OpFoldResult> low = pad.getMixedLowPad();
    if (!padsRowsAlike(pad) || !areZero(ArrayRef(low).drop_front(dims)) ||
        !areZero(ArrayRef(pad.getMixedHighPad()).drop_front(dims)))
      return false;
    for (int64_t axis = 0; axis < dims; ++axis) {
      axes[axis].low = shapes.sizeOf(low[axis]);
      if (ShapedType::isDynamic(axes[axis].low))
        return false;
    }
    window.pad = pad;
    value = pad.getSource();
  }
  window.image = dyn_cast<BlockArgument>(value);
  window.axes = std::move(axes);
  if (!window.image || withoutRows.contains(value) ||
      (withRows.contains(value) && !window.containsRows()))
    return false;
  found = std::move(window);
  return true;
}

bool RowAnalysis::readsWindow(linalg::LinalgOp op, OpOperand &operand,
                              ArrayRef<unsigned> loops) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (static_cast<int64_t>(map.getNumResults()) < dims)
    return false;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  // Of the row loops only the own one may move a dimension, and none a channel.
  auto mentions = [&](AffineExpr expr, int64_t own) {
    for (auto [axis, loop] : llvm::enumerate(loops))
      if (static_cast<int64_t>(axis) != own && expr.isFunctionOfDim(loop))
        return true;
    return false;
  };
  SmallVector<WindowAxis> axes;
  for (auto [position, expr] : llvm::enumerate(map.getResults())) {
    auto axis = static_cast<int64_t>(position);
    if (mentions(expr, axis < dims ? axis : -1))
      return false;
    if (axis >= dims)
      continue;
    WindowAxis &window = axes.emplace_back();
    window.stride = 0;
    if (!addToWindow(expr, 1, loops[axis], sizes, window) || window.stride <= 0)
      return false;
  }
  return takeWindow(operand.get(), std::move(axes));
}

/// Padding behind the rows keeps them; around them it is a window of one.
bool RowAnalysis::visitPad(tensor::PadOp pad) {
  if (!padsRowsAlike(pad))
    return false;
  if (areZero(ArrayRef(pad.getMixedLowPad()).take_front(dims)) &&
      areZero(ArrayRef(pad.getMixedHighPad()).take_front(dims)))
    return require(pad.getSource());
  return takeWindow(pad.getResult(), SmallVector<WindowAxis>(dims));
}

bool RowAnalysis::keepsGroups(ArrayRef<ReassociationIndices> groups) const {
  if (static_cast<int64_t>(groups.size()) < dims)
    return false;
  for (int64_t axis = 0; axis < dims; ++axis)
    if (groups[axis].size() != 1 || groups[axis][0] != axis)
      return false;
  return true;
}

bool RowAnalysis::visit(Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<tensor::EmptyOp>([](auto) { return true; })
      .Case<linalg::TransposeOp>([&](auto transpose) {
        for (int64_t axis = 0; axis < dims; ++axis)
          if (transpose.getPermutation()[axis] != axis)
            return false;
        return require(transpose.getInput()) && require(transpose.getInit());
      })
      .Case<linalg::LinalgOp>(
          [&](auto linalgOp) { return visitLinalg(linalgOp); })
      .Case<tensor::CollapseShapeOp, tensor::ExpandShapeOp>([&](auto reshape) {
        return keepsGroups(reshape.getReassociationIndices()) &&
               require(reshape.getSrc());
      })
      .Case<tensor::PadOp>([&](auto pad) { return visitPad(pad); })
      .Case<tensor::ExtractSliceOp>([&](auto slice) {
        return slice.getSourceType().getRank() == slice.getType().getRank() &&
               areZero(ArrayRef(slice.getMixedOffsets()).take_front(dims)) &&
               require(slice.getSource());
      })
      .Case<tensor::ConcatOp>([&](auto concat) {
        return static_cast<int64_t>(concat.getDim()) >= dims &&
               llvm::all_of(concat.getInputs(),
                            [&](Value part) { return require(part); });
      })
      .Case<qd::SoftmaxOp, qd::LayerNormOp, qd::RmsNormOp, qd::IntSoftmaxOp,
            qd::IntLayerNormOp, qd::IntRmsNormOp>([&](auto norm) {
        return static_cast<int64_t>(norm.getAxis()) >= dims &&
               require(norm->getOperand(0)) &&
               llvm::all_of(norm->getOperands().drop_front(),
                            [&](Value other) { return requireNone(other); });
      })
      .Case<qd::BlockMatmulOp>([&](auto product) {
        return dims == 1 && require(product.getLhs()) &&
               require(product.getLhsScale()) &&
               llvm::all_of(product->getOperands().drop_front(2),
                            [&](Value other) { return requireNone(other); });
      })
      .Case<qd::LookupOp>([&](auto lookup) {
        return require(lookup.getCodes()) && requireNone(lookup.getTable());
      })
      .Default([](Operation *) { return false; });
}

bool RowAnalysis::run() {
  if (!require(dispatch.getYield().getOperand(0)))
    return false;
  // An op that nothing above reached is dead or hangs off a payload.
  for (BlockArgument argument : dispatch.getBody().getArguments())
    if (isa<RankedTensorType>(argument.getType()) &&
        !withRows.contains(argument) && !(found && found->image == argument) &&
        !requireNone(argument))
      return false;
  return true;
}

} // namespace qdialect
