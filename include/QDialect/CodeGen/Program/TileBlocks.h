// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A dispatch over images of symbolic size whose result is made pixel by pixel
// from windows of one input: a convolution, a pool or a pad with its epilogue.
// It becomes a kernel for one tile of pixels, with static sizes, that the
// runtime runs on every tile (runtime/src/tiles.c): what the kernel reads of an
// image comes as a patch with the padding around it.
//
//   tensor<?x?x?x64xi8>, 3x3 filter, 8x8 tiles -> tensor<1x10x10x64xi8>

#ifndef QDIALECT_CODEGEN_PROGRAM_TILEBLOCKS_H
#define QDIALECT_CODEGEN_PROGRAM_TILEBLOCKS_H

#include "QDialect/Analysis/Padding.h"
#include "QDialect/Analysis/SymbolicShapes.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include <array>
#include <optional>

namespace qdialect {

struct TileBlocks {
  /// What the tile needs of an image; pixels are [y, x].
  struct Patch {
    std::array<int64_t, 2> stride{1, 1}, reach{0, 0};
    std::array<int64_t, 2> low{0, 0}; ///< may be symbolic
    int64_t size(unsigned axis, int64_t tile) const {
      return (tile - 1) * stride[axis] + reach[axis] + 1;
    }
  };

  /// Dimensions of the result in front of the channels: the number of the
  /// image, then one or two of pixels.
  int64_t numDims = 0;
  std::array<int64_t, 2> tile{1, 1};
  /// By input: nothing if all tiles read the whole input.
  llvm::SmallVector<std::optional<Patch>> patches;
  unsigned image = 0; ///< the input that is read in windows
  /// The value outside of the image, if one is read.
  std::optional<Padding> padding;

  static std::optional<TileBlocks> analyze(qd::DispatchOp dispatch,
                                           SymbolicShapes &shapes);

  /// Height and width of the images of a tensor with pixels.
  std::array<int64_t, 2> imageSize(llvm::ArrayRef<int64_t> shape) const;

  /// The dispatch for one tile, as RowBlocks::build.
  qd::DispatchOp build(qd::DispatchOp dispatch, SymbolicShapes &shapes,
                       mlir::ModuleOp module,
                       llvm::SmallVectorImpl<unsigned> &inputs) const;

private:
  void chooseTile(qd::DispatchOp dispatch, SymbolicShapes &shapes);
};

} // namespace qdialect

#endif // QDIALECT_CODEGEN_PROGRAM_TILEBLOCKS_H
