// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where integers of the model become floats that are rounded at once:
//
//   quantize(table[%id])          =>  codes[%id], the table rounded beforehand
//   quantize(a * float(%i) + b)   =>  table[clamp(%i)]
//
// The second is what becomes of attention masks: a monotone function has one
// code for all integers from 127 upwards if it has the same for 127 and for the
// largest, and likewise downwards; then a table of 256 results is the whole of
// it.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <numeric>

using namespace mlir;

namespace qdialect {

Value integerizeGather(IntegerizeContext &context, qd::QuantizeOp quantize) {
  auto generic = quantize.getInput().getDefiningOp<linalg::GenericOp>();
  if (!generic || !isElementwiseGeneric(generic) ||
      generic.getNumDpsInits() != 1 || !roundsToNearest(quantize))
    return {};
  auto read = generic.getBlock()
                  ->getTerminator()
                  ->getOperand(0)
                  .getDefiningOp<tensor::ExtractOp>();
  std::optional<CodeGrid> grid = getGrid(quantize);
  if (!read || !grid || read->getBlock() != generic.getBlock())
    return {};
  // Where the floats serve nothing else in the payload.
  auto isFloat = [](Value value) {
    return isa<FloatType>(getElementTypeOrSelf(value.getType()));
  };
  if (llvm::any_of(generic.getDpsInputs(), isFloat) ||
      llvm::any_of(*generic.getBlock(), [&](Operation &op) {
        return &op != read && llvm::any_of(op.getResults(), isFloat);
      }))
    return {};
  std::optional<ConstantView> view = constantView(read.getTensor());
  auto type = dyn_cast<RankedTensorType>(read.getTensor().getType());
  if (!view || !type || !type.getElementType().isF32())
    return {};
  OpBuilder &builder = context.builder;
  Location loc = generic.getLoc();
  qd::QuantizeOp whole = makeQuantize(builder, loc, read.getTensor(), *grid);
  SmallVector<HostTensor> operands;
  for (Value operand : whole->getOperands())
    operands.push_back(constantView(operand)->toHostTensor());
  auto codes = evaluate(whole, operands);
  auto codeType = cast<RankedTensorType>(whole.getType());
  whole.erase();
  if (!codes) {
    llvm::consumeError(codes.takeError());
    return context.refuse("its table cannot be rounded at compile time");
  }
  Value table = makeConstant(builder, loc, codeType, "table_codes",
                             std::move(codes->front()));
  if (Operation *constant = read.getTensor().getDefiningOp())
    copyMarks(constant, table.getDefiningOp());
  Value init =
      makeEmptyLike(builder, loc, generic->getResult(0), grid->alphabet);
  auto copy = cast<linalg::GenericOp>(builder.clone(*generic));
  copy.getDpsInitsMutable()[0].set(init);
  copy->getResult(0).setType(
      cast<RankedTensorType>(generic->getResult(0).getType())
          .clone(grid->alphabet));
  copy.getBlock()->getArguments().back().setType(grid->alphabet);
  auto extract = cast<tensor::ExtractOp>(
      copy.getBlock()->getTerminator()->getOperand(0).getDefiningOp());
  extract.getTensorMutable().assign(table);
  extract.getResult().setType(grid->alphabet);
  copyMarks(quantize, copy);
  copy->setAttr(qd::kErrorLsbAttr, builder.getF64FloatAttr(0));
  return copy->getResult(0);
}

namespace {

/// One integer input, an affine function of it as a float: monotone in every
/// rounded step.
bool isAffineOfInteger(linalg::GenericOp op) {
  if (!op || !isElementwiseGeneric(op) || op.getNumDpsInputs() != 1 ||
      !getElementTypeOrSelf(op.getDpsInputs()[0].getType()).isSignlessInteger())
    return false;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  if (!map.isIdentity())
    return false;
  return llvm::all_of(op.getBlock()->without_terminator(), [](Operation
                                                                  &inner) {
    if (isa<arith::ConstantOp, arith::SIToFPOp, arith::UIToFPOp, arith::NegFOp>(
            inner))
      return true;
    if (!isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp>(inner))
      return false;
    bool left =
             inner.getOperand(0).getDefiningOp<arith::ConstantOp>() != nullptr,
         right =
             inner.getOperand(1).getDefiningOp<arith::ConstantOp>() != nullptr;
    return isa<arith::DivFOp>(inner) ? right : left || right;
  });
}

/// The codes of `numbers`.
std::optional<std::vector<int64_t>> tabulate(linalg::GenericOp op,
                                             const CodeGrid &grid,
                                             std::vector<int64_t> numbers) {
  auto count = static_cast<int64_t>(numbers.size());
  MLIRContext *context = op.getContext();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  OpBuilder builder(context);
  builder.setInsertionPointToEnd(module->getBody());
  Location loc = op.getLoc();
  auto integers = RankedTensorType::get(
      {count}, getElementTypeOrSelf(op.getDpsInputs()[0].getType()));
  auto reals = RankedTensorType::get(
      {count}, getElementTypeOrSelf(op->getResult(0).getType()));
  auto function = func::FuncOp::create(
      builder, loc, "table",
      builder.getFunctionType(integers, integers.clone(grid.alphabet)));
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  Value init = tensor::EmptyOp::create(builder, loc, reals.getShape(),
                                       reals.getElementType());
  SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(1));
  auto generic = linalg::GenericOp::create(
      builder, loc, reals, ValueRange{body->getArgument(0)}, ValueRange{init},
      maps, ArrayRef<utils::IteratorType>{utils::IteratorType::parallel});
  IRMapping map;
  op.getRegion().cloneInto(&generic.getRegion(), map);
  Value codes = makeQuantize(builder, loc, generic->getResult(0), grid);
  func::ReturnOp::create(builder, loc, codes);
  HostTensor input = HostTensor::of<int64_t>(DType::I64, {count}, numbers);
  std::optional<DType> memory = hostType(integers.getElementType());
  if (!memory)
    return std::nullopt;
  auto results = interpret(function, input.converted(*memory), {});
  if (!results) {
    llvm::consumeError(results.takeError());
    return std::nullopt;
  }
  for (int64_t i = 0; i < count; ++i)
    numbers[i] = results->front().asInteger(i);
  return numbers;
}

} // namespace

Value integerizeIntegerInput(IntegerizeContext &context,
                             qd::QuantizeOp quantize) {
  auto generic = quantize.getInput().getDefiningOp<linalg::GenericOp>();
  std::optional<CodeGrid> grid = getGrid(quantize);
  if (!generic || !grid || !roundsToNearest(quantize) ||
      !isAffineOfInteger(generic) || (grid->bits() != 8 && grid->bits() != 16))
    return {};
  Value input = generic.getDpsInputs()[0];
  unsigned width =
      getElementTypeOrSelf(input.getType()).getIntOrFloatBitWidth();
  if (width < 8)
    return context.refuse("it reads integers of fewer than 8 bits");
  if (width > 64)
    return context.refuse("it reads integers of more than 64 bits");
  // The bytes, then the ends of the type. As unsigned numbers, those between
  // the bytes and either end are in order as well.
  std::vector<int64_t> numbers(256);
  std::iota(numbers.begin(), numbers.end(), -128);
  numbers.push_back(llvm::minIntN(width));
  numbers.push_back(llvm::maxIntN(width));
  std::optional<std::vector<int64_t>> table = tabulate(generic, *grid, numbers);
  if (!table)
    return context.refuse("its function cannot be evaluated at compile time");
  if ((*table)[256] != (*table)[0] || (*table)[257] != (*table)[255])
    return context.refuse("its codes change beyond the integers of a byte");
  table->resize(256);
  OpBuilder &builder = context.builder;
  Location loc = quantize.getLoc();
  Type i8 = builder.getI8Type();
  auto bytes = cast<RankedTensorType>(input.getType()).clone(i8);
  ElementwiseInput operand{input,
                           builder.getMultiDimIdentityMap(bytes.getRank())};
  Value codes =
      makeElementwise(builder, loc, bytes, operand,
                      [&](OpBuilder &b, Location l, ValueRange args) -> Value {
                        Value x = args[0];
                        if (width == 8)
                          return x;
                        auto bound = [&](int64_t value) -> Value {
                          return arith::ConstantOp::create(
                              b, l, b.getIntegerAttr(x.getType(), value));
                        };
                        x = arith::MaxSIOp::create(b, l, x, bound(-128));
                        x = arith::MinSIOp::create(b, l, x, bound(127));
                        return arith::TruncIOp::create(b, l, i8, x);
                      })
          .getResult(0);
  // By the code's bits.
  std::rotate(table->begin(), table->begin() + 128, table->end());
  HostTensor entries = HostTensor::of<int64_t>(DType::I64, {256}, *table);
  Value constant = makeConstant(
      builder, loc, RankedTensorType::get({256}, grid->alphabet), "table",
      entries.converted(grid->bits() == 8 ? DType::I8 : DType::I16));
  auto lookup =
      qd::LookupOp::create(builder, loc, quantize.getType(), codes, constant);
  copyMarks(quantize, lookup);
  lookup->setAttr(qd::kErrorLsbAttr, builder.getF64FloatAttr(0));
  return lookup;
}

} // namespace qdialect
