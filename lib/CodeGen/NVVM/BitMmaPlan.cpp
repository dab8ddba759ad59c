// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "mma_bits": matrix products of codes of few bits by planes of
// bits, where all targets of a library multiply bits and that is faster than
// bytes. Weights are planes in memory, activations bytes.

#include "BitMma.h"
#include "Contraction.h"
#include "Families.h"
#include "KernelFunction.h"
#include "MmaDispatch.h"
#include "QDialect/Analysis/AccumulatorBounds.h"

#include <numeric>

using namespace mlir;

namespace qdialect::gpu {
namespace {

/// From sm_100 on products of bits are made of other instructions.
constexpr unsigned kLastWithBits = 90;
/// Fragments of more planes of weights do not fit the registers.
constexpr int64_t kMostWeightBits = 4;

int64_t bitsFor(int64_t largest) {
  return largest > 0 ? llvm::Log2_64(largest) + 1 : 1;
}

/// The codes of a constant weight in order of (column, k).
class BitWeights {
public:
  explicit BitWeights(const cpu::ContractionGeometry &c) : c(c) {}

  int64_t operator()(int64_t n, int64_t k) const {
    return static_cast<int8_t>(
        c.weights->raw[c.weightBase(0, n, 0) + c.weightInRun(k)]);
  }

private:
  const cpu::ContractionGeometry &c;
};

/// The grid that all weights lie on: base + step * {0, 1, ...}.
void readGrid(const cpu::ContractionGeometry &c,
              ArrayRef<cpu::ChannelCodes> channels, BitMmaGeometry &g) {
  int64_t low = channels[0].low, high = channels[0].high;
  for (const cpu::ChannelCodes &channel : channels) {
    low = std::min(low, channel.low);
    high = std::max(high, channel.high);
  }
  g.rightBase = low;
  int64_t step = 0;
  if (high - low < 1 << kMostWeightBits << 3) {
    BitWeights weights(c);
    for (int64_t n = 0; n < g.columns && step != 1; ++n)
      for (int64_t k = 0; k < g.depth && step != 1; ++k)
        step = std::gcd(step, weights(n, k) - low);
  }
  g.rightStep = std::max<int64_t>(step, 1);
  g.rightBits = bitsFor((high - low) / g.rightStep);
}

std::optional<BitMmaGeometry> geometryOf(const cpu::KernelRegion &region,
                                         const cpu::ContractionGeometry &c,
                                         ArrayRef<cpu::ChannelCodes> channels) {
  if (c.isFloat || c.groups != 1 || c.numTaps() != 1 || c.padded() ||
      c.pixels.size() > 1)
    return std::nullopt;
  BitMmaGeometry g;
  g.rows = c.numPixels();
  g.columns = c.groupChannels;
  g.depth = c.run;
  g.rowOffset = c.inputOffset;
  g.rowStride = c.pixels.empty() ? 0 : c.pixels[0].step;
  int64_t aligned =
      std::gcd(std::gcd(g.rowOffset, g.rowStride),
               tensorAlignment(region.body().getArgument(c.input).getType()));
  g.alignment = std::gcd<int64_t>(16, std::gcd(aligned, g.depth));
  if (g.alignment < 4)
    return std::nullopt;
  g.alignment = g.alignment == 16 ? 16 : 4;
  CodeInterval codes = getCodeRange(region.root);
  g.leftBase = codes.min + 128; // offset binary
  g.leftBits = bitsFor(codes.max - codes.min);
  readGrid(c, channels, g);
  if (g.rightBits > kMostWeightBits || !areBitsFaster(g))
    return std::nullopt;
  return g;
}

class BitMmaPlan : public GpuKernelPlan {
public:
  BitMmaPlan(const cpu::KernelRegion &source,
             cpu::ContractionGeometry contraction, BitMmaGeometry geometry)
      : region(source), contraction(std::move(contraction)), g(geometry) {}

  bool init(ArrayRef<cpu::ChannelCodes> channels) {
    packConstants(channels);
    std::optional<cpu::Epilogue> resolved =
        cpu::Epilogue::create(region, constants, g.columns);
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    epilogue.rootRange = accumulatorRange(contraction, channels);
    family = "mma_bits";
    weightBits = g.rightBits;
    numTasks = g.blocks();
    for (int64_t fact :
         {g.leftBase, g.leftBits, g.rightBase, g.rightStep, g.rightBits})
      keyText += std::to_string(fact) + " ";
    keyText = family + " " + keyText + epilogue.key();
    return true;
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    return {g.blocks(), g.tile().threads(), 0};
  }

  std::string instruction(const GpuTarget &target) const override {
    return "mma.m16n8k256.b1.b1.and.popc";
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override {
    MmaDispatch dispatch{region, epilogue, constants.size(),
                         g.tile().threads()};
    unsigned first = dispatch.firstConstant();
    dispatch.emit(
        moduleBuilder, symbol,
        [&](WarpEmitter &e, ValueRange arguments, MmaDispatch::Store store) {
          MmaOperands operands{arguments[contraction.input], arguments[first],
                               arguments[first + 1], Value(), Value()};
          emitBitMmaKernel(e, g, (symbol + "_stages").str(), operands, store);
        },
        [&](WarpEmitter &e, const MmaSums &sums) {
          return std::pair{e.toI64(sums.row), e.toI64(sums.column)};
        });
    return success();
  }

private:
  void packConstants(ArrayRef<cpu::ChannelCodes> channels);

  cpu::KernelRegion region;
  cpu::ContractionGeometry contraction;
  BitMmaGeometry g;
  cpu::Epilogue epilogue;
};

/// Planes of weights, and what sums start from.
void BitMmaPlan::packConstants(ArrayRef<cpu::ChannelCodes> channels) {
  ConstantBlob weights;
  weights.size = g.weightBytes();
  weights.fill = [g = g, c = contraction](MutableArrayRef<char> out) {
    BitWeights codes(c);
    packBitWeights(
        g,
        [&](int64_t n, int64_t k) {
          return (codes(n, k) - g.rightBase) / g.rightStep;
        },
        out);
  };
  ConstantBlob starts;
  starts.size = g.panels() * g.kColumns * 4;
  starts.fill = [g = g, c = contraction,
                 channels = std::vector<cpu::ChannelCodes>(channels.begin(),
                                                           channels.end())](
                    MutableArrayRef<char> out) {
    for (int64_t n = 0; n < g.columns; ++n) {
      // Of bytes; the planes count from leftBase, wrapped as all sums.
      auto start = static_cast<int32_t>(c.codeStart(n, channels[n]) +
                                        g.leftBase * channels[n].sum());
      std::memcpy(out.data() + 4 * n, &start, 4);
    }
  };
  constants = {std::move(weights), std::move(starts)};
}

} // namespace

GpuPlanPtr planBitMma(const cpu::KernelRegion &region,
                      ArrayRef<GpuTarget> targets) {
  if (targets.empty() || llvm::any_of(targets, [](const GpuTarget &target) {
        return target.capability > kLastWithBits;
      }))
    return nullptr;
  std::optional<cpu::ContractionGeometry> contraction =
      cpu::ContractionGeometry::create(region);
  if (!contraction)
    return nullptr;
  if (contraction->isFloat)
    return nullptr;
  std::vector<cpu::ChannelCodes> channels = contraction->channelCodes();
  std::optional<BitMmaGeometry> geometry =
      geometryOf(region, *contraction, channels);
  if (!geometry)
    return nullptr;
  auto plan =
      std::make_unique<BitMmaPlan>(region, std::move(*contraction), *geometry);
  return plan->init(channels) ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu
