// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products on tensor cores whose weights are packed codes of 4 or 8 bits, or
// minifloats of 4, 6 or 8, with a scale for each block of the depth
// (Analysis/BlockWeights.h):
//
//   total[m][n] = sum over blocks b of
//       scale(m, b, n) * (sum over k in b of x[m][k] * (code - zero))
//       + addend(b, n) * (sum over k in b of x[m][k])
//
// A block is summed by products on tensor cores, then scaled once and added in
// f32, block after block. Codes come from shared memory packed and become
// operands in registers.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_BLOCKMMA_H
#define QDIALECT_LIB_CODEGEN_NVVM_BLOCKMMA_H

#include "MmaKernel.h"
#include "QDialect/Analysis/BlockWeights.h"
#include "QDialect/CodeGen/CPU/KernelPlan.h"

namespace qdialect::gpu {

/// What is multiplied.
enum class BlockOperands {
  Codes, ///< i8 codes in memory (as u8), sums in i32
  // f32 in memory, sums in f32:
  Halves,     ///< that are f16
  Bfloats,    ///< that are bf16
  SplitFloats ///< each the sum of three bf16
};

struct BlockMmaGeometry {
  BlockOperands operands = BlockOperands::SplitFloats;
  int64_t rows = 1, columns = 1, depth = 1;
  /// Of the rows of activations, in elements.
  int64_t rowOffset = 0, rowStride = 0;
  /// What the tensor of activations starts at a multiple of, in bytes.
  int64_t alignment = 16;
  unsigned bits = 4;
  /// What the codes are; none for integers.
  std::optional<Format> minifloat;
  int64_t block = 32;
  /// The zero point of all codes; else they have one for each block and
  /// column.
  std::optional<int64_t> zero;
  /// The sum of a block's activations counts, too (BlockWeights::addends).
  bool hasAddends = false;
  /// Activations have a scale for each block, else for each row (Codes).
  bool leftScaleByBlock = true;

  bool isInteger() const { return operands == BlockOperands::Codes; }
  /// Numbers that make an activation.
  int64_t parts() const {
    return operands == BlockOperands::SplitFloats ? 3 : 1;
  }
  bool isHalf() const { return operands == BlockOperands::Halves; }
  /// Signed codes lie in the upper bits of their bytes: sums are 16 times what
  /// they count, which spares the subtraction of the middle.
  bool isTimes16() const { return isInteger() && bits == 4 && zero == 8; }
  /// Depth of one product and of a step, which is two.
  int64_t sliceDepth() const { return isInteger() ? 32 : 16; }
  int64_t stepDepth() const { return 2 * sliceDepth(); }
  int64_t steps() const { return (depth + stepDepth() - 1) / stepDepth(); }
  int64_t numBlocks() const { return (depth + block - 1) / block; }
  /// Are blocks made of whole steps, or steps of whole products? Those of codes
  /// have a smaller sort, too.
  bool isRegular() const {
    return block % stepDepth() == 0 || block == sliceDepth() ||
           (isInteger() && 2 * block == sliceDepth());
  }

  /// As f16 minifloats are so many powers of two too small.
  int64_t scaleExponent() const {
    return minifloat && isHalf() ? minifloatExponent(*minifloat) : 0;
  }

  /// Codes of a panel of 64 columns. Of those of 6 bits the upper two lie
  /// behind the lower four of all.
  int64_t sliceBytes() const {
    return sliceDepth() * MmaTile::kWarpColumns * bits / 8;
  }
  static constexpr int64_t kLowBytes = 512;
  int64_t stepBytes() const { return 2 * sliceBytes(); }
  int64_t panelBytes() const { return steps() * stepBytes(); }

  int64_t stageBytes(const MmaTile &tile) const {
    return parts() * tile.rowBytes() + tile.columnWarps() * stepBytes();
  }
  int64_t rowBlocks(const MmaTile &tile) const;
  int64_t columnBlocks(const MmaTile &tile) const;
  int64_t blocks(const MmaTile &tile) const {
    return rowBlocks(tile) * columnBlocks(tile);
  }
  int64_t panels(const MmaTile &tile) const {
    return columnBlocks(tile) * tile.columnWarps();
  }
  /// The tile that keeps the most of this many multiprocessors busy with the
  /// least waste.
  MmaTile chooseTile(int64_t processors) const;

  // The place of things in their images; columns count within a panel.
  /// The first bit of the code of depth k, in the panel's codes; of one of 6
  /// bits that of its lower four.
  int64_t codeBit(int64_t k, int64_t column) const;
  /// Where the bit below the sign of a code of 6 bits is; the sign is
  /// kSignBehindTop further.
  int64_t topBit(int64_t k, int64_t column) const;
  static constexpr int64_t kSignBehindTop = 8;
  /// Numbers that a lane needs for its sums, by panel and block.
  static int64_t sumPlace(int64_t column);
  /// Numbers that a lane needs for its weights.
  static int64_t weightPlace(int64_t column);
};

/// The images: codes, scales in f32, then zero points in bytes where they
/// differ. `code(k, n)` gives the bits that are packed.
std::vector<ConstantBlob>
blockMmaConstants(const BlockMmaGeometry &geometry, const MmaTile &tile,
                  const BlockWeights &weights,
                  std::function<int64_t(int64_t, int64_t)> code);

/// An image of what sums need: [panel][block][64], in the order of sumPlace.
ConstantBlob blockSumParameters(const BlockMmaGeometry &geometry,
                                const MmaTile &tile,
                                std::function<uint32_t(int64_t, int64_t)> bits);

/// Pointers to global memory.
struct BlockMmaOperands {
  mlir::Value activations, codes, scales;
  mlir::Value zeros;      ///< null where they are the same
  mlir::Value addends;    ///< f32, null where there are none
  mlir::Value starts;     ///< i32, what the sums of a block start from (Codes)
  mlir::Value leftScales; ///< f32, row-major (Codes)
};

void emitBlockMmaKernel(WarpEmitter &e, const BlockMmaGeometry &geometry,
                        const MmaTile &tile, llvm::StringRef sharedName,
                        const BlockMmaOperands &operands,
                        llvm::function_ref<void(const MmaSums &)> epilogue);

/// Codes of a slice to operands of products.
class BlockUnpacker {
public:
  using Value = mlir::Value;
  using Values = WarpEmitter::Values;

  BlockUnpacker(WarpEmitter &e, const BlockMmaGeometry &g) : e(e), g(g) {}

  /// The zero points of a block's 8 fragments, as bytes at `pointer`; nothing
  /// where they are the same for all.
  Values loadZeros(Value pointer);
  /// What `unpack` wants to know of them.
  Values zeros(mlir::ArrayRef<Value> loaded);
  /// Two registers of each of the 8 fragments of columns, of a lane's words.
  Values unpack(mlir::ArrayRef<Value> words, mlir::ArrayRef<Value> zeros);

private:
  bool isNarrow() const { return g.bits == 4; }
  Value constantZero(int64_t fragment);
  Value zeroOf(Value bytes, int64_t fragment);
  Value toHalves(Value word, int64_t place, Value zero);
  Value wideToHalves(Value bytes, int64_t first, Value zero);
  Value toBfloats(Value pair, Value zero);
  Value wideToBfloats(Value bytes, int64_t first, Value zero);
  Value toCodes(Value nibbles, Value zero);
  Value toMinifloats(mlir::ArrayRef<Value> words, int64_t fragment,
                     int64_t part);

  WarpEmitter &e;
  const BlockMmaGeometry &g;
};

/// Two neighbouring f32 as operands of `part`, of which the first is the
/// largest; takes that part from them.
mlir::Value takeOperandPart(WarpEmitter &e, const BlockMmaGeometry &geometry,
                            mlir::Value *pair, int64_t part);

/// Rows of f32 that become operands on their way to shared memory: f16 or bf16
/// where that is what they are, else three bf16 each, x = high + middle + low,
/// exactly.
class SplitRowCopy {
public:
  using Value = mlir::Value;
  using Values = WarpEmitter::Values;

  /// `share.rows` is of f32; a stage has a plane of `planeBytes` for each part.
  SplitRowCopy(WarpEmitter &e, const BlockMmaGeometry &g, const MmaShare &share,
               int64_t planeBytes);

  /// Reads this thread's share of the step at `depth`.
  Values load(Value depth);
  void store(mlir::ValueRange values, Value stage);

private:
  static constexpr int64_t kUnit = 8; ///< numbers that a thread splits at once
  bool isAligned() const;

  WarpEmitter &e;
  const BlockMmaGeometry &g;
  int64_t planeBytes;
  Value unit; ///< where this thread's numbers start in a step
  Values rows, shared;
};

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_BLOCKMMA_H
