// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of scaled tensors (residual adds, affine maps per channel) and products
// of two tensors.
//
//   sum, float:   round(sum of f32(q_i - z_i) * (s_i / sy) + b / sy), the
//                 constants of a single summand such that every code is what
//                 the island's own f32 operations give
//   sum, dyadic:  (sum of q_i * m_i + b') / 2^shift, rounded once, with
//                 m_i = round(s_i / sy * 2^shift) of two words, which machines
//                 multiply in pairs, and the zero points in b'; where that is
//                 too coarse
//                 (sum of (q_i - z_i) * m_i + b') / 2^shift with the largest
//                 shift for which no i32 product or sum can overflow; in i64
//                 for codes of more than 8 bits
//   product:      (q_1 - z_1) * (q_2 - z_2) in i32, or i64 if it needs more
//                 bits, then as any accumulator

#include "CodeFunction.h"
#include "IndexedRange.h"
#include "IntegerizeFamilies.h"
#include "QDialect/Numerics/AffineCodes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

/// q - z of a leaf in i32, inside a payload.
class Centered {
public:
  Centered(IntegerizeContext &context, const Island &island,
           const Coefficient &zeroPoint,
           SmallVectorImpl<ElementwiseInput> &inputs)
      : isPlain(zeroPoint.isExactly(0)),
        zero(context, island.quantize->getLoc(), zeroPoint,
             context.builder.getI32Type(), island.rank(), inputs) {}

  Value emit(OpBuilder &builder, Location loc, ValueRange arguments,
             Value code) const {
    Value wide =
        arith::ExtSIOp::create(builder, loc, builder.getI32Type(), code);
    if (isPlain)
      return wide;
    return arith::SubIOp::create(builder, loc, wide,
                                 zero.get(builder, loc, arguments));
  }

private:
  bool isPlain;
  PayloadConstant zero;
};

struct Summand {
  const Leaf *leaf;
  Coefficient ratio;    ///< output steps per input step, exact
  Coefficient ratioF32; ///< as float mode rounds it
};

struct Sum {
  SmallVector<Summand, 2> summands;
  Coefficient constant; ///< in output steps
  SmallVector<ElementwiseInput> inputs;

  /// What the sum reaches in output steps at most.
  double reach() const {
    double total = constant.magnitude();
    for (const Summand &summand : summands)
      total += IndexedRange::ofCodes(*summand.leaf).magnitude() *
               summand.ratio.magnitude();
    return total;
  }

  /// The bound of the sum with numbers that `round` makes of its own.
  AccumulatorBound
  bound(llvm::function_ref<Coefficient(const Coefficient &)> round) const {
    IndexedRange range = IndexedRange::number(round(constant));
    for (const Summand &summand : summands)
      range = range + IndexedRange::ofCodes(*summand.leaf) *
                          IndexedRange::number(round(summand.ratio));
    return range.bound();
  }
};

/// sum of factor * (code - zero point), plus a constant, in f32, i32 or i64.
/// Where the constant `hasZeroPoints`, they are not subtracted from the codes.
class SumPayload {
public:
  SumPayload(IntegerizeContext &context, const Island &island, Sum &sum,
             Type type,
             llvm::function_ref<Coefficient(const Summand &)> factorOf,
             const Coefficient &constant, bool hasZeroPoints = false)
      : type(type), shifted(hasZeroPoints || !sum.constant.isExactly(0)) {
    Location loc = island.quantize->getLoc();
    for (const Summand &summand : sum.summands) {
      factors.emplace_back(context, loc, factorOf(summand), type, island.rank(),
                           sum.inputs);
      codes.emplace_back(context, island,
                         hasZeroPoints ? Coefficient::scalar(0)
                                       : summand.leaf->zeroPoint,
                         sum.inputs);
    }
    factors.emplace_back(context, loc,
                         shifted ? constant : Coefficient::scalar(0), type,
                         island.rank(), sum.inputs);
  }

  Value emit(OpBuilder &b, Location l, ValueRange args) {
    Value total;
    for (size_t i = 0; i < codes.size(); ++i) {
      Value code = codes[i].emit(b, l, args, args[i]);
      if (type.isF32())
        code = arith::SIToFPOp::create(b, l, type, code);
      else if (type != code.getType())
        code = arith::ExtSIOp::create(b, l, type, code);
      Value part = make<arith::MulFOp, arith::MulIOp>(
          b, l, code, factors[i].get(b, l, args));
      total = total ? add(b, l, total, part) : part;
    }
    return shifted ? add(b, l, total, factors.back().get(b, l, args)) : total;
  }

private:
  template <class FloatOp, class IntegerOp>
  Value make(OpBuilder &b, Location l, Value x, Value y) {
    return type.isF32() ? Value(FloatOp::create(b, l, x, y))
                        : Value(IntegerOp::create(b, l, x, y));
  }
  Value add(OpBuilder &b, Location l, Value x, Value y) {
    return make<arith::AddFOp, arith::AddIOp>(b, l, x, y);
  }

  Type type;
  bool shifted;
  SmallVector<Centered, 2> codes;
  /// Those of the summands, then the constant.
  SmallVector<PayloadConstant, 3> factors;
};

/// Codes of functions that are computed to choose constants, at most.
constexpr int64_t kMostCodes = int64_t(1) << 21;

/// Moves the float constants of a sum of one summand until every code is what
/// the island's own f32 operations make of it. Gives how far those are from the
/// exact value; nothing where no constants do, or too many codes would have to
/// be tried.
std::optional<double> followFloats(const Island &island, Sum &sum) {
  if (sum.summands.size() != 1)
    return std::nullopt;
  std::optional<CodeFunction> function = CodeFunction::match(island.quantize);
  if (!function || function->numIndices() > kMostCodes / function->numCodes())
    return std::nullopt;
  std::optional<CodeFunction::Values> values =
      function->evaluate(/*inFloats=*/true);
  if (!values)
    return std::nullopt;
  auto spread = [&](const Coefficient &c) {
    return c.spread(function->dims, function->sizes);
  };
  Summand &summand = sum.summands[0];
  bool adds = !sum.constant.isExactly(0);
  bool movedFactor = false, movedConstant = false;
  Coefficient factors = spread(summand.ratioF32),
              constants = spread(sum.constant);
  auto bounds = [&](const std::optional<Coefficient> &codes, int64_t none) {
    return spread(codes ? *codes
                        : Coefficient::scalar(static_cast<double>(none)));
  };
  Coefficient lower = bounds(island.lowerCodes(), island.grid.min),
              upper = bounds(island.upperCodes(), island.grid.max);
  int64_t half = function->numCodes() / 2;
  AffineCodes wanted;
  wanted.low = static_cast<int32_t>(-half - function->from.zeroPoint);
  wanted.codes.resize(2 * half);
  wanted.zeroPoint = island.grid.zeroPoint;
  for (int64_t i = 0, e = function->numIndices(); i < e; ++i) {
    // The entries stand in the order of bit patterns: negative codes last.
    const int64_t *entries = values->codes.data() + i * 2 * half;
    for (int64_t code = -half; code < half; ++code)
      wanted.codes[code + half] =
          static_cast<int32_t>(entries[code & (2 * half - 1)]);
    wanted.min = static_cast<int32_t>(lower.values[i]);
    wanted.max = static_cast<int32_t>(upper.values[i]);
    FloatAffine nearest{static_cast<float>(factors.values[i]),
                        static_cast<float>(constants.values[i])};
    std::optional<FloatAffine> found = chooseFloatAffine(wanted, nearest, adds);
    if (!found)
      return std::nullopt;
    movedFactor |= found->factor != nearest.factor;
    movedConstant |= found->offset != nearest.offset;
    factors.values[i] = found->factor;
    constants.values[i] = found->offset;
  }
  // One number for all channels stays one where none moved.
  if (movedFactor)
    summand.ratioF32 = std::move(factors);
  if (movedConstant)
    sum.constant = std::move(constants);
  return values->error;
}

Value emitFloatSum(IntegerizeContext &context, const Island &island, Sum &sum) {
  OpBuilder &builder = context.builder;
  Location loc = island.quantize->getLoc();
  std::optional<double> known = followFloats(island, sum);
  SumPayload payload(
      context, island, sum, builder.getF32Type(),
      [](const Summand &summand) { return summand.ratioF32; }, sum.constant);
  IslandEnd end(context, island, sum.inputs);
  auto op = makeElementwise(
      builder, loc, island.type(), sum.inputs,
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value total = payload.emit(b, l, args);
        Value one = arith::ConstantOp::create(b, l, b.getF32FloatAttr(1.0f));
        Value code = qd::QuantizeOp::create(b, l, island.grid.alphabet, total,
                                            one, end.zeroPoint(b, l, args));
        return end.clamp(b, l, args, code);
      });
  // A rounding of each ratio, product and partial sum, and of the constant.
  double error = known.value_or(sum.reach() *
                                (static_cast<double>(sum.summands.size()) + 3) *
                                std::ldexp(1.0, -24) * 1.001);
  finish(island, op, error);
  return op.getResult(0);
}

/// The integers of a dyadic sum: a number stands for so many 2^-shift.
struct DyadicSum {
  int shift = 0;
  bool isWide = false;        ///< i64
  bool hasZeroPoints = false; ///< the constant
  Coefficient constant;
  /// Of partial sums, in magnitude.
  double most = 0;

  /// `ratio` in these numbers.
  Coefficient scaled(const Coefficient &ratio) const {
    return ratio.map(
        [&](double v) { return std::nearbyint(std::ldexp(v, shift)); });
  }
};

/// Half a unit for each rounded multiplier, and for the constant.
double roundingUnits(const Sum &sum) {
  double units = 1;
  for (const Summand &summand : sum.summands)
    units += 0.5 * IndexedRange::ofCodes(*summand.leaf).magnitude();
  return units;
}

/// The sum in steps of 2^-shift with the zero points in the constant; nothing
/// where a number would be too large for products of words (see PayloadDot.cpp
/// of the CPU kernels), or the rounded sum for 32 bits.
std::optional<DyadicSum> wordSumAt(const Sum &sum, int shift) {
  constexpr double kMostMultiplier = 0x1p22;
  DyadicSum words;
  words.hasZeroPoints = true;
  words.shift = shift;
  words.constant = words.scaled(sum.constant);
  for (const Summand &summand : sum.summands) {
    Coefficient multiplier = words.scaled(summand.ratio);
    if (multiplier.magnitude() > kMostMultiplier)
      return std::nullopt;
    words.constant = combine(
        words.constant,
        combine(multiplier, summand.leaf->zeroPoint, std::multiplies<double>()),
        std::minus<double>());
    words.most += 128 * multiplier.magnitude();
  }
  words.most += words.constant.magnitude();
  if (words.most + std::ldexp(0.5, shift) > INT32_MAX - 2.0)
    return std::nullopt;
  return words;
}

/// Such a sum with as many digits as there is room for; nothing where these
/// would cost more than kMostWordError of an output step, or where no number
/// needs more: then it may tie, and ties go to the even code.
std::optional<DyadicSum> chooseWordSum(const Sum &sum) {
  constexpr double kMostWordError = 1.0 / 1024;
  std::optional<DyadicSum> words;
  for (int shift = 24; shift >= 0 && !words; --shift)
    words = wordSumAt(sum, shift);
  if (!words || std::ldexp(roundingUnits(sum), -words->shift) > kMostWordError)
    return std::nullopt;
  auto isExact = [&](const Coefficient &ratio) {
    return words->scaled(ratio).values ==
           ratio.map([&](double v) { return std::ldexp(v, words->shift); })
               .values;
  };
  if (isExact(sum.constant) &&
      llvm::all_of(sum.summands, [&](const Summand &summand) {
        return isExact(summand.ratio);
      }))
    return std::nullopt;
  return words;
}

/// The sum with as many digits as there is room for; nothing where there is
/// not enough.
std::optional<DyadicSum> chooseLongSum(const Sum &sum, bool isWide) {
  DyadicSum result;
  result.isWide = isWide;
  // Every product and every partial sum is below reach * 2^shift plus what
  // multipliers are rounded by. In 64 bits no further than doubles are exact,
  // in which it is proven.
  double limit = isWide ? std::ldexp(1.0, 53) : INT32_MAX;
  auto mostAt = [&](int shift) {
    return std::ldexp(sum.reach(), shift) + roundingUnits(sum);
  };
  int shift = 30;
  while (shift >= 0 && mostAt(shift) > limit)
    --shift;
  // A larger multiplier than i32 holds cannot be either.
  for (const Summand &summand : sum.summands)
    while (shift >= 0 &&
           std::ldexp(summand.ratio.magnitude(), shift) > INT32_MAX - 1)
      --shift;
  if (shift < 8)
    return std::nullopt;
  result.shift = shift;
  result.constant = result.scaled(sum.constant);
  result.most = mostAt(shift);
  return result;
}

Value emitDyadicSum(IntegerizeContext &context, const Island &island,
                    Sum &sum) {
  OpBuilder &builder = context.builder;
  Location loc = island.quantize->getLoc();
  bool isWide = island.grid.bits() > 8 ||
                llvm::any_of(sum.summands, [](const Summand &summand) {
                  return summand.leaf->grid->bits() > 8;
                });
  std::optional<DyadicSum> numbers;
  if (!isWide)
    numbers = chooseWordSum(sum);
  if (!numbers)
    numbers = chooseLongSum(sum, isWide);
  if (!numbers)
    return context.refuse("its inputs have steps so much coarser than its "
                          "result that no multiplier fits 32 bits");
  SumPayload payload(
      context, island, sum,
      isWide ? builder.getI64Type() : builder.getI32Type(),
      [&](const Summand &summand) { return numbers->scaled(summand.ratio); },
      numbers->constant, numbers->hasZeroPoints);
  IslandEnd end(context, island, sum.inputs);
  // Between rounded multipliers a tie is an accident.
  qd::Rounding rounding =
      numbers->hasZeroPoints ? qd::Rounding::HalfUp : qd::Rounding::HalfEven;
  auto op = makeElementwise(
      builder, loc, island.type(), sum.inputs,
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value total = payload.emit(b, l, args);
        auto integer = [&](int64_t value) -> Value {
          return arith::ConstantOp::create(b, l, b.getI32IntegerAttr(value));
        };
        Value code = qd::RescaleOp::create(
            b, l, island.grid.alphabet, total, integer(1),
            integer(numbers->shift), end.zeroPoint(b, l, args),
            qd::RoundingAttr::get(b.getContext(), rounding),
            qd::OverflowAttr::get(b.getContext(), qd::Overflow::Saturate));
        return end.clamp(b, l, args, code);
      });
  finish(island, op, std::ldexp(roundingUnits(sum), -numbers->shift));
  stateBounds(
      op, sum.bound([&](const Coefficient &c) { return numbers->scaled(c); }),
      isWide ? INT32_MAX : numbers->most,
      numbers->most + std::ldexp(0.5, numbers->shift));
  return op.getResult(0);
}

} // namespace

Value integerizeSum(IntegerizeContext &context, const Island &island) {
  double sy = island.grid.scale;
  Sum sum;
  for (const Term &term : island.formula.terms) {
    const Leaf &leaf = island.leaves[term.leaves[0]];
    Summand summand;
    summand.leaf = &leaf;
    summand.ratio =
        term.factor.map([&](double f) { return f * leaf.grid->scale / sy; });
    // A plain or negated summand is scaled by one f32 quotient.
    summand.ratioF32 = term.factor.map([&](double f) -> double {
      float ratio = leaf.grid->scale / island.grid.scale;
      if (f == 1 || f == -1)
        return f * ratio;
      return static_cast<float>(f * leaf.grid->scale / sy);
    });
    sum.summands.push_back(std::move(summand));
    sum.inputs.push_back({leaf.value, leaf.map});
  }
  // Seeded fault 29: the scales of a residual add change places.
  if constexpr (QDIALECT_MUTATE == 29)
    if (sum.summands.size() == 2) {
      std::swap(sum.summands[0].ratio, sum.summands[1].ratio);
      std::swap(sum.summands[0].ratioF32, sum.summands[1].ratioF32);
    }
  sum.constant = island.formula.constant.map([&](double b) { return b / sy; });
  if (!std::isfinite(sum.reach()))
    return context.refuse("a constant of it is not finite");
  return context.dyadic ? emitDyadicSum(context, island, sum)
                        : emitFloatSum(context, island, sum);
}

Value integerizeProduct(IntegerizeContext &context, const Island &island) {
  const Term &term = island.formula.terms[0];
  if (term.leaves.size() != 2)
    return context.refuse("a product of more than two tensors is not rounded "
                          "in between");
  if (!island.formula.constant.isExactly(0))
    return context.refuse("an offset follows its product without a rounding");
  const Leaf &a = island.leaves[term.leaves[0]];
  const Leaf &b = island.leaves[term.leaves[1]];
  if (!a.grid || !b.grid)
    return context.refuse("an accumulator is multiplied without a rounding");
  if (!term.factor.allOf([](double f) { return f > 0; }))
    return context.refuse("its product is scaled by a factor that is not "
                          "positive");
  double scale = static_cast<double>(a.grid->scale) * b.grid->scale;
  Accumulator accumulator;
  accumulator.inputs = {{a.value, a.map}, {b.value, b.map}};
  IndexedRange range = IndexedRange::ofCodes(a) * IndexedRange::ofCodes(b);
  if (!(range.magnitude() < std::ldexp(1.0, 40)))
    return context.refuse("its zero points make the product exceed 40 bits");
  accumulator.bound = range.bound();
  accumulator.maxAbs = accumulator.bound->maxAbs();
  bool isWide = accumulator.maxAbs > std::numeric_limits<int32_t>::max();
  accumulator.value =
      [left = Centered(context, island, a.zeroPoint, accumulator.inputs),
       right = Centered(context, island, b.zeroPoint, accumulator.inputs),
       isWide](OpBuilder &builder, Location loc, ValueRange args) -> Value {
    Value x = left.emit(builder, loc, args, args[0]),
          y = right.emit(builder, loc, args, args[1]);
    if (isWide) {
      x = arith::ExtSIOp::create(builder, loc, builder.getI64Type(), x);
      y = arith::ExtSIOp::create(builder, loc, builder.getI64Type(), y);
    }
    return arith::MulIOp::create(builder, loc, x, y);
  };
  accumulator.scale =
      term.factor.map([&](double f) { return f * scale / island.grid.scale; });
  accumulator.scaleF32 = term.factor.map([&](double f) -> double {
    if (f == 1)
      return a.grid->scale * b.grid->scale / island.grid.scale;
    return static_cast<float>(f * scale / island.grid.scale);
  });
  return makeRequantize(context, island, accumulator);
}

} // namespace qdialect
