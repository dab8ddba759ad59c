// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recognises depthwise convolutions and pools, and packs their constants.

#include "WindowReduce.h"

#include "QDialect/Analysis/AccumulatorBounds.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// Sum or Max of the (extended) image; nothing for another payload.
std::optional<WindowReduceGeometry::Kind> poolKind(linalg::LinalgOp op) {
  Block &body = *op.getBlock();
  Value output = body.getArguments().back();
  Operation *combine = body.getTerminator()->getOperand(0).getDefiningOp();
  if (!combine || combine->getNumOperands() != 2)
    return std::nullopt;
  Value other = combine->getOperand(0) == output   ? combine->getOperand(1)
                : combine->getOperand(1) == output ? combine->getOperand(0)
                                                   : Value();
  if (!other)
    return std::nullopt;
  if (auto ext = other.getDefiningOp<arith::ExtSIOp>())
    other = ext.getIn();
  if (other != body.getArgument(0))
    return std::nullopt;
  if (isa<arith::AddIOp, arith::AddFOp>(combine))
    return WindowReduceGeometry::Sum;
  if (isa<arith::MaxSIOp, arith::MaximumFOp>(combine))
    return WindowReduceGeometry::Max;
  return std::nullopt;
}

/// The types that the kernels compute in.
bool acceptTypes(linalg::LinalgOp op, unsigned image, WindowReduceGeometry &g) {
  Type in = getElementTypeOrSelf(op->getOperand(image));
  Type out = getElementTypeOrSelf(op->getResult(0));
  g.isFloat = in.isF32() && out.isF32();
  if (g.isFloat)
    return true;
  if (g.kind == WindowReduceGeometry::Max && in.isInteger(16) &&
      out.isInteger(16)) {
    g.codeBytes = 2;
    return true;
  }
  return in.isInteger(8) &&
         (g.kind == WindowReduceGeometry::Max ? out.isInteger(8)
                                              : out.isInteger(32));
}

} // namespace

std::optional<WindowReduceGeometry>
WindowReduceGeometry::create(const KernelRegion &region) {
  auto op = dyn_cast_or_null<linalg::LinalgOp>(region.root);
  if (!op || op.getNumDpsInits() != 1 || op->getNumResults() != 1 ||
      op.getNumReductionLoops() == 0)
    return std::nullopt;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  AffineMap outputMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (llvm::any_of(sizes, ShapedType::isDynamic) ||
      !outputMap.isProjectedPermutation() || outputMap.getNumResults() == 0)
    return std::nullopt;

  WindowReduceGeometry g;
  unsigned image = 0;
  unsigned channel = outputMap.getDimPosition(outputMap.getNumResults() - 1);
  SmallVector<unsigned> channelLoops{channel};
  std::optional<ContractionStructure> s = getContractionStructure(op);
  if (s) {
    if (s->kind != ContractionStructure::Kind::Depthwise ||
        !s->weightIsConstant || s->depth.size() != 1)
      return std::nullopt;
    // A multiplier of one may be a loop of its own.
    for (unsigned loop : s->outputChannel)
      if (sizes[loop] != 1)
        return std::nullopt;
    channel = s->depth[0];
    channelLoops.assign(s->depth.begin(), s->depth.end());
    image = s->activationOperand;
    g.kind = Depthwise;
  } else {
    std::optional<Kind> pool = poolKind(op);
    if (!pool)
      return std::nullopt;
    g.kind = *pool;
  }
  if (!acceptTypes(op, image, g))
    return std::nullopt;
  g.channels = sizes[channel];
  LinearForm form;
  if (!g.read(region, op, image, channelLoops, form) ||
      (g.walksTaps() && g.padded()) ||
      (g.channels > 1 && form.coefficients[channel] != 1))
    return std::nullopt;
  g.padLength = g.channels;

  // Output rows in order, channels innermost.
  int64_t expected = 1;
  for (AffineExpr expr : llvm::reverse(outputMap.getResults())) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    if (sizes[loop] == 1)
      continue;
    if ((expected == 1) != (loop == channel) && g.channels > 1)
      return std::nullopt;
    expected *= sizes[loop];
  }

  std::optional<InitValues> init = InitValues::read(op.getDpsInits()[0]);
  if (!init || (g.kind == Max && !init->isUniform()))
    return std::nullopt;
  g.init = init->view;
  g.initOffset = init->form.offset;
  for (auto [dim, step] : llvm::enumerate(init->form.coefficients)) {
    unsigned loop = outputMap.getDimPosition(dim);
    if (loop == channel)
      g.initChannel = step;
    else if (step != 0 && sizes[loop] != 1)
      return std::nullopt;
  }
  if (g.kind != Depthwise)
    return g;
  auto indices = linearResults(s->weightMap);
  std::optional<Access> access =
      indices ? resolveAccess(op->getOperand(s->weightOperand),
                              op.getNumLoops(), *indices)
              : std::nullopt;
  Type weightType = getElementTypeOrSelf(op->getOperand(s->weightOperand));
  if (!access || !(g.weights = constantView(access->base)) ||
      !(g.isFloat ? weightType.isF32() : weightType.isInteger(8)))
    return std::nullopt;
  g.weightOffset = access->form.offset;
  g.weightChannel = access->form.coefficients[channel];
  for (unsigned axis = 0; axis < 2; ++axis)
    if (g.axes[axis].filterLoop >= 0)
      g.weightFilter[axis] = access->form.coefficients[g.axes[axis].filterLoop];
  return g;
}

int64_t WindowReduceGeometry::weightIndex(int64_t tap, int64_t c) const {
  return weightOffset + tap / tapColumns() * weightFilter[0] +
         tap % tapColumns() * weightFilter[1] + c * weightChannel;
}

int64_t WindowReduceGeometry::weight(int64_t tap, int64_t c) const {
  return kind == Depthwise ? weights->integer(weightIndex(tap, c)) : 1;
}

/// What the weights of a channel add up to.
static WeightSums weightSums(const WindowReduceGeometry &g, int64_t c) {
  WeightSums sums;
  for (int64_t tap = 0; tap < g.numTaps(); ++tap) {
    int64_t w = g.weight(tap, c);
    sums.sum += w;
    (w < 0 ? sums.negative : sums.positive) += w;
  }
  return sums;
}

std::vector<ChannelCodes> WindowReduceGeometry::channelCodes() const {
  std::vector<ChannelCodes> codes(channels);
  for (int64_t tap = 0; tap < numTaps(); ++tap)
    for (int64_t c = 0; c < channels; ++c)
      codes[c].add(weight(tap, c));
  return codes;
}

/// Taps that share bytes.
static void packBits(const WindowReduceGeometry &g, MutableArrayRef<char> out) {
  std::fill(out.begin(), out.end(), 0);
  constexpr int64_t block = WindowReduceGeometry::kBlock;
  int64_t perByte = g.image.perByte();
  for (auto [c, codes] : llvm::enumerate(g.channelCodes())) {
    auto channel = static_cast<int64_t>(c);
    char *lane =
        out.data() + channel / block * g.blockBytes() + channel % block;
    for (int64_t tap = 0; tap < g.numTaps(); ++tap)
      lane[tap / perByte * block] |= g.image.place(
          g.weight(tap, channel), g.image.baseOf(codes), tap % perByte);
  }
}

std::vector<ConstantBlob>
packWindowReduce(const WindowReduceGeometry &geometry) {
  const WindowReduceGeometry &g = geometry;
  std::vector<ConstantBlob> blobs(2);
  constexpr int64_t block = WindowReduceGeometry::kBlock;
  blobs[0].size = g.kind == WindowReduceGeometry::Depthwise
                      ? g.numBlocks() * g.blockBytes()
                      : 0;
  blobs[0].fill = [g](MutableArrayRef<char> out) {
    if (out.empty())
      return;
    if (g.image.isPacked())
      return packBits(g, out);
    for (int64_t tap = 0; tap < g.numTaps(); ++tap)
      for (int64_t c = 0; c < g.channels; ++c) {
        // Four bytes a channel and tap either way.
        char *cell = out.data() + c / block * g.blockBytes() +
                     tap * WindowReduceGeometry::kTapBytes;
        int64_t lane = c % block;
        if (g.isFloat) {
          float w =
              static_cast<float>(g.weights->number(g.weightIndex(tap, c)));
          std::memcpy(cell + 4 * lane, &w, 4);
        } else {
          cell[lane % 4 * block + lane] = static_cast<char>(g.weight(tap, c));
        }
      }
  };
  blobs[1].size = 4 * (g.numBlocks() * block + block);
  blobs[1].fill = [g](MutableArrayRef<char> out) {
    for (int64_t c = 0; c < g.channels; ++c) {
      int64_t at = g.initOffset + c * g.initChannel;
      if (g.isFloat) {
        float start = static_cast<float>(g.init->number(at));
        std::memcpy(out.data() + 4 * c, &start, 4);
        continue;
      }
      int64_t sum = 0;
#if QDIALECT_MUTATE != 17
      sum = weightSums(g, c).sum;
#endif
      // Codes are read as code + 128.
      auto start = static_cast<int32_t>(g.init->integer(at) - 128 * sum);
      std::memcpy(out.data() + 4 * c, &start, 4);
    }
  };
  if (g.padded())
    blobs.push_back(g.paddingBlob());
  if (g.image.hasBases()) {
    ConstantBlob bases;
    bases.size = g.numBlocks() * block;
    bases.fill = [g](MutableArrayRef<char> out) {
      for (auto [c, codes] : llvm::enumerate(g.channelCodes()))
        out[c] = static_cast<char>(codes.low);
    };
    blobs.push_back(std::move(bases));
  }
  return blobs;
}

std::optional<Interval> sumRange(const WindowReduceGeometry &g) {
  if (g.isFloat)
    return std::nullopt;
  if (g.kind == WindowReduceGeometry::Max)
    return g.isWordMax() ? Interval{INT16_MIN, INT16_MAX}
                         : Interval{INT8_MIN, INT8_MAX};
  AccumulatorBound bound;
  for (int64_t c = 0; c < g.channels; ++c)
    bound.merge(
        boundAccumulator(weightSums(g, c), CodeInterval(),
                         g.init->integer(g.initOffset + c * g.initChannel)));
  if (!llvm::isInt<32>(bound.low) || !llvm::isInt<32>(bound.high))
    return std::nullopt;
  return Interval{static_cast<double>(bound.low),
                  static_cast<double>(bound.high)};
}

} // namespace qdialect::cpu
