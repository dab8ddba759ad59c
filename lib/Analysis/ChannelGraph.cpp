// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ChannelGraph.h"

#include "ChannelFlow.h"
#include "PayloadDegrees.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/IR/AttributeNames.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/bit.h"

using namespace mlir;

namespace qdialect {

/// A payload of more operands that have the channels is taken for one that
/// blocks: every subset of them is asked for.
static constexpr unsigned kMostSharing = 8;

/// Does what the sums of a contraction begin with follow every factor?
static bool beginsWithZero(linalg::LinalgOp op) {
  auto init = dyn_cast_or_null<FloatAttr>(
      getSplatValue(op.getDpsInits()[0]).value_or(Attribute()));
  return init && init.getValue().isZero();
}

bool comesBefore(Operation *a, Operation *b) {
  auto path = [](Operation *op) {
    SmallVector<Operation *> ops;
    for (; op; op = op->getParentOp())
      ops.push_back(op);
    std::reverse(ops.begin(), ops.end());
    return ops;
  };
  if (a->getBlock() == b->getBlock())
    return a != b && a->isBeforeInBlock(b);
  SmallVector<Operation *> pathA = path(a), pathB = path(b);
  for (auto [left, right] : llvm::zip(pathA, pathB)) {
    if (left == right)
      continue;
    if (left->getBlock() == right->getBlock())
      return left->isBeforeInBlock(right);
    if (left->getParentRegion() == right->getParentRegion())
      return left->getBlock()->computeBlockNumber() <
             right->getBlock()->computeBlockNumber();
    return left->getParentRegion()->getRegionNumber() <
           right->getParentRegion()->getRegionNumber();
  }
  return pathA.size() < pathB.size();
}

ChannelGraph::ChannelGraph(Value value, const ChannelDims &channels,
                           bool readersOnly) {
  nodeOf(value, channels);
  for (unsigned node = 0; node < nodes.size(); ++node) {
    if (!getElementTypeOrSelf(nodes[node].value.getType()).isF32()) {
      block(node, nodes[node].value.getDefiningOp(), " is not f32");
      continue;
    }
    if (node != 0 || !readersOnly)
      expandMaker(node);
    // The order of uses is no property of the program.
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : nodes[node].value.getUses())
      uses.push_back(&use);
    llvm::sort(uses, [](OpOperand *a, OpOperand *b) {
      return a->getOwner() == b->getOwner()
                 ? a->getOperandNumber() < b->getOperandNumber()
                 : comesBefore(a->getOwner(), b->getOwner());
    });
    for (OpOperand *use : uses)
      if (!nodes[node].blocked)
        expandReader(node, *use);
  }
  spreadBlocks();
}

bool ChannelGraph::areFree(const Node &node, unsigned activations) const {
  for (auto [bit, operand] : llvm::enumerate(node.sharing->activations))
    if (activations >> bit & 1 && nodes[operand.node].blocked)
      return false;
  return true;
}

/// What is blocked blocks what needs it, and a result all of whose ways are
/// blocked.
void ChannelGraph::spreadBlocks() {
  SmallVector<unsigned> worklist;
  for (unsigned node = 0; node < nodes.size(); ++node) {
    for (unsigned needed : nodes[node].needs)
      nodes[needed].dependents.push_back(node);
    if (nodes[node].sharing)
      for (const FactorSharing::Operand &operand :
           nodes[node].sharing->activations)
        nodes[operand.node].dependents.push_back(node);
    if (nodes[node].blocked)
      worklist.push_back(node);
  }
  while (!worklist.empty()) {
    unsigned cause = worklist.pop_back_val();
    for (unsigned dependent : nodes[cause].dependents) {
      Node &node = nodes[dependent];
      if (node.blocked)
        continue;
      if (!llvm::is_contained(node.needs, cause) &&
          llvm::any_of(node.sharing->ways, [&](FactorSharing::Way way) {
            return areFree(node, way.activations);
          }))
        continue;
      block(dependent, nodes[cause].why);
      worklist.push_back(dependent);
    }
  }
}

unsigned ChannelGraph::nodeOf(Value value, const ChannelDims &channels) {
  SmallVector<unsigned, 1> &known = byValue[value];
  for (unsigned node : known)
    if (nodes[node].channels == channels)
      return node;
  known.push_back(nodes.size());
  nodes.emplace_back();
  nodes.back().value = value;
  nodes.back().channels = channels;
  return known.back();
}

void ChannelGraph::block(unsigned node, StringRef why) {
  nodes[node].blocked = true;
  nodes[node].why = why.str();
}

void ChannelGraph::block(unsigned node, Operation *cause, StringRef reason) {
  auto name =
      cause ? cause->getAttrOfType<StringAttr>(qd::kNameAttr) : StringAttr();
  StringRef who = name    ? name.getValue()
                  : cause ? cause->getName().getStringRef()
                          : "an argument";
  block(node, (who + reason).str());
}

void ChannelGraph::need(unsigned node, Value value,
                        const ChannelDims &channels) {
  unsigned other = nodeOf(value, channels);
  nodes[node].needs.push_back(other);
}

//===----------------------------------------------------------------------===//
// What makes a value
//===----------------------------------------------------------------------===//

void ChannelGraph::expandMaker(unsigned node) {
  Operation *op = nodes[node].value.getDefiningOp();
  if (!op)
    return block(node, op, " is an input");
  if (auto norm = dyn_cast<qd::LayerNormOp>(op))
    return expandNorm(node, op, norm.getGammaMutable(),
                      norm.getBeta() ? &norm.getBetaMutable()[0] : nullptr);
  if (auto norm = dyn_cast<qd::RmsNormOp>(op))
    return expandNorm(node, op, norm.getGammaMutable(), /*beta=*/nullptr);
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    if (auto structure = getContractionStructure(linalgOp))
      return expandContraction(node, linalgOp, *structure);
  if (isElementwiseGeneric(op))
    return expandElementwise(node, cast<linalg::GenericOp>(op));
  if (std::optional<ChannelDims> before =
          followMove(op, nodes[node].channels, /*forwards=*/false))
    return need(node, op->getOperand(0), *before);
  block(node, op, " blocks factors");
}

void ChannelGraph::expandNorm(unsigned node, Operation *norm, OpOperand &gamma,
                              OpOperand *beta) {
  ChannelDims trailing = nodes[node].channels;
  int64_t axis = norm->getAttrOfType<IntegerAttr>("axis").getInt();
  for (int64_t &dim : trailing.dims)
    dim -= axis;
  if (llvm::any_of(trailing.dims, [](int64_t dim) { return dim < 0; }))
    return block(node, norm, " normalizes within a channel");
  std::optional<ChannelConstant> gain = channelConstant(gamma, trailing);
  if (!gain)
    return block(node, norm, " has a computed gain");
  nodes[node].makers.push_back(*gain);
  if (!beta)
    return;
  std::optional<ChannelConstant> offset = channelConstant(*beta, trailing);
  if (!offset)
    return block(node, norm, " has a computed offset");
  nodes[node].addends.push_back(*offset);
}

void ChannelGraph::expandContraction(unsigned node, linalg::LinalgOp op,
                                     const ContractionStructure &s) {
  const ChannelDims channels = nodes[node].channels;
  if (!beginsWithZero(op))
    return block(node, op, " adds to a value");
  if (s.weightIsConstant) {
    std::optional<ChannelDims> inWeight =
        follow(channels, s.outputMap, s.weightMap);
    std::optional<ChannelConstant> constant =
        inWeight ? channelConstant(*op.getDpsInputOperand(s.weightOperand),
                                   *inWeight)
                 : std::nullopt;
    if (!constant)
      return block(node, op, " has no plain weights for its channels");
    nodes[node].makers.push_back(*constant);
    return;
  }
  // A product of two activations: the values of attention.
  FactorSharing sharing;
  for (auto [operand, map] :
       {std::pair(s.weightOperand, s.weightMap),
        std::pair(s.activationOperand, s.activationMap)}) {
    std::optional<ChannelDims> there = follow(channels, s.outputMap, map);
    if (!there)
      continue;
    Value value = op.getDpsInputs()[operand];
    sharing.ways.push_back({1u << sharing.activations.size(), 0});
    sharing.activations.push_back({value, nodeOf(value, *there)});
  }
  if (sharing.ways.empty())
    return block(node, op, " multiplies activations without its channels");
  share(node, std::move(sharing));
}

void ChannelGraph::expandElementwise(unsigned node, linalg::GenericOp op) {
  const ChannelDims channels = nodes[node].channels;
  FactorSharing sharing;
  SmallVector<unsigned> activations, constants;
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  for (OpOperand *operand : op.getDpsInputOperands()) {
    std::optional<ChannelDims> there =
        follow(channels, result, op.getMatchingIndexingMap(operand));
    if (!there)
      continue;
    Value value = operand->get();
    if (!value.getDefiningOp<arith::ConstantOp>()) {
      activations.push_back(operand->getOperandNumber());
      sharing.activations.push_back({value, nodeOf(value, *there)});
    } else if (auto constant = channelConstant(*operand, *there)) {
      constants.push_back(operand->getOperandNumber());
      sharing.constants.push_back(*constant);
    }
  }
  unsigned count = activations.size() + constants.size();
  if (count > kMostSharing)
    return block(node, op, " has too many operands that might share factors");
  for (unsigned set = 1; set < 1u << count; ++set) {
    SmallVector<unsigned> operands;
    for (unsigned bit = 0; bit < count; ++bit)
      if (set >> bit & 1)
        operands.push_back(bit < activations.size()
                               ? activations[bit]
                               : constants[bit - activations.size()]);
    if (isLinearIn(op, operands))
      sharing.ways.push_back(
          {set & ((1u << activations.size()) - 1),
           set >> static_cast<unsigned>(activations.size())});
  }
  llvm::sort(sharing.ways, [](FactorSharing::Way a, FactorSharing::Way b) {
    auto key = [](FactorSharing::Way way) {
      return std::tuple(llvm::popcount(way.activations) +
                            llvm::popcount(way.constants),
                        way.constants, way.activations);
    };
    return key(a) < key(b);
  });
  if (sharing.ways.empty())
    return block(node, op, " is a function that blocks factors");
  share(node, std::move(sharing));
}

void ChannelGraph::share(unsigned node, FactorSharing sharing) {
  unsigned inAll = ~0u;
  for (FactorSharing::Way way : sharing.ways)
    inAll &= way.activations;
  for (auto [bit, operand] : llvm::enumerate(sharing.activations))
    if (inAll >> bit & 1)
      nodes[node].needs.push_back(operand.node);
  nodes[node].sharing = std::move(sharing);
}

//===----------------------------------------------------------------------===//
// What reads a value
//===----------------------------------------------------------------------===//

void ChannelGraph::expandReader(unsigned node, OpOperand &use) {
  Operation *op = use.getOwner();
  const ChannelDims channels = nodes[node].channels;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    if (auto structure = getContractionStructure(linalgOp))
      return expandReadingContraction(node, use, *structure);
    if (isElementwiseGeneric(op)) {
      if (!linalgOp.isDpsInput(&use))
        return block(node, op, " writes over it");
      std::optional<ChannelDims> after = follow(
          channels, linalgOp.getMatchingIndexingMap(&use),
          linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0)));
      if (!after)
        return block(node, op, " loses channels");
      return need(node, op->getResult(0), *after);
    }
  }
  if (use.getOperandNumber() == 0)
    if (std::optional<ChannelDims> after =
            followMove(op, channels, /*forwards=*/true))
      return need(node, op->getResult(0), *after);
  block(
      node, nodes[node].value.getDefiningOp(),
      (" is read by " + op->getName().getStringRef() + ", which blocks factors")
          .str());
}

void ChannelGraph::expandReadingContraction(unsigned node, OpOperand &use,
                                            const ContractionStructure &s) {
  auto op = cast<linalg::LinalgOp>(use.getOwner());
  const ChannelDims channels = nodes[node].channels;
  if (s.weightIsConstant) {
    if (use.getOperandNumber() != s.activationOperand)
      return block(node, op, " reads channels as a weight");
    std::optional<ChannelDims> inWeight =
        follow(channels, s.activationMap, s.weightMap);
    std::optional<ChannelConstant> constant =
        inWeight ? channelConstant(*op.getDpsInputOperand(s.weightOperand),
                                   *inWeight)
                 : std::nullopt;
    if (!constant)
      return block(node, op, " has no plain weights for the channels it reads");
    nodes[node].readers.push_back(*constant);
    return;
  }
  if (!op.isDpsInput(&use))
    return block(node, op, " adds to a value");
  AffineMap map = use.getOperandNumber() == s.activationOperand
                      ? s.activationMap
                      : s.weightMap;
  if (std::optional<ChannelDims> after = follow(channels, map, s.outputMap))
    return need(node, op->getResult(0), *after);
  block(node, op, " sums products of channels with an activation");
}

} // namespace qdialect
