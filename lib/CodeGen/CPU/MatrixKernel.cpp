// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The micro-kernel of the matrix unit: 32 pixels x 32 channels accumulate in
// four tile registers over all of k, then the next 32 channels of the panel.
// The registers are named by number, because no allocator need choose: four of
// sums, two of pixels and two of weights are all there are.
//
// The sums go through memory (L1) to the epilogue, which reads them as vectors.
// It stands among the multiplications of the next 32 pixels: these take 16
// cycles each and few instructions, so that the vector units work meanwhile.

#include "MatrixTiles.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class MatrixKernelEmitter {
public:
  MatrixKernelEmitter(Emitter &e, const ContractionGeometry &g,
                      const MatrixTiling &tiling, const Epilogue &epilogue,
                      MatrixKernel shape, unsigned firstConstant,
                      ValueRange arguments)
      : e(e), g(g), tiling(tiling), epilogue(epilogue), shape(shape),
        payload(e, epilogue, arguments[0]), args(arguments[0]),
        rows(arguments[1]), weights(arguments[2]), firstPixel(arguments[3]),
        numPixels(arguments[4]), channel(arguments[5]),
        starts(e.at(e.argument(args, firstConstant + 1), e.mul(channel, 4))) {}

  void emit();

private:
  /// Vectors of channels that the registers hold the sums of.
  static constexpr int64_t kColumns = 2;

  /// One or two tiles of pixels and where their sums are.
  struct Block {
    Value first, count; ///< pixels, counted from the first row
    Value sums;         ///< i32[count][16 * vectors]
  };

  Value sumTile(int64_t i, int64_t j) { return tile(kColumns * i + j); }
  Value pixelTile(int64_t i) { return tile(4 + i); }
  Value weightTile(int64_t j) { return tile(6 + j); }
  Value tile(int64_t number) { return e.constantInt(e.i8(), number); }
  void load(Value tile, Value pointer, int64_t stride) {
    e.instruction("llvm.x86.tileloadd64", {tile, pointer, e.index(stride)});
  }

  /// Bytes of the sums of a pixel.
  int64_t sumStride() const { return 64 * shape.vectors; }

  void multiply(const Block &block, int64_t numTiles, const Block &before);
  void multiplyStep(ArrayRef<Value> tiles, Value image, Value step,
                    int64_t numColumns);
  void finish(const Block &block, Value from, Value to);

  Emitter &e;
  const ContractionGeometry &g;
  const MatrixTiling &tiling;
  const Epilogue &epilogue;
  MatrixKernel shape;
  PayloadEmitter payload;
  Value args, rows, weights, firstPixel, numPixels, channel, starts;
};

void MatrixKernelEmitter::emit() {
  payload.begin();
  auto makeSums = [&]() -> Value {
    return LLVM::AllocaOp::create(e, e.ptr(), e.i8(),
                                  e.index(2 * tiling.rows * sumStride()), 64);
  };
  // The last tile begins early enough to end with the last pixel.
  Value last = e.sub(numPixels, e.index(tiling.rows));
  SmallVector<Value> carried{e.index(0), e.index(0), makeSums(), makeSums()};
  carried = e.loop(
      e.index(0), e.index(tiling.rowTiles / 2), 1, carried,
      [&](Value pair, ValueRange before) -> SmallVector<Value> {
        Value first = e.min(e.mul(pair, 2 * tiling.rows), last);
        Value second = e.min(e.add(first, tiling.rows), last);
        Block block{first, e.add(e.sub(second, first), tiling.rows), before[3]};
        multiply(block, 2, {before[0], before[1], before[2]});
        return {block.first, block.count, block.sums, before[2]};
      },
      /*keepRolled=*/true);
  Block before{carried[0], carried[1], carried[2]};
  if (tiling.rowTiles % 2 != 0) {
    Block block{last, e.index(tiling.rows), carried[3]};
    multiply(block, 1, before);
    before = block;
  }
  finish(before, e.index(0), before.count);
  e.ret();
}

/// The sums of a block into memory; among the multiplications the epilogue of
/// the block before.
void MatrixKernelEmitter::multiply(const Block &block, int64_t numTiles,
                                   const Block &before) {
  // The second tile may begin among the pixels of the first; both then have the
  // same sums there.
  Value offset = e.sub(block.count, e.index(tiling.rows));
  Value pixels = e.at(rows, e.mul(block.first, tiling.rowStride));
  SmallVector<Value> tiles{pixels}, sums{block.sums};
  if (numTiles > 1) {
    tiles.push_back(e.at(pixels, e.mul(offset, tiling.rowStride)));
    sums.push_back(e.at(block.sums, e.mul(offset, sumStride())));
  }
  int64_t numRounds = (shape.vectors + kColumns - 1) / kColumns,
          numSteps = numRounds * tiling.blocks;
  for (int64_t round = 0; round < numRounds; ++round) {
    int64_t first = round * kColumns,
            numColumns = std::min(kColumns, shape.vectors - first);
    for (int64_t i = 0; i < numTiles; ++i)
      for (int64_t j = 0; j < numColumns; ++j) // all rows are the same
        load(sumTile(i, j), e.at(starts, 64 * (first + j)), 0);
    e.loop(
        e.index(0), e.index(tiling.blocks), 1, {},
        [&](Value step, ValueRange) {
          multiplyStep(tiles, e.at(weights, 64 * first), step, numColumns);
          Value number = e.add(step, round * tiling.blocks);
          Value from = e.div(e.mul(number, before.count), numSteps);
          Value to = e.div(e.mul(e.add(number, 1), before.count), numSteps);
          finish(before, from, to);
          return SmallVector<Value>();
        },
        /*keepRolled=*/true);
    for (int64_t i = 0; i < numTiles; ++i)
      for (int64_t j = 0; j < numColumns; ++j)
        e.instruction("llvm.x86.tilestored64",
                      {sumTile(i, j), e.at(sums[i], 64 * (first + j)),
                       e.index(sumStride())});
  }
}

void MatrixKernelEmitter::multiplyStep(ArrayRef<Value> tiles, Value image,
                                       Value step, int64_t numColumns) {
  int64_t imageStride = g.rowBytes(shape.vectors);
  image = e.at(image, e.mul(step, tiling.steps * imageStride));
  for (auto [i, tile] : llvm::enumerate(tiles)) {
    load(pixelTile(i), e.at(tile, e.mul(step, 4 * tiling.steps)),
         tiling.rowStride);
    for (int64_t j = 0; j < numColumns; ++j) {
      if (i == 0)
        load(weightTile(j), e.at(image, 64 * j), imageStride);
      e.instruction("llvm.x86.tdpbusd",
                    {sumTile(i, j), pixelTile(i), weightTile(j)});
    }
  }
}

/// The epilogue of pixels [from, to) of a block.
void MatrixKernelEmitter::finish(const Block &block, Value from, Value to) {
  auto type = Emitter::vector(e.i32());
  Value pixel = e.add(firstPixel, block.first);
  e.loop(from, to, 1, [&](Value row) {
    Value sums = e.at(block.sums, e.mul(row, sumStride()));
    payload.storeRow(Position::at(e, epilogue, e.add(pixel, row), channel),
                     shape.channels, [&](int64_t v) {
                       return Lanes::of(e.load(type, e.at(sums, 64 * v), 64));
                     });
  });
}

} // namespace

LLVM::LLVMFuncOp emitMatrixKernel(OpBuilder &moduleBuilder,
                                  const CpuTarget &target, StringRef name,
                                  const ContractionGeometry &geometry,
                                  const MatrixTiling &tiling,
                                  const Epilogue &epilogue, MatrixKernel shape,
                                  unsigned firstConstant) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(epilogue.region->root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(
      name, {e.ptr(), e.ptr(), e.ptr(), e.i64(), e.i64(), e.i64()},
      /*internal=*/true);
  MatrixKernelEmitter(e, geometry, tiling, epilogue, shape, firstConstant,
                      func.getArguments())
      .emit();
  return func;
}

} // namespace qdialect::cpu
