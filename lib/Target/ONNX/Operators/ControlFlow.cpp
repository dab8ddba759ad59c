// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// If, Loop and Scan. A condition that is known chooses its branch here; what is
// left becomes scf.if, scf.for (a known number of iterations) or scf.while. A
// loop that gathers results and does not know how often it runs has a size that
// depends on data: where its body may end it, it runs once to be counted and
// once more to gather.

#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

bool isKnown(const Tensor &tensor) {
  return tensor.isConstant() && tensor.size() == 1 && !tensor.isSymbolic();
}

/// The one element of a tensor of any rank.
Value elementOf(GraphBuilder &b, const Tensor &tensor) {
  return tensor::ExtractOp::create(b.builder, b.loc,
                                   b.value(b.reshape(tensor, {})), ValueRange())
      .getResult();
}

Tensor scalarTensor(GraphBuilder &b, Value element) {
  auto type = RankedTensorType::get({}, element.getType());
  return Tensor(tensor::FromElementsOp::create(b.builder, b.loc, type, element)
                    .getResult());
}

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

/// Imports a graph at the end of an empty block.
FailureOr<std::vector<Tensor>> importInto(Node &n, Block *block,
                                          StringRef attribute,
                                          ArrayRef<Tensor> inputs) {
  OpBuilder::InsertionGuard guard(n.b.builder);
  n.b.builder.setInsertionPointToEnd(block);
  return n.importGraph(attribute, inputs);
}

/// The iteration's number as a tensor: a row of a table, which leaves the loop
/// one of the program (Analysis/ProgramLoops.h).
Tensor counterTensor(GraphBuilder &b, Value counter, int64_t count) {
  constexpr int64_t longestTable = 1 << 16;
  if (SymbolicSizes::isSymbolic(count) || count > longestTable) {
    Scalars s{b.builder, b.loc};
    return scalarTensor(b, s.cast(counter, b.builder.getI64Type()));
  }
  SmallVector<int64_t> numbers = llvm::to_vector(llvm::seq(count));
  Value table = b.value(b.integers({count}, numbers));
  OpFoldResult one = b.builder.getIndexAttr(1);
  return Tensor(tensor::ExtractSliceOp::create(
      b.builder, b.loc, RankedTensorType::get({}, b.builder.getI64Type()),
      table, ArrayRef<OpFoldResult>(counter), ArrayRef(one), ArrayRef(one)));
}

/// Ends a block with a yield of the tensors.
void yieldAt(GraphBuilder &b, Block *block, ArrayRef<Tensor> tensors) {
  OpBuilder::InsertionGuard guard(b.builder);
  b.builder.setInsertionPointToEnd(block);
  scf::YieldOp::create(b.builder, b.loc, valuesOf(b, tensors));
}

LogicalResult importIf(Node &n) {
  Tensor condition = n.input(0, "cond");
  if (!n.ok())
    return failure();
  constexpr StringLiteral branches[] = {"then_branch", "else_branch"};
  n.ignore({branches[0], branches[1]});
  if (!condition.elementType().isInteger(1) || condition.size() != 1)
    return n.emitError() << "input cond is " << describeType(condition.type)
                         << ", but must be one bool";
  if (isKnown(condition)) {
    bool holds = condition.data->asInteger(0) != 0;
    auto results = n.importGraph(branches[holds ? 0 : 1], {});
    return failed(results) ? failure() : giveAll(n, *results);
  }
  // The types are known once the branches are: they are built in regions first.
  Region regions[2];
  std::vector<Tensor> results[2];
  for (int i = 0; i < 2; ++i) {
    auto given = importInto(n, &regions[i].emplaceBlock(), branches[i], {});
    if (failed(given))
      return failure();
    results[i] = std::move(*given);
    yieldAt(n.b, &regions[i].front(), results[i]);
  }
  SmallVector<Type> types[2];
  for (int i = 0; i < 2; ++i)
    for (const Tensor &tensor : results[i])
      types[i].push_back(tensor.type);
  for (auto [index, type] : llvm::enumerate(types[0]))
    if (index >= types[1].size() || types[1][index] != type)
      return n.emitError() << "the branches give different types for result "
                           << index << ", which is not supported";
  auto op = scf::IfOp::create(n.b.builder, n.b.loc, types[0],
                              elementOf(n.b, condition),
                              /*addThenBlock=*/false, /*addElseBlock=*/false);
  op.getThenRegion().takeBody(regions[0]);
  op.getElseRegion().takeBody(regions[1]);
  std::vector<Tensor> chosen;
  for (Value result : op.getResults())
    chosen.push_back(Tensor(result));
  return giveAll(n, chosen);
}

/// A loop of `count` iterations (a size) whose body is the graph in `body`:
/// `inputs` makes the graph's inputs from the counter and the carried values;
/// results behind the carried ones are gathered along axis 0, last one first if
/// their flag says so.
struct CountedLoop {
  Node &n;
  int64_t count;
  SmallVector<Tensor> carried;
  std::function<std::vector<Tensor>(Value counter, ArrayRef<Tensor>)> inputs;
  /// Checks and drops results in front of the carried ones.
  std::function<LogicalResult(std::vector<Tensor> &)> check;
  ArrayRef<bool> backwards;

  FailureOr<std::vector<Tensor>> build();
};

FailureOr<std::vector<Tensor>> CountedLoop::build() {
  GraphBuilder &b = n.b;
  Region region;
  Block &block = region.emplaceBlock();
  Value counter = block.addArgument(b.builder.getIndexType(), b.loc);
  SmallVector<Tensor> states;
  for (const Tensor &tensor : carried)
    states.push_back(Tensor(block.addArgument(tensor.type, b.loc)));
  std::vector<Tensor> given;
  {
    OpBuilder::InsertionGuard guard(b.builder);
    b.builder.setInsertionPointToEnd(&block);
    given = inputs(counter, states);
  }
  auto results = importInto(n, &block, "body", given);
  if (failed(results))
    return failure();
  if (failed(check(*results))) {
    b.forget(region);
    return failure();
  }
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

/// A loop whose number of iterations only the run knows: that number, the last
/// condition and the carried values.
FailureOr<std::vector<Tensor>> buildWhile(Node &n, std::optional<Tensor> limit,
                                          std::optional<Tensor> condition,
                                          ArrayRef<Tensor> carried) {
  GraphBuilder &b = n.b;
  Type i64 = b.builder.getI64Type();
  SmallVector<Tensor> states{
      b.integers({}, {0}), condition
                               ? b.reshape(*condition, {})
                               : b.constant(b.builder.getI1Type(), {}, {1.0})};
  llvm::append_range(states, carried);
  Value most = limit ? elementOf(b, *limit) : Value();
  Region before, after;
  Block &test = before.emplaceBlock(), &body = after.emplaceBlock();
  SmallVector<Type> types;
  for (const Tensor &state : states) {
    types.push_back(state.type);
    test.addArgument(state.type, b.loc);
    body.addArgument(state.type, b.loc);
  }
  {
    OpBuilder::InsertionGuard guard(b.builder);
    b.builder.setInsertionPointToEnd(&test);
    Scalars s{b.builder, b.loc};
    Value goesOn = elementOf(b, Tensor(test.getArgument(1)));
    if (most)
      goesOn =
          s.both(goesOn, s.lt(elementOf(b, Tensor(test.getArgument(0))), most));
    scf::ConditionOp::create(b.builder, b.loc, goesOn, test.getArguments());
  }
  std::vector<Tensor> given;
  for (Value argument : body.getArguments())
    given.push_back(Tensor(argument));
  auto results = importInto(n, &body, "body", given);
  if (failed(results))
    return failure();
  if (results->size() < carried.size() + 1)
    return n.emitError() << "the body gives too few results", failure();
  results->resize(carried.size() + 1); // what is gathered is another's
  for (auto [index, result] : llvm::enumerate(*results)) {
    if (index == 0)
      result = b.reshape(result, {});
    if (result.type != states[index + 1].type)
      return n.emitError() << "carried value " << index << " changes from "
                           << describeType(states[index + 1].type) << " to "
                           << describeType(result.type),
             failure();
  }
  {
    OpBuilder::InsertionGuard guard(b.builder);
    b.builder.setInsertionPointToEnd(&body);
    Scalars s{b.builder, b.loc};
    Value number = elementOf(b, Tensor(body.getArgument(0)));
    results->insert(results->begin(),
                    scalarTensor(b, s.add(number, s.number(i64, 1))));
  }
  yieldAt(b, &body, *results);
  auto loop =
      scf::WhileOp::create(b.builder, b.loc, types, valuesOf(b, states));
  loop.getBefore().takeBody(before);
  loop.getAfter().takeBody(after);
  std::vector<Tensor> ends;
  for (Value result : loop.getResults())
    ends.push_back(Tensor(result));
  return ends;
}

/// The loop of `count` iterations. `mayEnd`, if asked for: says whether the
/// body may end it before; then there is no loop.
FailureOr<std::vector<Tensor>> buildCounted(Node &n, int64_t count,
                                            ArrayRef<Tensor> carried,
                                            bool *mayEnd = nullptr) {
  GraphBuilder &b = n.b;
  Tensor yes = b.constant(b.builder.getI1Type(), {}, {1.0});
  CountedLoop loop{
      n,
      count,
      SmallVector<Tensor>(carried),
      [&](Value counter, ArrayRef<Tensor> states) {
        std::vector<Tensor> given{counterTensor(b, counter, count), yes};
        given.insert(given.end(), states.begin(), states.end());
        return given;
      },
      [&](std::vector<Tensor> &results) -> LogicalResult {
        if (results.empty())
          return n.emitError() << "the body gives no condition";
        if (mayEnd) {
          *mayEnd = !isKnown(results[0]) || results[0].data->asInteger(0) == 0;
          if (*mayEnd)
            return failure();
        }
        results.erase(results.begin());
        return success();
      },
      {}};
  return loop.build();
}

/// A loop that gathers results, whose number of iterations only the run knows.
FailureOr<std::vector<Tensor>> buildGathering(Node &n,
                                              std::optional<Tensor> limit,
                                              std::optional<Tensor> condition,
                                              ArrayRef<Tensor> carried,
                                              bool always) {
  GraphBuilder &b = n.b;
  auto name = n.dataSizeName(carried.size(), 0);
  if (!name)
    return failure();
  int64_t most = SymbolicSizes::kUnbounded;
  if (limit && limit->isConstant())
    most = b.sizes.max(limit->data->asInteger(0), 0);
  if (limit && always) {
    bool mayEnd = false;
    if (!limit->isConstant())
      most = b.dataSize(b.reshape(*limit, {}), *name);
    auto ends = buildCounted(n, most, carried, &mayEnd);
    if (!mayEnd)
      return ends;
  }
  // Bodies in bodies are imported again with each of those around them.
  constexpr unsigned mostImports = 1 << 10;
  if (++b.repeatedImports > mostImports)
    return n.emitError() << "loops that count their results are nested too "
                            "deeply",
           failure();
  auto counted = buildWhile(n, limit, condition, carried);
  if (failed(counted))
    return failure();
  return buildCounted(n, b.dataSize(counted->front(), *name, most), carried);
}

LogicalResult importLoop(Node &n) {
  std::optional<Tensor> limit = n.optionalInput(0),
                        condition = n.optionalInput(1);
  SmallVector<Tensor> carried;
  for (size_t i = 2; i < n.numInputs(); ++i)
    carried.push_back(n.input(i, "v_initial"));
  if (!n.ok())
    return failure();
  if ((limit && (!limit->elementType().isInteger(64) || limit->size() != 1)) ||
      (condition &&
       (!condition->elementType().isInteger(1) || condition->size() != 1)))
    return n.emitError() << "inputs M and cond must be one int64 and one bool";
  bool always =
      !condition || (isKnown(*condition) && condition->data->asInteger(0) != 0);
  if (limit && isKnown(*limit) && always) {
    int64_t count = limit->data->asInteger(0);
    if (!n.requireRange("M", {count}, 0, INT64_MAX))
      return failure();
    // Nobody counts that far; the body ends such a loop.
    bool mayEnd = count > (int64_t(1) << 31);
    if (!mayEnd) {
      auto ends = buildCounted(n, count, carried, &mayEnd);
      if (!mayEnd)
        return failed(ends) ? failure() : giveAll(n, *ends);
    }
    always = false; // the body may end it
  }
  auto ends = n.numOutputs() > carried.size()
                  ? buildGathering(n, limit, condition, carried, always)
                  : buildWhile(n, limit, condition, carried);
  if (failed(ends))
    return failure();
  if (n.numOutputs() <= carried.size())
    ends->erase(ends->begin(), ends->begin() + 2);
  return giveAll(n, *ends);
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
    scans.push_back(Tensor(b.value(b.transpose(tensor, order))));
    if (count >= 0 && scans.back().dim(0) != count)
      return n.emitError() << "scan inputs have " << count << " and "
                           << scans.back().dim(0) << " elements";
    count = scans.back().dim(0);
  }
  SmallVector<bool> backwards;
  for (int64_t direction : outputDirections)
    backwards.push_back(direction != 0);
  Value last = arith::ConstantIndexOp::create(b.builder, b.loc, count - 1);
  CountedLoop loop{
      n,
      count,
      states,
      [&](Value counter, ArrayRef<Tensor> carried) {
        std::vector<Tensor> given(carried.begin(), carried.end());
        for (auto [scan, tensor] : llvm::enumerate(scans)) {
          Value at = counter;
          if (inputDirections[scan] != 0)
            at = arith::SubIOp::create(b.builder, b.loc, last, counter);
          SmallVector<OpFoldResult> offsets(tensor.rank(),
                                            b.builder.getIndexAttr(0)),
              sizes, strides(tensor.rank(), b.builder.getIndexAttr(1));
          offsets[0] = at;
          sizes.push_back(b.builder.getIndexAttr(1));
          for (int64_t size : tensor.shape().drop_front())
            sizes.push_back(b.builder.getIndexAttr(size));
          auto type = RankedTensorType::get(tensor.shape().drop_front(),
                                            tensor.elementType());
          given.push_back(Tensor(tensor::ExtractSliceOp::create(
              b.builder, b.loc, type, tensor.value, offsets, sizes, strides)));
        }
        return given;
      },
      [](std::vector<Tensor> &) { return success(); },
      backwards};
  auto ends = loop.build();
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

} // namespace

void registerControlFlowOps(OpRegistry &r) {
  r.onOp("If", 1, importIf, "branches of equal types");
  r.onOp("Loop", 1, importLoop, "carried values keep their type");
  r.onOp("Scan", 9, importScan, "states keep their type");
}

} // namespace qdialect::onnx_import
