// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emits the body of a product on tensor cores (MmaGeometry.h) into a kernel of
// MmaTile::threads() threads a block and MmaGeometry::blocks() blocks:
//
//   stages of activations and weights come by asynchronous copies, those of
//   the weights as they lie, those of the activations with their 16-byte chunks
//   permuted, so that ldmatrix meets no bank twice; while one step multiplies,
//   the fragments of the next are read.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_MMAKERNEL_H
#define QDIALECT_LIB_CODEGEN_NVVM_MMAKERNEL_H

#include "MmaGeometry.h"
#include "WarpEmitter.h"

namespace qdialect::gpu {

/// Pointers to global memory; those to constants are aligned to 16 bytes.
struct MmaOperands {
  mlir::Value activations;
  /// What packMmaWeights wrote, or the right side.
  mlir::Value weights;
  mlir::Value starts;  ///< i32 by group and panel column; null: zeros
  mlir::Value padding; ///< the row that stands for pixels outside
  mlir::Value scales;  ///< f32 by panel column (minifloats)
};

/// Neighbouring sums of a row that exist: `sums[i]` is of column `column` + i
/// of group `group`.
struct MmaSums {
  mlir::Value row, column, group;
  llvm::ArrayRef<mlir::Value> sums;
  /// How many exist, i64, where that is known at run time alone; null: all.
  mlir::Value left;
};

void emitMmaKernel(WarpEmitter &e, const MmaGeometry &geometry,
                   const MmaTile &tile, llvm::StringRef sharedName,
                   const MmaOperands &operands,
                   llvm::function_ref<void(const MmaSums &)> epilogue);

/// Four codes as two pairs of f16, both exactly 2^minifloatExponent(format)
/// times too small. NaN and infinities go through where codes may be `special`.
WarpEmitter::Values expandMinifloats(WarpEmitter &e, const Format &format,
                                     mlir::Value codes, bool special);
int64_t minifloatExponent(const Format &format);

/// Where a warp's sums are.
struct MmaOutput {
  using Value = mlir::Value;
  int64_t rows, columns; ///< that exist, of a group
  Value blockRow, columnBlock, group;
  Value warpRow, panel; ///< the warp's in its block
  Value lane;
};

/// The first of a lane's columns in its panel.
mlir::Value mmaLaneColumn(WarpEmitter &e, mlir::Value lane);

/// The numbers of 32 bits of a lane's columns in panel `panel`.
WarpEmitter::Values mmaLaneParameters(WarpEmitter &e, mlir::Value image,
                                      mlir::Value panel, mlir::Value lane,
                                      mlir::Type type);

/// Where a lane reads its row of the fragments of 16 rows x 32 bytes, in bytes
/// from the start of the block's rows (MmaShare::swizzle).
mlir::Value mmaRowFragment(WarpEmitter &e, mlir::Value warpRow,
                           mlir::Value lane, int64_t half, int64_t swizzle);

/// Gives `epilogue` those of a thread's sums whose columns exist. They start at
/// a multiple of their number, in a block of `blockColumns`.
void storeMmaRow(WarpEmitter &e, int64_t blockColumns, int64_t columns,
                 MmaSums sums,
                 llvm::function_ref<void(const MmaSums &)> epilogue);

/// Gives `epilogue` the sums that exist, row by row. `sum(i, j, r)` is register
/// r of the fragment of rows 16 * i and of column fragment j (mmaColumn).
void storeMmaSums(
    WarpEmitter &e, const MmaTile &tile, const MmaOutput &output,
    llvm::function_ref<mlir::Value(int64_t, int64_t, int64_t)> sum,
    llvm::function_ref<void(const MmaSums &)> epilogue);

/// The share of a block in one side of a product.
struct MmaShare {
  using Value = mlir::Value;
  Value rows;    ///< where the rows of the block's group start
  Value padding; ///< the same of the row of padding; null where there is none
  Value firstRow;
  int64_t numRows;
  int64_t threads; ///< of the block, which all copy
  Value thread;
  Value shared; ///< the first stage
  /// Chunk c of row r lies at c ^ (r >> swizzle & 3): the eight rows that
  /// ldmatrix reads at once meet all banks once.
  int64_t swizzle;
};

/// The copies of one side of a block's steps, in order.
class MmaRowCopy {
public:
  using Value = mlir::Value;
  using Values = WarpEmitter::Values;

  MmaRowCopy(WarpEmitter &e, const MmaRows &g, const MmaShare &share);

  /// What changes from step to step, for the first.
  Values start();
  /// Copies a step to the stage at byte `stage` of shared memory; returns what
  /// the next step starts from.
  Values issue(mlir::ValueRange state, Value stage);

private:
  struct Row {
    Value pointer; ///< of tap 0
    Value inside;  ///< bit t: tap t lies in the image; null: all do
  };
  /// Taps of padded windows must have a bit each.
  Row rowOf(Value row);
  Values issueRun(mlir::ValueRange state, Value stage);
  Values issueTaps(Value depth, Value stage);
  Values issueBytes(Value depth, Value stage);
  /// Where products `depth` of a row lie behind its pointer.
  struct TapPlace {
    Value tap, inTap, offset;
  };
  TapPlace placeOf(Value depth);
  Value pointerOf(const Row &row, const TapPlace &place);
  Value sharedOf(int64_t pass, Value stage);
  /// One tap, inside of the image: pointers just move on.
  bool isOneRun() const {
    return g.window.numTaps() == 1 && !g.window.padded() && g.copyBytes() > 1;
  }

  WarpEmitter &e;
  const MmaRows &g;
  Value padding;
  int64_t unitBytes, unitsPerRow, passRows, passes;
  Value unitOffset; ///< of this thread's unit in a row's step
  llvm::SmallVector<Row> rows;
  /// By row modulo `period`, over what passes add.
  llvm::SmallVector<Value> shared;
  int64_t period;
  llvm::DenseMap<int64_t, Value> staged;
};

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_MMAKERNEL_H
