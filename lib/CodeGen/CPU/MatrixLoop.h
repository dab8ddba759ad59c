// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop of the matrix unit (AMX) that all its micro-kernels share: rows of
// codes times a panel of packed weights, the sums handed out row by row.

#ifndef QDIALECT_LIB_CODEGEN_CPU_MATRIXLOOP_H
#define QDIALECT_LIB_CODEGEN_CPU_MATRIXLOOP_H

#include "Emitter.h"

namespace qdialect::cpu {

/// Rows that are the pixels of an image's lines, read where they lie: a tile is
/// a part of a line, or some whole ones if they are short. The taps of a filter
/// row lie side by side; the filter's next row is a line further down.
struct MatrixLines {
  int64_t width = 0;      ///< pixels of a line
  int64_t lineStride = 0; ///< bytes
  int64_t tilesOfLine = 1;
  int64_t linesOfTile = 1;
  /// Rows of a tile from line to line. Those from `width` on are no pixels.
  int64_t pitch = 0;
  int64_t filterBlocks = 0; ///< multiplications along a row of the filter
  int64_t filterStride = 0; ///< bytes from one to the next
};

/// The shape of the tiles of a kernel. It is the same for all of them, so that
/// one configuration serves a whole call: configuring takes as long as ten
/// multiplications.
struct MatrixTileShape {
  static constexpr int64_t kMostRows = 16, kMostSteps = 16;

  int64_t rows = 0;     ///< of a tile
  int64_t rowTiles = 0; ///< of all rows; the last may overlap its neighbour
  int64_t steps = 0;    ///< k steps (of 4 codes) of a multiplication
  int64_t blocks = 0;   ///< multiplications along all of k
  std::optional<MatrixLines> lines; ///< else rows lie at one stride

  /// Sets `rows` and `rowTiles` for `least` to `most` rows, as even as can be.
  void cutRows(int64_t least, int64_t most);
  /// Sets `steps` and `blocks`, as even as can be.
  void cutDepth(int64_t totalSteps);
  /// The same for lines of pixels, `rowStride` bytes apart.
  void cutLines(int64_t rowStride, int64_t least, int64_t most);

  /// Rows of a tile that are handed out.
  int64_t rowsOut() const {
    return lines && lines->linesOfTile > 1 ? lines->linesOfTile * lines->width
                                           : rows;
  }
};

/// Stores the configuration at 64 bytes on the stack and loads it.
void emitConfigureTiles(Emitter &e, const MatrixTileShape &shape);
void emitReleaseTiles(Emitter &e);

/// What is multiplied. The steps of the last multiplication that do not exist
/// must have zeros on one of the sides.
struct MatrixOperands {
  using Value = mlir::Value;
  Value rows;      ///< the first row, of unsigned bytes
  Value rowStride; ///< in bytes
  Value numRows;   ///< at least those of a tile; whole lines
  Value image;     ///< rows of 4 codes x 16 channels x `vectors`
  Value starts;    ///< what the sums of the vectors start from
  int64_t vectors;
  /// An image of this size that is read next and brought to L2 meanwhile; null
  /// if there is none. Nothing need be there.
  Value nextImage;
};

/// Emits the products of all rows. `finish(row, sums)` is the code that a row's
/// sums (i32[16 * vectors] in memory) end in; it stands among the products of
/// the next rows, and may run twice for a row.
void emitMatrixLoop(
    Emitter &e, const MatrixTileShape &shape, const MatrixOperands &operands,
    llvm::function_ref<void(mlir::Value row, mlir::Value sums)> finish);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_MATRIXLOOP_H
