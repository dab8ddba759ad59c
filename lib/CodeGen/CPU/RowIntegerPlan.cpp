// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer softmax, layer norm and RMS norm of contiguous rows, by the sequences
// of Numerics/IntegerSequences.h on sixteen lanes; what is done once a row is
// scalar. Sums of integers have one value in any order.

#include "Row.h"

#include "QDialect/IR/IntegerOps.h"
#include "QDialect/Numerics/IntegerSequences.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class IntegerRowPlan : public RowPlan {
public:
  using RowPlan::RowPlan;
  bool init();

  std::optional<IntegerSoftmax> softmax;
  unsigned fine = 0, coarse = 0; ///< positions of its tables in `args`
  // Of a norm.
  IntegerScheme scheme = IntegerScheme::QD;
  bool centred = true;
  std::optional<Source> gain, bias;
  int64_t zeroPoint = 0, epsilon = 1, shift = 0;
  unsigned resultBits = 8;

protected:
  std::unique_ptr<RowEmitter> makeEmitter(Emitter &e, Value args) override;

private:
  unsigned addTable(const std::vector<int32_t> &numbers);
  template <typename Op>
  bool initNorm(Op op);
};

/// Numerics' set of operations on lanes or scalars.
class LaneIntegers {
public:
  explicit LaneIntegers(Emitter &e) : e(e) {}

  Value narrow(Value x) { return resize(x, e.i32()); }
  Value wide(Value x) { return resize(x, e.i64()); }
  Value number(Value x, int64_t n) { return e.constantInt(x.getType(), n); }
  Value add(Value x, Value y) { return arith::AddIOp::create(e, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(e, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(e, x, y); }
  Value min(Value x, Value y) { return arith::MinSIOp::create(e, x, y); }
  Value max(Value x, Value y) { return arith::MaxSIOp::create(e, x, y); }
  Value div(Value x, Value y) { return arith::DivUIOp::create(e, x, y); }
  Value shl(Value x, Value n) { return arith::ShLIOp::create(e, x, n); }
  Value shr(Value x, Value n) { return arith::ShRSIOp::create(e, x, n); }
  Value table(const std::vector<int32_t> &numbers, Value index) {
    Value base = tables.lookup(numbers.data());
    auto places = Emitter::vector(e.i64());
    Value offset = mul(wide(index), e.constantInt(places, 4));
    Value addresses = LLVM::GEPOp::create(
        e, VectorType::get({Emitter::kLanes}, e.ptr()), e.i8(), base,
        ArrayRef<LLVM::GEPArg>{offset}, LLVM::GEPNoWrapFlags::inbounds);
    auto type = Emitter::vector(e.i32());
    return LLVM::masked_gather::create(
        e, type, addresses, e.prefixMask(Emitter::kLanes),
        ValueRange{e.constantInt(type, 0)}, e.getI32IntegerAttr(4));
  }
  Value bitLength(Value x) {
    return sub(number(x, 64), math::CountLeadingZerosOp::create(e, x));
  }

  llvm::DenseMap<const int32_t *, Value> tables;

private:
  Value resize(Value x, Type element) {
    Type type = element;
    if (isa<VectorType>(x.getType()))
      type = Emitter::vector(element);
    unsigned from = getElementTypeOrSelf(x).getIntOrFloatBitWidth(),
             to = element.getIntOrFloatBitWidth();
    if (from == to)
      return x;
    return from < to ? Value(arith::ExtSIOp::create(e, type, x))
                     : Value(arith::TruncIOp::create(e, type, x));
  }

  Emitter &e;
};

class IntegerRowEmitter : public RowEmitter {
public:
  IntegerRowEmitter(Emitter &e, const IntegerRowPlan &plan, Value args)
      : RowEmitter(e, plan, args), plan(plan), o(e),
        i32(Emitter::vector(e.i32())), i64(Emitter::vector(e.i64())),
        input(pointer(plan.input)) {
    if (plan.softmax) {
      const IntegerExp &exp = plan.softmax->exp;
      if (plan.fine)
        o.tables[exp.fine.data()] = e.argument(args, plan.fine);
      if (plan.coarse)
        o.tables[exp.coarse.data()] = e.argument(args, plan.coarse);
    } else {
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
  /// Codes as i32, i8 ones 128 larger than they are: as they lie in memory.
  Value codes(Value element, Value mask) {
    if (plan.input.element.isInteger(8)) // 64 bytes behind may be read
      return arith::ExtUIOp::create(
          e, i32, load(Emitter::vector(e.i8()), x, element, {}));
    return arith::ExtSIOp::create(
        e, i32, load(Emitter::vector(e.getI16Type()), x, element, mask));
  }

  /// scratch = exponentials, factor = numerator / sum.
  void softmax() {
    Value least = e.constantInt(i32, -(1 << 15)), zero = e.constantInt(i32, 0);
    Value lanes = walk(least, [&](Value element, Value mask, Value seen) {
      return o.max(seen, onlyExisting(codes(element, mask), mask, least));
    });
    Value most = e.broadcast(tree<arith::MaxSIOp>(lanes), i32);
    // A lane sums at most 2^10 of the 2^14 elements, each at most 2^20.
    Value sums = walk(zero, [&](Value element, Value mask, Value sum) -> Value {
      // Lanes that do not exist may not read beyond a table.
      Value d = onlyExisting(o.sub(most, codes(element, mask)), mask, zero);
      Value power = sequences::integerExp(o, plan.softmax->exp, d);
      keep(power, element);
      // Seeded fault 85: lanes behind the row count as elements.
      if constexpr (QDIALECT_MUTATE == 85)
        mask = {};
      return o.add(sum, onlyExisting(power, mask, zero));
    });
    Value sum = tree<arith::AddIOp>(o.wide(sums));
    factor = e.broadcast(sequences::softmaxFactor(o, *plan.softmax, sum), i64);
  }

  /// The codes less the zero point, where it matters.
  Value centred(Value element, Value mask) {
    Value q = codes(element, mask);
    if (plan.centred)
      return q;
    int64_t offset = plan.input.element.isInteger(8) ? 128 : 0;
    return o.sub(q, e.constantInt(i32, plan.zeroPoint + offset));
  }

  void norm() {
    Value zero = e.constantInt(i32, 0);
    auto existing = [&](Value element, Value mask) {
      return onlyExisting(centred(element, mask), mask, zero);
    };
    Value sum = walk(zero, [&](Value element, Value mask, Value partial) {
      return o.add(partial, existing(element, mask));
    });
    Value squares = walk(e.constantInt(i64, 0),
                         [&](Value element, Value mask, Value partial) {
                           Value q = o.wide(existing(element, mask));
                           return o.add(partial, o.mul(q, q));
                         });
    Value parts[3];
    sequences::normRow(o, plan.scheme, plan.centred, plan.length, plan.epsilon,
                       tree<arith::AddIOp>(o.wide(sum)),
                       tree<arith::AddIOp>(squares), parts[0], parts[1],
                       parts[2]);
    centre = e.broadcast(parts[0], i64);
    factor = e.broadcast(parts[1], i64);
    shift = e.broadcast(parts[2], i64);
  }

  Lanes result(Value element, Value mask) override {
    Value code;
    if (plan.softmax) {
      code =
          sequences::softmaxCode(o, *plan.softmax, kept(i32, element), factor);
    } else {
      Value z =
          sequences::normElement(o, plan.scheme, plan.length,
                                 centred(element, mask), centre, factor, shift);
      // Constants have room behind them.
      Value g = load(i32, gain, element, {}), b = load(i64, bias, element, {});
      code = sequences::normCode(o, z, g, b, plan.shift, plan.resultBits);
    }
    if (plan.resultBits == 8)
      return Lanes::codes(o.add(code, e.constantInt(i32, 128)));
    return Lanes::of(
        arith::TruncIOp::create(e, Emitter::vector(e.getI16Type()), code));
  }

  const IntegerRowPlan &plan;
  LaneIntegers o;
  VectorType i32, i64;
  Value input, gain, bias;
  Value x; ///< the row
  Value centre, factor, shift;
};

std::unique_ptr<RowEmitter> IntegerRowPlan::makeEmitter(Emitter &e,
                                                        Value args) {
  return std::make_unique<IntegerRowEmitter>(e, *this, args);
}

unsigned IntegerRowPlan::addTable(const std::vector<int32_t> &numbers) {
  ConstantBlob blob;
  blob.size = static_cast<int64_t>(numbers.size() * sizeof(int32_t));
  blob.fill = [numbers](MutableArrayRef<char> out) {
    std::memcpy(out.data(), numbers.data(), numbers.size() * sizeof(int32_t));
  };
  return addConstant(std::move(blob));
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
    if (!softmax->exp.fine.empty())
      fine = addTable(softmax->exp.fine);
    if (!softmax->exp.coarse.empty())
      coarse = addTable(softmax->exp.coarse);
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
