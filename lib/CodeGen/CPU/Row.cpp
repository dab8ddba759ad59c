// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The passes over contiguous rows (Row.h).

#include "Row.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::cpu {

/// Elements a task should have at least, as in ElementwisePlan.cpp.
static constexpr int64_t kTaskElements = 4096;
static constexpr int64_t kMaxTasks = 64;
/// A row lives on the stack between the passes over it.
static constexpr int64_t kMaxRow = 1 << 16;
/// Parts of a symbolic number of rows.
static constexpr int64_t kSymbolicTasks = 16;

RowEmitter::RowEmitter(Emitter &e, const RowPlan &plan, Value args)
    : e(e), plan(plan), args(args), payload(e, plan.epilogue, args) {
  payload.begin();
  Value vectors = e.div(e.add(e.index(plan.length), 15), 16);
  scratch = LLVM::AllocaOp::create(e, e.ptr(), e.i32(), e.mul(vectors, 16), 64);
}

RowEmitter::~RowEmitter() = default;

Value RowEmitter::pointer(const RowPlan::Source &source) {
  return e.at(e.argument(args, source.argument), source.offset);
}

Value RowEmitter::walk(Value init, Step step) {
  if (!plan.hasKnownLength())
    return walkSymbolic(init, step);
  int64_t whole = plan.length / kLanes * kLanes;
  Value carried = init;
  if (whole > 0)
    carried =
        e.loop(e.index(0), e.index(whole), kLanes, carried,
               [&](Value element, ValueRange values) -> SmallVector<Value> {
                 return {step(element, Value(), values[0])};
               })[0];
  if (whole < plan.length)
    carried = step(e.index(whole), e.prefixMask(plan.length - whole), carried);
  return carried;
}

Value RowEmitter::wholePart(int64_t step) {
  return e.mul(e.div(e.index(plan.length), step), step);
}

Value RowEmitter::walkSymbolic(Value init, Step step) {
  Value whole = wholePart(kLanes), end = e.index(plan.length);
  Value carried =
      e.loop(e.index(0), whole, kLanes, init,
             [&](Value element, ValueRange values) -> SmallVector<Value> {
               return {step(element, Value(), values[0])};
             })[0];
  // None or one.
  return e.loop(whole, end, kLanes, carried,
                [&](Value element, ValueRange values) -> SmallVector<Value> {
                  Value mask = e.prefixMask(e.sub(end, element));
                  return {step(element, mask, values[0])};
                })[0];
}

Value RowEmitter::load(VectorType type, Value from, Value element, Value mask) {
  Value place = e.at(from, e.mul(element, elementBytes(type.getElementType())));
  return mask ? e.maskedLoad(type, place, mask) : e.load(type, place);
}

Value RowEmitter::onlyExisting(Value lanes, Value mask, Value other) {
  return mask ? Value(arith::SelectOp::create(e, mask, lanes, other)) : lanes;
}

void RowEmitter::keep(Value lanes, Value element) {
  e.store(lanes, e.at(scratch, e.mul(element, 4)), 64);
}

Value RowEmitter::kept(VectorType type, Value element) {
  return e.load(type, e.at(scratch, e.mul(element, 4)), /*alignment=*/64);
}

void RowEmitter::finish(Value number) {
  Position position = Position::at(e, plan.epilogue, number, e.index(0));
  auto emit = [&](Value element, int64_t numParts, Value mask) {
    position.counters.back() = element;
    SmallVector<Lanes> parts;
    for (int64_t part = 0; part < numParts; ++part) {
      Position here = position;
      here.laneOffset = part * kLanes;
      here.mask = mask;
      parts.push_back(
          payload.evaluate(here, result(e.add(element, part * kLanes), mask)));
    }
    position.mask = mask;
    payload.store(parts, position);
    position.mask = {};
  };
  if (!plan.hasKnownLength()) {
    Value blocks = wholePart(4 * kLanes), whole = wholePart(kLanes);
    Value end = e.index(plan.length);
    e.loop(e.index(0), blocks, 4 * kLanes,
           [&](Value element) { emit(element, 4, {}); });
    e.loop(blocks, whole, kLanes, [&](Value element) { emit(element, 1, {}); });
    e.loop(whole, end, kLanes, [&](Value element) {
      emit(element, 1, e.prefixMask(e.sub(end, element)));
    });
    return;
  }
  int64_t blocks = plan.length / (4 * kLanes) * 4 * kLanes;
  int64_t whole = plan.length / kLanes * kLanes;
  if (blocks > 0)
    e.loop(e.index(0), e.index(blocks), 4 * kLanes,
           [&](Value element) { emit(element, 4, {}); });
  if (blocks < whole)
    e.loop(e.index(blocks), e.index(whole), kLanes,
           [&](Value element) { emit(element, 1, {}); });
  if (whole < plan.length)
    emit(e.index(whole), 1, e.prefixMask(plan.length - whole));
}

std::optional<RowPlan::Source> RowPlan::resolve(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<LinearForm> identity;
  for (unsigned dim = 0; dim < type.getRank(); ++dim)
    identity.push_back(LinearForm::loop(type.getRank(), dim));
  SymbolicShapes *shapes = region.shapes.get();
  std::optional<Access> access =
      resolveAccess(value, type.getRank(), identity, shapes);
  if (!access || SymbolicSizes::isSymbolic(access->form.offset))
    return std::nullopt;
  SmallVector<int64_t> strides =
      rowMajorStrides(*knownShape(value, shapes), shapes);
  for (auto [dim, coefficient] : llvm::enumerate(access->form.coefficients))
    if (type.getDimSize(dim) != 1 && coefficient != strides[dim])
      return std::nullopt;
  Source source;
  source.element = type.getElementType();
  source.offset = access->form.offset * elementBytes(source.element);
  if (auto argument = dyn_cast<BlockArgument>(access->base)) {
    source.argument = argument.getArgNumber();
    return source;
  }
  std::optional<ConstantView> view = constantView(access->base);
  if (!view)
    return std::nullopt;
  source.argument = addConstant(tensorBlob(std::move(*view)));
  return source;
}

unsigned RowPlan::addConstant(ConstantBlob blob) {
  constants.push_back(std::move(blob));
  return region.numInputs() + constants.size();
}

bool RowPlan::initRows(int64_t axis) {
  Operation *root = region.root;
  SymbolicShapes *shapes = region.shapes.get();
  std::optional<SmallVector<int64_t>> shape =
      knownShape(root->getResult(0), shapes);
  if (!shape || llvm::is_contained(*shape, 0))
    return false;
  for (auto [dim, size] : llvm::enumerate(*shape)) {
    int64_t &product = static_cast<int64_t>(dim) < axis ? rows : length;
    product = multiplySizes(product, size, shapes);
  }
  int64_t longest = shapes ? shapes->sizes.bounds(length).high : length;
  if (longest > kMaxRow)
    return false;
  std::optional<Source> source = resolve(root->getOperand(0));
  if (!source)
    return false;
  input = *source;
  return true;
}

bool RowPlan::initEpilogue() {
  std::optional<Epilogue> resolved =
      Epilogue::create(region, constants, length);
  if (!resolved)
    return false;
  epilogue = std::move(*resolved);
  keyText = family + epilogue.key();
  if (region.shapes) {
    numTasks = kSymbolicTasks;
    return region.canCompute(rows) && region.canCompute(length) &&
           llvm::all_of(epilogue.sizes,
                        [&](int64_t size) { return region.canCompute(size); });
  }
  numTasks = std::clamp<int64_t>(rows * length / kTaskElements, 1,
                                 std::min(rows, kMaxTasks));
  if (numTasks > 1)
    numTasks -= numTasks % 2;
  return true;
}

LogicalResult RowPlan::emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                            StringRef symbol) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(region.dispatch.getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                          /*internal=*/false);
  e.bindSizes(region, func.getArgument(0), constants.size());
  std::unique_ptr<RowEmitter> emitter = makeEmitter(e, func.getArgument(0));
  auto cut = [&](Value task) { return e.div(e.mul(task, rows), numTasks); };
  e.loop(cut(func.getArgument(1)), cut(func.getArgument(2)), 1,
         [&](Value row) { emitter->row(row); });
  e.ret();
  return success();
}

} // namespace qdialect::cpu
