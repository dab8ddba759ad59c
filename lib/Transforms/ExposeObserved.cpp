// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Observed values become results, so that any executor can collect them:
//
//   %o = qd.observe %z "relu1"; return %y   ->   return %y, %z
//
// and the function lists the names: qd.observed = ["relu1"]. What a program
// loop computes is gathered, one row an iteration, and leaves it as one more
// result. What a side of a program branch computes is one more result of the
// branch, storage without values on the other side; whether there are values is
// a result, too (gathered likewise):
//
//   %y:3 = scf.if %c { ...; yield %a, %z, true } else { yield %b, %empty, false
//   }

#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_EXPOSEOBSERVEDPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

/// A value on its way out of the program.
struct Exposed {
  StringAttr name;
  Value value;
  /// Which rows of `value`, along its first dimensions, have values; null if
  /// all have.
  Value taken;
};

/// Every value and flag of a list, once.
llvm::SetVector<Value> valuesOf(ArrayRef<Exposed> list) {
  llvm::SetVector<Value> values;
  for (const Exposed &one : list) {
    values.insert(one.value);
    if (one.taken)
      values.insert(one.taken);
  }
  return values;
}

void replaceValues(SmallVectorImpl<Exposed> &list,
                   const llvm::DenseMap<Value, Value> &outside) {
  for (Exposed &one : list) {
    one.value = outside.at(one.value);
    if (one.taken)
      one.taken = outside.at(one.taken);
  }
}

class Exposer {
public:
  explicit Exposer(MLIRContext *context) : rewriter(context) {}

  /// The observed values of a block and the control flow in it, as values of
  /// the block. The observers are gone.
  SmallVector<Exposed> expose(Block &block);

private:
  SmallVector<Exposed> expose(scf::ForOp loop);
  SmallVector<Exposed> expose(scf::IfOp branch);
  Value insertRow(OpBuilder &builder, Value value, BlockArgument gathered,
                  ArrayRef<OpFoldResult> shape);
  OpFoldResult sizeOutside(OpFoldResult size, Operation *region);

  IRRewriter rewriter;
};

SmallVector<Exposed> Exposer::expose(Block &block) {
  SmallVector<Exposed> list;
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (auto observe = dyn_cast<qd::ObserveOp>(op)) {
      list.push_back({observe.getValueNameAttr(), observe.getInput(), Value()});
      rewriter.replaceOp(observe, observe.getInput());
    } else if (isProgramLoop(&op)) {
      llvm::append_range(list, expose(cast<scf::ForOp>(op)));
    } else if (isProgramBranch(&op)) {
      llvm::append_range(list, expose(cast<scf::IfOp>(op)));
    }
  }
  return list;
}

/// Writes `value` as the row of the iteration.
Value Exposer::insertRow(OpBuilder &builder, Value value,
                         BlockArgument gathered, ArrayRef<OpFoldResult> shape) {
  Location loc = value.getLoc();
  auto around = cast<scf::ForOp>(gathered.getOwner()->getParentOp());
  Value row = around.getInductionVar();
  if (int64_t first = getFirst(around))
    row = arith::SubIOp::create(
        builder, loc, row, arith::ConstantIndexOp::create(builder, loc, first));
  SmallVector<OpFoldResult> offsets(shape.size(), builder.getIndexAttr(0)),
      sizes(shape), strides(shape.size(), builder.getIndexAttr(1));
  offsets[0] = row;
  sizes[0] = builder.getIndexAttr(1);
  return tensor::InsertSliceOp::create(builder, loc, value, gathered, offsets,
                                       sizes, strides);
}

SmallVector<Exposed> Exposer::expose(scf::ForOp loop) {
  SmallVector<Exposed> list = expose(*loop.getBody());
  llvm::SetVector<Value> values = valuesOf(list);
  if (values.empty())
    return list;
  rewriter.setInsertionPoint(loop);
  OpFoldResult count = getAsOpFoldResult(loop.getUpperBound());
  if (std::optional<int64_t> end = getConstantIntValue(count))
    count = rewriter.getIndexAttr(*end - getFirst(loop));
  else if (getFirst(loop) != 0)
    count = arith::SubIOp::create(rewriter, loop.getLoc(), loop.getUpperBound(),
                                  loop.getLowerBound())
                .getResult();
  SmallVector<Value> storage;
  SmallVector<SmallVector<OpFoldResult>> shapes;
  for (Value value : values) {
    SmallVector<OpFoldResult> &shape = shapes.emplace_back();
    shape.push_back(count);
    rewriter.setInsertionPointAfterValue(value);
    for (OpFoldResult size : sizesOf(rewriter, value.getLoc(), value))
      shape.push_back(sizeOutside(size, loop));
    rewriter.setInsertionPoint(loop);
    storage.push_back(
        tensor::EmptyOp::create(rewriter, value.getLoc(), shape,
                                getElementTypeOrSelf(value.getType())));
  }
  auto write = [&](OpBuilder &builder, Location,
                   ArrayRef<BlockArgument> carried) {
    SmallVector<Value> rows;
    for (auto [value, gathered, shape] :
         llvm::zip_equal(values, carried, shapes))
      rows.push_back(insertRow(builder, value, gathered, shape));
    return rows;
  };
  FailureOr<LoopLikeOpInterface> grown =
      cast<LoopLikeOpInterface>(*loop).replaceWithAdditionalYields(
          rewriter, storage, /*replaceInitOperandUsesInLoop=*/false, write);
  assert(succeeded(grown) && "scf.for takes more results");
  llvm::DenseMap<Value, Value> outside;
  for (auto [value, result] :
       llvm::zip_equal(values, (*grown)->getResults().take_back(values.size())))
    outside[value] = result;
  replaceValues(list, outside);
  return list;
}

/// A size that is computed in a loop or branch, computed in front of it.
OpFoldResult Exposer::sizeOutside(OpFoldResult size, Operation *region) {
  auto value = dyn_cast<Value>(size);
  Operation *op = value ? value.getDefiningOp() : nullptr;
  if (!op || !region->isProperAncestor(op))
    return size;
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    rewriter.setInsertionPoint(dim);
    OpFoldResult made = sizesOf(rewriter, dim.getLoc(),
                                dim.getSource())[*dim.getConstantIndex()];
    if (made != OpFoldResult(value))
      return sizeOutside(made, region);
  }
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(getValueOrCreateConstantIndexOp(
        rewriter, op->getLoc(), sizeOutside(operand, region)));
  rewriter.setInsertionPoint(region);
  Operation *copy = rewriter.clone(*op);
  copy->setOperands(operands);
  return copy->getResult(0);
}

SmallVector<Exposed> Exposer::expose(scf::IfOp branch) {
  SmallVector<Exposed> sides[] = {expose(*branch.thenBlock()),
                                  expose(*branch.elseBlock())};
  if (sides[0].empty() && sides[1].empty())
    return {};
  Location loc = branch.getLoc();
  auto flagType = RankedTensorType::get({}, rewriter.getI1Type());
  auto constant = [&](RankedTensorType type, bool value) -> Value {
    return arith::ConstantOp::create(rewriter, loc,
                                     DenseElementsAttr::get(type, value));
  };
  // By side: what it gives in both cases.
  SmallVector<Type> types(branch.getResultTypes());
  SmallVector<Value> yielded[2];
  llvm::DenseMap<Value, unsigned> numbers[2];
  for (unsigned side : {0, 1}) {
    SmallVector<Exposed> &list = sides[side];
    if (list.empty())
      continue;
    Block *own = &branch->getRegion(side).front(),
          *other = &branch->getRegion(1 - side).front();
    rewriter.setInsertionPoint(own->getTerminator());
    Value ran = constant(flagType, true);
    llvm::DenseSet<Value> flags;
    for (Exposed &one : list) {
      if (!one.taken)
        one.taken = ran;
      flags.insert(one.taken);
    }
    for (Value value : valuesOf(list)) {
      auto type = cast<RankedTensorType>(value.getType());
      SmallVector<OpFoldResult> sizes;
      rewriter.setInsertionPoint(own->getTerminator());
      for (OpFoldResult size : sizesOf(rewriter, loc, value))
        sizes.push_back(sizeOutside(size, branch));
      rewriter.setInsertionPoint(other->getTerminator());
      yielded[side].push_back(value);
      yielded[1 - side].push_back(
          flags.contains(value)
              ? constant(type, false)
              : tensor::EmptyOp::create(rewriter, loc, sizes,
                                        type.getElementType()));
      numbers[side][value] = types.size();
      types.push_back(type);
    }
  }
  rewriter.setInsertionPoint(branch);
  auto grown = scf::IfOp::create(rewriter, loc, types, branch.getCondition(),
                                 /*addThenBlock=*/false,
                                 /*addElseBlock=*/false);
  grown->setDiscardableAttrs(branch->getDiscardableAttrDictionary());
  for (unsigned side : {0, 1}) {
    grown->getRegion(side).takeBody(branch->getRegion(side));
    Operation *yield = grown->getRegion(side).front().getTerminator();
    yield->insertOperands(yield->getNumOperands(), yielded[side]);
  }
  rewriter.replaceOp(branch,
                     grown->getResults().take_front(branch.getNumResults()));
  SmallVector<Exposed> list;
  for (unsigned side : {0, 1}) {
    llvm::DenseMap<Value, Value> outside;
    for (auto [value, number] : numbers[side])
      outside[value] = grown->getResult(number);
    replaceValues(sides[side], outside);
    llvm::append_range(list, sides[side]);
  }
  return list;
}

struct ExposeObserved : impl::ExposeObservedPassBase<ExposeObserved> {
  using ExposeObservedPassBase::ExposeObservedPassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    if (!function.getBody().hasOneBlock()) {
      function.emitError() << "has more than one block";
      return signalPassFailure();
    }
    OpBuilder builder(&getContext());
    SmallVector<Exposed> list =
        Exposer(&getContext()).expose(function.getBody().front());
    stripObservers(function);
    numExposed += list.size();
    SmallVector<Value> values;
    SmallVector<Attribute> names;
    for (const Exposed &one : list) {
      values.push_back(one.value);
      names.push_back(one.name);
    }
    // The flags behind the values.
    SmallVector<int64_t> flags(list.size(), -1);
    llvm::MapVector<Value, int64_t> numbers;
    for (auto [one, flag] : llvm::zip_equal(list, flags))
      if (one.taken)
        flag = numbers.try_emplace(one.taken, numbers.size()).first->second;
    SmallVector<Attribute> resultNames(names);
    for (auto [flag, number] : numbers) {
      values.push_back(flag);
      resultNames.push_back(
          builder.getStringAttr("taken" + std::to_string(number)));
    }
    Operation *terminator = function.getBody().front().getTerminator();
    SmallVector<unsigned> positions(values.size(), function.getNumResults());
    SmallVector<Type> types;
    SmallVector<DictionaryAttr> attributes;
    for (auto [value, name] : llvm::zip_equal(values, resultNames)) {
      types.push_back(value.getType());
      attributes.push_back(
          builder.getDictionaryAttr(builder.getNamedAttr(qd::kNameAttr, name)));
    }
    if (failed(function.insertResults(positions, types, attributes))) {
      function.emitError() << "cannot get more results";
      return signalPassFailure();
    }
    terminator->insertOperands(terminator->getNumOperands(), values);
    function->setAttr(qd::kObservedAttr, builder.getArrayAttr(names));
    if (!numbers.empty())
      function->setAttr(qd::kTakenAttr, builder.getDenseI64ArrayAttr(flags));
  }
};

} // namespace
} // namespace qdialect
