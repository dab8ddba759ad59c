// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-verify-integer-only: floats stand at the edges of the program or nowhere.
//
//   argument -> (moves) -> qd.quantize -> integers -> qd.dequantize -> (moves)
//            -> result

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/LayerName.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace qdialect {
#define GEN_PASS_DEF_VERIFYINTEGERONLYPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;

namespace qdialect {
namespace {

bool isFloat(Type type) { return isa<FloatType>(getElementTypeOrSelf(type)); }
bool isFloatValue(Value value) { return isFloat(value.getType()); }

/// Moves numbers, or changes how precisely they are stored.
bool isMove(Operation *op) {
  return isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp,
             tensor::ExtractSliceOp, linalg::TransposeOp>(op) ||
         isFloatConversion(op);
}

class EdgeChecker {
public:
  /// Made of an argument of the function by moves alone?
  static bool comesIn(Value value) {
    while (Operation *op = value.getDefiningOp()) {
      if (!isMove(op))
        return false;
      value = op->getOperand(0);
    }
    return isa<func::FuncOp>(value.getParentBlock()->getParentOp());
  }

  /// Read by nobody but moves to results of the function, and for its size?
  static bool goesOut(Value value) {
    return llvm::all_of(value.getUsers(), [](Operation *user) {
      return isa<func::ReturnOp, tensor::DimOp>(user) ||
             (isMove(user) && goesOut(user->getResult(0)));
    });
  }

  /// Whether `op` (and what is inside) is no float computation between edges.
  static bool isAllowed(Operation *op) {
    if (op->hasTrait<OpTrait::ConstantLike>() ||
        isa<func::ReturnOp, tensor::EmptyOp, tensor::DimOp>(op))
      return true;
    if (isa<qd::QuantizeOp>(op))
      return comesIn(op->getOperand(0));
    if (isa<qd::DequantizeOp>(op))
      return goesOut(op->getResult(0));
    return isMove(op) &&
           (comesIn(op->getOperand(0)) || goesOut(op->getResult(0)));
  }
};

struct VerifyIntegerOnlyPass
    : impl::VerifyIntegerOnlyPassBase<VerifyIntegerOnlyPass> {
  using VerifyIntegerOnlyPassBase::VerifyIntegerOnlyPassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function->hasAttr(qd::kIntegerOnlyAttr) || function.isExternal())
      return;
    function.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
      bool computes = llvm::any_of(op->getOperands(), isFloatValue) ||
                      llvm::any_of(op->getResults(), isFloatValue);
      if (!computes)
        return WalkResult::advance(); // its payload may
      if (!EdgeChecker::isAllowed(op)) {
        complain(op);
        signalPassFailure();
      }
      return WalkResult::skip();
    });
  }

private:
  static void complain(Operation *op) {
    InFlightDiagnostic error = op->emitError("layer '");
    error << layerName(op) << "' computes in floats by '" << op->getName()
          << "', and the recipe wants integers alone";
    if (auto reason = op->getAttrOfType<StringAttr>(qd::kFallbackAttr))
      error << ": " << reason.getValue();
  }
};

} // namespace
} // namespace qdialect
