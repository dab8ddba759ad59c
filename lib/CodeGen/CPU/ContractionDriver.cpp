// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel around the micro-kernels: it cuts a range of tasks into pixel
// chunks and panels, fills the table of row pointers of a chunk once for all
// panels, and walks the tiles.

#include "MatrixTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <set>

using namespace mlir;

namespace qdialect::cpu {

/// A number of chunks near `chunks` that cuts lines of an image evenly, and for
/// two threads; `chunks` if there is none.
static int64_t fitToLines(int64_t chunks, int64_t lines) {
  for (int64_t fitting = (2 * chunks + 2) / 3; fitting <= 2 * chunks; ++fitting)
    if (fitting % 2 == 0 && lines % fitting == 0)
      return fitting;
  return chunks;
}

/// Enough tasks for any number of threads we meet to be even.
static constexpr int64_t kWantedTasks = 8;

ContractionTasks ContractionTasks::choose(const ContractionGeometry &g) {
  int64_t pixels = g.numPixels();
  int64_t panels = g.groups * g.panelsPerGroup();
  // The input of a chunk should stay in half of L2 while all panels pass.
  int64_t bytesPerPixel = g.run * g.groups * (g.isFloat ? 4 : 1);
  if (!g.isStrided())
    bytesPerPixel = g.inputChannels * g.groups * (g.isFloat ? 4 : 1) *
                        g.axes[0].stride * g.axes[1].stride +
                    8 * g.numTaps();
  int64_t rows = std::clamp<int64_t>((256 << 10) / bytesPerPixel, 24, 192);
  if (!g.isStrided())
    rows = std::min<int64_t>(rows, (64 << 10) / (8 * g.numTaps()));
  ContractionTasks tasks;
  tasks.chunks = (pixels + rows - 1) / rows;
  if (tasks.chunks > 1 && tasks.chunks % 2 != 0)
    ++tasks.chunks;
  bool hasLines = !g.isStrided() && g.pixels.size() > 1;
  if (hasLines && tasks.chunks > 1)
    tasks.chunks = fitToLines(tasks.chunks, pixels / g.pixels.back().size);
  if (tasks.chunks < kWantedTasks)
    tasks.panelGroups =
        std::min(panels, (kWantedTasks + tasks.chunks - 1) / tasks.chunks);
  // Weights that are few: many pixels split better than few panels.
  if (tasks.total() < kWantedTasks && pixels >= 2 * 24) {
    tasks.chunks =
        std::min<int64_t>(pixels / 24, kWantedTasks / tasks.panelGroups);
    if (hasLines)
      tasks.chunks = fitToLines(tasks.chunks, pixels / g.pixels.back().size);
  }
  tasks.maxChunkRows = (pixels + tasks.chunks - 1) / tasks.chunks;
  return tasks;
}

namespace {

class DriverEmitter {
public:
  DriverEmitter(OpBuilder &moduleBuilder, const CpuTarget &target,
                StringRef symbol, const ContractionGeometry &g,
                const ContractionTasks &tasks, const Epilogue &epilogue,
                unsigned firstConstant)
      : moduleBuilder(moduleBuilder), target(target), symbol(symbol), g(g),
        tasks(tasks), epilogue(epilogue), firstConstant(firstConstant),
        tableStride((tasks.maxChunkRows + 15) / 16 * 16),
        tiling(MatrixTiling::choose(target, g, tasks)),
        elementSize(g.isFloat ? 4 : 1) {
    planClasses();
  }

  void emit();

private:
  /// Panels of one width and the tiles they are walked with.
  struct PanelClass {
    int64_t panelVectors, channels;
    /// Blocks of vectors within the panel, and the tile height for them.
    struct Block {
      int64_t first, vectors, channels, tileRows;
      bool isPacked;                               // its tiles unpack codes
      std::map<int64_t, LLVM::LLVMFuncOp> kernels; // by height
      LLVM::LLVMFuncOp unpacking;    // before the tiles, where there is one
      LLVM::LLVMFuncOp matrixKernel; // instead of `kernels`
    };
    SmallVector<Block, 4> blocks;
  };

  void planClasses();
  PanelClass makeClass(int64_t channels);
  void emitMicroKernels();
  void emitMatrixKernels();
  void emitUnpacking(PanelClass::Block &block, int64_t panelVectors);
  void emitTask(Value task, Value firstTask);
  void emitTiles(PanelClass::Block &block, Value firstRow, Value numRows,
                 Value panelWeights, Value channel, Value groupOffset);
  /// The table entry of a chunk's row, or the row itself.
  Value rowAt(Value firstRow, Value inChunk);
  void emitCopy(Value firstRow, Value numRows, Value groupOffset);

  bool readsLines() const { return tiling && tiling->shape.lines; }
  bool needsTable() const { return !g.isStrided() && !readsLines(); }

  OpBuilder &moduleBuilder;
  const CpuTarget &target;
  StringRef symbol;
  const ContractionGeometry &g;
  ContractionTasks tasks;
  const Epilogue &epilogue;
  unsigned firstConstant;
  int64_t tableStride;
  std::optional<MatrixTiling> tiling; // where the matrix unit computes
  int64_t elementSize;
  SmallVector<PanelClass, 2> classes; // full panels (if any), then the last one

  /// By vectors of the block and of the panel.
  std::map<std::pair<int64_t, int64_t>, LLVM::LLVMFuncOp> unpackings;
  int64_t scratchBytes = 0;
  LLVM::LLVMFuncOp copying;

  Emitter *emitter = nullptr;
  Value args, input, weights, padding, table, scratch, copied;
};

DriverEmitter::PanelClass DriverEmitter::makeClass(int64_t channels) {
  PanelClass panel;
  panel.channels = channels;
  panel.panelVectors = (channels + 15) / 16;
  bool isPacked = false;
  TileShape tile = tiling
                       ? TileShape{2 * tiling->shape.rows, panel.panelVectors}
                       : contractionTile(target, g, panel.panelVectors,
                                         tasks.maxChunkRows, isPacked);
  for (int64_t first = 0; first < panel.panelVectors; first += tile.vectors) {
    PanelClass::Block block;
    block.first = first;
    block.isPacked = isPacked;
    block.vectors = std::min(tile.vectors, panel.panelVectors - first);
    block.channels = std::min(block.vectors * 16, channels - first * 16);
    // Tiles of a chunk differ by at most one row, so none is a thin rest.
    int64_t numTiles = (tasks.maxChunkRows + tile.rows - 1) / tile.rows;
    block.tileRows = (tasks.maxChunkRows + numTiles - 1) / numTiles;
    panel.blocks.push_back(std::move(block));
  }
  return panel;
}

void DriverEmitter::planClasses() {
  if (g.panelsPerGroup() > 1)
    classes.push_back(makeClass(64));
  if (g.lastPanelChannels() != 64 || classes.empty())
    classes.push_back(makeClass(g.lastPanelChannels()));
}

void DriverEmitter::emitMicroKernels() {
  // Heights that occur: chunks have floor or ceil(pixels / chunks) rows, tiles
  // floor or ceil of that over their number.
  std::map<std::array<int64_t, 5>, LLVM::LLVMFuncOp> made;
  int64_t minChunkRows = g.numPixels() / tasks.chunks;
  for (PanelClass &panel : classes)
    for (PanelClass::Block &block : panel.blocks) {
      int64_t numTiles =
          (tasks.maxChunkRows + block.tileRows - 1) / block.tileRows;
      // Width of the panel that tiles read: unpacked blocks are on their own.
      int64_t panelVectors = panel.panelVectors;
      if (g.image.isPacked() && !block.isPacked) {
        emitUnpacking(block, panelVectors);
        panelVectors = block.vectors;
      }
      for (int64_t chunk : {minChunkRows, tasks.maxChunkRows})
        for (int64_t rows :
             {chunk / numTiles, (chunk + numTiles - 1) / numTiles}) {
          if (rows == 0 || block.kernels.count(rows))
            continue;
          LLVM::LLVMFuncOp &func = made[{rows, block.vectors, panelVectors,
                                         block.channels, block.isPacked}];
          if (!func) {
            std::string name =
                (symbol + "_tile" + Twine(rows) + "x" + Twine(block.channels) +
                 "of" + Twine(panelVectors) + (block.isPacked ? "packed" : ""))
                    .str();
            func = emitMicroKernel(moduleBuilder, target, name, g, epilogue,
                                   {rows, block.vectors, panelVectors,
                                    block.channels, block.isPacked},
                                   tableStride, firstConstant);
          }
          block.kernels[rows] = func;
        }
    }
}

void DriverEmitter::emitMatrixKernels() {
  for (PanelClass &panel : classes)
    for (PanelClass::Block &block : panel.blocks) {
      if (g.image.isPacked())
        emitUnpacking(block, panel.panelVectors);
      std::string name = (symbol + "_matrix" + Twine(block.channels)).str();
      block.matrixKernel = emitMatrixKernel(
          moduleBuilder, target, name, *tiling, epilogue,
          {block.vectors, block.channels, g.image.isPacked()}, firstConstant);
    }
  Location loc = epilogue.region->root->getLoc();
  if (tiling->source == MatrixTiling::Gathered)
    copying =
        emitRowGathering(moduleBuilder, loc, target, (symbol + "_gather").str(),
                         g, *tiling, tableStride);
  if (tiling->source == MatrixTiling::CopiedImage)
    copying = emitImageCopying(moduleBuilder, loc, target,
                               (symbol + "_copy").str(), g);
  // The last multiplication reads codes behind the panel.
  if (scratchBytes > 0)
    scratchBytes +=
        MatrixTileShape::kMostSteps * ContractionGeometry::kRowBytes;
}

/// The function that writes the codes of such a block as bytes.
void DriverEmitter::emitUnpacking(PanelClass::Block &block,
                                  int64_t panelVectors) {
  LLVM::LLVMFuncOp &func = unpackings[{block.vectors, panelVectors}];
  if (!func)
    func = emitPanelUnpacking(
        moduleBuilder, epilogue.region->root->getLoc(), target,
        (symbol + "_unpack" + Twine(block.vectors) + "of" + Twine(panelVectors))
            .str(),
        g, block.vectors, panelVectors, firstConstant);
  block.unpacking = func;
  scratchBytes = std::max(scratchBytes, unpackedBytes(g, block.vectors));
}

void DriverEmitter::emitTiles(PanelClass::Block &block, Value firstRow,
                              Value numRows, Value panelWeights, Value channel,
                              Value groupOffset) {
  Emitter &e = *emitter;
  int64_t numTiles = (tasks.maxChunkRows + block.tileRows - 1) / block.tileRows;
  Value blockWeights = e.at(panelWeights, 64 * block.first);
  Value blockChannel = e.add(channel, 16 * block.first);
  if (block.unpacking) {
    e.call(block.unpacking, {args, blockWeights, blockChannel, scratch});
    blockWeights = scratch;
  }
  if (tiling) {
    Value rows =
        copied ? copied : e.at(rowAt(firstRow, e.index(0)), groupOffset);
    e.call(block.matrixKernel,
           {args, rows, blockWeights, firstRow, numRows, blockChannel});
    return;
  }
  e.loop(e.index(0), e.index(numTiles), 1, [&](Value tile) {
    Value from = e.div(e.mul(tile, numRows), numTiles);
    Value to = e.div(e.mul(e.add(tile, 1), numRows), numTiles);
    Value height = e.sub(to, from);
    Value pixel = e.add(firstRow, from);
    Value rows = rowAt(firstRow, from);
    for (auto &kernel : block.kernels) {
      Value matches = arith::CmpIOp::create(e, arith::CmpIPredicate::eq, height,
                                            e.index(kernel.first));
      e.ifThen(matches, [&] {
        e.call(kernel.second,
               {args, rows, groupOffset, blockWeights, pixel, blockChannel});
      });
    }
  });
}

Value DriverEmitter::rowAt(Value firstRow, Value inChunk) {
  Emitter &e = *emitter;
  if (readsLines())
    return emitFirstPixel(e, g, input, e.div(firstRow, g.pixels.back().size));
  if (!g.isStrided())
    return e.at(table, e.mul(inChunk, 8));
  return e.at(input,
              e.mul(e.add(firstRow, inChunk), g.rowStride() * elementSize));
}

void DriverEmitter::emitCopy(Value firstRow, Value numRows, Value groupOffset) {
  Emitter &e = *emitter;
  Value rows = rowAt(firstRow, e.index(0));
  if (tiling->source == MatrixTiling::Gathered)
    return e.call(copying, {rows, groupOffset, numRows, copied});
  int64_t width = tiling->shape.lines->width;
  Value ofPadding = padding ? e.at(padding, groupOffset) : rows;
  e.call(copying, {e.at(rows, groupOffset), ofPadding, e.div(firstRow, width),
                   e.div(numRows, width), copied});
}

void DriverEmitter::emitTask(Value task, Value firstTask) {
  Emitter &e = *emitter;
  int64_t panels = g.groups * g.panelsPerGroup();
  Value chunk = e.div(task, tasks.panelGroups),
        part = e.rem(task, tasks.panelGroups);
  // Rows that no chunk divides.
  int64_t unit = readsLines() ? tiling->shape.lines->width : 1;
  auto chunkStart = [&](Value chunk) {
    return e.mul(e.div(e.mul(chunk, g.numPixels() / unit), tasks.chunks), unit);
  };
  Value firstRow = chunkStart(chunk), endRow = chunkStart(e.add(chunk, 1));
  Value firstPanel = e.div(e.mul(part, panels), tasks.panelGroups);
  Value endPanel = e.div(e.mul(e.add(part, 1), panels), tasks.panelGroups);
  Value numRows = e.sub(endRow, firstRow);
  // Tasks of a chunk follow each other and share what is made for its rows.
  auto isZero = [&](Value number) { return e.less(number, e.index(1)); };
  Value isFirst =
      arith::CmpIOp::create(e, arith::CmpIPredicate::eq, task, firstTask);
  if (needsTable())
    e.ifThen(arith::OrIOp::create(e, isFirst, isZero(part)), [&] {
      emitRowTable(e, g, table, tableStride, input, padding, firstRow, endRow);
    });
  int64_t panelBytes =
      g.numTaps() * g.rowsPerTap() * ContractionGeometry::kRowBytes;
#if QDIALECT_MUTATE == 22
  panelBytes += 64;
#endif
  e.loop(firstPanel, endPanel, 1, [&](Value panel) {
    Value group = e.div(panel, g.panelsPerGroup());
    Value inGroup = e.rem(panel, g.panelsPerGroup());
    Value image = e.at(weights, e.add(e.mul(group, g.groupBytes()),
                                      e.mul(inGroup, panelBytes)));
    Value channel = e.add(e.mul(group, g.groupChannels), e.mul(inGroup, 64));
    Value groupOffset = e.mul(group, g.groupStep * elementSize);
    if (copying) {
      Value isFirstPanel = arith::AndIOp::create(
          e, isFirst,
          arith::CmpIOp::create(e, arith::CmpIPredicate::eq, panel,
                                firstPanel));
      e.ifThen(arith::OrIOp::create(e, isFirstPanel, isZero(inGroup)),
               [&] { emitCopy(firstRow, numRows, groupOffset); });
    }
    auto walk = [&](PanelClass &panelClass) {
      for (PanelClass::Block &block : panelClass.blocks)
        emitTiles(block, firstRow, numRows, image, channel, groupOffset);
    };
    if (classes.size() == 1)
      return walk(classes[0]);
    Value isFull = e.less(inGroup, e.index(g.panelsPerGroup() - 1));
    e.ifThen(isFull, [&] { walk(classes[0]); }, [&] { walk(classes[1]); });
  });
}

void DriverEmitter::emit() {
  if (tiling)
    emitMatrixKernels();
  else
    emitMicroKernels();
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(epilogue.region->root->getLoc(), moduleBuilder, target);
  emitter = &e;
  LLVM::LLVMFuncOp func =
      e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()}, /*internal=*/false);
  args = func.getArgument(0);
  input = e.argument(args, g.input);
  if (g.isStrided())
    input = e.at(input, g.inputOffset * elementSize);
  weights = e.argument(args, firstConstant);
  if (g.padded())
    padding = e.argument(args, firstConstant + 2);
  if (needsTable())
    table = LLVM::AllocaOp::create(e, e.ptr(), e.i64(),
                                   e.index(g.numTaps() * tableStride), 64);
  if (scratchBytes > 0)
    scratch =
        LLVM::AllocaOp::create(e, e.ptr(), e.i8(), e.index(scratchBytes), 64);
  if (copying)
    copied = LLVM::AllocaOp::create(e, e.ptr(), e.i8(),
                                    e.index(tiling->copyBytes), 64);
  if (tiling)
    emitConfigureTiles(e, tiling->shape);
  Value firstTask = func.getArgument(1);
  e.loop(firstTask, func.getArgument(2), 1,
         [&](Value task) { emitTask(task, firstTask); });
  if (tiling)
    emitReleaseTiles(e);
  e.ret();
}

} // namespace

void emitContractionDriver(OpBuilder &moduleBuilder, const CpuTarget &target,
                           StringRef symbol,
                           const ContractionGeometry &geometry,
                           const ContractionTasks &tasks,
                           const Epilogue &epilogue, unsigned firstConstant) {
  DriverEmitter(moduleBuilder, target, symbol, geometry, tasks, epilogue,
                firstConstant)
      .emit();
}

} // namespace qdialect::cpu
