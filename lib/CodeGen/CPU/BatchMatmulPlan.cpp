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

class BatchMatmulPlan : public KernelPlan {
public:
  BatchMatmulPlan(const KernelRegion &source, BatchMatmulGeometry geometry)
      : region(source), g(std::move(geometry)) {
    family = "batch_matmul";
  }

  bool init();
  std::string instruction(const CpuTarget &target) const override {
    return dotInstruction(target, g.isFloat);
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
  int64_t maxChunkRows() const { return (g.rows.size + chunks - 1) / chunks; }
  int64_t numTiles(const Block &block) const {
    return (maxChunkRows() + block.tileRows - 1) / block.tileRows;
  }
  void emitTask(Emitter &e, Value task, Value args, Value image, Value starts,
                Value ones, const BatchZeroPoints &zeroPoints,
                ArrayRef<std::vector<Block>> classes,
                ArrayRef<PanelShape> shapes);
  void emitTiles(Emitter &e, Block &block, Value args, Value lhs, Value image,
                 Value starts, Value firstRow, Value numRows, Value outRow,
                 Value column);

  KernelRegion region;
  BatchMatmulGeometry g;
  Epilogue epilogue;
  int64_t chunks = 1; ///< parts of a problem's rows
  unsigned onesArgument = 0;
};

bool BatchMatmulPlan::init() {
  if (g.rhsZeroPoint != 0) {
    onesArgument = region.numInputs() + 1;
    constants.push_back(onesBlob(g));
  }
  std::optional<Epilogue> resolved =
      Epilogue::create(region, constants, g.columns.size, /*ofRoot=*/true);
  if (!resolved)
    return false;
  epilogue = std::move(*resolved);
  if (!g.isFloat) {
    auto reach = [](int64_t zeroPoint) {
      return static_cast<double>(
          std::max(std::abs(-128 - zeroPoint), std::abs(127 - zeroPoint)));
    };
    double bound = std::abs(g.init) + static_cast<double>(g.depth.size) *
                                          reach(g.lhsZeroPoint) *
                                          reach(g.rhsZeroPoint);
    if (bound < 2147483648.0)
      epilogue.rootRange = Interval{-bound, bound};
  }
  int64_t whole = g.numProblems() * g.numPanels();
  if (whole < kWantedTasks)
    chunks = std::clamp<int64_t>(g.rows.size / kMinRows, 1,
                                 (kWantedTasks + whole - 1) / whole);
  numTasks = whole * chunks;
  // Sums of columns are left out where nothing is subtracted from the rows.
  keyText = family + (g.lhsOffset() == 0 ? "-plain" : "") + epilogue.key();
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
    // Tiles of a chunk differ by at most one row, so none is a thin rest.
    block.tileRows = tile.rows;
    int64_t tiles = numTiles(block);
    int64_t smallest = g.rows.size / chunks;
    for (int64_t rows :
         {smallest / tiles, (smallest + tiles - 1) / tiles,
          maxChunkRows() / tiles, (maxChunkRows() + tiles - 1) / tiles}) {
      if (rows == 0 || block.tiles.count(rows))
        continue;
      block.shape.rows = rows;
      std::string name =
          (symbol + "_tile" + Twine(rows) + "x" + Twine(block.shape.columns) +
           "at" + Twine(first) + "of" + Twine(panel.columns))
              .str();
      block.tiles[rows] = emitBatchTile(moduleBuilder, target, name, g,
                                        epilogue, block.shape, onesArgument);
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

void BatchMatmulPlan::emitTiles(Emitter &e, Block &block, Value args, Value lhs,
                                Value image, Value starts, Value firstRow,
                                Value numRows, Value outRow, Value column) {
  int64_t tiles = numTiles(block);
  e.loop(e.index(0), e.index(tiles), 1, [&](Value tile) {
    Value from = e.div(e.mul(tile, numRows), tiles);
    Value to = e.div(e.mul(e.add(tile, 1), numRows), tiles);
    Value height = e.sub(to, from);
    Value row = e.add(firstRow, from);
    Value rows = e.at(lhs, e.mul(row, g.rows.lhs * g.elementSize()));
    Value out = e.add(outRow, e.mul(row, g.rows.out / g.columns.size));
    for (auto &[size, function] : block.tiles) {
      Value matches = arith::CmpIOp::create(e, arith::CmpIPredicate::eq, height,
                                            e.index(size));
      LLVM::LLVMFuncOp callee = function;
      e.ifThen(matches, [&] {
        e.call(callee, {args, rows, e.at(image, 64 * block.first),
                        e.at(starts, 64 * block.first), out,
                        e.add(column, 16 * block.first)});
      });
    }
  });
}

void BatchMatmulPlan::emitTask(Emitter &e, Value task, Value args, Value image,
                               Value starts, Value ones,
                               const BatchZeroPoints &zeroPoints,
                               ArrayRef<std::vector<Block>> classes,
                               ArrayRef<PanelShape> shapes) {
  int64_t size = g.elementSize();
  Value chunk = e.rem(task, chunks);
  Value rest = e.div(task, chunks);
  Value panel = e.rem(rest, g.numPanels());
  Value problem = e.div(rest, g.numPanels());
  Value lhs = e.at(e.argument(args, g.lhs.argument), g.lhs.offset * size);
  Value rhs = e.at(e.argument(args, g.rhs.argument), g.rhs.offset * size);
  Value outRow = e.index(0);
  for (const BatchMatmulGeometry::Loop &loop : llvm::reverse(g.problems)) {
    Value index = e.rem(problem, loop.size);
    problem = e.div(problem, loop.size);
    lhs = e.at(lhs, e.mul(index, loop.lhs * size));
    rhs = e.at(rhs, e.mul(index, loop.rhs * size));
    outRow = e.add(outRow, e.mul(index, loop.out / g.columns.size));
  }
  Value firstRow = e.div(e.mul(chunk, g.rows.size), chunks);
  Value endRow = e.div(e.mul(e.add(chunk, 1), g.rows.size), chunks);
  Value numRows = e.sub(endRow, firstRow);
  Value column = e.mul(panel, 64);
  Value source = e.at(rhs, e.mul(column, g.columns.rhs * size));
  auto walk = [&](size_t number) {
    emitPackPanel(e, g, zeroPoints, shapes[number], source, image, starts,
                  ones);
    for (Block block : classes[number])
      emitTiles(e, block, args, lhs, image, starts, firstRow, numRows, outRow,
                column);
  };
  if (classes.size() == 1)
    return walk(0);
  Value isFull = e.less(panel, e.index(g.numPanels() - 1));
  e.ifThen(isFull, [&] { walk(0); }, [&] { walk(1); });
}

LogicalResult BatchMatmulPlan::emit(OpBuilder &moduleBuilder,
                                    const CpuTarget &target, StringRef symbol) {
  SmallVector<PanelShape> shapes;
  if (g.numPanels() > 1)
    shapes.push_back({64});
  if (g.lastPanelColumns() != 64 || shapes.empty())
    shapes.push_back({g.lastPanelColumns()});
  std::vector<std::vector<Block>> classes;
  for (PanelShape panel : shapes)
    classes.push_back(emitBlocks(moduleBuilder, target, symbol, panel));

  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(region.root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                          /*internal=*/false);
  Value image = LLVM::AllocaOp::create(
      e, e.ptr(), e.i8(), e.index(g.numSteps() * shapes[0].stepBytes()), 64);
  Value starts = LLVM::AllocaOp::create(e, e.ptr(), e.i8(), e.index(256), 64);
  Value ones = LLVM::AllocaOp::create(e, e.ptr(), e.i32(), e.index(1), 4);
  e.store(e.constantInt(e.i32(), 0x01010101), ones, 4);
  BatchZeroPoints zeroPoints =
      BatchZeroPoints::load(e, g, epilogue, func.getArgument(0));
  e.loop(func.getArgument(1), func.getArgument(2), 1, [&](Value task) {
    emitTask(e, task, func.getArgument(0), image, starts, ones, zeroPoints,
             classes, shapes);
  });
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
