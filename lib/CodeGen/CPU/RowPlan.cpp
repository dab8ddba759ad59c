// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "row": softmax and layer norm of contiguous rows, each row once
// through the first cache. The order of every sum is Numerics/Reductions.h's:
// one accumulator of sixteen lanes, then a tree, so the bits are those of the
// interpreter. Element-wise steps behind the row function run on the lanes that
// it makes, before they reach memory. The rows of a softmax may have a symbolic
// length.

#include "Families.h"
#include "Payload.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// Elements a task should have at least, as in ElementwisePlan.cpp.
constexpr int64_t kTaskElements = 4096;
constexpr int64_t kMaxTasks = 64;
/// A row of floats lives on the stack between the passes over it.
constexpr int64_t kMaxRow = 1 << 16;
/// Parts of a symbolic number of rows.
constexpr int64_t kSymbolicTasks = 16;

class RowPlan : public KernelPlan {
public:
  explicit RowPlan(const KernelRegion &source) : region(source) {
    family = "row";
  }

  bool init();
  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override;

private:
  struct Source {
    unsigned argument = 0;
    int64_t offset = 0; ///< bytes
  };
  std::optional<Source> resolve(Value value);
  bool hasKnownLength() const { return !SymbolicSizes::isSymbolic(length); }

  KernelRegion region;
  Epilogue epilogue;
  Source input;
  std::optional<Source> gamma, beta; ///< of a layer norm
  int64_t rows = 1, length = 1;
  float epsilon = 0;
  bool isSoftmax = false;

  friend class RowEmitter;
};

/// Emits the passes over one row.
class RowEmitter {
public:
  RowEmitter(Emitter &e, const RowPlan &plan, Value args)
      : e(e), plan(plan), payload(e, plan.epilogue, args),
        type(Emitter::vector(e.f32())) {
    payload.begin();
    auto pointer = [&](const RowPlan::Source &source) {
      return e.at(e.argument(args, source.argument), source.offset);
    };
    input = pointer(plan.input);
    if (plan.gamma)
      gamma = pointer(*plan.gamma);
    if (plan.beta)
      beta = pointer(*plan.beta);
    Value vectors = e.div(e.add(e.index(plan.length), 15), 16);
    scratch =
        LLVM::AllocaOp::create(e, e.ptr(), e.f32(), e.mul(vectors, 16), 64);
  }

  void row(Value number) {
    Value x = e.at(input, e.mul(e.mul(number, plan.length), 4));
    if (plan.isSoftmax)
      softmax(x);
    else
      layerNorm(x);
    finish(number);
  }

private:
  static constexpr int64_t kLanes = Emitter::kLanes;
  using Step = llvm::function_ref<Value(Value element, Value mask, Value sum)>;

  /// carried = step(element, mask, carried) over the vectors of the row; the
  /// mask is null for whole vectors.
  Value walk(Value init, Step step) {
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
      carried =
          step(e.index(whole), e.prefixMask(plan.length - whole), carried);
    return carried;
  }

  /// Multiples of `step` below the length.
  Value wholePart(int64_t step) {
    return e.mul(e.div(e.index(plan.length), step), step);
  }

  Value walkSymbolic(Value init, Step step) {
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

  /// Halves first, as the tree of Numerics/Reductions.h.
  template <class Op>
  Value tree(Value lanes) {
    for (int64_t half = kLanes / 2; half != 0; half /= 2)
      lanes =
          Op::create(e, e.slice(lanes, 0, half), e.slice(lanes, half, half));
    return vector::ExtractOp::create(e, lanes, int64_t(0));
  }

  Value load(Value from, Value element, Value mask) {
    Value place = e.at(from, e.mul(element, 4));
    return mask ? e.maskedLoad(type, place, mask) : e.load(type, place, 4);
  }
  Value onlyExisting(Value lanes, Value mask, double other) {
    return mask ? Value(arith::SelectOp::create(e, mask, lanes,
                                                e.constant(type, other)))
                : lanes;
  }
  void keep(Value lanes, Value element) {
    e.store(lanes, e.at(scratch, e.mul(element, 4)), 64);
  }

  /// scratch = exp(x - max), factor = the sum. Which zero or which NaN the
  /// maximum is changes no bit of the result, so the plain instruction does.
  void softmax(Value x) {
    auto larger = [&](Value a, Value b) -> Value {
      Value test = arith::CmpFOp::create(e, arith::CmpFPredicate::OGT, a, b);
      return arith::SelectOp::create(e, test, a, b);
    };
    Value lanes =
        walk(e.constant(type, -INFINITY),
             [&](Value element, Value mask, Value seen) {
               return larger(
                   seen, onlyExisting(load(x, element, mask), mask, -INFINITY));
             });
    for (int64_t half = kLanes / 2; half != 0; half /= 2)
      lanes = larger(e.slice(lanes, 0, half), e.slice(lanes, half, half));
    Value shift =
        e.broadcast(vector::ExtractOp::create(e, lanes, int64_t(0)), type);
    // Far below the maximum, where masks put elements, the result is 0, but the
    // way there leads through subnormals, which are slow.
    Value vanishing = e.constant(type, -104.0), zero = e.constant(type, 0);
    Value sum =
        walk(zero, [&](Value element, Value mask, Value partial) -> Value {
          Value shifted =
              arith::SubFOp::create(e, load(x, element, mask), shift);
          Value isZero = arith::CmpFOp::create(e, arith::CmpFPredicate::OLT,
                                               shifted, vanishing);
          Value power = math::ExpOp::create(
              e, arith::SelectOp::create(e, isZero, zero, shifted));
          power = arith::SelectOp::create(e, isZero, zero, power);
          keep(power, element);
          return arith::AddFOp::create(e, partial,
                                       onlyExisting(power, mask, 0));
        });
    factor = e.broadcast(tree<arith::AddFOp>(sum), type);
  }

  /// scratch = x - mean, factor = rsqrt(variance + epsilon).
  void layerNorm(Value x) {
    auto mean = [&](Value sum) -> Value {
      return arith::DivFOp::create(e, tree<arith::AddFOp>(sum),
                                   e.constant(e.f32(), plan.length));
    };
    Value centre = e.broadcast(
        mean(walk(e.constant(type, 0),
                  [&](Value element, Value mask, Value partial) -> Value {
                    return arith::AddFOp::create(e, partial,
                                                 load(x, element, mask));
                  })),
        type);
    Value variance = mean(
        walk(e.constant(type, 0),
             [&](Value element, Value mask, Value partial) -> Value {
               Value deviation =
                   arith::SubFOp::create(e, load(x, element, mask), centre);
               keep(deviation, element);
               Value square = arith::MulFOp::create(e, deviation, deviation);
               return arith::AddFOp::create(e, partial,
                                            onlyExisting(square, mask, 0));
             }));
    Value sum =
        arith::AddFOp::create(e, variance, e.constant(e.f32(), plan.epsilon));
    factor = e.broadcast(math::RsqrtOp::create(e, sum), type);
  }

  Value result(Value element, Value mask) {
    Value lanes =
        e.load(type, e.at(scratch, e.mul(element, 4)), /*alignment=*/64);
    if (plan.isSoftmax)
      return arith::DivFOp::create(e, lanes, factor);
    lanes = arith::MulFOp::create(e, lanes, factor);
    if (gamma)
      lanes = arith::MulFOp::create(e, lanes, load(gamma, element, mask));
    if (beta)
      lanes = arith::AddFOp::create(e, lanes, load(beta, element, mask));
    return lanes;
  }

  /// The last pass: four vectors at a time, so that codes are packed together.
  void finish(Value number) {
    Position position = Position::at(e, plan.epilogue, number, e.index(0));
    auto emit = [&](Value element, int64_t numParts, Value mask) {
      position.counters.back() = element;
      SmallVector<Lanes> parts;
      for (int64_t part = 0; part < numParts; ++part) {
        Position here = position;
        here.laneOffset = part * kLanes;
        here.mask = mask;
        Value lanes = result(e.add(element, part * kLanes), mask);
        parts.push_back(payload.evaluate(here, Lanes::of(lanes)));
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
      e.loop(blocks, whole, kLanes,
             [&](Value element) { emit(element, 1, {}); });
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

  Emitter &e;
  const RowPlan &plan;
  PayloadEmitter payload;
  VectorType type;
  Value input, gamma, beta, scratch;
  Value factor; ///< what each element is divided by or multiplied with
};

/// A row-major input or a constant, in one piece; nothing for other views.
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
  source.offset = access->form.offset * 4;
  if (auto argument = dyn_cast<BlockArgument>(access->base)) {
    source.argument = argument.getArgNumber();
    return source;
  }
  std::optional<ConstantView> view = constantView(access->base);
  if (!view)
    return std::nullopt;
  source.argument = region.numInputs() + 1 + constants.size();
  constants.push_back(tensorBlob(std::move(*view)));
  return source;
}

bool RowPlan::init() {
  Operation *root = region.root;
  isSoftmax = isa<qd::SoftmaxOp>(root);
  auto norm = dyn_cast<qd::LayerNormOp>(root);
  if (!isSoftmax && !norm)
    return false;
  auto type = cast<RankedTensorType>(root->getResult(0).getType());
  SymbolicShapes *shapes = region.shapes.get();
  std::optional<SmallVector<int64_t>> shape =
      knownShape(root->getResult(0), shapes);
  if (!type.getElementType().isF32() || !shape || llvm::is_contained(*shape, 0))
    return false;
  int64_t rank = type.getRank();
  auto axis = static_cast<int64_t>(
      isSoftmax ? cast<qd::SoftmaxOp>(root).getAxis() : norm.getAxis());
  if (isSoftmax && axis + 1 != rank)
    return false;
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t &size = dim < axis ? rows : length;
    size = multiplySizes(size, (*shape)[dim], shapes);
  }
  int64_t longest = shapes ? shapes->sizes.bounds(length).high : length;
  if (longest > kMaxRow || (norm && !hasKnownLength()))
    return false;

  std::optional<Source> source = resolve(root->getOperand(0));
  if (!source)
    return false;
  input = *source;
  if (norm) {
    epsilon = norm.getEpsilon().convertToFloat();
    gamma = resolve(norm.getGamma());
    if (!gamma)
      return false;
    if (norm.getBeta() && !(beta = resolve(norm.getBeta())))
      return false;
  }
  std::optional<Epilogue> resolved =
      Epilogue::create(region, constants, length);
  if (!resolved)
    return false;
  epilogue = std::move(*resolved);
  keyText = family + epilogue.key();
  if (shapes) {
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
  RowEmitter emitter(e, *this, func.getArgument(0));
  auto cut = [&](Value task) { return e.div(e.mul(task, rows), numTasks); };
  e.loop(cut(func.getArgument(1)), cut(func.getArgument(2)), 1,
         [&](Value row) { emitter.row(row); });
  e.ret();
  return success();
}

} // namespace

PlanPtr planRow(const KernelRegion &region) {
  if (!region.root)
    return nullptr;
  auto plan = std::make_unique<RowPlan>(region);
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
