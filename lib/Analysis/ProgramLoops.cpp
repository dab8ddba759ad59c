// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recognising program loops and branches; see the header.

#include "QDialect/Analysis/ProgramLoops.h"

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {

/// Is `op` index arithmetic that rowOf understands?
static bool isRowArithmetic(Operation *op) {
  return isa<arith::AddIOp, arith::SubIOp, arith::MulIOp>(op) &&
         op->getResult(0).getType().isIndex();
}

static std::optional<LoopRow> rowOf(OpFoldResult index,
                                    SymbolicShapes &shapes) {
  if (int64_t size = shapes.sizeOf(index); size != ShapedType::kDynamic)
    return LoopRow{Value(), 0, size};
  auto value = cast<Value>(index);
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (loop && loop.getInductionVar() == argument)
      return LoopRow{argument, 1, 0};
    return std::nullopt;
  }
  Operation *op = value.getDefiningOp();
  if (!isRowArithmetic(op))
    return std::nullopt;
  std::optional<LoopRow> lhs = rowOf(op->getOperand(0), shapes),
                         rhs = rowOf(op->getOperand(1), shapes);
  if (!lhs || !rhs)
    return std::nullopt;
  SymbolicSizes &sizes = shapes.sizes;
  if (isa<arith::MulIOp>(op)) {
    if (lhs->counter)
      std::swap(lhs, rhs);
    if (lhs->counter || SymbolicSizes::isSymbolic(lhs->offset))
      return std::nullopt;
    return LoopRow{rhs->counter, rhs->factor * lhs->offset,
                   sizes.mul(rhs->offset, lhs->offset)};
  }
  if (lhs->counter && rhs->counter && lhs->counter != rhs->counter)
    return std::nullopt;
  int64_t sign = isa<arith::SubIOp>(op) ? -1 : 1;
  return LoopRow{lhs->counter ? lhs->counter : rhs->counter,
                 lhs->factor + sign * rhs->factor,
                 sizes.add(lhs->offset, sizes.mul(rhs->offset, sign))};
}

/// The tensor that a slice reads from or writes into.
static Value wholeTensor(OffsetSizeAndStrideOpInterface slice) {
  return llvm::TypeSwitch<Operation *, Value>(slice)
      .Case<tensor::ExtractSliceOp>([](auto op) { return op.getSource(); })
      .Case<tensor::InsertSliceOp>([](auto op) { return op.getDest(); })
      .Default(Value());
}

/// Are all sizes known?
static bool isKnown(const SymbolicShapes::Shape &shape) {
  return !llvm::is_contained(shape, ShapedType::kDynamic);
}

std::optional<LoopRow> getLoopRow(OffsetSizeAndStrideOpInterface slice,
                                  SymbolicShapes &shapes) {
  Value whole = wholeTensor(slice);
  if (!whole)
    return std::nullopt;
  SymbolicShapes::Shape shape = shapes.shapeOf(whole);
  if (shape.empty() || !isKnown(shape))
    return std::nullopt;
  SmallVector<OpFoldResult> offsets = slice.getMixedOffsets(),
                            sizes = slice.getMixedSizes();
  for (auto [dim, extent] : llvm::enumerate(shape)) {
    if (shapes.sizeOf(sizes[dim]) != (dim == 0 ? 1 : extent) ||
        getConstantIntValue(slice.getMixedStrides()[dim]) != 1 ||
        (dim > 0 && getConstantIntValue(offsets[dim]) != 0))
      return std::nullopt;
  }
  return rowOf(offsets[0], shapes);
}

bool isLeftOpen(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    Operation *around = argument.getOwner()->getParentOp();
    unsigned number = argument.getArgNumber();
    if (auto loop = dyn_cast<scf::ForOp>(around))
      return number > 0 && isLeftOpen(loop.getInitArgs()[number - 1]);
    auto loop = dyn_cast<scf::WhileOp>(around);
    return loop && isLeftOpen(argument.getOwner() == loop.getBeforeBody()
                                  ? loop.getInits()[number]
                                  : loop.getConditionOp().getArgs()[number]);
  }
  auto result = cast<OpResult>(value);
  return llvm::TypeSwitch<Operation *, bool>(result.getOwner())
      .Case<qd::AnySizeOp>([](auto) { return true; })
      .Case<scf::ForOp>([&](auto loop) {
        return isLeftOpen(loop.getInitArgs()[result.getResultNumber()]);
      })
      .Case<scf::WhileOp>([&](auto loop) {
        return isLeftOpen(
            loop.getConditionOp().getArgs()[result.getResultNumber()]);
      })
      .Case<scf::IfOp>([&](auto branch) {
        return isLeftOpen(
            branch.thenYield().getOperand(result.getResultNumber()));
      })
      .Default(false);
}

static SymbolicShapes shapesAround(Operation *op) {
  return SymbolicShapes(op->getParentOfType<func::FuncOp>());
}

static tensor::InsertSliceOp getRowWrite(scf::ForOp loop, unsigned index,
                                         SymbolicShapes &shapes) {
  Value value = loop.getBody()->getTerminator()->getOperand(index);
  auto insert = value.getDefiningOp<tensor::InsertSliceOp>();
  if (insert && insert->getBlock() == loop.getBody() && value.hasOneUse() &&
      insert.getDest() == loop.getRegionIterArg(index) &&
      getLoopRow(cast<OffsetSizeAndStrideOpInterface>(*insert), shapes))
    return insert;
  return {};
}

tensor::InsertSliceOp getRowWrite(scf::ForOp loop, unsigned index) {
  SymbolicShapes shapes = shapesAround(loop);
  return getRowWrite(loop, index, shapes);
}

/// Do all readers of `value`, a counter or computed from one, choose rows by
/// it?
static bool choosesRows(Value value, SymbolicShapes &shapes) {
  return llvm::all_of(value.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isRowArithmetic(user))
      return rowOf(user->getResult(0), shapes) &&
             choosesRows(user->getResult(0), shapes);
    auto slice = dyn_cast<OffsetSizeAndStrideOpInterface>(user);
    if (!slice || !getLoopRow(slice, shapes))
      return false;
    if (isa<tensor::ExtractSliceOp>(user))
      return true;
    auto loop = dyn_cast<scf::ForOp>(user->getParentOp());
    return loop &&
           llvm::any_of(llvm::seq(loop.getNumResults()), [&](unsigned index) {
             return getRowWrite(loop, index, shapes) == user;
           });
  });
}

/// Can the program carry `value` from one iteration to the next?
static bool isCarriable(Value value, SymbolicShapes &shapes) {
  return isa<RankedTensorType>(value.getType()) &&
         (isKnown(shapes.shapeOf(value)) || isLeftOpen(value));
}

static bool standsInProgram(Operation *op) {
  Operation *parent = op->getParentOp();
  return isa<func::FuncOp>(parent) || isProgramRegion(parent);
}

bool isProgramBranch(Operation *op) {
  auto branch = dyn_cast<scf::IfOp>(op);
  return branch && branch.elseBlock() && branch.getNumResults() > 0 &&
         llvm::all_of(branch.getResultTypes(),
                      llvm::IsaPred<RankedTensorType>) &&
         standsInProgram(op);
}

Value getGoesOn(scf::WhileOp loop) {
  auto read =
      loop.getConditionOp().getCondition().getDefiningOp<tensor::ExtractOp>();
  return read && read.getIndices().empty() ? read.getTensor() : Value();
}

bool isProgramWhile(Operation *op) {
  auto loop = dyn_cast<scf::WhileOp>(op);
  if (!loop || !standsInProgram(op))
    return false;
  Block *test = loop.getBeforeBody();
  Value goesOn = getGoesOn(loop);
  // The test and its terminator.
  if (!goesOn || goesOn.getParentBlock() != test ||
      !isa<BlockArgument>(goesOn) || test->getOperations().size() != 2)
    return false;
  SymbolicShapes shapes = shapesAround(loop);
  auto isCarried = [&](Value value) { return isCarriable(value, shapes); };
  return llvm::all_of(loop.getInits(), isCarried) &&
         llvm::all_of(loop.getResults(), isCarried);
}

bool isProgramRegion(Operation *op) {
  return isProgramLoop(op) || isProgramWhile(op) || isProgramBranch(op);
}

bool isInWhile(Operation *op) {
  for (Operation *parent = op->getParentOp(); parent && isProgramRegion(parent);
       parent = parent->getParentOp())
    if (isa<scf::WhileOp>(parent))
      return true;
  return false;
}

scf::IfOp branchAround(Operation *op) {
  for (Operation *parent = op->getParentOp(); parent && isProgramRegion(parent);
       parent = parent->getParentOp())
    if (auto branch = dyn_cast<scf::IfOp>(parent))
      return branch;
  return {};
}

bool isProgramLoop(Operation *op) {
  auto loop = dyn_cast<scf::ForOp>(op);
  if (!loop || !standsInProgram(op))
    return false;
  std::optional<int64_t> low = getConstantIntValue(loop.getLowerBound()),
                         step = getConstantIntValue(loop.getStep());
  if (!low || step != 1 || loop.getNumResults() == 0)
    return false;
  SymbolicShapes shapes = shapesAround(loop);
  int64_t high = shapes.sizeOf(loop.getUpperBound());
  if (high == ShapedType::kDynamic ||
      (!SymbolicSizes::isSymbolic(high) && *low >= high))
    return false;
  return llvm::all_of(loop.getInitArgs(),
                      [&](Value init) { return isCarriable(init, shapes); }) &&
         choosesRows(loop.getInductionVar(), shapes);
}

SmallVector<Block *> programBlocks(func::FuncOp function) {
  if (function.isExternal())
    return {};
  SmallVector<Block *> blocks{&function.getBody().front()};
  for (size_t i = 0; i < blocks.size(); ++i)
    for (Operation &op : *blocks[i])
      if (isProgramRegion(&op))
        for (Region &region : op.getRegions())
          blocks.push_back(&region.front());
  return blocks;
}

SmallVector<Block *> programBlocksInnerFirst(func::FuncOp function) {
  SmallVector<Block *> blocks = programBlocks(function);
  std::reverse(blocks.begin(), blocks.end());
  return blocks;
}

int64_t getFirst(scf::ForOp loop) {
  return *getConstantIntValue(loop.getLowerBound());
}

int64_t timesRun(Operation *op) {
  int64_t times = 1;
  for (Operation *parent = op->getParentOp(); parent && isProgramRegion(parent);
       parent = parent->getParentOp())
    if (auto loop = dyn_cast<scf::ForOp>(parent))
      if (auto end = getConstantIntValue(loop.getUpperBound()))
        times *= *end - getFirst(loop);
  return times;
}

bool isLoopRowView(Operation *op) {
  auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
  if (!slice || !isProgramRegion(op->getParentOp()))
    return false;
  SymbolicShapes shapes = shapesAround(op);
  std::optional<LoopRow> row =
      getLoopRow(cast<OffsetSizeAndStrideOpInterface>(op), shapes);
  return row && row->counter;
}

} // namespace qdialect
