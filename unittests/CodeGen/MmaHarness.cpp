// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products on tensor cores against loops.

#include "MmaHarness.h"

#include "KernelFunction.h"
#include "MmaKernel.h"
#include "QDialect/CodeGen/NVVM/Ptx.h"
#include "QDialect/PTX/Emulator.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <random>

using namespace mlir;
using namespace qdialect;
using namespace qdialect::gpu;

MmaGeometry test::matrixProduct(int64_t rows, int64_t columns, int64_t run,
                                int64_t pitch) {
  MmaGeometry g;
  g.run = run;
  g.columns = columns;
  g.window.pixels.push_back({rows, pitch ? pitch : run, -1});
  return g;
}

MmaGeometry test::convolution(const test::Convolution &c) {
  MmaGeometry g;
  int64_t outputs =
      (c.size + 2 * c.padding - c.dilation * (c.window - 1) - 1) / c.stride + 1;
  int64_t row = c.size * c.channels;
  int64_t steps[2] = {row, c.channels};
  g.window.pixels.push_back({c.images, c.size * row, -1});
  for (int axis : {0, 1}) {
    cpu::ImageAxis &a = g.window.axes[axis];
    a.filterSize = c.window;
    a.stride = c.stride;
    a.dilation = c.dilation;
    a.low = c.padding;
    a.size = c.size;
    a.filterStep = c.dilation * steps[axis];
    a.padded = c.padding > 0;
    g.window.pixels.push_back({outputs, c.stride * steps[axis], axis});
    g.window.inputOffset -= c.padding * steps[axis];
  }
  g.run = g.groupStep = c.channels / c.groups;
  g.groups = c.groups;
  g.columns = c.filters / c.groups;
  g.window.padLength = c.channels;
  return g;
}

static const GpuTarget &targetOf(StringRef name) {
  for (const GpuTarget &target : allGpuTargets())
    if (target.name == name)
      return target;
  llvm_unreachable("unknown target");
}

std::string test::productPtx(const MmaGeometry &geometry, const MmaTile &tile,
                             StringRef target) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  loadGpuDialects(context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  WarpEmitter e(UnknownLoc::get(&context), builder);
  LLVM::LLVMFuncOp kernel = startKernel(e, "product", 5, tile.threads());
  MmaOperands operands{kernel.getArgument(0), kernel.getArgument(1),
                       kernel.getArgument(2), kernel.getArgument(3), Value()};
  emitMmaKernel(
      e, geometry, tile, "stages", operands, [&](const MmaSums &sums) {
        Value column = e.add(e.mul(sums.group, geometry.columns), sums.column);
        Value place =
            e.add(e.mul(sums.row, geometry.groups * geometry.columns), column);
        Value out = e.at(kernel.getArgument(4), e.mul(place, 4));
        for (auto [i, sum] : llvm::enumerate(sums.sums))
          e.store(sum, e.at(out, 4 * i), 4);
      });
  LLVM::ReturnOp::create(e, ValueRange{});
  llvm::Expected<std::string> text = translateToPtx(*module, targetOf(target));
  EXPECT_TRUE(static_cast<bool>(text)) << llvm::toString(text.takeError());
  return text ? *text : std::string();
}

test::LoopMix test::steadyLoop(StringRef text) {
  SmallVector<StringRef> lines;
  text.split(lines, '\n');
  // Instructions end in a semicolon; a product takes several lines.
  LoopMix mix, body;
  StringRef label;
  for (StringRef line : lines) {
    line = line.trim().take_until([](char c) { return c == '/'; }).trim();
    if (line.ends_with(":")) {
      label = line.drop_back();
      body = {};
    } else if (line.contains("mma.sync")) {
      ++body.products;
    } else if (line.contains("bra") && !label.empty() && line.contains(label) &&
               body.products > 0) {
      mix = {body.products, body.others + 1};
    } else if (line.ends_with(";") && !line.starts_with(".") &&
               !line.starts_with("{")) {
      ++body.others;
    }
  }
  return mix;
}

bool test::expectNoSpills(StringRef ptx, const std::string &target) {
  auto ptxas = llvm::sys::findProgramByName("ptxas");
  if (!ptxas)
    ptxas = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
  if (!ptxas)
    return false;
  SmallString<128> input, output, log;
  for (auto [path, suffix] :
       {std::pair{&input, "ptx"}, {&output, "cubin"}, {&log, "log"}})
    EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("qd-mma", suffix, *path));
  llvm::FileRemover removeInput(input), removeOutput(output), removeLog(log);
  std::error_code failed;
  llvm::raw_fd_ostream(input, failed) << ptx;
  EXPECT_FALSE(failed);
  std::string architecture = "-arch=" + target;
  int code = llvm::sys::ExecuteAndWait(
      *ptxas, {*ptxas, architecture, "-v", input, "-o", output}, std::nullopt,
      {std::nullopt, StringRef(log), StringRef(log)});
  auto said = llvm::MemoryBuffer::getFile(log);
  StringRef text = said ? (*said)->getBuffer() : StringRef();
  EXPECT_EQ(code, 0) << text.str();
  EXPECT_TRUE(text.contains("0 bytes spill stores, 0 bytes spill loads"))
      << text.str();
  return true;
}

namespace {

/// Where row(pixel, tap) starts; nothing where it lies outside.
std::optional<int64_t> rowStart(const cpu::WindowGeometry &w, int64_t pixel,
                                int64_t tap) {
  int64_t filter[2] = {tap / w.axes[1].filterSize, tap % w.axes[1].filterSize};
  int64_t start = w.inputOffset;
  int64_t position[2] = {-w.axes[0].low, -w.axes[1].low};
  for (size_t i = w.pixels.size(); i-- > 0;) {
    int64_t counter = pixel % w.pixels[i].size;
    pixel /= w.pixels[i].size;
    start += counter * w.pixels[i].step;
    if (int axis = w.pixels[i].axis; axis >= 0)
      position[axis] += counter * w.axes[axis].stride;
  }
  for (int axis : {0, 1}) {
    const cpu::ImageAxis &a = w.axes[axis];
    start += filter[axis] * a.filterStep;
    position[axis] += filter[axis] * a.dilation;
    if (a.padded && (position[axis] < 0 || position[axis] >= a.size))
      return std::nullopt;
  }
  return start;
}

template <class T>
std::vector<T> randomNumbers(std::mt19937_64 &random, int64_t count) {
  std::vector<T> numbers(count);
  for (T &number : numbers)
    number = static_cast<T>(random());
  return numbers;
}

} // namespace

ptx::LaunchResult test::expectProduct(const MmaGeometry &g, const MmaTile &tile,
                                      uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const cpu::WindowGeometry &w = g.window;
  int64_t taps = w.numTaps(), bytes = 0;
  for (int64_t pixel = 0; pixel < g.rows(); ++pixel)
    for (int64_t tap = 0; tap < taps; ++tap)
      bytes = std::max(bytes, rowStart(w, pixel, tap).value_or(0) +
                                  (g.groups - 1) * g.groupStep + g.run);
  auto image = randomNumbers<uint8_t>(random, bytes);
  auto padding = randomNumbers<uint8_t>(
      random, llvm::alignTo((g.groups - 1) * g.groupStep + g.run, 16));
  auto weights =
      randomNumbers<int8_t>(random, g.groups * g.columns * taps * g.run);
  auto starts = randomNumbers<int32_t>(random, g.startBytes(tile) / 4);
  auto weightAt = [&](int64_t group, int64_t n, int64_t tap, int64_t k) {
    return weights[((group * g.columns + n) * taps + tap) * g.run + k];
  };
  std::vector<char> packed(g.weightBytes(tile));
  packMmaWeights(g, tile, weightAt, packed);

  std::string text = productPtx(g, tile);
  ptx::Diagnostic why;
  auto emulator = ptx::Emulator::create(text, why);
  if (!emulator) {
    ADD_FAILURE() << why.message;
    return {};
  }
  ptx::LaunchConfig config;
  auto argument = [&](const void *data, uint64_t size, bool isOutput) {
    uint64_t at = emulator->allocate(size, !isOutput, isOutput);
    if (data)
      emulator->write(at, data, size);
    config.arguments.emplace_back(8);
    std::memcpy(config.arguments.back().data(), &at, 8);
    return at;
  };
  int64_t allColumns = g.groups * g.columns;
  argument(image.data(), image.size(), false);
  argument(packed.data(), packed.size(), false);
  argument(starts.data(), 4 * starts.size(), false);
  argument(padding.data(), padding.size(), false);
  std::vector<int32_t> sums(g.rows() * allColumns);
  uint64_t out = argument(nullptr, 4 * sums.size(), true);
  config.grid.x = static_cast<uint32_t>(g.blocks(tile));
  config.block.x = static_cast<uint32_t>(tile.threads());
  config.seed = seed;
  ptx::LaunchResult result;
  bool ran = emulator->launch("product", config, result, why);
  EXPECT_TRUE(ran) << why.message << " at line " << why.line;
  for (const ptx::Finding &finding : result.findings)
    ADD_FAILURE() << finding.line << ": " << finding.message;
  emulator->read(out, sums.data(), 4 * sums.size());

  int64_t wrong = 0;
  for (int64_t m = 0; m < g.rows(); ++m)
    for (int64_t group = 0; group < g.groups; ++group)
      for (int64_t n = 0; n < g.columns; ++n) {
        auto sum = static_cast<uint32_t>(
            starts[group * g.panels(tile) * MmaTile::kWarpColumns + n]);
        for (int64_t tap = 0; tap < taps; ++tap) {
          std::optional<int64_t> start = rowStart(w, m, tap);
          const uint8_t *row =
              (start ? image.data() + *start : padding.data()) +
              group * g.groupStep;
          for (int64_t k = 0; k < g.run; ++k) {
            int32_t code = g.isUnsigned ? row[k] : static_cast<int8_t>(row[k]);
            sum += static_cast<uint32_t>(code * weightAt(group, n, tap, k));
          }
        }
        wrong += sums[m * allColumns + group * g.columns + n] !=
                 static_cast<int32_t>(sum);
      }
  EXPECT_EQ(wrong, 0) << "of " << sums.size();
  return result;
}
