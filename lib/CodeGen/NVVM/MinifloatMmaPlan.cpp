// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "mma_fp8": products of FP8 codes by FP8 weights with a scale a
// channel on tensor cores, as they are from sm_89 on, as f16 before. One scale
// of the activations is part of those of the channels.

#include "BlockPanels.h"
#include "Families.h"
#include "KernelFunction.h"
#include "MmaDispatch.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace qdialect::gpu {
namespace {

/// Offsets in rows of activations are computed in i32.
constexpr int64_t kMostBytes = INT32_MAX / 4;

/// What tensor cores multiply.
bool isFp8(const Format &format) {
  return format == Format::minifloat(4, 3, Specials::OCP) ||
         format == Format::minifloat(5, 2, Specials::IEEE);
}

class MinifloatMmaPlan : public MmaDispatchPlan {
public:
  MinifloatMmaPlan(const cpu::KernelRegion &source, cpu::BlockProduct product)
      : region(source), product(std::move(product)) {
    const cpu::BlockRows &rows = this->product.rows;
    const BlockWeights &w = this->product.weights;
    g.window.inputOffset = rows.offset;
    g.alignment =
        tensorAlignment(region.body().getArgument(rows.input).getType());
    g.window.pixels.push_back({rows.count, rows.stride, -1});
    g.run = w.depth;
    g.columns = w.channels;
    g.minifloats = {rows.decoded->minifloat, *w.minifloat, /*isNative=*/true};
    tileColumns = g.chooseTile(MmaTile::kProcessors).columns;
  }

  bool init() {
    if (!packConstants())
      return false;
    std::optional<cpu::Epilogue> resolved =
        cpu::Epilogue::create(region, constants, g.columns);
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    family = "mma_fp8";
    weightBits = 8;
    numTasks = g.blocks(shapeOn(/*isNative=*/true).second);
    keyText = family + epilogue.key();
    return true;
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    MmaTile tile = tileOn(target);
    return {g.blocks(tile), tile.threads(), 0};
  }

  std::string instruction(const GpuTarget &target) const override {
    if (!isNative(target))
      return "mma.m16n8k16.f16.f16";
    auto name = [](const Format &format) {
      return format.mantissaBits() == 2 ? ".e5m2" : ".e4m3";
    };
    return std::string("mma.m16n8k32") + name(g.minifloats->left) +
           name(g.minifloats->right);
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override {
    MmaGeometry geometry = shapeOn(isNative(target)).first;
    MmaTile tile = tileOn(target);
    MmaDispatch dispatch{region, epilogue, constants.size(), tile.threads()};
    unsigned first = dispatch.firstConstant();
    dispatch.emit(
        moduleBuilder, symbol,
        [&](WarpEmitter &e, ValueRange arguments, MmaDispatch::Store store) {
          MmaOperands operands;
          operands.activations = arguments[product.rows.input];
          operands.weights = arguments[first];
          operands.scales = arguments[first + 1];
          emitMmaKernel(e, geometry, tile, (symbol + "_stages").str(), operands,
                        store);
        },
        [&](WarpEmitter &e, const MmaSums &sums) {
          return std::pair{e.toI64(sums.row), e.toI64(sums.column)};
        });
    return success();
  }

private:
  MmaTile chosenTile(const GpuTarget &target) const override {
    return shapeOn(isNative(target)).second;
  }

  static bool isNative(const GpuTarget &target) {
    return target.capability >= 89;
  }

  /// All targets read the same image of the weights, which depends on the
  /// columns of the tile alone.
  std::pair<MmaGeometry, MmaTile> shapeOn(bool isNative) const {
    MmaGeometry geometry = g;
    geometry.minifloats->isNative = isNative;
    MmaTile tile = geometry.chooseTile(MmaTile::kProcessors, tileColumns);
    return {std::move(geometry), tile};
  }

  /// False if a scale is no normal number.
  bool packConstants();

  cpu::KernelRegion region;
  cpu::BlockProduct product;
  MmaGeometry g;
  int64_t tileColumns = 0;
  cpu::Epilogue epilogue;
};

bool MinifloatMmaPlan::packConstants() {
  const BlockWeights &w = product.weights;
  MmaTile tile = shapeOn(/*isNative=*/true).second;
  ConstantBlob weights;
  weights.size = g.weightBytes(tile);
  weights.fill = [g = g, tile, w](MutableArrayRef<char> out) {
    packMmaWeights(
        g, tile,
        [&](int64_t, int64_t n, int64_t, int64_t k) {
          return static_cast<int8_t>(w.code(k, n));
        },
        out);
  };
  std::vector<float> ofColumns(g.panels(tile) * MmaTile::kWarpColumns);
  for (int64_t n = 0; n < g.columns; ++n) {
    ofColumns[n] = product.rows.decoded->scale * w.scale(0, n);
    bool isZero = w.scale(0, n) == 0;
    if (!isZero && !std::isnormal(ofColumns[n]))
      return false;
  }
  ConstantBlob scales;
  scales.size = static_cast<int64_t>(ofColumns.size() * sizeof(float));
  scales.fill = [ofColumns](MutableArrayRef<char> out) {
    std::memcpy(out.data(), ofColumns.data(), out.size());
  };
  constants = {std::move(weights), std::move(scales)};
  return true;
}

} // namespace

GpuPlanPtr planMinifloatMma(const cpu::KernelRegion &region) {
  std::optional<cpu::BlockProduct> product = cpu::readBlockProduct(region.root);
  if (!product || !product->rows.decoded ||
      !isFp8(product->rows.decoded->minifloat) || !product->weights.minifloat ||
      !isFp8(*product->weights.minifloat) ||
      product->weights.numBlocks() != 1 ||
      product->rows.count * product->rows.stride > kMostBytes)
    return nullptr;
  auto plan = std::make_unique<MinifloatMmaPlan>(region, std::move(*product));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu
