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

void MatrixTileShape::cutLines(int64_t rowStride, int64_t least, int64_t most) {
  int64_t width = lines->width;
  lines->tilesOfLine = ceilDiv(width, kMostRows);
  rows = ceilDiv(width, lines->tilesOfLine);
  rowTiles = lines->tilesOfLine * most;
  if (lines->lineStride % rowStride != 0)
    return;
  lines->pitch = lines->lineStride / rowStride;
  while (lines->linesOfTile < least && rows + lines->pitch <= kMostRows) {
    rows += lines->pitch;
    ++lines->linesOfTile;
  }
  if (lines->linesOfTile > 1)
    rowTiles = ceilDiv(most, lines->linesOfTile);
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

  /// Where a tile begins: its number among the rows and its memory.
  struct Place {
    Value row, memory;
  };
  /// One or two tiles of rows and where their sums are.
  struct Block {
    Value first, count; ///< rows that are handed out
    Value sums;         ///< i32[sumRow(count)][16 * vectors]
  };

  Value sumTile(int64_t i, int64_t j) { return tile(kColumns * i + j); }
  Value rowTile(int64_t i) { return tile(4 + i); }
  Value weightTile(int64_t j) { return tile(6 + j); }
  Value tile(int64_t number) { return e.constantInt(e.i8(), number); }
  void load(Value tile, Value pointer, Value stride) {
    e.instruction("llvm.x86.tileloadd64", {tile, pointer, stride});
  }

  /// Where the sums of row `number` of a block are: between the lines of a tile
  /// are rows of no use.
  Value sumRow(Value number) {
    if (!shape.lines || shape.lines->linesOfTile == 1)
      return number;
#if QDIALECT_MUTATE == 212 // the rows between lines count as pixels
    return number;
#endif
    int64_t between = shape.lines->pitch - shape.lines->width;
    return e.add(number, e.mul(e.div(number, shape.lines->width), between));
  }

  int64_t numRounds() const { return ceilDiv(operands.vectors, kColumns); }
  /// Bytes of the sums of a row.
  int64_t sumStride() const { return 64 * operands.vectors; }

  Place place(Value tile);
  void multiply(ArrayRef<Place> places, Value sums, const Block &before,
                Value blockNumber);
  void prefetch(Value number);
  void multiplyStep(ArrayRef<Place> places, Value image, Value step,
                    int64_t numColumns);
  void finish(const Block &block, Value from, Value to);

  Emitter &e;
  const MatrixTileShape &shape;
  const MatrixOperands &operands;
  Finish finishRow;
};

void MatrixLoopEmitter::emit() {
  int64_t sumRows = 2 * shape.rows;
  if (shape.lines && shape.lines->linesOfTile > 1)
    sumRows += shape.lines->pitch - shape.lines->width;
  auto makeSums = [&]() -> Value {
    return LLVM::AllocaOp::create(e, e.ptr(), e.i8(),
                                  e.index(sumRows * sumStride()), 64);
  };
  SmallVector<Value> carried{e.index(0), e.index(0), makeSums(), makeSums()};
  carried = e.loop(
      e.index(0), e.index(shape.rowTiles / 2), 1, carried,
      [&](Value pair, ValueRange before) -> SmallVector<Value> {
        Place places[] = {place(e.mul(pair, 2)),
                          place(e.add(e.mul(pair, 2), 1))};
        multiply(places, before[3], {before[0], before[1], before[2]}, pair);
        Value offset = e.sub(places[1].row, places[0].row);
        return {places[0].row, e.add(offset, shape.rowsOut()), before[3],
                before[2]};
      },
      /*keepRolled=*/true);
  Block before{carried[0], carried[1], carried[2]};
  if (shape.rowTiles % 2 != 0) {
    Place last = place(e.index(shape.rowTiles - 1));
    multiply(last, carried[3], before, e.index(shape.rowTiles / 2));
    before = {last.row, e.index(shape.rowsOut()), carried[3]};
  }
  finish(before, e.index(0), before.count);
}

/// The last tiles begin early enough to end with the last row, or line.
MatrixLoopEmitter::Place MatrixLoopEmitter::place(Value tile) {
  if (!shape.lines) {
    Value row = e.min(e.mul(tile, shape.rows),
                      e.sub(operands.numRows, e.index(shape.rows)));
    return {row, e.at(operands.rows, e.mul(row, operands.rowStride))};
  }
  const MatrixLines &lines = *shape.lines;
  Value numLines = e.div(operands.numRows, lines.width);
  // Parts of lines that do not exist are the last one again.
  tile = e.min(tile, e.sub(e.mul(numLines, lines.tilesOfLine), e.index(1)));
  Value line = e.min(e.mul(e.div(tile, lines.tilesOfLine), lines.linesOfTile),
                     e.sub(numLines, e.index(lines.linesOfTile)));
  Value column = e.min(e.mul(e.rem(tile, lines.tilesOfLine), shape.rows),
                       e.index(std::max<int64_t>(lines.width - shape.rows, 0)));
  Value memory = e.at(operands.rows, e.mul(line, lines.lineStride));
  return {e.add(e.mul(line, lines.width), column),
          e.at(memory, e.mul(column, operands.rowStride))};
}

/// The sums of the tiles at `places` into memory; among the multiplications the
/// epilogue of the block before.
void MatrixLoopEmitter::multiply(ArrayRef<Place> places, Value sums,
                                 const Block &before, Value blockNumber) {
  int64_t numTiles = places.size();
  SmallVector<Value> sumsOf{sums};
  // The second tile may begin among the rows of the first; both then have the
  // same sums there.
  if (numTiles > 1) {
    Value offset = sumRow(e.sub(places[1].row, places[0].row));
    sumsOf.push_back(e.at(sums, e.mul(offset, sumStride())));
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
          multiplyStep(places, e.at(operands.image, 64 * first), step,
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
                      {sumTile(i, j), e.at(sumsOf[i], 64 * (first + j)),
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

void MatrixLoopEmitter::multiplyStep(ArrayRef<Place> places, Value image,
                                     Value step, int64_t numColumns) {
  int64_t imageStride = 64 * operands.vectors;
  image = e.at(image, e.mul(step, shape.steps * imageStride));
  Value codes = e.mul(step, 4 * shape.steps);
  if (shape.lines && shape.lines->filterBlocks != shape.blocks) {
    int64_t blocks = shape.lines->filterBlocks;
    codes = e.add(e.mul(e.rem(step, blocks), 4 * shape.steps),
                  e.mul(e.div(step, blocks), shape.lines->filterStride));
  }
  for (auto [i, place] : llvm::enumerate(places)) {
    load(rowTile(i), e.at(place.memory, codes), operands.rowStride);
    for (int64_t j = 0; j < numColumns; ++j) {
      if (i == 0)
        load(weightTile(j), e.at(image, 64 * j), e.index(imageStride));
      e.instruction("llvm.x86.tdpbusd",
                    {sumTile(i, j), rowTile(i), weightTile(j)});
    }
  }
}

/// The epilogue of the rows [from, to) that a block hands out.
void MatrixLoopEmitter::finish(const Block &block, Value from, Value to) {
  e.loop(from, to, 1, [&](Value number) {
    finishRow(e.add(block.first, number),
              e.at(block.sums, e.mul(sumRow(number), sumStride())));
  });
}

} // namespace

void emitMatrixLoop(Emitter &e, const MatrixTileShape &shape,
                    const MatrixOperands &operands,
                    function_ref<void(Value, Value)> finish) {
  MatrixLoopEmitter(e, shape, operands, finish).emit();
}

} // namespace qdialect::cpu
