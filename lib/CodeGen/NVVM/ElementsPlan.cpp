// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "elements": a thread for each element of the result, or for four
// neighbours where nothing is reduced, and neighbouring threads for
// neighbouring elements. Element-wise steps, casts, data movement, pools, and
// contractions that no other family takes.

#include "ElementEmitter.h"
#include "Families.h"
#include "KernelFunction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace qdialect::gpu {
namespace {

constexpr int64_t kThreads = 128;
/// Of a grid's first dimension.
constexpr int64_t kMaxBlocks = INT32_MAX;

/// Whether reductions, where there are any, read neighbours for neighbours of
/// the result.
bool readsNeighbours(qd::DispatchOp dispatch) {
  return llvm::all_of(
      dispatch.getBody().getOps<linalg::LinalgOp>(), [](linalg::LinalgOp op) {
        AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
        auto isNeighbour = [&](OpOperand *input) {
          AffineMap map = op.getMatchingIndexingMap(input);
          return map.getNumResults() != 0 &&
                 map.getResults().back() == output.getResults().back();
        };
        return op.getNumReductionLoops() == 0 ||
               (output.getNumResults() != 0 &&
                llvm::any_of(op.getDpsInputOperands(), isNeighbour));
      });
}

class ElementsPlan : public GpuKernelPlan {
public:
  explicit ElementsPlan(const cpu::KernelRegion &region)
      : region(region), dispatch(region.dispatch) {
    family = "elements";
    auto type = cast<RankedTensorType>(dispatch->getResult(0).getType());
    shape.assign(type.getShape().begin(), type.getShape().end());
    if (!shape.empty() && !type.isDynamicDim(shape.size() - 1) &&
        shape.back() % 4 == 0 && readsNeighbours(dispatch))
      neighbours = 4;
    keyText = family + cpu::structureKey(dispatch) + region.sizesKey();
    if (region.shapes) {
      shape = region.shapes->shapeOf(region.result);
      symbolicTasks = tasksOfDims(dispatch, shape.size(), neighbours);
    }
    groups = shape;
    if (neighbours != 1)
      groups.back() /= neighbours;
    if (!region.shapes)
      numTasks = (type.getNumElements() / neighbours + kThreads - 1) / kThreads;
  }

  bool init() {
    for (Value constant : loadedConstants(dispatch)) {
      std::optional<ConstantView> view = constantView(constant);
      if (!view)
        return false;
      constants.push_back(cpu::tensorBlob(std::move(*view)));
    }
    return numTasks <= kMaxBlocks;
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    return {region.shapes ? 0 : numTasks, kThreads, 0, kThreads};
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override {
    OpBuilder::InsertionGuard guard(moduleBuilder);
    ImplicitLocOpBuilder b(dispatch.getLoc(), moduleBuilder);
    unsigned firstConstant = dispatch.getInputs().size() + 1;
    LLVM::LLVMFuncOp kernel = startKernel(
        b, symbol, firstConstant + constants.size() + (region.shapes ? 1 : 0),
        kThreads);
    markArguments(kernel, dispatch);
    ElementEmitter emitter(b, region, kernel.getArguments());
    Value thread = arith::IndexCastOp::create(b, b.getIndexType(),
                                              threadInGrid(b, kThreads));
    auto index = [&](int64_t number) { return emitter.index(number); };
    Value all = index(1);
    for (int64_t size : groups)
      all = emitter.mul(all, size);
    Value exists =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, thread, all);
    auto branch = scf::IfOp::create(b, exists);
    {
      OpBuilder::InsertionGuard inside(b);
      b.setInsertionPointToStart(branch.thenBlock());
      Value first = b.createOrFold<arith::MulIOp>(thread, index(neighbours));
      SmallVector<Value> indices = emitter.indicesOf(thread, groups);
      if (neighbours != 1)
        indices.back() =
            b.createOrFold<arith::MulIOp>(indices.back(), index(neighbours));
      ElementEmitter::Places places;
      SmallVector<Value> positions;
      for (int64_t i = 0; i < neighbours; ++i) {
        positions.push_back(b.createOrFold<arith::AddIOp>(first, index(i)));
        places.push_back(indices);
        if (i != 0)
          places.back().back() =
              arith::AddIOp::create(b, indices.back(), index(i));
        emitter.identify(places.back(), shape, positions.back());
      }
      // Stores behind all loads, which are joined.
      for (auto [value, position] : llvm::zip_equal(
               emitter.at(dispatch.getYield().getOperand(0), places),
               positions))
        emitter.store(value, position);
    }
    LLVM::ReturnOp::create(b, ValueRange());
    return success();
  }

private:
  cpu::KernelRegion region;
  qd::DispatchOp dispatch;
  /// Of the result, and with its neighbours as one.
  SmallVector<int64_t> shape, groups;
  int64_t neighbours = 1; ///< of a thread
};

} // namespace

GpuPlanPtr planElements(qd::DispatchOp dispatch) {
  std::optional<cpu::KernelRegion> region = sizedRegion(dispatch);
  if (!region || !isElementByElement(*region))
    return nullptr;
  auto plan = std::make_unique<ElementsPlan>(*region);
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu
