// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Follows the channels of a value to all that makes and reads them. What an
// element-wise payload does to factors is decided by degrees: with x -> f x for
// some of its operands, is the result f times what it was (degree 1), or what
// it was (degree 0)?

#include "QDialect/Analysis/ChannelGroup.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect {
namespace {

//===----------------------------------------------------------------------===//
// Degrees of element-wise payloads
//===----------------------------------------------------------------------===//

/// How a scalar follows a factor f > 0. Zero is f * 0 and 0 at once.
enum class Degree { Zero, Fixed, Linear, Neither };

/// Of a sum, a maximum, a choice between two.
Degree same(Degree a, Degree b) {
  if (a == Degree::Zero)
    return b;
  if (b == Degree::Zero || a == b)
    return a;
  return Degree::Neither;
}

Degree product(Degree a, Degree b) {
  if (a == Degree::Neither || b == Degree::Neither)
    return Degree::Neither;
  if (a == Degree::Zero || b == Degree::Zero)
    return Degree::Zero;
  if (a == Degree::Fixed)
    return b;
  return b == Degree::Fixed ? a : Degree::Neither;
}

class PayloadDegrees {
public:
  /// `operands`: the degree of each block argument.
  PayloadDegrees(Block &body, ArrayRef<Degree> operands) {
    for (auto [argument, degree] : llvm::zip(body.getArguments(), operands))
      known[argument] = degree;
  }

  Degree of(Value value) {
    auto it = known.find(value);
    if (it != known.end())
      return it->second;
    Operation *op = value.getDefiningOp();
    Degree degree = op ? ofOp(op) : Degree::Neither;
    known[value] = degree;
    return degree;
  }

private:
  Degree ofOp(Operation *op) {
    if (op->hasTrait<OpTrait::ConstantLike>())
      return matchPattern(op->getResult(0), m_AnyZeroFloat()) ? Degree::Zero
                                                              : Degree::Fixed;
    if (isa<arith::AddFOp, arith::SubFOp, arith::MaximumFOp, arith::MinimumFOp,
            arith::MaxNumFOp, arith::MinNumFOp>(op))
      return same(of(op->getOperand(0)), of(op->getOperand(1)));
    if (isa<arith::MulFOp>(op))
      return product(of(op->getOperand(0)), of(op->getOperand(1)));
    if (isa<arith::DivFOp>(op) && of(op->getOperand(1)) == Degree::Fixed)
      return of(op->getOperand(0));
    if (isa<arith::NegFOp>(op) || op->getName().getStringRef() == "math.absf")
      return of(op->getOperand(0));
    // Which of two is larger does not change with a factor common to both.
    if (isa<arith::CmpFOp>(op))
      return same(of(op->getOperand(0)), of(op->getOperand(1))) ==
                     Degree::Neither
                 ? Degree::Neither
                 : Degree::Fixed;
    if (auto select = dyn_cast<arith::SelectOp>(op))
      return of(select.getCondition()) == Degree::Fixed
                 ? same(of(select.getTrueValue()), of(select.getFalseValue()))
                 : Degree::Neither;
    bool fixed = llvm::all_of(op->getOperands(), [&](Value operand) {
      Degree degree = of(operand);
      return degree == Degree::Fixed || degree == Degree::Zero;
    });
    return fixed && op->getNumRegions() == 0 ? Degree::Fixed : Degree::Neither;
  }

  llvm::DenseMap<Value, Degree> known;
};

/// Is the result f times what it was when operands of degree Linear are?
bool isLinear(linalg::GenericOp op, ArrayRef<Degree> operands) {
  return PayloadDegrees(*op.getBlock(), operands)
             .of(op.getBlock()->getTerminator()->getOperand(0)) ==
         Degree::Linear;
}

//===----------------------------------------------------------------------===//
// Where channels are in operands
//===----------------------------------------------------------------------===//

/// The dimension of an operand that `loop` indexes alone.
std::optional<int64_t> plainDim(AffineMap map, unsigned loop) {
  for (auto [dim, expr] : llvm::enumerate(map.getResults()))
    if (auto position = dyn_cast<AffineDimExpr>(expr))
      if (position.getPosition() == loop)
        return dim;
  return std::nullopt;
}

/// Channels that lie in dimensions of one operand (read by `from`), in another
/// (read by `to`); nothing unless all are there.
std::optional<ChannelDims> follow(const ChannelDims &channels, AffineMap from,
                                  AffineMap to) {
  ChannelDims result;
  for (auto [dim, size] : llvm::zip(channels.dims, channels.sizes)) {
    auto loop = dyn_cast<AffineDimExpr>(from.getResult(dim));
    std::optional<int64_t> found =
        loop ? plainDim(to, loop.getPosition()) : std::nullopt;
    if (!found)
      return std::nullopt;
    result.dims.push_back(*found);
    result.sizes.push_back(size);
  }
  return result;
}

/// A constant f32 operand that has the channels in `channels`.
std::optional<ChannelConstant> channelConstant(OpOperand &operand,
                                               const ChannelDims &channels) {
  std::optional<ConstantView> view = constantView(operand.get());
  if (!view || !operand.get().getDefiningOp<arith::ConstantOp>() ||
      view->dtype != DType::F32)
    return std::nullopt;
  ChannelConstant constant{&operand, {}};
  constant.strides.assign(view->type.getRank(), 0);
  int64_t stride = 1;
  for (int64_t i = static_cast<int64_t>(channels.dims.size()) - 1; i >= 0;
       --i) {
    constant.strides[channels.dims[i]] = stride;
    stride *= channels.sizes[i];
  }
  return constant;
}

/// The channels on the other side of an op that moves elements or combines
/// those of one channel, forwards or backwards.
std::optional<ChannelDims>
followMove(Operation *op, const ChannelDims &channels, bool forwards) {
  if (isa<qd::ObserveOp>(op))
    return channels;
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return forwards ? followReshape(channels, op)
                    : followReshapeBack(channels, op);
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    ChannelDims result = channels;
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    for (int64_t &dim : result.dims)
      dim = forwards ? llvm::find(permutation, dim) - permutation.begin()
                     : permutation[dim];
    return result;
  }
  auto from = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
  auto to = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (isa<tensor::PadOp, tensor::ExtractSliceOp>(op)) {
    auto padding = dyn_cast_or_null<FloatAttr>(getConstantPadding(op));
    bool scales = !isa<tensor::PadOp>(op) ||
                  (padding && (padding.getValue().isZero() ||
                               padding.getValue().isInfinity()));
    bool whole = from.getRank() == to.getRank() &&
                 llvm::all_of(channels.dims, [&](int64_t dim) {
                   return from.getDimSize(dim) == to.getDimSize(dim);
                 });
    if (scales && whole)
      return channels;
    return std::nullopt;
  }
  std::optional<ReductionKind> kind = getReductionKind(op);
  if (!kind)
    return std::nullopt;
  auto pool = cast<linalg::LinalgOp>(op);
  // What the combination begins with must stay itself.
  auto init = dyn_cast_or_null<FloatAttr>(
      getSplatValue(pool.getDpsInits()[0]).value_or(Attribute()));
  if (!init || !(*kind == ReductionKind::Sum ? init.getValue().isZero()
                                             : init.getValue().isInfinity()))
    return std::nullopt;
  AffineMap source = pool.getMatchingIndexingMap(pool.getDpsInputOperand(0));
  AffineMap result = pool.getMatchingIndexingMap(pool.getDpsInitOperand(0));
  return forwards ? follow(channels, source, result)
                  : follow(channels, result, source);
}

//===----------------------------------------------------------------------===//
// The group
//===----------------------------------------------------------------------===//

class GroupFinder {
public:
  ChannelGroup group;
  std::string why;

  /// Takes `value` in, what makes it (unless `readersOnly`) and what reads it.
  bool take(Value value, const ChannelDims &channels,
            bool readersOnly = false) {
    auto [it, isNew] = group.values.insert({value, channels});
    if (!isNew)
      return it->second == channels || blocked(value, "has channels twice");
    if (!getElementTypeOrSelf(value.getType()).isF32())
      return blocked(value, "is not f32");
    if (!readersOnly && !takeMaker(value, channels))
      return false;
    for (OpOperand &use : value.getUses())
      if (!takeReader(use, channels))
        return false;
    return true;
  }

private:
  bool blocked(Value value, StringRef reason) {
    Operation *op = value.getDefiningOp();
    auto name = op ? op->getAttrOfType<StringAttr>("qd.name") : StringAttr();
    why = ((name ? name.getValue()
                 : (op ? op->getName().getStringRef() : "an argument")) +
           " " + reason)
              .str();
    return false;
  }

  bool takeMaker(Value value, const ChannelDims &channels) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return blocked(value, "is an input");
    if (auto norm = dyn_cast<qd::LayerNormOp>(op))
      return takeNorm(norm, channels);
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
      if (auto structure = getContractionStructure(linalgOp))
        return takeContraction(linalgOp, *structure, channels);
    if (isElementwiseGeneric(op))
      return takeElementwise(cast<linalg::GenericOp>(op), channels);
    if (std::optional<ChannelDims> before = followable(op, channels, false))
      return take(op->getOperand(0), *before);
    return blocked(value, "blocks factors");
  }

  /// followMove, of ops that it knows.
  static std::optional<ChannelDims>
  followable(Operation *op, const ChannelDims &channels, bool forwards) {
    if (op->getNumResults() != 1 || op->getNumOperands() == 0)
      return std::nullopt;
    return followMove(op, channels, forwards);
  }

  bool takeNorm(qd::LayerNormOp norm, const ChannelDims &channels) {
    ChannelDims trailing = channels;
    for (int64_t &dim : trailing.dims)
      dim -= static_cast<int64_t>(norm.getAxis());
    if (llvm::any_of(trailing.dims, [](int64_t dim) { return dim < 0; }))
      return blocked(norm.getResult(), "normalizes within a channel");
    std::optional<ChannelConstant> gain =
        channelConstant(norm.getGammaMutable(), trailing);
    if (!gain)
      return blocked(norm.getResult(), "has a computed gain");
    group.makers.push_back(*gain);
    if (!norm.getBeta())
      return true;
    std::optional<ChannelConstant> offset =
        channelConstant(norm.getBetaMutable()[0], trailing);
    if (!offset)
      return blocked(norm.getResult(), "has a computed offset");
    group.addends.push_back(*offset);
    return true;
  }

  bool takeContraction(linalg::LinalgOp op, const ContractionStructure &s,
                       const ChannelDims &channels) {
    Value result = op->getResult(0);
    auto init = dyn_cast_or_null<FloatAttr>(
        getSplatValue(op.getDpsInits()[0]).value_or(Attribute()));
    if (!init || !init.getValue().isZero())
      return blocked(result, "adds to a value");
    if (s.weightIsConstant) {
      OpOperand &weight = *op.getDpsInputOperand(s.weightOperand);
      std::optional<ChannelDims> inWeight =
          follow(channels, s.outputMap, s.weightMap);
      std::optional<ChannelConstant> constant =
          inWeight ? channelConstant(weight, *inWeight) : std::nullopt;
      if (!constant)
        return blocked(result, "has no plain weights for its channels");
      group.makers.push_back(*constant);
      return true;
    }
    // A product of two activations: the values of attention.
    for (auto [operand, map] :
         {std::pair(s.weightOperand, s.weightMap),
          std::pair(s.activationOperand, s.activationMap)}) {
      std::optional<ChannelDims> there = follow(channels, s.outputMap, map);
      if (there && tryTake(op.getDpsInputs()[operand], *there))
        return true;
    }
    return blocked(result, "multiplies activations that block factors");
  }

  /// Takes a value, or leaves the group as it was.
  bool tryTake(Value value, const ChannelDims &channels) {
    ChannelGroup before = group;
    if (take(value, channels))
      return true;
    group = std::move(before);
    return false;
  }

  bool takeElementwise(linalg::GenericOp op, const ChannelDims &channels) {
    // What each operand is: in the group already, an activation that may join,
    // a constant that may be multiplied.
    unsigned count = op.getNumDpsInputs();
    SmallVector<Degree> degrees(count + 1, Degree::Fixed);
    SmallVector<std::optional<ChannelDims>> places(count);
    SmallVector<unsigned> activations, constants;
    AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    for (unsigned i = 0; i < count; ++i) {
      OpOperand &operand = *op.getDpsInputOperand(i);
      places[i] = follow(channels, result, op.getMatchingIndexingMap(&operand));
      auto member = group.values.find(operand.get());
      if (member != group.values.end()) {
        if (!places[i] || !(*places[i] == member->second))
          return blocked(op.getResult(0), "moves channels");
        degrees[i] = Degree::Linear;
      } else if (places[i]) {
        bool constant = operand.get().getDefiningOp<arith::ConstantOp>();
        (constant ? constants : activations).push_back(i);
      }
    }
    if (isLinear(op, degrees))
      return true;
    for (ArrayRef<unsigned> joining : waysToJoin(activations, constants)) {
      SmallVector<Degree> tried = degrees;
      for (unsigned operand : joining)
        tried[operand] = Degree::Linear;
      if (!isLinear(op, tried))
        continue;
      ChannelGroup before = group;
      if (takeOperands(op, joining, places))
        return true;
      group = std::move(before);
    }
    return blocked(op.getResult(0), "is a function that blocks factors");
  }

  /// Which operands may take the factor, the simplest way first: one
  /// activation, one constant, all activations (a sum), with a constant.
  static SmallVector<SmallVector<unsigned>>
  waysToJoin(ArrayRef<unsigned> activations, ArrayRef<unsigned> constants) {
    SmallVector<SmallVector<unsigned>> ways;
    for (unsigned activation : activations)
      ways.push_back({activation});
    for (unsigned constant : constants)
      ways.push_back({constant});
    for (unsigned constant : constants)
      for (unsigned activation : activations)
        ways.push_back({activation, constant});
    if (activations.size() > 1) {
      ways.emplace_back(activations.begin(), activations.end());
      for (unsigned constant : constants) {
        ways.emplace_back(activations.begin(), activations.end());
        ways.back().push_back(constant);
      }
    }
    return ways;
  }

  bool takeOperands(linalg::GenericOp op, ArrayRef<unsigned> joining,
                    ArrayRef<std::optional<ChannelDims>> places) {
    for (unsigned operand : joining)
      if (!op.getDpsInputs()[operand].getDefiningOp<arith::ConstantOp>() &&
          !take(op.getDpsInputs()[operand], *places[operand]))
        return false;
    bool added = llvm::any_of(op.getDpsInputs(), [&](Value input) {
      return group.values.contains(input);
    });
    for (unsigned operand : joining) {
      OpOperand &constant = *op.getDpsInputOperand(operand);
      if (!constant.get().getDefiningOp<arith::ConstantOp>())
        continue;
      std::optional<ChannelConstant> found =
          channelConstant(constant, *places[operand]);
      if (!found)
        return blocked(op.getResult(0), "has no plain constant");
      (added ? group.addends : group.makers).push_back(*found);
    }
    return true;
  }

  bool takeReader(OpOperand &use, const ChannelDims &channels) {
    Operation *op = use.getOwner();
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (linalgOp)
      if (auto s = getContractionStructure(linalgOp))
        return takeReadingContraction(linalgOp, *s, use, channels);
    if (isElementwiseGeneric(op)) {
      if (!linalgOp.isDpsInput(&use))
        return blocked(use.get(), "is written over");
      std::optional<ChannelDims> after = follow(
          channels, linalgOp.getMatchingIndexingMap(&use),
          linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0)));
      return after ? take(op->getResult(0), *after)
                   : blocked(op->getResult(0), "loses channels");
    }
    if (use.getOperandNumber() == 0)
      if (std::optional<ChannelDims> after = followable(op, channels, true))
        return take(op->getResult(0), *after);
    return blocked(use.get(), ("is read by " + op->getName().getStringRef() +
                               ", which blocks factors")
                                  .str());
  }

  bool takeReadingContraction(linalg::LinalgOp op,
                              const ContractionStructure &s, OpOperand &use,
                              const ChannelDims &channels) {
    Value result = op->getResult(0);
    if (s.weightIsConstant) {
      if (use.getOperandNumber() != s.activationOperand)
        return blocked(result, "reads channels as a weight");
      std::optional<ChannelDims> inWeight =
          follow(channels, s.activationMap, s.weightMap);
      std::optional<ChannelConstant> constant =
          inWeight ? channelConstant(*op.getDpsInputOperand(s.weightOperand),
                                     *inWeight)
                   : std::nullopt;
      if (!constant)
        return blocked(result,
                       "has no plain weights for the channels it reads");
      group.readers.push_back(*constant);
      return true;
    }
    if (!op.isDpsInput(&use))
      return blocked(result, "adds to a value");
    AffineMap map = use.getOperandNumber() == s.activationOperand
                        ? s.activationMap
                        : s.weightMap;
    if (std::optional<ChannelDims> after = follow(channels, map, s.outputMap))
      return take(result, *after);
    return blocked(result, "sums products of channels with an activation");
  }
};

std::optional<ChannelGroup> find(Value value, const ChannelDims &channels,
                                 bool readersOnly, std::string *why) {
  GroupFinder finder;
  finder.group.channels = channels.count();
  if (finder.take(value, channels, readersOnly))
    return std::move(finder.group);
  if (why)
    *why = finder.why;
  return std::nullopt;
}

} // namespace

void ChannelConstant::forEach(
    llvm::function_ref<void(int64_t, int64_t)> visit) const {
  forEachWeight(cast<RankedTensorType>(operand->get().getType()).getShape(),
                strides, visit);
}

std::optional<ChannelGroup>
findChannelGroup(Value value, const ChannelDims &channels, std::string *why) {
  return find(value, channels, /*readersOnly=*/false, why);
}

std::optional<ChannelGroup>
findChannelReaders(Value value, const ChannelDims &channels, std::string *why) {
  return find(value, channels, /*readersOnly=*/true, why);
}

void replaceConstant(OpOperand &operand, ArrayRef<double> values) {
  auto old = operand.get().getDefiningOp<arith::ConstantOp>();
  auto type = cast<RankedTensorType>(old.getType());
  HostTensor tensor(DType::F32, type.getShape().vec());
  llvm::transform(values, tensor.mutableData<float>(),
                  [](double value) { return static_cast<float>(value); });
  OpBuilder builder(operand.getOwner());
  operand.set(makeConstant(builder, old.getLoc(), type, "scaled_weight",
                           std::move(tensor)));
  if (old->use_empty())
    old->erase();
}

void scaleConstant(const ChannelConstant &constant, ArrayRef<double> factors) {
  ConstantView view = *constantView(constant.operand->get());
  std::vector<double> values(view.numElements());
  constant.forEach([&](int64_t element, int64_t channel) {
    values[element] = view.number(element) * factors[channel];
  });
  replaceConstant(*constant.operand, values);
}

void scaleChannels(const ChannelGroup &group, ArrayRef<double> factors) {
  SmallVector<double> inverses;
  for (double factor : factors)
    inverses.push_back(1 / factor);
  for (const ChannelConstant &constant : group.makers)
    scaleConstant(constant, factors);
  for (const ChannelConstant &constant : group.addends)
    scaleConstant(constant, factors);
  for (const ChannelConstant &constant : group.readers)
    scaleConstant(constant, inverses);
}

} // namespace qdialect
