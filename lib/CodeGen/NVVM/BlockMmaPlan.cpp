// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The families "mma_block_weights" (f32 activations) and "mma_block_dot" (i8
// codes with scales): the CPU's products with blocked weights on tensor cores.
// Few rows are "gemv_block_weights" and "gemv_block_dot".

#include "BlockDot.h"
#include "BlockMma.h"
#include "Families.h"
#include "Gemv.h"
#include "KernelFunction.h"
#include "MmaDispatch.h"
#include "QDialect/Analysis/LinalgQueries.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace qdialect::gpu {
namespace {

/// Offsets in rows of activations are computed in i32.
constexpr int64_t kMostElements = INT32_MAX / 4;

class BlockMmaPlan : public GpuKernelPlan {
public:
  BlockMmaPlan(const cpu::KernelRegion &source, const BlockWeights &weights,
               const BlockMmaGeometry &geometry)
      : region(source), w(weights), g(geometry) {
    g.columns = w.channels;
    g.depth = w.depth;
    // Codes of two bits lie in four: operands come of four or eight.
    g.bits = std::max(w.bits, 4u);
    g.minifloat = w.minifloat;
    g.block = w.numBlocks() == 1
                  ? static_cast<int64_t>(llvm::alignTo(w.depth, g.stepDepth()))
                  : w.block;
    g.zero = w.zero(0, 0);
    for (int64_t b = 0; b < w.numBlocks() && g.zero; ++b)
      for (int64_t n = 0; n < w.channels && g.zero; ++n)
        if (w.zero(b, n) != *g.zero)
          g.zero.reset();
    tile = g.chooseTile(MmaTile::kProcessors);
  }

  bool takesShape() const {
    return g.isRegular() && g.rows * g.rowStride <= kMostElements &&
           g.blocks(tile) <= INT32_MAX;
  }

  bool finishInit(StringRef kind) {
    gemv = GemvShape::choose(g);
    std::optional<cpu::Epilogue> resolved =
        cpu::Epilogue::create(region, constants, w.channels);
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    family = ((gemv ? "gemv_" : "mma_") + kind).str();
    weightBits = w.bits;
    numTasks = numBlocks();
    // Zero points that are all the same are part of the code.
    keyText = family + " " + std::to_string(static_cast<int>(g.operands)) +
              " " + (g.zero ? std::to_string(*g.zero) : "zeros") + " " +
              epilogue.key();
    return true;
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    return {numBlocks(), threads(), 0};
  }

protected:
  void emitKernel(OpBuilder &moduleBuilder, StringRef symbol,
                  function_ref<BlockMmaOperands(ValueRange)> operandsOf) {
    MmaDispatch dispatch{region, epilogue, constants.size(), threads()};
    if (gemv)
      dispatch.columnStep = GemvShape::kThreadColumns;
    dispatch.emit(
        moduleBuilder, symbol,
        [&](WarpEmitter &e, ValueRange arguments, MmaDispatch::Store store) {
          BlockMmaOperands operands = operandsOf(arguments);
          if (gemv)
            emitGemvKernel(e, g, *gemv, (symbol + "_sums").str(), operands,
                           store);
          else
            emitBlockMmaKernel(e, g, tile, (symbol + "_stages").str(), operands,
                               store);
        },
        [&](WarpEmitter &e, const MmaSums &sums) {
          return std::pair{e.toI64(sums.row), e.toI64(sums.column)};
        });
  }
  unsigned firstConstant() const { return region.numInputs() + 1; }
  int64_t numBlocks() const {
    return gemv ? llvm::divideCeil(g.columns, GemvShape::kColumns)
                : g.blocks(tile);
  }
  int64_t threads() const { return gemv ? gemv->threads() : tile.threads(); }

  cpu::KernelRegion region;
  BlockWeights w;
  BlockMmaGeometry g;
  MmaTile tile{};
  std::optional<GemvShape> gemv; ///< for few rows
  cpu::Epilogue epilogue;
};

/// What the numbers of `activations` are: models in half precision compute in
/// f32 what they read and store as f16 or bf16.
BlockOperands operandsOf(Value activations) {
  auto maker = activations.getDefiningOp<qd::DispatchOp>();
  while (!maker && activations.getDefiningOp() &&
         isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
             activations.getDefiningOp())) {
    activations = activations.getDefiningOp()->getOperand(0);
    maker = activations.getDefiningOp<qd::DispatchOp>();
  }
  Operation *last =
      maker ? maker.getYield().getOperand(0).getDefiningOp() : nullptr;
  if (!last || !isElementwiseGeneric(last))
    return BlockOperands::SplitFloats;
  auto extended = cast<linalg::GenericOp>(last)
                      .getBlock()
                      ->getTerminator()
                      ->getOperand(0)
                      .getDefiningOp<arith::ExtFOp>();
  if (!extended)
    return BlockOperands::SplitFloats;
  if (extended.getIn().getType().isF16())
    return BlockOperands::Halves;
  return extended.getIn().getType().isBF16() ? BlockOperands::Bfloats
                                             : BlockOperands::SplitFloats;
}

class BlockWeightsPlan : public BlockMmaPlan {
public:
  BlockWeightsPlan(const cpu::KernelRegion &source, const BlockWeights &weights,
                   const cpu::BlockRows &rows)
      : BlockMmaPlan(source, weights, geometryOf(source, rows)),
        input(rows.input) {}

  bool init() {
    if (!takesShape())
      return false;
    constants = blockMmaConstants(
        g, tile, w, [w = w](int64_t k, int64_t n) { return w.code(k, n); });
    g.hasAddends = w.addends.has_value();
    if (g.hasAddends)
      constants.push_back(
          blockSumParameters(g, tile, [w = w](int64_t b, int64_t n) {
            return llvm::bit_cast<uint32_t>(w.addend(b, n));
          }));
    return finishInit("block_weights");
  }

  std::string instruction(const GpuTarget &target) const override {
    return g.isHalf() ? "mma.m16n8k16.f16.f16" : "mma.m16n8k16.bf16.bf16";
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override {
    emitKernel(moduleBuilder, symbol, [&](ValueRange arguments) {
      BlockMmaOperands operands;
      unsigned at = firstConstant();
      operands.activations = arguments[input];
      operands.codes = arguments[at++];
      operands.scales = arguments[at++];
      if (!g.zero)
        operands.zeros = arguments[at++];
      if (g.hasAddends)
        operands.addends = arguments[at++];
      return operands;
    });
    return success();
  }

private:
  static BlockMmaGeometry geometryOf(const cpu::KernelRegion &region,
                                     const cpu::BlockRows &rows) {
    BlockMmaGeometry g;
    qd::DispatchOp dispatch = region.dispatch;
    Value activations = dispatch.getInputs()[rows.input];
    g.operands = operandsOf(activations);
    g.alignment = tensorAlignment(activations.getType());
    g.rows = rows.count;
    g.rowOffset = rows.offset;
    g.rowStride = rows.stride;
    return g;
  }

  unsigned input;
};

class BlockDotMmaPlan : public BlockMmaPlan {
public:
  BlockDotMmaPlan(const cpu::KernelRegion &source, const BlockWeights &weights,
                  const cpu::BlockDotInputs &inputs, int64_t rows)
      : BlockMmaPlan(
            source, weights,
            geometryOf(weights, inputs, rows,
                       tensorAlignment(
                           source.body().getArgument(inputs.codes).getType()))),
        inputs(inputs) {}

  bool init() {
    if (!takesShape())
      return false;
    auto image = std::make_shared<const cpu::BlockDotImage>(w);
    bool isFolded = g.bits == 8;
    if (isFolded && image->zeros != cpu::BlockDotImage::Zeros::Folded)
      return false;
    // Codes that hold their distance to the zero point have none beside.
    if (isFolded)
      g.zero = 0;
    bool isSigned = isFolded || g.isTimes16();
    constants =
        blockMmaConstants(g, tile, w, [w = w, isSigned](int64_t k, int64_t n) {
          return w.code(k, n) - (isSigned ? w.zero(k / w.block, n) : 0);
        });
    // Activations are 128 more in memory.
    int64_t factor = g.isTimes16() ? -128 * 16 : -128;
    constants.push_back(
        blockSumParameters(g, tile, [image, factor](int64_t b, int64_t n) {
          int32_t sum = image->sums[b * image->w.channels + n];
          return static_cast<uint32_t>(factor * sum);
        }));
    return finishInit("block_dot");
  }

  std::string instruction(const GpuTarget &target) const override {
    return "mma.m16n8k32.u8.s8";
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override {
    emitKernel(moduleBuilder, symbol, [&](ValueRange arguments) {
      BlockMmaOperands operands;
      unsigned at = firstConstant();
      operands.activations = arguments[inputs.codes];
      operands.leftScales = arguments[inputs.scales];
      operands.codes = arguments[at++];
      operands.scales = arguments[at++];
      if (!g.zero)
        operands.zeros = arguments[at++];
      operands.starts = arguments[at++];
      return operands;
    });
    return success();
  }

private:
  static BlockMmaGeometry geometryOf(const BlockWeights &w,
                                     const cpu::BlockDotInputs &inputs,
                                     int64_t rows, int64_t alignment) {
    BlockMmaGeometry g;
    g.operands = BlockOperands::Codes;
    g.rows = rows;
    g.rowStride = w.depth;
    g.alignment = alignment;
    g.leftScaleByBlock = inputs.scaleByBlock;
    return g;
  }

  cpu::BlockDotInputs inputs;
};

} // namespace

GpuPlanPtr planBlockWeightsMma(const cpu::KernelRegion &region) {
  std::optional<cpu::BlockProduct> product = cpu::readBlockProduct(region.root);
  if (!product || product->rows.decoded)
    return nullptr;
  auto plan = std::make_unique<BlockWeightsPlan>(
      region, std::move(product->weights), product->rows);
  return plan->init() ? std::move(plan) : nullptr;
}

GpuPlanPtr planBlockDotMma(const cpu::KernelRegion &region) {
  auto op = dyn_cast_or_null<qd::BlockMatmulOp>(region.root);
  if (!op)
    return nullptr;
  std::optional<cpu::BlockDotInputs> inputs = cpu::blockDotInputs(op);
  std::optional<BlockWeights> weights = getBlockWeights(op);
  if (!weights || !inputs)
    return nullptr;
  auto plan = std::make_unique<BlockDotMmaPlan>(region, *weights, *inputs,
                                                op.getType().getDimSize(0));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu
