// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The families "depthwise" and "pool": tasks are runs of pixels.

#include "Families.h"
#include "WindowReduce.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <map>

using namespace mlir;

namespace qdialect::cpu {
namespace {

class WindowReducePlan : public CpuKernelPlan {
public:
  WindowReducePlan(const KernelRegion &source, WindowReduceGeometry geometry)
      : region(source), g(std::move(geometry)) {}

  bool init() {
    // What is unpacked lies on a thread's stack.
    bool hasRoom = unpackedBytes() <= kMostUnpacked;
    if (isDepthwise() && !g.isFloat && hasRoom)
      g.image = CodeImage::choose(g.channelCodes(), /*sums=*/std::nullopt);
    constants = packWindowReduce(g);
    std::optional<Epilogue> resolved =
        Epilogue::create(region, constants, g.channels);
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    epilogue.rootRange = sumRange(g);
    family = isDepthwise() ? "depthwise" : "pool";
    if (isDepthwise())
      weightBits = g.isFloat ? 32 : g.image.bits;
    chooseTasks();
    keyText = family + g.image.key() + epilogue.key();
    return true;
  }

  std::string instruction(const CpuTarget &target) const override {
    bool bytes = !g.isFloat && g.kind != WindowReduceGeometry::Max;
    if (bytes && target.hasDotProduct() && target.hasAvx512())
      return "vpdpbusd zmm";
    return CpuKernelPlan::instruction(target);
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override {
    ReduceTile largest = ReduceTile::largest(target, g);
    int64_t blockChannels = largest.vectors * Emitter::kLanes;
    int64_t tail = g.channels % blockChannels;
    std::map<std::pair<int64_t, bool>, LLVM::LLVMFuncOp> tiles;
    for (int64_t rows : tileHeights(largest.rows))
      for (bool isTail : {false, true}) {
        if (isTail ? tail == 0 : g.channels < blockChannels)
          continue;
        ReduceTile shape{rows, largest.vectors, isTail ? tail : blockChannels};
        std::string name =
            (symbol + "_tile" + Twine(rows) + "x" + Twine(shape.channels))
                .str();
        tiles[{rows, isTail}] = emitReduceTile(moduleBuilder, target, name, g,
                                               epilogue, shape, tableStride());
      }

    LLVM::LLVMFuncOp unpacking;
    if (g.image.isPacked())
      unpacking = emitBlockUnpacking(moduleBuilder, region.dispatch.getLoc(),
                                     target, (symbol + "_unpack").str(), g,
                                     region.numInputs() + 1);

    OpBuilder::InsertionGuard guard(moduleBuilder);
    Emitter e(region.dispatch.getLoc(), moduleBuilder, target);
    LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                            /*internal=*/false);
    Value args = func.getArgument(0);
    unsigned firstConstant = region.numInputs() + 1;
    Value input = e.argument(args, g.input);
    Value padding = g.padded() ? e.argument(args, firstConstant + 2) : Value();
    Value table = LLVM::AllocaOp::create(
        e, e.ptr(), e.i64(), e.index(g.tableTaps() * tableStride()), 64);
    Value weights = args; // nobody reads them
    if (isDepthwise())
      weights = e.argument(args, firstConstant);
    if (g.image.isPacked())
      weights = emitUnpacking(e, args, weights, unpacking);
    e.loop(func.getArgument(1), func.getArgument(2), 1, [&](Value task) {
      Value firstRow = e.div(e.mul(task, g.numPixels()), numTasks);
      Value endRow = e.div(e.mul(e.add(task, 1), g.numPixels()), numTasks);
      emitRowTable(e, g, table, tableStride(), input, padding, firstRow,
                   endRow);
      int64_t numTiles = tilesPerTask(largest.rows);
      Value numRows = e.sub(endRow, firstRow);
      e.loop(e.index(0), e.index(numTiles), 1, [&](Value tile) {
        Value from = e.div(e.mul(tile, numRows), numTiles);
        Value to = e.div(e.mul(e.add(tile, 1), numRows), numTiles);
        Value pixel = e.add(firstRow, from);
        Value rows = e.at(table, e.mul(from, 8));
        for (auto &entry : tiles) {
          LLVM::LLVMFuncOp kernel = entry.second;
          auto [height, isTail] = entry.first;
          Value matches = arith::CmpIOp::create(
              e, arith::CmpIPredicate::eq, e.sub(to, from), e.index(height));
          int64_t whole = g.channels - tail;
          bool atEnd = isTail;
          e.ifThen(matches, [&] {
            if (atEnd)
              return e.call(kernel,
                            {args, rows, pixel, e.index(whole), weights});
            e.loop(e.index(0), e.index(whole), blockChannels,
                   [&](Value channel) {
                     e.call(kernel, {args, rows, pixel, channel, weights});
                   });
          });
        }
      });
    });
    e.ret();
    return success();
  }

private:
  static constexpr int64_t kMostUnpacked = 512 << 10;
  int64_t unpackedBytes() const {
    return g.numBlocks() * g.numTaps() * WindowReduceGeometry::kTapBytes;
  }

  bool isDepthwise() const { return g.kind == WindowReduceGeometry::Depthwise; }
  int64_t maxTaskRows() const {
    return (g.numPixels() + numTasks - 1) / numTasks;
  }
  int64_t tableStride() const { return (maxTaskRows() + 15) / 16 * 16; }
  int64_t tilesPerTask(int64_t tileRows) const {
    return (maxTaskRows() + tileRows - 1) / tileRows;
  }

  /// Writes the weights out once for all tasks of a call.
  Value emitUnpacking(Emitter &e, Value args, Value weights,
                      LLVM::LLVMFuncOp unpacking) const {
    Value out = LLVM::AllocaOp::create(e, e.ptr(), e.i8(),
                                       e.index(unpackedBytes()), 64);
    constexpr int64_t block = WindowReduceGeometry::kBlock,
                      tapBytes = WindowReduceGeometry::kTapBytes;
    e.loop(e.index(0), e.index(g.numBlocks()), 1, [&](Value number) {
      e.call(unpacking, {args, e.at(weights, e.mul(number, g.blockBytes())),
                         e.mul(number, block),
                         e.at(out, e.mul(number, g.numTaps() * tapBytes))});
    });
    return out;
  }

  /// Pixels of a task: enough to be worth one, few enough for the row table.
  void chooseTasks() {
    int64_t rows = std::clamp<int64_t>(65536 / (g.channels * g.numTaps()),
                                       g.walksTaps() ? 1 : 16, 256);
    rows = std::min<int64_t>(rows, (64 << 10) / (8 * g.tableTaps()));
    numTasks = (g.numPixels() + rows - 1) / rows;
    if (numTasks > 1)
      numTasks = std::min(g.numPixels(), numTasks + numTasks % 2);
  }

  /// Rows of a task are floor or ceil of pixels / tasks, of a tile likewise.
  SmallVector<int64_t> tileHeights(int64_t most) const {
    SmallVector<int64_t> heights;
    int64_t numTiles = tilesPerTask(most);
    for (int64_t rows : {g.numPixels() / numTasks, maxTaskRows()})
      for (int64_t height : {rows / numTiles, (rows + numTiles - 1) / numTiles})
        if (height > 0 && !llvm::is_contained(heights, height))
          heights.push_back(height);
    return heights;
  }

  KernelRegion region;
  WindowReduceGeometry g;
  Epilogue epilogue;
};

} // namespace

PlanPtr planWindowReduce(const KernelRegion &region) {
  std::optional<WindowReduceGeometry> geometry =
      WindowReduceGeometry::create(region);
  if (!geometry)
    return nullptr;
  auto plan = std::make_unique<WindowReducePlan>(region, std::move(*geometry));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
