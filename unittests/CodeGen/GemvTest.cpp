// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of few rows against the interpreter, and what they cost.

#include "Gemv.h"

#include "BlockText.h"
#include "ContractionText.h"
#include "GpuCheck.h"
#include "KernelFunction.h"
#include "MmaHarness.h"
#include "QDialect/CodeGen/NVVM/Ptx.h"
#include "QDialect/PTX/Emulator.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::gpu;
using namespace qdialect::testing;

namespace {

class Gemv : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};

  template <class Product>
  std::string name(const Product &p) {
    return number(p.m) + " x " + number(p.n) + " x " + number(p.k) + " by " +
           number(p.block) + " of " + p.codes;
  }
  void checkDot(const BlockDotProduct &p, const char *family) {
    SCOPED_TRACE(name(p));
    checkGpuDispatch(blockDotText(random, p), family, random);
  }
  ptx::LaunchResult checkWeights(const BlockWeightsProduct &p) {
    SCOPED_TRACE(name(p));
    return checkGpuDispatch(blockWeightsText(random, p), "gemv_block_weights",
                            random, {}, 1e-4);
  }
  ptx::LaunchResult checkMinifloats(const MinifloatProduct &p) {
    SCOPED_TRACE(name(p));
    return checkGpuDispatch(minifloatText(random, p), "gemv_block_weights",
                            random, {}, 1e-4);
  }
  int64_t between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random() % (most - least + 1));
  }
};

/// Codes with one scale, which is the epilogue's: the interpreter's bits.
TEST_F(Gemv, Codes) {
  for (auto [m, n, k] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                            {7, 65, 5},
                                                            {8, 63, 129},
                                                            {1, 130, 70},
                                                            {4, 128, 1024},
                                                            {3, 33, 1500}}) {
    SCOPED_TRACE(number(m) + " x " + number(n) + " x " + number(k));
    checkGpuDispatch(matmulText(random, m, n, k), "gemv", random);
  }
  checkGpuDispatch(matmulText(random, 9, 64, 64), "mma", random);
}

TEST_F(Gemv, Dot) {
  for (const BlockDotProduct &p : std::vector<BlockDotProduct>{
           {1, 64, 2048, 32, "i4", -8, 7},
           {1, 1, 16, 32, "i4", -8, 7},
           {5, 65, 37, 32, "i4", -8, 7},
           {8, 130, 96, 32, "i4", -8, 7, -8, 7},
           {4, 16, 640, 256, "i4", -8, 7},
           {3, 20, 1030, 128, "i4", -8, 7},
           {7, 70, 300, 64, "i4", -8, 7, -8, 7},
           {7, 70, 70, 32, "i4", -8, 7, 3, 3},
           {2, 70, 700, 64, "i4", -8, 7, -8, 7, /*scaleByBlock=*/false},
           {6, 70, 80, 32, "i2", -2, 1, -2, 1},
           {6, 70, 80, 32, "i8", -128, 127},
           {8, 70, 330, 64, "i8", -100, 100, -20, 20}})
    checkDot(p, "gemv_block_dot");
}

/// Blocks that end inside of a product, and such as no round is made of.
TEST_F(Gemv, LeavesToOthers) {
  checkDot({5, 70, 100, 16, "i4", -8, 7, -8, 7}, "mma_block_dot");
  checkDot({2, 20, 4000, 1984, "i4", -8, 7}, "mma_block_dot");
}

TEST_F(Gemv, Weights) {
  for (const BlockWeightsProduct &p :
       std::vector<BlockWeightsProduct>{{1, 64, 2048, 32, "i4", -8, 7},
                                        {1, 1, 16, 16, "i4", -8, 7},
                                        {5, 65, 37, 16, "i4", -8, 7},
                                        {8, 130, 1030, 16, "i4", -8, 7},
                                        {2, 70, 36, 16, "i4", -8, 7},
                                        {4, 130, 90, 32, "i4", -8, 7, false},
                                        {2, 17, 640, 256, "i4", -8, 7, false},
                                        {8, 17, 33, 32, "i2", -2, 1},
                                        {3, 64, 80, 32, "i8", -128, 127},
                                        {4, 70, 1000, 128, "i8", -128, 127}})
    checkWeights(p);
}

TEST_F(Gemv, Minifloats) {
  Format e2m1 = Format::minifloat(2, 1), e3m2 = Format::minifloat(3, 2),
         e2m3 = Format::minifloat(2, 3);
  for (const MinifloatProduct &p :
       std::vector<MinifloatProduct>{{1, 64, 1024, 32, "f4E2M1FN", e2m1},
                                     {5, 65, 37, 16, "f4E2M1FN", e2m1},
                                     {8, 140, 1030, 128, "f4E2M1FN", e2m1},
                                     {2, 64, 32, 32, "f6E3M2FN", e3m2},
                                     {4, 140, 1330, 1330, "f6E3M2FN", e3m2},
                                     {3, 70, 100, 32, "f6E2M3FN", e2m3},
                                     {7, 17, 40, 40, "f8E4M3FN", e4m3()},
                                     {1, 130, 900, 900, "f8E5M2", e5m2()}})
    checkMinifloats(p);
}

TEST_F(Gemv, RandomShapes) {
  constexpr int64_t blocks[] = {16, 32, 64, 96, 128};
  for (int i = 0; i < 6; ++i) {
    int64_t m = between(1, 8), n = between(1, 150), k = between(1, 900);
    checkGpuDispatch(matmulText(random, m, n, k), "gemv", random);
    checkWeights({m, n, k, blocks[random() % 3], "i4", -8, 7, i % 2 == 0});
    checkDot({m, n, k, blocks[1 + random() % 2], "i4", -8, 7, -8, 7},
             "gemv_block_dot");
  }
}

/// Weights are read once, in whole sectors; no bank is met twice.
TEST_F(Gemv, Memory) {
  auto check = [](const ptx::LaunchResult &result, int64_t weightBytes) {
    EXPECT_EQ(result.total().conflicts, 0u);
    // Loads of 16 bytes a lane are those of weights alone.
    uint64_t sectors = 0, requests = 0;
    for (const ptx::LineReport &line : result.lines)
      if (StringRef(line.opcode).contains("global") &&
          StringRef(line.opcode).starts_with("ld") &&
          StringRef(line.opcode).contains("v4") &&
          line.counters.sectors == 16 * line.counters.executed) {
        sectors += line.counters.sectors;
        requests += line.counters.executed;
      }
    EXPECT_EQ(static_cast<int64_t>(requests * 512), weightBytes);
    EXPECT_EQ(static_cast<int64_t>(sectors * 32), weightBytes);
  };
  check(checkWeights({4, 128, 1024, 32, "i4", -8, 7}), 128 * 1024 / 2);
  check(checkWeights({1, 128, 1024, 64, "i8", -128, 127}), 128 * 1024);
  check(checkGpuDispatch(blockDotText(random, {1, 128, 1024, 64, "i4", -8, 7}),
                         "gemv_block_dot", random),
        128 * 1024 / 2);
  check(checkGpuDispatch(matmulText(random, 2, 128, 1024), "gemv", random),
        128 * 1024);
}

struct Kind {
  BlockOperands operands;
  unsigned bits;
  int64_t instructions; ///< of warps for 1024 weights
  std::optional<Format> minifloat = std::nullopt;
};

BlockMmaGeometry geometryOf(const Kind &kind, int64_t rows, int64_t block,
                            int64_t depth) {
  BlockMmaGeometry g;
  g.operands = kind.operands;
  g.bits = kind.bits;
  g.minifloat = kind.minifloat;
  g.zero = 8;
  g.rows = rows;
  g.columns = 128;
  g.block = block;
  g.depth = g.rowStride = depth;
  return g;
}

/// The PTX of a product that stores its sums.
std::string gemvPtx(const BlockMmaGeometry &g, const GpuTarget &target) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  loadGpuDialects(context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  WarpEmitter e(UnknownLoc::get(&context), builder);
  GemvShape shape = *GemvShape::choose(g);
  LLVM::LLVMFuncOp kernel = startKernel(e, "product", 6, shape.threads());
  BlockMmaOperands operands;
  operands.activations = kernel.getArgument(0);
  operands.codes = kernel.getArgument(1);
  operands.scales = kernel.getArgument(2);
  if (g.isInteger()) {
    operands.starts = kernel.getArgument(3);
    operands.leftScales = kernel.getArgument(4);
  }
  emitGemvKernel(e, g, shape, "sums", operands, [&](const MmaSums &sums) {
    Value place = e.add(e.mul(sums.row, g.columns), sums.column);
    Value out = e.at(kernel.getArgument(5), e.mul(place, 4));
    for (auto [i, sum] : llvm::enumerate(sums.sums))
      e.store(sum, e.at(out, 4 * i), 4);
  });
  LLVM::ReturnOp::create(e, ValueRange{});
  llvm::Expected<std::string> text = translateToPtx(*module, target);
  EXPECT_TRUE(static_cast<bool>(text)) << llvm::toString(text.takeError());
  return text ? *text : std::string();
}

/// What all warps execute on zeros.
int64_t execute(const BlockMmaGeometry &g) {
  ptx::Diagnostic why;
  auto emulator =
      ptx::Emulator::create(gemvPtx(g, allGpuTargets().front()), why);
  if (!emulator) {
    ADD_FAILURE() << why.line << ": " << why.message;
    return 0;
  }
  ptx::LaunchConfig config;
  int64_t panels = 2, parameters = panels * g.numBlocks() * 4 * 64;
  for (int64_t size :
       {g.rows * g.depth * 4, panels * g.panelBytes(), parameters, parameters,
        g.rows * g.numBlocks() * 4, g.rows * g.columns * 4}) {
    std::vector<char> zeros(size);
    uint64_t at = emulator->allocate(size, true, true);
    emulator->write(at, zeros.data(), size);
    config.arguments.emplace_back(8);
    std::memcpy(config.arguments.back().data(), &at, 8);
  }
  config.grid.x = static_cast<uint32_t>(panels);
  config.block.x = static_cast<uint32_t>(GemvShape::choose(g)->threads());
  ptx::LaunchResult result;
  EXPECT_TRUE(emulator->launch("product", config, result, why))
      << why.line << ": " << why.message;
  int64_t executed = 0;
  for (const ptx::LineReport &line : result.lines)
    executed += static_cast<int64_t>(line.counters.executed);
  return executed;
}

const Kind kKinds[] = {
    {BlockOperands::Halves, 4, 62},
    {BlockOperands::Halves, 8, 65},
    {BlockOperands::Bfloats, 4, 69},
    {BlockOperands::SplitFloats, 4, 117},
    {BlockOperands::SplitFloats, 8, 161},
    {BlockOperands::Codes, 4, 32},
    {BlockOperands::Codes, 8, 29},
    {BlockOperands::Halves, 4, 85, Format::minifloat(2, 1)},
    {BlockOperands::Halves, 6, 118, Format::minifloat(3, 2)},
    {BlockOperands::Bfloats, 8, 114, e4m3()},
};

/// Instructions of warps, products among them, for 1024 weights in blocks of
/// 128 and four rows: the table of docs/GPUKernels.md.
TEST(GemvCost, Weights) {
  for (const Kind &kind : kKinds) {
    constexpr int64_t depth = 2048;
    int64_t more = execute(geometryOf(kind, 4, 128, 2 * depth)) -
                   execute(geometryOf(kind, 4, 128, depth));
    SCOPED_TRACE(number(kind.bits) + " bits, operands " +
                 number(static_cast<int64_t>(kind.operands)));
    int64_t thousands = 128 * depth / 1024;
    EXPECT_LE((more + thousands / 2) / thousands, kind.instructions);
  }
}

TEST(GemvCost, PtxasSpillsNothing) {
  for (const GpuTarget &target : allGpuTargets())
    for (const Kind &kind : ArrayRef(kKinds).take_front(
             target.capability == allGpuTargets()[0].capability ? 10 : 1))
      if (!test::expectNoSpills(gemvPtx(geometryOf(kind, 8, 32, 1056), target),
                                target.name))
        GTEST_SKIP() << "no ptxas";
}

} // namespace
