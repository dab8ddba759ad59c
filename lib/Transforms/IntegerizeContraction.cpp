// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Contractions with constant weights, of any structure:
//
//   sum of (q - zx) * sx * w * sw + b
//     = sx * sw * (sum of q * w  +  [ -zx * sum of w + round(b / (sx * sw)) ])
//
// The bracket is a constant per output channel, the init of the i32
// accumulator. Pads are codes by now (the zero point's), so the sum of w is
// over the whole filter everywhere. The accumulator is proven to fit i32 for
// every input, or the layer stays float. Codes of more than 8 bits make two
// sums, of their high and their low bytes (IntegerizeParts.cpp); weights of
// more do, too (IntegerizeWideWeights.cpp).

#include "IntegerizeOffsets.h"
#include "IntegerizeWideWeights.h"
#include "QDialect/Analysis/AccumulatorBounds.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/WeightChannels.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Numerics/Rescale.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;

namespace qdialect {

Coefficient perOutputChannel(const ContractionStructure &s) {
  Coefficient channels;
  for (unsigned loop : channelLoops(s)) {
    channels.dims.push_back(*s.outputDim(loop));
    channels.sizes.push_back(s.loopSizes[loop]);
  }
  return channels;
}

std::optional<Coefficient> toOutputDims(const Coefficient &scale,
                                        const ContractionStructure &s) {
  SmallVector<unsigned> to(s.weightMap.getNumResults(), ~0u);
  for (unsigned loop : channelLoops(s))
    to[*s.weightDim(loop)] = *s.outputDim(loop);
  for (unsigned dim : scale.dims)
    if (to[dim] == ~0u)
      return std::nullopt;
  return scale.renumbered(to);
}

std::optional<CodeGrid> activationGrid(IntegerizeContext &context,
                                       Value activation) {
  auto dequantize = activation.getDefiningOp<qd::DequantizeOp>();
  if (!dequantize) {
    context.reason = "its activation is not quantized";
    return std::nullopt;
  }
  std::string why;
  std::optional<CodeGrid> grid = getGrid(dequantize, &why);
  if (!grid)
    context.reason = "its activation is quantized, but " + why;
  else if (!grid->isInteger()) {
    context.reason =
        "its activation has codes other than integers of 2 to 16 bits";
    return std::nullopt;
  }
  return grid;
}

namespace {

/// One contraction on its way to integers; each step may refuse.
class Rewriter {
public:
  Rewriter(IntegerizeContext &context, linalg::LinalgOp op)
      : context(context), op(op), s(*getContractionStructure(op)) {}

  std::optional<IntegerContraction> run(const Coefficient &factor,
                                        const Coefficient &offset,
                                        const CodeGrid *output);

private:
  bool refuse(const llvm::Twine &why) {
    context.reason = why.str();
    return false;
  }
  bool readActivation();
  bool readOperands();
  bool centerSums();
  bool readScales();
  void dropNegligibleWeights(const Coefficient &offset,
                             const Coefficient &factor, double outputScale);
  void coarsenDeadChannels(const Coefficient &offset);
  bool foldOffset(const Coefficient &bias, const Coefficient &factor,
                  const CodeGrid *output);
  AccumulatorBound boundSums(const Coefficient &init, CodeInterval codes);
  bool proveBound(const Coefficient &factor, bool isRounded);
  bool planBytes(const Coefficient &factor);
  bool joinWide(const Coefficient &factor, bool isRounded,
                const AccumulatorBound &whole);
  void build();

  IntegerizeContext &context;
  linalg::LinalgOp op;
  ContractionStructure s;
  Value codes;   ///< of the activation
  CodeGrid grid; ///< of the activation
  /// In the output's dimensions; the codes count in steps of the scale.
  Coefficient activationScale, activationZero;
  IntegerWeights weights;
  std::vector<WeightSums> sums; ///< per channel, of code - zero point
  /// In the output's dimensions.
  Coefficient weightZero = Coefficient::scalar(0);
  Coefficient channel;     ///< channel numbers in the output's dimensions
  Coefficient init;        ///< of the accumulator, per element of it
  double droppedReach = 0; ///< real value of weights that were dropped
  /// The sums over the codes' bytes, the high ones first.
  struct Part {
    Coefficient init;
    AccumulatorBound bound;
  };
  SmallVector<Part, 2> parts;
  SumJoin how = SumJoin::Exact;
  OffsetRounding offsets;
  WideJoin wide; ///< of weights of more than 8 bits
  IntegerContraction result;
};

/// The activation's codes and grid. Its numbers may vary along what is no
/// summed dimension: the channels of a depthwise convolution.
bool Rewriter::readActivation() {
  Value activation = op->getOperand(s.activationOperand);
  auto dequantize = activation.getDefiningOp<qd::DequantizeOp>();
  SmallVector<unsigned> toOutput(s.loopSizes.size(), ~0u);
  for (unsigned loop : channelLoops(s))
    toOutput[loop] = *s.outputDim(loop);
  std::optional<IndexedGrid> indexed;
  if (dequantize)
    indexed = getIndexedGrid(dequantize, s.activationMap);
  if (!indexed || !indexed->codes.isInteger()) {
    std::optional<CodeGrid> found = activationGrid(context, activation);
    if (!found)
      return false;
    grid = *found;
    activationScale = Coefficient::scalar(grid.scale);
    activationZero = Coefficient::scalar(grid.zeroPoint);
    codes = dequantize.getInput();
    return true;
  }
  for (const Coefficient *numbers : {&indexed->scale, &indexed->zeroPoint})
    for (unsigned loop : numbers->dims)
      if (toOutput[loop] == ~0u)
        return refuse("its activation's grid varies along a summed dimension");
  grid = indexed->codes;
  activationScale = indexed->scale.renumbered(toOutput);
  activationZero = indexed->zeroPoint.renumbered(toOutput);
  codes = dequantize.getInput();
  return true;
}

bool Rewriter::readOperands() {
  if (!s.hasStaticWeights())
    return refuse("its weights have no static shape");
  if (!startsFromZero(op))
    return refuse("its accumulator does not start from zero");
  if (!readActivation())
    return false;
  std::optional<IntegerWeights> read =
      readWeights(context, op->getOperand(s.weightOperand));
  if (!read)
    return false;
  weights = std::move(*read);
  sums = weights.isWide()
             ? sumWeights(s, weights.shape, ArrayRef(weights.wide))
             : sumWeights(s, weights.shape, ArrayRef(weights.codes));
  if (weights.isWide()) {
    offsets.largest = kLargestWideOffset;
    if (s.reductionSize() > kMostWideProducts)
      return refuse("its sums of " + llvm::Twine(s.reductionSize()) +
                    " products of bytes do not fit 32 bits");
  }
  return !weights.zeroPoint || centerSums();
}

/// Sums of weight - zero point, whose bounds hold for those of the codes too.
bool Rewriter::centerSums() {
  std::optional<Coefficient> zero = toOutputDims(*weights.zeroPoint, s);
  if (!zero)
    return refuse("its weight's zero point varies along a summed dimension");
  weightZero = *zero;
  Coefficient channels = perOutputChannel(s);
  std::vector<double> spread =
      zero->spread(channels.dims, channels.sizes).values;
  for (auto [sum, z] : llvm::zip_equal(sums, spread)) {
    auto less = -static_cast<int64_t>(z) * s.reductionSize();
    sum.sum += less;
    (less > 0 ? sum.positive : sum.negative) += less;
  }
  return true;
}

/// The real value of an accumulator step, per channel.
bool Rewriter::readScales() {
  std::optional<Coefficient> weightScale = toOutputDims(weights.scale, s);
  if (!weightScale)
    return refuse("its weight's scale varies along a summed dimension");
  Coefficient channels = perOutputChannel(s);
  channel = channels;
  for (size_t i = 0; i < sums.size(); ++i)
    channel.values.push_back(i);
  auto exact = [](double sx, double sw) { return sx * sw; };
  auto rounded = [](double sx, double sw) -> double {
    return static_cast<float>(sx) * static_cast<float>(sw);
  };
  result.scale = combine(activationScale, *weightScale, exact)
                     .spread(channels.dims, channels.sizes);
  result.scaleF32 = combine(activationScale, *weightScale, rounded)
                        .spread(channels.dims, channels.sizes);
  return true;
}

/// Some quantizers give a channel of almost no weights steps so small that its
/// offset exceeds the accumulator before it reaches one output step. Weights
/// that together stay below a sixteenth of one count as none there.
void Rewriter::dropNegligibleWeights(const Coefficient &offset,
                                     const Coefficient &factor,
                                     double outputScale) {
  if (offset.dims != channel.dims || weights.zeroPoint || weights.isWide() ||
      !llvm::all_of(factor.dims, [&](unsigned dim) {
        return llvm::is_contained(channel.dims, dim);
      }))
    return;
  std::vector<double> factors =
      factor.spread(channel.dims, channel.sizes).values;
  llvm::SmallDenseSet<int64_t> dropped;
  for (size_t i = 0; i < sums.size(); ++i) {
    double step = result.scale.values[i];
    double reach = grid.range() *
                   static_cast<double>(sums[i].positive - sums[i].negative) *
                   step * std::fabs(factors[i]);
    double inOutput = offset.values[i] * factors[i] / outputScale;
    double perStep = step * factors[i] / outputScale;
    if (sums[i].allZero() ||
        std::fabs(offset.values[i]) <= offsets.largest * step ||
        reach > outputScale / 16 ||
        offsets.fitsShifted(OffsetRounding::evenShift(inOutput), inOutput,
                            perStep))
      continue;
    dropped.insert(i);
    droppedReach = std::max(droppedReach, reach);
    sums[i] = {};
  }
  if (dropped.empty())
    return;
  forEachWeight(weights.shape, weightChannelStrides(s),
                [&](int64_t element, int64_t number) {
                  if (dropped.contains(number))
                    weights.codes[element] = 0;
                });
  HostTensor codes(DType::I8, std::vector<int64_t>(weights.shape.begin(),
                                                   weights.shape.end()));
  std::copy(weights.codes.begin(), weights.codes.end(),
            codes.mutableData<int8_t>());
  weights.value = makeConstant(
      context.builder, op.getLoc(),
      RankedTensorType::get(weights.shape, context.builder.getI8Type()),
      "weights", std::move(codes));
}

/// A channel without weights has no natural step: where its offset (the bias
/// before the factor) would not fit take one that it is exact enough in.
void Rewriter::coarsenDeadChannels(const Coefficient &offset) {
  if (offset.dims != channel.dims)
    return; // it varies inside a channel
  for (size_t i = 0; i < sums.size(); ++i)
    if (sums[i].allZero() && std::fabs(offset.values[i]) >
                                 offsets.largest / 64 * result.scale.values[i])
      result.scale.values[i] = result.scaleF32.values[i] =
          static_cast<float>(std::fabs(offset.values[i]) / (1 << 20));
}

/// bias / step, rounded, and -zx * (sum of w): the init.
bool Rewriter::foldOffset(const Coefficient &bias, const Coefficient &factor,
                          const CodeGrid *output) {
  double outputScale = output ? output->scale : 1.0;
  Coefficient step =
      combine(result.scale, factor, [](double a, double b) { return a * b; });
  if (!step.allOf([](double v) { return v != 0 && std::isfinite(v); }))
    return refuse("its accumulator is scaled by zero or overflows");
  Coefficient exact =
      combine(bias, step, [](double b, double size) { return b / size; });
  step = step.spread(exact.dims, exact.sizes);
  channel = channel.spread(exact.dims, exact.sizes);
  std::optional<Offsets> rounded = offsets.round(
      context, exact, step.map([&](double v) { return v / outputScale; }), sums,
      channel, grid, output);
  if (!rounded)
    return false;
  result.lostOffset = combine(rounded->lost, step, std::multiplies<double>());
  result.error = droppedReach;
  init = std::move(rounded->steps);
  if (!rounded->shift.isExactly(0))
    result.zeroShift = std::move(rounded->shift);
  Coefficient zero = activationZero.spread(exact.dims, exact.sizes);
  for (size_t i = 0; i < init.values.size(); ++i)
    // Seeded fault 28: no compensation for the activation's zero point.
    if constexpr (QDIALECT_MUTATE != 28)
      init.values[i] -=
          zero.values[i] *
          static_cast<double>(sums[static_cast<size_t>(channel.values[i])].sum);
  return true;
}

AccumulatorBound Rewriter::boundSums(const Coefficient &init,
                                     CodeInterval codes) {
  AccumulatorBound bound;
  for (size_t i = 0; i < init.values.size(); ++i) {
    AccumulatorBound one =
        boundAccumulator(sums[static_cast<size_t>(channel.values[i])], codes,
                         static_cast<int64_t>(init.values[i]));
    if (i == 0)
      bound = one;
    bound.merge(one);
  }
  return bound;
}

bool Rewriter::proveBound(const Coefficient &factor, bool isRounded) {
  AccumulatorBound whole = boundSums(init, {grid.min, grid.max});
  result.maxAbs = whole.maxAbs();
  if (weights.isWide())
    return joinWide(factor, isRounded, whole);
  if (grid.bits() <= 8) {
    parts.push_back({init, whole});
  } else {
    // Steps of 256 are far below those of an output, not below those of floats.
    if (!whole.fitsInt32())
      how = isRounded || QDIALECT_MUTATE == 47 // fault: steps of 256 in floats
                ? SumJoin::Coarse
                : SumJoin::Wide;
    if (!planBytes(factor))
      return false;
  }
  for (const Part &part : parts)
    if (!part.bound.fitsInt32())
      return refuse("its accumulator can reach [" +
                    llvm::Twine(part.bound.partialLow) + ", " +
                    llvm::Twine(part.bound.partialHigh) + "], which needs " +
                    llvm::Twine(part.bound.width()) + " bits");
  return true;
}

/// Sums of weights in bytes are joined in i32 where they fit, in i64 else; what
/// is rounded goes on in i32, in steps that let it fit.
bool Rewriter::joinWide(const Coefficient &factor, bool isRounded,
                        const AccumulatorBound &whole) {
  if (whole.width() > 62)
    return refuse("its accumulator needs " + llvm::Twine(whole.width()) +
                  " bits");
  wide.isExact = whole.fitsInt32();
  if (wide.isExact || !isRounded)
    return true;
  wide.shift = whole.width() - 31;
  result.maxAbs = (whole.maxAbs() >> wide.shift) + 1;
  double half = std::ldexp(0.5, wide.shift);
  Coefficient lost = combine(result.scale, factor, [&](double s, double f) {
    return half * std::fabs(s * f);
  });
  result.error += *llvm::max_element(lost.values);
  auto coarsen = [&](double step) { return 2 * half * step; };
  result.scale = result.scale.map(coarsen);
  result.scaleF32 = result.scaleF32.map(coarsen);
  return true;
}

/// Shares the init between the sums of the high and the low bytes.
bool Rewriter::planBytes(const Coefficient &factor) {
  Part high{init, {}}, low{init, {}};
  for (size_t i = 0; i < init.values.size(); ++i) {
    high.init.values[i] = std::nearbyint(init.values[i] / 256);
    low.init.values[i] -= 256 * high.init.values[i];
    // Seeded fault 42: low bytes count from 0.
    if constexpr (QDIALECT_MUTATE != 42)
      low.init.values[i] +=
          128.0 * sums[static_cast<size_t>(channel.values[i])].sum;
    // Seeded fault 43: half a coarse step is missing.
    if (how == SumJoin::Coarse && QDIALECT_MUTATE != 43)
      low.init.values[i] += kHalfCoarseStep;
  }
  SmallVector<CodeGrid, 2> bytes = byteGrids(grid);
  high.bound = boundSums(high.init, {bytes[0].min, bytes[0].max});
  low.bound = boundSums(low.init, {bytes[1].min, bytes[1].max});
  if (how == SumJoin::Coarse) {
    result.maxAbs = high.bound.maxAbs() + low.bound.maxAbs() / 256 + 1;
    if (result.maxAbs > std::numeric_limits<int32_t>::max())
      return refuse("its accumulator in steps of 256 can reach " +
                    llvm::Twine(result.maxAbs));
    // Half of a coarse step is lost.
    Coefficient half = combine(result.scale, factor, [](double s, double f) {
      return 128 * std::fabs(s * f);
    });
    result.error += *llvm::max_element(half.values);
    auto coarsen = [](double step) { return 256 * step; };
    result.scale = result.scale.map(coarsen);
    result.scaleF32 = result.scaleF32.map(coarsen);
  }
  parts = {std::move(high), std::move(low)};
  return true;
}

void Rewriter::build() {
  OpBuilder &builder = context.builder;
  if (weights.isWide()) {
    result.value = multiplyWide(context, op, s, {codes, grid}, weights, sums,
                                weightZero, init, wide);
    return;
  }
  SmallVector<Value> totals;
  for (auto [part, bytes] :
       llvm::zip_equal(parts, splitCodes(builder, codes, grid))) {
    SmallVector<Value> operands(3);
    operands[s.activationOperand] = bytes.codes;
    operands[s.weightOperand] = weights.value;
    operands[2] = makeInit(context, op, part.init);
    Operation *integer = retypeLinalg(builder, op, operands);
    copyMarks(op, integer);
    integer->setAttr(qd::kMacsAttr, builder.getI64IntegerAttr(s.macs()));
    integer->setAttr(qd::kAccBoundAttr, builder.getDenseI64ArrayAttr(
                                            {part.bound.low, part.bound.high}));
    if (parts.size() == 1 && grid.max - grid.min < 255)
      integer->setAttr(qd::kCodeRangeAttr,
                       builder.getDenseI64ArrayAttr({grid.min, grid.max}));
    Value total = integer->getResult(0);
    if (weights.zeroPoint)
      total = subtractWeightZeroPoint(context, op, s, bytes, total, weightZero);
    totals.push_back(total);
  }
  result.value = totals.back();
  if (totals.size() == 2)
    result.value = joinSums(builder, op.getLoc(), totals[0], totals[1], how);
}

std::optional<IntegerContraction> Rewriter::run(const Coefficient &factor,
                                                const Coefficient &offset,
                                                const CodeGrid *output) {
  if (!readOperands() || !readScales())
    return std::nullopt;
  Coefficient bias =
      combine(offset, channel, [](double b, double) { return b; });
  Coefficient before =
      combine(bias, factor, [](double b, double f) { return b / f; });
  if (output)
    dropNegligibleWeights(before, factor, output->scale);
  coarsenDeadChannels(before);
  if (!foldOffset(bias, factor, output) ||
      !proveBound(factor, output != nullptr))
    return std::nullopt;
  build();
  return std::move(result);
}

} // namespace

std::optional<IntegerContraction>
makeIntegerContraction(IntegerizeContext &context, linalg::LinalgOp op,
                       const Coefficient &factor, const Coefficient &offset,
                       const CodeGrid *output) {
  if (!getContractionStructure(op)->weightIsConstant)
    return makeIntegerProduct(context, op, factor, offset,
                              /*isRounded=*/output != nullptr);
  return Rewriter(context, op).run(factor, offset, output);
}

Value integerizeContraction(IntegerizeContext &context, const Island &island) {
  const Term &term = island.formula.terms[0];
  const Leaf &leaf = island.leaves[term.leaves[0]];
  auto op = cast<linalg::LinalgOp>(leaf.root);
  if (!llvm::all_of(op->getUsers(), [&](Operation *user) {
        return island.members.contains(user) ||
               user == qd::QuantizeOp(island.quantize);
      }))
    return context.refuse("its accumulator is read outside of the island too");

  // The island's dimensions and the contraction's.
  SmallVector<unsigned> toRoot(island.rank(), ~0u), toIsland;
  for (auto [axis, expr] : llvm::enumerate(leaf.map.getResults())) {
    toIsland.push_back(cast<AffineDimExpr>(expr).getPosition());
    toRoot[toIsland.back()] = axis;
  }
  for (const Coefficient *c : {&term.factor, &island.formula.constant})
    for (unsigned dim : c->dims)
      if (toRoot[dim] == ~0u)
        return context.refuse(
            "a constant varies along a dimension that its result lacks");
  Coefficient factor = term.factor.renumbered(toRoot);
  std::optional<IntegerContraction> integer = makeIntegerContraction(
      context, op, factor, island.formula.constant.renumbered(toRoot),
      &island.grid);
  if (!integer)
    return {};
  double sy = island.grid.scale;
  bool plain = factor.isExactly(1);
  Accumulator accumulator;
  accumulator.inputs = {{integer->value, leaf.map}};
  accumulator.value = [](OpBuilder &, Location, ValueRange args) {
    return args[0];
  };
  accumulator.maxAbs = integer->maxAbs;
  accumulator.scale =
      combine(integer->scale, factor, [&](double step, double f) {
        return step * f / sy;
      }).renumbered(toIsland);
  accumulator.scaleF32 =
      plain ? integer->scaleF32
                  .map([&](double step) -> double {
                    return static_cast<float>(step) / static_cast<float>(sy);
                  })
                  .renumbered(toIsland)
            : accumulator.scale;
  accumulator.zeroShift = integer->zeroShift.renumbered(toIsland);
  accumulator.error = integer->error / sy;
  accumulator.lostOffset =
      integer->lostOffset.map([&](double lost) { return lost / sy; })
          .renumbered(toIsland);
  return makeRequantize(context, island, accumulator);
}

} // namespace qdialect
