// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "CountedLoop.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;

namespace qdialect::onnx_import {

LogicalResult giveAll(Node &n, ArrayRef<Tensor> results) {
  if (results.size() < n.numOutputs())
    return n.emitError() << "the graph gives " << results.size()
                         << " results, but the node has " << n.numOutputs();
  for (size_t i = 0; i < n.numOutputs(); ++i)
    if (n.wantsOutput(i) && failed(n.result(i, results[i])))
      return failure();
  return success();
}

SmallVector<Value> valuesOf(GraphBuilder &b, ArrayRef<Tensor> tensors) {
  SmallVector<Value> values;
  for (const Tensor &tensor : tensors)
    values.push_back(b.value(tensor));
  return values;
}

FailureOr<std::vector<Tensor>> importInto(Node &n, Block *block,
                                          StringRef attribute,
                                          ArrayRef<Tensor> inputs) {
  OpBuilder::InsertionGuard guard(n.b.builder);
  n.b.builder.setInsertionPointToEnd(block);
  return n.importGraph(attribute, inputs);
}

void yieldAt(GraphBuilder &b, Block *block, ArrayRef<Tensor> tensors) {
  OpBuilder::InsertionGuard guard(b.builder);
  b.builder.setInsertionPointToEnd(block);
  scf::YieldOp::create(b.builder, b.loc, valuesOf(b, tensors));
}

Tensor tableRow(GraphBuilder &b, Value counter, const Tensor &table) {
  auto type =
      RankedTensorType::get(table.shape().drop_front(), table.elementType());
  SmallVector<OpFoldResult> offsets(table.rank(), b.builder.getIndexAttr(0)),
      sizes = b.operands(table.shape()),
      strides(table.rank(), b.builder.getIndexAttr(1));
  offsets[0] = counter;
  sizes[0] = b.builder.getIndexAttr(1);
  return Tensor(tensor::ExtractSliceOp::create(
      b.builder, b.loc, type, b.value(table), offsets, sizes, strides));
}

/// Leaves an empty region if that fails.
FailureOr<std::vector<Tensor>> CountedLoop::importBody(Region &region,
                                                       bool asSize) {
  GraphBuilder &b = n.b;
  Block &block = region.emplaceBlock();
  Value counter = block.addArgument(b.builder.getIndexType(), b.loc);
  SmallVector<Tensor> states;
  for (const Tensor &tensor : carried)
    states.push_back(Tensor(block.addArgument(tensor.type, b.loc)));
  std::vector<Tensor> given;
  {
    OpBuilder::InsertionGuard guard(b.builder);
    b.builder.setInsertionPointToEnd(&block);
    given = inputs(counter, states, asSize);
  }
  auto results = importInto(n, &block, "body", given);
  if (failed(results)) {
    b.forget(region);
    block.erase();
  }
  return results;
}

FailureOr<std::vector<Tensor>>
CountedLoop::importBodyEitherWay(Region &region) {
  GraphBuilder &b = n.b;
  if (!hasCounter || b.repeatedImports >= maxImports)
    return importBody(region, /*asSize=*/false);
  SmallVector<Diagnostic, 1> said[2];
  auto attempt = [&](bool asSize) {
    ScopedDiagnosticHandler keep(b.context(), [&](Diagnostic &diagnostic) {
      said[asSize].push_back(std::move(diagnostic));
    });
    return importBody(region, asSize);
  };
  auto asTensor = attempt(/*asSize=*/false), results = asTensor;
  if (failed(asTensor)) {
    ++b.repeatedImports;
    results = attempt(/*asSize=*/true);
  }
  // If both fail, the first one says why.
  for (Diagnostic &diagnostic :
       said[failed(asTensor) && succeeded(results) ? 1 : 0])
    b.context()->getDiagEngine().emit(std::move(diagnostic));
  return results;
}

FailureOr<std::vector<Tensor>> CountedLoop::build() {
  GraphBuilder &b = n.b;
  Region region; // empty once the loop has it
  llvm::scope_exit leave([&] { b.forget(region); });
  auto results = importBodyEitherWay(region);
  if (failed(results))
    return failure();
  Block &block = region.front();
  Value counter = block.getArgument(0);
  if (failed(check(*results)))
    return failure();
  if (results->size() < carried.size())
    return n.emitError() << "the body gives too few results", failure();
  for (auto [index, state] : llvm::enumerate(carried))
    if ((*results)[index].type != state.type)
      return n.emitError() << "carried value " << index << " changes from "
                           << describeType(state.type) << " to "
                           << describeType((*results)[index].type),
             failure();
  Value zero = b.index(0), one = b.index(1), bound = b.index(count),
        last = b.index(b.sizes.sub(count, 1));
  SmallVector<Value> starts = valuesOf(b, carried);
  SmallVector<Shape> gatheredShapes;
  std::vector<Tensor> next(results->begin(),
                           results->begin() +
                               static_cast<ptrdiff_t>(carried.size()));
  for (size_t i = carried.size(); i < results->size(); ++i) {
    const Tensor &element = (*results)[i];
    Shape shape{count};
    llvm::append_range(shape, element.shape());
    starts.push_back(b.empty(shape, element.elementType()));
    gatheredShapes.push_back(shape);
    Value gathered = block.addArgument(starts.back().getType(), b.loc);
    OpBuilder::InsertionGuard guard(b.builder);
    b.builder.setInsertionPointToEnd(&block);
    size_t number = i - carried.size();
    Value at = counter;
    if (number < backwards.size() && backwards[number])
      at = arith::SubIOp::create(b.builder, b.loc, last, counter);
    SmallVector<OpFoldResult> offsets(shape.size(), b.builder.getIndexAttr(0)),
        sizes, strides(shape.size(), b.builder.getIndexAttr(1));
    offsets[0] = at;
    sizes.push_back(b.builder.getIndexAttr(1));
    llvm::append_range(sizes, b.operands(element.shape()));
    next.push_back(Tensor(
        tensor::InsertSliceOp::create(b.builder, b.loc, b.value(element),
                                      gathered, offsets, sizes, strides)));
  }
  yieldAt(b, &block, next);
  auto loop = scf::ForOp::create(b.builder, b.loc, zero, bound, one, starts);
  loop.getRegion().takeBody(region);
  std::vector<Tensor> ends;
  for (auto [number, result] : llvm::enumerate(loop.getResults()))
    ends.push_back(
        number < carried.size()
            ? Tensor(result)
            : b.tensor(result, gatheredShapes[number - carried.size()]));
  return ends;
}

} // namespace qdialect::onnx_import
