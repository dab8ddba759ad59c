// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading of activations that kernels decode; see the header.

#include "QDialect/Analysis/DecodedActivations.h"
#include "QDialect/Analysis/BlockWeights.h"
#include "QDialect/Analysis/LinalgQueries.h"

using namespace mlir;

namespace qdialect {

std::optional<DecodedActivations>
getDecodedActivations(Operation *elementwise) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(elementwise);
  if (!generic || !isElementwiseGeneric(generic) ||
      generic.getNumDpsInputs() == 0)
    return std::nullopt;
  OpOperand *codes = generic.getDpsInputOperand(0);
  auto dequantize = generic.getBlock()
                        ->getTerminator()
                        ->getOperand(0)
                        .getDefiningOp<qd::DequantizeOp>();
  if (!dequantize || dequantize.getZeroPoint() ||
      dequantize.getScales().size() != 1 ||
      !generic.getMatchingIndexingMap(codes).isIdentity())
    return std::nullopt;
  Value code = dequantize.getInput();
  while (auto cast = code.getDefiningOp<qd::StorageCastOp>())
    code = cast.getInput();
  std::optional<Format> format = qd::getFormat(dequantize.getInput().getType());
  if (code != generic.getMatchingBlockArgument(codes) || !format ||
      format->kind() != Format::Kind::MiniFloat || format->bits() != 8 ||
      getElementTypeOrSelf(codes->get().getType()) !=
          qd::UIntType::get(generic.getContext(), 8))
    return std::nullopt;
  Value scale = dequantize.getScales()[0];
  if (auto argument = dyn_cast<BlockArgument>(scale))
    scale = generic->getOperand(argument.getArgNumber());
  std::optional<Attribute> same = getSplatValue(scale);
  auto number = same ? dyn_cast<FloatAttr>(*same) : FloatAttr();
  if (!number || !number.getType().isF32())
    return std::nullopt;
  return DecodedActivations{codes->get(), dequantize.getInput().getType(),
                            std::move(*format),
                            number.getValue().convertToFloat()};
}

/// The element type of the weights of a product that decodes its activations;
/// null for others.
static Type decodedWeights(Operation *product) {
  auto op = dyn_cast<linalg::LinalgOp>(product);
  std::optional<BlockWeights> weights = op ? getBlockWeights(op) : std::nullopt;
  bool decodes = weights && weights->minifloat && weights->bits == 8 &&
                 weights->numBlocks() == 1;
  return decodes ? weights->codes.type.getElementType() : Type();
}

bool makesDecodedActivations(Operation *op) {
  if (op->use_empty() || !getDecodedActivations(op))
    return false;
  return llvm::all_of(op->getUses(), [](OpOperand &use) {
    return use.getOperandNumber() == 0 && decodedWeights(use.getOwner());
  });
}

std::optional<std::pair<Type, Type>> getMinifloatSides(Operation *product) {
  Type weights = decodedWeights(product);
  if (!weights)
    return std::nullopt;
  Operation *producer = product->getOperand(0).getDefiningOp();
  if (auto decoded = getDecodedActivations(producer))
    return std::pair{decoded->type, weights};
  auto dequantize = dyn_cast_or_null<qd::DequantizeOp>(producer);
  if (!dequantize)
    return std::nullopt;
  Type type = getElementTypeOrSelf(dequantize.getInput().getType());
  std::optional<Format> format = qd::getFormat(type);
  if (!format || format->kind() != Format::Kind::MiniFloat)
    return std::nullopt;
  return std::pair{type, weights};
}

} // namespace qdialect
