// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "rows": a function of contiguous rows on half a warp or a block a
// row, and the element-wise steps behind it.

#include "ElementEmitter.h"
#include "Families.h"
#include "KernelFunction.h"
#include "RowFunction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::gpu {
namespace {

/// Of a row; what is longer is cut into pieces too often.
constexpr int64_t kMaxRow = 1 << 16;

ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

class RowsPlan : public GpuKernelPlan {
public:
  RowsPlan(qd::DispatchOp dispatch, Operation *root,
           std::unique_ptr<RowFunction> function)
      : dispatch(dispatch), root(root), function(std::move(function)) {
    family = "rows";
    keyText = family + cpu::structureKey(dispatch);
  }

  bool init() {
    for (Operation &op : dispatch.getBody().front().without_terminator())
      if (&op != root && !isFollowed(op))
        return false;
    if (!isFollowedTo(dispatch, root))
      return false;
    for (Value constant : loadedConstants(dispatch)) {
      std::optional<ConstantView> view = constantView(constant);
      if (!view)
        return false;
      constants.push_back(cpu::tensorBlob(std::move(*view)));
    }
    for (ConstantBlob &table : function->tables())
      constants.push_back(std::move(table));
    for (auto [dim, size] : llvm::enumerate(shapeOf(root->getResult(0))))
      (static_cast<int64_t>(dim) < function->axis() ? rows : length) *= size;
    numTasks = rows;
    return length <= kMaxRow;
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    RowShape shape = function->shape(rows, length);
    return {shape.blocks(), shape.threads(), 0};
  }

  std::string instruction(const GpuTarget &target) const override {
    return "shfl";
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override;

private:
  qd::DispatchOp dispatch;
  Operation *root;
  std::unique_ptr<RowFunction> function;
  int64_t rows = 1, length = 1;
};

LogicalResult RowsPlan::emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                             StringRef symbol) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  WarpEmitter e(dispatch.getLoc(), moduleBuilder);
  unsigned firstConstant = dispatch.getInputs().size() + 1;
  RowShape shape = function->shape(rows, length);
  LLVM::LLVMFuncOp kernel =
      startKernel(e, symbol, firstConstant + constants.size(), shape.threads());
  markArguments(kernel, dispatch);
  ElementEmitter elements(e, dispatch, kernel.getArguments());
  RowWalk walk(e, shape, symbol);

  ArrayRef<int64_t> sizes = shapeOf(root->getResult(0));
  ArrayRef<int64_t> inner = sizes.drop_front(function->axis());
  SmallVector<Value> ofRow =
      elements.indicesOf(walk.row(), sizes.take_front(function->axis()));
  auto position = [&](const RowColumn &at) {
    return e.add(e.mul(walk.row(), length), at.column);
  };
  auto element = [&](Value operand, const RowColumn &at) {
    SmallVector<Value> indices = elements.indicesOf(at.column, inner);
    if (shapeOf(operand).size() == sizes.size()) {
      indices.insert(indices.begin(), ofRow.begin(), ofRow.end());
      elements.identify(indices, sizes, position(at));
    }
    return elements.at(operand, indices);
  };
  RowBuilder builder{e, walk, element, {}};
  llvm::append_range(builder.constants, kernel.getArguments().take_back(
                                            function->tables().size()));
  auto resultAt = function->emit(builder);
  Value result = dispatch.getYield().getOperand(0);
  walk.forEach(
      [&](const RowColumn &at) {
        elements.define(root->getResult(0), {resultAt(at)});
        return elements.at(result,
                           elements.indicesOf(position(at), shapeOf(result)));
      },
      [&](const RowColumn &at, Value value) {
        elements.store(value, position(at));
      });
  LLVM::ReturnOp::create(e, ValueRange());
  return success();
}

} // namespace

GpuPlanPtr planRows(const cpu::KernelRegion &region) {
  if (!region.root || region.shapes)
    return nullptr;
  std::unique_ptr<RowFunction> function = floatRowFunction(region.root);
  if (!function)
    function = integerRowFunction(region.root);
  if (!function)
    return nullptr;
  auto plan = std::make_unique<RowsPlan>(region.dispatch, region.root,
                                         std::move(function));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu
