// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cuts @main into qd.dispatch ops (docs/PhaseContract.md section 6):
//
//   conv -> generic -> generic(.., %residual)  =>  qd.dispatch ins(%x,
//   %residual)
//
// A group is a root and the element-wise ops that follow it one by one, each
// the only reader of the one before and over the same iteration space. Where an
// op reads the last ops of several groups, those without a root join, too.
// Constants, fills and whatever is computed from them are copied into every
// dispatch that reads them; so is a tensor.pad in front of a root whose kernel
// pads as it loads, and a qd.dequantize in front of one that reads codes.
// Fusion only moves ops: every rounding of the program stays. Program loops and
// branches stay and their bodies are cut like the function; other control flow
// is a dispatch as a whole.

#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/DecodedActivations.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/Padding.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"

#define DEBUG_TYPE "qd-form-dispatches"

namespace qdialect {
#define GEN_PASS_DEF_FORMDISPATCHESPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;

namespace qdialect {
namespace {

/// Reshapes between dispatches are views of the same bytes.
bool isFreeView(Operation *op) {
  return isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op);
}

/// Sizes of dynamic dimensions stay outside; dispatches read them as operands.
bool isSize(Operation *op) {
  return op->getNumResults() == 1 && op->getResult(0).getType().isIndex() &&
         (isa<tensor::DimOp, qd::DataSizeOp>(op) ||
          isa<arith::ArithDialect>(op->getDialect()));
}

/// The bias of a contraction, spread over its result.
bool isBroadcast(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic)
    return false;
  auto yielded = dyn_cast<BlockArgument>(
      generic.getBlock()->getTerminator()->getOperand(0));
  return yielded && generic.getBlock()->getOperations().size() == 1;
}

/// Conditions and numbers read from tensors: kernels compute them from their
/// inputs.
bool isScalar(Operation *op) {
  return op->getNumResults() > 0 && op->getNumRegions() == 0 && !isSize(op) &&
         isMemoryEffectFree(op) &&
         llvm::none_of(op->getResultTypes(),
                       [](Type type) { return isa<ShapedType>(type); });
}

/// Copied into each dispatch that reads it: cheap and made of constants, or a
/// scalar.
bool isSunk(Operation *op) {
  if (isScalar(op))
    return true;
  if (op->hasTrait<OpTrait::ConstantLike>() || isa<tensor::EmptyOp>(op))
    return true;
  // Activations that the kernel takes as codes.
  if (makesDecodedActivations(op))
    return true;
  // Weights that the kernel takes as codes.
  if (isa<qd::DequantizeOp>(op))
    return isComputedFromConstants(op->getResult(0));
  if (isa<linalg::FillOp>(op))
    return isComputedFromConstants(op->getResult(0));
  // What is copied reads what is copied: weights in another order.
  if (isa<linalg::TransposeOp>(op))
    return isComputedFromConstants(op->getResult(0)) && !op->use_empty() &&
           llvm::all_of(op->getUsers(), isSunk);
  if (!isFreeView(op) && !isElementwiseGeneric(op))
    return false;
  if (cast<RankedTensorType>(op->getResult(0).getType()).hasStaticShape())
    return isComputedFromConstants(op->getResult(0));
  // Of symbolic size only what computes nothing, over what is copied itself.
  return (isFreeView(op) || isBroadcast(op)) &&
         llvm::all_of(op->getOperands(), [](Value operand) {
           Operation *producer = operand.getDefiningOp();
           return !isa<RankedTensorType>(operand.getType()) ||
                  (producer && isSunk(producer));
         });
}

/// Can kernels compute it with what is in front of it? Other operands may be
/// read at fixed places, as those of channels that stay float.
bool isEpilogueStep(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (isElementwiseGeneric(op))
    return true;
  return generic && generic.getNumDpsInits() == 1 &&
         generic.getNumLoops() == generic.getNumParallelLoops() &&
         generic.hasPureTensorSemantics() &&
         generic.getMatchingIndexingMap(generic.getDpsInitOperand(0))
             .isIdentity() &&
         !generic.payloadUsesValueFromOperand(generic.getDpsInitOperand(0)) &&
         llvm::all_of(generic.getIndexingMapsArray(), [](AffineMap map) {
           return llvm::all_of(map.getResults(), [](AffineExpr expr) {
             return isa<AffineDimExpr, AffineConstantExpr>(expr);
           });
         });
}

/// Does the kernel of `root` read its image through the pad? The contraction
/// kernels want channels in groups of four (docs/PhaseContract.md section 7)
/// and gain nothing on thin images; they pad all channels with one code.
bool kernelPads(Operation *root, const Padding &padding) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(root);
  if (!linalgOp)
    return false;
  std::optional<ContractionStructure> s = getContractionStructure(linalgOp);
  if (!s) {
    // A pool: its window operand has no values.
    return getReductionKind(root) && linalgOp.getNumDpsInputs() == 2;
  }
  // Channels must be the innermost dimension of image and output.
  unsigned last = s->activationMap.getNumResults() - 1;
  if (s->kind == ContractionStructure::Kind::Depthwise)
    return s->depth.size() == 1 && s->outputChannel.empty() &&
           s->activationDim(s->depth[0]) == last;
  if (s->kind != ContractionStructure::Kind::Conv || !padding.isUniform() ||
      s->inputChannel.size() != 1 ||
      s->activationDim(s->inputChannel[0]) != last)
    return false;
  int64_t channels = s->loopSizes[s->inputChannel[0]];
  return channels % 4 == 0 && channels >= 16;
}

/// Only the image of a root is padded on the way in, by constants.
bool isAbsorbedBy(tensor::PadOp pad, OpOperand &use) {
  std::optional<Padding> padding = getPadding(pad);
  return padding && kernelPads(use.getOwner(), *padding) &&
         use.get() == pad.getResult() && use.getOperandNumber() == 0;
}

/// The row that a program loop writes into a tensor that it carries.
bool isRowWrite(Operation *op) {
  auto loop = dyn_cast<scf::ForOp>(op->getParentOp());
  return loop && isProgramLoop(loop) &&
         llvm::any_of(llvm::seq(loop.getNumResults()), [&](unsigned index) {
           return getRowWrite(loop, index) == op;
         });
}

struct Group {
  SmallVector<Operation *> members;
  /// Does a following element-wise op join?
  bool takesEpilogue = false;
  /// A contraction or reduction: preferred when an element-wise op could join
  /// several groups.
  bool hasRoot = false;
};

/// Element-wise ops that cost no more inside of another kernel: they read in
/// the order in which it goes, neither transposed nor gathered.
bool movesAlong(const Group &group) {
  return !group.hasRoot && llvm::all_of(group.members, [](Operation *op) {
    if (!isElementwiseGeneric(op))
      return false;
    auto generic = cast<linalg::GenericOp>(op);
    for (OpOperand *operand : generic.getDpsInputOperands()) {
      auto positions =
          llvm::map_range(generic.getMatchingIndexingMap(operand).getResults(),
                          [](AffineExpr dim) {
                            return cast<AffineDimExpr>(dim).getPosition();
                          });
      if (!llvm::is_sorted(positions))
        return false;
    }
    return llvm::none_of(*generic.getBlock(), [](Operation &scalar) {
      return isa<tensor::ExtractOp>(scalar);
    });
  });
}

class Former {
public:
  explicit Former(func::FuncOp function) : function(function) {}

  LogicalResult run(int64_t &dispatches, int64_t &fused);

private:
  bool isTopLevel(Operation *op) const {
    return isFreeView(op) ||
           isa<func::ReturnOp, scf::YieldOp, scf::ConditionOp, qd::CheckCountOp,
               qd::CheckSizeOp, qd::AnySizeOp, qd::SizedOp>(op) ||
           isProgramRegion(op) || isLoopRowView(op) || isRowWrite(op);
  }
  bool isAbsorbedEverywhere(Operation *op) const;
  SmallVector<Group *> findProducerGroups(linalg::GenericOp op);
  bool join(linalg::GenericOp op);
  void assign(Operation *op);
  LogicalResult build(Group &group);
  LogicalResult build(Group &group, OpResult wanted);
  Value import(Value value, IRMapping &map, OpBuilder &inner,
               SmallVectorImpl<Value> &inputs, Block *body, Operation *user);

  func::FuncOp function;
  std::vector<std::unique_ptr<Group>> groups;
  llvm::DenseMap<Operation *, Group *> groupOf;
};

bool Former::isAbsorbedEverywhere(Operation *op) const {
  auto pad = dyn_cast<tensor::PadOp>(op);
  return pad && llvm::all_of(pad->getUses(), [&](OpOperand &use) {
           return isAbsorbedBy(pad, use);
         });
}

/// The groups that `op`, element-wise, can join: those whose last op it alone
/// reads, element by element.
SmallVector<Group *> Former::findProducerGroups(linalg::GenericOp op) {
  SmallVector<Group *> groups;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    Operation *producer = operand->get().getDefiningOp();
    Group *group = producer ? groupOf.lookup(producer) : nullptr;
    if (!group || !group->takesEpilogue || group->members.back() != producer ||
        producer->getBlock() != op->getBlock() ||
        llvm::is_contained(groups, group))
      continue;
    if (cast<ShapedType>(operand->get().getType()).getRank() !=
        op.getNumLoops())
      continue;
    bool onlyReader = llvm::all_of(producer->getUses(), [&](OpOperand &use) {
      return use.getOwner() == op &&
             op.getMatchingIndexingMap(&use).isIdentity();
    });
    if (onlyReader)
      groups.push_back(group);
  }
  return groups;
}

/// `op` joins the group that ends last in the program, groups with a root
/// first. What the others compute element by element comes along, so that it
/// is never stored.
bool Former::join(linalg::GenericOp op) {
  SmallVector<Group *> groups = findProducerGroups(op);
  if (groups.empty())
    return false;
  Group *best = *llvm::max_element(groups, [](Group *a, Group *b) {
    if (a->hasRoot != b->hasRoot)
      return b->hasRoot;
    return a->members.back()->isBeforeInBlock(b->members.back());
  });
  for (Group *group : groups) {
    if (group == best || !movesAlong(*group))
      continue;
    for (Operation *member : group->members)
      groupOf[member] = best;
    best->members.append(group->members);
    group->members.clear();
  }
  llvm::sort(best->members,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  best->members.push_back(op);
  groupOf[op] = best;
  return true;
}

void Former::assign(Operation *op) {
  if (isEpilogueStep(op) && join(cast<linalg::GenericOp>(op)))
    return;
  auto group = std::make_unique<Group>();
  group->members.push_back(op);
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    group->hasRoot = linalgOp.getNumReductionLoops() > 0;
    group->takesEpilogue = group->hasRoot || isEpilogueStep(op);
  }
  // Row functions and products hand on the lanes that they make.
  if (isa<qd::SoftmaxOp, qd::LayerNormOp, qd::RmsNormOp, qd::IntSoftmaxOp,
          qd::IntLayerNormOp, qd::IntRmsNormOp, qd::BlockMatmulOp>(op))
    group->hasRoot = group->takesEpilogue = true;
  groupOf[op] = group.get();
  groups.push_back(std::move(group));
}

/// The value inside the dispatch that stands for `value` of the function.
Value Former::import(Value value, IRMapping &map, OpBuilder &inner,
                     SmallVectorImpl<Value> &inputs, Block *body,
                     Operation *user) {
  if (Value known = map.lookupOrNull(value))
    return known;
  Operation *producer = value.getDefiningOp();
  bool copied = producer && isSunk(producer);
  if (auto pad = dyn_cast_or_null<tensor::PadOp>(producer))
    copied |= llvm::any_of(user->getOpOperands(), [&](OpOperand &use) {
      return use.get() == value && isAbsorbedBy(pad, use);
    });
  if (!copied) {
    inputs.push_back(value);
    Value argument = body->addArgument(value.getType(), value.getLoc());
    map.map(value, argument);
    return argument;
  }
  for (Value operand : producer->getOperands())
    import(operand, map, inner, inputs, body, producer);
  producer->walk([&](Operation *nested) {
    for (Value operand : nested->getOperands())
      if (!producer->isAncestor(operand.getParentBlock()->getParentOp()))
        import(operand, map, inner, inputs, body, nested);
  });
  return inner.clone(*producer, map)
      ->getResult(cast<OpResult>(value).getResultNumber());
}

/// Control flow may have several results, a kernel has one: each result that
/// is read gets a dispatch with the whole loop in it.
LogicalResult Former::build(Group &group) {
  Operation *last = group.members.back();
  bool isControlFlow = isa<scf::ForOp, scf::IfOp, scf::WhileOp>(last);
  if (!isControlFlow && last->getNumResults() != 1)
    return last->emitOpError("cannot form a dispatch: expected one tensor "
                             "result, got ")
           << last->getNumResults() << " results";
  for (OpResult result : last->getResults())
    if ((!isControlFlow || !result.use_empty()) && failed(build(group, result)))
      return failure();
  return success();
}

LogicalResult Former::build(Group &group, OpResult wanted) {
  Operation *last = group.members.back();
  if (!isa<RankedTensorType>(wanted.getType()))
    return last->emitOpError("cannot form a dispatch: result of type ")
           << wanted.getType() << " is no tensor";
  auto body = std::make_unique<Block>();
  OpBuilder inner(function.getContext());
  inner.setInsertionPointToEnd(body.get());
  IRMapping map;
  SmallVector<Value> inputs;
  for (Operation *member : group.members) {
    for (Value operand : member->getOperands())
      import(operand, map, inner, inputs, body.get(), member);
    // Payloads may read scalars of the function (constants).
    member->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (nested != member &&
            !member->isAncestor(operand.getParentBlock()->getParentOp()))
          import(operand, map, inner, inputs, body.get(), nested);
    });
    inner.clone(*member, map);
  }
  for (Value input : inputs)
    if (!isa<RankedTensorType, IndexType>(input.getType()))
      return last->emitOpError("cannot form a dispatch: operand of type ")
             << input.getType() << " is neither a tensor nor a constant";
  OpBuilder outer(last);
  SmallVector<Location> locations;
  for (Operation *member : group.members)
    locations.push_back(member->getLoc());
  auto dispatch = qd::DispatchOp::create(outer, outer.getFusedLoc(locations),
                                         wanted.getType(), inputs);
  if (Attribute name = last->getAttr(qd::kNameAttr))
    dispatch->setAttr(qd::kNameAttr, name);
  Value result = map.lookup(wanted);
  qd::YieldOp::create(inner, last->getLoc(), ValueRange{result});
  dispatch.getBody().push_back(body.release());
  wanted.replaceAllUsesWith(dispatch->getResult(0));
  return success();
}

/// Sizes of values inside the program are asked where they come from: nothing
/// is computed for its shape alone.
void resolveSizes(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    auto dim = dyn_cast<tensor::DimOp>(op);
    if (!dim || isa<BlockArgument>(dim.getSource()) || !dim.getConstantIndex())
      continue;
    OpBuilder builder(dim);
    OpFoldResult size = sizesOf(builder, dim.getLoc(),
                                dim.getSource())[*dim.getConstantIndex()];
    Value value = getValueOrCreateConstantIndexOp(builder, dim.getLoc(), size);
    if (value == dim.getResult())
      continue;
    dim.getResult().replaceAllUsesWith(value);
    dim.erase();
  }
}

LogicalResult Former::run(int64_t &dispatches, int64_t &fused) {
  if (!function.getBody().hasOneBlock())
    return function.emitOpError("expected a single block");
  for (Block *block : programBlocks(function)) {
    resolveSizes(*block);
    for (Operation &op : *block) {
      if (isa<qd::DispatchOp>(op) || isTopLevel(&op) || isSize(&op) ||
          isSunk(&op) || isAbsorbedEverywhere(&op))
        continue;
      assign(&op);
    }
  }
  for (auto &group : groups) {
    if (group->members.empty()) // joined another one
      continue;
    if (failed(build(*group)))
      return failure();
    ++dispatches;
    fused += group->members.size() - 1;
  }
  // What was copied into dispatches and is read nowhere else; users first.
  for (Block *block : programBlocksInnerFirst(function))
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*block)))
      if (op.use_empty() && !op.hasTrait<OpTrait::IsTerminator>() &&
          !isa<qd::DispatchOp, qd::CheckCountOp, qd::CheckSizeOp>(op))
        op.erase();
  return success();
}

/// What a loop starts with and what a branch gives may be storage without
/// values.
bool takesStorage(OpOperand &operand) {
  Operation *user = operand.getOwner();
  return operand.get().getDefiningOp<tensor::EmptyOp>() &&
         (isProgramLoop(user) || isProgramWhile(user) ||
          (isa<scf::YieldOp>(user) && isProgramBranch(user->getParentOp())));
}

/// Branches read their condition from a tensor of one element, made where the
/// condition is.
void materializeConditions(func::FuncOp function) {
  llvm::DenseMap<Value, Value> read;
  for (Block *block : programBlocks(function))
    for (Operation &op : *block) {
      auto branch = dyn_cast<scf::IfOp>(op);
      if (!branch || !isProgramBranch(&op))
        continue;
      Value condition = branch.getCondition();
      auto extract = condition.getDefiningOp<tensor::ExtractOp>();
      if (extract && extract.getIndices().empty())
        continue;
      Value &element = read[condition];
      if (!element) {
        OpBuilder builder(function.getContext());
        builder.setInsertionPointAfterValue(condition);
        Location loc = condition.getLoc();
        Value stored = tensor::FromElementsOp::create(
            builder, loc, RankedTensorType::get({}, condition.getType()),
            condition);
        element = tensor::ExtractOp::create(builder, loc, stored, ValueRange());
      }
      branch.getConditionMutable().assign(element);
    }
}

/// A constant that the function returns, or that a view of a constant
/// returns, or that a loop starts or goes on with, or that a branch gives or
/// reads its condition from, or that is a size, has no dispatch to live in:
/// make one that copies it.
LogicalResult materializeConstants(func::FuncOp function) {
  SmallVector<OpOperand *> operands;
  for (Block *block : programBlocks(function)) {
    for (Operation &op : *block)
      if (isProgramLoop(&op))
        for (OpOperand &init : cast<scf::ForOp>(op).getInitArgsMutable())
          operands.push_back(&init);
      else if (isProgramWhile(&op))
        for (OpOperand &init : cast<scf::WhileOp>(op).getInitsMutable())
          operands.push_back(&init);
      else if (isProgramBranch(&op))
        operands.push_back(&op.getOperand(0).getDefiningOp()->getOpOperand(0));
      else if (isRowWrite(&op) ||
               isa<qd::CheckCountOp, qd::DataSizeOp, qd::AnySizeOp>(op))
        operands.push_back(&op.getOpOperand(0));
      else if (isLoopRowView(&op) &&
               !op.getOperand(0).getDefiningOp<arith::ConstantOp>())
        operands.push_back(&op.getOpOperand(0));
    for (OpOperand &result : block->getTerminator()->getOpOperands())
      if (isa<RankedTensorType>(result.get().getType()))
        operands.push_back(&result);
  }
  for (OpOperand *one : operands) {
    OpOperand &operand = *one;
    Operation *producer = operand.get().getDefiningOp();
    if (!producer || !isSunk(producer) || takesStorage(operand))
      continue;
    auto body = std::make_unique<Block>();
    OpBuilder builder(operand.getOwner()->getContext());
    builder.setInsertionPointToEnd(body.get());
    IRMapping map;
    SmallVector<Value> sizes;
    std::function<void(Value)> copy = [&](Value value) {
      if (map.contains(value))
        return;
      Operation *op = value.getDefiningOp();
      if (!op || (isSize(op) && !op->hasTrait<OpTrait::ConstantLike>())) {
        sizes.push_back(value);
        map.map(value, body->addArgument(value.getType(), value.getLoc()));
        return;
      }
      SetVector<Value> captured(llvm::from_range, op->getOperands());
      getUsedValuesDefinedAbove(op->getRegions(), captured);
      for (Value used : captured)
        copy(used);
      builder.clone(*op, map);
    };
    copy(operand.get());
    qd::YieldOp::create(builder, producer->getLoc(),
                        ValueRange{map.lookup(operand.get())});
    builder.setInsertionPoint(operand.getOwner());
    auto dispatch = qd::DispatchOp::create(builder, producer->getLoc(),
                                           operand.get().getType(), sizes);
    dispatch.getBody().push_back(body.release());
    operand.set(dispatch->getResult(0));
  }
  return success();
}

struct FormDispatchesPass
    : public impl::FormDispatchesPassBase<FormDispatchesPass> {
  using FormDispatchesPassBase::FormDispatchesPassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    int64_t dispatches = 0, fused = 0;
    materializeConditions(function);
    if (failed(materializeConstants(function)) ||
        failed(Former(function).run(dispatches, fused)))
      return signalPassFailure();
    numDispatches += dispatches;
    numFused += fused;
  }
};

} // namespace
} // namespace qdialect
