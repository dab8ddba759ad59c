// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading of blocked weights; see the header.

#include "QDialect/Analysis/BlockWeights.h"
#include "QDialect/IR/QDDialect.h"
#include <cmath>

using namespace mlir;

namespace qdialect {

int64_t BlockWeights::code(int64_t k, int64_t n) const {
  int64_t value = codes.integer(depthFirst ? k * channels + n : n * depth + k);
  int64_t mask = (int64_t(1) << bits) - 1;
  // Only the low bits are read; a signed code is its bits with the top flipped.
  return smallest == 0 ? value & mask : ((value & mask) - smallest) & mask;
}

int64_t BlockWeights::parameterIndex(const ConstantView &view, int64_t blockOfK,
                                     int64_t n) const {
  if (view.type.getRank() == 0)
    return 0;
  unsigned kDim = depthFirst ? 0 : 1, nDim = 1 - kDim;
  int64_t at[2] = {0, 0};
  at[kDim] = view.type.getDimSize(kDim) == 1 ? 0 : blockOfK;
  at[nDim] = view.type.getDimSize(nDim) == 1 ? 0 : n;
  return at[0] * view.type.getDimSize(1) + at[1];
}

float BlockWeights::scale(int64_t blockOfK, int64_t n) const {
  return scales.get<float>(parameterIndex(scales, blockOfK, n));
}

int64_t BlockWeights::zero(int64_t blockOfK, int64_t n) const {
  if (addends)
    return int64_t(1) << (bits - 1);
  if (minifloat)
    return 0;
  if (!zeros)
    return -smallest;
  return zeros->integer(parameterIndex(*zeros, blockOfK, n)) - smallest;
}

float BlockWeights::addend(int64_t blockOfK, int64_t n) const {
  if (!addends)
    return 0;
  double ofCodes = addends->get<float>(parameterIndex(*addends, blockOfK, n));
  auto middle = static_cast<double>(zero(blockOfK, n) + smallest);
  return static_cast<float>(ofCodes + middle * scale(blockOfK, n));
}

/// Can kernels decode it? Its values, and their spacings, are numbers of f16
/// and of bf16.
static bool isDecoded(const Format &format) {
  return format.kind() == Format::Kind::MiniFloat &&
         format.exponentBits() <= 5 && format.mantissaBits() >= 1 &&
         format.bias() >= 0 && format.bias() <= 16 &&
         (format.bits() == 4 || format.bits() == 6 || format.bits() == 8);
}

/// Is every code a number?
static bool isFinite(const ConstantView &codes, const Format &format) {
  std::vector<double> values = format.decodeTable();
  for (int64_t i = 0, e = codes.splat ? 1 : codes.numElements(); i < e; ++i)
    if (!std::isfinite(values[codes.integer(i) & (format.numCodes() - 1)]))
      return false;
  return true;
}

/// Minifloats of four, six or eight bits and their scales.
static std::optional<BlockWeights> readMinifloats(Value input, Value scale) {
  std::optional<Format> format =
      qd::getFormat(getElementTypeOrSelf(input.getType()));
  std::optional<ConstantView> codes = constantView(input),
                              scales = constantView(scale);
  if (!format || !isDecoded(*format) || !codes || !scales ||
      scales->dtype != DType::F32 || !isFinite(*codes, *format))
    return std::nullopt;
  BlockWeights w;
  w.bits = format->bits();
  w.minifloat = std::move(format);
  w.codes = std::move(*codes);
  w.scales = std::move(*scales);
  return w;
}

/// Integers of two, four or eight bits and their scales; sizes, blocks and zero
/// points are the caller's.
static std::optional<BlockWeights> readCodes(Value input, Value scale) {
  auto alphabet = dyn_cast<qd::AlphabetTypeInterface>(
      getElementTypeOrSelf(input.getType()));
  std::optional<ConstantView> codes = constantView(input),
                              scales = constantView(scale);
  if (!alphabet || alphabet.getIntegerShift() != 0 || !codes || !scales ||
      scales->dtype != DType::F32)
    return std::nullopt;
  BlockWeights w;
  w.bits = alphabet.getCodeBits();
  // Integers fill their bits; ternary and binary codes do not.
  w.smallest = static_cast<int64_t>(alphabet.getMinFinite());
  auto largest = static_cast<int64_t>(alphabet.getMaxFinite());
  if ((w.bits != 2 && w.bits != 4 && w.bits != 8) ||
      largest - w.smallest != (int64_t(1) << w.bits) - 1)
    return std::nullopt;
  w.codes = std::move(*codes);
  w.scales = std::move(*scales);
  return w;
}

/// Takes zero points that are codes, or real ones as addends; false for others.
static bool takeZeros(BlockWeights &w, Value zero, bool isReal = false) {
  if (!zero)
    return true;
  if (isReal) {
    w.addends = constantView(zero);
    return w.addends && w.addends->dtype == DType::F32 &&
           (w.addends->type.getRank() == 0 || w.addends->type.getRank() == 2);
  }
  w.zeros = constantView(zero);
  if (!w.zeros)
    return false;
  int64_t largest = w.smallest + (int64_t(1) << w.bits) - 1;
  for (int64_t i = 0, e = w.zeros->splat ? 1 : w.zeros->numElements(); i < e;
       ++i)
    if (w.zeros->integer(i) < w.smallest || w.zeros->integer(i) > largest)
      return false;
  return true;
}

std::optional<BlockWeights> getBlockWeights(linalg::LinalgOp op,
                                            bool takesOneBlock) {
  std::optional<ContractionStructure> s = getContractionStructure(op);
  if (!s || s->kind != ContractionStructure::Kind::Matmul ||
      s->inputChannel.size() != 1 || s->outputChannel.size() != 1 ||
      !s->depth.empty() || s->weightMap.getNumResults() != 2 ||
      !getElementTypeOrSelf(op->getResult(0)).isF32())
    return std::nullopt;
  auto dequantize =
      op->getOperand(s->weightOperand).getDefiningOp<qd::DequantizeOp>();
  if (!dequantize || dequantize.getScales().size() != 1 ||
      dequantize.getGroupIndex() ||
      !getElementTypeOrSelf(dequantize.getType()).isF32())
    return std::nullopt;
  std::optional<BlockWeights> w =
      readCodes(dequantize.getInput(), dequantize.getScales()[0]);
  if (!w && !dequantize.getZeroPoint())
    w = readMinifloats(dequantize.getInput(), dequantize.getScales()[0]);
  if (!w)
    return std::nullopt;
  w->depthFirst = s->weightDim(s->inputChannel[0]) == 0u;
  w->depth = s->loopSizes[s->inputChannel[0]];
  w->channels = s->loopSizes[s->outputChannel[0]];
  if (w->depth <= 0 || w->channels <= 0)
    return std::nullopt;
  unsigned kDim = w->depthFirst ? 0 : 1, nDim = 1 - kDim;
  ShapedType scales = w->scales.type;
  bool spread = scales.getRank() == 2 && scales.getDimSize(kDim) != 1;
  w->block = spread ? dequantize.getBlockSizes()[kDim] : w->depth;
  bool perChannel = scales.getRank() == 0 || scales.getDimSize(nDim) == 1 ||
                    scales.getDimSize(nDim) == w->channels;
  if (w->block <= 0 || !perChannel ||
      (w->bits == 8 && !w->minifloat && w->block == w->depth &&
       !takesOneBlock) ||
      !takeZeros(*w, dequantize.getZeroPoint(),
                 dequantize.getZeroPointDomain() == qd::ZeroPointDomain::Real))
    return std::nullopt;
  return w;
}

std::optional<BlockWeights> getBlockWeights(qd::BlockMatmulOp op) {
  std::optional<BlockWeights> w = readCodes(op.getRhs(), op.getRhsScale());
  if (!w || !takeZeros(*w, op.getRhsZeroPoint()))
    return std::nullopt;
  w->depth = w->codes.type.getDimSize(0);
  w->channels = w->codes.type.getDimSize(1);
  w->block = std::min(static_cast<int64_t>(op.getBlock()), w->depth);
  if (w->depth <= 0 || w->channels <= 0)
    return std::nullopt;
  return w;
}

bool makesBlockWeights(Operation *op) {
  auto dequantize = dyn_cast<qd::DequantizeOp>(op);
  if (!dequantize || dequantize->use_empty())
    return false;
  return llvm::all_of(dequantize->getUses(), [](OpOperand &use) {
    auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
    if (!user || use.getOperandNumber() != 1)
      return false;
    return getBlockWeights(user).has_value();
  });
}

} // namespace qdialect
