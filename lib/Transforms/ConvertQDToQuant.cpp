// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// convert-qd-to-quant: casts with constant parameters become upstream's, with
// the parameters in the type.
//
//   qd.dequantize %q scale %s zero_point %z : tensor<4xi8>, ... ->
//   tensor<4xf32>
// ->
//   %t = quant.scast %q : tensor<4xi8> to tensor<4x!quant.uniform<i8:f32,
//   0.5:3>> quant.dcast %t : ... to tensor<4xf32>
//
// What upstream cannot say is left alone: dynamic or several scales, group
// indices, float zero points, other roundings than half_even, wrapping, other
// alphabets than integers. Never run upstream's lowering of the result: it
// truncates and does not saturate.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace qdialect {
#define GEN_PASS_DEF_CONVERTQDTOQUANTPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;

namespace {

/// The parameters common to both casts, read from their constants.
struct ConstantGrid {
  Type storage;
  bool isSigned;
  RankedTensorType scaleType;
  SmallVector<double> scales;
  SmallVector<int64_t> zeroPoints;
  ArrayRef<int64_t> blockSizes;
};

} // namespace

/// Reads what upstream's types can hold, or says why not.
template <typename Op>
static FailureOr<ConstantGrid> readGrid(Op op, Type alphabet,
                                        PatternRewriter &rewriter) {
  if (!isa<RankedTensorType>(op.getType()))
    return rewriter.notifyMatchFailure(op, "not on tensors");
  if (!qd::isIntegerAlphabet(alphabet))
    return rewriter.notifyMatchFailure(op, "alphabet is not an integer");
  if (op.getScales().size() != 1 || op.getGroupIndex() ||
      op.getZeroPointDomain() != qd::ZeroPointDomain::Code)
    return rewriter.notifyMatchFailure(op, "quant has no such parameters");
  std::optional<ConstantView> scale = constantView(op.getScales()[0]);
  if (!scale || scale->dtype != DType::F32)
    return rewriter.notifyMatchFailure(op, "scale is no f32 constant");
  ConstantGrid grid;
  grid.storage = qd::getStorageType(alphabet);
  grid.isSigned = !isa<qd::UIntType>(alphabet);
  grid.scaleType = cast<RankedTensorType>(scale->type);
  grid.blockSizes = op.getBlockSizes();
  for (int64_t i = 0; i < scale->numElements(); ++i)
    grid.scales.push_back(scale->get<float>(i));
  grid.zeroPoints.assign(grid.scales.size(), 0);
  if (!op.getZeroPoint())
    return grid;
  std::optional<ConstantView> zeroPoint = constantView(op.getZeroPoint());
  if (!zeroPoint)
    return rewriter.notifyMatchFailure(op, "zero point is no constant");
  if (zeroPoint->numElements() != 1 &&
      zeroPoint->type.getShape() != grid.scaleType.getShape())
    return rewriter.notifyMatchFailure(op, "zero point has blocks of its own");
  for (auto [i, z] : llvm::enumerate(grid.zeroPoints))
    z = zeroPoint->integer(zeroPoint->numElements() == 1 ? 0 : i);
  return grid;
}

/// The uniform type of a grid on a tensor: per tensor, per axis where the
/// blocks of one dimension are single, else sub-channel; null if it is not
/// legal.
static Type makeQuantType(Operation *op, const ConstantGrid &grid,
                          Type expressed) {
  // A type that upstream refuses is no error: the cast stays.
  ScopedDiagnosticHandler quiet(op->getContext(),
                                [](Diagnostic &) { return success(); });
  auto emitError = [&] { return op->emitError(); };
  unsigned flags = grid.isSigned ? quant::QuantizationFlags::Signed : 0;
  unsigned width = grid.storage.getIntOrFloatBitWidth();
  int64_t min =
      quant::QuantizedType::getDefaultMinimumForInteger(grid.isSigned, width);
  int64_t max =
      quant::QuantizedType::getDefaultMaximumForInteger(grid.isSigned, width);
  if (grid.scales.size() == 1)
    return quant::UniformQuantizedType::getChecked(
        emitError, flags, grid.storage, expressed, grid.scales[0],
        grid.zeroPoints[0], min, max);

  SmallVector<int32_t> dimensions;
  SmallVector<int64_t> sizes;
  for (auto [dimension, size] : llvm::enumerate(grid.blockSizes)) {
    if (grid.scaleType.getDimSize(dimension) == 1)
      continue;
    dimensions.push_back(static_cast<int32_t>(dimension));
    sizes.push_back(size);
  }
  if (dimensions.size() == 1 && sizes[0] == 1)
    return quant::UniformQuantizedPerAxisType::getChecked(
        emitError, flags, grid.storage, expressed, grid.scales, grid.zeroPoints,
        dimensions[0], min, max);
  SmallVector<APFloat> scales;
  SmallVector<APInt> zeroPoints;
  for (auto [scale, zeroPoint] : llvm::zip(grid.scales, grid.zeroPoints)) {
    scales.push_back(APFloat(static_cast<float>(scale)));
    zeroPoints.push_back(APInt(width, static_cast<uint64_t>(zeroPoint),
                               /*isSigned=*/false, /*implicitTrunc=*/true));
  }
  auto zeroType =
      RankedTensorType::get(grid.scaleType.getShape(), grid.storage);
  return quant::UniformQuantizedSubChannelType::getChecked(
      emitError, flags, grid.storage, expressed,
      DenseElementsAttr::get(grid.scaleType, scales),
      DenseElementsAttr::get(zeroType, zeroPoints), dimensions, sizes, min,
      max);
}

/// Codes between an alphabet and its storage integer.
static Value castStorage(OpBuilder &builder, Location loc, Type type,
                         Value codes) {
  if (codes.getType() == type)
    return codes;
  return qd::StorageCastOp::create(builder, loc, type, codes);
}

namespace {

struct QuantizeToQcast : OpRewritePattern<qd::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getRounding() != qd::Rounding::HalfEven ||
        op.getOverflow() != qd::Overflow::Saturate)
      return rewriter.notifyMatchFailure(op, "not half_even and saturating");
    Type alphabet = getElementTypeOrSelf(op.getType());
    FailureOr<ConstantGrid> grid = readGrid(op, alphabet, rewriter);
    if (failed(grid))
      return failure();
    Type quantized =
        makeQuantType(op, *grid, getElementTypeOrSelf(op.getInput().getType()));
    if (!quantized)
      return rewriter.notifyMatchFailure(op, "quant refuses the parameters");
    auto type = cast<RankedTensorType>(op.getType());
    Value cast = quant::QuantizeCastOp::create(
        rewriter, op.getLoc(), type.clone(quantized), op.getInput());
    Value codes = quant::StorageCastOp::create(rewriter, op.getLoc(),
                                               type.clone(grid->storage), cast);
    rewriter.replaceOp(op, castStorage(rewriter, op.getLoc(), type, codes));
    return success();
  }
};

struct DequantizeToDcast : OpRewritePattern<qd::DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    Type alphabet = getElementTypeOrSelf(op.getInput().getType());
    FailureOr<ConstantGrid> grid = readGrid(op, alphabet, rewriter);
    if (failed(grid))
      return failure();
    Type quantized =
        makeQuantType(op, *grid, getElementTypeOrSelf(op.getType()));
    if (!quantized)
      return rewriter.notifyMatchFailure(op, "quant refuses the parameters");
    auto type = cast<RankedTensorType>(op.getInput().getType());
    Value codes = castStorage(rewriter, op.getLoc(), type.clone(grid->storage),
                              op.getInput());
    Value cast = quant::StorageCastOp::create(rewriter, op.getLoc(),
                                              type.clone(quantized), codes);
    rewriter.replaceOpWithNewOp<quant::DequantizeCastOp>(op, op.getType(),
                                                         cast);
    return success();
  }
};

struct ConvertQDToQuantPass
    : qdialect::impl::ConvertQDToQuantPassBase<ConvertQDToQuantPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<QuantizeToQcast, DequantizeToDcast>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
