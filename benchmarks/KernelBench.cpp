// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Speed of single kernels, as a share of the peak that the same process
// measures: clocks of shared machines drift, ratios do not.
//
//   qdialect-kernel-bench [target] [name part]
//   qdialect-kernel-bench [target] packed   # weights of 4 and 2 bits over int8
//   qdialect-kernel-bench compare target target [name part]   # in turns

#include "DispatchText.h"
#include "KernelHarness.h"
#include "Peaks.h"
#include <algorithm>
#include <chrono>
#include <cstdio>

using namespace qdialect;
using namespace qdialect::testing;

namespace {

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

template <class Run>
double bestSeconds(Run run) {
  double best = 1e9, end = now() + 0.4;
  run();
  for (int i = 0; i < 5 || now() < end; ++i) {
    double start = now();
    run();
    best = std::min(best, now() - start);
  }
  return best;
}

/// What an instruction can do here, on one thread; 0 if that is not known.
double peak(const std::string &instruction) {
  return std::max(0.0,
                  qd_peak(instruction.c_str(), /*threads=*/1, /*seconds=*/0.2));
}

struct Conv {
  const char *name;
  int64_t size, channels, outputs, kernel, stride;
  bool isFloat, depthwise;
  bool isRow = false; ///< an image of one column: the rows of a product
  int bits = 8;       ///< of weights

  int64_t outSize() const {
    return (size + 2 * (kernel / 2) - kernel) / stride + 1;
  }
  double macs() const {
    return double(outSize()) * (isRow ? 1 : outSize()) * kernel * kernel *
           channels * (depthwise ? 1 : outputs);
  }
};

std::string n(int64_t value) { return std::to_string(value); }

/// Convolution with its pad, per-channel requantization and a lower clamp.
std::string convText(std::mt19937 &random, const Conv &c) {
  RandomConstants constants{random};
  int64_t pad = c.kernel / 2, padded = c.size + 2 * pad;
  int64_t out = c.outSize();
  int64_t width = c.isRow ? 1 : c.size, outWidth = c.isRow ? 1 : out,
          paddedWidth = c.isRow ? 1 : padded;
  int most = (1 << (c.bits - 1)) - 1;
  std::string code = c.isFloat ? "f32" : "i8", sum = c.isFloat ? "f32" : "i32";
  std::string input = shapeText({1, c.size, width, c.channels}, code);
  std::string image = shapeText({1, padded, paddedWidth, c.channels}, code);
  std::string sums = shapeText({1, out, outWidth, c.outputs}, sum);
  std::string codes = shapeText({1, out, outWidth, c.outputs}, code);
  std::string filter =
      c.depthwise
          ? shapeText({c.kernel, c.kernel, c.channels}, code)
          : shapeText({c.kernel, c.kernel, c.channels, c.outputs}, code);
  int64_t count =
      c.kernel * c.kernel * c.channels * (c.depthwise ? 1 : c.outputs);
  std::string identity = "affine_map<(n, y, x, c) -> (n, y, x, c)>";
  std::string channel = "affine_map<(n, y, x, c) -> (c)>";
  std::string parallel =
      "[\"parallel\", \"parallel\", \"parallel\", \"parallel\"]";
  std::string vector = shapeText({c.outputs}, "f32"),
              bias = shapeText({c.outputs}, sum);
  std::string body = "    %w = arith.constant " +
                     (c.isFloat ? constants.floats(count, -1, 1)
                                : constants.codes(count, -most, most)) +
                     " : " + filter + "\n    %p = arith.constant " +
                     (c.isFloat ? "0.0" : "-5") + " : " + code + "\n";
  std::string source = "%x0";
  if (pad) {
    std::string widths = "[0, " + n(pad) + ", " + n(pad) + ", 0]";
    body += "    %pad = tensor.pad %x0 low" + widths + " high" + widths +
            " {\n    ^bb0(%i: index, %j: index, %k: index, %l: index):\n      "
            "tensor.yield %p : " +
            code + "\n    } : " + input + " to " + image + "\n";
    source = "%pad";
  }
  body += "    %b = arith.constant " +
          (c.isFloat ? constants.floats(c.outputs, -1, 1)
                     : constants.words(c.outputs, 5000)) +
          " : " + bias + "\n    %e = tensor.empty() : " + sums +
          "\n    %init = linalg.generic {indexing_maps = [" + channel + ", " +
          identity + "], iterator_types = " + parallel + "} ins(%b : " + bias +
          ") outs(%e : " + sums + ") {\n    ^bb0(%i: " + sum + ", %o: " + sum +
          "):\n      linalg.yield %i : " + sum + "\n    } -> " + sums +
          "\n    %acc = linalg." +
          (c.depthwise ? "depthwise_conv_2d_nhwc_hwc" : "conv_2d_nhwc_hwcf") +
          " {strides = dense<" + n(c.stride) +
          "> : tensor<2xi64>, dilations = dense<1> : "
          "tensor<2xi64>} ins(" +
          source + ", %w : " + image + ", " + filter +
          ") outs(%init : " + sums + ") -> " + sums + "\n";
  if (c.isFloat)
    return mainText({input}, codes,
                    body + "    qd.yield %acc : " + codes + "\n");
  body +=
      "    %scale = arith.constant " +
      constants.floats(c.outputs, 0.0005f, 0.002f) + " : " + vector +
      "\n    %eq = tensor.empty() : " + codes +
      "\n    %q = linalg.generic {indexing_maps = [" + identity + ", " +
      channel + ", " + identity + "], iterator_types = " + parallel +
      "} ins(%acc, %scale : " + sums + ", " + vector + ") outs(%eq : " + codes +
      ") {\n    ^bb0(%a: i32, %s: f32, %o: i8):\n      %z = arith.constant -20 "
      ": i32\n"
      "      %c = qd.requantize %a scale %s zero_point %z rounding(half_even) "
      "overflow(saturate) : i32, f32, i32 -> i8\n      %zc = arith.constant "
      "-20 : i8\n"
      "      %m = arith.maxsi %c, %zc : i8\n      linalg.yield %m : i8\n    } "
      "-> " +
      codes + "\n    qd.yield %q : " + codes + "\n";
  return mainText({input}, codes, body);
}

const Conv kConvs[] = {
    {"int8 3x3 64@56", 56, 64, 64, 3, 1, false, false},
    {"int8 3x3 128@28", 28, 128, 128, 3, 1, false, false},
    {"int8 3x3 256@14", 14, 256, 256, 3, 1, false, false},
    {"int8 3x3 512@7", 7, 512, 512, 3, 1, false, false},
    {"int8 1x1 64-256@56", 56, 64, 256, 1, 1, false, false},
    {"int8 1x1 256-64@56", 56, 256, 64, 1, 1, false, false},
    {"int8 1x1 1024-256@14", 14, 1024, 256, 1, 1, false, false},
    {"int8 1x1 512-2048@7", 7, 512, 2048, 1, 1, false, false},
    {"int8 1x1 2048-1000@1", 1, 2048, 1000, 1, 1, false, false},
    {"int8 1x1/2 256-512@56", 56, 256, 512, 1, 2, false, false},
    {"int8 1x1 32-16@112", 112, 32, 16, 1, 1, false, false},
    {"int8 1x1 96-24@56", 56, 96, 24, 1, 1, false, false},
    {"int8 first 3-64@230", 230, 3, 64, 7, 2, false, false},
    {"int8 384x768x768", 384, 768, 768, 1, 1, false, false, /*isRow=*/true},
    {"int8 384x3072x768", 384, 3072, 768, 1, 1, false, false, true},
    {"int8 128x768x768", 128, 768, 768, 1, 1, false, false, true},
    {"int8 128x1536x384", 128, 1536, 384, 1, 1, false, false, true},
    {"int8 16x768x768", 16, 768, 768, 1, 1, false, false, true},
    {"int8 8x768x768", 8, 768, 768, 1, 1, false, false, true},
    {"int8 4x768x768", 4, 768, 768, 1, 1, false, false, true},
    {"f32 3x3 64@56", 56, 64, 64, 3, 1, true, false},
    {"f32 3x3 256@14", 14, 256, 256, 3, 1, true, false},
    {"f32 1x1 256-64@56", 56, 256, 64, 1, 1, true, false},
    {"f32 1x1 512-2048@7", 7, 512, 2048, 1, 1, true, false},
    {"int8 dw3x3 96@56", 56, 96, 96, 3, 1, false, true},
    {"int8 dw3x3 576@14", 14, 576, 576, 3, 1, false, true},
    {"int8 dw5x5 240@14", 14, 240, 240, 5, 1, false, true},
    {"f32 dw3x3 96@56", 56, 96, 96, 3, 1, true, true},
};

/// Codes of 4 and 2 bits in memory beside the same layer's of 8.
const Conv kPacked[] = {
    {"384x768x768", 384, 768, 768, 1, 1, false, false, /*isRow=*/true},
    {"128x768x3072", 128, 768, 3072, 1, 1, false, false, true},
    {"48x768x768", 48, 768, 768, 1, 1, false, false, true},
    {"32x768x768", 32, 768, 768, 1, 1, false, false, true},
    {"24x768x768", 24, 768, 768, 1, 1, false, false, true},
    {"12x768x768", 12, 768, 768, 1, 1, false, false, true},
    {"4x768x768", 4, 768, 768, 1, 1, false, false, true},
    {"1x768x768", 1, 768, 768, 1, 1, false, false, true},
    {"1x4096x4096", 1, 4096, 4096, 1, 1, false, false, true},
    {"3x3 64@56", 56, 64, 64, 3, 1, false, false},
    {"3x3 128@28", 28, 128, 128, 3, 1, false, false},
    {"3x3 512@7", 7, 512, 512, 3, 1, false, false},
    {"1x1 256-64@56", 56, 256, 64, 1, 1, false, false},
    {"1x1 1024-256@14", 14, 1024, 256, 1, 1, false, false},
    {"first 3-64@230", 230, 3, 64, 7, 2, false, false},
    {"dw3x3 96@56", 56, 96, 96, 3, 1, false, true},
    {"dw3x3 576@14", 14, 576, 576, 3, 1, false, true},
};

/// int8 activations times blocked 4-bit weights.
struct Blocked {
  const char *name;
  int64_t rows, depth, channels, block;
};

std::string blockedText(std::mt19937 &random, const Blocked &b) {
  RandomConstants constants{random};
  int64_t blocks = b.depth / b.block;
  std::string x = shapeText({b.rows, b.depth}, "i8"),
              sx = shapeText({b.rows, blocks}, "f32"),
              w = shapeText({b.depth, b.channels}, "i4"),
              sw = shapeText({blocks, b.channels}, "f32"),
              y = shapeText({b.rows, b.channels}, "f32");
  return mainText(
      {x, sx}, y,
      "    %w = arith.constant " +
          constants.codes(b.depth * b.channels, -8, 7) + " : " + w +
          "\n    %s = arith.constant " +
          constants.floats(blocks * b.channels, 0.001f, 0.01f) + " : " + sw +
          "\n    %z = arith.constant dense<1> : " +
          shapeText({blocks, b.channels}, "i32") +
          "\n    %y = qd.block_matmul %x0 scale %x1, %w scale %s zero_point %z "
          "block = " +
          n(b.block) + " : " + x + ", " + sx + ", " + w + ", " + sw + ", " +
          shapeText({blocks, b.channels}, "i32") + " -> " + y +
          "\n    qd.yield %y : " + y + "\n");
}

const Blocked kBlocked[] = {
    {"int4 g32 1x4096x1024", 1, 4096, 1024, 32},
    {"int4 g128 1x4096x1024", 1, 4096, 1024, 128},
    {"int4 g32 128x4096x1024", 128, 4096, 1024, 32},
    {"int4 g128 128x4096x1024", 128, 4096, 1024, 128},
};

/// One line of the table; false if there is no kernel.
bool measure(const char *name, const std::string &text, const CpuTarget &target,
             std::mt19937 &random, double macs) {
  DispatchModule module(text);
  std::unique_ptr<CompiledKernel> kernel =
      CompiledKernel::create(module, target);
  if (!kernel)
    return false;
  kernel->bind(module.randomInputs(random));
  std::string instruction = kernel->instruction(target);
  double top = peak(instruction);
  double seconds = bestSeconds([&] { kernel->runBound(); });
  top = std::max(top, peak(instruction));
  std::printf("%-24s %10.1f %9.1f %6.1f%%  of %.0f (%s), %s, %lld tasks\n",
              name, seconds * 1e6, macs / seconds / 1e9,
              top > 0 ? 100 * macs / seconds / 1e9 / top : 0, top,
              instruction.c_str(), kernel->family().c_str(),
              static_cast<long long>(kernel->numTasks()));
  return true;
}

/// The kernels of one layer for two targets, in turns.
bool compareTargets(const Conv &layer, const CpuTarget &one,
                    const CpuTarget &other) {
  std::unique_ptr<CompiledKernel> kernels[2];
  for (int i : {0, 1}) {
    std::mt19937 random(1);
    DispatchModule module(convText(random, layer));
    kernels[i] = CompiledKernel::create(module, i ? other : one);
    if (!kernels[i])
      return false;
    kernels[i]->bind(module.randomInputs(random));
  }
  double best[2] = {1e9, 1e9};
  for (int round = 0; round < 3; ++round)
    for (int i : {0, 1})
      best[i] = std::min(best[i], bestSeconds([&] { kernels[i]->runBound(); }));
  std::printf("%-24s %s %9.1f us, %s %9.1f us %5.2fx, %7.1f GMAC/s\n",
              layer.name, one.name.c_str(), best[0] * 1e6, other.name.c_str(),
              best[1] * 1e6, best[1] / best[0], layer.macs() / best[0] / 1e9);
  return true;
}

const CpuTarget *findTarget(const std::string &name) {
  for (const CpuTarget &target : allCpuTargets())
    if (target.name == name && target.runsHere())
      return &target;
  std::fprintf(stderr, "this machine does not run '%s'\n", name.c_str());
  return nullptr;
}

/// The kernels of one layer with weights of 8, 4 and 2 bits, in turns.
bool comparePacked(Conv layer, const CpuTarget &target) {
  std::vector<std::unique_ptr<CompiledKernel>> kernels;
  for (int bits : {8, 4, 2}) {
    std::mt19937 random(1);
    layer.bits = bits;
    DispatchModule module(convText(random, layer));
    kernels.push_back(CompiledKernel::create(module, target));
    if (!kernels.back())
      return false;
    kernels.back()->bind(module.randomInputs(random));
  }
  double best[3] = {1e9, 1e9, 1e9};
  for (int round = 0; round < 3; ++round)
    for (size_t i = 0; i < kernels.size(); ++i)
      best[i] = std::min(best[i], bestSeconds([&] { kernels[i]->runBound(); }));
  std::printf("%-18s int8 %9.1f us, 4 bits %9.1f us %5.2fx, 2 bits %9.1f us "
              "%5.2fx\n",
              layer.name, best[0] * 1e6, best[1] * 1e6, best[0] / best[1],
              best[2] * 1e6, best[0] / best[2]);
  return true;
}

} // namespace

int main(int argc, char **argv) {
  std::string targetName = argc > 1 ? argv[1] : "avx512vnni";
  if (targetName == "compare" && argc > 3) {
    const CpuTarget *one = findTarget(argv[2]), *other = findTarget(argv[3]);
    std::string part = argc > 4 ? argv[4] : "";
    for (const Conv &layer : kConvs)
      if (std::string(layer.name).find(part) != std::string::npos &&
          (!one || !other || !compareTargets(layer, *one, *other)))
        return 1;
    return 0;
  }
  std::string filter = argc > 2 ? argv[2] : "";
  const CpuTarget *target = findTarget(targetName);
  if (!target)
    return 1;
  if (filter == "packed") {
    for (const Conv &layer : kPacked)
      if (!comparePacked(layer, *target))
        return 1;
    return 0;
  }
  std::printf("%-24s %10s %9s %7s\n", "kernel", "us", "GMAC/s", "% peak");
  std::mt19937 random(1);
  auto isWanted = [&](const char *name) {
    return std::string(name).find(filter) != std::string::npos;
  };
  for (const Conv &c : kConvs) {
    if (!isWanted(c.name))
      continue;
    if (!measure(c.name, convText(random, c), *target, random, c.macs()))
      return 1;
  }
  for (const Blocked &b : kBlocked)
    if (isWanted(b.name) &&
        !measure(b.name, blockedText(random, b), *target, random,
                 double(b.rows) * b.depth * b.channels))
      return 1;
  return 0;
}
