// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Channels of a matrix product that stay floats; see the header.

#include "SplitOutliers.h"

#include "PerChannel.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "QuantizationPlan.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect {

/// Channels that one op adds: a kernel holds the factors of an op in registers.
static constexpr size_t kChannelsOfStep = 8;

OpOperand &activationOf(const QuantizableUnit &unit) {
  return *cast<linalg::LinalgOp>(unit.root).getDpsInputOperand(
      unit.contraction->activationOperand);
}

static OpOperand &weightOf(const QuantizableUnit &unit) {
  return *cast<linalg::LinalgOp>(unit.root).getDpsInputOperand(
      unit.contraction->weightOperand);
}

bool canSplitOutliers(const QuantizableUnit &unit) {
  if (!isMatrixProduct(unit))
    return false;
  const ContractionStructure &s = *unit.contraction;
  Value weight = weightOf(unit).get();
  std::optional<ConstantView> view = constantView(weight);
  return weight.getDefiningOp<arith::ConstantOp>() && view &&
         view->dtype == DType::F32 && s.outputChannel.size() == 1 &&
         getOutputChannels(s) &&
         s.activationDim(s.inputChannel[0]) ==
             s.activationMap.getNumResults() - 1 &&
         getElementTypeOrSelf(activationOf(unit).get().getType()).isF32();
}

/// Takes the weights of `channels` out of the unit's: a row each.
static Value takeRows(const QuantizableUnit &unit, ArrayRef<int64_t> channels) {
  const ContractionStructure &s = *unit.contraction;
  OpOperand &operand = weightOf(unit);
  auto type = cast<RankedTensorType>(operand.get().getType());
  unsigned depthDim = *s.weightDim(s.inputChannel[0]);
  int64_t columns = type.getDimSize(1 - depthDim);
  int64_t depthStride = depthDim == 0 ? columns : 1,
          columnStride = depthDim == 0 ? 1 : type.getDimSize(1);
  HostTensor weights = constantView(operand.get())->toHostTensor();
  auto count = static_cast<int64_t>(channels.size());
  HostTensor rows(DType::F32, {count, columns});
  for (auto [row, channel] : llvm::enumerate(channels))
    for (int64_t n = 0; n < columns; ++n) {
      float &weight =
          weights
              .mutableData<float>()[channel * depthStride + n * columnStride];
      rows.mutableData<float>()[row * columns + n] = weight;
      // Seeded fault 205: outliers count twice.
      if (QDIALECT_MUTATE != 205)
        weight = 0;
    }
  OpBuilder builder(unit.root);
  Location loc = operand.get().getLoc();
  operand.set(makeConstant(builder, loc, type, "weight", std::move(weights)));
  return makeConstant(
      builder, loc,
      RankedTensorType::get({count, columns}, builder.getF32Type()),
      "outlier_weights", std::move(rows));
}

void splitOutliers(const QuantizableUnit &unit, ArrayRef<int64_t> channels) {
  const ContractionStructure &s = *unit.contraction;
  Value x = activationOf(unit).get(), rows = takeRows(unit, channels);
  OpBuilder builder(unit.root->getContext());
  builder.setInsertionPointAfter(unit.root);
  Location loc = unit.root->getLoc();
  Value product = unit.root->getResult(0), sum = product;
  Value init = makeEmptyLike(builder, loc, product, builder.getF32Type());
  unsigned rank = s.outputMap.getNumResults();
  AffineMap identity = builder.getMultiDimIdentityMap(rank);
  AffineExpr column =
      builder.getAffineDimExpr(*s.outputDim(s.outputChannel[0]));
  auto mapOfX = [&](int64_t channel) {
    SmallVector<AffineExpr> exprs;
    for (AffineExpr expr : s.activationMap.getResults()) {
      unsigned loop = cast<AffineDimExpr>(expr).getPosition();
      exprs.push_back(loop == s.inputChannel[0]
                          ? builder.getAffineConstantExpr(channel)
                          : builder.getAffineDimExpr(*s.outputDim(loop)));
    }
    return AffineMap::get(rank, 0, exprs, builder.getContext());
  };
  Operation *first = nullptr;
  for (size_t from = 0; from < channels.size(); from += kChannelsOfStep) {
    SmallVector<Value> inputs{sum};
    SmallVector<AffineMap> maps{identity};
    for (size_t i = from; i < std::min(channels.size(), from + kChannelsOfStep);
         ++i) {
      inputs.append({x, rows});
      maps.push_back(mapOfX(channels[i]));
      maps.push_back(AffineMap::get(
          rank, 0,
          {builder.getAffineConstantExpr(static_cast<int64_t>(i)), column},
          builder.getContext()));
    }
    maps.push_back(identity);
    auto add = linalg::GenericOp::create(
        builder, loc, TypeRange{product.getType()}, inputs,
        mlir::ValueRange{init}, maps,
        SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
        [](OpBuilder &b, Location at, mlir::ValueRange args) {
          Value total = args[0];
          for (size_t i = 1; i + 1 < args.size(); i += 2)
            total = arith::AddFOp::create(
                b, at, total,
                arith::MulFOp::create(b, at, args[i], args[i + 1]));
          linalg::YieldOp::create(b, at, total);
        });
    if (Attribute name = unit.root->getAttr(qd::kNameAttr))
      add->setAttr(qd::kNameAttr, name);
    if (!first)
      first = add;
    sum = add->getResult(0);
  }
  first->setAttr(qd::kOutliersAttr, builder.getI64IntegerAttr(channels.size()));
  product.replaceAllUsesExcept(sum, first);
}

Value hideChannels(Value x, ArrayRef<int64_t> channels) {
  auto type = cast<RankedTensorType>(x.getType());
  int64_t last = type.getRank() - 1, count = type.getDimSize(last);
  std::vector<float> factors(count, 1);
  for (int64_t channel : channels)
    factors[channel] = 0;
  OpBuilder builder(x.getContext());
  builder.setInsertionPointAfterValue(x);
  // Zero times what is not finite is no number, which no scale counts.
  return applyPerChannel<arith::MulFOp>(builder, x.getLoc(), x,
                                        ChannelDims{{last}, {count}}, factors,
                                        "outlier_mask")
      .getResult(0);
}

} // namespace qdialect
