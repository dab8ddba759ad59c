// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights that stay codes while the activations are floats: a constant of
// integers or minifloats of at most 8 bits behind a qd.dequantize, with a scale
// (and perhaps a zero point) for each block of some reduction indices of each
// output channel:
//
//   w[k][n] = (code[k][n] - zero[k / block][n]) * scale[k / block][n]
//   w[k][n] = value of minifloat code[k][n] * scale[k / block][n]
//
// Zero points that are no codes (real ones) are an addend of each block:
//
//   w[k][n] = (code[k][n] - middle) * scale[k / block][n] + addend[k /
//   block][n]
//
// What QDQ models with blocked weights, MatMulNBits and weights of 4 to 8 bits
// in floating point become.

#ifndef QDIALECT_ANALYSIS_BLOCKWEIGHTS_H
#define QDIALECT_ANALYSIS_BLOCKWEIGHTS_H

#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/Format.h"
#include "QDialect/Support/ConstantView.h"

namespace qdialect {

struct BlockWeights {
  ConstantView codes, scales;
  std::optional<ConstantView> zeros;
  std::optional<ConstantView> addends; ///< of codes, not of their distance
  /// The minifloat that codes are; none for integers. All codes are finite.
  std::optional<Format> minifloat;
  unsigned bits = 8;      ///< of a code: 2, 4 or 8; 6: minifloats
  int64_t smallest = 0;   ///< code of the alphabet
  int64_t depth = 0;      ///< K
  int64_t channels = 0;   ///< N
  int64_t block = 0;      ///< indices of K that share a scale
  bool depthFirst = true; ///< codes lie as [K][N], else as [N][K]

  int64_t numBlocks() const { return (depth + block - 1) / block; }
  /// code - smallest, in [0, 2^bits); of a minifloat the bits.
  int64_t code(int64_t k, int64_t n) const;
  float scale(int64_t blockOfK, int64_t n) const;
  /// zero point - smallest; the middle of the codes where there are addends.
  int64_t zero(int64_t blockOfK, int64_t n) const;
  /// What is added to (code - zero) * scale.
  float addend(int64_t blockOfK, int64_t n) const;

private:
  int64_t parameterIndex(const ConstantView &view, int64_t blockOfK,
                         int64_t n) const;
};

/// The blocked weights of a matrix product in f32; nothing if its second
/// operand is anything else, its zero points lie outside the codes, or every
/// code is an integer of 8 bits and every channel has one scale (which the
/// integer kernels want as floats or as integers), unless it `takesOneBlock`.
std::optional<BlockWeights> getBlockWeights(mlir::linalg::LinalgOp op,
                                            bool takesOneBlock = false);

/// The constant right side of a block_matmul; nothing if a zero point is no
/// code, or the codes do not fill two, four or eight bits.
std::optional<BlockWeights> getBlockWeights(qd::BlockMatmulOp op);

/// True for a qd.dequantize that makes such weights for all of its users.
bool makesBlockWeights(mlir::Operation *op);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_BLOCKWEIGHTS_H
