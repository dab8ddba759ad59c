// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who reads the channels, who makes them, and the constants around both
// (SmoothActivations.h).

#include "SmoothActivations.h"

#include "OutputChannels.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/PTQ/Smoothing.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace qdialect {
namespace {

/// A contraction and the dimension of its constant weight along which the
/// channels are multiplied.
struct Reader {
  linalg::LinalgOp op;
  unsigned weightOperand;
  unsigned weightDim;
};

/// A constant f32 weight.
std::optional<ConstantView> weightOf(linalg::LinalgOp op, unsigned operand) {
  Value weight = op.getDpsInputs()[operand];
  std::optional<ConstantView> view = constantView(weight);
  if (!view || !weight.getDefiningOp<arith::ConstantOp>() ||
      view->dtype != DType::F32)
    return std::nullopt;
  return view;
}

/// Where dimension `dim` of `op`'s operand is in its result, if it is there
/// whole and nothing else is mixed into it.
std::optional<unsigned> followDim(Operation *op, unsigned dim) {
  auto from = cast<RankedTensorType>(op->getOperand(0).getType());
  auto to = cast<RankedTensorType>(op->getResult(0).getType());
  int64_t size = from.getDimSize(dim);
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
    return llvm::find(transpose.getPermutation(), int64_t(dim)) -
           transpose.getPermutation().begin();
  if (isa<tensor::PadOp, tensor::ExtractSliceOp>(op)) {
    if (from.getRank() == to.getRank() && to.getDimSize(dim) == size)
      return dim;
    return std::nullopt;
  }
  SmallVector<ReassociationIndices> groups;
  bool expands = isa<tensor::ExpandShapeOp>(op);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    groups = expand.getReassociationIndices();
  else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    groups = collapse.getReassociationIndices();
  else
    return std::nullopt;
  for (auto [number, group] : llvm::enumerate(groups)) {
    if (expands ? number != dim
                : !llvm::is_contained(group, static_cast<int64_t>(dim)))
      continue;
    RankedTensorType several = expands ? to : from;
    unsigned found = number;
    for (int64_t one : group) {
      if (several.getDimSize(one) == size)
        found = expands ? one : number;
      else if (several.getDimSize(one) != 1)
        return std::nullopt;
    }
    return found;
  }
  return std::nullopt;
}

/// The readers of the channels in dimension `dim` of `value`; false if anybody
/// else reads it.
bool collectReaders(Value value, unsigned dim,
                    SmallVectorImpl<Reader> &readers) {
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    auto op = dyn_cast<linalg::LinalgOp>(user);
    std::optional<ContractionStructure> s;
    if (op && (s = getContractionStructure(op))) {
      if (!s->weightIsConstant ||
          use.getOperandNumber() != s->activationOperand ||
          !weightOf(op, s->weightOperand))
        return false;
      SmallVector<unsigned> loops(s->inputChannel.begin(),
                                  s->inputChannel.end());
      if (s->outputChannel.empty())
        llvm::append_range(loops, s->depth);
      const auto *loop = llvm::find_if(
          loops, [&](unsigned l) { return s->activationDim(l) == dim; });
      if (loop == loops.end() || !s->weightDim(*loop))
        return false;
      readers.push_back({op, s->weightOperand, *s->weightDim(*loop)});
      continue;
    }
    if (!keepsGrid(user) || use.getOperandNumber() != 0)
      return false;
    std::optional<unsigned> next = followDim(user, dim);
    if (!next || !collectReaders(user->getResult(0), *next, readers))
      return false;
  }
  return true;
}

/// Calls `visit(element, channel)` for each element of a tensor.
void forEachAlong(ArrayRef<int64_t> shape, unsigned dim,
                  llvm::function_ref<void(int64_t, int64_t)> visit) {
  SmallVector<int64_t> strides(shape.size(), 0);
  strides[dim] = 1;
  forEachWeight(shape, strides, visit);
}

/// Replaces a constant operand by its elements, each multiplied.
void rewriteConstant(OpOperand &operand,
                     llvm::function_ref<double(int64_t element)> factor) {
  ConstantView view = *constantView(operand.get());
  auto type = cast<RankedTensorType>(operand.get().getType());
  HostTensor values(DType::F32, type.getShape().vec());
  for (int64_t i = 0, e = type.getNumElements(); i < e; ++i)
    values.mutableData<float>()[i] =
        static_cast<float>(static_cast<double>(view.get<float>(i)) * factor(i));
  OpBuilder builder(operand.getOwner());
  operand.set(makeConstant(builder, operand.get().getLoc(), type,
                           "smoothed_weight", std::move(values)));
}

/// The contraction that alone makes `value`: with a bias, if any, and a relu,
/// which commutes with positive factors.
struct Producer {
  linalg::LinalgOp op;
  ContractionStructure structure;
  OpOperand *bias = nullptr;
};

std::optional<Producer> producerOf(qd::ObserveOp observe,
                                   const QuantizationPlan &plan,
                                   int64_t channels) {
  Value value = observe.getInput();
  if (!plan.isRounded(value))
    return std::nullopt;
  for (const PlannedUnit &planned : plan.units) {
    const QuantizableUnit &unit = planned.unit;
    if (unit.result() != value || !unit.contraction ||
        !unit.contraction->weightIsConstant)
      continue;
    Producer producer{cast<linalg::LinalgOp>(unit.root), *unit.contraction};
    const ContractionStructure &s = producer.structure;
    auto type = cast<RankedTensorType>(value.getType());
    auto init = dyn_cast_or_null<FloatAttr>(
        getSplatValue(producer.op.getDpsInits()[0]).value_or(Attribute()));
    std::optional<OutputChannels> made = getOutputChannels(producer.structure);
    if (!weightOf(producer.op, s.weightOperand) || !init ||
        !init.getValue().isZero() || !made || made->count() != channels ||
        made->dims.size() != 1 || made->dims[0] != type.getRank() - 1)
      return std::nullopt;
    for (Operation *op : ArrayRef(unit.ops).drop_front()) {
      auto generic = dyn_cast<linalg::GenericOp>(op);
      if (!generic)
        return std::nullopt;
      if (op == unit.bias) {
        producer.bias = biasOperand(op);
        std::optional<ConstantView> view = constantView(producer.bias->get());
        if (!view || view->dtype != DType::F32 ||
            !producer.bias->get().getDefiningOp<arith::ConstantOp>() ||
            view->numElements() != channels)
          return std::nullopt;
        continue;
      }
      // A relu, and nothing but.
      auto max = generic.getBlock()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<arith::MaximumFOp>();
      std::optional<ConstantView> zero =
          max ? constantView(max.getRhs()) : std::nullopt;
      if (!zero || zero->numElements() != 1 || zero->number(0) != 0 ||
          !isa<BlockArgument>(max.getLhs()))
        return std::nullopt;
    }
    return producer;
  }
  return std::nullopt;
}

} // namespace

std::optional<Smoothed> smoothActivation(qd::ObserveOp observe,
                                         const QuantizationPlan &plan,
                                         const ValueStatistics &statistics,
                                         double alpha) {
  auto type = cast<RankedTensorType>(observe.getType());
  int64_t rank = type.getRank();
  if (rank == 0 || type.isDynamicDim(rank - 1))
    return std::nullopt;
  int64_t channels = type.getDimSize(rank - 1);
  std::vector<float> magnitudes = channelMagnitudes(statistics);
  SmallVector<Reader> readers;
  if (channels < 2 || static_cast<int64_t>(magnitudes.size()) != channels ||
      observe.getResult().use_empty() ||
      !collectReaders(observe.getResult(), rank - 1, readers))
    return std::nullopt;
  std::optional<Producer> producer = producerOf(observe, plan, channels);
  // What integers make is rounded by one scale a tensor.
  if (plan.isRounded(observe.getInput()) && !producer)
    return std::nullopt;

  std::vector<float> weights(channels, 0);
  for (const Reader &reader : readers) {
    ConstantView view = *weightOf(reader.op, reader.weightOperand);
    forEachAlong(view.type.getShape(), reader.weightDim,
                 [&](int64_t element, int64_t channel) {
                   weights[channel] = std::max(
                       weights[channel], std::abs(view.get<float>(element)));
                 });
  }
  Smoothed smoothed;
  smoothed.factors = smoothingFactors(magnitudes, weights, alpha);
  smoothed.statistics = dividedChannels(statistics, smoothed.factors);
  smoothed.byScale = !producer;
  ArrayRef<float> factors = smoothed.factors;
  for (Reader &reader : readers) {
    OpOperand &weight = *reader.op.getDpsInputOperand(reader.weightOperand);
    auto shape = cast<RankedTensorType>(weight.get().getType()).getShape();
    std::vector<double> byElement(ShapedType::getNumElements(shape));
    forEachAlong(shape, reader.weightDim,
                 [&](int64_t element, int64_t channel) {
                   byElement[element] = static_cast<double>(factors[channel]);
                 });
    rewriteConstant(weight, [&](int64_t e) { return byElement[e]; });
  }
  if (producer) {
    OpOperand &weight =
        *producer->op.getDpsInputOperand(producer->structure.weightOperand);
    auto shape = cast<RankedTensorType>(weight.get().getType()).getShape();
    std::vector<double> byElement(ShapedType::getNumElements(shape));
    forEachWeight(shape, weightChannelStrides(producer->structure),
                  [&](int64_t element, int64_t channel) {
                    byElement[element] =
                        1.0 / static_cast<double>(factors[channel]);
                  });
    rewriteConstant(weight, [&](int64_t e) { return byElement[e]; });
    if (producer->bias)
      rewriteConstant(*producer->bias, [&](int64_t e) {
        return 1.0 / static_cast<double>(factors[e]);
      });
  }
  return smoothed;
}

} // namespace qdialect
