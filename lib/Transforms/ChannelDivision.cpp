// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Divisions by channel in front of observers (ChannelDivision.h).

#include "ChannelDivision.h"
#include "PerChannel.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Support/ConstantView.h"
#include "QuantizableUnits.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect {

void divideChannels(qd::ObserveOp observe, ArrayRef<float> factors) {
  OpBuilder builder(observe);
  Value x = observe.getInput();
  int64_t last = cast<RankedTensorType>(x.getType()).getRank() - 1;
  ChannelDims channels{{last}, {static_cast<int64_t>(factors.size())}};
  observe.getInputMutable().assign(
      applyPerChannel<arith::DivFOp>(builder, observe.getLoc(), x, channels,
                                     factors, "channel_factors")
          .getResult(0));
}

/// The constants of `op` if it is x / constants, one for each index of the
/// innermost dimension; x is operand 0.
static std::optional<ConstantView> matchDivision(linalg::GenericOp op) {
  if (!op || !isElementwiseGeneric(op) || op.getNumDpsInputs() != 2)
    return std::nullopt;
  auto division = op.getBlock()
                      ->getTerminator()
                      ->getOperand(0)
                      .getDefiningOp<arith::DivFOp>();
  if (!division || division.getLhs() != op.getBlock()->getArgument(0) ||
      division.getRhs() != op.getBlock()->getArgument(1))
    return std::nullopt;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(1));
  unsigned loops = op.getNumLoops();
  if (loops == 0 || map.getNumResults() != 1 ||
      map.getResult(0) != getAffineDimExpr(loops - 1, op.getContext()) ||
      !op.getMatchingIndexingMap(op.getDpsInputOperand(0)).isIdentity())
    return std::nullopt;
  std::optional<ConstantView> factors = constantView(op.getDpsInputs()[1]);
  return factors && factors->dtype == DType::F32 ? factors : std::nullopt;
}

llvm::DenseMap<Operation *, std::vector<float>>
takeDivisions(func::FuncOp function) {
  llvm::DenseMap<Operation *, std::vector<float>> result;
  function.walk([&](qd::ObserveOp observe) {
    auto op = observe.getInput().getDefiningOp<linalg::GenericOp>();
    std::optional<ConstantView> factors = matchDivision(op);
    if (!factors || !op->hasOneUse())
      return;
    Value x = op.getDpsInputs()[0];
    // A division of codes is a layer like others.
    if (gridSource(x).getDefiningOp<qd::ObserveOp>())
      return;
    std::vector<float> &taken = result[observe];
    for (int64_t i = 0, e = factors->numElements(); i < e; ++i)
      taken.push_back(factors->get<float>(i));
    observe.getInputMutable().assign(x);
    Operation *constant = op.getDpsInputs()[1].getDefiningOp();
    op->erase();
    if (constant->use_empty())
      constant->erase();
  });
  return result;
}

} // namespace qdialect
