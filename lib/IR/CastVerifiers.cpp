// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the casts. The labels are those of the op descriptions in
// QDCastOps.td, and test/IR/<op>-invalid.mlir has one case for each.

#include "CastConstraints.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::qd;

static bool isI32(Type type) { return type.isSignlessInteger(32); }

static constexpr StringLiteral kReal = "f16, bf16 or f32";
static constexpr StringLiteral kScale =
    "f32, f16, bf16, f8E8M0FNU, f8E4M3FN or a signless integer";

/// Scales and zero point by name.
template <typename Op>
static SmallVector<CastParameter> parametersOf(Op op) {
  SmallVector<CastParameter> parameters;
  for (Value scale : op.getScales())
    parameters.push_back({"scale", scale});
  if (op.getZeroPoint())
    parameters.push_back({"zero point", op.getZeroPoint()});
  return parameters;
}

/// The zero point of quantize and dequantize, C6 and C7 of both.
template <typename Op>
static LogicalResult verifyZeroPoint(Op op, Type alphabet) {
  Value zeroPoint = op.getZeroPoint();
  if (!zeroPoint)
    return success();
  bool isReal = op.getZeroPointDomain() == ZeroPointDomain::Real;
  // quantize_c6, dequantize_c6
  if (failed(isReal
                 ? verifyElementType(op, "real zero point", zeroPoint.getType(),
                                     isRealElement, kReal)
                 : verifyElementType(op, "zero point", zeroPoint.getType(),
                                     isI32, "i32")))
    return failure();
  // quantize_c7, dequantize_c7
  if (!isReal && !isIntegerAlphabet(alphabet))
    return op.emitOpError("zero point in codes needs an integer alphabet, not ")
           << alphabet;
  return success();
}

/// block_sizes and group_index of quantize and dequantize, C8 to C12 of both,
/// and the numbers of a constant group_index.
template <typename Op>
static LogicalResult verifyBlocksAndGroups(Op op,
                                           ArrayRef<CastParameter> parameters) {
  Type input = op.getInput().getType();
  ArrayRef<int64_t> blockSizes = op.getBlockSizes();
  // quantize_c8, dequantize_c8
  if (failed(verifyBlockCount(op, input, blockSizes)))
    return failure();
  // quantize_c9, dequantize_c9
  if (failed(verifyBlockSigns(op, blockSizes)))
    return failure();
  // quantize_c10, dequantize_c10
  if (failed(verifyBlocks(op, input, blockSizes, parameters)))
    return failure();
  if (!op.getGroupIndex())
    return success();
  // quantize_c11, dequantize_c11
  auto isGrouped = [](int64_t size) { return size > 1; };
  int64_t numGrouped = llvm::count_if(blockSizes, isGrouped);
  if (numGrouped != 1)
    return op.emitOpError("group_index needs exactly one block size above 1, "
                          "there are ")
           << numGrouped;
  // quantize_c12, dequantize_c12
  int64_t grouped = llvm::find_if(blockSizes, isGrouped) - blockSizes.begin();
  int64_t size = cast<RankedTensorType>(input).getDimSize(grouped);
  auto index = dyn_cast<RankedTensorType>(op.getGroupIndex().getType());
  if (!index || index.getRank() != 1 || !isI32(index.getElementType()) ||
      failed(verifyCompatibleShape(index.getShape(), {size})))
    return op.emitOpError("group_index type ")
           << op.getGroupIndex().getType()
           << " is not a row of i32 for dimension " << grouped << " of size "
           << size;
  // quantize_c16, dequantize_c13
  Attribute constant;
  if (ShapedType::isDynamic(size) ||
      !matchPattern(op.getGroupIndex(), m_Constant(&constant)))
    return success();
  int64_t blocks = llvm::divideCeil(size, blockSizes[grouped]);
  std::optional<int32_t> outside;
  allElements<int32_t>(constant, [&](int32_t block) {
    if (block < 0 || block >= blocks)
      outside = block;
    return !outside;
  });
  if (outside)
    return op.emitOpError("group_index holds ")
           << *outside << ", but dimension " << grouped << " has " << blocks
           << " blocks";
  return success();
}

LogicalResult QuantizeOp::verify() {
  SmallVector<CastParameter> parameters = parametersOf(*this);
  Type alphabet = getElementTypeOrSelf(getType());
  // quantize_c1
  if (failed(verifyContainers(*this, getInput(), getType(), parameters)))
    return failure();
  // quantize_c2
  if (failed(verifySameShape(*this, getInput(), getType(), parameters)))
    return failure();
  // quantize_c3
  if (failed(verifyElementType(*this, "input", getInput().getType(),
                               isRealElement, kReal)))
    return failure();
  // quantize_c4
  auto hasFormat = [](Type type) { return getFormat(type).has_value(); };
  if (failed(verifyElementType(*this, "result", getType(), hasFormat,
                               "an alphabet of at most 19 bits")))
    return failure();
  // quantize_c5
  if (getScales().empty())
    return emitOpError("has no scale");
  for (Value scale : getScales())
    if (failed(verifyElementType(*this, "scale", scale.getType(),
                                 isScaleElement, kScale)))
      return failure();
  if (failed(verifyZeroPoint(*this, alphabet)) ||
      failed(verifyBlocksAndGroups(*this, parameters)))
    return failure();
  // quantize_c13
  bool isStochastic = getRounding() == Rounding::Stochastic;
  if (isStochastic != getSeed().has_value())
    return emitOpError("rounding ")
           << stringifyEnum(getRounding())
           << (isStochastic ? " needs a seed" : " takes no seed");
  // quantize_c14
  if (isStochastic && !isa<RankedTensorType>(getType()))
    return emitOpError("rounding stochastic needs a tensor, not ") << getType();
  // quantize_c15
  if (getOverflow() == Overflow::Wrap && !isIntegerAlphabet(alphabet) &&
      !isa<FloatType, MinifloatType>(alphabet))
    return emitOpError("overflow wrap needs integers or floats, not ")
           << alphabet;
  return success();
}

LogicalResult DequantizeOp::verify() {
  SmallVector<CastParameter> parameters = parametersOf(*this);
  Type alphabet = getElementTypeOrSelf(getInput().getType());
  // dequantize_c1
  if (failed(verifyContainers(*this, getInput(), getType(), parameters)))
    return failure();
  // dequantize_c2
  if (failed(verifySameShape(*this, getInput(), getType(), parameters)))
    return failure();
  // dequantize_c3
  auto isCode = [](Type type) {
    return getFormat(type).has_value() || isCodeElement(type, 32);
  };
  if (failed(verifyElementType(
          *this, "input", getInput().getType(), isCode,
          "an alphabet of at most 19 bits or an integer of at most 32")))
    return failure();
  // dequantize_c4
  if (failed(
          verifyElementType(*this, "result", getType(), isRealElement, kReal)))
    return failure();
  // dequantize_c5
  if (getScales().empty())
    return emitOpError("has no scale");
  for (Value scale : getScales())
    if (failed(verifyElementType(*this, "scale", scale.getType(),
                                 isScaleElement, kScale)))
      return failure();
  if (failed(verifyZeroPoint(*this, alphabet)))
    return failure();
  return verifyBlocksAndGroups(*this, parameters);
}

LogicalResult RequantizeOp::verify() {
  SmallVector<CastParameter> parameters = {{"scale", getScale()}};
  if (getZeroPoint())
    parameters.push_back({"zero point", getZeroPoint()});
  // requantize_c1
  if (failed(verifyContainers(*this, getInput(), getType(), parameters)))
    return failure();
  // requantize_c2
  if (failed(verifySameShape(*this, getInput(), getType(), parameters)))
    return failure();
  // requantize_c3
  if (failed(verifyElementType(*this, "input", getInput().getType(),
                               isAccumulatorElement, "i32 or i64")))
    return failure();
  // requantize_c4
  auto isCode = [](Type type) { return isCodeElement(type, 16); };
  if (failed(verifyElementType(*this, "result", getType(), isCode,
                               "an integer alphabet of at most 16 bits")))
    return failure();
  // requantize_c5
  auto isF32 = [](Type type) { return type.isF32(); };
  if (failed(verifyElementType(*this, "scale", getScale().getType(), isF32,
                               "f32")))
    return failure();
  // requantize_c6
  if (getZeroPoint() &&
      failed(verifyElementType(*this, "zero point", getZeroPoint().getType(),
                               isI32, "i32")))
    return failure();
  // requantize_c7
  if (failed(verifyBlockCount(*this, getInput().getType(), getBlockSizes())))
    return failure();
  // requantize_c8
  if (failed(verifyBlockSigns(*this, getBlockSizes())))
    return failure();
  // requantize_c9
  if (failed(verifyBlocks(*this, getInput().getType(), getBlockSizes(),
                          parameters)))
    return failure();
  // requantize_c10
  if (getRounding() == Rounding::Stochastic)
    return emitOpError("rounding stochastic is for quantize alone");
  return success();
}

LogicalResult RescaleOp::verify() {
  SmallVector<CastParameter> parameters = {{"multiplier", getMultiplier()},
                                           {"shift", getShift()}};
  if (getZeroPoint())
    parameters.push_back({"zero point", getZeroPoint()});
  // rescale_c1
  if (failed(verifyContainers(*this, getInput(), getType(), parameters)))
    return failure();
  // rescale_c2
  if (failed(verifySameShape(*this, getInput(), getType(), parameters)))
    return failure();
  // rescale_c3
  if (failed(verifyElementType(*this, "input", getInput().getType(),
                               isAccumulatorElement, "i32 or i64")))
    return failure();
  // rescale_c4
  auto isCode = [](Type type) { return isCodeElement(type, 32); };
  if (failed(verifyElementType(*this, "result", getType(), isCode,
                               "an integer alphabet of at most 32 bits")))
    return failure();
  // rescale_c5
  for (const CastParameter &parameter : parameters)
    if (failed(verifyElementType(*this, parameter.name,
                                 parameter.value.getType(), isI32, "i32")))
      return failure();
  // rescale_c6
  if (failed(verifyBlockCount(*this, getInput().getType(), getBlockSizes())))
    return failure();
  // rescale_c7
  if (failed(verifyBlockSigns(*this, getBlockSizes())))
    return failure();
  // rescale_c8
  if (failed(verifyBlocks(*this, getInput().getType(), getBlockSizes(),
                          parameters)))
    return failure();
  // rescale_c9
  if (getRounding() == Rounding::Stochastic)
    return emitOpError("rounding stochastic is for quantize alone");
  return success();
}

LogicalResult ChooseParamsOp::verify() {
  Type input = getInput().getType();
  // choose_params_c1
  if (failed(verifyElementType(*this, "input", input, isRealElement, kReal)))
    return failure();
  // choose_params_c2
  if (!isCodeElement(getAlphabet(), 16))
    return emitOpError("alphabet ")
           << getAlphabet() << " is not an integer of at most 16 bits";
  // choose_params_c3
  auto isF32 = [](Type type) { return type.isF32(); };
  if (failed(verifyElementType(*this, "scale", getScale().getType(), isF32,
                               "f32")))
    return failure();
  // choose_params_c4
  if (failed(verifyElementType(*this, "zero point", getZeroPoint().getType(),
                               isI32, "i32")))
    return failure();
  // choose_params_c5
  if (failed(verifyBlockCount(*this, input, getBlockSizes())))
    return failure();
  // choose_params_c6
  if (failed(verifyBlockSigns(*this, getBlockSizes())))
    return failure();
  // choose_params_c7
  if (failed(verifyBlocks(
          *this, input, getBlockSizes(),
          {{"scale", getScale()}, {"zero point", getZeroPoint()}})))
    return failure();
  // choose_params_c8
  if (failed(verifyCompatibleShape(getScale().getType(),
                                   getZeroPoint().getType())))
    return emitOpError("scale type ")
           << getScale().getType() << " and zero point type "
           << getZeroPoint().getType() << " differ in shape";
  return success();
}

LogicalResult LookupOp::verify() {
  // lookup_c1
  if (failed(verifyContainers(*this, getCodes(), getType(), {})))
    return failure();
  // lookup_c2
  if (failed(verifySameShape(*this, getCodes(), getType(), {})))
    return failure();
  // lookup_c3
  auto isCode = [](Type type) {
    return isa<AlphabetTypeInterface>(type) && detail::codeBits(type) <= 16;
  };
  if (failed(verifyElementType(*this, "codes", getCodes().getType(), isCode,
                               "an alphabet of at most 16 bits")))
    return failure();
  // lookup_c4
  auto table = cast<RankedTensorType>(getTable().getType());
  unsigned bits = detail::codeBits(getElementTypeOrSelf(getCodes().getType()));
  int64_t size = int64_t(1) << bits;
  if (table.getRank() != 1 || table.getDimSize(0) != size)
    return emitOpError("table type ")
           << table << " is not a row of " << size << " elements";
  // lookup_c5
  if (getElementTypeOrSelf(getType()) != table.getElementType())
    return emitOpError("result element type ")
           << getElementTypeOrSelf(getType()) << " is not the table's "
           << table.getElementType();
  return success();
}
