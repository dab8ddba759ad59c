// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Intervals of codes from the program; see the header.

#include "QDialect/Analysis/CodeIntervals.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/Padding.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {
namespace {

using Interval = std::optional<CodeInterval>;

Interval intervalOf(Type type) {
  std::optional<Format> format = qd::getFormat(getElementTypeOrSelf(type));
  if (!format || !format->isInteger())
    return std::nullopt;
  return CodeInterval{static_cast<int64_t>(format->minFinite()),
                      static_cast<int64_t>(format->maxFinite())};
}

bool makesCodes(Operation *op) {
  return isa<qd::QuantizeOp, qd::RequantizeOp, qd::RescaleOp>(op);
}

/// The codes of a constant table. Its type may be wider: narrow codes are kept
/// in bytes.
Interval intervalOfTable(Value table) {
  std::optional<ConstantView> view = constantView(table);
  if (!view || view->numElements() == 0 ||
      !view->type.getElementType().isSignlessInteger())
    return std::nullopt;
  CodeInterval codes{view->integer(0), view->integer(0)};
  for (int64_t i = 1; i < view->numElements(); ++i)
    codes.merge({view->integer(i), view->integer(i)});
  return codes;
}

/// A scalar of a payload, of whose arguments the types are known.
Interval intervalOfScalar(Value scalar) {
  Operation *op = scalar.getDefiningOp();
  if (!op)
    return intervalOf(scalar.getType());
  auto ofInput = [&]() { return intervalOfScalar(op->getOperand(0)); };
  return llvm::TypeSwitch<Operation *, Interval>(op)
      .Case([&](arith::ExtSIOp) { return ofInput(); })
      // The clamp of an activation, or of narrow codes in bytes.
      .Case<arith::MaxSIOp, arith::MinSIOp>([&](Operation *clamp) -> Interval {
        Interval codes = ofInput();
        APInt end;
        if (!codes || !matchPattern(clamp->getOperand(1), m_ConstantInt(&end)))
          return codes;
        bool isLow = isa<arith::MaxSIOp>(clamp);
        auto cut = [&](int64_t code) {
          return isLow ? std::max(code, end.getSExtValue())
                       : std::min(code, end.getSExtValue());
        };
        return CodeInterval{cut(codes->min), cut(codes->max)};
      })
      .Case([](qd::LookupOp lookup) {
        return intervalOfTable(lookup.getTable());
      })
      .Case([&](arith::TruncIOp trunc) -> Interval {
        Interval whole = intervalOf(trunc.getType()), input = ofInput();
        bool fits = whole && input && input->min >= whole->min &&
                    input->max <= whole->max;
        return fits ? input : whole;
      })
      .Case([&](arith::ShRSIOp shift) -> Interval {
        Interval input = ofInput();
        APInt bits;
        if (!input || !matchPattern(shift.getRhs(), m_ConstantInt(&bits)) ||
            bits.uge(16))
          return std::nullopt;
        return CodeInterval{input->min >> bits.getZExtValue(),
                            input->max >> bits.getZExtValue()};
      })
      .Case([&](arith::XOrIOp) { return intervalOf(scalar.getType()); })
      .Default([&](Operation *other) {
        return makesCodes(other) ? intervalOf(scalar.getType()) : std::nullopt;
      });
}

Interval intervalOfPad(tensor::PadOp pad) {
  std::optional<Padding> padding = getPadding(pad);
  Interval result = findCodeInterval(pad.getSource());
  if (!padding || !result)
    return std::nullopt;
  auto include = [&](int64_t code) { result->merge({code, code}); };
  if (!padding->isUniform()) {
    for (int64_t i = 0; i < padding->values->numElements(); ++i)
      include(padding->values->integer(i));
    return result;
  }
  auto code = dyn_cast<IntegerAttr>(padding->value);
  if (!code)
    return std::nullopt;
  include(code.getValue().getSExtValue());
  return result;
}

Interval intervalOfArgument(BlockArgument argument) {
  Operation *parent = argument.getOwner()->getParentOp();
  if (auto dispatch = dyn_cast<qd::DispatchOp>(parent))
    return findCodeInterval(dispatch.getInputs()[argument.getArgNumber()]);
  // Narrow codes of the model's own inputs are bytes that qd.codes explains.
  if (auto function = dyn_cast<func::FuncOp>(parent))
    return function.getArgAttr(argument.getArgNumber(), qd::kCodesAttr)
               ? std::nullopt
               : intervalOf(argument.getType());
  return std::nullopt; // carried by a loop
}

} // namespace

Interval findCodeInterval(Value tensor) {
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return intervalOfArgument(argument);
  auto result = cast<OpResult>(tensor);
  Operation *op = result.getOwner();
  if (makesCodes(op))
    return intervalOf(tensor.getType());
  if (auto lookup = dyn_cast<qd::LookupOp>(op))
    return intervalOfTable(lookup.getTable());
  if (isCopy(op))
    return findCodeInterval(op->getOperand(0));
  if (isElementwiseGeneric(op))
    return intervalOfScalar(
        op->getRegion(0).front().getTerminator()->getOperand(
            result.getResultNumber()));
  return llvm::TypeSwitch<Operation *, Interval>(op)
      .Case<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
            tensor::ExtractSliceOp, linalg::TransposeOp, linalg::BroadcastOp>(
          [](Operation *view) { return findCodeInterval(view->getOperand(0)); })
      .Case([](tensor::PadOp pad) { return intervalOfPad(pad); })
      .Case([](tensor::ConcatOp concat) {
        Interval all = findCodeInterval(concat.getInputs()[0]);
        for (Value input : concat.getInputs().drop_front()) {
          Interval one = findCodeInterval(input);
          if (!all || !one)
            return Interval();
          all->merge(*one);
        }
        return all;
      })
      .Case([&](qd::DispatchOp dispatch) {
        return findCodeInterval(
            dispatch.getBody().front().getTerminator()->getOperand(
                result.getResultNumber()));
      })
      .Default([](Operation *) { return std::nullopt; });
}

} // namespace qdialect
