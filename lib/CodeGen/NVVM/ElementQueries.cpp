// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which dispatches are computed element by element.

#include "ElementEmitter.h"
#include "KernelRegion.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::gpu {

/// A tensor whose elements lie in memory as they are.
static bool isPlain(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || llvm::is_contained(tensor.getShape(), 0))
    return false;
  Type element = tensor.getElementType();
  if (auto code = dyn_cast<qd::UIntType>(element))
    element = qd::getStorageType(code);
  return isa<FloatType>(element) ||
         (element.isSignlessInteger() &&
          (element.isInteger(1) || element.isInteger(8) ||
           element.isInteger(16) || element.isInteger(32) ||
           element.isInteger(64)));
}

static bool isConstant(Value value) {
  return value.getDefiningOp<arith::ConstantOp>() != nullptr;
}

/// Whether the payload is straight-line code over its arguments, constants and
/// elements of tensors.
static bool isSimplePayload(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  auto isKnown = [&](Value value) {
    return value.getParentBlock() == body || isConstant(value);
  };
  for (Operation &inner : body->without_terminator()) {
    if (inner.getNumRegions() != 0 || inner.getNumResults() != 1)
      return false;
    for (Value operand : inner.getOperands()) {
      bool isTensor = isa<RankedTensorType>(operand.getType());
      if (isTensor ? !isa<tensor::ExtractOp, qd::LookupOp>(inner)
                   : !isKnown(operand))
        return false;
    }
  }
  return isKnown(body->getTerminator()->getOperand(0));
}

static bool isSimpleLinalg(linalg::LinalgOp op) {
  if (op.getNumDpsInits() != 1 || op->getNumResults() != 1 ||
      !op.hasPureTensorSemantics())
    return false;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!map.isProjectedPermutation())
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType())) {
      if (!isConstant(operand.get()))
        return false;
    } else if (operand.get().getDefiningOp<tensor::EmptyOp>() &&
               op.payloadUsesValueFromOperand(&operand)) {
      return false;
    }
  }
  // A loop whose size no tensor tells, or a parallel one that the result does
  // not have.
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  return llvm::all_of(reductions,
                      [&](unsigned loop) {
                        return !ShapedType::isDynamic(
                                   op.getStaticLoopRanges()[loop]) ||
                               loopTensor(op, loop).has_value();
                      }) &&
         map.getNumResults() + op.getNumReductionLoops() == op.getNumLoops() &&
         isSimplePayload(op);
}

std::optional<std::pair<Value, unsigned>> loopTensor(linalg::LinalgOp op,
                                                     unsigned loop) {
  AffineExpr dim = getAffineDimExpr(loop, op.getContext());
  for (OpOperand &operand : op->getOpOperands())
    if (isa<RankedTensorType>(operand.get().getType()))
      for (auto [axis, place] :
           llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
        if (place == dim)
          return std::pair{operand.get(), static_cast<unsigned>(axis)};
  return std::nullopt;
}

static bool isSimple(Operation &op) {
  // Sizes are known without the ops that compute them.
  bool isSize = op.getNumResults() == 1 && op.getResult(0).getType().isIndex();
  if (isa<arith::ConstantOp, tensor::EmptyOp>(op) || isSize)
    return true;
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    Value padding = pad.getConstantPaddingValue();
    return padding && isConstant(padding) &&
           llvm::none_of(pad.getStaticLow(), ShapedType::isDynamic) &&
           llvm::none_of(pad.getStaticHigh(), ShapedType::isDynamic);
  }
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return isPlain(op.getOperand(0).getType());
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return llvm::none_of(slice.getStaticOffsets(), ShapedType::isDynamic) &&
           llvm::none_of(slice.getStaticStrides(), ShapedType::isDynamic);
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return linalgOp && isSimpleLinalg(linalgOp);
}

static bool isPlainValue(Value value) { return isPlain(value.getType()); }
static bool isSizeOrPlain(Value value) {
  return value.getType().isIndex() || isPlainValue(value);
}

bool isFollowed(Operation &op) {
  return isSimple(op) && llvm::all_of(op.getResults(), [](Value result) {
           return !isa<TensorType>(result.getType()) || isPlainValue(result);
         });
}

std::function<int64_t(SymbolicShapes &)>
tasksOfDims(qd::DispatchOp dispatch, size_t dims, int64_t divisor) {
  return [=](SymbolicShapes &shapes) {
    SymbolicShapes::Shape shape = shapes.shapeOf(dispatch->getResult(0));
    return shapes.sizes.floorDiv(
        shapes.sizes.product(ArrayRef(shape).take_front(dims)), divisor);
  };
}

std::optional<cpu::KernelRegion> sizedRegion(qd::DispatchOp dispatch) {
  cpu::KernelRegion region;
  region.dispatch = dispatch;
  region.result = dispatch.getYield().getOperand(0);
  if (kernelSizes(dispatch).empty())
    return region;
  auto function = dispatch->getParentOfType<func::FuncOp>();
  if (!function)
    return std::nullopt;
  region.shapes = std::make_shared<SymbolicShapes>(function);
  auto canCompute = [&](Value value) {
    return !isa<RankedTensorType>(value.getType()) ||
           llvm::all_of(region.shapes->shapeOf(value),
                        [&](int64_t size) { return region.canCompute(size); });
  };
  Block &body = dispatch.getBody().front();
  if (!llvm::all_of(body.getArguments(), canCompute))
    return std::nullopt;
  for (Operation &op : body)
    if (!llvm::all_of(op.getResults(), canCompute))
      return std::nullopt;
  return region;
}

/// The number of elements of a tensor: a size.
static int64_t elementsOf(const cpu::KernelRegion &region, Value tensor) {
  if (region.shapes)
    return region.shapes->sizes.product(region.shapes->shapeOf(tensor));
  return cast<RankedTensorType>(tensor.getType()).getNumElements();
}

bool isElementByElement(const cpu::KernelRegion &region) {
  qd::DispatchOp dispatch = region.dispatch;
  if (!llvm::all_of(dispatch.getBody().getArguments(), isSizeOrPlain) ||
      !isPlain(dispatch->getResult(0).getType()))
    return false;
  int64_t elements = elementsOf(region, region.result);
  unsigned reductions = 0;
  for (Operation &op : dispatch.getBody().front().without_terminator()) {
    if (!isFollowed(op))
      return false;
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (!linalgOp || linalgOp.getNumReductionLoops() == 0)
      continue;
    ++reductions;
    // Otherwise some sums would be computed again and again.
    if (elementsOf(region, op.getResult(0)) != elements)
      return false;
  }
  return reductions <= 1;
}

/// Whether the elements of `value` stand where those of `root` do that they are
/// made of.
bool keepsPlaces(Value value, Operation *root) {
  Operation *op = value.getDefiningOp();
  if (!op || op == root)
    return true;
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return keepsPlaces(op->getOperand(0), root);
  auto needsRoot = [&](Value operand) {
    SetVector<Operation *> slice;
    BackwardSliceOptions options;
    options.inclusive = true;
    options.omitBlockArguments = true;
    (void)getBackwardSlice(operand, &slice, options);
    return slice.contains(root);
  };
  auto step = dyn_cast<linalg::GenericOp>(op);
  if (!step)
    return !needsRoot(value);
  for (OpOperand &operand : step->getOpOperands()) {
    bool isInit = step.isDpsInit(&operand);
    if (!isInit && !needsRoot(operand.get()))
      continue;
    if (!step.getMatchingIndexingMap(&operand).isIdentity() ||
        (!isInit && !keepsPlaces(operand.get(), root)))
      return false;
  }
  // Elements at computed places.
  for (Operation &inner : *step.getBlock())
    for (Value operand : inner.getOperands())
      if (isa<TensorType>(operand.getType()) && needsRoot(operand))
        return false;
  return step.getNumReductionLoops() == 0;
}

/// What the result is made of, without what the root is made of.
static SetVector<Operation *> opsBehind(qd::DispatchOp dispatch,
                                        Operation *root) {
  SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = true;
  options.omitUsesFromAbove = false; // tables of payloads
  options.filter = [&](Operation *op) {
    return op != root && dispatch->isProperAncestor(op);
  };
  (void)getBackwardSlice(dispatch.getYield().getOperand(0), &slice, options);
  return slice;
}

bool isFollowedTo(qd::DispatchOp dispatch, Operation *root) {
  if (!llvm::all_of(dispatch.getBody().getArguments(), isSizeOrPlain) ||
      !isPlainValue(dispatch->getResult(0)))
    return false;
  for (Operation *op : opsBehind(dispatch, root))
    if (op->getBlock() == &dispatch.getBody().front() && !isFollowed(*op))
      return false;
  return keepsPlaces(dispatch.getYield().getOperand(0), root);
}

SmallVector<Value> loadedConstants(qd::DispatchOp dispatch, Operation *root) {
  SetVector<Operation *> needed;
  if (root)
    needed = opsBehind(dispatch, root);
  SmallVector<Value> constants;
  for (auto constant : dispatch.getBody().front().getOps<arith::ConstantOp>())
    if (isa<RankedTensorType>(constant.getType()) &&
        !cpu::splatOf(constant.getResult()) &&
        (!root || needed.contains(constant)))
      constants.push_back(constant.getResult());
  return constants;
}

} // namespace qdialect::gpu
