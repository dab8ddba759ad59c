// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Any function of one tensor of 8-bit codes is a table of 256 codes. The
// entries are the island run by the interpreter on every code, floats held in
// f64 and rounded once, so a table is exact whatever the function.
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

constexpr int64_t kCodes = 256;

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

/// The same computation over the 256 codes, as a function.
class TableFunction {
public:
  TableFunction(MLIRContext *context, Unary &unary, qd::QuantizeOp quantize,
                const CodeGrid &from, const CodeGrid &to)
      : module(ModuleOp::create(UnknownLoc::get(context))), builder(context) {
    Location loc = quantize.getLoc();
    auto type = RankedTensorType::get({kCodes}, builder.getI8Type());
    builder.setInsertionPointToEnd(module->getBody());
    function = func::FuncOp::create(builder, loc, "table",
                                    builder.getFunctionType(type, type));
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToStart(body);
    auto real = RankedTensorType::get({kCodes}, builder.getF32Type());
    Value x = makeDequantize(builder, loc, real, body->getArgument(0), from);
    map.map(unary.source.getResult(), x);
    for (Operation *op : sorted(unary.members))
      copy(op);
    Value y = map.lookup(quantize.getInput());
    Value codes = makeQuantize(builder, loc, y, to);
    func::ReturnOp::create(builder, loc, codes);
  }

  /// One entry for each bit pattern of a code.
  std::optional<std::vector<int8_t>> run() {
    HostTensor codes(DType::I8, {kCodes});
    for (int64_t i = 0; i < kCodes; ++i) {
      int64_t code = i < 128 ? i : i - kCodes;
      // Seeded fault 31: entries in the order of the codes, not of their bits.
      if constexpr (QDIALECT_MUTATE == 31)
        code = i - 128;
      codes.mutableData<int8_t>()[i] = static_cast<int8_t>(code);
    }
    InterpreterOptions options;
    options.exactIslands = true;
    auto results = interpret(function, codes, options);
    if (!results) {
      llvm::consumeError(results.takeError());
      return std::nullopt;
    }
    const int8_t *data = results->front().data<int8_t>();
    return std::vector<int8_t>(data, data + kCodes);
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
        {kCodes}, getElementTypeOrSelf(op->getResult(0).getType()));
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
                                          ArrayRef<int64_t>{kCodes},
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
  func::FuncOp function;
  IRMapping map;
};

/// codes -> max(min) with bounds, or the codes themselves, if that is all.
Value asClamp(IntegerizeContext &context, qd::QuantizeOp quantize, Value codes,
              ArrayRef<int8_t> table, Operation *name) {
  int8_t lower = table[128], upper = table[127]; // of the codes -128 and 127
  for (int64_t i = 0; i < kCodes; ++i)
    if (table[i] != std::clamp(static_cast<int8_t>(i), lower, upper))
      return {};
  if (lower == -128 && upper == 127)
    return codes;
  auto type = cast<RankedTensorType>(codes.getType());
  ElementwiseInput input{
      codes, context.builder.getMultiDimIdentityMap(type.getRank())};
  auto op = makeElementwise(
      context.builder, quantize.getLoc(), type, input,
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value code = args[0];
        if (lower != -128)
          code = arith::MaxSIOp::create(
              b, l, code,
              arith::ConstantOp::create(b, l, b.getI8IntegerAttr(lower)));
        if (upper != 127)
          code = arith::MinSIOp::create(
              b, l, code,
              arith::ConstantOp::create(b, l, b.getI8IntegerAttr(upper)));
        return code;
      });
  copyMarks(name, op);
  return op.getResult(0);
}

} // namespace

Value integerizeTable(IntegerizeContext &context, qd::QuantizeOp quantize) {
  Unary unary;
  if (!roundsToNearest(quantize) || !collect(quantize.getInput(), unary) ||
      !unary.source)
    return {};
  std::optional<CodeGrid> from = getGrid(unary.source), to = getGrid(quantize);
  if (!from || !to || !from->isInt8() || !to->isInt8())
    return {};
  std::optional<std::vector<int8_t>> table =
      TableFunction(quantize.getContext(), unary, quantize, *from, *to).run();
  if (!table)
    return context.refuse("its function cannot be evaluated at compile time");
  Operation *name = quantize;
  for (Operation *member : llvm::reverse(unary.members))
    if (member->hasAttr("qd.name"))
      name = member;
  Value codes = unary.source.getInput();
  if (Value clamp = asClamp(context, quantize, codes, *table, name))
    return clamp;
  OpBuilder &builder = context.builder;
  HostTensor entries = HostTensor::of(DType::I8, {kCodes}, *table);
  Value constant =
      makeConstant(builder, quantize.getLoc(),
                   RankedTensorType::get({kCodes}, builder.getI8Type()),
                   "table", std::move(entries));
  auto lookup = qd::LookupOp::create(builder, quantize.getLoc(),
                                     quantize.getType(), codes, constant);
  copyMarks(name, lookup);
  lookup->removeAttr("qd.macs");
  lookup->setAttr("qd.error_lsb", builder.getF64FloatAttr(0));
  return lookup;
}

} // namespace qdialect
