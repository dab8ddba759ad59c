// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// int8 activations times packed codes of 2, 4 or 8 bits with a scale for each
// block (qd.block_matmul), GEMM and GEMV. A panel is 64 channels, a step four
// indices of K; the image holds for each step the bytes [16 channels][4] of
// four vectors of channels, as many vectors in the bits of one byte as fit:
//
//   4 bits: byte 4 c + i of load l = channel 32 l + c | channel 32 l + 16 + c
//           << 4, both of index 4 step + i
//
// Activations lie in memory as u = x + 128, weights become c - z in registers:
//
//   sum of x * (c - z) = sum of u * (c - z) - 128 * sum of (c - z)
//
// the last a constant of each block and channel. Codes of 8 bits whose distance
// to the zero point does not fit i8 stay r + (128 - z) with r = c - 128 in the
// image; then (z - 128) * sum of u is subtracted, too.

#ifndef QDIALECT_LIB_CODEGEN_CPU_BLOCKDOT_H
#define QDIALECT_LIB_CODEGEN_CPU_BLOCKDOT_H

#include "BlockPanels.h"
#include "DotPolicy.h"
#include "KernelRegion.h"

namespace qdialect::cpu {

struct BlockDotImage {
  explicit BlockDotImage(BlockWeights weights);

  BlockWeights w;
  enum class Zeros {
    Folded,    ///< the image holds c - z
    Same,      ///< `zero` is subtracted in registers
    Subtract,  ///< a byte for each block and channel is
    Compensate ///< the image holds c - 128; an i32 for each block and channel
               ///< times the sum of activations is subtracted
  } zeros = Zeros::Folded;
  int64_t zero = 0;
  /// The sums of (c - z) do not fit 16 bits.
  bool wideSums = false;
  /// What is multiplied by activations is at most CodeDotPolicy::kNarrow.
  bool isNarrow = true;
  std::vector<int32_t> sums; ///< of (c - z), [block][channel]

  int64_t panels() const { return (w.channels + kPanel - 1) / kPanel; }
  int64_t perByte() const { return 8 / w.bits; }
  int64_t stepsOf(int64_t size) const { return (size + 3) / 4; }
  int64_t stepBytes() const { return kPanel * 4 / perByte(); }
  int64_t panelBytes() const {
    return stepBytes() *
           (w.depth / w.block * stepsOf(w.block) + stepsOf(w.depth % w.block));
  }
  int64_t sumBytes() const { return wideSums ? 4 : 2; }

  /// codes [panel][step][stepBytes]; scales in f32, sums of (c - z) and zero
  /// points (if any is read) as [panel][block][64].
  std::vector<ConstantBlob> constants() const;

private:
  int64_t centred(int64_t k, int64_t n) const {
    return w.code(k, n) - w.zero(k / w.block, n);
  }
  int64_t imageCode(int64_t block, int64_t k, int64_t n) const;
  void fillCodes(mlir::MutableArrayRef<char> out) const;
};

/// What a tile function is made for; its arguments are (args, first row, panel,
/// first vector of the panel).
struct BlockDotTile {
  int64_t rows, channels;
};

/// Where the activations are.
struct BlockDotInputs {
  unsigned codes = 0, scales = 0; ///< arguments of the kernel
  bool scaleByBlock = true;       ///< else by row
};

/// Those of a product of static sizes; nothing if it does not read its operands
/// whole.
std::optional<BlockDotInputs> blockDotInputs(qd::BlockMatmulOp op);

/// Rows and vectors of the largest tile for `rows` rows.
TileShape blockDotTile(const CpuTarget &target, const BlockDotImage &image,
                       int64_t rows);

mlir::LLVM::LLVMFuncOp
emitBlockDotTile(mlir::OpBuilder &moduleBuilder, const CpuTarget &target,
                 llvm::StringRef name, const BlockDotImage &image,
                 const BlockDotInputs &inputs, const Epilogue &epilogue,
                 BlockDotTile tile);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_BLOCKDOT_H
