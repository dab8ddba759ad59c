// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Folds ops on constants by running them:
//   %t = linalg.transpose ins(%cst) outs(%empty)  ->  %t = arith.constant
// One walk in program order suffices: when an op is reached, its operands have
// been folded already, and so have those of ops in loops and branches of the
// program. Nothing is folded element by element in IR.

#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

namespace qdialect {
#define GEN_PASS_DEF_FOLDCONSTANTSPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;

namespace {
/// A result may be this many times larger than the operands ...
constexpr int64_t kMaxGrowth = 4;
/// ... or this large in any case.
constexpr int64_t kMaxFreeBytes = 1 << 20;
/// Where a contraction multiplies by what becomes of it.
constexpr int64_t kMaxWeightBytes = 64 << 20;

/// Init tensors are no weights: alone they stay ops.
bool isInit(Operation *op) {
  return isa_and_nonnull<tensor::EmptyOp, linalg::FillOp>(op);
}

int64_t sizeInBytes(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  std::optional<DType> dtype =
      hostType(shaped ? shaped.getElementType() : type);
  if (!dtype || (shaped && !shaped.hasStaticShape()))
    return std::numeric_limits<int64_t>::max();
  return (shaped ? shaped.getNumElements() : 1) * int64_t(byteWidth(*dtype));
}

struct FoldConstants
    : public qdialect::impl::FoldConstantsPassBase<FoldConstants> {
  using FoldConstantsPassBase::FoldConstantsPassBase;

  void runOnOperation() override;

private:
  bool isCandidate(Operation *op) const;
  std::optional<HostTensor> valueOf(Value value) const;
  std::optional<SmallVector<HostTensor>> valuesOf(ValueRange values) const;
  std::optional<SmallVector<HostTensor>> constantOperands(Operation *op) const;
  bool fits(Operation *op) const;
  void foldBlock(Block &block);
  void fold(Operation *op);
};
} // namespace

bool FoldConstants::isCandidate(Operation *op) const {
  if (op->getNumResults() == 0 || op->hasTrait<OpTrait::ConstantLike>() ||
      op->hasTrait<OpTrait::IsTerminator>() || isInit(op) ||
      !isMemoryEffectFree(op))
    return false;
  if (isa<qd::ObserveOp, qd::DispatchOp>(op))
    return false;
  return foldDequantize || !isa<qd::DequantizeOp>(op);
}

/// The value of a constant, or of an init (tensor.empty, or a fill by a
/// constant), which is evaluated but never written down.
std::optional<HostTensor> FoldConstants::valueOf(Value value) const {
  if (std::optional<ConstantView> view = constantView(value))
    return view->toHostTensor();
  Operation *op = value.getDefiningOp();
  if (!isInit(op))
    return std::nullopt;
  std::optional<SmallVector<HostTensor>> operands = valuesOf(op->getOperands());
  if (!operands)
    return std::nullopt;
  llvm::Expected<SmallVector<HostTensor>> results = evaluate(op, *operands);
  if (!results) {
    llvm::consumeError(results.takeError());
    return std::nullopt;
  }
  return std::move(results->front());
}

std::optional<SmallVector<HostTensor>>
FoldConstants::valuesOf(ValueRange values) const {
  SmallVector<HostTensor> tensors;
  for (Value value : values) {
    std::optional<HostTensor> tensor = valueOf(value);
    if (!tensor)
      return std::nullopt;
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

/// Values of all operands if they are constant, and so is everything that
/// regions capture, of which at least one is no init.
std::optional<SmallVector<HostTensor>>
FoldConstants::constantOperands(Operation *op) const {
  // Cheap questions first: values may be large to make.
  auto isConstant = [](Value value) { return bool(constantView(value)); };
  bool anyConstant = false;
  for (Value operand : op->getOperands()) {
    anyConstant |= isConstant(operand);
    if (!isConstant(operand) && !isInit(operand.getDefiningOp()))
      return std::nullopt;
  }
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  if ((!anyConstant && captured.empty()) || !llvm::all_of(captured, isConstant))
    return std::nullopt;
  return valuesOf(op->getOperands());
}

/// Does a contraction have what constants make of `op` for an operand? Only
/// weights that are constant are packed.
static bool becomesWeight(Operation *op) {
  llvm::SetVector<Operation *> reached;
  reached.insert(op);
  for (size_t next = 0; next < reached.size(); ++next)
    for (Operation *user : reached[next]->getUsers()) {
      if (auto linalgOp = dyn_cast<linalg::LinalgOp>(user))
        if (getContractionStructure(linalgOp))
          return true;
      if (llvm::all_of(user->getOperands(), [&](Value operand) {
            Operation *maker = operand.getDefiningOp();
            return maker && (reached.contains(maker) || isInit(maker) ||
                             maker->hasTrait<OpTrait::ConstantLike>());
          }))
        reached.insert(user);
    }
  return false;
}

bool FoldConstants::fits(Operation *op) const {
  int64_t in = 0, out = 0;
  for (Value operand : op->getOperands())
    if (constantView(operand))
      in += sizeInBytes(operand.getType());
  for (Value result : op->getResults()) {
    int64_t size = sizeInBytes(result.getType());
    if (size == std::numeric_limits<int64_t>::max())
      return false;
    out += size;
  }
  return out <= kMaxFreeBytes || out / kMaxGrowth <= in ||
         (out <= kMaxWeightBytes && becomesWeight(op));
}

void FoldConstants::fold(Operation *op) {
  std::optional<SmallVector<HostTensor>> operands = constantOperands(op);
  if (!operands)
    return;
  if (!fits(op)) {
    ++numRefused;
    return;
  }
  llvm::Expected<SmallVector<HostTensor>> results = evaluate(op, *operands);
  if (!results) {
    // An op that cannot be run here is compiled like any other.
    llvm::consumeError(results.takeError());
    ++numRefused;
    return;
  }
  OpBuilder builder(op);
  auto name = op->getAttrOfType<StringAttr>(qd::kNameAttr);
  SmallVector<Value> constants;
  for (auto [result, tensor] : llvm::zip_equal(op->getResults(), *results)) {
    auto type = dyn_cast<ShapedType>(result.getType());
    bool isScalar = !type;
    if (isScalar)
      type = RankedTensorType::get({}, result.getType());
    ElementsAttr elements =
        makeElements(type, name ? name.getValue() : "folded", tensor);
    TypedAttr attribute = elements;
    if (isScalar)
      attribute = cast<TypedAttr>(
          cast<DenseElementsAttr>(elements).getSplatValue<Attribute>());
    Value constant =
        arith::ConstantOp::create(builder, op->getLoc(), attribute);
    if (name)
      constant.getDefiningOp()->setAttr(qd::kNameAttr, name);
    constants.push_back(constant);
  }
  op->replaceAllUsesWith(constants);
  op->erase();
  ++numFolded;
}

void FoldConstants::foldBlock(Block &block) {
  // Payloads are not entered: their scalars are folded by canonicalization.
  for (Operation &op : llvm::make_early_inc_range(block)) {
    // Loops and branches of the program are, before they are looked at whole.
    if (isProgramRegion(&op))
      for (Region &region : op.getRegions())
        foldBlock(region.front());
    if (isCandidate(&op))
      fold(&op);
  }
}

void FoldConstants::runOnOperation() {
  for (Block &block : getOperation().getBody())
    foldBlock(block);
  // Constants and inits that nothing reads any more.
  for (Block *block : programBlocksInnerFirst(getOperation()))
    for (Operation &op :
         llvm::make_early_inc_range(llvm::reverse(block->getOperations())))
      if (isOpTriviallyDead(&op))
        op.erase();
}
