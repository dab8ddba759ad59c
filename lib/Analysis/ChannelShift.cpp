// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who reads the channels of a value, for shifts (ChannelShift.h).

#include "QDialect/Analysis/ChannelShift.h"
#include "ChannelFlow.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {

/// Is f(x - c) = f(x) - c, where channels stay whole? (followMove says where.)
static bool letsShiftsPass(Operation *op) {
  if (isa<tensor::PadOp>(op)) {
    auto padding = dyn_cast_or_null<FloatAttr>(getConstantPadding(op));
    return padding && padding.getValue().isInfinity();
  }
  if (std::optional<ReductionKind> kind = getReductionKind(op))
    return *kind != ReductionKind::Sum;
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
             tensor::ExtractSliceOp, linalg::TransposeOp>(op);
}

/// The weights that `use` multiplies the channels by.
static std::optional<ChannelConstant> weightsOf(OpOperand &use,
                                                const ContractionStructure &s,
                                                const ChannelDims &channels) {
  auto op = cast<linalg::LinalgOp>(use.getOwner());
  if (!s.weightIsConstant || use.getOperandNumber() != s.activationOperand ||
      !getOutputChannels(s))
    return std::nullopt;
  std::optional<ChannelDims> inWeight =
      follow(channels, s.activationMap, s.weightMap);
  if (!inWeight)
    return std::nullopt;
  return channelConstant(*op.getDpsInputOperand(s.weightOperand), *inWeight);
}

static bool collectReaders(Value value, const ChannelDims &channels,
                           SmallVector<ChannelConstant, 2> &readers) {
  for (OpOperand &use : value.getUses()) {
    Operation *op = use.getOwner();
    if (isa<tensor::DimOp>(op))
      continue;
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
      if (auto structure = getContractionStructure(linalgOp)) {
        std::optional<ChannelConstant> weights =
            weightsOf(use, *structure, channels);
        if (!weights)
          return false;
        readers.push_back(*weights);
        continue;
      }
    if (use.getOperandNumber() != 0 || !letsShiftsPass(op))
      return false;
    std::optional<ChannelDims> after =
        followMove(op, channels, /*forwards=*/true);
    if (!after || !collectReaders(op->getResult(0), *after, readers))
      return false;
  }
  return true;
}

std::optional<SmallVector<ChannelConstant, 2>>
findShiftReaders(Value value, const ChannelDims &channels) {
  SmallVector<ChannelConstant, 2> readers;
  if (!collectReaders(value, channels, readers) || readers.empty())
    return std::nullopt;
  return readers;
}

void forEachProduct(const ChannelConstant &reader,
                    llvm::function_ref<void(int64_t, int64_t, int64_t)> visit) {
  auto op = cast<linalg::LinalgOp>(reader.operand->getOwner());
  ContractionStructure structure = *getContractionStructure(op);
  auto type = cast<RankedTensorType>(reader.operand->get().getType());
  std::vector<int64_t> outputs(type.getNumElements());
  forEachWeight(
      type.getShape(), weightChannelStrides(structure),
      [&](int64_t element, int64_t output) { outputs[element] = output; });
  reader.forEach([&](int64_t element, int64_t channel) {
    visit(element, channel, outputs[element]);
  });
}

} // namespace qdialect
