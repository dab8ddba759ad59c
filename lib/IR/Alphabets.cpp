// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// AlphabetTypeInterface of the builtin and of the qd types.

#include "Alphabets.h"
#include "llvm/ADT/APFloat.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace qdialect::qd;

namespace {

double roundValue(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::HalfEven:
  case Rounding::Stochastic:
    return std::nearbyint(value);
  case Rounding::HalfAway:
    return std::round(value);
  case Rounding::HalfUp:
    return std::floor(value + 0.5);
  case Rounding::Floor:
    return std::floor(value);
  case Rounding::Trunc:
    return std::trunc(value);
  }
  return value;
}

/// Two's complement or unsigned integers of any width up to 64.
struct IntegerAlphabet {
  unsigned width;
  bool isSigned;

  double min() const { return isSigned ? -std::ldexp(1.0, width - 1) : 0.0; }
  double max() const {
    return std::ldexp(1.0, isSigned ? width - 1 : width) - 1;
  }
  double decode(uint64_t code) const {
    return llvm::APInt(width, code, false, true).roundToDouble(isSigned);
  }
  uint64_t encode(double value, Rounding rounding, bool saturate) const {
    double rounded = std::isnan(value) ? 0.0 : roundValue(value, rounding);
    if (saturate)
      rounded = std::fmin(std::fmax(rounded, min()), max());
    uint64_t mask = width >= 64 ? ~0ull : (1ull << width) - 1;
    return static_cast<uint64_t>(static_cast<int64_t>(rounded)) & mask;
  }
};

struct IntegerModel
    : AlphabetTypeInterface::ExternalModel<IntegerModel, IntegerType> {
  static IntegerAlphabet get(Type type) {
    auto integer = cast<IntegerType>(type);
    return {integer.getWidth(), !integer.isUnsigned()};
  }
  unsigned getCodeBits(Type t) const { return get(t).width; }
  double decode(Type t, uint64_t code) const { return get(t).decode(code); }
  uint64_t encode(Type t, double value, Rounding rounding, bool saturate) const {
    return get(t).encode(value, rounding, saturate);
  }
  double getMaxFinite(Type t) const { return get(t).max(); }
  double getMinFinite(Type t) const { return get(t).min(); }
  std::optional<int> getIntegerShift(Type) const { return 0; }
};

template <class T>
struct FloatModel : AlphabetTypeInterface::ExternalModel<FloatModel<T>, T> {
  static const llvm::fltSemantics &semantics(Type t) {
    return cast<FloatType>(t).getFloatSemantics();
  }
  unsigned getCodeBits(Type t) const { return cast<FloatType>(t).getWidth(); }
  double decode(Type t, uint64_t code) const {
    llvm::APInt bits(getCodeBits(t), code, false, true);
    return llvm::APFloat(semantics(t), bits).convertToDouble();
  }
  uint64_t encode(Type t, double value, Rounding, bool saturate) const {
    if (saturate && !std::isnan(value))
      value = std::fmin(std::fmax(value, getMinFinite(t)), getMaxFinite(t));
    llvm::APFloat converted(value);
    bool losesInfo;
    converted.convert(semantics(t), llvm::APFloat::rmNearestTiesToEven,
                      &losesInfo);
    return converted.bitcastToAPInt().getZExtValue();
  }
  double getMaxFinite(Type t) const {
    return llvm::APFloat::getLargest(semantics(t)).convertToDouble();
  }
  double getMinFinite(Type t) const {
    if (!llvm::APFloat::semanticsHasSignedRepr(semantics(t)))
      return llvm::APFloat::getSmallest(semantics(t)).convertToDouble();
    return -getMaxFinite(t);
  }
  std::optional<int> getIntegerShift(Type t) const {
    return static_cast<int>(llvm::APFloat::semanticsPrecision(semantics(t))) -
           1 - llvm::APFloat::semanticsMinExponent(semantics(t));
  }
};

template <class... T> void attachFloats(MLIRContext *context) {
  (T::template attachInterface<FloatModel<T>>(*context), ...);
}

} // namespace

void qdialect::qd::attachBuiltinAlphabets(MLIRContext *context) {
  IntegerType::attachInterface<IntegerModel>(*context);
  attachFloats<Float4E2M1FNType, Float6E2M3FNType, Float6E3M2FNType,
               Float8E4M3FNType, Float8E5M2Type, Float8E8M0FNUType,
               BFloat16Type, Float16Type, Float32Type>(context);
}

// The qd types.

double UIntType::decode(uint64_t code) const {
  return IntegerAlphabet{getWidth(), false}.decode(code);
}
uint64_t UIntType::encode(double value, Rounding rounding, bool saturate) const {
  return IntegerAlphabet{getWidth(), false}.encode(value, rounding, saturate);
}
double UIntType::getMaxFinite() const {
  return IntegerAlphabet{getWidth(), false}.max();
}
double UIntType::getMinFinite() const { return 0; }
std::optional<int> UIntType::getIntegerShift() const { return 0; }

double MinifloatType::decode(uint64_t code) const { return std::nan(""); }
uint64_t MinifloatType::encode(double, Rounding, bool) const { return 0; }
double MinifloatType::getMaxFinite() const { return 0; }
double MinifloatType::getMinFinite() const { return 0; }
std::optional<int> MinifloatType::getIntegerShift() const {
  return getBias() - 1 + static_cast<int>(getM());
}

double TernaryType::decode(uint64_t code) const {
  return code == 3 ? -1 : static_cast<double>(code);
}
uint64_t TernaryType::encode(double value, Rounding, bool) const {
  return value > 0.5 ? 1 : value < -0.5 ? 3 : 0;
}
double TernaryType::getMaxFinite() const { return 1; }
double TernaryType::getMinFinite() const { return -1; }
std::optional<int> TernaryType::getIntegerShift() const { return 0; }

double BinaryType::decode(uint64_t code) const { return code ? 1 : -1; }
uint64_t BinaryType::encode(double value, Rounding, bool) const {
  return value >= 0;
}
double BinaryType::getMaxFinite() const { return 1; }
double BinaryType::getMinFinite() const { return -1; }
std::optional<int> BinaryType::getIntegerShift() const { return 0; }

double CodebookType::decode(uint64_t) const { return std::nan(""); }
uint64_t CodebookType::encode(double, Rounding, bool) const { return 0; }
double CodebookType::getMaxFinite() const { return std::nan(""); }
double CodebookType::getMinFinite() const { return std::nan(""); }
std::optional<int> CodebookType::getIntegerShift() const { return {}; }
