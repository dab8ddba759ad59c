// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Convolutions whose tiles are read from the image itself: the rows of a tile
// are pixels of a line, and the k of a filter row goes on in the pixels beside
// them. An image that needs padding is copied first, each pixel once.

#include "MatrixTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace qdialect::cpu {

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

static const PixelLoop &columnLoop(const ContractionGeometry &g) {
  return g.pixels.back();
}
static const PixelLoop &lineLoop(const ContractionGeometry &g) {
  return g.pixels[g.pixels.size() - 2];
}

/// Pixels of a line of the copy, and lines that `lines` of the output meet.
static int64_t copiedWidth(const ContractionGeometry &g) {
  return (columnLoop(g).size - 1) * g.axes[1].stride + g.axes[1].filterSize;
}
static int64_t copiedLines(const ContractionGeometry &g, int64_t lines) {
  const ImageAxis &y = g.axes[0];
  return (lines - 1) * y.stride + (y.filterSize - 1) * y.dilation + 1;
}

std::optional<MatrixTiling>
MatrixTiling::chooseLines(const ContractionGeometry &g,
                          const ContractionTasks &tasks) {
  if (g.isStrided() || g.pixels.size() < 2)
    return std::nullopt;
  const PixelLoop &x = columnLoop(g), &y = lineLoop(g);
  int64_t columns = g.tapColumns(), numLines = g.numPixels() / x.size;
  // No chunk has lines of two images: the copy would not be one.
  if (tasks.chunks > numLines || tasks.chunks % (numLines / y.size) != 0)
    return std::nullopt;
  // The codes of a filter row must follow each other.
  if (columns > 1 && (g.axes[1].dilation != 1 || g.run % 4 != 0))
    return std::nullopt;
  int64_t mostLines = ceilDiv(numLines, tasks.chunks);

  MatrixTiling tiling;
  MatrixLines lines;
  lines.width = x.size;
  bool isCopied = g.padded() || (columns > 1 && g.axes[1].filterStep != g.run);
  if (isCopied) {
    if (g.mergedRows || x.axis != 1 || y.axis != 0 ||
        g.axes[1].low >= copiedWidth(g))
      return std::nullopt;
    int64_t lineBytes = copiedWidth(g) * g.run;
    tiling.source = CopiedImage;
    tiling.rowStride = g.axes[1].stride * g.run;
    lines.lineStride = g.axes[0].stride * lineBytes;
    lines.filterStride = g.axes[0].dilation * lineBytes;
    // The last store writes a whole vector.
    tiling.copyBytes = copiedLines(g, mostLines) * lineBytes + 64;
    if (tiling.copyBytes > kMostCopied)
      return std::nullopt;
  } else {
    tiling.rowStride = x.step;
    lines.lineStride = y.step;
    lines.filterStride = g.axes[0].filterStep;
  }
  MatrixTileShape &shape = tiling.shape;
  int64_t filterSteps = columns * g.stepsPerTap();
  shape.steps = MatrixTileShape::kMostSteps;
  while (filterSteps % shape.steps != 0)
    --shape.steps;
  lines.filterBlocks = filterSteps / shape.steps;
  shape.blocks = g.numTaps() / columns * lines.filterBlocks;
  shape.lines = lines;
  shape.cutLines(tiling.rowStride, numLines / tasks.chunks, mostLines);
  return tiling;
}

int64_t MatrixTiling::cycles(const ContractionGeometry &g,
                             const ContractionTasks &tasks) const {
  // Four multiplications of two tiles of pixels and two of weights, which come
  // from L2, a line a cycle; those of pixels from L1, two.
  int64_t ofPair = std::max(4 * std::max<int64_t>(shape.rows, 8),
                            2 * MatrixTileShape::kMostSteps + shape.rows);
  int64_t pairs = tasks.chunks * ceilDiv(shape.rowTiles, 2) * shape.blocks *
                  ceilDiv(g.numChannels(), 32);
  // A line of 64 codes that is copied, and a whole row of them.
  constexpr int64_t kGather = 5, kCopy = 2;
  int64_t linesOfRun = ceilDiv(g.run, 64) * g.groups, copying = 0;
  if (source == Gathered)
    copying = kGather * g.numPixels() * g.numTaps() * linesOfRun;
  if (source == CopiedImage)
    copying = kCopy * tasks.chunks * linesOfRun * copiedWidth(g) *
              copiedLines(g, tasks.maxChunkRows / shape.lines->width);
  return pairs * ofPair + copying;
}

/// Copies `bytes` bytes, and what a whole vector brings behind them.
static void emitCopy(Emitter &e, Value from, Value to, int64_t bytes) {
  auto type =
      Emitter::vector(e.i8(), std::min<int64_t>(llvm::PowerOf2Ceil(bytes), 64));
  e.loop(e.index(0), e.index(bytes), type.getNumElements(), [&](Value byte) {
    e.store(e.load(type, e.at(from, byte)), e.at(to, byte));
  });
}

Value emitFirstPixel(Emitter &e, const ContractionGeometry &g, Value input,
                     Value line) {
  Value offset = e.index(g.inputOffset);
  for (const PixelLoop &loop : llvm::reverse(ArrayRef(g.pixels).drop_back())) {
    offset = e.add(offset, e.mul(e.rem(line, loop.size), loop.step));
    line = e.div(line, loop.size);
  }
  return e.at(input, offset);
}

LLVM::LLVMFuncOp emitImageCopying(OpBuilder &moduleBuilder, Location loc,
                                  const CpuTarget &target, StringRef name,
                                  const ContractionGeometry &g) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(loc, moduleBuilder, target);
  LLVM::LLVMFuncOp func =
      e.startFunction(name, {e.ptr(), e.ptr(), e.i64(), e.i64(), e.ptr()},
                      /*internal=*/true);
  Value pixels = func.getArgument(0), padding = func.getArgument(1),
        firstLine = func.getArgument(2), numLines = func.getArgument(3),
        out = func.getArgument(4);
  const ImageAxis &y = g.axes[0], &x = g.axes[1];
  int64_t width = copiedWidth(g);
  int64_t inside = std::min(x.size, width - x.low);
  int64_t pixelStep = columnLoop(g).step / x.stride,
          lineStep = lineLoop(g).step / y.stride;
  auto pad = [&](Value to, int64_t count) {
    e.loop(e.index(0), e.index(count), 1, [&](Value pixel) {
      emitCopy(e, padding, e.at(to, e.mul(pixel, g.run)), g.run);
    });
  };
  // Ascending: what is written behind a pixel is overwritten by the next one.
  auto copyLine = [&](Value line, Value to) {
    Value from =
        e.at(pixels, e.add(e.mul(line, lineStep), e.index(x.low * pixelStep)));
    pad(to, x.low);
    to = e.at(to, x.low * g.run);
    if (pixelStep == g.run)
      emitCopy(e, from, to, inside * g.run);
    else
      e.loop(e.index(0), e.index(inside), 1, [&](Value pixel) {
        emitCopy(e, e.at(from, e.mul(pixel, pixelStep)),
                 e.at(to, e.mul(pixel, g.run)), g.run);
      });
    pad(e.at(to, inside * g.run), width - x.low - inside);
  };
  Value position = e.sub(e.mul(e.rem(firstLine, lineLoop(g).size), y.stride),
                         e.index(y.low));
  Value count = e.add(e.mul(e.sub(numLines, e.index(1)), y.stride),
                      (y.filterSize - 1) * y.dilation + 1);
  e.loop(e.index(0), count, 1, [&](Value line) {
    Value to = e.at(out, e.mul(line, width * g.run));
    if (!y.padded)
      return copyLine(line, to);
    Value exists = arith::CmpIOp::create(
        e, arith::CmpIPredicate::ult, e.add(position, line), e.index(y.size));
    e.ifThen(exists, [&] { copyLine(line, to); }, [&] { pad(to, width); });
  });
  e.ret();
  return func;
}

} // namespace qdialect::cpu
