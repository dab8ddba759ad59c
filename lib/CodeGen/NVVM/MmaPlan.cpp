// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "mma": the CPU's contractions of codes (lib/CodeGen/CPU/
// Contraction.h) on tensor cores, with the CPU's epilogue on the sums.

#include "Contraction.h"
#include "Families.h"
#include "Gemv.h"
#include "KernelFunction.h"
#include "MmaDispatch.h"

#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;

namespace qdialect::gpu {
namespace {

/// Narrower groups would multiply mostly zeros.
constexpr int64_t kLeastGroupChannels = 16;
/// Taps of a padded window, a bit each.
constexpr int64_t kMostPaddedTaps = 64;

std::optional<MmaGeometry> geometryOf(const cpu::ContractionGeometry &c,
                                      Type image) {
  MmaGeometry g;
  g.window = c;
  g.run = c.run;
  g.columns = c.groupChannels;
  g.groups = c.groups;
  g.groupStep = c.groupStep;
  g.alignment = tensorAlignment(image);
  g.isUnsigned = true; // offset binary
  if (c.isFloat || (c.groups > 1 && g.columns < kLeastGroupChannels) ||
      (c.padded() && c.numTaps() > kMostPaddedTaps))
    return std::nullopt;
  return g;
}

/// The same as a product of few rows with one block of weights, whose codes
/// are packed alike; nothing for windows, groups and many rows.
std::optional<BlockMmaGeometry> fewRowsOf(const MmaGeometry &g) {
  const cpu::WindowGeometry &w = g.window;
  if (w.numTaps() != 1 || w.padded() || g.groups != 1 || g.runStep != 1)
    return std::nullopt;
  BlockMmaGeometry rows;
  rows.operands = BlockOperands::Codes;
  rows.bits = 8;
  rows.zero = 0;
  rows.columns = g.columns;
  rows.depth = g.run;
  rows.block = static_cast<int64_t>(llvm::alignTo(g.run, rows.stepDepth()));
  rows.rowOffset = w.inputOffset;
  rows.alignment = g.alignment;
  // Rows that are one distance apart.
  for (const cpu::PixelLoop &loop : llvm::reverse(w.pixels)) {
    if (loop.size == 1)
      continue;
    if (rows.rows > 1 && loop.step != rows.rows * rows.rowStride)
      return std::nullopt;
    if (rows.rows == 1)
      rows.rowStride = loop.step;
    rows.rows *= loop.size;
  }
  return rows;
}

class MmaPlan : public MmaDispatchPlan {
public:
  MmaPlan(const cpu::KernelRegion &source, cpu::ContractionGeometry contraction,
          MmaGeometry geometry)
      : region(source), contraction(std::move(contraction)),
        g(std::move(geometry)), tile(g.chooseTile(MmaTile::kProcessors)) {}

  bool init() {
    std::vector<cpu::ChannelCodes> channels = contraction.channelCodes();
    packConstants(channels);
    std::optional<cpu::Epilogue> resolved =
        cpu::Epilogue::create(region, constants, contraction.numChannels());
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    epilogue.rootRange = accumulatorRange(contraction, channels);
    fewRows = fewRowsOf(g);
    if (fewRows)
      gemv = GemvShape::choose(*fewRows);
    family = gemv ? "gemv" : "mma";
    weightBits = 8;
    numTasks = numBlocks(tile);
    keyText = family + epilogue.key();
    return true;
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    return {numBlocks(tileOn(target)), threads(tileOn(target)), 0};
  }
  bool useFewerRegisters(const GpuTarget &target) override {
    return !gemv && MmaDispatchPlan::useFewerRegisters(target);
  }

  std::string instruction(const GpuTarget &target) const override {
    return "mma.m16n8k32.u8.s8";
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override;

private:
  MmaTile chosenTile(const GpuTarget &target) const override { return tile; }
  void packConstants(ArrayRef<cpu::ChannelCodes> channels);
  int64_t numBlocks(const MmaTile &ofMany) const {
    return gemv ? llvm::divideCeil(g.columns, GemvShape::kColumns)
                : g.blocks(ofMany);
  }
  int64_t threads(const MmaTile &ofMany) const {
    return gemv ? gemv->threads() : ofMany.threads();
  }

  cpu::KernelRegion region;
  cpu::ContractionGeometry contraction;
  MmaGeometry g;
  MmaTile tile;
  /// For few rows of a matrix.
  std::optional<BlockMmaGeometry> fewRows;
  std::optional<GemvShape> gemv;
  cpu::Epilogue epilogue;
};

/// Weights, starts and, for padded windows, the row of padding.
void MmaPlan::packConstants(ArrayRef<cpu::ChannelCodes> channels) {
  ConstantBlob weights;
  weights.size = g.weightBytes(tile);
  weights.fill = [g = g, tile = tile,
                  c = contraction](MutableArrayRef<char> out) {
    const char *codes = c.weights->raw.data();
    packMmaWeights(
        g, tile,
        [&](int64_t group, int64_t n, int64_t tap, int64_t k) {
          return static_cast<int8_t>(
              codes[c.weightBase(group, n, tap) + c.weightInRun(k)]);
        },
        out);
  };
  ConstantBlob starts;
  starts.size = g.startBytes(tile);
  starts.fill = [g = g, tile = tile, c = contraction,
                 channels = std::vector<cpu::ChannelCodes>(channels.begin(),
                                                           channels.end())](
                    MutableArrayRef<char> out) {
    int64_t groupBytes = g.startBytes(tile) / g.groups;
    for (int64_t n = 0; n < c.numChannels(); ++n) {
      int32_t start = c.codeStart(n, channels[n]);
      std::memcpy(out.data() + n / g.columns * groupBytes + n % g.columns * 4,
                  &start, 4);
    }
  };
  constants = {std::move(weights), std::move(starts)};
  if (g.window.padded())
    constants.push_back(g.window.paddingBlob());
}

LogicalResult MmaPlan::emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                            StringRef symbol) {
  MmaTile tile = tileOn(target);
  MmaDispatch dispatch{region, epilogue, constants.size(), threads(tile)};
  if (gemv)
    dispatch.columnStep = GemvShape::kThreadColumns;
  if (g.groups > 1)
    dispatch.columnStep = std::gcd(dispatch.columnStep, g.columns);
  unsigned first = dispatch.firstConstant();
  dispatch.emit(
      moduleBuilder, symbol,
      [&](WarpEmitter &e, ValueRange arguments, MmaDispatch::Store store) {
        if (gemv) {
          BlockMmaOperands operands;
          operands.activations = arguments[g.window.input];
          operands.codes = arguments[first];
          operands.starts = arguments[first + 1];
          return emitGemvKernel(e, *fewRows, *gemv, (symbol + "_sums").str(),
                                operands, store);
        }
        MmaOperands operands{arguments[g.window.input], arguments[first],
                             arguments[first + 1], Value(), Value()};
        if (g.window.padded())
          operands.padding = arguments[first + contraction.paddingConstant()];
        emitMmaKernel(e, g, tile, (symbol + "_stages").str(), operands, store);
      },
      [&](WarpEmitter &e, const MmaSums &sums) {
        Value column = e.add(e.mul(sums.group, g.columns), sums.column);
        return std::pair{e.toI64(sums.row), e.toI64(column)};
      });
  return success();
}

} // namespace

GpuPlanPtr planMma(const cpu::KernelRegion &region) {
  std::optional<cpu::ContractionGeometry> contraction =
      cpu::ContractionGeometry::create(region);
  if (!contraction)
    return nullptr;
  std::optional<MmaGeometry> geometry = geometryOf(
      *contraction, region.body().getArgument(contraction->input).getType());
  if (!geometry)
    return nullptr;
  auto plan = std::make_unique<MmaPlan>(region, std::move(*contraction),
                                        std::move(*geometry));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu
