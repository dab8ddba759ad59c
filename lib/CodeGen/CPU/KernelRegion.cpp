// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Splits a region into root and element-wise steps.

#include "KernelRegion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace qdialect::cpu {

// Ops are handles whose accessors are not const: a copy of one is as good.
unsigned KernelRegion::numInputs() const {
  return qd::DispatchOp(dispatch).getInputs().size();
}

Block &KernelRegion::body() const {
  return qd::DispatchOp(dispatch).getBody().front();
}

/// Neither 0, by which nothing can be divided, nor -1, by which the smallest
/// integer cannot be, in any lane: a constant, or held to positive numbers.
static bool isSafeDivisor(Value divisor) {
  APInt number;
  if (matchPattern(divisor, m_ConstantInt(&number)))
    return !number.isZero() && !number.isAllOnes();
  auto bounded = divisor.getDefiningOp<arith::MaxSIOp>();
  return bounded && matchPattern(bounded.getRhs(), m_ConstantInt(&number)) &&
         number.isStrictlyPositive();
}

/// Can the scalar op be computed on 16 lanes at once? Lanes behind the tensor's
/// end hold anything, so nothing may trap on a value. Elements of other tensors
/// are read at clamped places (PayloadExtract.cpp).
static bool hasVectorForm(Operation *op) {
  if (isa<linalg::IndexOp, linalg::YieldOp, qd::LookupOp, tensor::ExtractOp>(
          op))
    return true;
  if (op->hasTrait<OpTrait::ConstantLike>())
    return !op->getResult(0).getType().isIndex();
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
          arith::FloorDivSIOp, arith::CeilDivSIOp, arith::CeilDivUIOp>(op))
    return isSafeDivisor(op->getOperand(1));
  return op->hasTrait<OpTrait::Vectorizable>() ||
         isa<qd::QDDialect>(op->getDialect());
}

bool isElementwiseStep(Operation *op) {
  if (isa<qd::LookupOp>(op))
    return true;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && generic.getNumResults() == 1 &&
         generic.getNumParallelLoops() == generic.getNumLoops() &&
         generic.getMatchingIndexingMap(generic.getDpsInitOperand(0))
             .isIdentity() &&
         generic.getBlock()->getArguments().back().use_empty() &&
         llvm::all_of(*generic.getBlock(),
                      [](Operation &scalar) { return hasVectorForm(&scalar); });
}

/// Nothing is computed for it: an argument, a constant or a view of one.
static bool isMemoryValue(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (op->hasTrait<OpTrait::ConstantLike>())
      return true;
    if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp,
             tensor::ExtractSliceOp, linalg::TransposeOp>(op))
      return false;
    value = op->getOperand(0);
  }
  return true;
}

namespace {
struct RegionWalk {
  KernelRegion &region;

  bool visit(Value value) {
    if (isMemoryValue(value) || !isa<RankedTensorType>(value.getType()))
      return true;
    Operation *op = value.getDefiningOp();
    if (region.steps.contains(op) || region.root == op)
      return true;
    if (!isElementwiseStep(op)) {
      if (region.root)
        return false;
      region.root = op;
      return true;
    }
    unsigned numInputs = isa<qd::LookupOp>(op)
                             ? 1
                             : cast<linalg::GenericOp>(op).getNumDpsInputs();
    for (Value operand : op->getOperands().take_front(numInputs))
      if (!visit(operand))
        return false;
    region.steps.insert(op);
    return true;
  }
};
} // namespace

std::optional<KernelRegion> KernelRegion::analyze(qd::DispatchOp dispatch) {
  KernelRegion region;
  region.dispatch = dispatch;
  qd::YieldOp yield = dispatch.getYield();
  if (yield.getNumOperands() != 1)
    return std::nullopt;
  region.result = yield.getOperand(0);
  if (!kernelSizes(dispatch).empty()) {
    auto function = dispatch->getParentOfType<func::FuncOp>();
    if (!function)
      return std::nullopt;
    region.shapes = std::make_shared<SymbolicShapes>(function);
    std::optional<SmallVector<int64_t>> shape =
        knownShape(region.result, region.shapes.get());
    if (!shape || !llvm::all_of(*shape, [&](int64_t size) {
          return region.canCompute(size);
        }))
      return std::nullopt;
  }
  if (!RegionWalk{region}.visit(region.result))
    return std::nullopt;
  return region;
}

SmallVector<std::optional<unsigned>> KernelRegion::symbolPlaces() const {
  SmallVector<std::optional<unsigned>> places(shapes->sizes.symbols().size());
  qd::DispatchOp op = dispatch;
  for (auto [place, size] : llvm::enumerate(kernelSizes(op))) {
    bool isInput = size.input < op.getInputs().size();
    int64_t value = size.axis < 0
                        ? shapes->sizeOf(op.getInputs()[size.input])
                        : shapes->shapeOf(isInput ? op.getInputs()[size.input]
                                                  : result)[size.axis];
    std::optional<unsigned> symbol = shapes->sizes.asSymbol(value);
    if (symbol && !places[*symbol])
      places[*symbol] = place;
  }
  return places;
}

bool KernelRegion::canCompute(int64_t size) const {
  if (!SymbolicSizes::isSymbolic(size))
    return size != ShapedType::kDynamic;
  SmallVector<std::optional<unsigned>> places = symbolPlaces();
  return llvm::all_of(
      shapes->sizes.terms(size), [&](const SymbolicSizes::Term &term) {
        return llvm::all_of(term.atoms, [&](unsigned number) {
          const SymbolicSizes::Atom &atom = shapes->sizes.atom(number);
          return atom.kind == SymbolicSizes::Atom::Symbol
                     ? places[atom.symbol].has_value()
                     : canCompute(atom.lhs) && canCompute(atom.rhs);
        });
      });
}

/// Which sizes are equal, and how large they can be, is in the code too.
std::string KernelRegion::sizesKey() const {
  std::string text;
  if (!shapes)
    return text;
  llvm::raw_string_ostream os(text);
  qd::DispatchOp op = dispatch;
  for (KernelSize size : kernelSizes(op)) {
    bool isInput = size.input < op.getInputs().size();
    int64_t value = size.axis < 0
                        ? shapes->sizeOf(op.getInputs()[size.input])
                        : shapes->shapeOf(isInput ? op.getInputs()[size.input]
                                                  : result)[size.axis];
    SymbolicSizes::Bounds bounds = shapes->sizes.bounds(value);
    os << '\n'
       << shapes->sizes.print(value) << ' ' << bounds.low << ".."
       << bounds.high;
  }
  return text;
}

std::string structureKey(qd::DispatchOp dispatch,
                         const Epilogue::Parameters &parameters) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::DenseMap<Value, unsigned> numbers;
  auto number = [&](Value value) {
    return numbers.try_emplace(value, numbers.size()).first->second;
  };
  for (BlockArgument argument : dispatch.getBody().getArguments())
    os << number(argument) << ':' << argument.getType() << ' ';
  dispatch.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
    os << '\n' << op->getName() << ' ';
    for (Value operand : op->getOperands())
      os << number(operand) << ' ';
    auto constant = dyn_cast<arith::ConstantOp>(op);
    const auto *parameter =
        constant ? parameters.find(constant) : parameters.end();
    bool isContent =
        constant && isa<ShapedType>(constant.getType()) && !splatOf(constant);
    if (parameter != parameters.end()) {
      os << '$' << parameter->second << ' ';
    } else if (!isContent) {
      DictionaryAttr attributes = op->getAttrDictionary();
      for (NamedAttribute attribute : attributes)
        if (!attribute.getName().strref().starts_with("qd."))
          os << attribute.getName().strref() << '=' << attribute.getValue()
             << ' ';
    }
    for (Value result : op->getResults())
      os << number(result) << ':' << result.getType() << ' ';
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          os << '^' << number(argument) << ' ';
  });
  return text;
}

} // namespace qdialect::cpu
