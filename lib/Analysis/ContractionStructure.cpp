// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Classifies the loops of a contraction from its indexing maps and payload.
// Upstream's inferContractionDims and inferConvolutionDims are not used: they
// fix the first operand as the image, know no grouped convolution, and say
// nothing about which operand is the weight.

#include "QDialect/Analysis/ContractionStructure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace qdialect {
namespace {

/// The block argument behind widening casts of `value`.
Value skipExtensions(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::ExtSIOp, arith::ExtUIOp, arith::ExtFOp, arith::SIToFPOp>(
            op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// The argument behind widening casts and the subtraction of a constant.
struct Factor {
  Value argument;
  int64_t zeroPoint = 0;
};

Factor readFactor(Value value) {
  Factor factor;
  IntegerAttr zeroPoint;
  if (auto sub = value.getDefiningOp<arith::SubIOp>())
    if (matchPattern(sub.getRhs(), m_Constant(&zeroPoint))) {
      factor.zeroPoint = zeroPoint.getInt();
      value = sub.getLhs();
    }
  factor.argument = skipExtensions(value);
  return factor;
}

/// Is the payload `yield out + (ext(a) - za) * (ext(b) - zb)`? Fills the zero
/// points of the two arguments.
bool isMultiplyAccumulate(Block &body, int64_t zeroPoints[2]) {
  if (body.getNumArguments() != 3)
    return false;
  auto *terminator = body.getTerminator();
  if (terminator->getNumOperands() != 1)
    return false;
  Operation *add = terminator->getOperand(0).getDefiningOp();
  if (!add || !isa<arith::AddIOp, arith::AddFOp>(add))
    return false;
  for (unsigned side : {0u, 1u}) {
    if (add->getOperand(side) != body.getArgument(2))
      continue;
    Operation *mul = skipExtensions(add->getOperand(1 - side)).getDefiningOp();
    if (!mul || !isa<arith::MulIOp, arith::MulFOp>(mul))
      continue;
    Factor a = readFactor(mul->getOperand(0));
    Factor b = readFactor(mul->getOperand(1));
    if (a.argument == body.getArgument(1))
      std::swap(a, b);
    zeroPoints[0] = a.zeroPoint;
    zeroPoints[1] = b.zeroPoint;
    return a.argument == body.getArgument(0) &&
           b.argument == body.getArgument(1);
  }
  return false;
}

/// One term `loop * factor` of an index.
struct Term {
  unsigned loop;
  int64_t factor;
};

/// Splits `d1 * s + d4 * t` into its terms; false when the expression is
/// anything else.
bool splitTerms(AffineExpr expr, SmallVectorImpl<Term> &terms) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    terms.push_back({dim.getPosition(), 1});
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (binary.getKind() == AffineExprKind::Add)
    return splitTerms(binary.getLHS(), terms) &&
           splitTerms(binary.getRHS(), terms);
  if (binary.getKind() != AffineExprKind::Mul)
    return false;
  auto dim = dyn_cast<AffineDimExpr>(binary.getLHS());
  auto factor = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (!dim || !factor)
    return false;
  terms.push_back({dim.getPosition(), factor.getValue()});
  return true;
}

std::optional<unsigned> dimensionOf(AffineMap map, unsigned loop) {
  for (auto [position, expr] : llvm::enumerate(map.getResults()))
    if (expr.isFunctionOfDim(loop))
      return position;
  return std::nullopt;
}

/// Fills the roles; false when a loop or an index fits no row of the table.
bool classifyLoops(linalg::LinalgOp op, ContractionStructure &s) {
  if (!s.weightMap.isProjectedPermutation() ||
      !s.outputMap.isProjectedPermutation())
    return false;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  llvm::SmallDenseSet<unsigned> summed;
  for (AffineExpr expr : s.activationMap.getResults()) {
    SmallVector<Term, 2> terms;
    if (!splitTerms(expr, terms))
      return false;
    if (terms.size() == 1) {
      if (terms[0].factor != 1)
        return false;
      continue;
    }
    if (terms.size() != 2)
      return false;
    // Of the two loops of the sum, the one in the output walks the image.
    if (!dimensionOf(s.outputMap, terms[0].loop))
      std::swap(terms[0], terms[1]);
    auto [image, filter] = std::pair(terms[0], terms[1]);
    if (!dimensionOf(s.outputMap, image.loop) ||
        dimensionOf(s.outputMap, filter.loop) ||
        !dimensionOf(s.weightMap, filter.loop) ||
        dimensionOf(s.weightMap, image.loop) || image.factor <= 0 ||
        filter.factor <= 0)
      return false;
    if (!summed.insert(image.loop).second || !summed.insert(filter.loop).second)
      return false;
    s.outputImage.push_back(image.loop);
    s.filterLoop.push_back(filter.loop);
    s.strides.push_back(image.factor);
    s.dilations.push_back(filter.factor);
  }
  for (unsigned loop = 0, e = op.getNumLoops(); loop < e; ++loop) {
    bool inOutput = dimensionOf(s.outputMap, loop).has_value();
    if (inOutput != (iterators[loop] == utils::IteratorType::parallel))
      return false;
    if (summed.contains(loop))
      continue;
    bool inActivation = dimensionOf(s.activationMap, loop).has_value();
    bool inWeight = dimensionOf(s.weightMap, loop).has_value();
    if (inActivation && inWeight)
      (inOutput ? s.depth : s.inputChannel).push_back(loop);
    else if (inActivation && inOutput)
      s.batch.push_back(loop);
    else if (inWeight && inOutput)
      s.outputChannel.push_back(loop);
    else
      return false;
  }
  return true;
}

/// Decides which input is the weight (see the header).
void chooseOperands(linalg::LinalgOp op, ContractionStructure &s) {
  Value first = op.getDpsInputs()[0], second = op.getDpsInputs()[1];
  bool firstIsImage = !op.getMatchingIndexingMap(op.getDpsInputOperand(0))
                           .isProjectedPermutation();
  bool secondIsImage = !op.getMatchingIndexingMap(op.getDpsInputOperand(1))
                            .isProjectedPermutation();
  bool swapped = secondIsImage && !firstIsImage;
  if (!firstIsImage && !secondIsImage)
    swapped =
        isComputedFromConstants(first) && !isComputedFromConstants(second);
  s.activationOperand = swapped ? 1 : 0;
  s.weightOperand = swapped ? 0 : 1;
  s.weightIsConstant = isComputedFromConstants(swapped ? first : second);
}

int64_t productOf(ArrayRef<unsigned> loops, ArrayRef<int64_t> sizes) {
  int64_t product = 1;
  for (unsigned loop : loops)
    product *= sizes[loop];
  return product;
}

} // namespace

bool isComputedFromConstants(Value value) {
  SmallVector<Value> work{value};
  llvm::SmallDenseSet<Operation *> seen;
  while (!work.empty()) {
    Operation *op = work.pop_back_val().getDefiningOp();
    if (!op)
      return false;
    if (!seen.insert(op).second || op->hasTrait<OpTrait::ConstantLike>())
      continue;
    if (isa<tensor::EmptyOp>(op))
      continue;
    // The bound keeps a query on a long activation chain cheap: real weights
    // are a few casts away from their constant.
    if (seen.size() > 32 || op->getNumOperands() == 0 ||
        !isMemoryEffectFree(op))
      return false;
    llvm::append_range(work, op->getOperands());
    // A payload may read whole tensors.
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    llvm::append_range(work, captured);
  }
  return true;
}

std::optional<ContractionStructure>
getContractionStructure(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op->getNumRegions() != 1 || !op.hasPureTensorSemantics())
    return std::nullopt;
  int64_t zeroPoints[2] = {0, 0};
  if (!isMultiplyAccumulate(*op.getBlock(), zeroPoints))
    return std::nullopt;
  ContractionStructure s;
  chooseOperands(op, s);
  s.activationMap =
      op.getMatchingIndexingMap(op.getDpsInputOperand(s.activationOperand));
  s.weightMap =
      op.getMatchingIndexingMap(op.getDpsInputOperand(s.weightOperand));
  s.outputMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!classifyLoops(op, s))
    return std::nullopt;
  if (s.inputChannel.empty() && s.filterLoop.empty())
    return std::nullopt; // an element-wise product, nothing is contracted
  s.activationZeroPoint = zeroPoints[s.activationOperand];
  s.weightZeroPoint = zeroPoints[s.weightOperand];
  if ((s.activationZeroPoint || s.weightZeroPoint) && !s.filterLoop.empty())
    return std::nullopt;
  s.loopSizes = llvm::to_vector<8>(op.getStaticLoopRanges());
  if (s.filterLoop.empty())
    s.kind = ContractionStructure::Kind::Matmul;
  else if (s.depth.empty())
    s.kind = ContractionStructure::Kind::Conv;
  else if (s.inputChannel.empty())
    s.kind = ContractionStructure::Kind::Depthwise;
  else
    s.kind = ContractionStructure::Kind::Grouped;
  return s;
}

std::optional<unsigned>
ContractionStructure::activationDim(unsigned loop) const {
  return dimensionOf(activationMap, loop);
}

std::optional<unsigned> ContractionStructure::weightDim(unsigned loop) const {
  return dimensionOf(weightMap, loop);
}

std::optional<unsigned> ContractionStructure::outputDim(unsigned loop) const {
  return dimensionOf(outputMap, loop);
}

int64_t ContractionStructure::numOutputChannels() const {
  return productOf(depth, loopSizes) * productOf(outputChannel, loopSizes);
}

int64_t ContractionStructure::reductionSize() const {
  return productOf(filterLoop, loopSizes) * productOf(inputChannel, loopSizes);
}

int64_t ContractionStructure::macs() const {
  int64_t product = 1;
  for (int64_t size : loopSizes)
    product *= ShapedType::isDynamic(size) ? 1 : size;
  return product;
}

bool ContractionStructure::hasStaticWeights() const {
  for (auto [loop, size] : llvm::enumerate(loopSizes))
    if (ShapedType::isDynamic(size) && weightDim(loop))
      return false;
  return true;
}

StringRef stringify(ContractionStructure::Kind kind) {
  switch (kind) {
  case ContractionStructure::Kind::Matmul:
    return "matmul";
  case ContractionStructure::Kind::Conv:
    return "conv";
  case ContractionStructure::Kind::Depthwise:
    return "depthwise";
  case ContractionStructure::Kind::Grouped:
    return "grouped";
  }
  llvm_unreachable("unknown contraction kind");
}

} // namespace qdialect
