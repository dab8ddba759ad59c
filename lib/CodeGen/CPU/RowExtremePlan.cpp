// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "row", second part: the largest or the smallest f(x) of contiguous
// rows of floats, where f is made of element-wise scalars:
//
//   out[row] = max(init, f(x[row][0]), f(x[row][1]), ...)
//
// IEEE 754's maximum and minimum do not depend on the order, so the bits are
// those of any walk. Sixteen rows at a time become one vector, on which the
// element-wise steps behind the reduction run: qd.choose_params of each token
// is a kernel of this kind that ends in a division.

#include "Families.h"
#include "Payload.h"
#include "Window.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

constexpr int64_t kLanes = Emitter::kLanes;
/// Elements a task should have at least, as in ElementwisePlan.cpp.
constexpr int64_t kTaskElements = 8192;
constexpr int64_t kMaxTasks = 64;
/// Vectors in flight: the latency of a maximum.
constexpr int64_t kUnroll = 4;

class RowExtremePlan : public CpuKernelPlan {
public:
  explicit RowExtremePlan(const KernelRegion &source) : region(source) {
    family = "row";
  }

  bool init();
  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override;

private:
  bool readPayload(linalg::GenericOp op);
  bool readRows(linalg::GenericOp op);
  Value element(Emitter &e, Value lanes) const;
  Value combine(Emitter &e, Value a, Value b) const;
  Value extremeOf(Emitter &e, Value row) const;
  void emitGroup(Emitter &e, PayloadEmitter &payload, Value scratch,
                 Value input, Value group);

  KernelRegion region;
  Epilogue epilogue;
  unsigned argument = 0;
  int64_t offset = 0; ///< bytes
  int64_t rows = 1, length = 1;
  int64_t groupsOfRun = 1; ///< of sixteen rows, in an innermost loop
  double start = 0;
  bool isMax = false;
  Operation *combiner = nullptr;
  Value combined; ///< f(x) in the payload
};

/// The payload is combiner(accumulator, f(element)).
bool RowExtremePlan::readPayload(linalg::GenericOp op) {
  Block &body = *op.getBlock();
  combiner = body.getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::MaximumFOp, arith::MinimumFOp>(combiner))
    return false;
  isMax = isa<arith::MaximumFOp>(combiner);
  BlockArgument accumulator = body.getArguments().back();
  if (!accumulator.hasOneUse())
    return false;
  for (unsigned side : {0u, 1u})
    if (combiner->getOperand(side) == accumulator)
      combined = combiner->getOperand(1 - side);
  if (!combined)
    return false;
  // Every scalar has a vector form that cannot trap.
  for (Operation &scalar : body.without_terminator()) {
    if (scalar.getNumResults() != 1 ||
        (!scalar.hasTrait<OpTrait::ConstantLike>() &&
         (!scalar.hasTrait<OpTrait::Vectorizable>() ||
          scalar.getResult(0).getType().isInteger(64))))
      return false;
    if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(
            scalar))
      return false;
    for (Value operand : scalar.getOperands())
      if (operand.getParentBlock() != &body &&
          !matchPattern(operand, m_Constant()))
        return false;
  }
  return true;
}

/// One input in row-major order, whose last dimensions are reduced, in
/// whatever order the loops walk them.
bool RowExtremePlan::readRows(linalg::GenericOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getDpsInputs()[0].getType());
  auto outputType = cast<RankedTensorType>(op->getResult(0).getType());
  unsigned rank = op.getNumLoops(), kept = outputType.getRank();
  if (!type || !type.hasStaticShape() || !type.getElementType().isF32() ||
      !outputType.getElementType().isF32() || type.getNumElements() == 0 ||
      kept >= rank)
    return false;
  AffineMap input = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!input.isPermutation() || !output.isProjectedPermutation())
    return false;
  for (unsigned dim = 0; dim < kept; ++dim)
    if (output.getDimPosition(dim) != input.getDimPosition(dim))
      return false;
  SmallVector<LinearForm> identity;
  for (unsigned dim = 0; dim < rank; ++dim)
    identity.push_back(LinearForm::loop(rank, dim));
  std::optional<Access> access =
      resolveAccess(op.getDpsInputs()[0], rank, identity);
  auto base = access ? dyn_cast<BlockArgument>(access->base) : BlockArgument();
  if (!base)
    return false;
  SmallVector<int64_t> strides = rowMajorStrides(type.getShape());
  for (auto [dim, coefficient] : llvm::enumerate(access->form.coefficients))
    if (type.getDimSize(dim) != 1 && coefficient != strides[dim])
      return false;
  argument = base.getArgNumber();
  offset = access->form.offset * 4;
  for (unsigned dim = 0; dim < rank; ++dim)
    (dim < kept ? rows : length) *= type.getDimSize(dim);
  return true;
}

bool RowExtremePlan::init() {
  auto op = dyn_cast<linalg::GenericOp>(region.root);
  if (!op || op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() == 0 || !readPayload(op) || !readRows(op))
    return false;
  std::optional<InitValues> fill = InitValues::read(op.getDpsInits()[0]);
  if (!fill || !fill->isUniform())
    return false;
  start = fill->view.number(fill->form.offset);
  std::optional<Epilogue> resolved = Epilogue::create(region, constants);
  if (!resolved)
    return false;
  epilogue = std::move(*resolved);
  int64_t run = epilogue.sizes.back();
  groupsOfRun = (run + kLanes - 1) / kLanes;
  int64_t groups = rows / run * groupsOfRun;
  numTasks = std::clamp<int64_t>(rows * length / kTaskElements, 1,
                                 std::min(groups, kMaxTasks));
  keyText = family + "-extreme" + epilogue.key();
  return true;
}

/// f(x), each scalar on sixteen lanes.
Value RowExtremePlan::element(Emitter &e, Value lanes) const {
  IRMapping map;
  Block &body = *combiner->getBlock();
  map.map(body.getArgument(0), lanes);
  auto splat = [&](Value scalar) -> Value {
    Attribute value;
    matchPattern(scalar, m_Constant(&value));
    auto type = Emitter::vector(scalar.getType());
    return arith::ConstantOp::create(e, DenseElementsAttr::get(type, value));
  };
  for (Operation &scalar : body.without_terminator()) {
    if (&scalar == combiner)
      continue;
    Value result = scalar.getResult(0);
    if (scalar.hasTrait<OpTrait::ConstantLike>()) {
      map.map(result, splat(result));
      continue;
    }
    for (Value operand : scalar.getOperands())
      if (!map.contains(operand))
        map.map(operand, splat(operand));
    Operation *copy = e.clone(scalar, map);
    copy->getResult(0).setType(Emitter::vector(result.getType()));
  }
  return map.contains(combined) ? map.lookup(combined) : splat(combined);
}

Value RowExtremePlan::combine(Emitter &e, Value a, Value b) const {
  if (isMax)
    return arith::MaximumFOp::create(e, a, b);
  return arith::MinimumFOp::create(e, a, b);
}

/// The extreme of the row at `row`, a scalar.
Value RowExtremePlan::extremeOf(Emitter &e, Value row) const {
  auto type = Emitter::vector(e.f32());
  Value neutral = e.constant(type, start);
  int64_t block = kUnroll * kLanes;
  int64_t blocks = length / block * block, whole = length / kLanes * kLanes;
  auto load = [&](Value at, int64_t part) {
    return e.load(type, e.at(e.at(row, e.mul(at, 4)), part * kLanes * 4), 4);
  };
  SmallVector<Value> partial(blocks > 0 ? kUnroll : 1, neutral);
  if (blocks > 0)
    partial = e.loop(e.index(0), e.index(blocks), block, partial,
                     [&](Value at, ValueRange carried) {
                       SmallVector<Value> next;
                       for (int64_t part = 0; part < kUnroll; ++part)
                         next.push_back(combine(e, carried[part],
                                                element(e, load(at, part))));
                       return next;
                     });
  if (blocks < whole)
    partial[0] =
        e.loop(e.index(blocks), e.index(whole), kLanes, partial[0],
               [&](Value at, ValueRange carried) -> SmallVector<Value> {
                 return {combine(e, carried[0], element(e, load(at, 0)))};
               })[0];
  if (whole < length) {
    Value mask = e.prefixMask(length - whole);
    Value lanes = element(e, e.maskedLoad(type, e.at(row, whole * 4), mask));
    partial[0] = combine(e, partial[0],
                         arith::SelectOp::create(e, mask, lanes, neutral));
  }
  while (partial.size() > 1) {
    Value last = partial.pop_back_val();
    partial[0] = combine(e, partial[0], last);
  }
  Value lanes = partial[0];
  for (int64_t half = kLanes / 2; half != 0; half /= 2)
    lanes = combine(e, e.slice(lanes, 0, half), e.slice(lanes, half, half));
  return vector::ExtractOp::create(e, lanes, int64_t(0));
}

/// Sixteen rows, or those that are left of a run.
void RowExtremePlan::emitGroup(Emitter &e, PayloadEmitter &payload,
                               Value scratch, Value input, Value group) {
  int64_t run = epilogue.sizes.back();
  Value outer = e.div(group, groupsOfRun);
  Value first = e.mul(e.rem(group, groupsOfRun), kLanes);
  Value count = e.min(e.sub(e.index(run), first), e.index(kLanes));
  Value firstRow = e.add(e.mul(outer, run), first);
  e.loop(e.index(0), count, 1, [&](Value row) {
    Value place = e.at(input, e.mul(e.add(firstRow, row), length * 4));
    e.store(extremeOf(e, place), e.at(scratch, e.mul(row, 4)), 4);
  });
  Position position = Position::at(e, epilogue, outer, first);
  if (run % kLanes != 0)
    position.mask = e.prefixMask(count);
  Value lanes = e.load(Emitter::vector(e.f32()), scratch, 64);
  payload.store(payload.evaluate(position, Lanes::of(lanes)), position);
}

LogicalResult RowExtremePlan::emit(OpBuilder &moduleBuilder,
                                   const CpuTarget &target, StringRef symbol) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(region.dispatch.getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                          /*internal=*/false);
  PayloadEmitter payload(e, epilogue, func.getArgument(0));
  payload.begin();
  Value input = e.at(e.argument(func.getArgument(0), argument), offset);
  Value scratch =
      LLVM::AllocaOp::create(e, e.ptr(), e.f32(), e.index(kLanes), 64);
  // Lanes without a row hold something that costs nothing.
  e.store(e.constant(Emitter::vector(e.f32()), 0), scratch, 64);
  int64_t groups = rows / epilogue.sizes.back() * groupsOfRun;
  auto cut = [&](Value task) { return e.div(e.mul(task, groups), numTasks); };
  e.loop(cut(func.getArgument(1)), cut(func.getArgument(2)), 1,
         [&](Value group) { emitGroup(e, payload, scratch, input, group); });
  e.ret();
  return success();
}

} // namespace

PlanPtr planRowExtreme(const KernelRegion &region) {
  if (!region.root)
    return nullptr;
  auto plan = std::make_unique<RowExtremePlan>(region);
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
