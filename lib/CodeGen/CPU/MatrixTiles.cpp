// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How contractions are cut into tiles of the matrix unit, and the copy of rows
// that do not lie as tiles are read.

#include "MatrixTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace qdialect::cpu {

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Fewer rows than this, or k steps, and vpdpbusd is as fast: a multiplication
/// takes the time of eight rows at least and as long for one step as for 16.
static constexpr int64_t kFewestRows = 4, kFewestSteps = 6;

std::optional<MatrixTiling>
MatrixTiling::choose(const CpuTarget &target, const ContractionGeometry &g,
                     const ContractionTasks &tasks) {
  if (!target.hasTiles() || g.isFloat ||
      g.numPixels() / tasks.chunks < kFewestRows ||
      g.numTaps() * g.stepsPerTap() < kFewestSteps || !mayUnpackPanel(g))
    return std::nullopt;
  std::optional<MatrixTiling> rows = chooseRows(g, tasks);
  if (rows && rows->source == InPlace)
    return rows;
  std::optional<MatrixTiling> lines = chooseLines(g, tasks);
  if (!lines || (rows && rows->cycles(g, tasks) < lines->cycles(g, tasks)))
    return rows;
  return lines;
}

std::optional<MatrixTiling>
MatrixTiling::chooseRows(const ContractionGeometry &g,
                         const ContractionTasks &tasks) {
  MatrixTiling tiling;
  // No tile is larger than the smallest chunk.
  tiling.shape.cutRows(g.numPixels() / tasks.chunks, tasks.maxChunkRows);
  tiling.shape.cutDepth(g.numTaps() * g.stepsPerTap());
  tiling.rowStride = g.rowStride();
  if (g.isStrided() && tiling.stepsBeyond(g) == 0)
    return tiling;
  // An odd number of cache lines: neighbouring rows fall into other sets.
  tiling.source = Gathered;
  tiling.rowStride =
      (ceilDiv(4 * tiling.shape.steps * tiling.shape.blocks, 64) | 1) * 64;
  tiling.copyBytes = tasks.maxChunkRows * tiling.rowStride + 64;
  if (tiling.copyBytes > kMostCopied)
    return std::nullopt;
  return tiling;
}

int64_t bytesBehindImage(const ContractionGeometry &g) {
  if (g.isFloat || g.image.isPacked())
    return 0;
  MatrixTiling tiling;
  tiling.shape.cutDepth(g.numTaps() * g.stepsPerTap());
  return tiling.stepsBeyond(g) * ContractionGeometry::kRowBytes;
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
