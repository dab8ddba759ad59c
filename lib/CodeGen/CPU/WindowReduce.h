// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Windows that keep channels apart: depthwise convolutions, sum and max pools
// and reductions over the image.
//
//   out[m][c] = init[c] (+ or max) over taps t of row(m, t)[c] (* w[t][c])
//
// Channels are walked in blocks of 64. On VNNI machines codes are summed by
// vpdpbusd against weights of which only every fourth byte is set: lane i of
// sum j is channel 4 * i + j, no byte is ever shuffled, and sums are put in
// order once at the end. So the packed weights are [block][tap][j = 0..3][64
// bytes]. Codes of 4 and 2 bits lie as [block][row][64 bytes], the taps of a
// row in the bits of its bytes, and are written out so when a kernel begins.

#ifndef QDIALECT_LIB_CODEGEN_CPU_WINDOWREDUCE_H
#define QDIALECT_LIB_CODEGEN_CPU_WINDOWREDUCE_H

#include "CodeImage.h"
#include "Payload.h"
#include "Window.h"

namespace qdialect::cpu {

struct WindowReduceGeometry : WindowGeometry {
  enum Kind { Depthwise, Sum, Max } kind = Sum;
  int64_t channels = 1;
  /// Depthwise: strides of the weight constant, in elements.
  std::optional<ConstantView> weights;
  int64_t weightOffset = 0, weightChannel = 0, weightFilter[2] = {0, 0};
  int64_t weightIndex(int64_t tap, int64_t channel) const;
  /// Of codes; a pool's are 1.
  int64_t weight(int64_t tap, int64_t channel) const;
  std::optional<ConstantView> init;
  int64_t initOffset = 0, initChannel = 0;
  /// Depthwise: how the codes of the weights lie in the packed image.
  CodeImage image;

  static constexpr int64_t kBlock = 64;
  /// Of the image that tiles read.
  static constexpr int64_t kTapBytes = 4 * kBlock;
  int64_t numBlocks() const { return (channels + kBlock - 1) / kBlock; }
  bool isByteMax() const { return kind == Max && !isFloat && codeBytes == 1; }
  bool isWordMax() const { return kind == Max && !isFloat && codeBytes == 2; }

  int64_t imageRows() const {
    return (numTaps() + image.perByte() - 1) / image.perByte();
  }
  /// Of the weights of 64 channels.
  int64_t blockBytes() const {
    return image.isPacked() ? imageRows() * kBlock : numTaps() * kTapBytes;
  }
  unsigned basesConstant() const { return padded() ? 3 : 2; }

  static std::optional<WindowReduceGeometry> create(const KernelRegion &region);
  /// Of a depthwise convolution of codes.
  std::vector<ChannelCodes> channelCodes() const;
};

/// Packed weights (empty for pools), starts of the sums, the row of padding if
/// there is any, and the bases of the image's channels if they differ.
std::vector<ConstantBlob>
packWindowReduce(const WindowReduceGeometry &geometry);
/// Bounds of the sums, in i32.
std::optional<Interval> sumRange(const WindowReduceGeometry &geometry);

/// One tile: pixels x vectors of 16 channels.
struct ReduceTile {
  int64_t rows, vectors;
  int64_t channels; ///< of vectors * 16 that exist
  static ReduceTile largest(const CpuTarget &target,
                            const WindowReduceGeometry &g);
};
/// Emits the private function that writes the codes of a block as tiles read
/// them: (args, weights, channel, out).
mlir::LLVM::LLVMFuncOp emitBlockUnpacking(mlir::OpBuilder &moduleBuilder,
                                          mlir::Location loc,
                                          const CpuTarget &target,
                                          llvm::StringRef name,
                                          const WindowReduceGeometry &geometry,
                                          unsigned firstConstant);
/// Emits the private function for a tile: (args, rows, pixel, channel,
/// weights).
mlir::LLVM::LLVMFuncOp
emitReduceTile(mlir::OpBuilder &moduleBuilder, const CpuTarget &target,
               llvm::StringRef name, const WindowReduceGeometry &geometry,
               const Epilogue &epilogue, ReduceTile shape, int64_t tableStride);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_WINDOWREDUCE_H
