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
// result.

#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_EXPOSEOBSERVEDPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

/// The result of `loop` that holds `value` of each iteration.
Value gather(scf::ForOp loop, Value value) {
  LoopBounds bounds = getBounds(loop);
  auto element = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape{bounds.count()};
  llvm::append_range(shape, element.getShape());
  IRRewriter rewriter(loop);
  Location loc = value.getLoc();
  Value empty =
      tensor::EmptyOp::create(rewriter, loc, shape, element.getElementType());
  auto write = [&](OpBuilder &builder, Location at,
                   ArrayRef<BlockArgument> carried) -> SmallVector<Value> {
    auto index = [&](int64_t number) -> Value {
      return arith::ConstantIndexOp::create(builder, at, number);
    };
    auto around = cast<scf::ForOp>(carried.front().getOwner()->getParentOp());
    Value row = around.getInductionVar();
    if (bounds.low != 0)
      row = arith::SubIOp::create(builder, at, row, index(bounds.low));
    SmallVector<OpFoldResult> offsets(shape.size(), builder.getIndexAttr(0)),
        sizes = getAsIndexOpFoldResult(builder.getContext(), shape),
        strides(shape.size(), builder.getIndexAttr(1));
    offsets[0] = row;
    sizes[0] = builder.getIndexAttr(1);
    return {tensor::InsertSliceOp::create(builder, at, value, carried.front(),
                                          offsets, sizes, strides)};
  };
  FailureOr<LoopLikeOpInterface> grown =
      cast<LoopLikeOpInterface>(*loop).replaceWithAdditionalYields(
          rewriter, empty, /*replaceInitOperandUsesInLoop=*/false, write);
  assert(succeeded(grown) && "scf.for takes more results");
  return (*grown)->getResults().back();
}

/// Lets `op` observe the values of all iterations behind the loop.
void moveBehindLoop(qd::ObserveOp op) {
  Value gathered = gather(cast<scf::ForOp>(op->getParentOp()), op.getInput());
  OpBuilder builder(op.getContext());
  builder.setInsertionPointAfterValue(gathered);
  qd::ObserveOp::create(builder, op.getLoc(), gathered.getType(), gathered,
                        op.getValueName());
  op.getResult().replaceAllUsesWith(op.getInput());
  op.erase();
}

struct ExposeObserved : impl::ExposeObservedPassBase<ExposeObserved> {
  using ExposeObservedPassBase::ExposeObservedPassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function.getBody().hasOneBlock()) {
      function.emitError() << "has more than one block";
      return signalPassFailure();
    }
    SmallVector<Value> values;
    SmallVector<Attribute> names;
    OpBuilder builder(&getContext());
    for (Block *body : programBlocksInnerFirst(function))
      if (isProgramLoop(body->getParentOp()))
        for (qd::ObserveOp op : llvm::to_vector(body->getOps<qd::ObserveOp>()))
          moveBehindLoop(op);
    for (qd::ObserveOp op : function.getOps<qd::ObserveOp>()) {
      values.push_back(op.getInput());
      names.push_back(builder.getStringAttr(op.getValueName()));
    }
    numExposed += values.size();
    stripObservers(function);
    Operation *terminator = function.getBody().front().getTerminator();
    SmallVector<unsigned> positions(values.size(), function.getNumResults());
    SmallVector<Type> types;
    SmallVector<DictionaryAttr> attributes;
    for (auto [value, name] : llvm::zip(values, names)) {
      types.push_back(value.getType());
      attributes.push_back(
          builder.getDictionaryAttr(builder.getNamedAttr("qd.name", name)));
    }
    if (failed(function.insertResults(positions, types, attributes))) {
      function.emitError() << "cannot get more results";
      return signalPassFailure();
    }
    terminator->insertOperands(terminator->getNumOperands(), values);
    function->setAttr(kObservedAttr, builder.getArrayAttr(names));
  }
};

} // namespace
} // namespace qdialect
