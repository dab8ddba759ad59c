// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between a contraction in IR and PTQ/QuantizeLayer.h: the weight is gathered
// into one row an output channel, quantized, and written back as
//
//   %w = qd.dequantize %codes scale %s block_sizes = [0, 0, 0, 1]
//        : tensor<3x3x16x32xi8>, tensor<1x1x1x32xf32> -> tensor<3x3x16x32xf32>

#include "QuantizeContraction.h"
#include "QDialect/IR/QDDialect.h"
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

/// The mean of each input channel. Statistics count along the innermost
/// dimension of the observed value; a flattened image repeats its channels, and
/// where neither fits the mean of all values stands for each.
static std::vector<double> inputMeans(const ValueStatistics &statistics,
                                      int64_t count) {
  int64_t known = statistics.channelSum.size();
  std::vector<double> means;
  for (int64_t channel = 0; channel < count; ++channel)
    means.push_back(known && count % known == 0
                        ? statistics.channelMean(channel % known)
                        : statistics.mean());
  return means;
}

namespace {
/// A weight between its tensor and the matrix of LayerView.
struct Gathered {
  LayerView layer;
  /// Where element e of the tensor is in the matrix.
  std::vector<int64_t> position;
  SmallVector<int64_t> channelStrides;
  int64_t inputCount = 0;
};
} // namespace

static Gathered gather(linalg::LinalgOp op, const ContractionStructure &s,
                       const ConstantView &weight) {
  Gathered result;
  ArrayRef<int64_t> shape = weight.type.getShape();
  LayerView &layer = result.layer;
  layer.rows = s.numOutputChannels();
  layer.columns = layer.rows ? weight.numElements() / layer.rows : 0;
  layer.weights.resize(weight.numElements());
  layer.inputChannels.resize(weight.numElements());
  result.position.resize(weight.numElements());
  result.channelStrides = weightChannelStrides(op, s);
  std::vector<int64_t> filled(layer.rows, 0);
  forEachWeight(shape, result.channelStrides, [&](int64_t e, int64_t row) {
    int64_t position = row * layer.columns + filled[row]++;
    result.position[e] = position;
    layer.weights[position] = weight.get<float>(e);
  });
  forEachWeight(shape, inputChannelStrides(s, result.inputCount),
                [&](int64_t e, int64_t channel) {
                  layer.inputChannels[result.position[e]] = channel;
                });
  return result;
}

/// The codes as a constant of iN, and its dequantize.
static Value emitWeight(OpBuilder &builder, Location loc, Type floatType,
                        const Gathered &gathered, const TensorRecipe &recipe,
                        const QuantizedLayer &quantized) {
  auto type = cast<RankedTensorType>(floatType);
  auto codeType = RankedTensorType::get(
      type.getShape(), builder.getIntegerType(recipe.format.bits));
  HostTensor codes(DType::I8, type.getShape().vec());
  int8_t *to = codes.mutableData<int8_t>();
  for (int64_t e = 0, n = codes.size(); e < n; ++e)
    to[e] = static_cast<int8_t>(quantized.weightCodes[gathered.position[e]]);
  Value constant = makeConstant(builder, loc, codeType, "weight_codes", codes);

  SmallVector<int64_t> scaleShape, blocks;
  if (recipe.granularity == Granularity::Channel)
    for (auto [size, stride] :
         llvm::zip(type.getShape(), gathered.channelStrides)) {
      scaleShape.push_back(stride ? size : 1);
      blocks.push_back(stride ? 1 : 0);
    }
  HostTensor scales(DType::F32,
                    std::vector<int64_t>(scaleShape.begin(), scaleShape.end()));
  if (scaleShape.empty())
    scales.mutableData<float>()[0] = quantized.weightScales.front();
  else
    forEachWeight(
        scaleShape, gathered.channelStrides, [&](int64_t e, int64_t channel) {
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
static void emitBias(linalg::GenericOp bias, const OutputChannels &channels,
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

void quantizeContraction(const QuantizableUnit &unit,
                         const TensorRecipe &weights,
                         std::optional<float> inputScale,
                         const ValueStatistics *inputStatistics,
                         QuantizeSummary &summary) {
  auto op = cast<linalg::LinalgOp>(unit.root);
  const ContractionStructure &s = *unit.contraction;
  Value weight = op.getDpsInputs()[s.weightOperand];
  std::optional<ConstantView> view = constantView(weight);
  std::optional<OutputChannels> channels = getOutputChannels(op, s);
  if (!weight.getDefiningOp<arith::ConstantOp>() || !view || !channels ||
      view->dtype != DType::F32 || view->numElements() == 0)
    return;
  Gathered gathered = gather(op, s, *view);
  std::optional<std::vector<float>> bias = readBias(unit);
  if (bias)
    gathered.layer.bias = *bias;
  std::vector<double> means;
  // A bias that is already there takes the correction along; elsewhere in the
  // unit it would have to be divided again.
  bool correct = inputStatistics && (bias || !unit.bias);
  if (correct)
    means = inputMeans(*inputStatistics, gathered.inputCount);
  QuantizedLayer quantized = quantizeLayer(gathered.layer, weights, inputScale,
                                           correct ? &means : nullptr);
  OpBuilder builder(op);
  op.getDpsInputOperand(s.weightOperand)
      ->set(emitWeight(builder, weight.getLoc(), weight.getType(), gathered,
                       weights, quantized));
  if (bias) {
    emitBias(unit.bias, unit.biasChannels, quantized);
  } else if (correct) {
    builder.setInsertionPointAfter(op);
    Value result = op->getResult(0);
    linalg::GenericOp add =
        addPerChannel(builder, op.getLoc(), result, *channels, quantized.bias);
    result.replaceAllUsesExcept(add.getResult(0), add);
    emitBias(add, *channels, quantized);
  }
  ++summary.contractions;
  summary.deadChannels += quantized.deadRows;
  summary.raisedChannels += quantized.raisedRows;
}

} // namespace qdialect
