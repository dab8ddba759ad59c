// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Contractions by their structure: Conv (grouped and depthwise too), MatMul,
// Gemm; on codes without scales ConvInteger and MatMulInteger. Zeros padded
// before a convolution become its attribute, and a bias added behind it its
// third input, which is where ONNX's integer kernels look for both.

#include "Export/Exporter.h"

#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect::onnx_export {
namespace {

using Kind = ContractionStructure::Kind;

/// The dimensions of an operand that `loops` index, by `dimOf`.
template <typename DimOf>
SmallVector<int64_t, 2> dims(ArrayRef<unsigned> loops, DimOf dimOf) {
  SmallVector<int64_t, 2> result;
  for (unsigned loop : loops)
    if (std::optional<unsigned> dim = dimOf(loop))
      result.push_back(*dim);
  return result;
}

class ContractionWriter {
public:
  ContractionWriter(Exporter &e, linalg::LinalgOp op)
      : e(e), op(op), s(*getContractionStructure(op)),
        activation(op.getDpsInputs()[s.activationOperand]),
        weight(op.getDpsInputs()[s.weightOperand]) {}

  LogicalResult emit();

private:
  SmallVector<int64_t, 2> inActivation(ArrayRef<unsigned> loops) {
    return dims(loops, [&](unsigned loop) { return s.activationDim(loop); });
  }
  SmallVector<int64_t, 2> inWeight(ArrayRef<unsigned> loops) {
    return dims(loops, [&](unsigned loop) { return s.weightDim(loop); });
  }
  SmallVector<int64_t, 2> inOutput(ArrayRef<unsigned> loops) {
    return dims(loops, [&](unsigned loop) { return s.outputDim(loop); });
  }
  static Layout &append(Layout &layout, const Layout &more) {
    llvm::append_range(layout, more);
    return layout;
  }
  bool isInteger() const {
    return !isa<FloatType>(getElementTypeOrSelf(activation.getType()));
  }

  /// For constants that the model has no name for.
  std::string nameOf(StringRef part) {
    StringRef name = givenName(op);
    return name.empty() ? part.str() : (name + "." + part).str();
  }
  bool startsFromZero();
  std::string findBias();
  LogicalResult emitConvolution();
  LogicalResult emitMatmul();
  LogicalResult finish(StringRef kind, SmallVector<std::string> inputs,
                       ArrayRef<NodeAttribute> attributes,
                       const Layout &layout);

  Exporter &e;
  linalg::LinalgOp op;
  ContractionStructure s;
  Value activation, weight;
};

bool isZero(Attribute number) {
  return number && (matchPattern(number, m_Zero()) ||
                    matchPattern(number, m_AnyZeroFloat()));
}

bool ContractionWriter::startsFromZero() {
  std::optional<Attribute> start = getSplatValue(op.getDpsInits()[0]);
  return start && isZero(*start);
}

/// The vector along the output channels that the only reader adds to the
/// result, as an input of the node; that addition is not written again.
std::string ContractionWriter::findBias() {
  Value result = op->getResult(0);
  if (s.outputChannel.size() + s.depth.size() != 1 || isInteger() ||
      !startsFromZero() || !result.hasOneUse() ||
      !isElementwiseGeneric(*result.user_begin()))
    return "";
  auto reader = cast<linalg::GenericOp>(*result.user_begin());
  OpOperand &use = *result.use_begin();
  BlockArgument summand = reader.getMatchingBlockArgument(&use);
  if (!summand.hasOneUse())
    return "";
  auto add = dyn_cast<arith::AddFOp>(*summand.user_begin());
  if (!add)
    return "";
  auto other = dyn_cast<BlockArgument>(add.getLhs() == summand ? add.getRhs()
                                                               : add.getLhs());
  if (!other || other.getOwner() != reader.getBody() || other == summand)
    return "";
  OpOperand *bias = reader.getMatchingOpOperand(other);
  unsigned channel =
      *s.outputDim(s.outputChannel.empty() ? s.depth[0] : s.outputChannel[0]);
  AffineMap biasMap = reader.getMatchingIndexingMap(bias);
  if (biasMap.getNumResults() != 1 ||
      biasMap.getResult(0) !=
          reader.getMatchingIndexingMap(&use).getResult(channel) ||
      !isComputedFromConstants(bias->get()))
    return "";
  std::string name = e.use(bias->get(), {{0}}, nameOf("bias"));
  if (!name.empty())
    e.absorb(add, summand);
  return name;
}

LogicalResult ContractionWriter::finish(StringRef kind,
                                        SmallVector<std::string> inputs,
                                        ArrayRef<NodeAttribute> attributes,
                                        const Layout &layout) {
  if (llvm::any_of(inputs, [](auto &name) { return name.empty(); }))
    return failure();
  Value result = op->getResult(0), init = op.getDpsInits()[0];
  if (!startsFromZero()) {
    std::string first = e.use(init, layout);
    if (first.empty())
      return failure();
    std::string product = e.node(kind, inputs, attributes, result);
    return e.bindMerged(result, e.node("Add", {product, first}, {}, result),
                        layout);
  }
  std::string y = e.nameFor(result, layout);
  e.model.addNode(kind, inputs, {y}, attributes);
  return e.bindMerged(result, y, layout);
}

LogicalResult ContractionWriter::emitConvolution() {
  // Channels: the group, then those within it.
  auto join = [](SmallVector<int64_t, 2> first, ArrayRef<int64_t> second) {
    llvm::append_range(first, second);
    return first;
  };
  SmallVector<unsigned> padded(s.batch.begin(), s.batch.end());
  llvm::append_range(padded, s.inputChannel);
  llvm::append_range(padded, s.depth);
  SmallVector<unsigned> notImage;
  for (int64_t dim : inActivation(padded))
    notImage.push_back(dim);
  FoldedPad pad = foldPad(activation, isZero, notImage);
  SmallVector<int64_t, 2> image = inActivation(s.outputImage);
  Layout x{inActivation(s.batch),
           join(inActivation(s.depth), inActivation(s.inputChannel))};
  Layout w{join(inWeight(s.depth), inWeight(s.outputChannel)),
           inWeight(s.inputChannel)};
  Layout y{inOutput(s.batch),
           join(inOutput(s.depth), inOutput(s.outputChannel))};
  SmallVector<int64_t> pads, highs, kernel;
  for (auto [position, dim] : llvm::enumerate(image)) {
    x.push_back({dim});
    w.push_back(inWeight({s.filterLoop[position]}));
    y.push_back(inOutput({s.outputImage[position]}));
    pads.push_back(pad.low[dim]);
    highs.push_back(pad.high[dim]);
    kernel.push_back(s.loopSizes[s.filterLoop[position]]);
  }
  llvm::append_range(pads, highs);
  int64_t groups = 1;
  for (unsigned loop : s.depth)
    groups *= s.loopSizes[loop];
  if (!s.hasStaticWeights())
    return e.refuse(op) << "its weights have symbolic sizes";
  SmallVector<std::string> inputs{e.use(pad.source, x),
                                  e.use(weight, w, nameOf("weight"))};
  if (std::string bias = findBias(); !bias.empty())
    inputs.push_back(bias);
  return finish(
      isInteger() ? "ConvInteger" : "Conv", inputs,
      {{"kernel_shape", kernel},
       {"pads", pads},
       {"strides", SmallVector<int64_t>(s.strides.begin(), s.strides.end())},
       {"dilations",
        SmallVector<int64_t>(s.dilations.begin(), s.dilations.end())},
       {"group", groups}},
      y);
}

LogicalResult ContractionWriter::emitMatmul() {
  // [depth..., batch..., K] times [depth..., K, N]: several batch dimensions
  // are one where the right side has depth, too.
  Layout depth, x, w, y;
  auto single = [](ArrayRef<int64_t> group) { return layoutOf(group); };
  append(x, single(inActivation(s.depth)));
  append(w, single(inWeight(s.depth)));
  append(y, single(inOutput(s.depth)));
  if (s.depth.empty()) {
    append(x, single(inActivation(s.batch)));
    append(y, single(inOutput(s.batch)));
  } else {
    x.push_back(inActivation(s.batch));
    y.push_back(inOutput(s.batch));
  }
  x.push_back(inActivation(s.inputChannel));
  w.push_back(inWeight(s.inputChannel));
  w.push_back(inWeight(s.outputChannel));
  y.push_back(inOutput(s.outputChannel));
  std::string bias = x.size() == 2 && s.depth.empty() ? findBias() : "";
  if (bias.empty())
    return finish(isInteger() ? "MatMulInteger" : "MatMul",
                  {e.use(activation, x), e.use(weight, w, nameOf("weight"))},
                  {}, y);
  // Weights stay as they lie.
  Value source = weight;
  Layout inSource = w;
  while (lookThrough(source, inSource))
    ;
  bool transposed = inSource.size() == 2 && inSource == Layout{{1}, {0}};
  if (transposed)
    std::swap(w[0], w[1]);
  return finish(
      "Gemm", {e.use(activation, x), e.use(weight, w, nameOf("weight")), bias},
      {{"transB", int64_t(transposed)}}, y);
}

LogicalResult ContractionWriter::emit() {
  Type out = getElementTypeOrSelf(op->getResult(0).getType());
  Type in = getElementTypeOrSelf(activation.getType());
  if (in != getElementTypeOrSelf(weight.getType()) ||
      (isInteger() ? !in.isInteger(8) || !out.isInteger(32) : in != out))
    return e.refuse(op) << "it multiplies " << in << " and "
                        << getElementTypeOrSelf(weight.getType()) << " into "
                        << out;
  if (s.activationZeroPoint || s.weightZeroPoint)
    return e.refuse(op) << "zero points are part of its products";
  return s.isConvolution() ? emitConvolution() : emitMatmul();
}

} // namespace

void addContractionRules(Rules &rules) {
  rules.push_back(
      {[](Operation *op) {
         auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
         return linalgOp && getContractionStructure(linalgOp).has_value();
       },
       [](Exporter &e, Operation *op) {
         return ContractionWriter(e, cast<linalg::LinalgOp>(op)).emit();
       }});
}

} // namespace qdialect::onnx_export
