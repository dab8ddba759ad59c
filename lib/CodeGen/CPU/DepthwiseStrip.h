// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Depthwise convolutions of codes with filters of several rows and columns.
//
// A strip is some neighbouring rows of the output. What its filters see of a
// column of the image are a few rows; four of them are interleaved by bytes, so
// that a lane of 32 bits holds four taps of one channel, as the dot product
// instructions want them. One interleaved column serves all columns of the
// filter and, with the weights moved by a byte, all rows of the strip:
//
//   out[y + r][x] += dot(column[x * stride + k], weights[k][r]), k = columns of
//   the filter
//
// Work is cut into units: a strip, some of its columns, 64 channels. A unit
// keeps its interleaved columns and the sums of a tile of pixels on the stack.

#ifndef QDIALECT_LIB_CODEGEN_CPU_DEPTHWISESTRIP_H
#define QDIALECT_LIB_CODEGEN_CPU_DEPTHWISESTRIP_H

#include "WindowReduce.h"

namespace qdialect::cpu {

struct DepthwiseStrip {
  static constexpr int64_t kBlock = WindowReduceGeometry::kBlock;
  /// Rows that are interleaved.
  static constexpr int64_t kTaps = 4;
  /// Of a column of 64 channels: four vectors of 16 channels x 4 taps.
  static constexpr int64_t kColumnBytes = kTaps * kBlock;

  WindowReduceGeometry g;
  int64_t height = 1, width = 1, batch = 1;           ///< of the output
  int64_t batchStep = 0, rowStep = 0, columnStep = 0; ///< input elements
  int64_t rows = 1; ///< of the output in a strip
  /// Rows of the image that a strip sees, counted from the first.
  llvm::SmallVector<int64_t> imageRows;
  int64_t numChunks = 1; ///< of the columns of a strip

  /// Weights of one column of the filter: `row` of the strip meets the
  /// interleaved rows number `group`.
  struct Meeting {
    int64_t row, group;
  };
  llvm::SmallVector<Meeting> meetings;

  /// Nothing for windows of other kinds.
  static std::optional<DepthwiseStrip> create(const WindowReduceGeometry &g);

  const ImageAxis &y() const { return g.axes[0]; }
  const ImageAxis &x() const { return g.axes[1]; }
  int64_t numGroups() const {
    return llvm::divideCeil(imageRows.size(), kTaps);
  }
  int64_t numStrips() const { return llvm::divideCeil(height, rows); }
  int64_t numBlocks() const { return g.numBlocks(); }
  int64_t numUnits() const {
    return batch * numStrips() * numChunks * numBlocks();
  }
  int64_t mostColumns() const { return llvm::divideCeil(width, numChunks); }
  int64_t leastColumns() const { return width / numChunks; }
  /// Columns of the image that `columns` neighbours of the output see.
  int64_t imageColumns(int64_t columns) const {
    return (columns - 1) * x().stride + (x().filterSize - 1) * x().dilation + 1;
  }
  /// The row of the filter in which output row `row` of a strip meets row
  /// `index` of imageRows.
  std::optional<int64_t> filterRow(int64_t row, int64_t index) const;
  /// Of the weights of 64 channels as tiles read them: [column of the
  /// filter][meeting][16 channels][64 bytes].
  int64_t blockBytes() const {
    return x().filterSize * static_cast<int64_t>(meetings.size()) *
           kColumnBytes;
  }
  ConstantBlob weightsBlob() const;
  /// Columns of the output in a tile.
  int64_t tileColumns(const CpuTarget &target) const;

private:
  void takeRows(int64_t count);
  int64_t cost() const;
};

/// Emits the private function that makes a unit of `channels` channels: (args,
/// weights, image of the batch, pixel of the batch, row, column, number of
/// columns, channel).
mlir::LLVM::LLVMFuncOp
emitStripUnit(mlir::OpBuilder &moduleBuilder, const CpuTarget &target,
              llvm::StringRef name, const DepthwiseStrip &strip,
              const Epilogue &epilogue, int64_t channels);
/// Emits the private function that writes the codes of a block as units read
/// them: (args, weights, channel, out).
mlir::LLVM::LLVMFuncOp
emitStripUnpacking(mlir::OpBuilder &moduleBuilder, mlir::Location loc,
                   const CpuTarget &target, llvm::StringRef name,
                   const DepthwiseStrip &strip, unsigned firstConstant);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_DEPTHWISESTRIP_H
