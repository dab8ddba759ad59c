// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Half precision is a way to store numbers, not to compute with them:
//
//   %y = linalg.generic ins(%x : tensor<4xf16>) { arith.addf %a, %b : f16 }
//   ->
//   %y = linalg.generic ins(%x : tensor<4xf32>) { arith.addf %a, %b : f32 }
//
// Every value inside the function is retyped in place, constants keep their
// numbers, and casts between f32 and half precision vanish. Arguments and
// results keep their types; what they hold is converted at the edge.

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace qdialect {
#define GEN_PASS_DEF_WIDENHALFPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;

namespace {

bool isHalf(Type type) {
  return isa<Float16Type, BFloat16Type>(getElementTypeOrSelf(type));
}

Type widened(Type type) {
  if (!isHalf(type))
    return type;
  Type f32 = Float32Type::get(type.getContext());
  auto shaped = dyn_cast<ShapedType>(type);
  return shaped ? Type(shaped.clone(f32)) : f32;
}

/// arith.extf or arith.truncf to `type`, which differs in precision alone; of a
/// tensor as an element-wise op.
Value convert(OpBuilder &builder, Location loc, Value value, Type type) {
  auto scalar = [&](OpBuilder &b, Location at, Value from, Type to) -> Value {
    if (from.getType().getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth())
      return arith::ExtFOp::create(b, at, to, from);
    return arith::TruncFOp::create(b, at, to, from);
  };
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return scalar(builder, loc, value, type);
  Type element = tensor.getElementType();
  SmallVector<AffineMap> maps(2,
                              builder.getMultiDimIdentityMap(tensor.getRank()));
  SmallVector<utils::IteratorType> loops(tensor.getRank(),
                                         utils::IteratorType::parallel);
  Value empty = makeEmptyLike(builder, loc, value, element);
  return linalg::GenericOp::create(
             builder, loc, type, value, empty, maps, loops,
             [&](OpBuilder &b, Location at, ValueRange arguments) {
               linalg::YieldOp::create(b, at,
                                       scalar(b, at, arguments[0], element));
             })
      .getResult(0);
}

/// An op that sees the bits of half precision, as it was.
struct BitsOp {
  Operation *op;
  Type from, to;
};

class Widener {
public:
  explicit Widener(func::FuncOp function)
      : function(function), builder(function.getContext()) {}

  /// Does the function hold half precision anywhere?
  bool collect();
  LogicalResult checkConstants();
  void run();

  int64_t numValues = 0, numCasts = 0;

private:
  void retype();
  void widenConstants();
  void keepBits();
  void dropCasts();
  void dropCopies();
  void convertEdges();

  func::FuncOp function;
  OpBuilder builder;
  SmallVector<arith::ConstantOp> constants;
  SmallVector<BitsOp> bits;
};

/// What this pass leaves: a conversion of an argument, or of what is returned.
bool isEdge(Operation *op) {
  if (!isFloatConversion(op))
    return false;
  auto argument = dyn_cast<BlockArgument>(op->getOperand(0));
  return (argument && isa<func::FuncOp>(argument.getOwner()->getParentOp())) ||
         llvm::all_of(op->getUsers(), [](Operation *user) {
           return isa<func::ReturnOp>(user);
         });
}

bool Widener::collect() {
  bool found = false;
  function.walk([&](Operation *op) {
    bool isHalfOp = llvm::any_of(op->getOperandTypes(), isHalf) ||
                    llvm::any_of(op->getResultTypes(), isHalf);
    bool isLeft =
        isa<func::ReturnOp, tensor::DimOp>(op) || isEdge(op) ||
        isEdge(op->getParentOp()) ||
        (isa<tensor::EmptyOp>(op) && llvm::all_of(op->getUsers(), isEdge));
    found |= isHalfOp && !isLeft;
    if (auto constant = dyn_cast<arith::ConstantOp>(op);
        constant && isHalf(constant.getType()))
      constants.push_back(constant);
    if (isa<arith::BitcastOp, qd::StorageCastOp>(op))
      bits.push_back(
          {op, op->getOperand(0).getType(), op->getResult(0).getType()});
  });
  return found;
}

LogicalResult Widener::checkConstants() {
  for (arith::ConstantOp constant : constants)
    if (isa<ShapedType>(constant.getType()) && !constantView(constant))
      return constant.emitError()
             << "constant of type " << constant.getType() << " has no bytes";
  return success();
}

void Widener::retype() {
  auto widen = [&](Value value) {
    Type type = widened(value.getType());
    numValues += type != value.getType();
    value.setType(type);
  };
  Block *entry = &function.getBody().front();
  function.walk([&](Operation *op) {
    llvm::for_each(op->getResults(), widen);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        if (&block != entry)
          llvm::for_each(block.getArguments(), widen);
  });
}

void Widener::widenConstants() {
  for (arith::ConstantOp constant : constants) {
    if (auto number = dyn_cast<FloatAttr>(constant.getValue())) {
      constant.setValueAttr(builder.getF32FloatAttr(
          static_cast<float>(number.getValueAsDouble())));
      continue;
    }
    std::optional<ConstantView> view = constantView(constant.getValue());
    auto name = constant->getAttrOfType<StringAttr>(qd::kNameAttr);
    constant.setValueAttr(cast<TypedAttr>(
        makeElements(cast<ShapedType>(constant.getType()),
                     name ? name.getValue() : "widened",
                     view->toHostTensor().converted(DType::F32))));
  }
}

/// The readers of `value`, but those who ask for its sizes alone.
SmallVector<OpOperand *> readers(Value value) {
  SmallVector<OpOperand *> uses;
  for (OpOperand &use : value.getUses())
    if (!isa<tensor::DimOp>(use.getOwner()))
      uses.push_back(&use);
  return uses;
}

/// The bits of half precision are those of the rounded value.
void Widener::keepBits() {
  for (auto [op, from, to] : bits) {
    if (isHalf(from)) {
      builder.setInsertionPoint(op);
      op->setOperand(0,
                     convert(builder, op->getLoc(), op->getOperand(0), from));
    }
    if (isHalf(to)) {
      builder.setInsertionPointAfter(op);
      Value result = op->getResult(0);
      SmallVector<OpOperand *> uses = readers(result);
      result.setType(to);
      Value wide = convert(builder, op->getLoc(), result, widened(to));
      for (OpOperand *use : uses)
        use->set(wide);
    }
  }
}

void Widener::dropCasts() {
  SmallVector<Operation *> casts;
  function.walk([&](Operation *op) {
    if (isa<arith::ExtFOp, arith::TruncFOp>(op) &&
        op->getOperand(0).getType() == op->getResult(0).getType())
      casts.push_back(op);
  });
  for (Operation *op : casts) {
    op->getResult(0).replaceAllUsesWith(op->getOperand(0));
    op->erase();
  }
  numCasts += casts.size();
}

/// What was a cast is a copy now.
void Widener::dropCopies() {
  SmallVector<linalg::GenericOp> copies;
  function.walk([&](linalg::GenericOp op) {
    if (op.getNumDpsInputs() == 1 && op.getNumDpsInits() == 1 &&
        op.hasPureTensorSemantics() &&
        op.getNumLoops() == op.getNumParallelLoops() &&
        llvm::all_of(op.getIndexingMapsArray(),
                     [](AffineMap map) { return map.isIdentity(); }) &&
        op.getBlock()->getTerminator()->getOperand(0) ==
            op.getBlock()->getArgument(0))
      copies.push_back(op);
  });
  for (linalg::GenericOp op : copies) {
    Value input = op.getDpsInputs()[0];
    if (input.getType() != op.getResult(0).getType())
      continue;
    Operation *maker = input.getDefiningOp();
    if (Attribute name = op->getAttr(qd::kNameAttr);
        name && maker && !maker->hasAttr(qd::kNameAttr))
      maker->setAttr(qd::kNameAttr, name);
    op.getResult(0).replaceAllUsesWith(input);
    Operation *init = op.getDpsInits()[0].getDefiningOp();
    op.erase();
    if (init && isOpTriviallyDead(init))
      init->erase();
  }
}

void Widener::convertEdges() {
  Block &entry = function.getBody().front();
  builder.setInsertionPointToStart(&entry);
  for (BlockArgument argument : entry.getArguments()) {
    if (!isHalf(argument.getType()) || argument.use_empty())
      continue;
    SmallVector<OpOperand *> uses = readers(argument);
    Value wide = convert(builder, argument.getLoc(), argument,
                         widened(argument.getType()));
    if (Attribute name =
            function.getArgAttr(argument.getArgNumber(), qd::kNameAttr))
      wide.getDefiningOp()->setAttr(qd::kNameAttr, name);
    for (OpOperand *use : uses)
      use->set(wide);
  }
  Operation *terminator = entry.getTerminator();
  builder.setInsertionPoint(terminator);
  for (auto [operand, type] :
       llvm::zip_equal(terminator->getOpOperands(), function.getResultTypes()))
    if (operand.get().getType() != type)
      operand.set(convert(builder, terminator->getLoc(), operand.get(), type));
}

void Widener::run() {
  retype();
  widenConstants();
  dropCasts();
  dropCopies();
  keepBits();
  convertEdges();
}

struct WidenHalf : qdialect::impl::WidenHalfPassBase<WidenHalf> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    Widener widener(function);
    if (!widener.collect())
      return;
    if (failed(widener.checkConstants()))
      return signalPassFailure();
    widener.run();
    numValues += widener.numValues;
    numCasts += widener.numCasts;
  }
};

} // namespace
