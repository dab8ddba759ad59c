// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scan, of both versions: rows of tensors run through a body with states.

#include "CountedLoop.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// Runs the rows of `scans` through the body with the states: the last states
/// and, one row an iteration, the other results.
FailureOr<std::vector<Tensor>> runScan(Node &n, ArrayRef<Tensor> states,
                                       ArrayRef<Tensor> scans,
                                       ArrayRef<int64_t> inputDirections,
                                       ArrayRef<bool> backwards) {
  GraphBuilder &b = n.b;
  int64_t count = scans.front().dim(0);
  Value last = b.index(b.sizes.sub(count, 1));
  CountedLoop loop{n,
                   count,
                   SmallVector<Tensor>(states),
                   [&](const Iteration &iteration) {
                     std::vector<Tensor> given(iteration.states);
                     for (auto [scan, tensor] : llvm::enumerate(scans)) {
                       Value at = iteration.counter;
                       if (inputDirections[scan] != 0)
                         at = arith::SubIOp::create(b.builder, b.loc, last, at);
                       given.push_back(tableRow(b, at, tensor));
                     }
                     return given;
                   },
                   [](std::vector<Tensor> &) { return success(); },
                   backwards};
  return loop.build();
}

/// Slices of the scanned inputs run through the body with the states.
LogicalResult importScan(Node &n) {
  int64_t scanned = n.getInt("num_scan_inputs", 0);
  auto total = static_cast<int64_t>(n.numInputs());
  if (!n.ok() || !n.requireRange("num_scan_inputs", {scanned}, 1, total))
    return failure();
  auto numStates = static_cast<size_t>(total - scanned);
  size_t numScans = static_cast<size_t>(scanned);
  auto listOf = [&](StringRef name, size_t size) {
    return n.getInts(name).value_or(Shape(size, 0));
  };
  Shape inputDirections = listOf("scan_input_directions", numScans),
        inputAxes = listOf("scan_input_axes", numScans);
  size_t numOutputs = n.numOutputs() - std::min(n.numOutputs(), numStates);
  Shape outputDirections = listOf("scan_output_directions", numOutputs),
        outputAxes = listOf("scan_output_axes", numOutputs);
  if (!n.ok())
    return failure();
  if (inputDirections.size() != numScans || inputAxes.size() != numScans ||
      outputDirections.size() != numOutputs || outputAxes.size() != numOutputs)
    return n.emitError() << "directions and axes must have one number for each "
                            "scanned input and output";
  GraphBuilder &b = n.b;
  SmallVector<Tensor> states, scans;
  int64_t count = -1;
  for (size_t i = 0; i < n.numInputs(); ++i) {
    Tensor tensor = n.input(i, "initial_state_and_scan_inputs");
    if (!n.ok())
      return failure();
    if (i < numStates) {
      states.push_back(tensor);
      continue;
    }
    size_t scan = i - numStates;
    n.requireRank(tensor, "scan input", 1);
    int64_t axis = n.ok() ? n.axis(inputAxes[scan], tensor.rank()) : 0;
    if (!n.ok())
      return failure();
    // The scanned axis first; the last element first if it runs backwards.
    Shape order{axis};
    for (int64_t other = 0; other < tensor.rank(); ++other)
      if (other != axis)
        order.push_back(other);
    scans.push_back(b.transpose(tensor, order));
    int64_t length = scans.back().dim(0);
    if (scan > 0 && length != count)
      return n.emitError() << "scan inputs have " << b.sizes.print(count)
                           << " and " << b.sizes.print(length) << " elements";
    count = length;
  }
  SmallVector<bool> backwards;
  for (int64_t direction : outputDirections)
    backwards.push_back(direction != 0);
  auto ends = runScan(n, states, scans, inputDirections, backwards);
  if (failed(ends))
    return failure();
  for (size_t i = numStates; i < ends->size() && i - numStates < numOutputs;
       ++i) {
    Tensor &tensor = (*ends)[i];
    int64_t axis = n.axis(outputAxes[i - numStates], tensor.rank());
    if (!n.ok())
      return failure();
    Shape order;
    for (int64_t other = 1; other < tensor.rank(); ++other)
      order.push_back(other);
    order.insert(order.begin() + axis, 0);
    tensor = b.transpose(tensor, order);
  }
  return giveAll(n, *ends);
}

/// The first version: everything has a batch dimension in front, which the body
/// does not see, and samples may have lengths.
LogicalResult importBatchedScan(Node &n) {
  int64_t scanned = n.getInt("num_scan_inputs", 0);
  auto total = static_cast<int64_t>(n.numInputs()) - 1;
  if (!n.ok() || !n.requireRange("num_scan_inputs", {scanned}, 1, total))
    return failure();
  auto numStates = static_cast<size_t>(total - scanned);
  Shape directions =
      n.getInts("directions").value_or(Shape(static_cast<size_t>(scanned), 0));
  if (n.hasInput(0))
    return n.emitError() << "input sequence_lens is not supported";
  if (!n.ok() || static_cast<int64_t>(directions.size()) != scanned)
    return n.ok() ? n.emitError() << "directions must have one number for each "
                                     "scanned input"
                  : failure();
  GraphBuilder &b = n.b;
  SmallVector<Tensor> inputs;
  for (size_t i = 1; i < n.numInputs(); ++i) {
    bool isScan = i > numStates;
    inputs.push_back(n.input(i, "initial_state_and_scan_inputs"));
    n.requireRank(inputs.back(), "input", isScan ? 2 : 1);
    if (!n.ok())
      return failure();
    if (inputs.back().dim(0) != inputs.front().dim(0))
      return n.emitError() << "inputs have batches of " << inputs.front().dim(0)
                           << " and " << inputs.back().dim(0);
    if (isScan && inputs.back().dim(1) != inputs[numStates].dim(1))
      return n.emitError() << "scan inputs have " << inputs[numStates].dim(1)
                           << " and " << inputs.back().dim(1) << " elements";
  }
  // A loop for each sample.
  constexpr int64_t maxBatch = 64;
  int64_t batch = inputs.front().dim(0);
  if (!n.requireRange("batch", {batch}, 1, maxBatch))
    return failure();
  std::vector<SmallVector<Tensor>> samples;
  for (int64_t sample = 0; sample < batch; ++sample) {
    SmallVector<Tensor> states, scans;
    for (auto [i, tensor] : llvm::enumerate(inputs)) {
      Tensor own = b.reshape(b.sliceAxis(tensor, 0, sample, 1),
                             tensor.shape().drop_front());
      (i < numStates ? states : scans).push_back(Tensor(b.value(own)));
    }
    auto ends = runScan(n, states, scans, directions, {});
    if (failed(ends))
      return failure();
    samples.resize(ends->size());
    for (auto [parts, tensor] : llvm::zip_equal(samples, *ends)) {
      Shape shape{1};
      llvm::append_range(shape, tensor.shape());
      parts.push_back(b.reshape(tensor, shape));
    }
  }
  std::vector<Tensor> results;
  for (ArrayRef<Tensor> parts : samples)
    results.push_back(b.concat(parts, 0));
  return giveAll(n, results);
}

} // namespace

void registerScanOps(OpRegistry &r) {
  r.onOp("Scan", 8, importBatchedScan, "no lengths, batch up to 64");
  r.onOp("Scan", 9, importScan, "states keep their rank").symbolic();
}

} // namespace qdialect::onnx_import
