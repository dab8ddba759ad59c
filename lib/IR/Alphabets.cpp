// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The alphabet interface, answered for every type in one place. Codes of at
// most 16 bits are Numerics' Format. What is wider (i32, i64, !qd.uint<32>,
// f32,
// ...) is no alphabet that anything is quantized to, but storage casts and
// accumulators ask for its bits and range, so it gets plain arithmetic here.

#include "Alphabets.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APSInt.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace qdialect;

// The words of the two enums are the same and stand in the same order.
static_assert(int(qd::Rounding::HalfEven) == int(Rounding::HalfEven) &&
              int(qd::Rounding::HalfAway) == int(Rounding::HalfAway) &&
              int(qd::Rounding::HalfUp) == int(Rounding::HalfUp) &&
              int(qd::Rounding::Floor) == int(Rounding::Floor) &&
              int(qd::Rounding::Trunc) == int(Rounding::Trunc) &&
              int(qd::Rounding::Stochastic) == int(Rounding::Stochastic));
static_assert(int(qd::IntegerScheme::QD) == int(IntegerScheme::QD) &&
              int(qd::IntegerScheme::IBert) == int(IntegerScheme::IBert) &&
              int(qd::IntegerScheme::IVit) == int(IntegerScheme::IVit));
static_assert(int(qd::Specials::None) == int(Specials::None) &&
              int(qd::Specials::Ocp) == int(Specials::OCP) &&
              int(qd::Specials::Ieee) == int(Specials::IEEE) &&
              int(qd::Specials::Fnuz) == int(Specials::FNUZ));

Rounding qd::toNumerics(qd::Rounding rounding) {
  return static_cast<::qdialect::Rounding>(rounding);
}

Overflow qd::toNumerics(qd::Overflow overflow) {
  return overflow == qd::Overflow::Saturate ? ::qdialect::Overflow::Saturate
                                            : ::qdialect::Overflow::Wrap;
}

IntegerScheme qd::toNumerics(qd::IntegerScheme scheme) {
  return static_cast<::qdialect::IntegerScheme>(scheme);
}

static std::optional<Format> getBuiltinFloatFormat(FloatType type) {
  return llvm::TypeSwitch<Type, std::optional<Format>>(type)
      .Case([](Float4E2M1FNType) { return Format::minifloat(2, 1); })
      .Case([](Float6E2M3FNType) { return Format::minifloat(2, 3); })
      .Case([](Float6E3M2FNType) { return Format::minifloat(3, 2); })
      .Case([](Float8E3M4Type) {
        return Format::minifloat(3, 4, Specials::IEEE);
      })
      .Case([](Float8E4M3Type) {
        return Format::minifloat(4, 3, Specials::IEEE);
      })
      .Case([](Float8E5M2Type) {
        return Format::minifloat(5, 2, Specials::IEEE);
      })
      .Case([](Float8E4M3FNType) {
        return Format::minifloat(4, 3, Specials::OCP);
      })
      .Case([](Float8E4M3FNUZType) {
        return Format::minifloat(4, 3, Specials::FNUZ);
      })
      .Case([](Float8E5M2FNUZType) {
        return Format::minifloat(5, 2, Specials::FNUZ);
      })
      .Case([](Float8E4M3B11FNUZType) {
        return Format::minifloat(4, 3, 11, Specials::FNUZ);
      })
      .Case([](Float8E8M0FNUType) { return Format::e8m0(); })
      .Case(
          [](Float16Type) { return Format::minifloat(5, 10, Specials::IEEE); })
      .Case(
          [](BFloat16Type) { return Format::minifloat(8, 7, Specials::IEEE); })
      .Default([](Type) { return std::nullopt; });
}

std::optional<Format> qd::getFormat(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type)) {
    if (integer.getWidth() > 16)
      return std::nullopt;
    return integer.isUnsigned() ? Format::unsignedInt(integer.getWidth())
                                : Format::signedInt(integer.getWidth());
  }
  if (auto floating = dyn_cast<FloatType>(type))
    return getBuiltinFloatFormat(floating);
  return llvm::TypeSwitch<Type, std::optional<Format>>(type)
      .Case([](qd::UIntType t) -> std::optional<Format> {
        if (t.getWidth() > 16)
          return std::nullopt;
        return Format::unsignedInt(t.getWidth());
      })
      .Case([](qd::MinifloatType t) {
        return Format::minifloat(
            t.getE(), t.getM(), t.getBias(),
            static_cast<::qdialect::Specials>(t.getSpecials()));
      })
      .Case([](qd::TernaryType) { return Format::ternary(); })
      .Case([](qd::BinaryType) { return Format::binary(); })
      .Default([](Type) { return std::nullopt; });
}

bool qd::isIntegerAlphabet(Type type) {
  return isa<IntegerType, qd::UIntType>(type);
}

namespace {

/// i17..i64, signed or not.
struct WideInteger {
  unsigned width;
  bool isSigned;

  /// None for other types than integers.
  static std::optional<WideInteger> of(Type type) {
    if (auto integer = dyn_cast<IntegerType>(type))
      return WideInteger{integer.getWidth(), !integer.isUnsigned()};
    if (auto codes = dyn_cast<qd::UIntType>(type))
      return WideInteger{codes.getWidth(), false};
    return std::nullopt;
  }

  double min() const { return isSigned ? -std::ldexp(1.0, width - 1) : 0.0; }
  double max() const {
    return std::ldexp(1.0, isSigned ? width - 1 : width) - 1;
  }
  double decode(uint64_t code) const {
    return llvm::APInt(width, code, /*isSigned=*/false, /*implicitTrunc=*/true)
        .roundToDouble(isSigned);
  }
  uint64_t encode(double value, Rounding rounding, bool saturate) const {
    double rounded = std::isnan(value) ? 0.0 : roundTo(value, rounding);
    if (saturate)
      rounded = std::fmin(std::fmax(rounded, min()), max());
    llvm::APSInt code(width, /*isUnsigned=*/!isSigned);
    bool isExact;
    llvm::APFloat(rounded).convertToInteger(code, llvm::APFloat::rmTowardZero,
                                            &isExact);
    return code.getZExtValue();
  }
};

/// f32 and f64, of which f64 needs no rounding.
struct WideFloat {
  const llvm::fltSemantics &semantics;

  explicit WideFloat(FloatType type) : semantics(type.getFloatSemantics()) {}

  double max() const {
    return llvm::APFloat::getLargest(semantics).convertToDouble();
  }
  double decode(uint64_t code) const {
    unsigned bits = llvm::APFloat::semanticsSizeInBits(semantics);
    return llvm::APFloat(semantics, llvm::APInt(bits, code, false, true))
        .convertToDouble();
  }
  uint64_t encode(double value, Rounding rounding, bool saturate) const {
    int digits = llvm::APFloat::semanticsPrecision(semantics);
    int lowest = llvm::APFloat::semanticsMinExponent(semantics);
    if (std::isfinite(value) && value != 0.0 && digits < 53) {
      // Rounds the integer multiple of the spacing at this magnitude.
      int step = std::max(std::ilogb(value), lowest) - (digits - 1);
      value = std::ldexp(roundTo(std::ldexp(value, -step), rounding), step);
    }
    if (saturate && !std::isnan(value))
      value = std::fmin(std::fmax(value, -max()), max());
    llvm::APFloat converted(value);
    bool losesInfo;
    converted.convert(semantics, llvm::APFloat::rmNearestTiesToEven,
                      &losesInfo);
    return converted.bitcastToAPInt().getZExtValue();
  }
};

template <class T>
struct BuiltinModel
    : qd::AlphabetTypeInterface::ExternalModel<BuiltinModel<T>, T> {};

template <class... T>
void attach(MLIRContext *context) {
  (T::template attachInterface<BuiltinModel<T>>(*context), ...);
}

} // namespace

void qd::attachBuiltinAlphabets(MLIRContext *context) {
  attach<IntegerType, Float4E2M1FNType, Float6E2M3FNType, Float6E3M2FNType,
         Float8E3M4Type, Float8E4M3Type, Float8E5M2Type, Float8E4M3FNType,
         Float8E4M3FNUZType, Float8E5M2FNUZType, Float8E4M3B11FNUZType,
         Float8E8M0FNUType, Float16Type, BFloat16Type, Float32Type,
         Float64Type>(context);
}

unsigned qd::detail::codeBits(Type type) {
  if (type.isIntOrFloat())
    return type.getIntOrFloatBitWidth();
  if (auto codebook = dyn_cast<qd::CodebookType>(type))
    return llvm::Log2_32_Ceil(codebook.getSize());
  if (auto codes = dyn_cast<qd::UIntType>(type))
    return codes.getWidth();
  return getFormat(type)->bits();
}

double qd::detail::decode(Type type, uint64_t code) {
  if (std::optional<Format> format = getFormat(type))
    return format->decode(static_cast<uint32_t>(code));
  if (std::optional<WideInteger> integer = WideInteger::of(type))
    return integer->decode(code);
  if (auto floating = dyn_cast<FloatType>(type))
    return WideFloat(floating).decode(code);
  return std::numeric_limits<double>::quiet_NaN();
}

uint64_t qd::detail::encode(Type type, double value, qd::Rounding rounding,
                            bool saturate) {
  if (std::optional<Format> format = getFormat(type))
    return format->encode(value, toNumerics(rounding),
                          saturate ? ::qdialect::Overflow::Saturate
                                   : ::qdialect::Overflow::Wrap);
  if (std::optional<WideInteger> integer = WideInteger::of(type))
    return integer->encode(value, toNumerics(rounding), saturate);
  if (auto floating = dyn_cast<FloatType>(type))
    return WideFloat(floating).encode(value, toNumerics(rounding), saturate);
  return 0;
}

double qd::detail::maxFinite(Type type) {
  if (std::optional<Format> format = getFormat(type))
    return format->maxFinite();
  if (std::optional<WideInteger> integer = WideInteger::of(type))
    return integer->max();
  if (auto floating = dyn_cast<FloatType>(type))
    return WideFloat(floating).max();
  return std::numeric_limits<double>::quiet_NaN();
}

double qd::detail::minFinite(Type type) {
  if (std::optional<Format> format = getFormat(type))
    return format->minFinite();
  if (std::optional<WideInteger> integer = WideInteger::of(type))
    return integer->min();
  if (auto floating = dyn_cast<FloatType>(type))
    return -WideFloat(floating).max();
  return std::numeric_limits<double>::quiet_NaN();
}

std::optional<int> qd::detail::integerShift(Type type) {
  if (std::optional<Format> format = getFormat(type))
    return format->integerShift();
  if (WideInteger::of(type))
    return 0;
  return std::nullopt;
}
