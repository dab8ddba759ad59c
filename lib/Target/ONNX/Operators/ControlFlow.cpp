// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// If and Loop. A condition that is known chooses its branch here; what is
// left becomes scf.if, scf.for (a known number of iterations) or scf.while. A
// loop that gathers results and does not know how often it runs has a size that
// depends on data: where its body may end it, it runs once to be counted and
// once more to gather.

#include "CountedLoop.h"
#include "GraphBuilder.h"
#include "Indexing.h"
#include "KnownTrips.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/ScopeExit.h"

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

/// The iteration's number as a tensor, or as a size.
Tensor counterTensor(GraphBuilder &b, Value counter, int64_t count,
                     bool asSize) {
  if (asSize)
    return b.integers({}, {b.counterSize(counter, count)});
  constexpr int64_t longestTable = 1 << 16;
  if (SymbolicSizes::isSymbolic(count) || count > longestTable) {
    Scalars s{b.builder, b.loc};
    return scalarTensor(b, s.cast(counter, b.builder.getI64Type()));
  }
  SmallVector<int64_t> numbers = llvm::to_vector(llvm::seq(count));
  return tableRow(b, counter, b.integers({count}, numbers));
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
  Region regions[2]; // empty once the operation has them
  llvm::scope_exit leave([&] {
    for (Region &region : regions)
      n.b.forget(region);
  });
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
  for (auto [index, tensor] : llvm::enumerate(results[0]))
    if (tensor.shape() != results[1][index].shape())
      return n.emitError() << "the branches give " << n.b.describe(tensor)
                           << " and " << n.b.describe(results[1][index])
                           << " for result " << index
                           << ", which is not supported";
  auto op = scf::IfOp::create(n.b.builder, n.b.loc, types[0],
                              elementOf(n.b, condition),
                              /*addThenBlock=*/false, /*addElseBlock=*/false);
  op.getThenRegion().takeBody(regions[0]);
  op.getElseRegion().takeBody(regions[1]);
  std::vector<Tensor> chosen;
  for (auto [result, tensor] : llvm::zip_equal(op.getResults(), results[0]))
    chosen.push_back(n.b.tensor(result, tensor.shape()));
  return giveAll(n, chosen);
}

/// Is the first result of a loop's body one bool?
LogicalResult checkCondition(Node &n, ArrayRef<Tensor> results) {
  if (results.empty())
    return n.emitError() << "the body gives no condition";
  const Tensor &condition = results.front();
  if (condition.elementType().isInteger(1) && n.b.count(condition) == 1)
    return success();
  return n.emitError() << "the body's condition is " << n.b.describe(condition)
                       << ", but must be one bool";
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
  Region before, after; // empty once the loop has them
  llvm::scope_exit leave([&] {
    b.forget(before);
    b.forget(after);
  });
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
  if (failed(checkCondition(n, *results)))
    return failure();
  {
    OpBuilder::InsertionGuard guard(b.builder);
    b.builder.setInsertionPointToEnd(&body);
    results->front() = b.reshape(results->front(), {});
  }
  for (auto [index, result] : llvm::enumerate(*results)) {
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

/// May the body end a loop that has begun, given what it says of the condition?
bool mayEndBy(const Tensor &condition) {
  return !isKnown(condition) || condition.data->asInteger(0) == 0;
}

/// The loop of `count` iterations. `unlessEnded`: nothing if the body may end
/// it before.
FailureOr<std::optional<std::vector<Tensor>>>
buildCounted(Node &n, int64_t count, ArrayRef<Tensor> carried,
             bool unlessEnded = false) {
  GraphBuilder &b = n.b;
  bool mayEnd = false;
  Tensor yes = b.constant(b.builder.getI1Type(), {}, {1.0});
  CountedLoop loop{n,
                   count,
                   SmallVector<Tensor>(carried),
                   [&](Value counter, ArrayRef<Tensor> states, bool asSize) {
                     std::vector<Tensor> given{
                         counterTensor(b, counter, count, asSize), yes};
                     given.insert(given.end(), states.begin(), states.end());
                     return given;
                   },
                   [&](std::vector<Tensor> &results) -> LogicalResult {
                     if (results.empty())
                       return n.emitError() << "the body gives no condition";
                     mayEnd = unlessEnded && mayEndBy(results[0]);
                     if (mayEnd)
                       return failure();
                     results.erase(results.begin());
                     return success();
                   },
                   {},
                   /*hasCounter=*/true};
  auto ends = loop.build();
  if (mayEnd)
    return std::optional<std::vector<Tensor>>();
  if (failed(ends))
    return failure();
  return std::optional(std::move(*ends));
}

/// The values of a carried value at the begin of all iterations.
Tensor tableOf(const Tensor &start, ArrayRef<HostTensor> values) {
  std::vector<int64_t> shape{static_cast<int64_t>(values.size())};
  llvm::append_range(shape, start.shape());
  HostTensor table(values.front().type(), shape);
  for (auto [row, value] : llvm::enumerate(values))
    std::memcpy(table.mutableBytes() + row * value.sizeInBytes(), value.bytes(),
                value.sizeInBytes());
  return Tensor(start.elementType(), std::move(table));
}

/// The loop that `trips` counted: what is known of carried values is read from
/// tables instead.
FailureOr<std::vector<Tensor>> buildKnown(Node &n, const KnownTrips &trips,
                                          ArrayRef<Tensor> carried) {
  GraphBuilder &b = n.b;
  Tensor yes = b.constant(b.builder.getI1Type(), {}, {1.0});
  SmallVector<Tensor> unknown;
  std::map<size_t, Tensor> tables;
  for (auto [number, tensor] : llvm::enumerate(carried)) {
    auto known = trips.values.find(number);
    if (known == trips.values.end())
      unknown.push_back(tensor);
    else
      tables[number] = tableOf(tensor, ArrayRef(known->second).drop_back());
  }
  CountedLoop loop{
      n,
      trips.count,
      unknown,
      [&](Value counter, ArrayRef<Tensor> states, bool asSize) {
        std::vector<Tensor> given{
            counterTensor(b, counter, trips.count, asSize), yes};
        for (size_t number = 0; number < carried.size(); ++number) {
          auto table = tables.find(number);
          if (table != tables.end()) {
            given.push_back(tableRow(b, counter, table->second));
            continue;
          }
          given.push_back(states.front());
          states = states.drop_front();
        }
        return given;
      },
      [&](std::vector<Tensor> &results) -> LogicalResult {
        for (const auto &[number, table] : llvm::reverse(tables))
          results.erase(results.begin() + 1 + static_cast<ptrdiff_t>(number));
        results.erase(results.begin());
        return success();
      },
      {},
      /*hasCounter=*/true};
  auto ends = loop.build();
  if (failed(ends))
    return failure();
  for (const auto &[number, values] : trips.values)
    ends->insert(ends->begin() + static_cast<ptrdiff_t>(number),
                 Tensor(carried[number].elementType(), values.back()));
  return ends;
}

/// Imports the body once to look at it, with the condition if that is known,
/// and leaves nothing of it.
LogicalResult lookAtBody(
    Node &n, ArrayRef<Tensor> carried, std::optional<Tensor> condition,
    llvm::function_ref<void(Block &body, ArrayRef<Tensor> results)> look) {
  GraphBuilder &b = n.b;
  Region region;
  llvm::scope_exit leave([&] { b.forget(region); });
  Block &body = region.emplaceBlock();
  auto scalar = [&](Type type) {
    return Tensor(body.addArgument(RankedTensorType::get({}, type), b.loc));
  };
  Tensor counter = scalar(b.builder.getI64Type()),
         goesOn = scalar(b.builder.getI1Type());
  std::vector<Tensor> given{counter, condition.value_or(goesOn)};
  for (const Tensor &tensor : carried)
    given.push_back(
        b.tensor(body.addArgument(tensor.type, b.loc), tensor.shape()));
  auto results = importInto(n, &body, "body", given);
  if (failed(results) || failed(checkCondition(n, *results)))
    return failure();
  if (results->size() > carried.size())
    look(body, *results);
  return success();
}

/// How often the body runs if constants decide that.
FailureOr<std::optional<KnownTrips>>
lookForTrips(Node &n, std::optional<int64_t> limit, ArrayRef<Tensor> carried) {
  std::optional<KnownTrips> trips;
  if (failed(lookAtBody(n, carried, /*condition=*/std::nullopt,
                        [&](Block &body, ArrayRef<Tensor> results) {
                          trips = countTrips(body, results, carried, limit);
                        })))
    return failure();
  return trips;
}

/// A loop that gathers results, whose number of iterations only the run knows.
FailureOr<std::vector<Tensor>> buildGathering(Node &n,
                                              std::optional<Tensor> limit,
                                              std::optional<Tensor> condition,
                                              ArrayRef<Tensor> carried,
                                              bool starts) {
  GraphBuilder &b = n.b;
  auto name = n.dataSizeName(carried.size(), 0);
  if (!name)
    return failure();
  if (++b.repeatedImports > maxImports)
    return n.emitError() << "loops that count their results are nested too "
                            "deeply",
           failure();
  // A limit that the body may undercut is no size: often it is the largest
  // number there is.
  bool mayEnd = true;
  if (limit && !isKnown(*limit) && starts) {
    Tensor yes = b.constant(b.builder.getI1Type(), {}, {1.0});
    if (failed(
            lookAtBody(n, carried, yes, [&](Block &, ArrayRef<Tensor> results) {
              mayEnd = mayEndBy(results[0]);
            })))
      return failure();
  }
  int64_t count = SymbolicSizes::kUnbounded;
  if (limit && limit->isConstant())
    count = b.sizes.max(limit->data->asInteger(0), 0);
  if (mayEnd) {
    auto counted = buildWhile(n, limit, condition, carried);
    if (failed(counted))
      return failure();
    count = b.dataSize(counted->front(), *name, count);
  } else if (!limit->isConstant()) {
    count = b.dataSize(b.reshape(*limit, {}), *name);
  }
  auto ends = buildCounted(n, count, carried);
  if (failed(ends))
    return failure();
  return std::move(**ends);
}

LogicalResult importLoop(Node &n) {
  GraphBuilder &b = n.b;
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
  bool starts =
      !condition || (isKnown(*condition) && condition->data->asInteger(0) != 0);
  if (limit && isKnown(*limit) && starts) {
    int64_t count = limit->data->asInteger(0);
    if (!n.requireRange("M", {count}, 0, INT64_MAX))
      return failure();
    // Nobody counts that far; the body ends such a loop.
    if (count <= (int64_t(1) << 31)) {
      auto ends = buildCounted(n, count, carried, /*unlessEnded=*/true);
      if (failed(ends))
        return failure();
      if (*ends)
        return giveAll(n, **ends);
    }
  }
  if (starts && (!limit || isKnown(*limit)) && b.repeatedImports < maxImports) {
    ++b.repeatedImports;
    std::optional<int64_t> most;
    if (limit)
      most = limit->data->asInteger(0);
    auto trips = lookForTrips(n, most, carried);
    if (failed(trips))
      return failure();
    if (*trips && (*trips)->count > 0) {
      auto ends = buildKnown(n, **trips, carried);
      return failed(ends) ? failure() : giveAll(n, *ends);
    }
  }
  auto ends = n.numOutputs() > carried.size()
                  ? buildGathering(n, limit, condition, carried, starts)
                  : buildWhile(n, limit, condition, carried);
  if (failed(ends))
    return failure();
  if (n.numOutputs() <= carried.size())
    ends->erase(ends->begin(), ends->begin() + 2);
  return giveAll(n, *ends);
}

} // namespace

void registerControlFlowOps(OpRegistry &r) {
  r.onOp("If", 1, importIf, "branches of equal types");
  r.onOp("Loop", 1, importLoop, "carried values keep their type");
}

} // namespace qdialect::onnx_import
