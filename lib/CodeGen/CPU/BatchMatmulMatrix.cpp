// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of two activations on the matrix unit: the shared loop over all rows
// of a task. Where the right side has a zero point its panel has one more
// vector, of ones, whose sums are those of the rows of the left side.

#include "BatchMatmul.h"
#include "Payload.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {

/// As for contractions: with fewer rows vectors are as fast.
static constexpr int64_t kFewestRows = 4, kFewestSteps = 4;

std::optional<MatrixTileShape> batchMatrixTiles(const CpuTarget &target,
                                                const BatchMatmulGeometry &g,
                                                int64_t chunks) {
  if (!target.hasTiles() || g.isFloat || g.shapes ||
      g.rows.size / chunks < kFewestRows || g.numSteps() < kFewestSteps)
    return std::nullopt;
  MatrixTileShape shape;
  shape.cutRows(g.rows.size / chunks, (g.rows.size + chunks - 1) / chunks);
  shape.cutDepth(g.numSteps());
  // The last multiplication reads codes behind a row. Behind a buffer there are
  // 64 of them.
  if (4 * shape.steps * shape.blocks - g.depth.size > 64)
    return std::nullopt;
  return shape;
}

void emitCompletePanel(Emitter &e, const BatchMatmulGeometry &g,
                       const MatrixTileShape &shape, PanelShape panel,
                       Value image, Value starts, Value ones) {
  auto line = Emitter::vector(e.i8(), 64);
  Value zero = e.constantInt(line, 0);
  int64_t last = 64 * panel.vectors();
  if (panel.sumsRows) {
    e.store(zero, e.at(starts, last), 64);
    e.loop(e.index(0), e.index(g.numSteps()), 1, [&](Value step) {
      Value place = e.at(image, e.mul(step, panel.stepBytes()));
      e.store(e.load(line, e.at(ones, e.mul(step, 64)), 64), e.at(place, last),
              64);
    });
  }
  e.loop(e.index(g.numSteps() * panel.stepBytes()),
         e.index(shape.steps * shape.blocks * panel.stepBytes()), 64,
         [&](Value byte) { e.store(zero, e.at(image, byte), 64); });
}

LLVM::LLVMFuncOp emitBatchMatrixTile(OpBuilder &moduleBuilder,
                                     const CpuTarget &target, StringRef name,
                                     const BatchMatmulGeometry &g,
                                     const MatrixTileShape &shape,
                                     const Epilogue &epilogue,
                                     PanelShape panel) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(epilogue.region->root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(
      name, {e.ptr(), e.ptr(), e.ptr(), e.ptr(), e.i64(), e.i64(), e.i64()},
      /*internal=*/true);
  Value args = func.getArgument(0), outRow = func.getArgument(5),
        column = func.getArgument(6);
  MatrixOperands operands;
  operands.rows = func.getArgument(1);
  operands.rowStride = e.index(g.rows.lhs);
  operands.numRows = func.getArgument(4);
  operands.image = func.getArgument(2);
  operands.starts = func.getArgument(3);
  operands.vectors = panel.stepBytes() / 64;
  PayloadEmitter payload(e, epilogue, args);
  payload.standAmongTiles();
  payload.begin();
  payload.readColumns(column, panel.columns);
  Value rhsZero;
  if (panel.sumsRows)
    rhsZero = BatchZeroPoints::load(e, g, epilogue, args).rhs;
  auto type = Emitter::vector(e.i32());
  emitMatrixLoop(e, shape, operands, [&](Value row, Value sums) {
    auto sumsOf = [&](int64_t v) {
      return e.load(type, e.at(sums, 64 * v), 64);
    };
    Value correction;
    if (panel.sumsRows)
      correction = arith::MulIOp::create(e, sumsOf(panel.vectors()), rhsZero);
    Value place = e.add(outRow, e.mul(row, g.rows.outRow));
    payload.storeRow(Position::at(e, epilogue, place, column), panel.columns,
                     [&](int64_t v) {
                       Value lanes = sumsOf(v);
                       if (correction)
                         lanes = arith::SubIOp::create(e, lanes, correction);
                       return Lanes::of(lanes);
                     });
  });
  e.ret();
  return func;
}

} // namespace qdialect::cpu
