// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of u8 or s8 codes on tensor cores: rows of activations (of a matrix,
// or windows over a channel-last image) times columns of weights,
//
//   out[z][m][n] = start[z][n] + sum over taps t and k < run of
//                  row(m, t)[z * groupStep + k] * weight(z, n, t, k)
//
// or products of two activations,
//
//   out[z][m][n] = init + sum over k of
//                  (left(z, m)[k] - leftZero) * (right(z, n)[k] - rightZero)
//
// wrapped to i32, and how they are cut into blocks, warps and steps. Codes may
// be minifloats of eight bits, whose products are summed in f32 and scaled:
//
//   out[m][n] = scale[n] * sum over k of left(m)[k] * weight(n, k)

#ifndef QDIALECT_LIB_CODEGEN_NVVM_MMAGEOMETRY_H
#define QDIALECT_LIB_CODEGEN_NVVM_MMAGEOMETRY_H

#include "QDialect/Numerics/Format.h"
#include "QDialect/Support/SymbolicSizes.h"
#include "Window.h"

namespace qdialect::gpu {

/// The shares of a block and of a warp in the output. A warp always has 64
/// columns: four lanes with 16 neighbouring columns of a row each.
struct MmaTile {
  int64_t rows, columns, warpRows;
  int64_t stages; ///< steps of depth that shared memory holds

  static constexpr int64_t kDepth = 64; ///< bytes of a step
  /// Multiprocessors that a launch should fill; devices have 20 to 150.
  static constexpr int64_t kProcessors = 64;
  static constexpr int64_t kWarpColumns = 64;
  static constexpr int64_t kLaneColumns = 16;

  int64_t rowWarps() const { return rows / warpRows; }
  int64_t columnWarps() const { return columns / kWarpColumns; }
  int64_t threads() const { return 32 * rowWarps() * columnWarps(); }
  /// Of one stage.
  int64_t rowBytes() const { return rows * kDepth; }
  int64_t columnBytes() const { return columns * kDepth; }
  int64_t stageBytes() const { return rowBytes() + columnBytes(); }
  int64_t sharedBytes() const { return stages * stageBytes(); }

  /// The next smaller one whose warps have fewer rows, and so its threads fewer
  /// sums; of as many columns, so that weights are packed alike.
  std::optional<MmaTile> withFewerSums() const;
  /// The same block by twice as many warps.
  std::optional<MmaTile> withMoreWarps() const;
};

/// The tiles that kernels are built for, the largest first.
llvm::ArrayRef<MmaTile> mmaTiles();

/// Rows of codes: of a matrix, or windows over an image.
struct MmaRows {
  /// Where row(m, t) starts; its input and padding are not looked at.
  cpu::WindowGeometry window;
  int64_t run = 1;       ///< products of a tap
  int64_t runStep = 1;   ///< bytes from one product to the next
  int64_t groupStep = 0; ///< groups are multiples of it apart
  /// What the tensor starts at a multiple of: that of a repeated kernel is a
  /// row of a larger one (RepeatedKernel.h).
  int64_t alignment = 16;
  /// The table of sizes and steps that are symbolic, of matrices alone; null if
  /// all are numbers.
  SymbolicSizes *sizes = nullptr;

  /// What a size is a multiple of, whatever its symbols are.
  int64_t factorOf(int64_t size) const;
  int64_t ceilDiv(int64_t size, int64_t by) const;

  int64_t rows() const { return window.numPixels(); }
  /// Bytes that are copied at once: what all rows of all taps are aligned to;
  /// 1 where that is less than the 4 bytes that asynchronous copies take, or
  /// where products are apart.
  int64_t copyBytes() const;
  /// Bytes of a tap among the steps.
  int64_t tapDepth() const;
  int64_t depth() const { return window.numTaps() * tapDepth(); }
  /// Is the last step of so much depth full?
  static bool fillsSteps(int64_t depth) {
    return !SymbolicSizes::isSymbolic(depth) && depth % MmaTile::kDepth == 0;
  }
  int64_t steps() const { return ceilDiv(depth(), MmaTile::kDepth); }
};

/// A loop around the product of two activations, and the bytes that it moves
/// either side by.
struct MmaProblem {
  int64_t size = 1, left = 0, right = 0;
};

/// What the codes of either side are where they are no integers: e4m3 or e5m2.
struct MmaMinifloats {
  Format left, right;
  /// Tensor cores multiply them; else they become f16 in registers.
  bool isNative = false;
};

struct MmaGeometry : MmaRows {
  int64_t columns = 1; ///< of one group
  int64_t groups = 1;
  bool isUnsigned = false; ///< activations are u8
  std::optional<MmaMinifloats> minifloats;

  /// Products of two activations: the columns as rows of u8 of as many
  /// products. Groups are the iterations of `problems`, outermost first.
  std::optional<MmaRows> right;
  llvm::SmallVector<MmaProblem> problems;
  /// What is subtracted from the u8 of either side.
  int64_t leftZero = 0, rightZero = 0;
  int64_t init = 0; ///< what all sums start from

  int64_t rowBlocks(const MmaTile &tile) const;
  int64_t columnBlocks(const MmaTile &tile) const;
  /// Of sizes that are numbers.
  int64_t blocks(const MmaTile &tile) const {
    return rowBlocks(tile) * columnBlocks(tile) * groups;
  }
  /// Panels of 64 columns of a group in the packed image.
  int64_t panels(const MmaTile &tile) const {
    return columnBlocks(tile) * tile.columnWarps();
  }
  int64_t panelBytes() const {
    return steps() * MmaTile::kDepth * MmaTile::kWarpColumns;
  }
  int64_t weightBytes(const MmaTile &tile) const {
    return groups * panels(tile) * panelBytes();
  }
  /// Start values: i32, all columns of all panels.
  int64_t startBytes(const MmaTile &tile) const {
    return groups * panels(tile) * MmaTile::kWarpColumns * 4;
  }

  /// The tile that keeps the most of this many multiprocessors busy with the
  /// least waste; of so many columns, if given. Of symbolic sizes nobody knows
  /// how many blocks there will be: a middle one.
  MmaTile chooseTile(int64_t processors,
                     std::optional<int64_t> tileColumns = std::nullopt) const;
};

/// The column within a panel whose products fragment column `n` (0 to 7) of
/// fragment `tile` (0 to 7) holds: lanes get 16 neighbours each.
constexpr int64_t mmaColumn(int64_t tile, int64_t n) {
  return n / 2 * MmaTile::kLaneColumns + 2 * tile + n % 2;
}

/// Writes the weights of all groups in the order in which lanes read them: 16
/// bytes are two fragments of a lane. `weight(group, column, tap, k)`.
void packMmaWeights(
    const MmaGeometry &geometry, const MmaTile &tile,
    llvm::function_ref<int8_t(int64_t, int64_t, int64_t, int64_t)> weight,
    llvm::MutableArrayRef<char> out);

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_MMAGEOMETRY_H
