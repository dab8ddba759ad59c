// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TiledStep.h"

#include "DispatchFacts.h"
#include "QDialect/CodeGen/Program/ArenaPlan.h"
#include "program.h"
#include <cstring>

using namespace mlir;

namespace qdialect {

/// A pixel of padding for images of a type, as it lies in memory.
static ConstantBlob paddingPixel(const Padding &padding, Type element,
                                 int64_t channels) {
  bool flips = element.isSignlessInteger(8);
#if QDIALECT_MUTATE == 38 // padding of tiles in two's complement
  flips = false;
#endif
  auto width = static_cast<int64_t>(byteWidth(*memoryType(element)));
  ConstantBlob blob;
  blob.size = channels * width;
  blob.fill = [padding, width, flips](llvm::MutableArrayRef<char> out) {
    auto count = static_cast<int64_t>(out.size()) / width;
    for (int64_t i = 0; i < count; ++i) {
      uint64_t value = padding.bits(i) ^ (flips ? 0x80 : 0);
      std::memcpy(out.data() + i * width, &value, width);
    }
  };
  return blob;
}

namespace {

class TilePlanner {
public:
  TilePlanner(const TileBlocks &blocks, SymbolicShapes &shapes)
      : blocks(blocks), shapes(shapes), sizes(shapes.sizes) {}

  void addArgument(Value tensor, std::optional<TileBlocks::Patch> patch);
  void finish(Value result, size_t resultArgument);
  int64_t pixelElements(Value tensor) {
    return sizes.product(
        ArrayRef(shapes.shapeOf(tensor)).drop_front(blocks.numDims));
  }

  TiledStep step;

private:
  const TileBlocks &blocks;
  SymbolicShapes &shapes;
  SymbolicSizes &sizes;
  int64_t slotBytes = 0;
};

void TilePlanner::addArgument(Value tensor,
                              std::optional<TileBlocks::Patch> patch) {
  constexpr size_t kFields = sizeof(qd_tile_arg) / sizeof(int64_t);
  if (!patch) {
    step.tiles.places.append(kFields, 0);
    return;
  }
  Type element = getElementTypeOrSelf(tensor.getType());
  int64_t pixel = pixelElements(tensor) *
                  static_cast<int64_t>(byteWidth(*memoryType(element)));
  auto [height, width] = blocks.imageSize(shapes.shapeOf(tensor));
  int64_t rows = patch->size(0, blocks.tile[0]);
  int64_t columns = patch->size(1, blocks.tile[1]);
  step.tiles.places.append({pixel, height, width, patch->stride[0],
                            patch->stride[1], patch->low[0], patch->low[1],
                            rows, columns, slotBytes});
  // Kernels read whole vectors.
  slotBytes +=
      llvm::alignTo(rows * columns * pixel + kArenaPadding, kArenaAlignment);
}

void TilePlanner::finish(Value result, size_t resultArgument) {
  // More threads than slots wait; each slot is memory.
  constexpr int64_t kSlots = 32;
  SymbolicShapes::Shape shape = shapes.shapeOf(result);
  auto [height, width] = blocks.imageSize(shape);
  auto tilesOf = [&](int64_t size, int64_t tile) {
    return sizes.floorDiv(sizes.add(size, tile - 1), tile);
  };
  int64_t count =
      sizes.mul(shape[0], sizes.mul(tilesOf(height, blocks.tile[0]),
                                    tilesOf(width, blocks.tile[1])));
  int64_t slots = sizes.min(count, kSlots);
  step.tiles.height = blocks.tile[0];
  step.tiles.width = blocks.tile[1];
  step.tiles.plan = {
      count,          height, width,     blocks.tile[0],
      blocks.tile[1], slots,  slotBytes, static_cast<int64_t>(resultArgument)};
  step.scratchBytes = sizes.mul(slots, slotBytes);
}

} // namespace

TiledStep planTiledStep(const TileBlocks &blocks, qd::DispatchOp dispatch,
                        ArrayRef<unsigned> inputs, SymbolicShapes &shapes) {
  TilePlanner planner(blocks, shapes);
  for (unsigned input : inputs)
    planner.addArgument(dispatch.getInputs()[input], blocks.patches[input]);
  Value result = dispatch->getResult(0);
  planner.addArgument(result, TileBlocks::Patch());
  planner.finish(result, inputs.size());
  if (blocks.padding) {
    Value image = dispatch.getInputs()[blocks.image];
    planner.step.padding =
        paddingPixel(*blocks.padding, getElementTypeOrSelf(image.getType()),
                     planner.pixelElements(image));
  }
  return std::move(planner.step);
}

} // namespace qdialect
