// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "KnownTrips.h"
#include "FoldNode.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// More operations in a condition than this are a program.
constexpr size_t maxOperations = 64;
/// Steps that are run, and elements of values that are kept: a second.
constexpr int64_t maxWork = 1 << 20;

/// Arguments of the body in front of the carried values.
constexpr unsigned numFixed = 2;

class TripCounter {
public:
  TripCounter(Block &body, ArrayRef<Tensor> results, ArrayRef<Tensor> carried)
      : body(body), results(results), carried(carried) {}

  bool collect();
  std::optional<KnownTrips> run(std::optional<int64_t> limit);

private:
  bool collect(const Tensor &result);
  bool collect(Value value);
  std::optional<HostTensor> valueOf(const Tensor &tensor) const;
  std::optional<HostTensor> valueOf(Value value) const;
  bool runBody();

  Block &body;
  ArrayRef<Tensor> results, carried;
  llvm::SmallPtrSet<Operation *, 16> slice;
  llvm::SetVector<size_t> needed; ///< carried values
  llvm::DenseMap<Value, HostTensor> computed;
};

/// Are all values that regions of `op` read from outside constants? The block
/// that `op` stands in belongs to no operation.
bool capturesConstants(Operation *op) {
  auto isInside = [&](Value value) {
    Operation *around = value.getParentBlock()->getParentOp();
    return around && op->isAncestor(around);
  };
  return !op->walk([&](Operation *nested) {
              bool isFine =
                  nested == op ||
                  llvm::all_of(nested->getOperands(), [&](Value value) {
                    return isInside(value) || constantView(value);
                  });
              return isFine ? WalkResult::advance() : WalkResult::interrupt();
            }).wasInterrupted();
}

bool TripCounter::collect(const Tensor &result) {
  return result.isConstant() ? !result.isSymbolic() : collect(result.value);
}

/// Is `value` computed from constants, the iteration and carried values that
/// start with constants and are computed likewise?
bool TripCounter::collect(Value value) {
  if (constantView(value))
    return true;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() != &body)
      return false;
    if (argument.getArgNumber() < numFixed)
      return true;
    size_t number = argument.getArgNumber() - numFixed;
    const Tensor &start = carried[number];
    if (!isSmallConstant(start) || start.isSymbolic())
      return false;
    return !needed.insert(number) || collect(results[number + 1]);
  }
  Operation *op = value.getDefiningOp();
  if (op->getBlock() != &body || !isMemoryEffectFree(op))
    return false;
  if (!slice.insert(op).second)
    return true;
  bool isSmall = llvm::all_of(op->getResultTypes(), [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return !shaped || (shaped.hasStaticShape() &&
                       shaped.getNumElements() <= maxFoldedElements);
  });
  return isSmall && slice.size() <= maxOperations && capturesConstants(op) &&
         llvm::all_of(op->getOperands(),
                      [&](Value operand) { return collect(operand); });
}

bool TripCounter::collect() { return collect(results.front()); }

std::optional<HostTensor> TripCounter::valueOf(Value value) const {
  if (auto found = computed.find(value); found != computed.end())
    return found->second;
  if (std::optional<ConstantView> view = constantView(value))
    return view->toHostTensor();
  return std::nullopt;
}

std::optional<HostTensor> TripCounter::valueOf(const Tensor &tensor) const {
  return tensor.isConstant() ? tensor.data : valueOf(tensor.value);
}

/// One iteration, of what was collected.
bool TripCounter::runBody() {
  for (Operation &op : body) {
    if (!slice.contains(&op))
      continue;
    SmallVector<HostTensor> operands;
    for (Value operand : op.getOperands()) {
      std::optional<HostTensor> value = valueOf(operand);
      if (!value)
        return false;
      operands.push_back(std::move(*value));
    }
    auto outcome = evaluate(&op, operands);
    if (!outcome) {
      llvm::consumeError(outcome.takeError());
      return false;
    }
    for (auto [result, value] : llvm::zip_equal(op.getResults(), *outcome))
      computed[result] = std::move(value);
  }
  return true;
}

std::optional<KnownTrips> TripCounter::run(std::optional<int64_t> limit) {
  KnownTrips trips;
  // An operation costs more than its steps, and so does an iteration.
  constexpr int64_t perOperation = 64;
  int64_t work = perOperation;
  for (size_t number : needed) {
    trips.values[number] = {*carried[number].data};
    work += carried[number].size();
  }
  for (Operation *op : slice)
    work += perOperation + stepsOf(op);
  int64_t most = maxWork / work;
  for (bool goesOn = true; goesOn; ++trips.count) {
    if (limit && trips.count >= *limit)
      break;
    if (trips.count == most)
      return std::nullopt;
    computed.clear();
    computed[body.getArgument(0)] =
        HostTensor::of<int64_t>(DType::I64, {}, {trips.count});
    HostTensor holds(DType::I1, std::vector<int64_t>());
    *holds.mutableBytes() = 1;
    computed[body.getArgument(1)] = std::move(holds);
    for (auto &[number, values] : trips.values)
      computed[body.getArgument(number + numFixed)] = values.back();
    if (!runBody())
      return std::nullopt;
    for (auto &[number, values] : trips.values) {
      std::optional<HostTensor> next = valueOf(results[number + 1]);
      // A value of another type is an error that the loop reports.
      if (!next || next->type() != values.front().type() ||
          next->shape() != values.front().shape())
        return std::nullopt;
      values.push_back(std::move(*next));
    }
    std::optional<HostTensor> condition = valueOf(results.front());
    if (!condition)
      return std::nullopt;
    goesOn = condition->asInteger(0) != 0;
  }
  return trips;
}

} // namespace

std::optional<KnownTrips> countTrips(Block &body, ArrayRef<Tensor> results,
                                     ArrayRef<Tensor> carried,
                                     std::optional<int64_t> limit) {
  TripCounter counter(body, results, carried);
  if (!counter.collect())
    return std::nullopt;
  return counter.run(limit);
}

} // namespace qdialect::onnx_import
