// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-codes-to-bytes: tensors of codes below eight bits, and of floats of at
// most eight, become tensors of bytes; payloads compute on the codes as before:
//
//   linalg.generic ins(%x : tensor<4xi4>) { ^bb0(%a: i4, ...): f(%a) }
// ->
//   linalg.generic ins(%x : tensor<4xi8>) { ^bb0(%a: i8, ...):
//     %0 = arith.trunci %a : i8 to i4;  f(%0) }
//
// Signed integers are sign-extended into their byte, other codes zero-extended;
// whoever reads a byte looks at the code's bits alone. That is the form of host
// tensors too (Support/HostTensor.h), so the borders of the program need no
// conversion. Weights that a kernel takes as codes stay codes. Payloads on
// signed integers compute in bytes where that gives the same (NarrowPayload.h).

#include "NarrowPayload.h"

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

namespace qdialect {
#define GEN_PASS_DEF_CODESTOBYTESPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;

namespace {

/// The type of the bytes that hold elements of this type; null if elements lie
/// in memory as they are.
Type byteType(Type element) {
  MLIRContext *context = element.getContext();
  if (auto integer = dyn_cast<IntegerType>(element)) {
    bool isNarrow = integer.getWidth() > 1 && integer.getWidth() < 8;
    return isNarrow ? IntegerType::get(context, 8) : Type();
  }
  auto alphabet = dyn_cast<qd::AlphabetTypeInterface>(element);
  auto bytes = qd::UIntType::get(context, 8);
  if (!alphabet || alphabet.getCodeBits() > 8 || element == bytes)
    return {};
  return bytes;
}

/// The tensor of bytes for a tensor of codes; null for other types.
RankedTensorType bytesOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  Type bytes = tensor ? byteType(tensor.getElementType()) : Type();
  return bytes ? tensor.clone(bytes) : RankedTensorType();
}

/// The code in a byte.
Value fromByte(OpBuilder &b, Location loc, Value byte, Type code) {
  Type storage = qd::getStorageType(code);
  if (byte.getType() != b.getI8Type())
    byte = qd::StorageCastOp::create(b, loc, b.getI8Type(), byte);
  if (storage != byte.getType())
    byte = arith::TruncIOp::create(b, loc, storage, byte);
  return storage == code ? byte : qd::StorageCastOp::create(b, loc, code, byte);
}

/// The byte of a code.
Value toByte(OpBuilder &b, Location loc, Value code) {
  Type type = code.getType(), bytes = byteType(type);
  Type storage = qd::getStorageType(type);
  if (storage == type) {
    IntegerAttr number;
    if (matchPattern(code, m_Constant(&number)))
      return arith::ConstantOp::create(
          b, loc, b.getIntegerAttr(bytes, number.getValue().sext(8)));
#if QDIALECT_MUTATE == 39 // negative codes become large ones
    return arith::ExtUIOp::create(b, loc, bytes, code);
#endif
    return arith::ExtSIOp::create(b, loc, bytes, code);
  }
  code = qd::StorageCastOp::create(b, loc, storage, code);
  if (storage != b.getI8Type())
    code = arith::ExtUIOp::create(b, loc, b.getI8Type(), code);
  return qd::StorageCastOp::create(b, loc, bytes, code);
}

class Rewriter {
public:
  explicit Rewriter(func::FuncOp function)
      : function(function), b(function.getContext()) {}

  LogicalResult run();
  int64_t numTensors = 0;

private:
  void keepWeights();
  void noteBorderCodes();
  void retype(Value value);
  LogicalResult adapt(Operation *op);
  bool isExtended(Value bytes) const;
  void widenPayloads(ArrayRef<Operation *> ops);
  void adaptGeneric(linalg::GenericOp op);
  void adaptYield(Operation *op, ArrayRef<Type> elements);
  void adaptConstant(arith::ConstantOp op);
  void replace(Operation *op, Operation *by);

  func::FuncOp function;
  OpBuilder b;
  /// Constants that are read as codes.
  llvm::DenseSet<Value> kept;
};

} // namespace

/// The dequantize ops that are left and block_matmul belong to kernels that
/// take codes: they get their constants for themselves.
void Rewriter::keepWeights() {
  function.walk([&](Operation *op) {
    OpOperand *codes = nullptr;
    if (isa<qd::DequantizeOp>(op))
      codes = &op->getOpOperand(0);
    else if (auto product = dyn_cast<qd::BlockMatmulOp>(op))
      codes = &product.getRhsMutable();
    Operation *constant = codes ? codes->get().getDefiningOp() : nullptr;
    if (!constant || !isa<RankedTensorType>(op->getResult(0).getType()))
      return;
    if (!codes->get().hasOneUse()) {
      b.setInsertionPoint(op);
      codes->set(b.clone(*constant)->getResult(0));
    }
    kept.insert(codes->get());
  });
}

/// What the bytes of the program's inputs and outputs mean, for its callers.
void Rewriter::noteBorderCodes() {
  auto codes = [](Type type) {
    return bytesOf(type) ? TypeAttr::get(getElementTypeOrSelf(type))
                         : TypeAttr();
  };
  for (auto [index, type] : llvm::enumerate(function.getArgumentTypes()))
    if (TypeAttr attribute = codes(type))
      function.setArgAttr(index, qd::kCodesAttr, attribute);
  for (auto [index, type] : llvm::enumerate(function.getResultTypes()))
    if (TypeAttr attribute = codes(type))
      function.setResultAttr(index, qd::kCodesAttr, attribute);
}

void Rewriter::retype(Value value) {
  RankedTensorType bytes = bytesOf(value.getType());
  if (!bytes || kept.contains(value))
    return;
  value.setType(bytes);
  ++numTensors;
}

void Rewriter::replace(Operation *op, Operation *by) {
  by->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  op->replaceAllUsesWith(by);
  op->erase();
}

void Rewriter::adaptConstant(arith::ConstantOp op) {
  std::optional<ConstantView> view = constantView(op.getResult());
  auto type = dyn_cast<RankedTensorType>(op.getType());
  if (!view || !type || view->type.getElementType() == type.getElementType())
    return;
  HostTensor bytes(*hostType(type.getElementType()), type.getShape().vec());
  char *out = bytes.mutableBytes();
  for (int64_t i = 0, e = bytes.size(); i < e; ++i)
    out[i] = static_cast<char>(view->integer(i));
  b.setInsertionPoint(op);
  Value made = makeConstant(b, op.getLoc(), type, "codes", std::move(bytes));
  replace(op, made.getDefiningOp());
}

/// The terminator of the op's body hands on elements of these types.
void Rewriter::adaptYield(Operation *op, ArrayRef<Type> elements) {
  Operation *yield = op->getRegion(0).front().getTerminator();
  b.setInsertionPoint(yield);
  for (auto [operand, element] :
       llvm::zip_equal(yield->getOpOperands(), elements))
    if (operand.get().getType() != element)
      operand.set(toByte(b, op->getLoc(), operand.get()));
}

void Rewriter::adaptGeneric(linalg::GenericOp op) {
  Block &body = *op.getBlock();
  b.setInsertionPointToStart(&body);
  for (auto [argument, operand] :
       llvm::zip_equal(body.getArguments(), op->getOperands())) {
    Type code = argument.getType(),
         element = getElementTypeOrSelf(operand.getType());
    if (code == element)
      continue;
    argument.setType(element);
    if (argument.use_empty())
      continue;
    Value read = fromByte(b, op.getLoc(), argument, code);
    // The casts that made it read the argument itself.
    argument.replaceUsesWithIf(read, [&](OpOperand &use) {
      return use.getOwner()->getBlock() != &body ||
             !(use.getOwner() == read.getDefiningOp() ||
               use.getOwner()->isBeforeInBlock(read.getDefiningOp()));
    });
  }
  SmallVector<Type> elements;
  for (Type type : op.getDpsInits().getTypes())
    elements.push_back(getElementTypeOrSelf(type));
  adaptYield(op, elements);
}

LogicalResult Rewriter::adapt(Operation *op) {
  b.setInsertionPoint(op);
  Location loc = op->getLoc();
  auto widen = [&](OpOperand &scalar, Type tensor) {
    if (scalar.get().getType() != getElementTypeOrSelf(tensor))
      scalar.set(toByte(b, loc, scalar.get()));
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](arith::ConstantOp constant) {
        adaptConstant(constant);
        return success();
      })
      .Case([&](linalg::GenericOp generic) {
        adaptGeneric(generic);
        return success();
      })
      .Case([&](linalg::FillOp fill) {
        Value init = fill.getOutputs()[0], value = fill.getInputs()[0];
        if (value.getType() != getElementTypeOrSelf(init))
          replace(op,
                  linalg::FillOp::create(b, loc, toByte(b, loc, value), init));
        return success();
      })
      .Case([&](linalg::TransposeOp transpose) {
        replace(op, linalg::TransposeOp::create(b, loc, transpose.getInput(),
                                                transpose.getInit(),
                                                transpose.getPermutation()));
        return success();
      })
      .Case([&](tensor::ExtractOp extract) {
        Type code = extract.getType();
        Type element = extract.getTensor().getType().getElementType();
        if (code == element)
          return success();
        Value byte = tensor::ExtractOp::create(b, loc, extract.getTensor(),
                                               extract.getIndices());
        op->getResult(0).replaceAllUsesWith(fromByte(b, loc, byte, code));
        op->erase();
        return success();
      })
      .Case([&](tensor::InsertOp insert) {
        widen(insert.getScalarMutable(), insert.getType());
        return success();
      })
      .Case<tensor::SplatOp, tensor::FromElementsOp>([&](auto made) {
        for (OpOperand &operand : op->getOpOperands())
          if (!operand.get().getType().isIndex())
            widen(operand, made.getType());
        return success();
      })
      .Case<tensor::PadOp, tensor::GenerateOp>([&](auto made) {
        adaptYield(op, {getElementTypeOrSelf(made.getType())});
        return success();
      })
      .Case<tensor::EmptyOp, tensor::DimOp, tensor::CollapseShapeOp,
            tensor::ExpandShapeOp, tensor::ExtractSliceOp,
            tensor::InsertSliceOp, tensor::ConcatOp, tensor::CastOp,
            qd::DequantizeOp, qd::BlockMatmulOp, func::ReturnOp, scf::YieldOp,
            scf::ForOp, scf::IfOp, scf::WhileOp, scf::ConditionOp>(
          [](auto) { return success(); })
      .Default([](Operation *other) {
        return other->emitOpError("reads or makes codes below eight bits, "
                                  "which have no form in memory here");
      });
}

/// Is every byte its code, sign-extended? So they are made here; what comes
/// from callers, loops and branches is not looked into.
bool Rewriter::isExtended(Value bytes) const {
  Operation *op = bytes.getDefiningOp();
  if (isa_and_nonnull<linalg::GenericOp, linalg::FillOp, arith::ConstantOp>(op))
    return true;
  return isa_and_nonnull<linalg::TransposeOp, tensor::CollapseShapeOp,
                         tensor::ExpandShapeOp, tensor::ExtractSliceOp,
                         tensor::PadOp>(op) &&
         isExtended(op->getOperand(0));
}

void Rewriter::widenPayloads(ArrayRef<Operation *> ops) {
  for (Operation *op : ops) {
    auto generic = cast<linalg::GenericOp>(op);
    widenPayload(generic, [&](Value bytes) { return isExtended(bytes); });
    if (!isCopy(generic))
      continue;
    generic->replaceAllUsesWith(ValueRange(generic->getOperand(0)));
    generic->erase();
  }
}

LogicalResult Rewriter::run() {
  auto touchesCodes = [](Operation *op) {
    auto isCodes = [](Type type) { return bool(bytesOf(type)); };
    return llvm::any_of(op->getOperandTypes(), isCodes) ||
           llvm::any_of(op->getResultTypes(), isCodes);
  };
  SmallVector<Operation *> ops;
  function.walk([&](Operation *op) {
    if (op != function && touchesCodes(op))
      ops.push_back(op);
  });
  bool inArguments = llvm::any_of(function.getArgumentTypes(), [](Type type) {
    return bool(bytesOf(type));
  });
  if (ops.empty() && !inArguments)
    return success();
  keepWeights();
  // The body of a named op follows its types; a generic op's can be adapted.
  for (Operation *&op : ops) {
    auto named = dyn_cast<linalg::LinalgOp>(op);
    if (!named ||
        isa<linalg::GenericOp, linalg::FillOp, linalg::TransposeOp>(op))
      continue;
    IRRewriter rewriter(b);
    rewriter.setInsertionPoint(op);
    FailureOr<linalg::GenericOp> generic =
        linalg::generalizeNamedOp(rewriter, named);
    if (failed(generic))
      return op->emitOpError("on codes below eight bits has no general form");
    op = *generic;
  }
  noteBorderCodes();
  function.walk([&](Operation *op) {
    for (Value result : op->getResults())
      retype(result);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          retype(argument);
  });
  SmallVector<Operation *> generics;
  for (Operation *op : ops) {
    if (isa<linalg::GenericOp>(op))
      generics.push_back(op);
    if (failed(adapt(op)))
      return failure();
  }
  widenPayloads(generics);
  function.setType(b.getFunctionType(
      function.getBody().front().getArgumentTypes(),
      function.getBody().front().getTerminator()->getOperandTypes()));
  return success();
}

namespace {

struct CodesToBytesPass
    : qdialect::impl::CodesToBytesPassBase<CodesToBytesPass> {
  using CodesToBytesPassBase::CodesToBytesPassBase;

  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    Rewriter rewriter(getOperation());
    if (failed(rewriter.run()))
      return signalPassFailure();
    numTensors += rewriter.numTensors;
  }
};

} // namespace
