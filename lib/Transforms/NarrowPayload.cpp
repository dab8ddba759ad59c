// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Payloads on narrow signed integers become payloads on bytes:
//
//   %a = arith.trunci %byte : i8 to i4           ->  %byte
//   %q = qd.requantize ... -> i4                 ->  i8, clamped to [-8, 7]
//   %m = arith.maxsi %q, %c : i4                 ->  i8
//   %w = arith.extsi %m : i4 to i32              ->  arith.extsi i8 to i32

#include "NarrowPayload.h"

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {
namespace {

bool isNarrow(Type type) {
  return type.isSignlessInteger() && type.getIntOrFloatBitWidth() > 1 &&
         type.getIntOrFloatBitWidth() < 8;
}

bool touchesNarrow(Operation *op) {
  return llvm::any_of(op->getOperandTypes(), isNarrow) ||
         llvm::any_of(op->getResultTypes(), isNarrow);
}

class Widening {
public:
  Widening(linalg::GenericOp generic,
           llvm::function_ref<bool(Value)> isExtended)
      : generic(generic), isExtended(isExtended), b(generic.getContext()) {}

  void run() {
    SmallVector<Operation *> ops;
    for (Operation &op : *generic.getBlock())
      if (touchesNarrow(&op))
        ops.push_back(&op);
    auto allKnown = [&](Operation *op) {
      return canWiden(op) && llvm::all_of(op->getOperands(), [&](Value value) {
               return !isNarrow(value.getType()) || isOwn(value) ||
                      matchPattern(value, m_Constant());
             });
    };
    if (ops.empty() || !llvm::all_of(ops, allKnown))
      return;
    for (Operation *op : ops)
      widen(op);
    for (Operation *op : llvm::reverse(ops))
      op->erase();
  }

private:
  bool isOwn(Value value) {
    return value.getParentBlock() == generic.getBlock() &&
           value.getDefiningOp();
  }

  /// What gives the same when its operands are sign-extended.
  static bool canWiden(Operation *op) {
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case<qd::QuantizeOp, qd::RequantizeOp, qd::RescaleOp>([](auto cast) {
          return cast.getOverflow() == qd::Overflow::Saturate &&
                 llvm::none_of(cast->getOperandTypes(), isNarrow);
        })
        .Case<arith::TruncIOp>(
            [](auto trunc) { return trunc.getIn().getType().isInteger(8); })
        .Case<arith::ExtSIOp>(
            [](auto ext) { return ext.getType().getIntOrFloatBitWidth() >= 8; })
        .Case<arith::MaxSIOp, arith::MinSIOp, arith::SIToFPOp,
              qd::DequantizeOp>([](auto) { return true; })
        .Case<arith::ConstantOp>(
            [](auto constant) { return isa<IntegerAttr>(constant.getValue()); })
        .Default(false);
  }

  Value constant(Location loc, int64_t value) {
    return arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(value));
  }

  Value byteOf(Value narrow) {
    if (isOwn(narrow))
      return bytes.lookup(narrow);
    IntegerAttr number;
    matchPattern(narrow, m_Constant(&number));
    return constant(narrow.getLoc(), number.getValue().getSExtValue());
  }

  void widen(Operation *op) {
    b.setInsertionPoint(op);
    Location loc = op->getLoc();
    Value result = op->getResult(0);
    if (auto ext = dyn_cast<arith::ExtSIOp>(op)) {
      Value byte = byteOf(ext.getIn());
      if (!result.getType().isInteger(8))
        byte = arith::ExtSIOp::create(b, loc, result.getType(), byte);
      result.replaceAllUsesWith(byte);
      return;
    }
    if (auto trunc = dyn_cast<arith::TruncIOp>(op)) {
      bytes[result] = ofByte(trunc);
      return;
    }
    if (auto number = dyn_cast<arith::ConstantOp>(op)) {
      auto code = cast<IntegerAttr>(number.getValue());
      bytes[result] = constant(loc, code.getValue().getSExtValue());
      return;
    }
    IRMapping map;
    for (Value operand : op->getOperands())
      if (isNarrow(operand.getType()))
        map.map(operand, byteOf(operand));
    Operation *wide = b.clone(*op, map);
    Value byte = wide->getResult(0);
    if (!isNarrow(result.getType())) {
      result.replaceAllUsesWith(byte);
      return;
    }
    byte.setType(b.getI8Type());
    if (!isa<arith::MaxSIOp, arith::MinSIOp>(op)) {
      int64_t most = int64_t(1)
                     << (result.getType().getIntOrFloatBitWidth() - 1);
      byte = arith::MaxSIOp::create(b, loc, byte, constant(loc, -most));
      byte = arith::MinSIOp::create(b, loc, byte, constant(loc, most - 1));
    }
    bytes[result] = byte;
  }

  /// The code in the low bits of a byte, as a byte.
  Value ofByte(arith::TruncIOp trunc) {
    auto argument = dyn_cast<BlockArgument>(trunc.getIn());
    if (argument && argument.getOwner() == generic.getBlock() &&
        isExtended(generic->getOperand(argument.getArgNumber())))
      return argument;
    unsigned free = 8 - trunc.getType().getIntOrFloatBitWidth();
    Value amount = constant(trunc.getLoc(), free);
    Value high =
        arith::ShLIOp::create(b, trunc.getLoc(), trunc.getIn(), amount);
    return arith::ShRSIOp::create(b, trunc.getLoc(), high, amount);
  }

  linalg::GenericOp generic;
  llvm::function_ref<bool(Value)> isExtended;
  OpBuilder b;
  /// By narrow value.
  llvm::DenseMap<Value, Value> bytes;
};

} // namespace

void widenPayload(linalg::GenericOp op,
                  llvm::function_ref<bool(Value)> isExtended) {
  Widening(op, isExtended).run();
}

bool isCopy(linalg::GenericOp op) {
  return op->getNumOperands() == 2 && op->getNumResults() == 1 &&
         op.getNumParallelLoops() == op.getNumLoops() &&
         llvm::all_of(op.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isIdentity(); }) &&
         op->getOperand(0).getType() == op->getResult(0).getType() &&
         op.getBlock()->getTerminator()->getOperand(0) ==
             op.getBlock()->getArgument(0);
}

} // namespace qdialect
