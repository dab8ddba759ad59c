// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of two activations (attention): many small problems
//
//   out[p][m][n] = init + sum over k of (lhs[p][m][k] - zl) * (rhs[p][k][n] -
//   zr)
//
// in i8 x i8 -> i32 and f32. The right side of a problem is packed at run time,
// 64 columns at a time, into the image that the weights of a contraction have
// (Contraction.h), so both share the dot products of DotPolicy.h. Sizes and
// strides may be symbolic: handles, which the Emitter reads.

#ifndef QDIALECT_LIB_CODEGEN_CPU_BATCHMATMUL_H
#define QDIALECT_LIB_CODEGEN_CPU_BATCHMATMUL_H

#include "DotPolicy.h"
#include "KernelRegion.h"
#include "MatrixLoop.h"

namespace qdialect::cpu {

struct BatchMatmulGeometry {
  /// One loop and what a step of it adds to each address, in elements.
  struct Loop {
    int64_t size = 1, lhs = 0, rhs = 0, out = 0;
    int64_t order = 0;  ///< of the dimension that it walks
    int64_t outRow = 0; ///< `out` in rows of the output
  };
  struct Operand {
    unsigned argument = 0;
    int64_t offset = 0; ///< elements
  };

  bool isFloat = false;
  Operand lhs, rhs;
  llvm::SmallVector<Loop> problems; ///< outermost first
  Loop rows, columns, depth;
  /// Zero points of codes; zero for floats.
  int64_t lhsZeroPoint = 0, rhsZeroPoint = 0;
  /// The constants of the region that they are; null if there are none.
  mlir::Value lhsZero, rhsZero;
  double init = 0;
  SymbolicShapes *shapes = nullptr; ///< null if all sizes are numbers

  int64_t elementSize() const { return isFloat ? 4 : 1; }
  int64_t numProblems() const;
  int64_t numPanels() const { return ceilDiv(columns.size, 64); }
  /// Of columns that are known.
  int64_t lastPanelColumns() const {
    return columns.size - 64 * (numPanels() - 1);
  }
  /// K steps: four codes or one float each.
  int64_t numSteps() const {
    return isFloat ? depth.size : ceilDiv(depth.size, 4);
  }
  /// The largest value of a size.
  int64_t most(int64_t size) const;
  int64_t ceilDiv(int64_t size, int64_t by) const;
  /// Bounds of the sums of codes over all inputs, if an i32 holds them.
  std::optional<Interval> sumRange() const;
  /// What is subtracted from the unsigned bytes of the left side.
  int64_t lhsOffset() const { return isFloat ? 0 : lhsZeroPoint + 128; }

  static std::optional<BatchMatmulGeometry> create(const KernelRegion &region);
};

/// Lanes of i32 with what is subtracted from the bytes of the left side and
/// from the codes of the right one; zero for floats.
struct BatchZeroPoints {
  mlir::Value lhsOffset, rhs;

  static BatchZeroPoints load(Emitter &e, const BatchMatmulGeometry &geometry,
                              const Epilogue &epilogue, mlir::Value arguments);
};

/// How many columns a panel has, and in how many vectors. A ragged one is the
/// last of a symbolic number of columns: as many as are left of 64.
struct PanelShape {
  int64_t columns;
  bool ragged = false;
  /// Its image has one more vector, of ones.
  bool sumsRows = false;
  int64_t vectors() const { return (columns + 15) / 16; }
  int64_t stepBytes() const { return 64 * (vectors() + sumsRows); }
};

/// Packs one panel, whose first column is at `source`, into `image`, and writes
/// what its accumulators start from to `starts`. At `ones` stand four codes 1.
/// `left` is the number of columns of a ragged panel.
void emitPackPanel(Emitter &e, const BatchMatmulGeometry &geometry,
                   const BatchZeroPoints &zeroPoints, PanelShape panel,
                   mlir::Value source, mlir::Value image, mlir::Value starts,
                   mlir::Value ones, mlir::Value left);

/// Codes 1 where the left side has products, 0 behind its end: what sums it.
/// For a symbolic depth they are written by the kernel.
ConstantBlob onesBlob(const BatchMatmulGeometry &geometry);
void emitOnes(Emitter &e, const BatchMatmulGeometry &geometry,
              mlir::Value image);

/// A tile of rows x vectors of one panel.
struct BatchTile {
  int64_t rows, vectors;
  int64_t columns; ///< of vectors * 16 that exist
  PanelShape panel;
};

/// Emits the private function of a tile:
///   (args, lhs row, panel, starts, row of the output, column, ones)
mlir::LLVM::LLVMFuncOp
emitBatchTile(mlir::OpBuilder &moduleBuilder, const CpuTarget &target,
              llvm::StringRef name, const BatchMatmulGeometry &geometry,
              const Epilogue &epilogue, BatchTile tile, size_t numConstants);

/// The tiles for a target with a matrix unit where it is the better choice, for
/// the rows of a problem in `chunks` parts.
std::optional<MatrixTileShape>
batchMatrixTiles(const CpuTarget &target, const BatchMatmulGeometry &geometry,
                 int64_t chunks);

/// Writes to a packed panel what the matrix unit reads besides: the vector of
/// ones, where there is one, and zeros up to the last multiplication's end.
void emitCompletePanel(Emitter &e, const BatchMatmulGeometry &geometry,
                       const MatrixTileShape &shape, PanelShape panel,
                       mlir::Value image, mlir::Value starts, mlir::Value ones);

/// Emits the private function that multiplies all rows of a task:
///   (args, lhs, panel, starts, numRows, row of the output, column)
mlir::LLVM::LLVMFuncOp
emitBatchMatrixTile(mlir::OpBuilder &moduleBuilder, const CpuTarget &target,
                    llvm::StringRef name, const BatchMatmulGeometry &geometry,
                    const MatrixTileShape &shape, const Epilogue &epilogue,
                    PanelShape panel);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_BATCHMATMUL_H
