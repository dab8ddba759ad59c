// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pools and reductions by their structure. A sum that is divided by the number
// of its summands is an average, written as one node; any other windowed sum is
// a depthwise convolution with ones, which rounds like it.

#include "Export/Exporter.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect::onnx_export {
namespace {

/// A dimension of the input: one loop, or `output * stride + window *
/// dilation`.
struct Access {
  unsigned loop = 0;
  std::optional<unsigned> window;
  int64_t stride = 1, dilation = 1;
};

std::optional<std::pair<unsigned, int64_t>> readTerm(AffineExpr expr) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return std::pair(dim.getPosition(), int64_t(1));
  auto product = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!product || product.getKind() != AffineExprKind::Mul)
    return std::nullopt;
  auto dim = dyn_cast<AffineDimExpr>(product.getLHS());
  auto factor = dyn_cast<AffineConstantExpr>(product.getRHS());
  if (!dim || !factor)
    return std::nullopt;
  return std::pair(dim.getPosition(), factor.getValue());
}

class ReductionWriter {
public:
  ReductionWriter(Exporter &e, linalg::LinalgOp op)
      : e(e), op(op), kind(*getReductionKind(op)), input(op.getDpsInputs()[0]),
        result(op->getResult(0)),
        outputMap(op.getMatchingIndexingMap(op.getDpsInitOperand(0))),
        sizes(op.getStaticLoopRanges()), iterators(op.getIteratorTypesArray()) {
  }

  LogicalResult emit();

private:
  bool isReduced(unsigned loop) const {
    return iterators[loop] == utils::IteratorType::reduction;
  }
  int64_t outputDim(unsigned loop) const {
    for (auto [dim, expr] : llvm::enumerate(outputMap.getResults()))
      if (expr.isFunctionOfDim(loop))
        return static_cast<int64_t>(dim);
    return -1;
  }
  LogicalResult readAccesses();
  /// The start must be what changes nothing.
  bool startsNeutral();
  /// Whether the only reader divides the sum of `count` by `count`.
  bool absorbDivision(int64_t count);
  LogicalResult emitPool();
  LogicalResult emitReduce();

  Exporter &e;
  linalg::LinalgOp op;
  ReductionKind kind;
  Value input, result;
  AffineMap outputMap;
  SmallVector<int64_t> sizes;
  SmallVector<utils::IteratorType> iterators;
  SmallVector<Access> accesses; ///< of each dimension of the input
};

LogicalResult ReductionWriter::readAccesses() {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  for (AffineExpr expr : map.getResults()) {
    Access access;
    auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
    if (sum && sum.getKind() == AffineExprKind::Add) {
      auto first = readTerm(sum.getLHS()), second = readTerm(sum.getRHS());
      if (first && second && isReduced(first->first))
        std::swap(first, second);
      if (!first || !second || isReduced(first->first) ||
          !isReduced(second->first))
        return failure();
      access = {first->first, second->first, first->second, second->second};
    } else if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      access.loop = dim.getPosition();
    } else {
      return failure();
    }
    accesses.push_back(access);
  }
  return success();
}

bool isLowest(Attribute number) {
  if (auto real = dyn_cast_or_null<FloatAttr>(number))
    return real.getValue().isNegative() &&
           (real.getValue().isInfinity() || real.getValue().isLargest());
  auto integer = dyn_cast_or_null<IntegerAttr>(number);
  return integer && integer.getValue().isMinSignedValue();
}

bool isHighest(Attribute number) {
  if (auto real = dyn_cast_or_null<FloatAttr>(number))
    return !real.getValue().isNegative() &&
           (real.getValue().isInfinity() || real.getValue().isLargest());
  auto integer = dyn_cast_or_null<IntegerAttr>(number);
  return integer && integer.getValue().isMaxSignedValue();
}

bool isNothing(Attribute number) {
  return number && (matchPattern(number, m_Zero()) ||
                    matchPattern(number, m_AnyZeroFloat()));
}

bool ReductionWriter::startsNeutral() {
  std::optional<Attribute> start = getSplatValue(op.getDpsInits()[0]);
  return start && (kind == ReductionKind::Sum   ? isNothing(*start)
                   : kind == ReductionKind::Max ? isLowest(*start)
                                                : isHighest(*start));
}

bool ReductionWriter::absorbDivision(int64_t count) {
  if (!result.hasOneUse() || !isElementwiseGeneric(*result.user_begin()))
    return false;
  auto reader = cast<linalg::GenericOp>(*result.user_begin());
  BlockArgument summand = reader.getMatchingBlockArgument(&*result.use_begin());
  if (!summand.hasOneUse())
    return false;
  auto divide = dyn_cast<arith::DivFOp>(*summand.user_begin());
  FloatAttr by;
  if (!divide || divide.getLhs() != summand ||
      !matchPattern(divide.getRhs(), m_Constant(&by)) ||
      by.getValueAsDouble() != static_cast<double>(count))
    return false;
  e.absorb(divide, summand);
  return true;
}

LogicalResult ReductionWriter::emitPool() {
  // Batch and channels, then the image; the window's order is the image's.
  SmallVector<int64_t> plain, image;
  for (auto [dim, access] : llvm::enumerate(accesses)) {
    if (access.window)
      image.push_back(static_cast<int64_t>(dim));
    else
      plain.push_back(static_cast<int64_t>(dim));
  }
  SmallVector<unsigned> notImage(plain.begin(), plain.end());
  if (plain.size() != 2 || llvm::any_of(plain, [&](int64_t dim) {
        return isReduced(accesses[dim].loop);
      }))
    return e.refuse(op) << "a pool has a batch, channels and an image";
  if (kind == ReductionKind::Min)
    return e.refuse(op) << "no operator takes the minimum of a window";
  bool isSum = kind == ReductionKind::Sum;
  FoldedPad pad = foldPad(input, isSum ? isNothing : isLowest, notImage);
  Layout x = layoutOf(plain), y;
  for (int64_t dim : plain)
    y.push_back({outputDim(accesses[dim].loop)});
  SmallVector<int64_t> pads, highs, kernel, strides, dilations;
  int64_t count = 1;
  for (int64_t dim : image) {
    const Access &access = accesses[dim];
    x.push_back({dim});
    y.push_back({outputDim(access.loop)});
    pads.push_back(pad.low[dim]);
    highs.push_back(pad.high[dim]);
    kernel.push_back(sizes[*access.window]);
    strides.push_back(access.stride);
    dilations.push_back(access.dilation);
    count *= kernel.back();
  }
  llvm::append_range(pads, highs);
  SmallVector<NodeAttribute> attributes{{"kernel_shape", kernel},
                                        {"pads", pads},
                                        {"strides", strides},
                                        {"dilations", dilations}};
  SmallVector<std::string> inputs{e.use(pad.source, x)};
  if (inputs[0].empty())
    return failure();
  StringRef name = "MaxPool";
  if (isSum && absorbDivision(count)) {
    name = "AveragePool";
    attributes.push_back({"count_include_pad", int64_t(1)});
  } else if (isSum) {
    int64_t channels = sizes[accesses[plain[1]].loop];
    Type type = getElementTypeOrSelf(input.getType());
    if (ShapedType::isDynamic(channels) || !type.isF32())
      return e.refuse(op)
             << "a windowed sum needs f32 and a number of channels";
    name = "Conv";
    std::vector<int64_t> shape{channels, 1};
    llvm::append_range(shape, kernel);
    std::vector<float> ones(channels * count, 1.0f);
    inputs.push_back(
        e.constant(HostTensor::of(DType::F32, shape, ones), type, "ones"));
    attributes.push_back({"group", channels});
  }
  std::string pooled = e.nameFor(result, y);
  e.model.addNode(name, inputs, {pooled}, attributes);
  return e.bindMerged(result, pooled, y);
}

LogicalResult ReductionWriter::emitReduce() {
  std::optional<Binding> x = e.find(input);
  if (!x)
    return failure();
  Order axes, order;
  int64_t count = 1;
  for (auto [place, dim] : llvm::enumerate(x->order)) {
    unsigned loop = accesses[dim].loop;
    if (!isReduced(loop)) {
      order.push_back(outputDim(loop));
      continue;
    }
    axes.push_back(static_cast<int64_t>(place));
    count = ShapedType::isDynamic(sizes[loop]) ? 0 : count * sizes[loop];
  }
  bool isMean =
      kind == ReductionKind::Sum && count > 0 && absorbDivision(count);
  StringRef name = isMean                       ? "ReduceMean"
                   : kind == ReductionKind::Sum ? "ReduceSum"
                   : kind == ReductionKind::Max ? "ReduceMax"
                                                : "ReduceMin";
  // Over the whole image of every channel: the operator that integer kernels
  // know, which keeps the dimensions.
  if (isMean && x->order.size() >= 3 && axes.size() == x->order.size() - 2 &&
      axes.front() == 2) {
    std::string pooled = e.node("GlobalAveragePool", {x->name}, {}, result);
    std::string y = e.nameFor(result, order);
    e.model.addNode("Squeeze", {pooled, e.integers(axes)}, {y}, {});
    e.bind(result, y, order);
    return success();
  }
  std::string y = e.nameFor(result, order);
  e.model.addNode(name, {x->name, e.integers(axes)}, {y},
                  {{"keepdims", int64_t(0)}});
  e.bind(result, y, order);
  return success();
}

LogicalResult ReductionWriter::emit() {
  if (failed(readAccesses()) || !outputMap.isProjectedPermutation() ||
      accesses.size() != static_cast<size_t>(
                             cast<RankedTensorType>(input.getType()).getRank()))
    return e.refuse(op)
           << "it reads its input in no way of a pool or reduction";
  if (!startsNeutral())
    return e.refuse(op) << "it does not start from the neutral element";
  bool hasWindow = llvm::any_of(
      accesses, [](const Access &access) { return access.window.has_value(); });
  return hasWindow ? emitPool() : emitReduce();
}

} // namespace

void addReductionRules(Rules &rules) {
  rules.push_back(
      {[](Operation *op) {
         return isa<linalg::LinalgOp>(op) && getReductionKind(op).has_value();
       },
       [](Exporter &e, Operation *op) {
         return ReductionWriter(e, cast<linalg::LinalgOp>(op)).emit();
       }});
}

} // namespace qdialect::onnx_export
