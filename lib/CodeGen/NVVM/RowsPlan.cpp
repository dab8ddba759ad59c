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
/// The same where the length is symbolic: one piece.
constexpr int64_t kMaxSymbolicRow = 8192;

class RowsPlan : public GpuKernelPlan {
public:
  /// `region` has a root.
  RowsPlan(const cpu::KernelRegion &region,
           std::unique_ptr<RowFunction> function)
      : region(region), dispatch(region.dispatch), root(region.root),
        function(std::move(function)) {
    family = "rows";
    keyText = family + cpu::structureKey(dispatch) + region.sizesKey();
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
    SmallVector<int64_t> sizes = shapeOf(root->getResult(0));
    if (region.shapes)
      return initSymbolic(sizes);
    for (auto [dim, size] : llvm::enumerate(sizes))
      (static_cast<int64_t>(dim) < function->axis() ? rows : length) *= size;
    numTasks = rows;
    return length <= kMaxRow;
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    RowShape shape = rowShape();
    return {shape.isSymbolic ? 0 : shape.blocks(), shape.threads(), 0,
            shape.rowsOfBlock()};
  }

  std::string instruction(const GpuTarget &target) const override {
    return "shfl";
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override;

private:
  SmallVector<int64_t> shapeOf(Value value) const {
    if (region.shapes)
      return region.shapes->shapeOf(value);
    return llvm::to_vector(cast<RankedTensorType>(value.getType()).getShape());
  }

  bool initSymbolic(ArrayRef<int64_t> sizes) {
    if (!function->takesSymbolicLength() ||
        sizes != ArrayRef(shapeOf(region.result)))
      return false;
    SymbolicSizes &table = region.shapes->sizes;
    rows = table.product(sizes.take_front(function->axis()));
    length = table.product(sizes.drop_front(function->axis()));
    symbolicTasks = tasksOfDims(dispatch, function->axis(), 1);
    return table.bounds(length).high <= kMaxSymbolicRow;
  }

  RowShape rowShape() const {
    if (!region.shapes)
      return function->shape(rows, length);
    RowShape shape =
        function->shape(1, region.shapes->sizes.bounds(length).high);
    shape.isSymbolic = true;
    return shape;
  }

  cpu::KernelRegion region;
  qd::DispatchOp dispatch;
  Operation *root;
  std::unique_ptr<RowFunction> function;
  int64_t rows = 1, length = 1; ///< sizes
};

LogicalResult RowsPlan::emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                             StringRef symbol) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  WarpEmitter e(dispatch.getLoc(), moduleBuilder);
  unsigned firstConstant = dispatch.getInputs().size() + 1;
  RowShape shape = rowShape();
  unsigned firstSize = firstConstant + constants.size();
  LLVM::LLVMFuncOp kernel = startKernel(
      e, symbol, firstSize + (shape.isSymbolic ? 1 : 0), shape.threads());
  markArguments(kernel, dispatch);
  ElementEmitter elements(e, region, kernel.getArguments());
  RowWalk walk(e, shape, symbol, elements.index(rows), elements.index(length));

  SmallVector<int64_t> sizes = shapeOf(root->getResult(0));
  ArrayRef<int64_t> outer = ArrayRef(sizes).take_front(function->axis());
  ArrayRef<int64_t> inner = ArrayRef(sizes).drop_front(function->axis());
  SmallVector<Value> ofRow = elements.indicesOf(walk.row(), outer);
  auto position = [&](const RowColumn &at) {
    return e.add(elements.mul(walk.row(), length), at.column);
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
  llvm::append_range(builder.constants,
                     kernel.getArguments().take_front(firstSize).take_back(
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
  if (!region.root)
    return nullptr;
  std::unique_ptr<RowFunction> function = floatRowFunction(region.root);
  if (!function)
    function = integerRowFunction(region.root);
  if (!function)
    return nullptr;
  auto plan = std::make_unique<RowsPlan>(region, std::move(function));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu
