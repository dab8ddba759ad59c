// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "batch_matmul": a task is one panel of one problem (or a part of
// its rows); it packs the panel on its stack and walks the tiles.

#include "BatchMatmul.h"
#include "Families.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <map>

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// Enough tasks for any number of threads we meet to be even.
constexpr int64_t kWantedTasks = 8;
/// Rows that are worth packing a panel once more.
constexpr int64_t kMinRows = 24;
/// Parts of a symbolic number of panels.
constexpr int64_t kSymbolicTasks = 16;

class BatchMatmulPlan : public CpuKernelPlan {
public:
  BatchMatmulPlan(const KernelRegion &source, BatchMatmulGeometry geometry)
      : region(source), g(std::move(geometry)) {
    family = "batch_matmul";
  }

  bool init();
  std::string instruction(const CpuTarget &target) const override {
    return usesTiles(target) ? "tdpbusd" : dotInstruction(target, g.isFloat);
  }
  bool usesTiles(const CpuTarget &target) const override {
    return batchMatrixTiles(target, g, chunks).has_value();
  }
  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override;

private:
  /// Tiles of a block of vectors of one panel, by height.
  struct Block {
    int64_t first, tileRows;
    BatchTile shape;
    std::map<int64_t, LLVM::LLVMFuncOp> tiles;
  };
  std::vector<Block> emitBlocks(OpBuilder &moduleBuilder,
                                const CpuTarget &target, StringRef symbol,
                                PanelShape panel);
  bool hasKnownRows() const { return !SymbolicSizes::isSymbolic(g.rows.size); }
  bool hasKnownColumns() const {
    return !SymbolicSizes::isSymbolic(g.columns.size);
  }
  int64_t maxChunkRows() const { return (g.rows.size + chunks - 1) / chunks; }
  int64_t numTiles(const Block &block) const {
    return (maxChunkRows() + block.tileRows - 1) / block.tileRows;
  }
  SmallVector<int64_t> tileHeights(const Block &block) const;
  /// A panel's width and the tiles it is walked with.
  struct PanelClass {
    PanelShape shape;
    std::vector<Block> blocks;
    LLVM::LLVMFuncOp matrixTile; // instead of `blocks`
  };
  /// What the tiles of a task have in common.
  struct Task {
    Value args, lhs, image, starts, firstRow, numRows, outRow, column, rowOnes;
  };
  /// Memory that a kernel keeps while it runs.
  struct Scratch {
    Value image, starts, ones, rowOnes;
    BatchZeroPoints zeroPoints;
  };
  void emitTask(Emitter &e, Value task, Value args, const Scratch &scratch,
                ArrayRef<PanelClass> classes);
  void emitTiles(Emitter &e, Block &block, const Task &task);
  void callTile(Emitter &e, LLVM::LLVMFuncOp tile, const Block &block,
                const Task &task, Value row);
  Scratch makeScratch(Emitter &e, Value args, PanelShape widest);
  SmallVector<PanelShape> panelShapes(bool sumsRows) const;

  KernelRegion region;
  BatchMatmulGeometry g;
  Epilogue epilogue;
  int64_t chunks = 1;                         ///< parts of a problem's rows
  std::optional<MatrixTileShape> matrixTiles; ///< of the target emitted for
  unsigned onesArgument = 0;
};

bool BatchMatmulPlan::init() {
  if (g.rhsZeroPoint != 0 && !SymbolicSizes::isSymbolic(g.depth.size)) {
    onesArgument = region.numInputs() + 1;
    constants.push_back(onesBlob(g));
  }
  std::optional<Epilogue> resolved =
      Epilogue::create(region, constants, g.columns.size, /*ofRoot=*/true);
  if (!resolved)
    return false;
  epilogue = std::move(*resolved);
  if (!g.isFloat)
    epilogue.rootRange = g.sumRange();
  // Sums of columns are left out where nothing is subtracted from the rows.
  keyText = family + (g.lhsOffset() == 0 ? "-plain" : "") + epilogue.key();
  if (g.shapes) {
    numTasks = kSymbolicTasks;
    for (int64_t size : epilogue.sizes)
      if (!region.canCompute(size))
        return false;
    SmallVector<BatchMatmulGeometry::Loop> loops(g.problems);
    loops.append({g.rows, g.columns, g.depth});
    return llvm::all_of(loops, [&](const BatchMatmulGeometry::Loop &loop) {
      return llvm::all_of(
          ArrayRef({loop.size, loop.lhs, loop.rhs, loop.out, loop.outRow}),
          [&](int64_t number) { return region.canCompute(number); });
    });
  }
  int64_t whole = g.numProblems() * g.numPanels();
  if (whole < kWantedTasks)
    chunks = std::clamp<int64_t>(g.rows.size / kMinRows, 1,
                                 (kWantedTasks + whole - 1) / whole);
  numTasks = whole * chunks;
  return true;
}

std::vector<BatchMatmulPlan::Block>
BatchMatmulPlan::emitBlocks(OpBuilder &moduleBuilder, const CpuTarget &target,
                            StringRef symbol, PanelShape panel) {
  // The column that sums rows takes a vector of accumulators, too.
  int64_t extra = g.rhsZeroPoint != 0 ? 1 : 0;
  TileShape tile = DotPolicy::tileShape(
      target, g.isFloat, std::min<int64_t>(panel.vectors() + extra, 4),
      /*pointers=*/false);
  tile.vectors = std::min(tile.vectors, panel.vectors());
  if (panel.vectors() + extra > 4)
    tile.rows = std::max<int64_t>(tile.rows - 1, 1);
  std::vector<Block> blocks;
  for (int64_t first = 0; first < panel.vectors(); first += tile.vectors) {
    Block block;
    block.first = first;
    block.shape.panel = panel;
    block.shape.vectors = std::min(tile.vectors, panel.vectors() - first);
    block.shape.columns =
        std::min(block.shape.vectors * 16, panel.columns - first * 16);
    block.tileRows = tile.rows;
    for (int64_t rows : tileHeights(block)) {
      if (rows == 0 || block.tiles.count(rows))
        continue;
      block.shape.rows = rows;
      std::string name =
          (symbol + "_tile" + Twine(rows) + "x" + Twine(block.shape.columns) +
           "at" + Twine(first) + "of" + Twine(panel.columns) +
           (panel.ragged ? "ragged" : ""))
              .str();
      block.tiles[rows] =
          emitBatchTile(moduleBuilder, target, name, g, epilogue, block.shape,
                        constants.size());
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

/// Tiles of a chunk differ by at most one row, so none is a thin rest. Of a
/// number of rows that is not known what full tiles leave is done one by one.
SmallVector<int64_t> BatchMatmulPlan::tileHeights(const Block &block) const {
  if (!hasKnownRows())
    return {block.tileRows, 1};
  int64_t tiles = numTiles(block), smallest = g.rows.size / chunks;
  return {smallest / tiles, (smallest + tiles - 1) / tiles,
          maxChunkRows() / tiles, (maxChunkRows() + tiles - 1) / tiles};
}

/// The tile whose first row is `row` of the problem.
void BatchMatmulPlan::callTile(Emitter &e, LLVM::LLVMFuncOp tile,
                               const Block &block, const Task &task,
                               Value row) {
  Value rows = e.at(task.lhs, e.mul(e.mul(row, g.rows.lhs), g.elementSize()));
  Value out = e.add(task.outRow, e.mul(row, g.rows.outRow));
  e.call(tile, {task.args, rows, e.at(task.image, 64 * block.first),
                e.at(task.starts, 64 * block.first), out,
                e.add(task.column, 16 * block.first), task.rowOnes});
}

void BatchMatmulPlan::emitTiles(Emitter &e, Block &block, const Task &task) {
  if (!hasKnownRows()) {
    Value whole = e.mul(e.div(task.numRows, block.tileRows), block.tileRows);
    e.loop(e.index(0), whole, block.tileRows, [&](Value row) {
      callTile(e, block.tiles[block.tileRows], block, task, row);
    });
    e.loop(whole, task.numRows, 1,
           [&](Value row) { callTile(e, block.tiles[1], block, task, row); });
    return;
  }
  int64_t tiles = numTiles(block);
  e.loop(e.index(0), e.index(tiles), 1, [&](Value tile) {
    Value from = e.div(e.mul(tile, task.numRows), tiles);
    Value to = e.div(e.mul(e.add(tile, 1), task.numRows), tiles);
    Value height = e.sub(to, from);
    Value row = e.add(task.firstRow, from);
    for (auto &[size, function] : block.tiles) {
      Value matches = arith::CmpIOp::create(e, arith::CmpIPredicate::eq, height,
                                            e.index(size));
      LLVM::LLVMFuncOp callee = function;
      e.ifThen(matches, [&] { callTile(e, callee, block, task, row); });
    }
  });
}

void BatchMatmulPlan::emitTask(Emitter &e, Value number, Value args,
                               const Scratch &scratch,
                               ArrayRef<PanelClass> classes) {
  int64_t size = g.elementSize();
  Value chunk = e.rem(number, chunks);
  Value rest = e.div(number, chunks);
  Value panel = e.rem(rest, g.numPanels());
  Value problem = e.div(rest, g.numPanels());
  Task task{args, {}, scratch.image, scratch.starts, {}, {}, e.index(0),
            {},   {}};
  task.rowOnes = scratch.rowOnes;
  task.lhs = e.at(e.argument(args, g.lhs.argument), g.lhs.offset * size);
  Value rhs = e.at(e.argument(args, g.rhs.argument), g.rhs.offset * size);
  for (const BatchMatmulGeometry::Loop &loop : llvm::reverse(g.problems)) {
    Value index = e.rem(problem, loop.size);
    problem = e.div(problem, loop.size);
    task.lhs = e.at(task.lhs, e.mul(e.mul(index, loop.lhs), size));
    rhs = e.at(rhs, e.mul(e.mul(index, loop.rhs), size));
    task.outRow = e.add(task.outRow, e.mul(index, loop.outRow));
  }
  task.firstRow = e.div(e.mul(chunk, g.rows.size), chunks);
  Value endRow = e.div(e.mul(e.add(chunk, 1), g.rows.size), chunks);
  task.numRows = e.sub(endRow, task.firstRow);
  task.column = e.mul(panel, 64);
  Value source = e.at(rhs, e.mul(e.mul(task.column, g.columns.rhs), size));
  Value left = e.sub(e.index(g.columns.size), task.column);
  auto walk = [&](size_t number) {
    const PanelClass &panelClass = classes[number];
    emitPackPanel(e, g, scratch.zeroPoints, panelClass.shape, source,
                  scratch.image, scratch.starts, scratch.ones, left);
    if (matrixTiles) {
      emitCompletePanel(e, g, *matrixTiles, panelClass.shape, scratch.image,
                        scratch.starts, scratch.rowOnes);
      Value row = e.add(task.outRow, e.mul(task.firstRow, g.rows.outRow));
      e.call(panelClass.matrixTile,
             {args, e.at(task.lhs, e.mul(task.firstRow, g.rows.lhs)),
              scratch.image, scratch.starts, task.numRows, row, task.column});
    }
    for (Block block : panelClass.blocks)
      emitTiles(e, block, task);
  };
  if (classes.size() == 1)
    return walk(0);
  // The last panel of a known number of columns is a narrow one.
  Value isFull = e.less(e.index(hasKnownColumns() ? 64 : 63), left);
  e.ifThen(isFull, [&] { walk(0); }, [&] { walk(1); });
}

BatchMatmulPlan::Scratch BatchMatmulPlan::makeScratch(Emitter &e, Value args,
                                                      PanelShape widest) {
  auto onStack = [&](Value bytes) -> Value {
    return LLVM::AllocaOp::create(e, e.ptr(), e.i8(), bytes, 64);
  };
  Scratch scratch;
  scratch.zeroPoints = BatchZeroPoints::load(e, g, epilogue, args);
  int64_t numSteps =
      matrixTiles ? matrixTiles->steps * matrixTiles->blocks : g.numSteps();
  scratch.image = onStack(e.mul(e.index(numSteps), widest.stepBytes()));
  scratch.starts = onStack(e.index(320));
  scratch.ones = onStack(e.index(4));
  e.store(e.constantInt(e.i32(), 0x01010101), scratch.ones, 4);
  scratch.rowOnes = scratch.ones; // nobody reads it
  if (onesArgument) {
    scratch.rowOnes = e.argument(args, onesArgument);
  } else if (g.rhsZeroPoint != 0) {
    scratch.rowOnes = onStack(e.mul(e.index(g.numSteps()), 64));
    emitOnes(e, g, scratch.rowOnes);
  }
  return scratch;
}

/// The widths of panels, the widest first.
SmallVector<PanelShape> BatchMatmulPlan::panelShapes(bool sumsRows) const {
  if (!hasKnownColumns())
    return {{64}, {64, /*ragged=*/true}};
  SmallVector<PanelShape> shapes;
  if (g.numPanels() > 1)
    shapes.push_back({64, /*ragged=*/false, sumsRows});
  if (g.lastPanelColumns() != 64 || shapes.empty())
    shapes.push_back({g.lastPanelColumns(), /*ragged=*/false, sumsRows});
  return shapes;
}

LogicalResult BatchMatmulPlan::emit(OpBuilder &moduleBuilder,
                                    const CpuTarget &target, StringRef symbol) {
  matrixTiles = batchMatrixTiles(target, g, chunks);
  std::vector<PanelClass> classes;
  for (PanelShape shape : panelShapes(matrixTiles && g.rhsZeroPoint != 0)) {
    PanelClass panel{shape, {}, {}};
    if (matrixTiles)
      panel.matrixTile =
          emitBatchMatrixTile(moduleBuilder, target,
                              (symbol + "_matrix" + Twine(shape.columns)).str(),
                              g, *matrixTiles, epilogue, shape);
    else
      panel.blocks = emitBlocks(moduleBuilder, target, symbol, shape);
    classes.push_back(std::move(panel));
  }

  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(region.root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                          /*internal=*/false);
  Value args = func.getArgument(0);
  e.bindSizes(region, args, constants.size());
  Scratch scratch = makeScratch(e, args, classes[0].shape);
  if (matrixTiles)
    emitConfigureTiles(e, *matrixTiles);
  Value begin = func.getArgument(1), end = func.getArgument(2);
  if (g.shapes) {
    Value all = e.mul(e.index(g.numProblems()), g.numPanels());
    begin = e.div(e.mul(begin, all), numTasks);
    end = e.div(e.mul(end, all), numTasks);
  }
  e.loop(begin, end, 1,
         [&](Value task) { emitTask(e, task, args, scratch, classes); });
  if (matrixTiles)
    emitReleaseTiles(e);
  e.ret();
  return success();
}

} // namespace

PlanPtr planBatchMatmul(const KernelRegion &region) {
  std::optional<BatchMatmulGeometry> geometry =
      BatchMatmulGeometry::create(region);
  if (!geometry)
    return nullptr;
  auto plan = std::make_unique<BatchMatmulPlan>(region, std::move(*geometry));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
