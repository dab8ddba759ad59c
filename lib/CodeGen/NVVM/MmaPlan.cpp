// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "mma": the CPU's contractions of codes (lib/CodeGen/CPU/
// Contraction.h) on tensor cores, with the CPU's epilogue on the sums.

#include "Contraction.h"
#include "Families.h"
#include "KernelFunction.h"
#include "MmaKernel.h"
#include "Payload.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;

namespace qdialect::gpu {
namespace {

/// Multiprocessors that a launch should fill; devices have 20 to 150.
constexpr int64_t kProcessors = 64;
/// Narrower groups would multiply mostly zeros.
constexpr int64_t kLeastGroupChannels = 16;
/// Taps of a padded window, a bit each.
constexpr int64_t kMostPaddedTaps = 64;
/// Constants start at multiples of this many bytes, as tensors do.
constexpr int64_t kBaseAlignment = 64;

std::optional<MmaGeometry> geometryOf(const cpu::ContractionGeometry &c) {
  MmaGeometry g;
  g.window = c;
  g.run = c.run;
  g.columns = c.groupChannels;
  g.groups = c.groups;
  g.groupStep = c.groupStep;
  g.isUnsigned = true; // offset binary
  if (c.isFloat || (c.groups > 1 && g.columns < kLeastGroupChannels) ||
      (c.padded() && c.numTaps() > kMostPaddedTaps))
    return std::nullopt;
  return g;
}

class MmaPlan : public GpuKernelPlan {
public:
  MmaPlan(const cpu::KernelRegion &source, cpu::ContractionGeometry contraction,
          MmaGeometry geometry)
      : region(source), contraction(std::move(contraction)),
        g(std::move(geometry)), tile(g.chooseTile(kProcessors)) {}

  bool init() {
    std::vector<cpu::ChannelCodes> channels = contraction.channelCodes();
    packConstants(channels);
    std::optional<cpu::Epilogue> resolved =
        cpu::Epilogue::create(region, constants, contraction.numChannels());
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    epilogue.rootRange = accumulatorRange(contraction, channels);
    family = "mma";
    weightBits = 8;
    numTasks = g.blocks(tile);
    keyText = family + epilogue.key();
    return true;
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    return {g.blocks(tile), tile.threads(), 0};
  }

  std::string instruction(const GpuTarget &target) const override {
    return "mma.m16n8k32.u8.s8";
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override;

private:
  void packConstants(ArrayRef<cpu::ChannelCodes> channels);

  cpu::KernelRegion region;
  cpu::ContractionGeometry contraction;
  MmaGeometry g;
  MmaTile tile;
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
  static const CpuTarget scalar{"ptx", CpuTarget::Scalar, "", ""};
  OpBuilder::InsertionGuard guard(moduleBuilder);
  WarpEmitter e(region.root->getLoc(), moduleBuilder);
  unsigned firstConstant = region.numInputs() + 1;
  LLVM::LLVMFuncOp kernel =
      startKernel(e, symbol, firstConstant + constants.size(), tile.threads());
  markConstants(kernel, firstConstant);
  MmaOperands operands;
  operands.activations = kernel.getArgument(g.window.input);
  operands.weights = kernel.getArgument(firstConstant);
  operands.starts = kernel.getArgument(firstConstant + 1);
  if (g.window.padded())
    operands.padding =
        kernel.getArgument(firstConstant + contraction.paddingConstant());

  cpu::Emitter lanes(e.getLoc(), e, scalar);
  Value args = argumentArray(lanes, kernel);
  cpu::PayloadEmitter payload(lanes, epilogue, args);
  payload.promiseAlignment(
      kBaseAlignment,
      std::gcd(MmaTile::kLaneColumns, g.groups > 1 ? g.columns : 0));
  payload.begin();
  e.restoreInsertionPoint(lanes.saveInsertionPoint());
  auto type = cpu::Emitter::vector(e.getI32Type());
  emitMmaKernel(
      e, g, tile, (symbol + "_stages").str(), operands,
      [&](const MmaSums &sums) {
        WarpEmitter::Values ofLanes(sums.sums);
        ofLanes.resize(cpu::Emitter::kLanes, e.constant(0));
        Value vector = vector::FromElementsOp::create(e, type, ofLanes);
        Value row = e.toI64(sums.row);
        Value column =
            e.toI64(e.add(e.mul(sums.group, g.columns), sums.column));
        lanes.restoreInsertionPoint(e.saveInsertionPoint());
        payload.storeRow(cpu::Position::at(lanes, epilogue, row, column),
                         static_cast<int64_t>(sums.sums.size()),
                         [&](int64_t) { return cpu::Lanes::of(vector); });
        e.restoreInsertionPoint(lanes.saveInsertionPoint());
      });
  LLVM::ReturnOp::create(e, ValueRange{});
  return success();
}

} // namespace

GpuPlanPtr planMma(const cpu::KernelRegion &region) {
  std::optional<cpu::ContractionGeometry> contraction =
      cpu::ContractionGeometry::create(region);
  if (!contraction)
    return nullptr;
  std::optional<MmaGeometry> geometry = geometryOf(*contraction);
  if (!geometry)
    return nullptr;
  auto plan = std::make_unique<MmaPlan>(region, std::move(*contraction),
                                        std::move(*geometry));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu
