// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-lower-alphabets: element types that LLVM does not know, floats of at most
// 8 bits among them, become the integer that stores a code, everywhere at once:
//
//   memref<4x!qd.uint<8>>  ->  memref<4xi8>
//
// No conversion patterns are needed: types are replaced inside all types and
// attributes, then the storage casts whose two types became equal vanish. What
// an op means must not depend on the types that go: those that compute with
// codes or small floats are refused before anything changes.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/AttrTypeSubElements.h"

namespace qdialect {
#define GEN_PASS_DEF_LOWERALPHABETSPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;

namespace {

bool isSmallFloat(Type type) {
  auto real = dyn_cast<FloatType>(type);
  return real && real.getWidth() <= 8;
}

/// The numbers of a constant of small floats as their bits; null for any other
/// attribute. Replacing its type alone would make an integer of the value.
Attribute bitsOfConstant(Attribute value) {
  if (auto real = dyn_cast<FloatAttr>(value))
    if (isSmallFloat(real.getType()))
      return IntegerAttr::get(qd::getStorageType(real.getType()),
                              real.getValue().bitcastToAPInt());
  if (auto dense = dyn_cast<DenseFPElementsAttr>(value))
    if (isSmallFloat(dense.getElementType()))
      return dense.bitcast(qd::getStorageType(dense.getElementType()));
  return {};
}

struct LowerAlphabetsPass
    : qdialect::impl::LowerAlphabetsPassBase<LowerAlphabetsPass> {
  /// Small floats are alphabets where qd is loaded.
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<qd::QDDialect>();
  }

  void runOnOperation() override {
    AttrTypeReplacer replacer;
    replacer.addReplacement([](Type type) -> std::optional<Type> {
      if (!isa<qd::QDDialect>(type.getDialect()) && !isSmallFloat(type))
        return std::nullopt;
      Type storage = qd::getStorageType(type);
      return storage ? std::optional<Type>(storage) : std::nullopt;
    });
    replacer.addReplacement(
        [](Attribute value) -> std::optional<std::pair<Attribute, WalkResult>> {
          if (Attribute bits = bitsOfConstant(value))
            return std::make_pair(bits, WalkResult::skip());
          return std::nullopt;
        });
    WalkResult checked = getOperation()->walk([&](Operation *op) {
      return succeeded(check(op, replacer)) ? WalkResult::advance()
                                            : WalkResult::interrupt();
    });
    if (checked.wasInterrupted())
      return signalPassFailure();
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
    getOperation()->walk([](qd::StorageCastOp cast) {
      if (cast.getInput().getType() != cast.getType())
        return;
      cast.getResult().replaceAllUsesWith(cast.getInput());
      cast.erase();
    });
  }

  /// Is `op` the same on the integers? Ops of qd that only move codes, and
  /// those of other dialects except arithmetic are.
  static LogicalResult check(Operation *op, AttrTypeReplacer &replacer) {
    bool isArithmetic =
        isa_and_nonnull<arith::ArithDialect, math::MathDialect>(
            op->getDialect()) &&
        !isa<arith::ConstantOp, arith::BitcastOp, arith::SelectOp>(op);
    bool isOfCodes =
        isa_and_nonnull<qd::QDDialect>(op->getDialect()) &&
        !isa<qd::StorageCastOp, qd::LookupOp, qd::ObserveOp, qd::DispatchOp,
             qd::YieldOp, qd::AnySizeOp, qd::SizedOp>(op);
    if (!isArithmetic && !isOfCodes)
      return success();
    auto refuse = [&](auto what) {
      return op->emitError("computes with ")
             << what << ", of which only the bits would be left; expand it "
             << "before qd-lower-alphabets";
    };
    for (Type type :
         llvm::concat<const Type>(SmallVector<Type>(op->getOperandTypes()),
                                  SmallVector<Type>(op->getResultTypes())))
      if (replacer.replace(type) != type)
        return refuse(getElementTypeOrSelf(type));
    for (NamedAttribute attribute : op->getAttrs())
      if (replacer.replace(attribute.getValue()) != attribute.getValue())
        return refuse(attribute.getValue());
    return success();
  }
};

} // namespace
