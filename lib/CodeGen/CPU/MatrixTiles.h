// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Contractions of codes by the matrix unit (AMX). A tile register holds up to
// 16 rows of 64 bytes; one tdpbusd multiplies a tile of 16 pixels x 64 codes by
// one of 64 codes x 16 channels in 16 cycles, eight times what vpdpbusd does.
// The packed image, rows of 4 codes x 16 channels, is the form in which the
// unit wants its right side.
//
// The left side are rows of codes at one stride. Rows of a matrix product are
// read where they lie, and so are the pixels of an image's lines, of which a
// convolution with padding has a padded copy made for a chunk of pixels. Where
// that does not do the taps of each pixel are copied side by side.

#ifndef QDIALECT_LIB_CODEGEN_CPU_MATRIXTILES_H
#define QDIALECT_LIB_CODEGEN_CPU_MATRIXTILES_H

#include "Contraction.h"
#include "MatrixLoop.h"

namespace qdialect::cpu {

/// How a contraction is cut into tiles.
struct MatrixTiling {
  enum Source {
    InPlace,     ///< rows are read where they lie
    CopiedImage, ///< from lines that were copied, with padding around them
    Gathered,    ///< the taps of each pixel were copied side by side
  };
  MatrixTileShape shape;
  Source source = InPlace;
  int64_t rowStride = 0; ///< bytes from row to row as tiles read them
  int64_t copyBytes = 0; ///< of what is copied for a chunk

  /// The tiling for a target that has tiles, where they are the better choice.
  static std::optional<MatrixTiling> choose(const CpuTarget &target,
                                            const ContractionGeometry &geometry,
                                            const ContractionTasks &tasks);

  /// The same for each way to read the rows, if it can be gone.
  static std::optional<MatrixTiling>
  chooseRows(const ContractionGeometry &geometry,
             const ContractionTasks &tasks);
  static std::optional<MatrixTiling>
  chooseLines(const ContractionGeometry &geometry,
              const ContractionTasks &tasks);

  /// What multiplying and copying take, about.
  int64_t cycles(const ContractionGeometry &geometry,
                 const ContractionTasks &tasks) const;

  /// What a thread's stack has room for, and L2 beside the weights.
  static constexpr int64_t kMostCopied = 768 << 10;

  /// K steps of the last multiplication that do not exist: the codes of pixels
  /// are zero there, those of weights whatever lies behind the panel.
  int64_t stepsBeyond(const ContractionGeometry &geometry) const {
    return shape.steps * shape.blocks -
           geometry.numTaps() * geometry.stepsPerTap();
  }
};

/// What a kernel of the matrix unit may read behind the image.
int64_t bytesBehindImage(const ContractionGeometry &geometry);

/// Emits the private function that copies the rows of a chunk, taps side by
/// side, zeros behind them up to the last multiplication's end:
///   (rows, groupOffset, numRows, out): rows as for emitMicroKernel
mlir::LLVM::LLVMFuncOp
emitRowGathering(mlir::OpBuilder &moduleBuilder, mlir::Location loc,
                 const CpuTarget &target, llvm::StringRef name,
                 const ContractionGeometry &geometry,
                 const MatrixTiling &tiling, int64_t tableStride);

/// Emits the private function that copies the lines of the image that lines of
/// the output read, with padding around them:
///   (pixels, padding, firstLine, numLines, out): the first pixel of the first
/// line, padding counted
mlir::LLVM::LLVMFuncOp emitImageCopying(mlir::OpBuilder &moduleBuilder,
                                        mlir::Location loc,
                                        const CpuTarget &target,
                                        llvm::StringRef name,
                                        const ContractionGeometry &geometry);

/// The codes that the first tap of the first pixel of an output line reads,
/// padding counted.
mlir::Value emitFirstPixel(Emitter &e, const ContractionGeometry &geometry,
                           mlir::Value input, mlir::Value line);

/// What the micro-kernel of the matrix unit computes of a chunk's pixels.
struct MatrixKernel {
  int64_t vectors; ///< of the panel, whose width in the image it is
  int64_t channels;
  bool isUnpacked; ///< the weights are a copy
};

/// Emits its private function:
///   (args, rows, weights, pixel, numPixels, channel): the first row as tiles
/// read them.
mlir::LLVM::LLVMFuncOp
emitMatrixKernel(mlir::OpBuilder &moduleBuilder, const CpuTarget &target,
                 llvm::StringRef name, const MatrixTiling &tiling,
                 const Epilogue &epilogue, MatrixKernel shape,
                 unsigned firstConstant);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_MATRIXTILES_H
