// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds functions of codes and runs them on every code; see CodeFunction.h.

#include "CodeFunction.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

bool hasWholeBytes(const CodeGrid &grid) {
  return grid.isInteger() && (grid.bits() == 8 || grid.bits() == 16);
}

/// The same computation over all codes, innermost, for each index.
class Program {
public:
  explicit Program(const CodeFunction &of)
      : of(of),
        module(ModuleOp::create(UnknownLoc::get(of.quantize->getContext()))),
        builder(of.quantize->getContext()), shape(of.sizes) {
    shape.push_back(of.numCodes());
    qd::QuantizeOp quantize = of.quantize;
    Location loc = quantize.getLoc();
    auto real = RankedTensorType::get(shape, builder.getF32Type());
    builder.setInsertionPointToEnd(module->getBody());
    function = func::FuncOp::create(
        builder, loc, "codes",
        builder.getFunctionType(
            RankedTensorType::get(shape, of.from.alphabet),
            {RankedTensorType::get(shape, of.to.alphabet), real}));
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToStart(body);
    Value x = makeDequantize(builder, loc, real, body->getArgument(0), of.from);
    map.map(qd::DequantizeOp(of.source).getResult(), x);
    SmallVector<Operation *> ops(of.members.begin(), of.members.end());
    llvm::sort(
        ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    for (Operation *op : ops)
      copy(op);
    Value y = map.lookup(quantize.getInput());
    Value codes = makeQuantize(builder, loc, y, of.to);
    func::ReturnOp::create(builder, loc, {codes, y});
  }

  /// The codes and the reals of each bit pattern, for each index.
  llvm::Expected<SmallVector<HostTensor>> run(bool inFloats) const {
    InterpreterOptions options;
    options.exactIslands = !inFloats;
    return interpret(function, patterns(), options);
  }

private:
  HostTensor patterns() const {
    std::vector<int64_t> hostShape(shape.begin(), shape.end());
    auto fill = [&](auto code, DType type) {
      using Code = decltype(code);
      HostTensor tensor(type, hostShape);
      Code *codes = tensor.mutableData<Code>();
      int64_t numCodes = of.numCodes();
      for (int64_t i = 0, e = tensor.size(); i < e; ++i) {
        int64_t pattern = i % numCodes;
        codes[i] = static_cast<Code>(
            pattern < numCodes / 2 ? pattern : pattern - numCodes);
        // Seeded fault 31: entries in the order of the codes, not of their
        // bits.
        if constexpr (QDIALECT_MUTATE == 31)
          codes[i] = static_cast<Code>(pattern - numCodes / 2);
      }
      return tensor;
    };
    return of.from.alphabet.isInteger(8) ? fill(int8_t(), DType::I8)
                                         : fill(int16_t(), DType::I16);
  }

  /// The constant that `value` is, read through `access`, in our space.
  std::pair<Value, AffineMap> constant(Value value, AffineMap access) {
    Coefficient c = *Coefficient::read(value, access);
    auto rank = static_cast<unsigned>(shape.size());
    if (c.isScalar())
      return {
          makeScale(builder, value.getLoc(), static_cast<float>(c.values[0])),
          AffineMap::get(rank, 0, builder.getContext())};
    SmallVector<AffineExpr> axes;
    for (unsigned dim : c.dims)
      axes.push_back(
          builder.getAffineDimExpr(llvm::find(of.dims, dim) - of.dims.begin()));
    return {c.makeTensor(builder, value.getLoc(), builder.getF32Type()),
            AffineMap::get(rank, 0, axes, builder.getContext())};
  }

  void copy(Operation *op) {
    Type type = RankedTensorType::get(
        shape, getElementTypeOrSelf(op->getResult(0).getType()));
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic) {
      Operation *clone = builder.clone(*op, map);
      clone->getResult(0).setType(type);
      return;
    }
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    AffineMap identity = builder.getMultiDimIdentityMap(shape.size());
    for (OpOperand *operand : generic.getDpsInputOperands()) {
      std::pair<Value, AffineMap> input{map.lookupOrNull(operand->get()),
                                        identity};
      if (isRealConstant(operand->get()))
        input =
            constant(operand->get(), generic.getMatchingIndexingMap(operand));
      inputs.push_back(input.first);
      maps.push_back(input.second);
    }
    maps.push_back(identity);
    Value empty = tensor::EmptyOp::create(builder, op->getLoc(), shape,
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
        SmallVector<utils::IteratorType>(shape.size(),
                                         utils::IteratorType::parallel));
    generic.getRegion().cloneInto(&clone.getRegion(), map);
    map.map(op->getResult(0), clone.getResult(0));
  }

  const CodeFunction &of;
  OwningOpRef<ModuleOp> module;
  OpBuilder builder;
  SmallVector<int64_t> shape;
  func::FuncOp function;
  IRMapping map;
};

} // namespace

/// Collects the ops between `value` and the one dequantize.
bool CodeFunction::collect(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (auto dequantize = dyn_cast<qd::DequantizeOp>(op)) {
    if (source && source != dequantize)
      return false;
    source = dequantize;
    return true;
  }
  if (members.contains(op))
    return true;
  if (isa<qd::GeluOp, qd::SiluOp>(op)) {
    members.insert(op);
    return collect(op->getOperand(0));
  }
  if (!isElementwiseGeneric(op))
    return false;
  members.insert(op);
  auto generic = cast<linalg::GenericOp>(op);
  return llvm::all_of(generic.getDpsInputOperands(), [&](OpOperand *operand) {
    AffineMap map = generic.getMatchingIndexingMap(operand);
    if (!isRealConstant(operand->get()))
      return map.isIdentity() && collect(operand->get());
    std::optional<Coefficient> c = Coefficient::read(operand->get(), map);
    if (!c)
      return false;
    for (auto [dim, size] : llvm::zip_equal(c->dims, c->sizes)) {
      auto *place = llvm::lower_bound(dims, dim);
      if (place != dims.end() && *place == dim)
        continue;
      sizes.insert(sizes.begin() + (place - dims.begin()), size);
      dims.insert(place, dim);
    }
    return true;
  });
}

std::optional<CodeFunction> CodeFunction::match(qd::QuantizeOp quantize) {
  CodeFunction function;
  function.quantize = quantize;
  if (!roundsToNearest(quantize) || !function.collect(quantize.getInput()) ||
      !function.source)
    return std::nullopt;
  std::optional<CodeGrid> from = getGrid(function.source),
                          to = getGrid(quantize);
  if (!from || !to || !hasWholeBytes(*from) || !hasWholeBytes(*to))
    return std::nullopt;
  function.from = *from;
  function.to = *to;
  return function;
}

bool CodeFunction::isArithmetic() const {
  return llvm::all_of(members, [](Operation *op) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    return generic && llvm::all_of(*generic.getBody(), [](Operation &nested) {
             return isa<linalg::YieldOp>(nested) ||
                    isa<arith::ArithDialect>(nested.getDialect());
           });
  });
}

Operation *CodeFunction::nameSource() const {
  for (Operation *member : members)
    if (member->hasAttr(qd::kNameAttr))
      return member;
  return quantize;
}

std::optional<CodeFunction::Values>
CodeFunction::evaluate(bool inFloats) const {
  Program program(*this);
  auto read = [&](bool asFloats) -> std::optional<SmallVector<HostTensor>> {
    auto results = program.run(asFloats);
    if (results)
      return std::move(*results);
    llvm::consumeError(results.takeError());
    return std::nullopt;
  };
  std::optional<SmallVector<HostTensor>> exact = read(/*asFloats=*/false);
  if (!exact)
    return std::nullopt;
  Values values;
  values.codes.resize((*exact)[0].size());
  for (size_t i = 0; i < values.codes.size(); ++i)
    values.codes[i] = (*exact)[0].asInteger(i);
  if (!inFloats)
    return values;
  std::optional<SmallVector<HostTensor>> floats = read(/*asFloats=*/true);
  if (!floats)
    return std::nullopt;
  const auto *reals = (*exact)[1].data<double>();
  for (size_t i = 0; i < values.codes.size(); ++i) {
    int64_t code = (*floats)[0].asInteger(i);
    if (code != values.codes[i])
      values.error =
          std::max(values.error,
                   std::fabs(reals[i] / to.scale + to.zeroPoint - code) - 0.5);
    values.codes[i] = code;
  }
  return values;
}

} // namespace qdialect
