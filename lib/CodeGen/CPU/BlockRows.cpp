// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where matrix products with blocked weights read their activations.

#include "Access.h"
#include "BlockPanels.h"
#include "QDialect/Analysis/LinalgQueries.h"

using namespace mlir;

namespace qdialect::cpu {

static std::optional<BlockRows> readRows(linalg::LinalgOp op,
                                         const ContractionStructure &s) {
  auto indices = linearResults(s.activationMap);
  if (!indices)
    return std::nullopt;
  BlockRows rows;
  Value activations = op->getOperand(s.activationOperand);
  rows.decoded = getDecodedActivations(activations.getDefiningOp());
  if (rows.decoded)
    activations = rows.decoded->codes;
  std::optional<Access> access =
      resolveAccess(activations, op.getNumLoops(), *indices);
  auto argument =
      access ? dyn_cast<BlockArgument>(access->base) : BlockArgument();
  if (!argument ||
      (!rows.decoded && !getElementTypeOrSelf(argument.getType()).isF32()) ||
      access->form.coefficients[s.inputChannel[0]] != 1)
    return std::nullopt;
  rows.input = argument.getArgNumber();
  rows.offset = access->form.offset;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  SmallVector<int64_t> strides = rowMajorStrides(type.getShape());
  if (s.outputDim(s.outputChannel[0]) != type.getRank() - 1)
    return std::nullopt;
  for (auto [loop, size] : llvm::enumerate(s.loopSizes)) {
    if (size == 1 || loop == s.inputChannel[0] || loop == s.outputChannel[0])
      continue;
    std::optional<unsigned> dim = s.outputDim(loop);
    if (rows.count != 1 || !dim || strides[*dim] != type.getShape().back())
      return std::nullopt;
    rows.count = size;
    rows.stride = access->form.coefficients[loop];
  }
  return rows;
}

std::optional<BlockProduct> readBlockProduct(Operation *root) {
  auto op = dyn_cast_or_null<linalg::LinalgOp>(root);
  if (!op)
    return std::nullopt;
  std::optional<BlockWeights> weights = getBlockWeights(op);
  if (!weights || !startsFromZero(op))
    return std::nullopt;
  std::optional<ContractionStructure> structure = getContractionStructure(op);
  if (llvm::any_of(structure->loopSizes, ShapedType::isDynamic))
    return std::nullopt;
  std::optional<BlockRows> rows = readRows(op, *structure);
  if (!rows)
    return std::nullopt;
  return BlockProduct{std::move(*weights), *rows};
}

} // namespace qdialect::cpu
