// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of activations and weights that both have a scale for each block of
// the summed dimension (MatMulNBits of accuracy level 4), or for each row on
// the activations' side:
//
//   %x = qd.dequantize %qx scale %sx block_sizes = [1, 32]      : i8
//   %w = qd.dequantize %qw scale %sw zero_point %z block_sizes = [32, 1]
//   linalg.matmul ins(%x, %w)
//   ->
//   qd.block_matmul %qx scale %sx, %qw scale %sw zero_point %z block = 32
//
// No accumulator spans two blocks, so the result is a float like that of the
// product itself: whoever rounds it rounds it in floats.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/BlockWeights.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Numerics/BlockMatmul.h"
#include "QDialect/Support/PermuteTensor.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {
namespace {

/// Is the product rows times columns, from zero?
bool isPlainProduct(linalg::LinalgOp op, const ContractionStructure &s) {
  return startsFromZero(op) && s.batch.size() == 1 &&
         s.activationMap.getNumResults() == 2 &&
         s.outputMap.getNumResults() == 2 &&
         s.activationDim(s.batch[0]) == 0u && s.outputDim(s.batch[0]) == 0u &&
         s.activationDim(s.inputChannel[0]) == 1u &&
         s.outputDim(s.outputChannel[0]) == 1u;
}

/// The scale of the activations as rows by blocks, or by one column; a
/// failure and a reason if they have none.
FailureOr<Value> activationScale(IntegerizeContext &context, qd::DequantizeOp x,
                                 const BlockWeights &w) {
  auto refuse = [&](const Twine &why) {
    context.reason = why.str();
    return failure();
  };
  if (w.block > kMaxMatmulBlock)
    return refuse("its weights have blocks of " + Twine(w.block) +
                  " numbers, whose sums may exceed 32 bits");
  if (x.getScales().size() != 1 || x.getGroupIndex() ||
      x.getZeroPointDomain() != qd::ZeroPointDomain::Code ||
      !getElementTypeOrSelf(x.getInput().getType()).isInteger(8))
    return refuse("its activations are no plain int8 codes");
  if (Value zero = x.getZeroPoint()) {
    std::optional<Attribute> same = getSplatValue(zero);
    auto number = same ? dyn_cast<IntegerAttr>(*same) : IntegerAttr();
    if (!number || !number.getValue().isZero())
      return refuse("its activations have a zero point and its weights "
                    "a scale for each block");
  }
  Value scale = x.getScales()[0];
  auto type = cast<RankedTensorType>(scale.getType());
  int64_t rows = cast<RankedTensorType>(x.getType()).getDimSize(0);
  if (type.getRank() != 2 || type.getDimSize(0) != rows ||
      (x.getBlockSizes()[0] != 1 && rows != 1))
    return refuse("its activations have no scale a row");
  if (type.isDynamicDim(1))
    return refuse("its activations have a dynamic number of scales a "
                  "row");
  if (type.getDimSize(1) != 1 && x.getBlockSizes()[1] != w.block)
    return refuse("its activations have blocks of " +
                  Twine(x.getBlockSizes()[1]) + " numbers, its weights of " +
                  Twine(w.block));
  return scale;
}

/// The weights' codes as a constant [K][N].
Value codesOf(IntegerizeContext &context, Location loc,
              qd::DequantizeOp weights, const BlockWeights &w) {
  Value codes = weights.getInput();
  if (w.depthFirst)
    return codes;
  std::optional<ConstantView> view = constantView(codes);
  auto type =
      RankedTensorType::get({w.depth, w.channels}, view->type.getElementType());
  return makeConstant(context.builder, loc, type, "weight",
                      permuteTensor(view->toHostTensor(), {1, 0}));
}

/// A parameter of the weights as a constant [blocks][N].
template <typename T, typename Read>
Value parameterOf(IntegerizeContext &context, Location loc, Type element,
                  DType dtype, const BlockWeights &w, Read read) {
  HostTensor values(dtype, {w.numBlocks(), w.channels});
  T *out = values.mutableData<T>();
  for (int64_t b = 0; b < w.numBlocks(); ++b)
    for (int64_t n = 0; n < w.channels; ++n)
      *out++ = static_cast<T>(read(b, n));
  return makeConstant(
      context.builder, loc,
      RankedTensorType::get({w.numBlocks(), w.channels}, element), "parameter",
      std::move(values));
}

/// The zero points as a constant [blocks][N]; null if all are 0.
Value zerosOf(IntegerizeContext &context, Location loc,
              qd::DequantizeOp weights, const BlockWeights &w) {
  Value zero = weights.getZeroPoint();
  if (!zero)
    return {};
  Type i32 = context.builder.getI32Type();
  if (std::optional<Attribute> same = getSplatValue(zero)) {
    APInt number = cast<IntegerAttr>(*same).getValue();
    if (number.isZero())
      return {};
    auto type = RankedTensorType::get({w.numBlocks(), w.channels}, i32);
    return arith::ConstantOp::create(
        context.builder, loc,
        DenseElementsAttr::get(
            type, context.builder.getI32IntegerAttr(
                      static_cast<int32_t>(number.getSExtValue()))));
  }
  return parameterOf<int32_t>(
      context, loc, i32, DType::I32, w,
      [&](int64_t b, int64_t n) { return w.zero(b, n) + w.smallest; });
}

FailureOr<Value> multiplyBlocks(IntegerizeContext &context, linalg::LinalgOp op,
                                bool takesOneBlock) {
  std::optional<BlockWeights> w = getBlockWeights(op, takesOneBlock);
  std::optional<ContractionStructure> s = getContractionStructure(op);
  if (!w || w->addends || w->minifloat || !isPlainProduct(op, *s))
    return Value();
  auto x =
      op->getOperand(s->activationOperand).getDefiningOp<qd::DequantizeOp>();
  auto weights =
      op->getOperand(s->weightOperand).getDefiningOp<qd::DequantizeOp>();
  // One block by activations of constant scales is an integer contraction.
  if (!x || (takesOneBlock && constantView(x.getScales()[0])))
    return Value();
  FailureOr<Value> scale = activationScale(context, x, *w);
  // One block is no block: other families may know the activations.
  if (failed(scale)) {
    if (w->numBlocks() == 1)
      return Value();
    return failure();
  }
  Location loc = op.getLoc();
  Value weightScale = parameterOf<float>(
      context, loc, context.builder.getF32Type(), DType::F32, *w,
      [&](int64_t b, int64_t n) { return w->scale(b, n); });
  Value codes = codesOf(context, loc, weights, *w),
        zeros = zerosOf(context, loc, weights, *w);
  auto product = qd::BlockMatmulOp::create(
      context.builder, loc, op->getResult(0).getType(), x.getInput(), *scale,
      codes, weightScale, zeros, static_cast<uint64_t>(w->block));
  copyMarks(op, product);
  return product.getResult();
}

} // namespace

FailureOr<Value> integerizeBlockProduct(IntegerizeContext &context,
                                        linalg::LinalgOp op) {
  return multiplyBlocks(context, op, /*takesOneBlock=*/false);
}

FailureOr<Value> integerizeOneBlockProduct(IntegerizeContext &context,
                                           linalg::LinalgOp op) {
  return multiplyBlocks(context, op, /*takesOneBlock=*/true);
}

} // namespace qdialect
