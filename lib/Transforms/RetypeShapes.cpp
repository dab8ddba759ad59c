// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops are cloned one by one; those that state sizes are built anew.

#include "QDialect/Transforms/RetypeShapes.h"

#include "QDialect/Analysis/SymbolicShapes.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {
namespace {

using Sizes = SmallVector<OpFoldResult>;

struct Copier {
  OpBuilder &builder;
  IRMapping &map;
  const ShapeOracle &oracle;

  void copy(Operation *op);

private:
  Sizes mapped(ArrayRef<OpFoldResult> sizes);
  Sizes shaped(ArrayRef<OpFoldResult> sizes, RankedTensorType type);
  void finish(Operation *op, Operation *made);
  void copyDispatch(qd::DispatchOp op);
  void copyControlFlow(Operation *op);
};

/// Sizes with mapped values, numbers where the oracle knows them.
Sizes Copier::mapped(ArrayRef<OpFoldResult> sizes) {
  return llvm::map_to_vector(sizes, [&](OpFoldResult size) -> OpFoldResult {
    auto value = dyn_cast<Value>(size);
    if (!value)
      return size;
    if (std::optional<int64_t> number = oracle.numberOf(value))
      return builder.getIndexAttr(*number);
    return map.lookup(value);
  });
}

/// The same, but what the type says is a number is that.
Sizes Copier::shaped(ArrayRef<OpFoldResult> sizes, RankedTensorType type) {
  Sizes result = mapped(sizes);
  for (auto [axis, size] : llvm::enumerate(type.getShape()))
    if (ShapedType::isStatic(size))
      result[axis] = builder.getIndexAttr(size);
  return result;
}

void Copier::finish(Operation *op, Operation *made) {
  made->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  map.map(op->getResults(), made->getResults());
}

void Copier::copyDispatch(qd::DispatchOp op) {
  SmallVector<Value> inputs;
  auto body = std::make_unique<Block>();
  for (auto [argument, outer] :
       llvm::zip_equal(op.getBody().getArguments(), op.getInputs())) {
    Type type = argument.getType();
    if (type.isIndex() && oracle.numberOf(argument))
      continue;
    if (isa<RankedTensorType>(type))
      type = oracle.typeOf(argument);
    inputs.push_back(map.lookup(outer));
    map.map(argument, body->addArgument(type, argument.getLoc()));
  }
  OpBuilder inner(op.getContext());
  inner.setInsertionPointToEnd(body.get());
  Copier nested{inner, map, oracle};
  for (Operation &inside : op.getBody().front())
    nested.copy(&inside);
  auto made = qd::DispatchOp::create(
      builder, op.getLoc(), body->getTerminator()->getOperandTypes(), inputs);
  made.getBody().push_back(body.release());
  finish(op, made);
}

/// Loops and branches: what they carry has other types, too.
void Copier::copyControlFlow(Operation *op) {
  Operation *made = builder.cloneWithoutRegions(*op, map);
  for (auto [from, to] : llvm::zip_equal(op->getResults(), made->getResults()))
    if (isa<RankedTensorType>(from.getType()))
      to.setType(oracle.typeOf(from));
  for (auto [from, to] :
       llvm::zip_equal(op->getRegions(), made->getRegions())) {
    for (Block &block : from) {
      Block &body = to.emplaceBlock();
      for (BlockArgument argument : block.getArguments()) {
        Type type = argument.getType();
        if (isa<RankedTensorType>(type))
          type = oracle.typeOf(argument);
        map.map(argument, body.addArgument(type, argument.getLoc()));
      }
      OpBuilder inner = OpBuilder::atBlockEnd(&body);
      Copier nested{inner, map, oracle};
      for (Operation &inside : block)
        nested.copy(&inside);
    }
  }
}

void Copier::copy(Operation *op) {
  if (op->getNumResults() == 1 && op->getResult(0).getType().isIndex())
    if (std::optional<int64_t> number = oracle.numberOf(op->getResult(0))) {
      map.map(op->getResult(0),
              arith::ConstantIndexOp::create(builder, op->getLoc(), *number)
                  .getResult());
      return;
    }
  RankedTensorType type;
  if (op->getNumResults() == 1 &&
      isa<RankedTensorType>(op->getResult(0).getType()))
    type = oracle.typeOf(op->getResult(0));
  llvm::TypeSwitch<Operation *>(op)
      .Case<qd::DispatchOp>([&](auto dispatch) { copyDispatch(dispatch); })
      .Case<scf::ForOp, scf::WhileOp, scf::IfOp>(
          [&](auto control) { copyControlFlow(control); })
      .Case<tensor::EmptyOp>([&](auto empty) {
        finish(op, tensor::EmptyOp::create(builder, op->getLoc(),
                                           shaped(empty.getMixedSizes(), type),
                                           type.getElementType()));
      })
      .Case<tensor::ExpandShapeOp>([&](auto expand) {
        finish(op, tensor::ExpandShapeOp::create(
                       builder, op->getLoc(), type, map.lookup(expand.getSrc()),
                       expand.getReassociationIndices(),
                       shaped(expand.getMixedOutputShape(), type)));
      })
      .Case<tensor::ExtractSliceOp>([&](auto slice) {
        bool sameRank = slice.getSourceType().getRank() == type.getRank();
        finish(op,
               tensor::ExtractSliceOp::create(
                   builder, op->getLoc(), type, map.lookup(slice.getSource()),
                   mapped(slice.getMixedOffsets()),
                   sameRank ? shaped(slice.getMixedSizes(), type)
                            : mapped(slice.getMixedSizes()),
                   mapped(slice.getMixedStrides())));
      })
      .Case<tensor::PadOp>([&](auto pad) {
        auto made = tensor::PadOp::create(
            builder, op->getLoc(), type, map.lookup(pad.getSource()),
            mapped(pad.getMixedLowPad()), mapped(pad.getMixedHighPad()),
            pad.getNofold());
        pad.getRegion().cloneInto(&made.getRegion(), map);
        finish(op, made);
      })
      .Default([&](Operation *other) {
        Operation *made = builder.clone(*other, map);
        for (auto [from, to] :
             llvm::zip_equal(other->getResults(), made->getResults()))
          if (isa<RankedTensorType>(from.getType()))
            to.setType(oracle.typeOf(from));
      });
}

std::string nameOf(func::FuncOp function, unsigned index) {
  auto name = function.getArgAttrOfType<StringAttr>(index, qd::kNameAttr);
  return name ? name.str() : ("arg" + Twine(index)).str();
}

/// The values of the symbols; an error if shapes and program disagree.
llvm::Expected<std::vector<int64_t>>
bindSymbols(func::FuncOp function, SymbolicShapes &symbolic,
            ArrayRef<std::vector<int64_t>> shapes) {
  ArrayRef<SymbolicSizes::Symbol> symbols = symbolic.sizes.symbols();
  std::vector<int64_t> values(symbols.size(), -1);
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    std::string name = nameOf(function, number);
    SymbolicShapes::Shape shape = symbolic.shapeOf(argument);
    ArrayRef<int64_t> given = shapes[number];
    if (given.size() != shape.size())
      return llvm::createStringError(
          "input '" + name + "' has rank " + llvm::Twine(shape.size()) +
          ", given is one of rank " + llvm::Twine(given.size()));
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      int64_t size = shape[axis];
      auto mismatch = [&](const llvm::Twine &wanted) {
        return llvm::createStringError(
            "dimension " + llvm::Twine(axis) + " of input '" + name + "' is " +
            llvm::Twine(given[axis]) + ", but must be " + wanted);
      };
      if (!SymbolicSizes::isSymbolic(size)) {
        if (given[axis] != size)
          return mismatch(llvm::Twine(size));
        continue;
      }
      unsigned symbol = *symbolic.sizes.asSymbol(size);
      const SymbolicSizes::Symbol &s = symbols[symbol];
      if (values[symbol] >= 0 && values[symbol] != given[axis])
        return mismatch(llvm::Twine(values[symbol]) + " like every '" + s.name +
                        "'");
      if (given[axis] < s.low || given[axis] > s.high)
        return mismatch("from " + llvm::Twine(s.low) + " to " +
                        llvm::Twine(s.high) + " ('" + s.name + "')");
      if (given[axis] % s.step != 0)
        return mismatch("a multiple of " + llvm::Twine(s.step) + " ('" +
                        s.name + "')");
      values[symbol] = given[axis];
    }
  }
  return values;
}

} // namespace

void cloneRetyped(OpBuilder &builder, Operation *op, IRMapping &map,
                  const ShapeOracle &oracle) {
  Copier{builder, map, oracle}.copy(op);
}

llvm::Expected<OwningOpRef<ModuleOp>>
specializeShapes(func::FuncOp function, ArrayRef<std::vector<int64_t>> shapes) {
  SymbolicShapes symbolic(function);
  if (shapes.size() != function.getNumArguments())
    return llvm::createStringError(
        "the program has " + llvm::Twine(function.getNumArguments()) +
        " inputs, " + llvm::Twine(shapes.size()) + " given");
  auto values = bindSymbols(function, symbolic, shapes);
  if (!values)
    return values.takeError();
  ShapeOracle oracle;
  oracle.numberOf = [&](Value index) -> std::optional<int64_t> {
    int64_t size = symbolic.sizeOf(index);
    if (size == ShapedType::kDynamic || symbolic.sizes.isComputed(size))
      return std::nullopt;
    return symbolic.sizes.evaluate(size, *values);
  };
  oracle.typeOf = [&](Value tensor) {
    auto type = cast<RankedTensorType>(tensor.getType());
    SymbolicShapes::Shape shape = symbolic.shapeOf(tensor);
    for (int64_t &size : shape)
      size = symbolic.sizes.isComputed(size) ? ShapedType::kDynamic
             : SymbolicSizes::isSymbolic(size)
                 ? symbolic.sizes.evaluate(size, *values)
                 : size;
    return RankedTensorType::get(shape, type.getElementType(),
                                 type.getEncoding());
  };

  OwningOpRef<ModuleOp> module = ModuleOp::create(function.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  auto copy = cast<func::FuncOp>(builder.cloneWithoutRegions(*function));
  Block *body = builder.createBlock(&copy.getBody());
  IRMapping map;
  for (BlockArgument argument : function.getArguments()) {
    Type type = argument.getType();
    if (isa<RankedTensorType>(type))
      type = oracle.typeOf(argument);
    map.map(argument, body->addArgument(type, argument.getLoc()));
    copy.removeArgAttr(argument.getArgNumber(), qd::kDimsAttr);
  }
  copy->removeAttr(qd::kDimBoundsAttr);
  builder.setInsertionPointToEnd(body);
  for (Operation &op : function.getBody().front())
    cloneRetyped(builder, &op, map, oracle);
  copy.setType(builder.getFunctionType(
      body->getArgumentTypes(), body->getTerminator()->getOperandTypes()));
  return module;
}

} // namespace qdialect
