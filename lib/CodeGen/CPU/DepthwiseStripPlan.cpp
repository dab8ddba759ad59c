// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "depthwise" for codes and filters of two dimensions: tasks are
// runs of units.

#include "DepthwiseStrip.h"
#include "DotPolicy.h"
#include "Families.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class DepthwiseStripPlan : public CpuKernelPlan {
public:
  DepthwiseStripPlan(const KernelRegion &source, DepthwiseStrip strip)
      : region(source), strip(std::move(strip)) {}

  bool init() {
    WindowReduceGeometry &g = strip.g;
    // What is unpacked lies on a thread's stack.
    if (unpackedBytes() <= kMostUnpacked)
      g.image = CodeImage::choose(g.channelCodes(), /*sums=*/std::nullopt);
    constants = packWindowReduce(g);
    if (!g.image.isPacked())
      constants[0] = strip.weightsBlob();
    std::optional<Epilogue> resolved =
        Epilogue::create(region, constants, g.channels);
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    epilogue.rootRange = sumRange(g);
    family = "depthwise";
    weightBits = g.image.bits;
    numTasks = llvm::divideCeil(strip.numUnits(), unitsPerTask());
    numTasks = std::min(strip.numUnits(), numTasks + numTasks % 2);
    keyText = family + g.image.key() + epilogue.key();
    return true;
  }

  std::string instruction(const CpuTarget &target) const override {
    return dotInstruction(target, /*isFloat=*/false, strip.g.image.isNarrow);
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override {
    const WindowReduceGeometry &g = strip.g;
    int64_t tail = g.channels % kBlock;
    LLVM::LLVMFuncOp unit, tailUnit, unpacking;
    if (g.channels >= kBlock)
      unit = emitStripUnit(moduleBuilder, target, (symbol + "_unit").str(),
                           strip, epilogue, kBlock);
    if (tail > 0)
      tailUnit =
          emitStripUnit(moduleBuilder, target, (symbol + "_tail_unit").str(),
                        strip, epilogue, tail);
    unsigned firstConstant = region.numInputs() + 1;
    if (g.image.isPacked())
      unpacking =
          emitStripUnpacking(moduleBuilder, region.dispatch.getLoc(), target,
                             (symbol + "_unpack").str(), strip, firstConstant);

    OpBuilder::InsertionGuard guard(moduleBuilder);
    Emitter e(region.dispatch.getLoc(), moduleBuilder, target);
    LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                            /*internal=*/false);
    Value args = func.getArgument(0);
    Value input = e.at(e.argument(args, g.input), g.inputOffset);
    Value weights = e.argument(args, firstConstant);
    if (unpacking)
      weights = emitUnpacking(e, args, weights, unpacking);
    Value from = firstUnit(e, func.getArgument(1));
    Value to = firstUnit(e, func.getArgument(2));
    e.loop(from, to, 1, [&](Value number) {
      Value channel = e.mul(e.rem(number, strip.numBlocks()), kBlock);
      Value rest = e.div(number, strip.numBlocks());
      Value chunk = e.rem(rest, strip.numChunks);
      rest = e.div(rest, strip.numChunks);
      Value y = e.mul(e.rem(rest, strip.numStrips()), strip.rows);
      Value picture = e.div(rest, strip.numStrips());
      Value x = e.div(e.mul(chunk, strip.width), strip.numChunks);
      Value end = e.div(e.mul(e.add(chunk, 1), strip.width), strip.numChunks);
      Value pixel =
          e.add(e.mul(e.add(e.mul(picture, strip.height), y), strip.width), x);
      SmallVector<Value> operands{
          args,          weights, e.at(input, e.mul(picture, strip.batchStep)),
          pixel,         y,       x,
          e.sub(end, x), channel};
      if (!unit || !tailUnit)
        return e.call(unit ? unit : tailUnit, operands);
      Value isTail = arith::CmpIOp::create(e, arith::CmpIPredicate::eq, channel,
                                           e.index(g.channels - tail));
      e.ifThen(
          isTail, [&] { e.call(tailUnit, operands); },
          [&] { e.call(unit, operands); });
    });
    e.ret();
    return success();
  }

private:
  static constexpr int64_t kMostUnpacked = 512 << 10;
  static constexpr int64_t kBlock = DepthwiseStrip::kBlock;

  int64_t unpackedBytes() const {
    return strip.numBlocks() * strip.blockBytes();
  }
  /// A task shall take some microseconds.
  int64_t unitsPerTask() const {
    int64_t products = strip.rows * strip.mostColumns() * strip.g.numTaps() *
                       std::min(strip.g.channels, kBlock);
    return std::max<int64_t>((128 << 10) / products, 1);
  }
  Value firstUnit(Emitter &e, Value task) const {
    return e.div(e.mul(task, strip.numUnits()), numTasks);
  }

  /// Writes the weights out once for all tasks of a call.
  Value emitUnpacking(Emitter &e, Value args, Value weights,
                      LLVM::LLVMFuncOp unpacking) const {
    Value out = LLVM::AllocaOp::create(e, e.ptr(), e.i8(),
                                       e.index(unpackedBytes()), 64);
    e.loop(e.index(0), e.index(strip.numBlocks()), 1, [&](Value number) {
      e.call(unpacking,
             {args, e.at(weights, e.mul(number, strip.g.blockBytes())),
              e.mul(number, kBlock),
              e.at(out, e.mul(number, strip.blockBytes()))});
    });
    return out;
  }

  KernelRegion region;
  DepthwiseStrip strip;
  Epilogue epilogue;
};

} // namespace

PlanPtr planDepthwiseStrip(const KernelRegion &region) {
  std::optional<WindowReduceGeometry> geometry =
      WindowReduceGeometry::create(region);
  std::optional<DepthwiseStrip> strip =
      geometry ? DepthwiseStrip::create(*geometry) : std::nullopt;
  if (!strip)
    return nullptr;
  auto plan = std::make_unique<DepthwiseStripPlan>(region, std::move(*strip));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
