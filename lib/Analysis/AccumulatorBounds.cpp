// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds of integer accumulators from constant weights; see the header.

#include "QDialect/Analysis/AccumulatorBounds.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/WeightChannels.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace qdialect {
namespace {

unsigned signedWidth(int64_t value) {
  uint64_t magnitude = value < 0 ? ~static_cast<uint64_t>(value) : value;
  return 65 - llvm::countl_zero(magnitude);
}

/// The init's value for channel numbers, from the constant behind a broadcast.
/// Dimensions that are no channel must be absent from it.
std::optional<std::vector<int64_t>>
initPerChannel(Value init, const ContractionStructure &s, int64_t channels) {
  if (std::optional<Attribute> splat = getSplatValue(init)) {
    auto integer = dyn_cast<IntegerAttr>(*splat);
    if (!integer)
      return std::nullopt;
    return std::vector<int64_t>(channels, integer.getValue().getSExtValue());
  }
  auto broadcast = init.getDefiningOp<linalg::GenericOp>();
  if (!isElementwiseGeneric(broadcast) || broadcast.getNumDpsInputs() != 1 ||
      broadcast.getBlock()->getTerminator()->getOperand(0) !=
          broadcast.getBlock()->getArgument(0))
    return std::nullopt;
  std::optional<ConstantView> view = constantView(broadcast.getDpsInputs()[0]);
  if (!view || view->numElements() != channels)
    return std::nullopt;
  SmallVector<unsigned> expected;
  for (unsigned loop : channelLoops(s))
    expected.push_back(*s.outputDim(loop));
  AffineMap map =
      broadcast.getMatchingIndexingMap(broadcast.getDpsInputOperand(0));
  SmallVector<unsigned> actual;
  for (AffineExpr expr : map.getResults())
    actual.push_back(cast<AffineDimExpr>(expr).getPosition());
  if (actual != expected)
    return std::nullopt;
  std::vector<int64_t> values(channels);
  for (int64_t i = 0; i < channels; ++i)
    values[i] = view->integer(i);
  return values;
}

} // namespace

CodeInterval getCodeRange(Operation *contraction) {
  auto range =
      contraction->getAttrOfType<DenseI64ArrayAttr>(qd::kCodeRangeAttr);
  return range && range.size() == 2 ? CodeInterval{range[0], range[1]}
                                    : CodeInterval();
}

unsigned AccumulatorBound::width() const {
  return std::max({signedWidth(low), signedWidth(high), signedWidth(partialLow),
                   signedWidth(partialHigh)});
}

void AccumulatorBound::merge(const AccumulatorBound &other) {
  low = std::min(low, other.low);
  high = std::max(high, other.high);
  partialLow = std::min(partialLow, other.partialLow);
  partialHigh = std::max(partialHigh, other.partialHigh);
}

AccumulatorBound boundAccumulator(const WeightSums &weights,
                                  CodeInterval activation, int64_t init) {
  AccumulatorBound bound;
  bound.high = init + weights.positive * activation.max +
               weights.negative * activation.min;
  bound.low = init + weights.positive * activation.min +
              weights.negative * activation.max;
  int64_t top = std::max<int64_t>(activation.max, 0);
  int64_t bottom = std::min<int64_t>(activation.min, 0);
  bound.partialHigh = std::max<int64_t>(init, 0) + weights.positive * top +
                      weights.negative * bottom;
  bound.partialLow = std::min<int64_t>(init, 0) + weights.positive * bottom +
                     weights.negative * top;
  return bound;
}

template <typename T>
static std::vector<WeightSums> sumOf(const ContractionStructure &s,
                                     ArrayRef<int64_t> shape,
                                     ArrayRef<T> weights) {
  std::vector<WeightSums> sums(s.numOutputChannels());
  forEachWeight(
      shape, weightChannelStrides(s), [&](int64_t element, int64_t channel) {
        int64_t w = weights[element];
        sums[channel].sum += w;
        (w > 0 ? sums[channel].positive : sums[channel].negative) += w;
      });
  return sums;
}

std::vector<WeightSums> sumWeights(const ContractionStructure &s,
                                   ArrayRef<int64_t> shape,
                                   ArrayRef<int8_t> weights) {
  return sumOf(s, shape, weights);
}

std::vector<WeightSums> sumWeights(const ContractionStructure &s,
                                   ArrayRef<int64_t> shape,
                                   ArrayRef<int16_t> weights) {
  return sumOf(s, shape, weights);
}

/// Constant weights: each channel has its own bound.
static std::optional<AccumulatorBound>
boundContraction(linalg::LinalgOp op, const ContractionStructure &s) {
  if (!s.hasStaticWeights() || s.activationZeroPoint || s.weightZeroPoint)
    return std::nullopt;
  std::optional<ConstantView> view =
      constantView(op->getOperand(s.weightOperand));
  std::optional<CodeInterval> activation =
      findCodeInterval(op->getOperand(s.activationOperand));
  if (!view || view->dtype != DType::I8 || !activation)
    return std::nullopt;
  HostTensor weights = view->toHostTensor();
  std::vector<WeightSums> sums =
      sumWeights(s, view->type.getShape(),
                 ArrayRef<int8_t>(weights.data<int8_t>(), weights.size()));
  std::optional<std::vector<int64_t>> init =
      initPerChannel(op.getDpsInits()[0], s, sums.size());
  if (!init || sums.empty())
    return std::nullopt;
  AccumulatorBound bound = boundAccumulator(sums[0], *activation, (*init)[0]);
  for (size_t channel = 1; channel < sums.size(); ++channel)
    bound.merge(boundAccumulator(sums[channel], *activation, (*init)[channel]));
  return bound;
}

/// The same interval for each of the terms that op sums.
static std::optional<AccumulatorBound> boundTerms(linalg::LinalgOp op,
                                                  CodeInterval term) {
  int64_t terms = 1;
  for (auto [size, kind] :
       llvm::zip_equal(op.getStaticLoopRanges(), op.getIteratorTypesArray())) {
    if (kind != utils::IteratorType::reduction)
      continue;
    if (ShapedType::isDynamic(size) || llvm::MulOverflow(terms, size, terms))
      return std::nullopt;
  }
  std::optional<Attribute> fill = getSplatValue(op.getDpsInits()[0]);
  auto init = fill ? dyn_cast<IntegerAttr>(*fill) : IntegerAttr();
  // Codes have 16 bits at most, so that 2^30 of their products fit.
  if (!init || terms > (int64_t{1} << 30))
    return std::nullopt;
  return boundAccumulator({terms, terms, 0}, term,
                          init.getValue().getSExtValue());
}

/// Products of two activations, each minus its zero point.
static std::optional<AccumulatorBound>
boundProducts(linalg::LinalgOp op, const ContractionStructure &s) {
  std::optional<CodeInterval> a = findCodeInterval(
                                  op->getOperand(s.activationOperand)),
                              b = findCodeInterval(
                                  op->getOperand(s.weightOperand));
  if (!a || !b)
    return std::nullopt;
  int64_t left[] = {a->min - s.activationZeroPoint,
                    a->max - s.activationZeroPoint};
  int64_t right[] = {b->min - s.weightZeroPoint, b->max - s.weightZeroPoint};
  CodeInterval term{left[0] * right[0], left[0] * right[0]};
  for (int64_t x : left)
    for (int64_t y : right)
      term.merge({x * y, x * y});
  return boundTerms(op, term);
}

std::optional<AccumulatorBound> computeAccumulatorBound(linalg::LinalgOp op) {
  bool isUnsigned = false;
  op->walk([&](arith::ExtUIOp) { isUnsigned = true; });
  if (isUnsigned || !getElementTypeOrSelf(op->getResult(0)).isInteger())
    return std::nullopt;
  if (std::optional<ContractionStructure> s = getContractionStructure(op))
    return s->weightIsConstant ? boundContraction(op, *s)
                               : boundProducts(op, *s);
  if (getReductionKind(op) != ReductionKind::Sum)
    return std::nullopt;
  std::optional<CodeInterval> codes = findCodeInterval(op->getOperand(0));
  return codes ? boundTerms(op, *codes) : std::nullopt;
}

} // namespace qdialect
