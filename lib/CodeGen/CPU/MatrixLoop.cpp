// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// 32 rows x 32 channels accumulate in four tile registers over all of k, then
// the next 32 channels of the panel. The registers are named by number, because
// no allocator need choose: four of sums, two of rows and two of weights are
// all there are.
//
// The sums go through memory (L1) to the epilogue, which reads them as vectors.
// It stands among the multiplications of the next 32 rows: these take 16 cycles
// each and few instructions, so that the vector units work meanwhile.

#include "MatrixLoop.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

void MatrixTileShape::cutRows(int64_t least, int64_t most) {
  rowTiles = ceilDiv(most, kMostRows);
  while (ceilDiv(most, rowTiles) > least)
    ++rowTiles;
  rows = ceilDiv(most, rowTiles);
}

void MatrixTileShape::cutDepth(int64_t totalSteps) {
  blocks = ceilDiv(totalSteps, kMostSteps);
  steps = ceilDiv(totalSteps, blocks);
}

void emitConfigureTiles(Emitter &e, const MatrixTileShape &shape) {
  // Byte 0 is the palette; from 16 on the bytes of a row of each tile as words,
  // from 48 on the rows. Tiles: 0 to 3 sums, 4 and 5 rows, 6 and 7 weights.
  SmallVector<int8_t> bytes(64, 0);
  bytes[0] = 1;
  auto setTile = [&](int64_t tile, int64_t rows, int64_t rowBytes) {
    bytes[16 + 2 * tile] = static_cast<int8_t>(rowBytes);
    bytes[48 + tile] = static_cast<int8_t>(rows);
  };
  for (int64_t tile = 0; tile < 4; ++tile)
    setTile(tile, shape.rows, 64);
  for (int64_t tile : {4, 5})
    setTile(tile, shape.rows, 4 * shape.steps);
  for (int64_t tile : {6, 7})
    setTile(tile, shape.steps, 64);
  auto type = Emitter::vector(e.i8(), 64);
  Value configuration = arith::ConstantOp::create(
      e, DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes)));
  Value memory = LLVM::AllocaOp::create(e, e.ptr(), e.i8(), e.index(64), 64);
  e.store(configuration, memory, 64);
  e.instruction("llvm.x86.ldtilecfg", memory);
}

void emitReleaseTiles(Emitter &e) {
  e.instruction("llvm.x86.tilerelease", ValueRange());
}

namespace {

class MatrixLoopEmitter {
public:
  using Finish = function_ref<void(Value row, Value sums)>;
  MatrixLoopEmitter(Emitter &e, const MatrixTileShape &shape,
                    const MatrixOperands &operands, Finish finish)
      : e(e), shape(shape), operands(operands), finishRow(finish) {}

  void emit();

private:
  /// Vectors of channels that the registers hold the sums of.
  static constexpr int64_t kColumns = 2;

  /// One or two tiles of rows and where their sums are.
  struct Block {
    Value first, count; ///< rows
    Value sums;         ///< i32[count][16 * vectors]
  };

  Value sumTile(int64_t i, int64_t j) { return tile(kColumns * i + j); }
  Value rowTile(int64_t i) { return tile(4 + i); }
  Value weightTile(int64_t j) { return tile(6 + j); }
  Value tile(int64_t number) { return e.constantInt(e.i8(), number); }
  void load(Value tile, Value pointer, Value stride) {
    e.instruction("llvm.x86.tileloadd64", {tile, pointer, stride});
  }

  int64_t numRounds() const { return ceilDiv(operands.vectors, kColumns); }
  /// Bytes of the sums of a row.
  int64_t sumStride() const { return 64 * operands.vectors; }

  void multiply(const Block &block, int64_t numTiles, const Block &before,
                Value blockNumber);
  void prefetch(Value number);
  void multiplyStep(ArrayRef<Value> tiles, Value image, Value step,
                    int64_t numColumns);
  void finish(const Block &block, Value from, Value to);

  Emitter &e;
  const MatrixTileShape &shape;
  const MatrixOperands &operands;
  Finish finishRow;
};

void MatrixLoopEmitter::emit() {
  auto makeSums = [&]() -> Value {
    return LLVM::AllocaOp::create(e, e.ptr(), e.i8(),
                                  e.index(2 * shape.rows * sumStride()), 64);
  };
  // The last tile begins early enough to end with the last row.
  Value last = e.sub(operands.numRows, e.index(shape.rows));
  SmallVector<Value> carried{e.index(0), e.index(0), makeSums(), makeSums()};
  carried = e.loop(
      e.index(0), e.index(shape.rowTiles / 2), 1, carried,
      [&](Value pair, ValueRange before) -> SmallVector<Value> {
        Value first = e.min(e.mul(pair, 2 * shape.rows), last);
        Value second = e.min(e.add(first, shape.rows), last);
        Block block{first, e.add(e.sub(second, first), shape.rows), before[3]};
        multiply(block, 2, {before[0], before[1], before[2]}, pair);
        return {block.first, block.count, block.sums, before[2]};
      },
      /*keepRolled=*/true);
  Block before{carried[0], carried[1], carried[2]};
  if (shape.rowTiles % 2 != 0) {
    Block block{last, e.index(shape.rows), carried[3]};
    multiply(block, 1, before, e.index(shape.rowTiles / 2));
    before = block;
  }
  finish(before, e.index(0), before.count);
}

/// The sums of block number `blockNumber` into memory; among the
/// multiplications the epilogue of the block before.
void MatrixLoopEmitter::multiply(const Block &block, int64_t numTiles,
                                 const Block &before, Value blockNumber) {
  // The second tile may begin among the rows of the first; both then have the
  // same sums there.
  Value offset = e.sub(block.count, e.index(shape.rows));
  Value firstTile = e.at(operands.rows, e.mul(block.first, operands.rowStride));
  SmallVector<Value> tiles{firstTile}, sums{block.sums};
  if (numTiles > 1) {
    tiles.push_back(e.at(firstTile, e.mul(offset, operands.rowStride)));
    sums.push_back(e.at(block.sums, e.mul(offset, sumStride())));
  }
  int64_t numSteps = numRounds() * shape.blocks;
  for (int64_t round = 0; round < numRounds(); ++round) {
    int64_t first = round * kColumns,
            numColumns = std::min(kColumns, operands.vectors - first);
    for (int64_t i = 0; i < numTiles; ++i)
      for (int64_t j = 0; j < numColumns; ++j) // all rows are the same
        load(sumTile(i, j), e.at(operands.starts, 64 * (first + j)),
             e.index(0));
    e.loop(
        e.index(0), e.index(shape.blocks), 1, {},
        [&](Value step, ValueRange) {
          multiplyStep(tiles, e.at(operands.image, 64 * first), step,
                       numColumns);
          Value number = e.add(step, round * shape.blocks);
          Value from = e.div(e.mul(number, before.count), numSteps);
          Value to = e.div(e.mul(e.add(number, 1), before.count), numSteps);
          finish(before, from, to);
          if (operands.nextImage)
            prefetch(e.add(e.mul(blockNumber, numSteps), number));
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

/// The part of the next image that comes with step `number` of all steps.
void MatrixLoopEmitter::prefetch(Value number) {
  constexpr int64_t kLine = 64, kToL2 = 2;
  int64_t numLines = shape.steps * shape.blocks * operands.vectors;
  int64_t numSteps = ceilDiv(shape.rowTiles, 2) * numRounds() * shape.blocks;
  int64_t perStep = ceilDiv(numLines, numSteps);
  Value place = e.at(operands.nextImage, e.mul(number, perStep * kLine));
  for (int64_t line = 0; line < perStep; ++line)
    LLVM::Prefetch::create(e, e.at(place, line * kLine), /*rw=*/0, kToL2,
                           /*cache=*/1);
}

void MatrixLoopEmitter::multiplyStep(ArrayRef<Value> tiles, Value image,
                                     Value step, int64_t numColumns) {
  int64_t imageStride = 64 * operands.vectors;
  image = e.at(image, e.mul(step, shape.steps * imageStride));
  for (auto [i, tile] : llvm::enumerate(tiles)) {
    load(rowTile(i), e.at(tile, e.mul(step, 4 * shape.steps)),
         operands.rowStride);
    for (int64_t j = 0; j < numColumns; ++j) {
      if (i == 0)
        load(weightTile(j), e.at(image, 64 * j), e.index(imageStride));
      e.instruction("llvm.x86.tdpbusd",
                    {sumTile(i, j), rowTile(i), weightTile(j)});
    }
  }
}

/// The epilogue of rows [from, to) of a block.
void MatrixLoopEmitter::finish(const Block &block, Value from, Value to) {
  e.loop(from, to, 1, [&](Value row) {
    finishRow(e.add(block.first, row),
              e.at(block.sums, e.mul(row, sumStride())));
  });
}

} // namespace

void emitMatrixLoop(Emitter &e, const MatrixTileShape &shape,
                    const MatrixOperands &operands,
                    function_ref<void(Value, Value)> finish) {
  MatrixLoopEmitter(e, shape, operands, finish).emit();
}

} // namespace qdialect::cpu
