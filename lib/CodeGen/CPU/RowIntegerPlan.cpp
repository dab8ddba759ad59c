// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer softmax, layer norm and RMS norm of contiguous rows, by the sequences
// of Numerics/IntegerSequences.h on sixteen lanes; what is done once a row is
// scalar. Sums of integers have one value in any order.

#include "LaneIntegers.h"
#include "Row.h"

#include "QDialect/IR/IntegerOps.h"
#include "QDialect/Numerics/IntegerSequences.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class IntegerRowPlan : public RowPlan {
public:
  using RowPlan::RowPlan;
  bool init();

  std::optional<IntegerSoftmax> softmax;
  /// Its tables and their positions in `args`.
  SmallVector<std::pair<const std::vector<int32_t> *, unsigned>> tables;
  // Of a norm.
  IntegerScheme scheme = IntegerScheme::QD;
  bool centred = true;
  std::optional<Source> gain, bias;
  int64_t zeroPoint = 0, epsilon = 1, shift = 0;
  unsigned resultBits = 8;

protected:
  std::unique_ptr<RowEmitter> makeEmitter(Emitter &e, Value args) override;

private:
  void addTable(const std::vector<int32_t> &numbers);
  template <typename Op>
  bool initNorm(Op op);
};

class IntegerRowEmitter : public RowEmitter {
public:
  IntegerRowEmitter(Emitter &e, const IntegerRowPlan &plan, Value args)
      : RowEmitter(e, plan, args), plan(plan), o(e),
        i32(Emitter::vector(e.i32())), input(pointer(plan.input)) {
    for (auto [numbers, argument] : plan.tables)
      o.addTable(*numbers, e.argument(args, argument));
    if (!plan.softmax) {
      gain = pointer(*plan.gain);
      bias = pointer(*plan.bias);
    }
  }

  void row(Value number) override {
    int64_t bytes = elementBytes(plan.input.element);
    x = e.at(input, e.mul(e.mul(number, plan.length), bytes));
    if (plan.softmax)
      softmax();
    else
      norm();
    finish(number);
  }

private:
  /// Codes as they lie in memory: i16, or i8 in offset binary.
  Value raw(Value element, Value mask) {
    Type type = plan.input.element;
    if (type.isInteger(8)) // 64 bytes behind may be read
      mask = {};
    return load(Emitter::vector(type), x, element, mask);
  }

  /// As i32, i8 ones 128 larger than they are.
  Value codes(Value element, Value mask) {
    Value lanes = raw(element, mask);
    return plan.input.element.isInteger(8)
               ? Value(arith::ExtUIOp::create(e, i32, lanes))
               : Value(arith::ExtSIOp::create(e, i32, lanes));
  }

  /// The largest of the row, as `codes` has them.
  Value largest() {
    auto type = Emitter::vector(plan.input.element);
    bool isByte = plan.input.element.isInteger(8);
    Value least = e.constantInt(type, isByte ? 0 : -(1 << 15));
    auto larger = [&](Value a, Value b) {
      return isByte ? Value(arith::MaxUIOp::create(e, a, b))
                    : Value(arith::MaxSIOp::create(e, a, b));
    };
    Value lanes = walk(least, [&](Value element, Value mask, Value seen) {
      return larger(seen, onlyExisting(raw(element, mask), mask, least));
    });
    if (isByte)
      return arith::ExtUIOp::create(e, e.i32(), tree<arith::MaxUIOp>(lanes));
    return arith::ExtSIOp::create(e, e.i32(), tree<arith::MaxSIOp>(lanes));
  }

  /// scratch = exponentials, factor = numerator / sum.
  void softmax() {
    Value zero = e.constantInt(i32, 0), most = e.broadcast(largest(), i32);
    // A lane sums at most 2^10 of the 2^14 elements, each at most 2^20.
    Value sums = walk(zero, [&](Value element, Value mask, Value sum) -> Value {
      Value d = arith::SubIOp::create(e, most, codes(element, mask));
      Value power =
          sequences::integerExp(o, plan.softmax->exp, LaneNumber{d}).value;
      keep(power, element);
      // Seeded fault 85: lanes behind the row count as elements.
      if constexpr (QDIALECT_MUTATE == 85)
        mask = {};
      return arith::AddIOp::create(e, sum, onlyExisting(power, mask, zero));
    });
    Value sum = tree<arith::AddIOp>(
        arith::ExtSIOp::create(e, Emitter::vector(e.i64()), sums));
    factor = o.ofRow(
        sequences::softmaxFactor(o, *plan.softmax, LaneNumber{sum}).value,
        /*fitsWord=*/true);
  }

  /// The codes less the zero point, where it matters.
  Value centred(Value element, Value mask) {
    Value q = codes(element, mask);
    if (plan.centred)
      return q;
    int64_t offset = plan.input.element.isInteger(8) ? 128 : 0;
    return arith::SubIOp::create(e, q,
                                 e.constantInt(i32, plan.zeroPoint + offset));
  }

  void norm() {
    Value zero = e.constantInt(i32, 0), wideZero = e.constantInt(half(), 0);
    Value sum = walk(zero, [&](Value element, Value mask, Value partial) {
      return Value(arith::AddIOp::create(
          e, partial, onlyExisting(centred(element, mask), mask, zero)));
    });
    Value squares =
        walk(wideZero, [&](Value element, Value mask, Value partial) -> Value {
          Value q = onlyExisting(centred(element, mask), mask, zero);
          Halves wide = Halves::of(e, q);
          Halves square = Halves::make<arith::MulIOp>(e, wide, wide);
          return arith::AddIOp::create(
              e, partial, arith::AddIOp::create(e, square.even, square.odd));
        });
    LaneNumber parts[3];
    sequences::normRow(o, plan.scheme, plan.centred, plan.length, plan.epsilon,
                       LaneNumber{tree<arith::AddIOp>(arith::ExtSIOp::create(
                           e, Emitter::vector(e.i64()), sum))},
                       LaneNumber{tree<arith::AddIOp>(squares, kLanes / 2)},
                       parts[0], parts[1], parts[2]);
    bool isOurs = plan.scheme == IntegerScheme::QD;
    centre = o.ofRow(parts[0].value, isOurs);
    factor = o.ofRow(parts[1].value, isOurs);
    shift = o.ofRow(parts[2].value, /*fitsWord=*/false);
  }

  Lanes result(Value element, Value mask) override {
    LaneNumber code;
    if (plan.softmax) {
      code = sequences::softmaxCode(o, *plan.softmax,
                                    LaneNumber{kept(i32, element)}, factor);
    } else {
      LaneNumber z = sequences::normElement(o, plan.scheme, plan.length,
                                            LaneNumber{centred(element, mask)},
                                            centre, factor, shift);
      // Constants have room behind them.
      Value b = load(Emitter::vector(e.i64()), bias, element, {});
      code = sequences::normCode(
          o, z, LaneNumber{load(i32, gain, element, {})},
          LaneNumber{{}, Halves::of(e, b), /*isWide=*/true}, plan.shift);
    }
    if (plan.resultBits == 8) {
      Lanes lanes = Lanes::codes(
          arith::AddIOp::create(e, code.value, e.constantInt(i32, 128)));
      lanes.pending = true;
      return lanes;
    }
    code = sequences::clampedCode(o, code, INT16_MIN, INT16_MAX);
    return Lanes::ofWords(code.value, 16);
  }

  VectorType half() { return Emitter::vector(e.i64(), kLanes / 2); }

  const IntegerRowPlan &plan;
  LaneIntegers o;
  VectorType i32;
  Value input, gain, bias;
  Value x; ///< the row
  LaneNumber centre, factor, shift;
};

std::unique_ptr<RowEmitter> IntegerRowPlan::makeEmitter(Emitter &e,
                                                        Value args) {
  return std::make_unique<IntegerRowEmitter>(e, *this, args);
}

void IntegerRowPlan::addTable(const std::vector<int32_t> &numbers) {
  if (numbers.empty())
    return;
  ConstantBlob blob;
  blob.size = static_cast<int64_t>(numbers.size() * sizeof(int32_t));
  blob.fill = [numbers](MutableArrayRef<char> out) {
    std::memcpy(out.data(), numbers.data(), numbers.size() * sizeof(int32_t));
  };
  tables.push_back({&numbers, addConstant(std::move(blob))});
}

template <typename Op>
bool IntegerRowPlan::initNorm(Op op) {
  scheme = toNumerics(op.getScheme());
  epsilon = static_cast<int64_t>(op.getEpsilon());
  shift = static_cast<int64_t>(op.getShift());
  if (!initRows(static_cast<int64_t>(op.getAxis())) || !hasKnownLength())
    return false;
  gain = resolve(op.getGain());
  bias = resolve(op.getBias());
  // Values of the program have no room behind them.
  return gain && bias && gain->argument > region.numInputs() &&
         bias->argument > region.numInputs();
}

bool IntegerRowPlan::init() {
  Operation *root = region.root;
  if (!isa<qd::IntSoftmaxOp, qd::IntLayerNormOp, qd::IntRmsNormOp>(root))
    return false;
  resultBits = getElementTypeOrSelf(root->getResult(0).getType())
                   .getIntOrFloatBitWidth();
  if (auto op = dyn_cast<qd::IntSoftmaxOp>(root)) {
    softmax = integersOf(op);
    auto axis = static_cast<int64_t>(op.getAxis());
    if (!softmax || axis + 1 != op.getType().getRank() || !initRows(axis))
      return false;
    SymbolicShapes *shapes = region.shapes.get();
    // Beyond that a lane's sum needs more than 32 bits.
    if ((shapes ? shapes->sizes.bounds(length).high : length) > 1 << 14)
      return false;
    addTable(softmax->exp.low);
    addTable(softmax->exp.middle);
    addTable(softmax->exp.high);
  } else if (auto norm = dyn_cast<qd::IntLayerNormOp>(root)) {
    if (!initNorm(norm))
      return false;
  } else {
    auto rms = cast<qd::IntRmsNormOp>(root);
    centred = false;
    zeroPoint = static_cast<int64_t>(rms.getZeroPoint());
    if (!initNorm(rms))
      return false;
  }
  return initEpilogue();
}

} // namespace

PlanPtr planIntegerRow(const KernelRegion &region) {
  if (!region.root)
    return nullptr;
  auto plan = std::make_unique<IntegerRowPlan>(region);
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
