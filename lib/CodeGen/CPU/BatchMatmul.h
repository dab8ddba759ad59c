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
// (Contraction.h), so both share the dot products of DotPolicy.h.

#ifndef QDIALECT_LIB_CODEGEN_CPU_BATCHMATMUL_H
#define QDIALECT_LIB_CODEGEN_CPU_BATCHMATMUL_H

#include "DotPolicy.h"
#include "KernelRegion.h"

namespace qdialect::cpu {

struct BatchMatmulGeometry {
  /// One loop and what a step of it adds to each address, in elements.
  struct Loop {
    int64_t size = 1, lhs = 0, rhs = 0, out = 0;
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

  int64_t elementSize() const { return isFloat ? 4 : 1; }
  int64_t numProblems() const;
  int64_t numPanels() const { return (columns.size + 63) / 64; }
  int64_t lastPanelColumns() const {
    return columns.size - 64 * (numPanels() - 1);
  }
  /// K steps: four codes or one float each.
  int64_t numSteps() const {
    return isFloat ? depth.size : (depth.size + 3) / 4;
  }
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

/// How many columns a panel has, and in how many vectors.
struct PanelShape {
  int64_t columns;
  int64_t vectors() const { return (columns + 15) / 16; }
  int64_t stepBytes() const { return 64 * vectors(); }
};

/// Packs one panel, whose first column is at `source`, into `image`, and writes
/// what its accumulators start from to `starts`. At `ones` stand four codes 1.
void emitPackPanel(Emitter &e, const BatchMatmulGeometry &geometry,
                   const BatchZeroPoints &zeroPoints, PanelShape panel,
                   mlir::Value source, mlir::Value image, mlir::Value starts,
                   mlir::Value ones);

/// Codes 1 where the left side has products, 0 behind its end: what sums it.
ConstantBlob onesBlob(const BatchMatmulGeometry &geometry);

/// A tile of rows x vectors of one panel.
struct BatchTile {
  int64_t rows, vectors;
  int64_t columns; ///< of vectors * 16 that exist
  PanelShape panel;
};

/// Emits the private function of a tile:
///   (args, lhs row, panel, starts, row of the output, column)
mlir::LLVM::LLVMFuncOp
emitBatchTile(mlir::OpBuilder &moduleBuilder, const CpuTarget &target,
              llvm::StringRef name, const BatchMatmulGeometry &geometry,
              const Epilogue &epilogue, BatchTile tile, unsigned onesArgument);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_BATCHMATMUL_H
