// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which values of a dispatch have rows is decided from the result backwards:
// the yielded value has them; an op whose result has them must hand the same
// dimensions on from those operands that mention them.

#include "QDialect/CodeGen/Program/RowBlocks.h"

#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Transforms/RetypeShapes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {
namespace {

class RowAnalysis {
public:
  RowAnalysis(qd::DispatchOp dispatch, SymbolicShapes &shapes, int64_t dims)
      : dispatch(dispatch), shapes(shapes), dims(dims),
        rows(shapes.shapeOf(dispatch.getYield().getOperand(0))) {
    rows.truncate(dims);
  }

  bool run();
  /// After run(): whether a value has rows.
  bool hasRows(Value value) const { return withRows.contains(value); }

private:
  bool require(Value value);
  bool requireNone(Value value);
  bool visit(Operation *op);
  bool visitLinalg(linalg::LinalgOp op);
  bool keepsGroups(ArrayRef<ReassociationIndices> groups) const;

  qd::DispatchOp dispatch;
  SymbolicShapes &shapes;
  int64_t dims;
  SymbolicShapes::Shape rows;
  llvm::DenseSet<Value> withRows, withoutRows;
};

/// The value must have the rows as its leading dimensions.
bool RowAnalysis::require(Value value) {
  if (withoutRows.contains(value))
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
  if (withRows.contains(value))
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
    for (int64_t axis = 0; axis < map.getNumResults(); ++axis) {
      AffineExpr expr = map.getResult(axis);
      if (axis < dims) {
        auto dim = dyn_cast<AffineDimExpr>(expr);
        if (!dim || dim.getPosition() != loops[axis])
          return false;
      } else if (llvm::any_of(loops, [&](unsigned loop) {
                   return expr.isFunctionOfDim(loop);
                 })) {
        return false;
      }
    }
    if (static_cast<int64_t>(map.getNumResults()) < dims ||
        !require(operand.get()))
      return false;
  }
  return true;
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
  auto zero = [&](ArrayRef<OpFoldResult> list) {
    return llvm::all_of(list.take_front(dims), [](OpFoldResult number) {
      return isConstantIntValue(number, 0);
    });
  };
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
      .Case<tensor::PadOp>([&](auto pad) {
        return pad.getConstantPaddingValue() && zero(pad.getMixedLowPad()) &&
               zero(pad.getMixedHighPad()) && require(pad.getSource());
      })
      .Case<tensor::ExtractSliceOp>([&](auto slice) {
        return slice.getSourceType().getRank() == slice.getType().getRank() &&
               zero(slice.getMixedOffsets()) && require(slice.getSource());
      })
      .Case<tensor::ConcatOp>([&](auto concat) {
        return static_cast<int64_t>(concat.getDim()) >= dims &&
               llvm::all_of(concat.getInputs(),
                            [&](Value part) { return require(part); });
      })
      .Case<qd::SoftmaxOp, qd::LayerNormOp>([&](auto norm) {
        return static_cast<int64_t>(norm.getAxis()) >= dims &&
               require(norm->getOperand(0)) &&
               llvm::all_of(norm->getOperands().drop_front(),
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
        !withRows.contains(argument) && !requireNone(argument))
      return false;
  return true;
}

bool isDynamic(ArrayRef<int64_t> shape) {
  return llvm::any_of(shape, [](int64_t size) {
    return ShapedType::isDynamic(size) || SymbolicSizes::isSymbolic(size);
  });
}

} // namespace

std::optional<RowBlocks> RowBlocks::analyze(qd::DispatchOp dispatch,
                                            SymbolicShapes &shapes) {
  SymbolicShapes::Shape shape =
      shapes.shapeOf(dispatch.getYield().getOperand(0));
  int64_t last = 0;
  for (auto [axis, size] : llvm::enumerate(shape)) {
    if (size == ShapedType::kDynamic)
      return std::nullopt;
    if (SymbolicSizes::isSymbolic(size))
      last = static_cast<int64_t>(axis) + 1;
  }
  for (int64_t dims = last; dims > 0; --dims) {
    RowAnalysis analysis(dispatch, shapes, dims);
    if (!analysis.run())
      continue;
    RowBlocks result;
    result.numDims = dims;
    result.isStatic = dims == last;
    for (BlockArgument argument : dispatch.getBody().getArguments()) {
      result.inputHasRows.push_back(analysis.hasRows(argument));
      if (!isa<RankedTensorType>(argument.getType()))
        continue;
      SymbolicShapes::Shape input = shapes.shapeOf(argument);
      result.isStatic &= !isDynamic(
          ArrayRef(input).drop_front(analysis.hasRows(argument) ? dims : 0));
    }
    if (result.isStatic) {
      result.rowElements =
          shapes.sizes.product(ArrayRef(shape).drop_front(dims));
      dispatch.walk([&](linalg::LinalgOp op) {
        if (auto structure = getContractionStructure(op))
          result.rowMacs += static_cast<double>(structure->macs());
      });
    }
    return result;
  }
  return std::nullopt;
}

SmallVector<int64_t> RowBlocks::heights() const {
  // A row is work enough for a kernel of its own.
  constexpr double kMacs = 1 << 20;
  constexpr int64_t kElements = 8192;
  if (!isStatic || rowMacs >= kMacs || rowElements >= kElements)
    return {1};
  // Every block reads all weights: few rows should be few blocks.
  if (rowMacs > 0)
    return {64, 16, 4, 2, 1};
  int64_t rows = kElements / std::max<int64_t>(rowElements, 1);
  return rows >= 16 ? SmallVector<int64_t>{rows, 8, 1}
                    : SmallVector<int64_t>{rows, 1};
}

qd::DispatchOp RowBlocks::build(qd::DispatchOp dispatch, SymbolicShapes &shapes,
                                int64_t rows, ModuleOp module,
                                SmallVectorImpl<unsigned> &inputs) const {
  RowAnalysis analysis(dispatch, shapes, numDims);
  bool isRows = analysis.run();
  assert(isRows && "analysed before");
  (void)isRows;
  ShapeOracle oracle;
  oracle.typeOf = [&](Value tensor) {
    auto type = cast<RankedTensorType>(tensor.getType());
    SymbolicShapes::Shape shape = shapes.shapeOf(tensor);
    if (analysis.hasRows(tensor))
      for (int64_t axis = 0; axis < numDims; ++axis)
        shape[axis] = axis == 0 ? rows : 1;
    for (int64_t &size : shape)
      if (SymbolicSizes::isSymbolic(size))
        size = ShapedType::kDynamic;
    return RankedTensorType::get(shape, type.getElementType());
  };
  // Sizes of the rows are numbers in the types; indices that remain are sizes
  // of other dimensions.
  oracle.numberOf = [&](Value index) -> std::optional<int64_t> {
    int64_t size = shapes.sizeOf(index);
    if (size == ShapedType::kDynamic || SymbolicSizes::isSymbolic(size))
      return std::nullopt;
    return size;
  };
  auto body = std::make_unique<Block>();
  OpBuilder inner(dispatch.getContext());
  inner.setInsertionPointToEnd(body.get());
  IRMapping map;
  for (BlockArgument argument : dispatch.getBody().getArguments()) {
    Type type = argument.getType();
    if (isa<RankedTensorType>(type))
      type = oracle.typeOf(argument);
    map.map(argument, body->addArgument(type, argument.getLoc()));
  }
  for (Operation &op : dispatch.getBody().front())
    cloneRetyped(inner, &op, map, oracle);
  // Sizes that only made empty tensors.
  for (unsigned number = body->getNumArguments(); number-- > 0;) {
    BlockArgument argument = body->getArgument(number);
    if (argument.getType().isIndex() && argument.use_empty())
      body->eraseArgument(number);
    else
      inputs.insert(inputs.begin(), number);
  }

  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto holder = func::FuncOp::create(
      builder, dispatch.getLoc(),
      ("rows" + Twine(module.getBody()->getOperations().size())).str(),
      builder.getFunctionType(body->getArgumentTypes(), {}));
  Block *entry = holder.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  auto made = qd::DispatchOp::create(builder, dispatch.getLoc(),
                                     body->getTerminator()->getOperandTypes(),
                                     entry->getArguments());
  made->setDiscardableAttrs(dispatch->getDiscardableAttrDictionary());
  made.getBody().push_back(body.release());
  func::ReturnOp::create(builder, dispatch.getLoc());
  return made;
}

} // namespace qdialect
