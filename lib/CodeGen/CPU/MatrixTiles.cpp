// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How contractions are cut into tiles of the matrix unit, their configuration,
// and the copy of rows that do not lie as tiles are read.

#include "MatrixTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace qdialect::cpu {

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Fewer rows than this, or k steps, and vpdpbusd is as fast: a multiplication
/// takes the time of eight rows at least, and its tiles must be loaded.
static constexpr int64_t kFewestRows = 4, kFewestSteps = 4;

/// What a thread's stack has room for, and L2 beside the weights.
static constexpr int64_t kMostGathered = 768 << 10;

std::optional<MatrixTiling>
MatrixTiling::choose(const CpuTarget &target, const ContractionGeometry &g,
                     const ContractionTasks &tasks) {
  int64_t fewestRows = g.numPixels() / tasks.chunks;
  if (!target.hasTiles() || g.isFloat || fewestRows < kFewestRows ||
      g.numTaps() * g.stepsPerTap() < kFewestSteps || !mayUnpackPanel(g))
    return std::nullopt;
  MatrixTiling tiling;
  // As even as can be, and no tile larger than the smallest chunk.
  tiling.rowTiles = ceilDiv(tasks.maxChunkRows, kMostRows);
  while (ceilDiv(tasks.maxChunkRows, tiling.rowTiles) > fewestRows)
    ++tiling.rowTiles;
  tiling.rows = ceilDiv(tasks.maxChunkRows, tiling.rowTiles);
  tiling.cutDepth(g);
  tiling.gathers = !g.isStrided() || tiling.stepsBeyond(g) > 0;
  tiling.rowStride = g.rowStride();
  if (tiling.gathers) {
    // An odd number of cache lines: neighbouring rows fall into other sets.
    tiling.rowStride = (ceilDiv(4 * tiling.steps * tiling.blocks, 64) | 1) * 64;
    tiling.gatherBytes = tasks.maxChunkRows * tiling.rowStride + 64;
    if (tiling.gatherBytes > kMostGathered)
      return std::nullopt;
  }
  return tiling;
}

void MatrixTiling::cutDepth(const ContractionGeometry &g) {
  int64_t total = g.numTaps() * g.stepsPerTap();
  blocks = ceilDiv(total, kMostSteps);
  steps = ceilDiv(total, blocks);
}

int64_t bytesBehindImage(const ContractionGeometry &g) {
  if (g.isFloat || g.image.isPacked())
    return 0;
  MatrixTiling tiling;
  tiling.cutDepth(g);
  return tiling.stepsBeyond(g) * ContractionGeometry::kRowBytes;
}

void emitConfigureTiles(Emitter &e, const MatrixTiling &tiling, Value memory) {
  // Byte 0 is the palette; from 16 on the bytes of a row of each tile as words,
  // from 48 on the rows. Tiles: 0 to 3 sums, 4 and 5 pixels, 6 and 7 weights.
  SmallVector<int8_t> bytes(64, 0);
  bytes[0] = 1;
  auto setTile = [&](int64_t tile, int64_t rows, int64_t rowBytes) {
    bytes[16 + 2 * tile] = static_cast<int8_t>(rowBytes);
    bytes[48 + tile] = static_cast<int8_t>(rows);
  };
  for (int64_t tile = 0; tile < 4; ++tile)
    setTile(tile, tiling.rows, 64);
  for (int64_t tile : {4, 5})
    setTile(tile, tiling.rows, 4 * tiling.steps);
  for (int64_t tile : {6, 7})
    setTile(tile, tiling.steps, 64);
  auto type = Emitter::vector(e.i8(), 64);
  Value configuration = arith::ConstantOp::create(
      e, DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes)));
  e.store(configuration, memory, 64);
  e.instruction("llvm.x86.ldtilecfg", memory);
}

void emitReleaseTiles(Emitter &e) {
  e.instruction("llvm.x86.tilerelease", ValueRange());
}

LLVM::LLVMFuncOp emitRowGathering(OpBuilder &moduleBuilder, Location loc,
                                  const CpuTarget &target, StringRef name,
                                  const ContractionGeometry &g,
                                  const MatrixTiling &tiling,
                                  int64_t tableStride) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(loc, moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(
      name, {e.ptr(), e.i64(), e.i64(), e.ptr()}, /*internal=*/true);
  Value rows = func.getArgument(0), groupOffset = func.getArgument(1),
        numRows = func.getArgument(2), out = func.getArgument(3);
  int64_t tapBytes = 4 * g.stepsPerTap();
  auto line = Emitter::vector(e.i8(), 64);
  // Narrow taps are copied by narrow stores, of which fewer cross lines.
  int64_t width = std::min<int64_t>(llvm::PowerOf2Ceil(tapBytes), 64);
  auto part = Emitter::vector(e.i8(), width);
  e.loop(e.index(0), numRows, 1, [&](Value row) {
    Value to = e.at(out, e.mul(row, tiling.rowStride));
    // In the order of taps: the whole lines that a tap writes reach into the
    // next one, and those of the last into the zeros behind it.
    e.loop(e.index(0), e.index(g.numTaps()), 1, [&](Value tap) {
      Value from;
      if (g.isStrided()) {
        from = e.at(rows, e.mul(row, g.rowStride()));
      } else {
        Value entry = e.add(e.mul(tap, tableStride), row);
        from = e.load(e.ptr(), e.at(rows, e.mul(entry, 8)), 8);
      }
      from = e.at(from, groupOffset);
      Value tapTo = e.at(to, e.mul(tap, tapBytes));
      e.loop(e.index(0), e.index(tapBytes), width, [&](Value byte) {
        e.store(e.load(part, e.at(from, byte)), e.at(tapTo, byte));
      });
    });
    int64_t end = g.numTaps() * tapBytes;
    for (int64_t byte = 0; byte < 4 * tiling.stepsBeyond(g); byte += 64)
      e.store(e.constantInt(line, 0), e.at(to, end + byte));
  });
  e.ret();
  return func;
}

} // namespace qdialect::cpu
