// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// convert-quant-to-qd: upstream's quantized types become codes, scales and zero
// points.
//
//   quant.qcast %x : tensor<4xf32> to tensor<4x!quant.uniform<i8:f32, 0.5:3>>
// ->
//   qd.quantize %x scale %s zero_point %z ... : ... -> tensor<4xi8>
//
// The parameters move from the type to the casts, which are the only ops that
// read them; then every quantized type in the module is replaced by its
// alphabet. Upstream leaves the rounding of qcast open; here it is half_even.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/AttrTypeSubElements.h"

namespace qdialect {
#define GEN_PASS_DEF_CONVERTQUANTTOQDPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;

namespace {

/// The parameters of a quantized type as qd wants them.
struct Grid {
  std::vector<int64_t> shape; ///< of scales and zero points
  SmallVector<int64_t> blockSizes;
  std::vector<float> scales;
  std::vector<int32_t> zeroPoints;

  bool hasZeroPoint() const {
    return llvm::any_of(zeroPoints, [](int32_t z) { return z != 0; });
  }
};

} // namespace

/// iN for signed storage, !qd.uint<N> for unsigned.
static Type getAlphabet(quant::QuantizedType type) {
  unsigned width = type.getStorageTypeIntegralWidth();
  if (type.isSigned())
    return IntegerType::get(type.getContext(), width);
  return qd::UIntType::get(type.getContext(), width);
}

static Grid getGrid(quant::UniformQuantizedPerAxisType type, int64_t rank) {
  Grid grid;
  grid.shape.assign(rank, 1);
  grid.blockSizes.assign(rank, 0);
  grid.shape[type.getQuantizedDimension()] = type.getScales().size();
  grid.blockSizes[type.getQuantizedDimension()] = 1;
  for (double scale : type.getScales())
    grid.scales.push_back(static_cast<float>(scale));
  for (int64_t zeroPoint : type.getZeroPoints())
    grid.zeroPoints.push_back(static_cast<int32_t>(zeroPoint));
  return grid;
}

static Grid getGrid(quant::UniformQuantizedSubChannelType type, int64_t rank) {
  Grid grid;
  grid.shape.assign(type.getScales().getType().getShape().begin(),
                    type.getScales().getType().getShape().end());
  grid.blockSizes.assign(rank, 0);
  for (auto [dimension, size] : type.getBlockSizeInfo())
    grid.blockSizes[dimension] = size;
  for (const APFloat &scale : type.getScales().getValues<APFloat>())
    grid.scales.push_back(static_cast<float>(scale.convertToDouble()));
  for (const APInt &zeroPoint : type.getZeroPoints().getValues<APInt>())
    grid.zeroPoints.push_back(static_cast<int32_t>(
        type.isSigned() ? zeroPoint.getSExtValue()
                        : static_cast<int64_t>(zeroPoint.getZExtValue())));
  return grid;
}

/// The grid of a uniform type on a tensor of `rank` dimensions.
static FailureOr<Grid> getGrid(Operation *op, Type type, int64_t rank) {
  if (auto uniform = dyn_cast<quant::UniformQuantizedType>(type)) {
    Grid grid;
    grid.scales = {static_cast<float>(uniform.getScale())};
    grid.zeroPoints = {static_cast<int32_t>(uniform.getZeroPoint())};
    return grid;
  }
  if (auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type)) {
    if (perAxis.getQuantizedDimension() >= rank) {
      op->emitError("quantized dimension ")
          << perAxis.getQuantizedDimension() << " is outside rank " << rank;
      return failure();
    }
    return getGrid(perAxis, rank);
  }
  if (auto blocks = dyn_cast<quant::UniformQuantizedSubChannelType>(type))
    return getGrid(blocks, rank);
  op->emitError("quantized type ") << type << " is not uniform";
  return failure();
}

namespace {

/// The parameters as constants.
struct Parameters {
  Value scale, zeroPoint;
  SmallVector<int64_t> blockSizes;

  static Parameters make(OpBuilder &builder, Location loc, const Grid &grid) {
    Parameters parameters;
    auto scaleType = RankedTensorType::get(grid.shape, builder.getF32Type());
    parameters.scale =
        makeConstant(builder, loc, scaleType, "scale",
                     HostTensor::of(DType::F32, grid.shape, grid.scales));
    if (grid.hasZeroPoint()) {
      auto zeroType = RankedTensorType::get(grid.shape, builder.getI32Type());
      parameters.zeroPoint =
          makeConstant(builder, loc, zeroType, "zero_point",
                       HostTensor::of(DType::I32, grid.shape, grid.zeroPoints));
    }
    parameters.blockSizes = grid.blockSizes;
    return parameters;
  }
};

struct ConvertQuantToQDPass
    : qdialect::impl::ConvertQuantToQDPassBase<ConvertQuantToQDPass> {
  void runOnOperation() override {
    WalkResult result = getOperation()->walk([&](Operation *op) {
      LogicalResult converted = success();
      if (auto qcast = dyn_cast<quant::QuantizeCastOp>(op))
        converted = convert(qcast);
      else if (auto dcast = dyn_cast<quant::DequantizeCastOp>(op))
        converted = convert(dcast);
      else if (auto scast = dyn_cast<quant::StorageCastOp>(op))
        converted = convert(scast);
      return failed(converted) ? WalkResult::interrupt()
                               : WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    replaceTypes();
  }

private:
  /// Codes in the quantized type, as they are until the types are replaced.
  static Value reinterpret(OpBuilder &builder, Location loc, Type type,
                           Value value) {
    return UnrealizedConversionCastOp::create(builder, loc, type, value)
        .getResult(0);
  }

  /// `type` with the alphabet instead of the quantized element type.
  static Type codesType(Type type, quant::QuantizedType quantized) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      return tensor.clone(getAlphabet(quantized));
    return getAlphabet(quantized);
  }

  static FailureOr<Parameters> makeParameters(OpBuilder &builder, Operation *op,
                                              Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor) {
      op->emitError("quantized cast of type ")
          << type << " is not on a ranked tensor";
      return failure();
    }
    FailureOr<Grid> grid =
        getGrid(op, tensor.getElementType(), tensor.getRank());
    if (failed(grid))
      return failure();
    return Parameters::make(builder, op->getLoc(), *grid);
  }

  static LogicalResult convert(quant::QuantizeCastOp op) {
    OpBuilder builder(op);
    auto quantized =
        cast<quant::QuantizedType>(getElementTypeOrSelf(op.getType()));
    int64_t min = quantized.getStorageTypeMin();
    int64_t max = quantized.getStorageTypeMax();
    unsigned width = quantized.getStorageTypeIntegralWidth();
    if (quantized.hasStorageTypeBounds())
      return op.emitError("storage range [")
             << min << ", " << max << "] is narrower than its " << width
             << " bits, which qd.quantize cannot saturate to";
    if (width > 16)
      return op.emitError("quantizing to ")
             << width << " bits is wider than 16";
    FailureOr<Parameters> parameters =
        makeParameters(builder, op, op.getType());
    if (failed(parameters))
      return failure();
    Value codes = qd::QuantizeOp::create(
        builder, op.getLoc(), codesType(op.getType(), quantized), op.getInput(),
        parameters->scale, parameters->zeroPoint, parameters->blockSizes);
    op.replaceAllUsesWith(
        reinterpret(builder, op.getLoc(), op.getType(), codes));
    op.erase();
    return success();
  }

  static LogicalResult convert(quant::DequantizeCastOp op) {
    OpBuilder builder(op);
    Type type = op.getInput().getType();
    auto quantized = cast<quant::QuantizedType>(getElementTypeOrSelf(type));
    FailureOr<Parameters> parameters = makeParameters(builder, op, type);
    if (failed(parameters))
      return failure();
    Value codes = reinterpret(builder, op.getLoc(), codesType(type, quantized),
                              op.getInput());
    Value values = qd::DequantizeOp::create(
        builder, op.getLoc(), op.getType(), codes, parameters->scale,
        parameters->zeroPoint, parameters->blockSizes);
    op.replaceAllUsesWith(values);
    op.erase();
    return success();
  }

  /// Between a quantized type and its storage integer.
  static LogicalResult convert(quant::StorageCastOp op) {
    OpBuilder builder(op);
    Type from = op.getInput().getType(), to = op.getType();
    auto withAlphabet = [](Type type) {
      auto quantized =
          dyn_cast<quant::QuantizedType>(getElementTypeOrSelf(type));
      return quantized ? codesType(type, quantized) : type;
    };
    Value codes = op.getInput();
    if (withAlphabet(from) != from)
      codes = reinterpret(builder, op.getLoc(), withAlphabet(from), codes);
    if (codes.getType() != withAlphabet(to))
      codes = qd::StorageCastOp::create(builder, op.getLoc(), withAlphabet(to),
                                        codes);
    if (codes.getType() != to)
      codes = reinterpret(builder, op.getLoc(), to, codes);
    op.replaceAllUsesWith(codes);
    op.erase();
    return success();
  }

  /// Quantized types to alphabets everywhere, after which the casts between the
  /// two are identities.
  void replaceTypes() {
    AttrTypeReplacer replacer;
    replacer.addReplacement([](Type type) -> std::optional<Type> {
      auto quantized = dyn_cast<quant::QuantizedType>(type);
      return quantized ? std::optional<Type>(getAlphabet(quantized))
                       : std::nullopt;
    });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
    getOperation()->walk([](UnrealizedConversionCastOp cast) {
      if (cast.getNumOperands() != 1 || cast.getNumResults() != 1 ||
          cast.getOperand(0).getType() != cast.getResult(0).getType())
        return;
      cast.getResult(0).replaceAllUsesWith(cast.getOperand(0));
      cast.erase();
    });
  }
};

} // namespace
