// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a Format is: construction, ranges, decoding and its name. Encoding is in
// FormatEncode.cpp. The rule: the decode table is the definition, and
// everything else (ranges, specials, encode) is tested against it code by code.
#include "QDialect/Numerics/Format.h"

#include "QDialect/Numerics/Packing.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace qdialect {

static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
static constexpr double kInf = std::numeric_limits<double>::infinity();

Format Format::signedInt(unsigned bits) {
  assert(bits >= 1 && bits <= 16 && "integers have 1 to 16 bits");
  Format format(Kind::SignedInt, bits);
  format.computeRange();
  return format;
}

Format Format::unsignedInt(unsigned bits) {
  assert(bits >= 1 && bits <= 16 && "integers have 1 to 16 bits");
  Format format(Kind::UnsignedInt, bits);
  format.computeRange();
  return format;
}

int Format::defaultBias(unsigned exponentBits, Specials specials) {
  return (1 << (exponentBits - 1)) - 1 + (specials == Specials::FNUZ ? 1 : 0);
}

bool Format::isValidMinifloat(unsigned exponentBits, unsigned mantissaBits,
                              int bias, Specials specials) {
  if (exponentBits < 1 || exponentBits > 8 || mantissaBits > 10)
    return false;
  if (bias < -512 || bias > 512)
    return false;
  // One positive code there, and it is the special one.
  bool hasOneMagnitude = exponentBits == 1 && mantissaBits == 0;
  return !hasOneMagnitude ||
         (specials != Specials::OCP && specials != Specials::IEEE);
}

Format Format::minifloat(unsigned exponentBits, unsigned mantissaBits, int bias,
                         Specials specials) {
  assert(isValidMinifloat(exponentBits, mantissaBits, bias, specials));
  Format format(Kind::MiniFloat, 1 + exponentBits + mantissaBits);
  format.exponentBits_ = exponentBits;
  format.mantissaBits_ = mantissaBits;
  format.bias_ = bias;
  format.specials_ = specials;
  format.computeRange();
  return format;
}

Format Format::minifloat(unsigned exponentBits, unsigned mantissaBits,
                         Specials specials) {
  return minifloat(exponentBits, mantissaBits,
                   defaultBias(exponentBits, specials), specials);
}

Format Format::e8m0() {
  Format format(Kind::E8M0, 8);
  format.computeRange();
  return format;
}

Format Format::ternary() {
  Format format(Kind::Ternary, 2);
  format.computeRange();
  return format;
}

Format Format::binary() {
  Format format(Kind::Binary, 1);
  format.computeRange();
  return format;
}

Format Format::codebook(std::vector<double> values) {
  assert(!values.empty() && values.size() <= 65536 && "bad codebook size");
  unsigned bits = 1;
  while ((size_t{1} << bits) < values.size())
    ++bits;
  Format format(Kind::Codebook, bits);
  auto table = std::make_shared<Table>();
  table->values = std::move(values);
  for (uint32_t code = 0; code < table->values.size(); ++code) {
    assert(std::isfinite(table->values[code]) && "codebook values are finite");
    table->order.push_back(code);
  }
  auto less = [&](uint32_t a, uint32_t b) {
    double x = table->values[a], y = table->values[b];
    return x < y || (x == y && a < b);
  };
  auto same = [&](uint32_t a, uint32_t b) {
    return table->values[a] == table->values[b];
  };
  // Of equal values the lowest code is the one encode gives.
  std::sort(table->order.begin(), table->order.end(), less);
  table->order.erase(
      std::unique(table->order.begin(), table->order.end(), same),
      table->order.end());
  format.table_ = std::move(table);
  format.computeRange();
  return format;
}

void Format::computeRange() {
  switch (kind_) {
  case Kind::SignedInt:
    maxFinite_ = std::ldexp(1.0, bits_ - 1) - 1;
    minFinite_ = -std::ldexp(1.0, bits_ - 1);
    return;
  case Kind::UnsignedInt:
    maxFinite_ = std::ldexp(1.0, bits_) - 1;
    minFinite_ = 0;
    return;
  case Kind::MiniFloat: {
    // Magnitudes grow with the code, so the first finite one from above.
    uint32_t code = (uint32_t{1} << (bits_ - 1)) - 1;
    while (!std::isfinite(decode(code)))
      --code;
    maxFinite_ = decode(code);
    minFinite_ = -maxFinite_;
    return;
  }
  case Kind::E8M0:
    maxFinite_ = 0x1p127;
    minFinite_ = 0x1p-127;
    return;
  case Kind::Ternary:
  case Kind::Binary:
    maxFinite_ = 1;
    minFinite_ = -1;
    return;
  case Kind::Codebook:
    maxFinite_ = table_->values[table_->order.back()];
    minFinite_ = table_->values[table_->order.front()];
    return;
  }
}

bool Format::isValidCode(uint32_t code) const {
  code &= numCodes() - 1;
  if (kind_ == Kind::Ternary)
    return code != 2;
  if (kind_ == Kind::Codebook)
    return code < table_->values.size();
  return true;
}

bool Format::hasNaN() const {
  if (kind_ == Kind::E8M0)
    return true;
  if (kind_ != Kind::MiniFloat || specials_ == Specials::None)
    return false;
  return specials_ != Specials::IEEE || mantissaBits_ > 0;
}

bool Format::hasInf() const {
  return kind_ == Kind::MiniFloat && specials_ == Specials::IEEE;
}

bool Format::hasNegativeZero() const {
  return kind_ == Kind::MiniFloat && specials_ != Specials::FNUZ;
}

double Format::decodeMinifloat(uint32_t code) const {
  uint32_t magnitude = code & ((uint32_t{1} << (bits_ - 1)) - 1);
  bool negative = (code >> (bits_ - 1)) != 0;
  uint32_t mantissa = magnitude & ((uint32_t{1} << mantissaBits_) - 1);
  uint32_t exponent = magnitude >> mantissaBits_;
  uint32_t lastExponent = (uint32_t{1} << exponentBits_) - 1;
  if (specials_ == Specials::FNUZ && negative && magnitude == 0)
    return kNaN;
  if (specials_ == Specials::OCP &&
      magnitude == (uint32_t{1} << (bits_ - 1)) - 1)
    return kNaN;
  if (specials_ == Specials::IEEE && exponent == lastExponent)
    return mantissa != 0 ? kNaN : negative ? -kInf : kInf;

  int step = (exponent == 0 ? 1 : static_cast<int>(exponent)) - bias_ -
             static_cast<int>(mantissaBits_);
  uint32_t significand =
      exponent == 0 ? mantissa : mantissa | (uint32_t{1} << mantissaBits_);
  double value = std::ldexp(static_cast<double>(significand), step);
  return negative ? -value : value;
}

double Format::decode(uint32_t code) const {
  code &= numCodes() - 1;
  switch (kind_) {
  case Kind::SignedInt:
    return signExtend(code, bits_);
  case Kind::UnsignedInt:
    return code;
  case Kind::MiniFloat:
    return decodeMinifloat(code);
  case Kind::E8M0:
    return code == 255 ? kNaN : std::ldexp(1.0, static_cast<int>(code) - 127);
  case Kind::Ternary:
    return code == 2 ? kNaN : signExtend(code, 2);
  case Kind::Binary:
    return code == 0 ? -1.0 : 1.0;
  case Kind::Codebook:
    return code < table_->values.size() ? table_->values[code] : kNaN;
  }
  assert(false && "unknown format");
  return kNaN;
}

std::vector<double> Format::decodeTable() const {
  std::vector<double> values(numCodes());
  for (uint32_t code = 0; code < numCodes(); ++code)
    values[code] = decode(code);
  return values;
}

/// The smallest k >= 0 for which x * 2^k is an integer.
static int fractionBits(double x) {
  if (x == 0)
    return 0;
  int exponent = 0;
  double significand = std::frexp(x, &exponent);
  auto digits = static_cast<uint64_t>(std::fabs(std::ldexp(significand, 53)));
  return std::max(0, 53 - exponent - __builtin_ctzll(digits));
}

std::optional<int> Format::integerShift() const {
  int shift = 0;
  switch (kind_) {
  case Kind::SignedInt:
  case Kind::UnsignedInt:
  case Kind::Ternary:
  case Kind::Binary:
    return 0;
  case Kind::E8M0:
    return std::nullopt;
  case Kind::MiniFloat:
    // The smallest positive value is 2^(1 - bias - M), also for M = 0.
    shift = std::max(0, bias_ - 1 + static_cast<int>(mantissaBits_));
    break;
  case Kind::Codebook:
    for (double value : table_->values)
      shift = std::max(shift, fractionBits(value));
    break;
  }
  double largest = std::fmax(std::fabs(maxFinite_), std::fabs(minFinite_));
  if (std::ldexp(largest, shift) >= 0x1p62)
    return std::nullopt;
  return shift;
}

static const char *specialsName(Specials specials) {
  switch (specials) {
  case Specials::None:
    return "none";
  case Specials::OCP:
    return "ocp";
  case Specials::IEEE:
    return "ieee";
  case Specials::FNUZ:
    return "fnuz";
  }
  return "";
}

std::string Format::name() const {
  switch (kind_) {
  case Kind::SignedInt:
    return "int" + std::to_string(bits_);
  case Kind::UnsignedInt:
    return "uint" + std::to_string(bits_);
  case Kind::MiniFloat:
    return "e" + std::to_string(exponentBits_) + "m" +
           std::to_string(mantissaBits_) + "_" + specialsName(specials_) +
           "_b" + std::to_string(bias_);
  case Kind::E8M0:
    return "e8m0";
  case Kind::Ternary:
    return "ternary";
  case Kind::Binary:
    return "binary";
  case Kind::Codebook:
    return "codebook" + std::to_string(table_->values.size());
  }
  return "";
}

bool Format::operator==(const Format &other) const {
  if (kind_ != other.kind_ || bits_ != other.bits_)
    return false;
  if (kind_ == Kind::Codebook)
    return table_ == other.table_ || table_->values == other.table_->values;
  return exponentBits_ == other.exponentBits_ &&
         mantissaBits_ == other.mantissaBits_ && bias_ == other.bias_ &&
         specials_ == other.specials_;
}

} // namespace qdialect
