// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Any function of one tensor of 8-bit codes is a table of 256 codes, one of
// 16-bit codes a table of 65,536. The entries are the island run by the
// interpreter on every code, floats held in f64 and rounded once, so a table is
// exact whatever the function.
//
//   quantize(tanh(dequantize(q)))  =>  qd.lookup q, table
//
// The index is the code's unsigned bit pattern. A table that only clamps
// becomes max and min, one that changes nothing disappears.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include <algorithm>

using namespace mlir;

namespace qdialect {
namespace {

/// The island as a function of one tensor.
struct Unary {
  qd::DequantizeOp source;
  llvm::SetVector<Operation *> members; ///< last one first
};

/// Collects the ops between `value` and the one dequantize; false when there
/// is another tensor, or an op that is not element by element.
bool collect(Value value, Unary &unary) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (auto dequantize = dyn_cast<qd::DequantizeOp>(op)) {
    if (unary.source && unary.source != dequantize)
      return false;
    unary.source = dequantize;
    return true;
  }
  if (unary.members.contains(op))
    return true;
  if (isa<qd::GeluOp, qd::SiluOp>(op)) {
    unary.members.insert(op);
    return collect(op->getOperand(0), unary);
  }
  if (!isElementwiseGeneric(op))
    return false;
  unary.members.insert(op);
  auto generic = cast<linalg::GenericOp>(op);
  return llvm::all_of(generic.getDpsInputOperands(), [&](OpOperand *operand) {
    AffineMap map = generic.getMatchingIndexingMap(operand);
    if (isRealConstant(operand->get())) {
      std::optional<Coefficient> c = Coefficient::read(operand->get(), map);
      return c && c->isScalar();
    }
    return map.isIdentity() && collect(operand->get(), unary);
  });
}

bool hasWholeBytes(const CodeGrid &grid) {
  return grid.isInteger() && (grid.bits() == 8 || grid.bits() == 16);
}

HostTensor makeCodes(Type alphabet, ArrayRef<int64_t> values) {
  auto fill = [&](auto code, DType type) {
    using Code = decltype(code);
    HostTensor tensor(type, {static_cast<int64_t>(values.size())});
    llvm::transform(values, tensor.mutableData<Code>(),
                    [](int64_t value) { return static_cast<Code>(value); });
    return tensor;
  };
  return alphabet.isInteger(8) ? fill(int8_t(), DType::I8)
                               : fill(int16_t(), DType::I16);
}

/// The same computation over all codes, as a function.
class TableFunction {
public:
  TableFunction(MLIRContext *context, Unary &unary, qd::QuantizeOp quantize,
                const CodeGrid &from, const CodeGrid &to)
      : module(ModuleOp::create(UnknownLoc::get(context))), builder(context),
        alphabet(from.alphabet), numCodes(int64_t(1) << from.bits()) {
    Location loc = quantize.getLoc();
    builder.setInsertionPointToEnd(module->getBody());
    function = func::FuncOp::create(
        builder, loc, "table",
        builder.getFunctionType(RankedTensorType::get(numCodes, from.alphabet),
                                RankedTensorType::get(numCodes, to.alphabet)));
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToStart(body);
    auto real = RankedTensorType::get(numCodes, builder.getF32Type());
    Value x = makeDequantize(builder, loc, real, body->getArgument(0), from);
    map.map(unary.source.getResult(), x);
    for (Operation *op : sorted(unary.members))
      copy(op);
    Value y = map.lookup(quantize.getInput());
    Value codes = makeQuantize(builder, loc, y, to);
    func::ReturnOp::create(builder, loc, codes);
  }

  /// One entry for each bit pattern of a code.
  std::optional<std::vector<int64_t>> run() {
    std::vector<int64_t> codes(numCodes);
    for (int64_t i = 0; i < numCodes; ++i) {
      codes[i] = i < numCodes / 2 ? i : i - numCodes;
      // Seeded fault 31: entries in the order of the codes, not of their bits.
      if constexpr (QDIALECT_MUTATE == 31)
        codes[i] = i - numCodes / 2;
    }
    InterpreterOptions options;
    options.exactIslands = true;
    auto results = interpret(function, makeCodes(alphabet, codes), options);
    if (!results) {
      llvm::consumeError(results.takeError());
      return std::nullopt;
    }
    for (int64_t i = 0; i < numCodes; ++i)
      codes[i] = results->front().asInteger(i);
    return codes;
  }

private:
  static SmallVector<Operation *>
  sorted(const llvm::SetVector<Operation *> &members) {
    SmallVector<Operation *> ops(members.begin(), members.end());
    llvm::sort(
        ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    return ops;
  }

  Value scalarConstant(Value value, AffineMap access) {
    Coefficient c = *Coefficient::read(value, access);
    return makeScale(builder, value.getLoc(), static_cast<float>(c.values[0]));
  }

  void copy(Operation *op) {
    Type type = RankedTensorType::get(
        numCodes, getElementTypeOrSelf(op->getResult(0).getType()));
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic) {
      Operation *clone = builder.clone(*op, map);
      clone->getResult(0).setType(type);
      return;
    }
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    AffineMap identity = builder.getMultiDimIdentityMap(1);
    for (OpOperand *operand : generic.getDpsInputOperands()) {
      bool constant = isRealConstant(operand->get());
      inputs.push_back(
          constant ? scalarConstant(operand->get(),
                                    generic.getMatchingIndexingMap(operand))
                   : map.lookup(operand->get()));
      maps.push_back(constant ? AffineMap::get(1, 0, builder.getContext())
                              : identity);
    }
    maps.push_back(identity);
    Value empty = tensor::EmptyOp::create(builder, op->getLoc(),
                                          ArrayRef<int64_t>{numCodes},
                                          getElementTypeOrSelf(type));
    // Payloads may read scalar constants of the function.
    generic->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (Operation *outer = operand.getDefiningOp();
            nested != generic && outer && !generic->isAncestor(outer) &&
            !map.contains(operand))
          builder.clone(*outer, map);
    });
    auto clone = linalg::GenericOp::create(
        builder, op->getLoc(), type, inputs, ValueRange{empty}, maps,
        ArrayRef<utils::IteratorType>{utils::IteratorType::parallel});
    generic.getRegion().cloneInto(&clone.getRegion(), map);
    map.map(op->getResult(0), clone.getResult(0));
  }

  OwningOpRef<ModuleOp> module;
  OpBuilder builder;
  Type alphabet; ///< of the codes
  int64_t numCodes;
  func::FuncOp function;
  IRMapping map;
};

} // namespace

std::optional<IslandTable> IslandTable::evaluate(qd::QuantizeOp quantize) {
  Unary unary;
  if (!roundsToNearest(quantize) || !collect(quantize.getInput(), unary) ||
      !unary.source)
    return std::nullopt;
  std::optional<CodeGrid> from = getGrid(unary.source), to = getGrid(quantize);
  if (!from || !to || !hasWholeBytes(*from) || !hasWholeBytes(*to))
    return std::nullopt;
  std::optional<std::vector<int64_t>> entries =
      TableFunction(quantize.getContext(), unary, quantize, *from, *to).run();
  if (!entries)
    return std::nullopt;
  IslandTable table{quantize, unary.source.getInput(), std::move(*entries),
                    quantize};
  for (Operation *member : llvm::reverse(unary.members))
    if (member->hasAttr("qd.name"))
      table.marked = member;
  return table;
}

/// codes -> max(min) with bounds, or the codes themselves, if that is all.
Value IslandTable::makeClamp(IntegerizeContext &context) {
  Type alphabet = getElementTypeOrSelf(quantize.getType());
  if (getElementTypeOrSelf(codes.getType()) != alphabet)
    return {};
  int64_t half = static_cast<int64_t>(entries.size()) / 2;
  int64_t lower = entries[half],
          upper = entries[half - 1]; // of the extreme codes
  if (lower > upper)
    return {};
  for (int64_t code = -half; code < half; ++code)
    if (entries[code & (2 * half - 1)] != std::clamp(code, lower, upper))
      return {};
  if (lower == -half && upper == half - 1)
    return codes;
  auto type = cast<RankedTensorType>(codes.getType());
  ElementwiseInput input{
      codes, context.builder.getMultiDimIdentityMap(type.getRank())};
  auto op = makeElementwise(
      context.builder, quantize.getLoc(), type, input,
      [&](OpBuilder &b, Location l, ValueRange args) {
        auto bound = [&](int64_t value) -> Value {
          return arith::ConstantOp::create(b, l,
                                           b.getIntegerAttr(alphabet, value));
        };
        Value code = args[0];
        if (lower != -half)
          code = arith::MaxSIOp::create(b, l, code, bound(lower));
        if (upper != half - 1)
          code = arith::MinSIOp::create(b, l, code, bound(upper));
        return code;
      });
  copyMarks(marked, op);
  return op.getResult(0);
}

Value IslandTable::makeLookup(IntegerizeContext &context) {
  OpBuilder &builder = context.builder;
  Type alphabet = getElementTypeOrSelf(quantize.getType());
  Value constant = makeConstant(
      builder, quantize.getLoc(),
      RankedTensorType::get(static_cast<int64_t>(entries.size()), alphabet),
      "table", makeCodes(alphabet, entries));
  auto lookup = qd::LookupOp::create(builder, quantize.getLoc(),
                                     quantize.getType(), codes, constant);
  copyMarks(marked, lookup);
  lookup->removeAttr("qd.macs");
  lookup->setAttr("qd.error_lsb", builder.getF64FloatAttr(0));
  return lookup;
}

} // namespace qdialect
