// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "depthwise": windows over i8 codes that keep channels apart,
// depthwise convolutions and average pools, by dp4a.
//
// A thread has four neighbouring channels, which are one word of the image, and
// one or more neighbouring pixels. The words of four taps are transposed (eight
// byte permutations) into one word a channel, and one dp4a multiplies it with
// the channel's four weights. One tap alone needs no transposition: its weights
// lie in words of three zeros. Two need half of it.

#include "ElementEmitter.h"
#include "Families.h"
#include "KernelFunction.h"
#include "WarpEmitter.h"
#include "WindowReduce.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace qdialect::gpu {
namespace {

constexpr int64_t kThreads = 128;
/// Channels of a thread, and taps of a product.
constexpr int64_t kFour = 4;
/// The code is straight: all taps of all pixels of a thread.
constexpr int64_t kMostTaps = 64;
/// That a GPU has work enough when a thread has more than one pixel.
constexpr int64_t kEnoughThreads = 1 << 14;

class DepthwisePlan : public GpuKernelPlan {
public:
  DepthwisePlan(const cpu::KernelRegion &source,
                cpu::WindowReduceGeometry geometry)
      : region(source), g(std::move(geometry)) {
    family =
        g.kind == cpu::WindowReduceGeometry::Depthwise ? "depthwise" : "pool";
    keyText = "depthwise" + cpu::structureKey(region.dispatch);
    if (g.kind == cpu::WindowReduceGeometry::Depthwise)
      weightBits = 8;
  }

  bool init();

  GpuLaunch launch(const GpuTarget &target) const override {
    return {(threads() + kThreads - 1) / kThreads, kThreads, 0};
  }

  std::string instruction(const GpuTarget &target) const override {
    return "dp4a.u32.s32";
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override;

private:
  int64_t quads() const { return g.channels / kFour; }
  int64_t tapGroups() const { return (g.numTaps() + kFour - 1) / kFour; }
  /// Of the last group.
  int64_t lastTaps() const { return g.numTaps() - (tapGroups() - 1) * kFour; }
  int64_t threads() const { return g.numPixels() / pixels * quads(); }
  ConstantBlob packWeights() const;

  cpu::KernelRegion region;
  cpu::WindowReduceGeometry g;
  int64_t pixels = 1; ///< of a thread, along the innermost loop
};

/// By group of taps, then four channels: a word for each channel.
ConstantBlob DepthwisePlan::packWeights() const {
  ConstantBlob blob;
  blob.size = tapGroups() * g.channels * kFour;
  blob.fill = [g = g, groups = tapGroups(),
               last = lastTaps()](MutableArrayRef<char> out) {
    std::fill(out.begin(), out.end(), 0);
    for (int64_t tap = 0; tap < g.numTaps(); ++tap)
      for (int64_t c = 0; c < g.channels; ++c) {
        int64_t group = tap / kFour, byte = tap % kFour;
        // Where the word of a channel comes from in words that were not, or not
        // wholly, transposed.
        if (group == groups - 1 && last <= 2)
          byte += c % kFour * last % kFour;
        out[(group * g.channels + c) * kFour + byte] =
            static_cast<char>(g.weight(tap, c));
      }
  };
  return blob;
}

bool DepthwisePlan::init() {
  if (g.isFloat || g.codeBytes != 1 ||
      g.kind == cpu::WindowReduceGeometry::Max || g.mergedRows ||
      g.channels % kFour != 0 || g.numTaps() > kMostTaps ||
      region.resultType().getNumElements() > INT32_MAX ||
      !isFollowedTo(region.dispatch, region.root))
    return false;
  // Whole words of the image.
  for (const cpu::PixelLoop &loop : g.pixels)
    if (loop.step % kFour != 0)
      return false;
  Type image = region.body().getArgument(g.input).getType();
  if (g.inputOffset % kFour != 0 || g.axes[0].filterStep % kFour != 0 ||
      g.axes[1].filterStep % kFour != 0 ||
      tensorAlignment(image) % kFour != 0 ||
      cast<RankedTensorType>(image).getNumElements() > INT32_MAX)
    return false;
  for (int64_t many : {4, 2})
    if (!g.pixels.empty() && g.pixels.back().size % many == 0 &&
        g.numPixels() / many * quads() >= kEnoughThreads) {
      pixels = many;
      break;
    }
  for (Value constant : loadedConstants(region.dispatch, region.root)) {
    std::optional<ConstantView> view = constantView(constant);
    if (!view)
      return false;
    constants.push_back(cpu::tensorBlob(std::move(*view)));
  }
  std::vector<ConstantBlob> packed = cpu::packWindowReduce(g);
  constants.push_back(packWeights());
  constants.push_back(std::move(packed[1])); // starts of the sums
  if (g.padded())
    constants.push_back(std::move(packed[2]));
  numTasks = threads();
  return true;
}

/// The work of a thread.
class DepthwiseEmitter {
public:
  using Values = WarpEmitter::Values;

  /// `pixel` and `quad` are the thread's first.
  DepthwiseEmitter(WarpEmitter &e, const cpu::WindowReduceGeometry &g,
                   Value pixel, Value quad, Value image, Value padding)
      : e(e), g(g) {
    Value channel = e.mul(quad, kFour);
    if (padding)
      paddingWord = e.at(padding, e.toI64(channel));
    Value offset = e.toI64(channel);
    for (const cpu::PixelLoop &loop : llvm::reverse(g.pixels)) {
      Value here = e.rem(pixel, loop.size);
      pixel = e.div(pixel, loop.size);
      offset = e.add(offset, e.mul(e.toI64(here), loop.step));
      if (loop.axis >= 0)
        positions[loop.axis] = e.sub(e.mul(here, g.axes[loop.axis].stride),
                                     e.constant(g.axes[loop.axis].low));
    }
    for (auto [axis, position] : llvm::enumerate(positions))
      if (!position)
        position = e.constant(-g.axes[axis].low);
    first = e.at(e.at(image, offset), g.inputOffset);
  }

  /// The image's word at a tap of the pixel that is `ahead` behind the first.
  Value word(int64_t ahead, int64_t tap) {
    int64_t y = tap / g.axes[1].filterSize, x = tap % g.axes[1].filterSize;
    bool alongX = !g.pixels.empty() && g.pixels.back().axis == 1;
    int64_t step = g.pixels.empty() ? 0 : g.pixels.back().step;
    int64_t offset =
        ahead * step + y * g.axes[0].filterStep + x * g.axes[1].filterStep;
    int64_t moved[2] = {y * g.axes[0].dilation, x * g.axes[1].dilation};
    if (ahead != 0)
      moved[alongX ? 1 : 0] += ahead * g.axes[alongX ? 1 : 0].stride;
    // Neighbouring pixels share what lies in both windows.
    Value &loaded = words[{offset, moved[0], moved[1]}];
    if (loaded)
      return loaded;
    Value from = e.at(first, offset);
    Value isInside;
    for (int axis : {0, 1})
      if (g.axes[axis].padded) {
        Value fits = inside(axis, moved[axis]);
        isInside = isInside ? arith::AndIOp::create(e, isInside, fits) : fits;
      }
    if (isInside)
      from = e.select(isInside, from, paddingWord);
    loaded = e.load(e.getI32Type(), from, kFour);
    return loaded;
  }

private:
  Value inside(int axis, int64_t moved) {
    Value &known = insides[{axis, moved}];
    // Seeded fault 199: the first row or column of padding is the image's.
    int64_t size = g.axes[axis].size + (QDIALECT_MUTATE == 199 ? 1 : 0);
    if (!known)
      known = e.isLessUnsigned(e.add(positions[axis], moved), e.constant(size));
    return known;
  }

  WarpEmitter &e;
  const cpu::WindowReduceGeometry &g;
  Value first, paddingWord;
  Value positions[2]; ///< of the first pixel's first tap
  std::map<std::array<int64_t, 3>, Value> words;
  std::map<std::pair<int, int64_t>, Value> insides;
};

/// One word for each of four channels, of the words of up to four taps.
WarpEmitter::Values transposed(WarpEmitter &e, ArrayRef<Value> taps) {
  if (taps.size() == 1)
    return WarpEmitter::Values(kFour, taps[0]);
  // Bytes a0 b0 a1 b1 and a2 b2 a3 b3.
  // Seeded fault 200: taps change places.
  int64_t lowBytes = QDIALECT_MUTATE == 200 ? 0x1504 : 0x5140;
  auto low = [&](Value a, Value b) { return e.permute(a, b, lowBytes); };
  auto high = [&](Value a, Value b) { return e.permute(a, b, 0x7362); };
  Value lower = low(taps[0], taps[1]), upper = high(taps[0], taps[1]);
  if (taps.size() == 2)
    return {lower, lower, upper, upper};
  // A fourth that is not there has weights of zero.
  Value last = taps.back();
  Value nextLower = low(taps[2], last), nextUpper = high(taps[2], last);
  return {
      e.permute(lower, nextLower, 0x5410), e.permute(lower, nextLower, 0x7632),
      e.permute(upper, nextUpper, 0x5410), e.permute(upper, nextUpper, 0x7632)};
}

LogicalResult DepthwisePlan::emit(OpBuilder &moduleBuilder,
                                  const GpuTarget &target, StringRef symbol) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  WarpEmitter e(region.dispatch.getLoc(), moduleBuilder);
  unsigned firstConstant = region.numInputs() + 1;
  LLVM::LLVMFuncOp kernel =
      startKernel(e, symbol, firstConstant + constants.size(), kThreads);
  markArguments(kernel, region.dispatch);
  auto four = VectorType::get({kFour}, e.getI32Type());
  auto wordsAt = [&](Value pointer, Value offset) {
    Value loaded = e.load(four, e.at(pointer, offset), 16);
    WarpEmitter::Values values;
    for (int64_t i = 0; i < kFour; ++i)
      values.push_back(
          LLVM::ExtractElementOp::create(e, loaded, e.constant(i)));
    return values;
  };

  auto own = kernel.getArguments().take_back(g.padded() ? 3 : 2);
  Value thread = e.add(e.mul(e.blockId(), kThreads), e.threadId());
  e.ifThen(e.isLessUnsigned(thread, e.constant(threads())), [&] {
    Value quad = e.rem(thread, quads());
    Value pixel = e.mul(e.div(thread, quads()), pixels);
    Value ofQuad = e.toI64(e.mul(quad, 16));
    DepthwiseEmitter window(e, g, pixel, quad, kernel.getArgument(g.input),
                            g.padded() ? own.back() : Value());
    SmallVector<WarpEmitter::Values> sums(pixels, wordsAt(own[1], ofQuad));
    for (int64_t group = 0; group < tapGroups(); ++group) {
      WarpEmitter::Values weights =
          wordsAt(e.at(own[0], group * g.channels * kFour), ofQuad);
      int64_t count = group + 1 == tapGroups() ? lastTaps() : kFour;
      for (int64_t p = 0; p < pixels; ++p) {
        WarpEmitter::Values taps;
        for (int64_t tap = 0; tap < count; ++tap)
          taps.push_back(window.word(p, group * kFour + tap));
        WarpEmitter::Values words = transposed(e, taps);
        for (int64_t c = 0; c < kFour; ++c)
          sums[p][c] = e.dot(words[c], weights[c], sums[p][c]);
      }
    }

    ElementEmitter elements(e, region.dispatch, kernel.getArguments(),
                            region.root);
    Value result = region.dispatch.getYield().getOperand(0);
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(result.getType()).getShape();
    auto toIndex = [&](Value i32) -> Value {
      return arith::IndexCastUIOp::create(e, e.getIndexType(), i32);
    };
    Value start =
        e.add(e.mul(toIndex(pixel), g.channels), e.mul(toIndex(quad), kFour));
    for (int64_t p = 0; p < pixels; ++p) {
      ElementEmitter::Places places;
      SmallVector<Value> positions;
      Value ofPixel = e.add(start, p * g.channels);
      WarpEmitter::Values indices = elements.indicesOf(ofPixel, shape);
      for (int64_t c = 0; c < kFour; ++c) {
        positions.push_back(e.add(ofPixel, c));
        places.push_back(indices);
        if (shape.back() % kFour == 0)
          places.back().back() = e.add(indices.back(), c);
        else if (c != 0)
          places.back() = elements.indicesOf(positions.back(), shape);
        elements.identify(places.back(), shape, positions.back());
      }
      elements.define(region.root->getResult(0), sums[p]);
      for (auto [value, position] :
           llvm::zip_equal(elements.at(result, places), positions))
        elements.store(value, position);
    }
  });
  LLVM::ReturnOp::create(e, ValueRange());
  return success();
}

} // namespace

GpuPlanPtr planDepthwise(const cpu::KernelRegion &region) {
  if (region.shapes)
    return nullptr;
  std::optional<cpu::WindowReduceGeometry> geometry =
      cpu::WindowReduceGeometry::create(region);
  if (!geometry)
    return nullptr;
  auto plan = std::make_unique<DepthwisePlan>(region, std::move(*geometry));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu
