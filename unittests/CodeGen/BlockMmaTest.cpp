// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products with blocked weights on tensor cores against the interpreter, and
// what they cost.

#include "BlockMma.h"

#include "BlockText.h"
#include "GpuCheck.h"
#include "KernelFunction.h"
#include "QDialect/CodeGen/NVVM/Ptx.h"
#include "QDialect/PTX/Emulator.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::gpu;
using namespace qdialect::testing;

namespace {

class BlockMma : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};

  void checkDot(const BlockDotProduct &p, const char *family) {
    SCOPED_TRACE(number(p.m) + " x " + number(p.n) + " x " + number(p.k) +
                 " by " + number(p.block) + " of " + p.codes);
    checkGpuDispatch(blockDotText(random, p), family, random);
  }
  ptx::LaunchResult checkWeights(const BlockWeightsProduct &p,
                                 const char *family) {
    SCOPED_TRACE(number(p.m) + " x " + number(p.n) + " x " + number(p.k) +
                 " by " + number(p.block) + " of " + p.codes);
    return checkGpuDispatch(blockWeightsText(random, p), family, random, {},
                            1e-4);
  }
};

/// Rows, columns and depth that no tile, panel or step divides; blocks of a
/// product, of a step, of several, and longer than the depth.
TEST_F(BlockMma, Dot) {
  for (const BlockDotProduct &p :
       std::vector<BlockDotProduct>{{16, 64, 64, 64, "i4", -8, 7},
                                    {9, 1, 16, 32, "i4", -8, 7},
                                    {13, 65, 37, 32, "i4", -8, 7},
                                    {33, 130, 96, 32, "i4", -8, 7},
                                    {70, 140, 100, 32, "i4", -8, 7},
                                    {17, 80, 1030, 128, "i4", -8, 7},
                                    {12, 16, 640, 256, "i4", -8, 7},
                                    {11, 20, 40, 48, "i4", -8, 7},
                                    {35, 70, 100, 16, "i4", -8, 7, -8, 7}})
    checkDot(p, "mma_block_dot");
}

TEST_F(BlockMma, DotZeroPointsAndWidths) {
  for (const BlockDotProduct &p : std::vector<BlockDotProduct>{
           {15, 70, 300, 64, "i4", -8, 7, -8, 7},
           {15, 70, 70, 32, "i4", -8, 7, 3, 3},
           {15, 70, 70, 32, "i4", -8, 7, -8, 7, /*scaleByBlock=*/false},
           {14, 70, 80, 32, "i2", -2, 1, -2, 1},
           {14, 70, 80, 32, "i8", -128, 127},
           {14, 70, 80, 32, "i8", -100, 100, -20, 20}})
    checkDot(p, "mma_block_dot");
}

/// Distances that need nine bits, and blocks that end inside of a product.
TEST_F(BlockMma, DotLeavesToOthers) {
  checkDot({6, 70, 64, 32, "i8", -128, 127, -128, 127}, "tasks-block-dot");
  checkDot({3, 20, 64, 8, "i4", -8, 7}, "tasks-block-dot");
}

TEST_F(BlockMma, Weights) {
  for (const BlockWeightsProduct &p :
       std::vector<BlockWeightsProduct>{{16, 64, 32, 32, "i4", -8, 7},
                                        {9, 1, 16, 16, "i4", -8, 7},
                                        {13, 65, 37, 16, "i4", -8, 7},
                                        {12, 130, 90, 32, "i4", -8, 7, false},
                                        {35, 70, 100, 16, "i4", -8, 7},
                                        {70, 140, 1030, 128, "i4", -8, 7},
                                        {9, 17, 640, 256, "i4", -8, 7, false},
                                        {9, 17, 33, 32, "i2", -2, 1},
                                        {11, 64, 80, 32, "i8", -128, 127},
                                        {16, 130, 40, 16, "i8", -128, 127}})
    checkWeights(p, "mma_block_weights");
}

TEST_F(BlockMma, WeightsLeavesToOthers) {
  checkWeights({3, 20, 40, 8, "i4", -8, 7}, "tasks-block-weights");
}

/// Depths, columns and blocks that no step, panel or pass of copies divides.
TEST_F(BlockMma, Minifloats) {
  Format e2m1 = Format::minifloat(2, 1), e3m2 = Format::minifloat(3, 2),
         e2m3 = Format::minifloat(2, 3);
  for (const MinifloatProduct &p :
       std::vector<MinifloatProduct>{{16, 64, 32, 32, "f4E2M1FN", e2m1},
                                     {13, 65, 37, 16, "f4E2M1FN", e2m1},
                                     {70, 140, 1030, 128, "f4E2M1FN", e2m1},
                                     {16, 64, 32, 32, "f6E3M2FN", e3m2},
                                     {13, 65, 37, 16, "f6E3M2FN", e3m2},
                                     {35, 140, 330, 330, "f6E3M2FN", e3m2},
                                     {9, 300, 100, 32, "f6E2M3FN", e2m3},
                                     {9, 17, 40, 40, "f8E4M3FN", e4m3()},
                                     {35, 130, 90, 32, "f8E5M2", e5m2()}}) {
    SCOPED_TRACE(number(p.m) + " x " + number(p.n) + " x " + number(p.k) +
                 " by " + number(p.block) + " of " + p.codes);
    checkGpuDispatch(minifloatText(random, p), "mma_block_weights", random, {},
                     1e-4);
  }
}

/// What must come from memory in whole sectors does, and no bank is met twice.
TEST_F(BlockMma, Memory) {
  for (bool zeros : {false, true}) {
    ptx::LaunchResult result = checkWeights(
        {16, 128, 512, 32, "i4", -8, 7, zeros}, "mma_block_weights");
    ptx::SiteCounters copies = result.total(ptx::InstructionClass::AsyncCopy);
    EXPECT_GT(copies.sectors, 0u);
    EXPECT_EQ(copies.sectors, copies.idealSectors);
    EXPECT_EQ(result.total().conflicts, 0u);
  }
  for (const MinifloatProduct &p : std::vector<MinifloatProduct>{
           {16, 128, 512, 32, "f4E2M1FN", Format::minifloat(2, 1)},
           {16, 128, 512, 512, "f6E3M2FN", Format::minifloat(3, 2)}}) {
    ptx::LaunchResult result = checkGpuDispatch(
        minifloatText(random, p), "mma_block_weights", random, {}, 1e-4);
    ptx::SiteCounters copies = result.total(ptx::InstructionClass::AsyncCopy);
    EXPECT_GT(copies.sectors, 0u);
    EXPECT_EQ(copies.sectors, copies.idealSectors);
    EXPECT_EQ(result.total().conflicts, 0u);
  }
  ptx::LaunchResult result =
      checkGpuDispatch(blockDotText(random, {16, 128, 512, 64, "i4", -8, 7}),
                       "mma_block_dot", random);
  ptx::SiteCounters copies = result.total(ptx::InstructionClass::AsyncCopy);
  EXPECT_EQ(copies.sectors, copies.idealSectors);
  EXPECT_EQ(result.total().conflicts, 0u);
}

/// The PTX of a product that stores its sums.
std::string blockPtx(const BlockMmaGeometry &g, const MmaTile &tile) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  loadGpuDialects(context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  WarpEmitter e(UnknownLoc::get(&context), builder);
  LLVM::LLVMFuncOp kernel = startKernel(e, "product", 6, tile.threads());
  BlockMmaOperands operands;
  operands.activations = kernel.getArgument(0);
  operands.codes = kernel.getArgument(1);
  operands.scales = kernel.getArgument(2);
  if (g.isInteger()) {
    operands.starts = kernel.getArgument(3);
    operands.leftScales = kernel.getArgument(4);
  }
  emitBlockMmaKernel(e, g, tile, "stages", operands, [&](const MmaSums &sums) {
    Value place = e.add(e.mul(sums.row, g.columns), sums.column);
    Value out = e.at(kernel.getArgument(5), e.mul(place, 4));
    for (auto [i, sum] : llvm::enumerate(sums.sums))
      e.store(sum, e.at(out, 4 * i), 4);
  });
  LLVM::ReturnOp::create(e, ValueRange{});
  llvm::Expected<std::string> text =
      translateToPtx(*module, allGpuTargets().front());
  EXPECT_TRUE(static_cast<bool>(text)) << llvm::toString(text.takeError());
  return text ? *text : std::string();
}

struct Executed {
  int64_t products = 0, others = 0;
};

/// What a block of threads executes on zeros.
Executed execute(const BlockMmaGeometry &g, const MmaTile &tile) {
  ptx::Diagnostic why;
  auto emulator = ptx::Emulator::create(blockPtx(g, tile), why);
  if (!emulator) {
    ADD_FAILURE() << why.line << ": " << why.message;
    return {};
  }
  ptx::LaunchConfig config;
  int64_t parameters = g.panels(tile) * g.numBlocks() * 4 * 64;
  for (int64_t size :
       {g.rows * g.depth * 4, g.panels(tile) * g.panelBytes(), parameters,
        parameters, g.rows * g.numBlocks() * 4, g.rows * g.columns * 4}) {
    std::vector<char> zeros(size);
    uint64_t at = emulator->allocate(size, true, true);
    emulator->write(at, zeros.data(), size);
    config.arguments.emplace_back(8);
    std::memcpy(config.arguments.back().data(), &at, 8);
  }
  config.grid.x = static_cast<uint32_t>(g.blocks(tile));
  config.block.x = static_cast<uint32_t>(tile.threads());
  ptx::LaunchResult result;
  EXPECT_TRUE(emulator->launch("product", config, result, why))
      << why.line << ": " << why.message;
  EXPECT_EQ(result.total().conflicts, 0u);
  Executed sum;
  for (const ptx::LineReport &line : result.lines)
    (StringRef(line.opcode).starts_with("mma") ? sum.products : sum.others) +=
        static_cast<int64_t>(line.counters.executed);
  return sum;
}

/// What a step of a warp (32 rows, 64 columns, 32 or 64 deep) executes beside
/// its products, scaling apart: the table of docs/GPUKernels.md.
TEST(BlockMmaCost, Step) {
  struct Budget {
    BlockOperands operands;
    unsigned bits;
    int64_t products, others;
    std::optional<Format> minifloat = std::nullopt;
  };
  Format e2m1 = Format::minifloat(2, 1), e3m2 = Format::minifloat(3, 2);
  for (Budget budget : {Budget{BlockOperands::Halves, 4, 32, 122},
                        Budget{BlockOperands::Halves, 8, 32, 115},
                        Budget{BlockOperands::Bfloats, 4, 32, 137},
                        Budget{BlockOperands::SplitFloats, 4, 96, 277},
                        Budget{BlockOperands::SplitFloats, 8, 96, 350},
                        Budget{BlockOperands::Codes, 4, 32, 89},
                        Budget{BlockOperands::Codes, 8, 32, 40},
                        Budget{BlockOperands::Halves, 4, 32, 167, e2m1},
                        Budget{BlockOperands::Halves, 6, 32, 221, e3m2},
                        Budget{BlockOperands::Halves, 8, 32, 178, e4m3()},
                        Budget{BlockOperands::Halves, 8, 32, 84, e5m2()},
                        Budget{BlockOperands::Bfloats, 4, 32, 201, e2m1},
                        Budget{BlockOperands::Bfloats, 6, 32, 251, e3m2}}) {
    BlockMmaGeometry g;
    g.operands = budget.operands;
    g.bits = budget.bits;
    g.rows = 64;
    g.columns = 128;
    g.zero = 8;
    g.minifloat = budget.minifloat;
    MmaTile tile = g.chooseTile(1);
    ASSERT_EQ(tile.warpRows, 32);
    // One block of the depth; twice the depth is as many more steps.
    constexpr int64_t steps = 16;
    g.depth = g.rowStride = g.block = steps * g.stepDepth();
    Executed once = execute(g, tile);
    g.depth = g.rowStride = g.block = 2 * g.depth;
    Executed twice = execute(g, tile);
    int64_t warpSteps = steps * tile.threads() / 32;
    SCOPED_TRACE(number(budget.bits) + " bits, operands " +
                 number(static_cast<int64_t>(budget.operands)));
    EXPECT_EQ((twice.products - once.products) / warpSteps, budget.products);
    EXPECT_LE((twice.others - once.others) / warpSteps, budget.others);
  }
}

} // namespace
