// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "FoldNode.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// More operations than this are a program, not shape arithmetic.
constexpr size_t maxOperations = 64;

bool isTensorConstant(Operation *op) {
  return op->hasTrait<OpTrait::ConstantLike>() &&
         isa<ShapedType>(op->getResult(0).getType());
}

bool isSmall(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  return !shaped || (shaped.hasStaticShape() &&
                     shaped.getNumElements() <= maxFoldedElements);
}

/// Codes and their scales stay what the model says they are, and what is large
/// is no shape; nor is what a body computes on the way.
bool isFoldable(Operation *op) {
  if (isa<qd::QDDialect>(op->getDialect()) && !isa<qd::StorageCastOp>(op))
    return false;
  return !op->walk([](Operation *inner) {
              return inner->hasTrait<OpTrait::ConstantLike>() ||
                             llvm::all_of(inner->getResultTypes(), isSmall)
                         ? WalkResult::advance()
                         : WalkResult::interrupt();
            }).wasInterrupted();
}

std::optional<HostTensor>
knownValue(Value value, const llvm::DenseMap<Value, HostTensor> &computed) {
  if (auto found = computed.find(value); found != computed.end())
    return found->second;
  if (std::optional<ConstantView> view = constantView(value))
    return view->toHostTensor();
  return std::nullopt;
}

} // namespace

int64_t stepsOf(Operation *op) {
  int64_t inside = 1;
  for (Region &region : op->getRegions())
    for (Operation &nested : region.getOps())
      inside = std::min(inside + stepsOf(&nested), maxFoldedSteps + 1);
  if (isa<scf::WhileOp>(op))
    return maxFoldedSteps + 1;
  SmallVector<int64_t> runs;
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    std::optional<int64_t> low = getConstantIntValue(loop.getLowerBound()),
                           high = getConstantIntValue(loop.getUpperBound());
    if (!low || !high || *low < 0)
      return maxFoldedSteps + 1;
    runs = {*high - *low};
  } else if (auto generic = dyn_cast<linalg::LinalgOp>(op)) {
    runs = generic.getStaticLoopRanges();
  }
  for (int64_t count : runs) {
    if (ShapedType::isDynamic(count) || count > maxFoldedSteps)
      return maxFoldedSteps + 1;
    inside = std::min(inside * std::max<int64_t>(count, 1), maxFoldedSteps + 1);
  }
  return inside;
}

NodeFolder::NodeFolder(GraphBuilder &builder,
                       ArrayRef<std::optional<Tensor>> inputs)
    : block(builder.builder.getInsertionBlock()) {
  if (!block->empty())
    last = &block->back();
  bool any = false;
  applies = llvm::all_of(inputs, [&](const std::optional<Tensor> &input) {
    any |= input.has_value();
    return !input || (isSmallConstant(*input) && !input->isSymbolic());
  });
  applies &= any;
}

void NodeFolder::fold(MutableArrayRef<std::optional<Tensor>> results) {
  auto isValue = [](const std::optional<Tensor> &result) {
    return result && !result->isConstant();
  };
  if (!applies || llvm::none_of(results, isValue))
    return;
  SmallVector<Operation *> made;
  for (Operation *op = last ? last->getNextNode()
                            : (block->empty() ? nullptr : &block->front());
       op; op = op->getNextNode())
    if (!isTensorConstant(op))
      made.push_back(op);
  if (made.size() > maxOperations || !llvm::all_of(made, isFoldable))
    return;
  int64_t steps = 0;
  for (Operation *op : made)
    steps += stepsOf(op);
  if (steps > maxFoldedSteps)
    return;
  llvm::DenseMap<Value, HostTensor> computed;
  for (Operation *op : made) {
    SmallVector<HostTensor> operands;
    for (Value operand : op->getOperands()) {
      std::optional<HostTensor> value = knownValue(operand, computed);
      if (!value)
        return;
      operands.push_back(std::move(*value));
    }
    auto outcome = evaluate(op, operands);
    if (!outcome)
      return llvm::consumeError(outcome.takeError());
    for (auto [result, value] : llvm::zip_equal(op->getResults(), *outcome))
      computed[result] = std::move(value);
  }
  for (std::optional<Tensor> &result : results) {
    if (!isValue(result))
      continue;
    std::optional<HostTensor> value = knownValue(result->value, computed);
    if (!value || value->type() != *hostType(result->elementType()))
      return;
  }
  for (std::optional<Tensor> &result : results)
    if (isValue(result))
      result =
          Tensor(result->elementType(), *knownValue(result->value, computed));
  // The builder keeps constants, sizes among them, for later nodes.
  for (Operation *op : llvm::reverse(made))
    if (op->use_empty() && !op->hasTrait<OpTrait::ConstantLike>())
      op->erase();
}

} // namespace qdialect::onnx_import
