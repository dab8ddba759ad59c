// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Marks each activation that a recipe quantizes:
//
//   %y = linalg.conv_2d_nhwc_hwcf ...       %y = ...
//   %z = linalg.generic (bias, relu) %y     %z = linalg.generic %y
//                                           %o = qd.observe %z "relu1"
//
// Observed are the result of each unit (QuantizableUnits.h) and what each unit
// reads, at its source: max pools, reshapes, transposes, slices and pads keep
// the grid, so nothing stands behind them.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/PTQ/Recipe.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"
#include "QuantizableUnits.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

#define DEBUG_TYPE "qd-insert-observers"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_INSERTOBSERVERSPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

/// Are the numbers those of codes, perhaps rearranged?
bool readsDequantized(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<qd::DequantizeOp>(op))
      return true;
    if (!keepsGrid(op))
      break;
    value = op->getOperand(0);
  }
  return false;
}

/// Has somebody quantized an activation or a weight of this program already?
bool isQuantized(func::FuncOp function) {
  for (Operation &op : function.getBody().front()) {
    if (auto quantize = dyn_cast<qd::QuantizeOp>(op))
      if (!isComputedFromConstants(quantize.getInput()))
        return true;
    if (isa<qd::ChooseParamsOp>(op))
      return true;
    auto contraction = dyn_cast<linalg::LinalgOp>(op);
    std::optional<ContractionStructure> s;
    if (contraction && (s = getContractionStructure(contraction)) &&
        (getElementTypeOrSelf(op.getResult(0).getType()).isInteger() ||
         readsDequantized(op.getOperand(s->weightOperand))))
      return true;
  }
  return false;
}

struct InsertObservers : impl::InsertObserversPassBase<InsertObservers> {
  using InsertObserversPassBase::InsertObserversPassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    llvm::Expected<Recipe> loaded = Recipe::load(recipe);
    if (!loaded) {
      function.emitError() << llvm::toString(loaded.takeError());
      return signalPassFailure();
    }
    // A model that comes with its own casts keeps them.
    if (isQuantized(function))
      return;
    if (!function.getOps<qd::ObserveOp>().empty()) {
      function.emitError() << "has observers already";
      return signalPassFailure();
    }
    function->setAttr(kProgramAttr,
                      StringAttr::get(&getContext(), programDigest(function)));
    llvm::SetVector<Value> values;
    for (const QuantizableUnit &unit : collectUnits(function)) {
      if (loaded->layer(unit.names(), unit.kind).keepFloat) {
        ++numKeptFloat;
        continue;
      }
      for (Value input : unit.inputs)
        if (Value source = gridSource(input); !isComputedFromConstants(source))
          values.insert(source);
      values.insert(unit.result());
    }
    for (Value value : values)
      observe(value);
  }

  void observe(Value value) {
    OpBuilder builder(&getContext());
    builder.setInsertionPointAfterValue(value);
    auto op = qd::ObserveOp::create(builder, value.getLoc(), value.getType(),
                                    value, uniqueName(value));
    // Sizes are asked of the value itself.
    value.replaceUsesWithIf(op.getResult(), [&](OpOperand &use) {
      return use.getOwner() != op && !isa<tensor::DimOp>(use.getOwner());
    });
    ++numObserved;
  }

  /// The name of `value`, or of what a reshape that alone reads it makes of it:
  /// importers name the last op of a node.
  static StringRef nearestName(Value value) {
    StringRef name = valueName(value);
    while (name.empty() && value.hasOneUse()) {
      Operation *user = *value.getUsers().begin();
      if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(user))
        break;
      value = user->getResult(0);
      name = valueName(value);
    }
    return name;
  }

  std::string uniqueName(Value value) {
    std::string base = nearestName(value).str();
    if (base.empty())
      base = "value" + std::to_string(nextNumber++);
    std::string name = base;
    for (unsigned i = 2; !names.insert(name).second; ++i)
      name = base + "#" + std::to_string(i);
    return name;
  }

  llvm::StringSet<> names;
  unsigned nextNumber = 0;
};

} // namespace
} // namespace qdialect
