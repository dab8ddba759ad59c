// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds of payload values. They prove that a float is no NaN and fits an i32,
// which lets the epilogue of a contraction convert without clamping first.

#include "KernelRegion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;

namespace qdialect::cpu {

namespace {

/// One f32 rounding, and the f64 arithmetic of the bounds themselves.
Interval widen(Interval x) {
  double slack = x.magnitude() * 1e-6;
  return {x.low - slack, x.high + slack};
}

Interval product(Interval a, Interval b) {
  double corners[] = {a.low * b.low, a.low * b.high, a.high * b.low,
                      a.high * b.high};
  return {*std::min_element(std::begin(corners), std::end(corners)),
          *std::max_element(std::begin(corners), std::end(corners))};
}

std::optional<Interval> finite(Interval x, Type type) {
  // Integers must not wrap, floats must not reach infinity.
  double limit = 1e38;
  if (auto integer = dyn_cast<IntegerType>(type))
    limit = std::ldexp(1.0, std::min(62u, integer.getWidth() - 1)) - 1;
  if (!(x.magnitude() <= limit))
    return std::nullopt;
  return x;
}

std::optional<Interval> codesOf(Type type) {
  auto alphabet = dyn_cast<qd::AlphabetTypeInterface>(type);
  if (!alphabet || !(type.isInteger(8) || type.isInteger(16)))
    return std::nullopt;
  return Interval{alphabet.getMinFinite(), alphabet.getMaxFinite()};
}

} // namespace

std::optional<Interval> Epilogue::rangeOf(Value scalar) const {
  Attribute constant;
  if (matchPattern(scalar, m_Constant(&constant))) {
    double value = NAN;
    if (auto real = dyn_cast<FloatAttr>(constant))
      value = real.getValueAsDouble();
    else if (auto integer = dyn_cast<IntegerAttr>(constant))
      value = static_cast<double>(integer.getInt());
    if (!std::isfinite(value))
      return std::nullopt;
    return Interval{value, value};
  }
  if (auto argument = dyn_cast<BlockArgument>(scalar)) {
    auto generic =
        dyn_cast<linalg::GenericOp>(argument.getOwner()->getParentOp());
    if (!generic || argument.getArgNumber() >= generic.getNumDpsInputs())
      return std::nullopt;
    OpOperand &use = generic->getOpOperand(argument.getArgNumber());
    Operation *op = use.get().getDefiningOp();
    if (op && op == region->root)
      return rootRange;
    if (op && region->steps.contains(op)) {
      auto step = dyn_cast<linalg::GenericOp>(op);
      return step ? rangeOf(step.getBlock()->getTerminator()->getOperand(0))
                  : codesOf(scalar.getType());
    }
    if (op && op->hasTrait<OpTrait::ConstantLike>() &&
        isa<RankedTensorType>(use.get().getType()))
      return rangeOfConstant(use.get());
    return codesOf(scalar.getType());
  }

  Operation *op = scalar.getDefiningOp();
  auto of = [&](unsigned i) { return rangeOf(op->getOperand(i)); };
  auto binary = [&](auto combine) -> std::optional<Interval> {
    std::optional<Interval> a = of(0), b = of(1);
    if (!a || !b)
      return std::nullopt;
    return finite(widen(combine(*a, *b)), scalar.getType());
  };
  return llvm::TypeSwitch<Operation *, std::optional<Interval>>(op)
      .Case<arith::ExtSIOp, arith::SIToFPOp>(
          [&](auto) -> std::optional<Interval> {
            std::optional<Interval> a = of(0);
            return a ? finite(widen(*a), scalar.getType()) : a;
          })
      .Case<arith::AddIOp, arith::AddFOp>([&](auto) {
        return binary([](Interval a, Interval b) {
          return Interval{a.low + b.low, a.high + b.high};
        });
      })
      .Case<arith::SubIOp, arith::SubFOp>([&](auto) {
        return binary([](Interval a, Interval b) {
          return Interval{a.low - b.high, a.high - b.low};
        });
      })
      .Case<arith::MulIOp, arith::MulFOp>([&](auto) { return binary(product); })
      .Case<arith::MaxSIOp, arith::MaximumFOp, arith::MaxNumFOp>([&](auto) {
        return binary([](Interval a, Interval b) {
          return Interval{std::max(a.low, b.low), std::max(a.high, b.high)};
        });
      })
      .Case<arith::MinSIOp, arith::MinimumFOp, arith::MinNumFOp>([&](auto) {
        return binary([](Interval a, Interval b) {
          return Interval{std::min(a.low, b.low), std::min(a.high, b.high)};
        });
      })
      .Default([&](Operation *) { return codesOf(scalar.getType()); });
}

/// The tensor that a payload's scalar is an element of; null if it is none.
static Value tensorBehind(Value scalar) {
  auto argument = dyn_cast<BlockArgument>(scalar);
  if (!argument)
    return {};
  auto generic =
      dyn_cast<linalg::GenericOp>(argument.getOwner()->getParentOp());
  if (!generic || argument.getArgNumber() >= generic.getNumDpsInputs())
    return {};
  return generic->getOperand(argument.getArgNumber());
}

std::optional<unsigned> Epilogue::mostTrailingZeros(Value scalar) const {
  std::optional<Interval> range = rangeOf(scalar);
  std::optional<unsigned> most;
  if (range && range->magnitude() < 1)
    return 0;
  if (range) // what 2^k divides is no smaller
    most = std::ilogb(range->magnitude());
  auto atMost = [&](std::optional<unsigned> other) {
    if (other && (!most || *other < *most))
      most = other;
  };
  APInt number;
  if (matchPattern(scalar, m_ConstantInt(&number)))
    return number.isZero() ? 0 : number.countr_zero();
  if (Operation *op = scalar.getDefiningOp()) {
    if (isa<arith::ExtSIOp>(op))
      atMost(mostTrailingZeros(op->getOperand(0)));
    if (isa<arith::MulIOp>(op)) {
      std::optional<unsigned> a = mostTrailingZeros(op->getOperand(0)),
                              b = mostTrailingZeros(op->getOperand(1));
      if (a && b)
        atMost(*a + *b);
    }
    return most;
  }
  Value tensor = tensorBehind(scalar);
  std::optional<ConstantView> view =
      tensor && isa<IntegerType>(getElementTypeOrSelf(tensor.getType()))
          ? constantView(tensor)
          : std::nullopt;
  if (!view)
    return most;
  unsigned ofConstant = 0;
  for (int64_t i = 0, e = view->splat ? 1 : view->numElements(); i < e; ++i)
    if (int64_t element = view->integer(i))
      ofConstant =
          std::max<unsigned>(ofConstant, llvm::countr_zero(uint64_t(element)));
  atMost(ofConstant);
  return most;
}

/// Does nothing negative leave the lowest code, however it is rounded? So it is
/// behind a relu: a zero point as low as codes are.
bool Epilogue::negativesSaturate(qd::RescaleOp rescale) const {
  std::optional<Interval> multiplier = rangeOf(rescale.getMultiplier());
  auto codes = dyn_cast<IntegerType>(rescale.getType());
  if (!multiplier || multiplier->low < 0 || !codes || !rescale.getZeroPoint() ||
      rescale.getOverflow() != qd::Overflow::Saturate)
    return false;
  std::optional<Interval> zeroPoint = rangeOf(rescale.getZeroPoint());
  return zeroPoint &&
         zeroPoint->high <= -std::ldexp(1.0, int(codes.getWidth()) - 1);
}

std::optional<Epilogue::Shift> Epilogue::shiftOf(qd::RescaleOp rescale) const {
  std::optional<Interval> input = rangeOf(rescale.getInput()),
                          multiplier = rangeOf(rescale.getMultiplier()),
                          shift = rangeOf(rescale.getShift());
  if (!input && rescale.getInput().getType().isInteger(32))
    input = Interval{-0x1p31, 0x1p31};
  if (!input || !multiplier || !shift || shift->low < 1 || shift->high > 62)
    return std::nullopt;
  double bound = input->magnitude() * multiplier->magnitude() * 1.0001;
  if (bound + std::ldexp(1.0, static_cast<int>(shift->high) - 1) >= 0x1p63 ||
      std::ldexp(bound, -static_cast<int>(shift->low)) >= 0x1p29)
    return std::nullopt;
  Shift facts;
  facts.isHigh = shift->low >= 33;
  facts.isLow = shift->high <= 32;
  facts.isNarrow =
      multiplier->low == 1 && multiplier->high == 1 && shift->high <= 31 &&
      rescale.getInput().getType().isInteger(32) &&
      input->magnitude() + std::ldexp(1.0, static_cast<int>(shift->high) - 1) <
          0x1p31 - 2;
  // Upper halves are as they are, other products lose what digits they can.
  bool hasRoom =
      facts.isHigh
          ? std::ldexp(bound, -32) < 0x1p30
          : shift->low >= kMostDigits &&
                std::ldexp(bound, int(kMostDigits) - int(shift->low)) < 0x1p30;
  facts.digits = hasRoom ? kMostDigits : 1;
  facts.isWord = facts.isHigh && shift->high <= 32 + facts.digits;
  if (Value zero = rescale.getZeroPoint()) {
    std::optional<Interval> range = rangeOf(zero),
                            codes = codesOf(rescale.getType());
    facts.hasCodeAsZero = range && codes && range->low >= codes->low &&
                          range->high <= codes->high;
  } else {
    facts.hasCodeAsZero = true;
  }
  // 2^k divides a product if it divides the factors that often together, and
  // half a step is 2^(shift - 1).
  std::optional<unsigned> a = mostTrailingZeros(rescale.getInput()),
                          b = mostTrailingZeros(rescale.getMultiplier());
  if (a && input->high < -input->low && negativesSaturate(rescale))
    a = input->high < 1 ? 0 : std::min<unsigned>(*a, std::ilogb(input->high));
  facts.neverTies = a && b && *a + *b < shift->low - 1;
  return facts;
}

bool Epilogue::isOne(Value scale) const {
  std::optional<Interval> range = rangeOf(scale);
  return range && range->low == 1.0 && range->high == 1.0;
}

std::optional<Interval> Epilogue::roundedRange(Operation *cast) const {
  if (auto quantize = dyn_cast<qd::QuantizeOp>(cast))
    return isOne(quantize.getScales()[0]) ? rangeOf(quantize.getInput())
                                          : std::nullopt;
  auto requantize = mlir::cast<qd::RequantizeOp>(cast);
  std::optional<Interval> scale = rangeOf(requantize.getScale());
  std::optional<Interval> input = rangeOf(requantize.getInput());
  double magnitude = input ? input->magnitude() : std::ldexp(1.0, 31);
  if (!scale || !(magnitude * scale->magnitude() < 1e37))
    return std::nullopt;
  double bound = magnitude * scale->magnitude() * 1.0001;
  return Interval{-bound, bound};
}

std::string Epilogue::provenFacts() const {
  std::string text;
  auto noteZeroPoint = [&](Value zeroPoint) {
    if (zeroPoint)
      text += isSafeZeroPoint(rangeOf(zeroPoint)) ? 's' : 'u';
  };
  auto noteRounding = [&](Operation *op) {
    std::optional<Interval> range = roundedRange(op);
    text += !range ? 'u' : isNear(range) ? 'n' : isSafe(range) ? 's' : 'f';
  };
  for (Operation *step : region->steps)
    step->walk([&](Operation *op) {
      if (auto quantize = dyn_cast<qd::QuantizeOp>(op)) {
        text += isOne(quantize.getScales()[0]) ? '1' : 'x';
        noteRounding(op);
        noteZeroPoint(quantize.getZeroPoint());
      } else if (auto requantize = dyn_cast<qd::RequantizeOp>(op)) {
        noteRounding(op);
        noteZeroPoint(requantize.getZeroPoint());
      } else if (auto dequantize = dyn_cast<qd::DequantizeOp>(op)) {
        noteZeroPoint(dequantize.getZeroPoint());
      } else if (auto rescale = dyn_cast<qd::RescaleOp>(op)) {
        std::optional<Shift> facts = shiftOf(rescale);
        text += !facts            ? 'u'
                : facts->isNarrow ? 'i'
                : facts->isHigh   ? 'h'
                : facts->isLow    ? 'l'
                                  : 'm';
        text += facts && facts->neverTies ? 'n' : 't';
        if (facts)
          text += std::to_string(facts->digits) + (facts->isWord ? 'w' : 's') +
                  (facts->hasCodeAsZero ? 'c' : 'o');
        noteZeroPoint(rescale.getZeroPoint());
      }
    });
  return text;
}

} // namespace qdialect::cpu
