// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finding the units of a program (QuantizableUnits.h).

#include "QuantizableUnits.h"
#include "QDialect/Analysis/AxisInterpolation.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/Analysis/SizeDivision.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace qdialect {

SmallVector<StringRef> QuantizableUnit::names() const {
  SmallVector<StringRef> result;
  for (Operation *op : ops)
    if (auto name = op->getAttrOfType<StringAttr>(qd::kNameAttr))
      result.push_back(name.getValue());
  return result;
}

StringRef valueName(Value value) {
  if (Operation *op = value.getDefiningOp()) {
    auto name = op->getAttrOfType<StringAttr>(qd::kNameAttr);
    return name ? name.getValue() : StringRef();
  }
  auto argument = cast<BlockArgument>(value);
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto name = function ? function.getArgAttrOfType<StringAttr>(
                             argument.getArgNumber(), qd::kNameAttr)
                       : StringAttr();
  return name ? name.getValue() : StringRef();
}

/// Padding by zero is a code of every grid, and an infinite one meets a max
/// pool that never lets it pass; any other value may lie outside the grid.
static bool padsOnGrid(Operation *pad) {
  auto value = dyn_cast_or_null<FloatAttr>(getConstantPadding(pad));
  return value && (value.getValue().isZero() || !value.getValue().isFinite());
}

bool keepsGrid(Operation *op) {
  if (isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp,
                      tensor::ExtractSliceOp, linalg::TransposeOp>(op) ||
      isCopy(op))
    return true;
  if (isa_and_nonnull<tensor::PadOp>(op))
    return padsOnGrid(op);
  std::optional<ReductionKind> reduction = getReductionKind(op);
  return reduction && *reduction != ReductionKind::Sum;
}

Value gridSource(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!keepsGrid(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// The operands of an element-wise op that are not computed from constants.
static llvm::SetVector<Value> variableOperands(linalg::GenericOp op) {
  llvm::SetVector<Value> result;
  for (Value input : op.getDpsInputs())
    if (!isComputedFromConstants(input))
      result.insert(input);
  return result;
}

static bool isFloatTensor(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

bool isClamp(linalg::GenericOp op) {
  for (Operation &inner : op.getBlock()->without_terminator())
    if (!isa<arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
             arith::MinNumFOp, arith::ConstantOp>(inner))
      return false;
  // Bounds of one value a tensor, so that one code stands for each.
  for (Value input : op.getDpsInputs())
    if (isComputedFromConstants(input) &&
        cast<RankedTensorType>(input.getType()).getNumElements() != 1)
      return false;
  return variableOperands(op).size() == 1;
}

bool isRelu(Operation *op) {
  if (!isElementwiseGeneric(op))
    return false;
  auto generic = cast<linalg::GenericOp>(op);
  if (generic.getNumDpsInputs() != 1 ||
      !generic.getMatchingIndexingMap(generic.getDpsInputOperand(0))
           .isIdentity())
    return false;
  Operation *max =
      generic.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp>(max))
    return false;
  BlockArgument element = generic.getBlock()->getArgument(0);
  for (unsigned side : {0u, 1u})
    if (max->getOperand(side) == element &&
        matchPattern(max->getOperand(1 - side), m_AnyZeroFloat()))
      return true;
  return false;
}

bool isAffine(linalg::GenericOp op) {
  if (variableOperands(op).size() != 1)
    return false;
  unsigned uses = 0;
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (!isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
             arith::NegFOp, arith::ConstantOp>(inner))
      return false;
    for (auto [number, operand] : llvm::enumerate(inner.getOperands())) {
      auto argument = dyn_cast<BlockArgument>(operand);
      bool variable = argument && !isComputedFromConstants(
                                      op.getMatchingOpOperand(argument)->get());
      uses += variable;
      if (variable && number == 1 && isa<arith::DivFOp>(inner))
        return false;
    }
  }
  return uses == 1;
}

OpOperand *biasOperand(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || !isElementwiseGeneric(op) || generic.getNumDpsInputs() != 2)
    return nullptr;
  auto add = generic.getBlock()
                 ->getTerminator()
                 ->getOperand(0)
                 .getDefiningOp<arith::AddFOp>();
  if (!add || !isa<BlockArgument>(add.getLhs()) ||
      !isa<BlockArgument>(add.getRhs()) || add.getLhs() == add.getRhs() ||
      variableOperands(generic).size() != 1)
    return nullptr;
  for (OpOperand *operand : generic.getDpsInputOperands())
    if (isComputedFromConstants(operand->get()))
      return operand;
  return nullptr;
}

/// What kind of element-wise unit `op` roots; empty for none.
static StringRef elementwiseKind(linalg::GenericOp op) {
  llvm::SetVector<Value> variables = variableOperands(op);
  if (variables.size() == 2) {
    Operation *last =
        op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
    auto body = op.getBlock()->without_terminator();
    if (!last || std::distance(body.begin(), body.end()) != 1)
      return "";
    if (isa<arith::AddFOp, arith::SubFOp>(last))
      return "add";
    return isa<arith::MulFOp>(last) ? "mul" : "";
  }
  if (variables.size() != 1)
    return "";
  // These move codes to another grid and lose nothing on the way.
  if (isClamp(op))
    return "clamp";
  if (isAffine(op))
    return "affine";
  bool perChannel = llvm::any_of(op.getDpsInputs(), [](Value input) {
    return isComputedFromConstants(input) &&
           cast<RankedTensorType>(input.getType()).getNumElements() != 1;
  });
  return perChannel ? "" : "unary";
}

/// Fills kind, inputs, contraction if `op` can be a root.
static bool matchRoot(Operation *op, bool nonlinearities,
                      QuantizableUnit &unit) {
  if (op->getNumResults() != 1 || !isFloatTensor(op->getResult(0)))
    return false;
  unit.root = op;
  unit.ops.push_back(op);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    unit.kind = "concat";
    llvm::append_range(unit.inputs, concat.getInputs());
    return true;
  }
  if (isa<qd::GeluOp, qd::SiluOp>(op)) {
    unit.kind = isa<qd::GeluOp>(op) ? "gelu" : "silu";
    unit.inputs.push_back(op->getOperand(0));
    return true;
  }
  if (nonlinearities &&
      isa<qd::SoftmaxOp, qd::LayerNormOp, qd::RmsNormOp>(op)) {
    unit.kind = op->getName().stripDialect();
    unit.inputs.push_back(op->getOperand(0));
    return llvm::all_of(op->getOperands().drop_front(),
                        isComputedFromConstants);
  }
  if (getReductionKind(op) == ReductionKind::Sum) {
    unit.kind = "pool";
    unit.inputs.push_back(op->getOperand(0));
    return true;
  }
  if (auto contraction = dyn_cast<linalg::LinalgOp>(op))
    if ((unit.contraction = getContractionStructure(contraction))) {
      const ContractionStructure &s = *unit.contraction;
      unit.kind = stringify(s.kind);
      unit.inputs.push_back(contraction.getDpsInputs()[s.activationOperand]);
      if (!s.weightIsConstant)
        unit.inputs.push_back(contraction.getDpsInputs()[s.weightOperand]);
      return true;
    }
  if (!isElementwiseGeneric(op))
    return false;
  auto generic = cast<linalg::GenericOp>(op);
  if (isFloatConversion(op) || isCopy(op))
    return false;
  std::optional<AxisInterpolation> interpolation;
  if (nonlinearities && (interpolation = getAxisInterpolation(op))) {
    unit.kind = "resize";
    unit.inputs.push_back(interpolation->source);
    return true;
  }
  // A table look-up or a function of indices has no grid to read.
  if (llvm::any_of(*generic.getBlock(), [](Operation &inner) {
        return isa<tensor::ExtractOp, linalg::IndexOp>(inner);
      }))
    return false;
  unit.kind = elementwiseKind(generic);
  if (unit.kind.empty() ||
      !llvm::all_of(variableOperands(generic), isFloatTensor))
    return false;
  llvm::append_range(unit.inputs, variableOperands(generic));
  // What a payload converts from integers has no grid.
  return llvm::all_of(unit.inputs, isFloatTensor);
}

/// Do the constants of `op` have one value, or one an output channel?
static bool hasChannelConstants(linalg::GenericOp op,
                                const std::optional<ChannelDims> &channels) {
  for (OpOperand *operand : op.getDpsInputOperands()) {
    auto type = cast<RankedTensorType>(operand->get().getType());
    if (!isComputedFromConstants(operand->get()) || type.getNumElements() == 1)
      continue;
    SmallVector<int64_t> positions;
    for (AffineExpr expr : op.getMatchingIndexingMap(operand).getResults())
      positions.push_back(cast<AffineDimExpr>(expr).getPosition());
    if (!channels || !channels->offsets(positions, type.getShape()))
      return false;
  }
  return true;
}

/// A payload that multiplies negative numbers by a constant: leaky and
/// parametric relu.
static bool isLeaky(linalg::GenericOp op) {
  std::optional<NegativeSlope> leaky =
      matchNegativeSlope(op.getBlock()->getTerminator()->getOperand(0));
  if (!leaky || variableOperands(op).size() != 1)
    return false;
  auto argument = dyn_cast<BlockArgument>(leaky->argument);
  auto slope = dyn_cast<BlockArgument>(leaky->slope);
  auto isConstant = [&](BlockArgument element) {
    return isComputedFromConstants(op.getMatchingOpOperand(element)->get());
  };
  return argument && !isConstant(argument) &&
         (slope ? isConstant(slope) : matchPattern(leaky->slope, m_Constant()));
}

/// Takes in the element-wise ops that follow, each the only reader of the one
/// before.
static void followTail(QuantizableUnit &unit, bool nonlinearities) {
  bool accumulates = unit.contraction || unit.kind == "pool";
  bool clamps = accumulates || unit.kind == "add" || unit.kind == "mul";
  bool clamped = false;
  std::optional<ChannelDims> channels;
  if (unit.contraction)
    channels = getOutputChannels(*unit.contraction);
  SmallVector<Operation *> pending;
  Value value = unit.result();
  while (value.hasOneUse()) {
    Operation *user = *value.getUsers().begin();
    if (accumulates &&
        isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(user)) {
      if (channels)
        channels = followReshape(*channels, user);
      pending.push_back(user);
      value = user->getResult(0);
      continue;
    }
    if (!isElementwiseGeneric(user) || !isFloatTensor(user->getResult(0)) ||
        user->getBlock() != unit.root->getBlock())
      return;
    auto generic = cast<linalg::GenericOp>(user);
    // A mean along axes of symbolic size.
    if (std::optional<SizeDivision> division = getSizeDivision(user);
        division && division->dividend->get() == value && unit.kind == "pool" &&
        unit.ops.size() == 1) {
      unit.ops.append(pending);
      unit.ops.push_back(user);
      pending.clear();
      value = user->getResult(0);
      continue;
    }
    bool clamp = clamps && isClamp(generic);
    bool affine = accumulates && !clamped && isAffine(generic) &&
                  hasChannelConstants(generic, channels);
    bool leaky = nonlinearities && accumulates && !clamped &&
                 isLeaky(generic) && hasChannelConstants(generic, channels);
    if (!clamp && !affine && !leaky)
      return;
    clamped |= clamp || leaky;
    if (channels && !unit.bias && !clamp && biasOperand(user)) {
      unit.bias = generic;
      unit.biasChannels = *channels;
    }
    unit.ops.append(pending);
    unit.ops.push_back(user);
    pending.clear();
    value = user->getResult(0);
  }
}

std::vector<QuantizableUnit> collectUnits(func::FuncOp function,
                                          bool nonlinearities) {
  std::vector<QuantizableUnit> units;
  llvm::SmallPtrSet<Operation *, 32> taken;
  for (Block *block : programBlocks(function))
    for (Operation &op : *block) {
      QuantizableUnit unit;
      // Nobody gathers what a loop of unknown length computes: no ranges.
      if (isInWhile(&op))
        break;
      if (taken.contains(&op) || !matchRoot(&op, nonlinearities, unit))
        continue;
      followTail(unit, nonlinearities);
      taken.insert(unit.ops.begin(), unit.ops.end());
      units.push_back(std::move(unit));
    }
  return units;
}

} // namespace qdialect
