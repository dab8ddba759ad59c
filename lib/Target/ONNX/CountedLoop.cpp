// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "CountedLoop.h"
#include "Scalars.h"
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

FailureOr<std::vector<Tensor>> importInto(Node &n, Block *block,
                                          StringRef attribute,
                                          ArrayRef<Tensor> inputs,
                                          bool mayDependOnData) {
  GraphBuilder::BodyScope scope(n.b, block, mayDependOnData);
  return n.importGraph(attribute, inputs);
}

std::vector<std::string> sizeNames(Node &n, size_t count) {
  std::vector<std::string> names;
  for (size_t index = 0; index < count; ++index)
    names.push_back(n.outputName(index));
  return names;
}

Tensor increment(GraphBuilder &b, const Tensor &number) {
  return b.elementwise({number}, b.builder.getI64Type(),
                       [](OpBuilder &nested, Location at, ValueRange v) {
                         Scalars s{nested, at};
                         return s.add(v[0], s.i64(1));
                       });
}

Tensor tableRow(GraphBuilder &b, Value counter, const Tensor &table) {
  ArrayRef<int64_t> shape = table.shape().drop_front();
  SmallVector<OpFoldResult> offsets(table.rank(), b.builder.getIndexAttr(0)),
      sizes = b.operands(table.shape()),
      strides(table.rank(), b.builder.getIndexAttr(1));
  offsets[0] = counter;
  sizes[0] = b.builder.getIndexAttr(1);
  return b.tensor(tensor::ExtractSliceOp::create(
                      b.builder, b.loc, b.typeOf(shape, table.elementType()),
                      b.value(table), offsets, sizes, strides),
                  shape);
}

/// Is the number too large for a table of all of them?
bool CountedLoop::carriesNumber() const {
  constexpr int64_t longestTable = 1 << 16;
  return hasCounter &&
         (SymbolicSizes::isSymbolic(count) || count > longestTable);
}

SmallVector<Tensor> CountedLoop::starts() const {
  SmallVector<Tensor> tensors = carried;
  if (carriesNumber())
    tensors.push_back(n.b.integers({}, {0}));
  return tensors;
}

/// Leaves an empty region if that fails.
FailureOr<std::vector<Tensor>>
CountedLoop::importBody(Region &region, const CarriedValues &values, Way way) {
  GraphBuilder &b = n.b;
  Block &block = region.emplaceBlock();
  Value counter = block.addArgument(b.builder.getIndexType(), b.loc);
  SmallVector<Value> arguments;
  for (Value start : values.close(starts()))
    arguments.push_back(block.addArgument(start.getType(), b.loc));
  std::vector<Tensor> given;
  {
    GraphBuilder::BodyScope scope(b, &block, way == Way::WithData);
    std::vector<Tensor> states = values.open(arguments, " carried");
    Iteration iteration{counter, std::nullopt,
                        ArrayRef(states).take_front(carried.size())};
    if (hasCounter && way == Way::AsSize) {
      iteration.number = b.integers({}, {b.counterSize(counter, count)});
    } else if (carriesNumber()) {
      iteration.number = states.back();
    } else if (hasCounter) {
      SmallVector<int64_t> numbers = llvm::to_vector(llvm::seq(count));
      iteration.number = tableRow(b, counter, b.integers({count}, numbers));
    }
    given = inputs(iteration);
  }
  auto results = importInto(n, &block, "body", given, way == Way::WithData);
  if (failed(results)) {
    b.forget(region);
    block.erase();
  }
  return results;
}

FailureOr<std::vector<Tensor>>
CountedLoop::importBodySomeWay(Region &region, const CarriedValues &values) {
  GraphBuilder &b = n.b;
  if (!hasCounter || values.anyOpen() || b.repeatedImports >= maxImports)
    return importBody(region, values, Way::WithData);
  SmallVector<Diagnostic, 1> said;
  FailureOr<std::vector<Tensor>> results = failure();
  for (Way way : {Way::AsTensor, Way::AsSize, Way::WithData}) {
    if (way != Way::AsTensor)
      ++b.repeatedImports;
    said.clear();
    ScopedDiagnosticHandler keep(b.context(), [&](Diagnostic &diagnostic) {
      said.push_back(std::move(diagnostic));
    });
    results = importBody(region, values, way);
    if (succeeded(results))
      break;
  }
  // If all fail, the last one says why: it may do most.
  for (Diagnostic &diagnostic : said)
    b.context()->getDiagEngine().emit(std::move(diagnostic));
  return results;
}

/// The number of the next iteration, which is carried behind `carried` values.
static Tensor nextNumber(GraphBuilder &b, Block &body, size_t carried) {
  GraphBuilder::BodyScope scope(b, &body, /*mayDependOnData=*/false);
  return increment(b, Tensor(body.getArgument(1 + carried)));
}

/// Until the body changes no size that is not open.
FailureOr<std::vector<Tensor>>
CountedLoop::importWidening(Region &region, CarriedValues &values) {
  GraphBuilder &b = n.b;
  while (true) {
    auto results = importBodySomeWay(region, values);
    if (failed(results) || failed(check(*results)))
      return failure();
    if (results->size() < carried.size())
      return n.emitError() << "the body gives too few results", failure();
    if (carriesNumber())
      results->insert(results->begin() + static_cast<ptrdiff_t>(carried.size()),
                      nextNumber(b, region.front(), carried.size()));
    ArrayRef<Tensor> next = *results;
    if (std::optional<size_t> other = values.findOther(next))
      return n.emitError() << "carried value " << *other << " changes from "
                           << describeType(carried[*other].type) << " to "
                           << describeType(next[*other].type),
             failure();
    if (!values.widen(next))
      return results;
    if (!b.canDependOnData() || ++b.repeatedImports > maxImports)
      return n.emitError() << "the size of a carried value depends on the "
                              "iteration, which is not supported inside of "
                              "loops that are one kernel",
             failure();
    b.forget(region);
    region.front().erase();
  }
}

FailureOr<std::vector<Tensor>> CountedLoop::build() {
  GraphBuilder &b = n.b;
  Region region; // empty once the loop has it
  llvm::scope_exit leave([&] { b.forget(region); });
  CarriedValues values(b, starts(), sizeNames(n, starts().size()));
  auto results = importWidening(region, values);
  if (failed(results))
    return failure();
  Block &block = region.front();
  Value counter = block.getArgument(0);
  Value zero = b.index(0), one = b.index(1), bound = b.index(count),
        last = b.index(b.sizes.sub(count, 1));
  SmallVector<Tensor> states = starts();
  SmallVector<Value> inits = values.close(states), next;
  SmallVector<Shape> gatheredShapes;
  {
    GraphBuilder::BodyScope scope(b, &block, values.anyOpen());
    next = values.close(ArrayRef(*results).take_front(states.size()));
  }
  for (size_t i = states.size(); i < results->size(); ++i) {
    const Tensor &element = (*results)[i];
    if (!b.isKnownOutside(&block, element.shape()))
      return n.emitError() << "the shape " << b.describe(element.shape())
                           << " of gathered result " << i - states.size()
                           << " depends on the iteration of a loop, which is "
                              "not supported",
             failure();
    Shape shape{count};
    llvm::append_range(shape, element.shape());
    inits.push_back(b.empty(shape, element.elementType()));
    gatheredShapes.push_back(shape);
    Value gathered = block.addArgument(inits.back().getType(), b.loc);
    OpBuilder::InsertionGuard guard(b.builder);
    b.builder.setInsertionPointToEnd(&block);
    size_t number = i - states.size();
    Value at = counter;
    if (number < backwards.size() && backwards[number])
      at = arith::SubIOp::create(b.builder, b.loc, last, counter);
    SmallVector<OpFoldResult> offsets(shape.size(), b.builder.getIndexAttr(0)),
        sizes, strides(shape.size(), b.builder.getIndexAttr(1));
    offsets[0] = at;
    sizes.push_back(b.builder.getIndexAttr(1));
    llvm::append_range(sizes, b.operands(element.shape()));
    next.push_back(tensor::InsertSliceOp::create(
        b.builder, b.loc, b.value(element), gathered, offsets, sizes, strides));
  }
  {
    OpBuilder::InsertionGuard guard(b.builder);
    b.builder.setInsertionPointToEnd(&block);
    scf::YieldOp::create(b.builder, b.loc, next);
  }
  auto loop = scf::ForOp::create(b.builder, b.loc, zero, bound, one, inits);
  loop.getRegion().takeBody(region);
  ValueRange all = loop.getResults();
  std::vector<Tensor> ends =
      values.open(all.take_front(values.numValues()), "");
  ends.resize(carried.size());
  for (auto [result, shape] :
       llvm::zip_equal(all.drop_front(values.numValues()), gatheredShapes))
    ends.push_back(b.tensor(result, shape));
  return ends;
}

} // namespace qdialect::onnx_import
