// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sliding windows over channel-last images: what contractions, depthwise
// convolutions and pools have in common. A window is a list of taps; row(m, t)
// is where the channels of output pixel m at tap t start. Pixels outside the
// image read one shared row of padding, so that no kernel ever tests a bound.

#ifndef QDIALECT_LIB_CODEGEN_CPU_WINDOW_H
#define QDIALECT_LIB_CODEGEN_CPU_WINDOW_H

#include "Emitter.h"
#include "KernelRegion.h"
#include "QDialect/Analysis/Padding.h"

namespace qdialect::cpu {

/// One loop over output pixels.
struct PixelLoop {
  int64_t size = 1;
  int64_t step = 0; ///< input elements a pixel
  int axis = -1;    ///< the image axis it walks (0 or 1), -1 for a batch
};

/// One image axis: position = pixel * stride + filter * dilation - low.
struct ImageAxis {
  int64_t filterSize = 1, stride = 0, dilation = 1, low = 0;
  int64_t size = 1;       ///< of the unpadded input
  int64_t filterStep = 0; ///< input elements a filter position
  int filterLoop = -1;    ///< loop number in the op
  bool padded = false;
};

struct WindowGeometry {
  bool isFloat = false;    ///< f32; else codes
  int64_t codeBytes = 1;   ///< of codes
  unsigned input = 0;      ///< position of the image among the inputs
  int64_t inputOffset = 0; ///< elements from its start to row(0, 0)
  llvm::SmallVector<PixelLoop> pixels; ///< outermost first
  ImageAxis axes[2];                   ///< y, x; a 1-D window has x alone
  bool mergedRows = false;             ///< a tap is a whole filter row
  int64_t padLength = 0; ///< elements of the row that stands for padding
  /// By channel if it varies.
  Padding padding;

  int64_t elementSize() const { return isFloat ? 4 : codeBytes; }
  int64_t numPixels() const;
  int64_t tapColumns() const { return mergedRows ? 1 : axes[1].filterSize; }
  /// Kernels keep a table of all taps.
  static constexpr int64_t kMostTaps = 128;
  int64_t numTaps() const { return axes[0].filterSize * tapColumns(); }
  /// Too many for a table: the kernel walks from the first tap of a row to the
  /// others, whose distances are the same everywhere unless there is padding.
  bool walksTaps() const { return numTaps() > kMostTaps; }
  /// Taps that have a place in the table.
  int64_t tableTaps() const { return walksTaps() ? 1 : numTaps(); }
  bool padded() const { return axes[0].padded || axes[1].padded; }
  /// One tap and pixels at a constant distance: no row pointers needed.
  bool isStrided() const;
  int64_t rowStride() const { return pixels.empty() ? 0 : pixels.back().step; }

  /// Reads the window of operand `image` of `op`. `channelLoops` are those that
  /// a row holds; `form` gets the image's address by loop.
  bool read(const KernelRegion &region, mlir::linalg::LinalgOp op,
            unsigned image, llvm::ArrayRef<unsigned> channelLoops,
            LinearForm &form);

  /// A row of padding, in the form that memory has.
  ConstantBlob paddingBlob() const;
};

/// The constant that an op accumulates onto, as a function of the output's
/// indices.
struct InitValues {
  ConstantView view;
  LinearForm form; ///< elements of `view`, over the output's dimensions

  /// Reads a fill, a constant, or a broadcast of one; nothing for anything
  /// else.
  static std::optional<InitValues> read(mlir::Value init);
  bool isUniform() const;
};

/// Stores row(m, t) for m in [firstRow, endRow) at table[t * tableStride + m -
/// firstRow], of t = 0 alone where the kernel walks; entries up to the next
/// multiple of 16 are written too.
void emitRowTable(Emitter &e, const WindowGeometry &g, mlir::Value table,
                  int64_t tableStride, mlir::Value input, mlir::Value padding,
                  mlir::Value firstRow, mlir::Value endRow);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_WINDOW_H
