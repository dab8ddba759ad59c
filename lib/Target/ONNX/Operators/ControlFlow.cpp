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
  }
  if (results[0].size() != results[1].size())
    return n.emitError() << "the branches give " << results[0].size() << " and "
                         << results[1].size() << " results";
  CarriedValues values(n.b, results[0], sizeNames(n, results[0].size()));
  auto refuse = [&](size_t index) {
    return n.emitError() << "the branches give "
                         << n.b.describe(results[0][index]) << " and "
                         << n.b.describe(results[1][index]) << " for result "
                         << index << ", which is not supported";
  };
  if (std::optional<size_t> other = values.findOther(results[1]))
    return refuse(*other);
  for (size_t index = 0; index < results[0].size(); ++index)
    if (!n.b.canDependOnData() &&
        results[0][index].rank() == results[1][index].rank() &&
        results[0][index].shape() != results[1][index].shape())
      return refuse(index);
  values.widen(results[1]);
  for (int i = 0; i < 2; ++i) {
    GraphBuilder::BodyScope scope(n.b, &regions[i].front(), values.anyOpen());
    scf::YieldOp::create(n.b.builder, n.b.loc, values.close(results[i]));
  }
  auto op =
      scf::IfOp::create(n.b.builder, n.b.loc,
                        regions[0].front().getTerminator()->getOperandTypes(),
                        elementOf(n.b, condition),
                        /*addThenBlock=*/false, /*addElseBlock=*/false);
  op.getThenRegion().takeBody(regions[0]);
  op.getElseRegion().takeBody(regions[1]);
  return giveAll(n, values.open(op.getResults(), ""));
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

/// Does the loop go on after `count` iterations, an int64, whose body said
/// `condition`?
Tensor goesOnAfter(GraphBuilder &b, const Tensor &condition,
                   const Tensor &count, const std::optional<Tensor> &limit) {
  Tensor said = b.reshape(condition, {});
  // Nobody counts that far.
  if (!limit || (isKnown(*limit) && limit->data->asInteger(0) == INT64_MAX))
    return said;
  return b.elementwise({said, count, b.reshape(*limit, {})},
                       b.builder.getI1Type(),
                       [](OpBuilder &nested, Location at, ValueRange v) {
                         Scalars s{nested, at};
                         return s.both(v[0], s.lt(v[1], v[2]));
                       });
}

/// Imports the body of a loop that goes on by a bool, from the number of the
/// iteration, that bool and the carried values to the next ones.
FailureOr<std::vector<Tensor>>
importWhileBody(Node &n, Block &body, const std::optional<Tensor> &limit,
                const CarriedValues &values, size_t numCarried) {
  GraphBuilder &b = n.b;
  std::vector<Tensor> given;
  {
    GraphBuilder::BodyScope scope(b, &body, values.anyOpen());
    given = values.open(body.getArguments(), " carried");
  }
  auto results = importInto(n, &body, "body", given);
  if (failed(results))
    return failure();
  if (results->size() < numCarried + 1)
    return n.emitError() << "the body gives too few results", failure();
  results->resize(numCarried + 1); // what is gathered is another's
  if (failed(checkCondition(n, *results)))
    return failure();
  GraphBuilder::BodyScope scope(b, &body, /*mayDependOnData=*/false);
  Tensor next = increment(b, given.front());
  results->front() = goesOnAfter(b, results->front(), next, limit);
  results->insert(results->begin(), next);
  return results;
}

/// A variable that has no value in front of the loop is carried as anything.
/// The body does not read it, so an iteration gives it its shape. True if
/// `start` was such a one and is storage now.
bool startAsStorage(GraphBuilder &b, Block &body, size_t number,
                    const Tensor &next, Tensor &start) {
  if (!body.getArgument(number).use_empty() ||
      !b.isKnownOutside(&body, next.shape()))
    return false;
  start = b.tensor(b.empty(next.shape(), next.elementType()), next.shape());
  return true;
}

/// Ends the program where somebody reads a carried value that only an iteration
/// defines, and there was none.
void requireIteration(Node &n, const Tensor &count, size_t carried) {
  if (!n.wantsOutput(carried))
    return;
  std::string what = "the number of iterations that define output '" +
                     n.outputName(carried) + "', at most 1 counted,";
  int64_t some = n.b.dataSize(count, what, 1);
  n.b.requireEqual(some, 1, n.describe() + what);
}

/// A loop whose number of iterations only the run knows: that number, the last
/// condition and the carried values.
FailureOr<std::vector<Tensor>> buildWhile(Node &n, std::optional<Tensor> limit,
                                          std::optional<Tensor> condition,
                                          ArrayRef<Tensor> carried) {
  GraphBuilder &b = n.b;
  Tensor zero = b.integers({}, {0}),
         yes = b.constant(b.builder.getI1Type(), {}, {1.0});
  SmallVector<Tensor> states{
      zero, goesOnAfter(b, condition ? *condition : yes, zero, limit)};
  llvm::append_range(states, carried);
  std::vector<std::string> names = sizeNames(n, carried.size());
  names.insert(names.begin(), 2, "");
  CarriedValues values(b, states, names);
  Region before, after; // empty once the loop has them
  llvm::scope_exit leave([&] {
    b.forget(before);
    b.forget(after);
  });
  SmallVector<Value> starts;
  SmallVector<size_t> undefined; // states that the first iteration defines
  std::vector<Tensor> results;
  for (bool isFirst = true;; isFirst = false) {
    if (!isFirst && ++b.repeatedImports > maxImports)
      return n.emitError() << "loops with values of changing sizes are nested "
                              "too deeply",
             failure();
    starts = values.close(states);
    Block &body = after.emplaceBlock();
    for (Value start : starts)
      body.addArgument(start.getType(), b.loc);
    auto given = importWhileBody(n, body, limit, values, carried.size());
    if (failed(given)) {
      b.forget(after);
      body.erase();
      return failure();
    }
    results = std::move(*given);
    std::optional<size_t> other = values.findOther(results);
    if (other &&
        startAsStorage(b, body, *other, results[*other], states[*other])) {
      undefined.push_back(*other);
      values = CarriedValues(b, states, names);
    } else if (other) {
      return n.emitError() << "carried value " << *other - 2 << " changes from "
                           << describeType(states[*other].type) << " to "
                           << describeType(results[*other].type),
             failure();
    } else if (!values.widen(results)) {
      break;
    }
    if (!b.canDependOnData())
      return n.emitError() << "the size of a carried value depends on the "
                              "iteration, which is not supported inside of a "
                              "loop that is one kernel",
             failure();
    b.forget(after);
    body.erase();
  }
  Block &test = before.emplaceBlock();
  for (Value start : starts)
    test.addArgument(start.getType(), b.loc);
  {
    OpBuilder::InsertionGuard guard(b.builder);
    b.builder.setInsertionPointToEnd(&test);
    Value goesOn = elementOf(b, Tensor(test.getArgument(1)));
    scf::ConditionOp::create(b.builder, b.loc, goesOn, test.getArguments());
  }
  {
    GraphBuilder::BodyScope scope(b, &after.front(), values.anyOpen());
    scf::YieldOp::create(b.builder, b.loc, values.close(results));
  }
  auto loop = scf::WhileOp::create(b.builder, b.loc,
                                   TypeRange(ValueRange(starts)), starts);
  loop.getBefore().takeBody(before);
  loop.getAfter().takeBody(after);
  std::vector<Tensor> ends = values.open(loop.getResults(), "");
  for (size_t number : undefined)
    requireIteration(n, ends.front(), number - 2);
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
                   [&](const Iteration &iteration) {
                     std::vector<Tensor> given{*iteration.number, yes};
                     llvm::append_range(given, iteration.states);
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
      [&](const Iteration &iteration) {
        std::vector<Tensor> given{*iteration.number, yes};
        ArrayRef<Tensor> states = iteration.states;
        for (size_t number = 0; number < carried.size(); ++number) {
          auto table = tables.find(number);
          if (table != tables.end()) {
            given.push_back(tableRow(b, iteration.counter, table->second));
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
  r.onOp("If", 1, importIf, "branches of equal ranks").symbolic();
  r.onOp("Loop", 1, importLoop, "carried values keep their rank").symbolic();
}

} // namespace qdialect::onnx_import
