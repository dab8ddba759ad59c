// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between a contraction in IR and PTQ/QuantizeLayer.h: the weight is seen as a
// matrix with one row an output channel, quantized, and written back as
//
//   %w = qd.dequantize %codes scale %s block_sizes = [0, 0, 0, 1]
//        : tensor<3x3x16x32xi8>, tensor<1x1x1x32xf32> -> tensor<3x3x16x32xf32>

#include "QuantizeContraction.h"
#include "PerChannel.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/PTQ/QuantizeBlocks.h"
#include "QDialect/PTQ/QuantizeLayer.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect {

/// For each dimension of the weight, how much one step adds to the number of
/// the activation's channel: depth and input channel loops, row-major in the
/// order of the activation's dimensions. Sets `count` to their number.
static SmallVector<int64_t> inputChannelStrides(const ContractionStructure &s,
                                                int64_t &count) {
  SmallVector<unsigned> loops(s.depth.begin(), s.depth.end());
  llvm::append_range(loops, s.inputChannel);
  llvm::sort(loops, [&](unsigned a, unsigned b) {
    return *s.activationDim(a) < *s.activationDim(b);
  });
  SmallVector<int64_t> strides(s.weightMap.getNumResults(), 0);
  count = 1;
  for (unsigned loop : llvm::reverse(loops)) {
    if (std::optional<unsigned> dim = s.weightDim(loop))
      strides[*dim] = count;
    count *= s.loopSizes[loop];
  }
  return strides;
}

/// Mean and variance of each input channel. Statistics count along the
/// innermost dimension of the observed value; a flattened image repeats its
/// channels, and where neither fits those of all values stand for each.
static InputMoments inputMoments(const ValueStatistics &statistics,
                                 int64_t count) {
  int64_t known = statistics.channelSum.size();
  bool byChannel = known && count % known == 0;
  InputMoments moments;
  for (int64_t channel = 0; channel < count; ++channel) {
    moments.means.push_back(byChannel ? statistics.channelMean(channel % known)
                                      : statistics.mean());
    moments.variances.push_back(
        byChannel ? statistics.channelVariance(channel % known)
                  : statistics.variance());
  }
  return moments;
}

/// The sum of index * stride over the dimensions that `chosen` names, for each
/// of their index tuples, row-major.
static std::vector<int64_t> offsetsOver(ArrayRef<int64_t> shape,
                                        ArrayRef<int64_t> strides,
                                        ArrayRef<bool> chosen) {
  std::vector<int64_t> offsets{0};
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    if (!chosen[dim])
      continue;
    std::vector<int64_t> next;
    next.reserve(offsets.size() * shape[dim]);
    for (int64_t offset : offsets)
      for (int64_t index = 0; index < shape[dim]; ++index)
        next.push_back(offset + index * strides[dim]);
    offsets = std::move(next);
  }
  return offsets;
}

/// The weight as a matrix with one row an output channel.
static LayerView viewWeight(const ContractionStructure &s,
                            const HostTensor &weight,
                            ArrayRef<int64_t> channelStrides,
                            int64_t &inputCount) {
  ArrayRef<int64_t> shape = weight.shape();
  SmallVector<int64_t> elementStrides(shape.size(), 1);
  for (size_t dim = shape.size(); dim-- > 1;)
    elementStrides[dim - 1] = elementStrides[dim] * shape[dim];
  SmallVector<bool> isRow, isColumn;
  for (int64_t stride : channelStrides) {
    isRow.push_back(stride != 0);
    isColumn.push_back(stride == 0);
  }
  SmallVector<int64_t> inputs = inputChannelStrides(s, inputCount);
  LayerView layer;
  layer.weights = weight.data<float>();
  layer.columnOffsets = offsetsOver(shape, elementStrides, isColumn);
  layer.columnChannels = offsetsOver(shape, inputs, isColumn);
  // Rows stand in the order of the output channels, not of the dimensions.
  std::vector<int64_t> channels = offsetsOver(shape, channelStrides, isRow);
  std::vector<int64_t> offsets = offsetsOver(shape, elementStrides, isRow);
  std::vector<int64_t> rowInputs = offsetsOver(shape, inputs, isRow);
  layer.rowOffsets.resize(channels.size());
  layer.rowChannels.resize(channels.size());
  for (auto [channel, offset, input] :
       llvm::zip_equal(channels, offsets, rowInputs)) {
    layer.rowOffsets[channel] = offset;
    layer.rowChannels[channel] = input;
  }
  return layer;
}

Type codeType(OpBuilder &builder, const RecipeFormat &format) {
  if (format.minifloat) {
    for (Type type : {Type(builder.getType<Float8E4M3FNType>()),
                      Type(builder.getType<Float8E5M2Type>()),
                      Type(builder.getType<Float6E3M2FNType>()),
                      Type(builder.getType<Float4E2M1FNType>())})
      if (qd::getFormat(type) == *format.minifloat)
        return type;
    llvm_unreachable("no type of the minifloat");
  }
  if (format.isSigned)
    return builder.getIntegerType(format.bits);
  return qd::UIntType::get(builder.getContext(), format.bits);
}

/// The codes as a constant of iN or of a minifloat.
static Value codeConstant(OpBuilder &builder, Location loc,
                          RankedTensorType type, const TensorRecipe &recipe,
                          ArrayRef<int32_t> codes) {
  DType dtype = recipe.format.minifloat ? DType::U8 : DType::I8;
  HostTensor tensor(dtype, type.getShape().vec());
  llvm::transform(codes, tensor.mutableBytes(),
                  [](int32_t code) { return static_cast<char>(code); });
  return makeConstant(builder, loc,
                      type.clone(codeType(builder, recipe.format)),
                      "weight_codes", std::move(tensor));
}

/// The codes as a constant, and its dequantize.
static Value emitWeight(OpBuilder &builder, Location loc, Type floatType,
                        ArrayRef<int64_t> channelStrides,
                        const TensorRecipe &recipe,
                        const QuantizedLayer &quantized) {
  auto type = cast<RankedTensorType>(floatType);
  Value constant =
      codeConstant(builder, loc, type, recipe, quantized.weightCodes);

  SmallVector<int64_t> scaleShape, blocks;
  if (recipe.granularity != Granularity::Tensor)
    for (auto [size, stride] : llvm::zip(type.getShape(), channelStrides)) {
      scaleShape.push_back(stride ? size : 1);
      blocks.push_back(stride ? 1 : 0);
    }
  HostTensor scales(DType::F32,
                    std::vector<int64_t>(scaleShape.begin(), scaleShape.end()));
  if (scaleShape.empty())
    scales.mutableData<float>()[0] = quantized.weightScales.front();
  else
    forEachWeight(scaleShape, channelStrides, [&](int64_t e, int64_t channel) {
      scales.mutableData<float>()[e] = quantized.weightScales[channel];
    });
  Value scale = makeConstant(
      builder, loc, RankedTensorType::get(scaleShape, builder.getF32Type()),
      "weight_scales", scales);
  return qd::DequantizeOp::create(builder, loc, type, constant, scale, Value(),
                                  blocks);
}

/// The float bias by channel, if the unit adds one right after the contraction.
static std::optional<std::vector<float>> readBias(const QuantizableUnit &unit) {
  linalg::GenericOp bias = unit.bias;
  if (!bias)
    return std::nullopt;
  // A bias behind a multiplication is no bias of the accumulator.
  for (Operation *op : ArrayRef(unit.ops).drop_front()) {
    if (op == bias)
      break;
    if (isa<linalg::GenericOp>(op))
      return std::nullopt;
  }
  OpOperand *operand = biasOperand(bias);
  std::optional<ConstantView> view = constantView(operand->get());
  if (!view || view->dtype != DType::F32)
    return std::nullopt;
  SmallVector<int64_t> positions;
  for (AffineExpr expr : bias.getMatchingIndexingMap(operand).getResults())
    positions.push_back(cast<AffineDimExpr>(expr).getPosition());
  auto offsets = unit.biasChannels.offsets(positions, view->type.getShape());
  if (!offsets)
    return std::nullopt;
  std::vector<float> values;
  for (int64_t offset : *offsets)
    values.push_back(view->get<float>(offset));
  return values;
}

/// Makes the bias op read dequantized codes, or the corrected float bias.
static void emitBias(linalg::GenericOp bias, const ChannelDims &channels,
                     const QuantizedLayer &quantized) {
  OpBuilder builder(bias);
  Location loc = bias.getLoc();
  std::vector<int64_t> shape(channels.sizes.begin(), channels.sizes.end());
  auto constant = [&](DType type, Type elementType, StringRef name,
                      const auto &values) {
    return makeConstant(builder, loc, RankedTensorType::get(shape, elementType),
                        name, HostTensor::of(type, shape, values));
  };
  Value value;
  if (quantized.biasCodes.empty()) {
    value = constant(DType::F32, builder.getF32Type(), "bias", quantized.bias);
  } else {
    Value codes = constant(DType::I32, builder.getI32Type(), "bias_codes",
                           quantized.biasCodes);
    Value scale = constant(DType::F32, builder.getF32Type(), "bias_scales",
                           quantized.biasScales);
    value = qd::DequantizeOp::create(
        builder, loc, RankedTensorType::get(shape, builder.getF32Type()), codes,
        scale, Value(), SmallVector<int64_t>(shape.size(), 1));
  }
  OpOperand *operand = biasOperand(bias);
  SmallVector<AffineMap> maps = bias.getIndexingMapsArray();
  maps[operand->getOperandNumber()] =
      channelMap(bias.getContext(), bias.getNumLoops(), channels);
  operand->set(value);
  bias.setIndexingMapsAttr(builder.getAffineMapArrayAttr(maps));
}

namespace {

/// A contraction with plain weights, seen as a layer.
struct ContractionLayer {
  const QuantizableUnit &unit;
  HostTensor elements;
  SmallVector<int64_t> channelStrides;
  ChannelDims channels;
  int64_t inputCount = 0;
  LayerView view;
  bool hasBias = false;

  linalg::LinalgOp op() const { return cast<linalg::LinalgOp>(unit.root); }
  OpOperand &weight() const {
    return *op().getDpsInputOperand(unit.contraction->weightOperand);
  }
  /// A bias that is already there takes a correction along; elsewhere in the
  /// unit it would have to be divided again.
  bool canCorrect() const { return hasBias || !unit.bias; }
};

std::optional<ContractionLayer> viewContraction(const QuantizableUnit &unit) {
  const ContractionStructure &s = *unit.contraction;
  ContractionLayer layer{unit, {}, {}, {}, 0, {}, false};
  Value weight = layer.weight().get();
  std::optional<ConstantView> view = constantView(weight);
  std::optional<ChannelDims> channels = getOutputChannels(s);
  if (!weight.getDefiningOp<arith::ConstantOp>() || !view || !channels ||
      view->dtype != DType::F32 || view->numElements() == 0)
    return std::nullopt;
  layer.elements = view->toHostTensor();
  layer.channelStrides = weightChannelStrides(s);
  layer.channels = *channels;
  layer.view =
      viewWeight(s, layer.elements, layer.channelStrides, layer.inputCount);
  if (layer.view.rows() != s.numOutputChannels())
    return std::nullopt; // a channel that the weight does not vary along
  if (std::optional<std::vector<float>> bias = readBias(unit)) {
    layer.hasBias = true;
    layer.view.bias = std::move(*bias);
  }
  return layer;
}

/// The bias of `quantized`, where the unit has one or behind the contraction.
void writeBias(const ContractionLayer &layer, const QuantizedLayer &quantized) {
  if (layer.hasBias)
    return emitBias(layer.unit.bias, layer.unit.biasChannels, quantized);
  linalg::LinalgOp op = layer.op();
  OpBuilder builder(op);
  builder.setInsertionPointAfter(op);
  Value result = op->getResult(0);
  linalg::GenericOp add = addPerChannel(builder, op.getLoc(), result,
                                        layer.channels, quantized.bias);
  result.replaceAllUsesExcept(add.getResult(0), add);
  emitBias(add, layer.channels, quantized);
}

} // namespace

void quantizeContraction(const QuantizableUnit &unit,
                         const TensorRecipe &weights,
                         std::optional<float> inputScale,
                         const ValueStatistics *inputStatistics,
                         bool correctBias, QuantizeSummary &summary) {
  std::optional<ContractionLayer> layer = viewContraction(unit);
  if (!layer)
    return;
  std::optional<InputMoments> moments;
  if (inputStatistics)
    moments = inputMoments(*inputStatistics, layer->inputCount);
  bool correct = correctBias && moments && layer->canCorrect();
  QuantizedLayer quantized = quantizeLayer(
      layer->view, weights, inputScale, moments ? &*moments : nullptr, correct);
  OpBuilder builder(unit.root);
  Value weight = layer->weight().get();
  layer->weight().set(emitWeight(builder, weight.getLoc(), weight.getType(),
                                 layer->channelStrides, weights, quantized));
  if (layer->hasBias || correct)
    writeBias(*layer, quantized);
  ++summary.contractions;
  summary.deadChannels += quantized.deadRows;
  summary.raisedChannels += quantized.raisedRows;
}

void quantizeBlockWeights(const QuantizableUnit &unit,
                          const TensorRecipe &weights,
                          QuantizeSummary &summary) {
  const ContractionStructure &s = *unit.contraction;
  if (s.kind != ContractionStructure::Kind::Matmul ||
      s.weightMap.getNumResults() != 2 || s.inputChannel.size() != 1)
    return;
  std::optional<ContractionLayer> layer = viewContraction(unit);
  if (!layer)
    return;
  BlockedLayer quantized = quantizeBlocks(layer->view, weights);
  OpBuilder builder(unit.root);
  OpOperand &operand = layer->weight();
  Location loc = operand.get().getLoc();
  auto type = cast<RankedTensorType>(operand.get().getType());
  unsigned depthDim = *s.weightDim(s.inputChannel[0]);
  SmallVector<int64_t, 2> shape(2, layer->view.rows()), blocks(2, 1);
  shape[depthDim] = quantized.blocks;
  blocks[depthDim] =
      weights.granularity == Granularity::Block ? weights.block : 0;
  // Blocks are rows of the parameters; the weight may have channels as rows.
  auto parameter = [&](DType dtype, Type elementType, StringRef name,
                       const auto &values) {
    using Number = typename std::decay_t<decltype(values)>::value_type;
    HostTensor tensor(dtype, std::vector<int64_t>(shape.begin(), shape.end()));
    Number *out = tensor.template mutableData<Number>();
    int64_t rows = layer->view.rows();
    for (int64_t block = 0; block < quantized.blocks; ++block)
      for (int64_t row = 0; row < rows; ++row)
        out[depthDim == 0 ? block * rows + row
                          : row * quantized.blocks + block] =
            values[block * rows + row];
    return makeConstant(builder, loc, RankedTensorType::get(shape, elementType),
                        name, std::move(tensor));
  };
  Value scale = parameter(DType::F32, builder.getF32Type(), "weight_scales",
                          quantized.scales);
  Value zero = weights.isSymmetric()
                   ? Value()
                   : parameter(DType::I32, builder.getI32Type(),
                               "weight_zero_points", quantized.zeroPoints);
  Value codes = codeConstant(builder, loc, type, weights, quantized.codes);
  operand.set(
      qd::DequantizeOp::create(builder, loc, type, codes, scale, zero, blocks));
  ++summary.contractions;
}

bool correctBias(const QuantizableUnit &unit, const TensorRecipe &weights,
                 const ValueStatistics &inputStatistics) {
  std::optional<ContractionLayer> layer = viewContraction(unit);
  if (!layer || !layer->canCorrect())
    return false;
  InputMoments moments = inputMoments(inputStatistics, layer->inputCount);
  writeBias(*layer, quantizeLayer(layer->view, weights, std::nullopt, &moments,
                                  /*correctBias=*/true));
  return true;
}

std::optional<BiasPlace> findBias(const QuantizableUnit &unit) {
  std::optional<ContractionLayer> layer = viewContraction(unit);
  if (!layer || !layer->canCorrect())
    return std::nullopt;
  if (layer->hasBias)
    return BiasPlace{unit.bias, unit.biasChannels};
  return BiasPlace{unit.root, layer->channels};
}

void addToBias(const QuantizableUnit &unit, ArrayRef<double> amounts) {
  ContractionLayer layer = *viewContraction(unit);
  QuantizedLayer corrected;
  corrected.bias = layer.view.bias;
  corrected.bias.resize(amounts.size(), 0);
  for (auto [bias, amount] : llvm::zip_equal(corrected.bias, amounts))
    bias = static_cast<float>(bias + amount);
  writeBias(layer, corrected);
}

bool keepsMean(Value value) {
  for (Operation *op = value.getDefiningOp(); op && keepsGrid(op);
       op = op->getOperand(0).getDefiningOp())
    if (getReductionKind(op))
      return false;
  return true;
}

} // namespace qdialect
