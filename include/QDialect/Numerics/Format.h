// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The alphabets a quantized tensor's codes are drawn from.
//
// A Format says which real number each bit pattern ("code") stands for; scales
// and zero points come later (Quantize.h). One value class serves them all, so
// a pass asks `bits`, `decode`, `encode`, `maxFinite`, `integerShift` and never
// which family it has.
//
//   family     code -> value                                   example
//   int N      two's complement, N = 1..16                     int4 0b1111 = -1
//   uint N     unsigned, N = 1..16
//   minifloat  sign | E exponent bits | M mantissa bits        e2m1 0b0111 = 6
//   e8m0       2^(code - 127), 255 = NaN: a scale, no sign, no zero
//   ternary    two bits, two's complement: 3 = -1, 0, 1; code 2 is invalid
//   binary     one bit: 0 = -1, 1 = +1
//   codebook   a table of values, one a code
//
// Minifloats, E = 1..8, M = 0..10, with exponent field e and mantissa field m:
//   e == 0: (-1)^s * m * 2^(1 - bias - M)           zero and subnormals
//   e >= 1: (-1)^s * (2^M + m) * 2^(e - bias - M)
// The default bias is 2^(E-1) - 1, one more for FNUZ. Which codes are numbers:
//   None  every code (OCP's FP6 and FP4, MLIR's f6E2M3FN and f4E2M1FN)
//   OCP   all ones is NaN, no infinity: e4m3 reaches 448 (MLIR's f8E4M3FN)
//   IEEE  e of ones is infinity (m = 0) or NaN: e5m2 reaches 57344 (f8E5M2)
//   FNUZ  the code of -0 is the only NaN (f8E4M3FNUZ)
// E2M1 with None: 0 0.5 1 1.5 2 3 4 6 and their negatives.
//
// `encode` rounds a real number to the alphabet. Nearest means nearest in
// value. Ties of the minifloats are judged on the integer n = x / step, step =
// the spacing at x: HalfEven takes the even n, so it is IEEE's rule, and for M
// = 0, where n is 1 on every binade, a tie goes to the larger power of two
// (e3m0: 3 -> 4), as LLVM's APFloat does. Integers, e8m0 and ternary follow the
// same rule. Binary takes +1 for 0 in every mode but Floor. A codebook's tie
// goes, under HalfEven, to the value of even rank in ascending order; Trunc
// takes the neighbour of smaller magnitude.
//
// Out of range: Saturate takes the nearest end, also for infinities. Wrap keeps
// the low N bits of an integer; a minifloat then overflows as IEEE 754 says, to
// infinity where it has one, else to NaN, else it saturates; e8m0 gives NaN;
// ternary, binary and codebook always saturate. NaN becomes the NaN code, else
// the code of 0 (binary +1; codebook: of the value nearest to 0). -0 keeps its
// sign where the format has a -0.
#ifndef QDIALECT_NUMERICS_FORMAT_H
#define QDIALECT_NUMERICS_FORMAT_H

#include "QDialect/Numerics/Rounding.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

enum class Specials : uint8_t { None, OCP, IEEE, FNUZ };
enum class Overflow : uint8_t { Saturate, Wrap };

class Format {
public:
  enum class Kind : uint8_t {
    SignedInt,
    UnsignedInt,
    MiniFloat,
    E8M0,
    Ternary,
    Binary,
    Codebook
  };

  /// 1 <= bits <= 16.
  static Format signedInt(unsigned bits);
  static Format unsignedInt(unsigned bits);
  /// See `isValidMinifloat` for what is allowed.
  static Format minifloat(unsigned exponentBits, unsigned mantissaBits,
                          int bias, Specials specials);
  static Format minifloat(unsigned exponentBits, unsigned mantissaBits,
                          Specials specials = Specials::None);
  static Format e8m0();
  static Format ternary();
  static Format binary();
  /// 1..65536 finite values; `bits` is ceil(log2(size)), at least 1.
  static Format codebook(std::vector<double> values);

  /// E in 1..8, M in 0..10, |bias| <= 512 and at least one code that is finite
  /// and not zero (which e1m0 has not under OCP and IEEE).
  static bool isValidMinifloat(unsigned exponentBits, unsigned mantissaBits,
                               int bias, Specials specials);
  static int defaultBias(unsigned exponentBits, Specials specials);

  Kind kind() const { return kind_; }
  bool isInteger() const {
    return kind_ == Kind::SignedInt || kind_ == Kind::UnsignedInt;
  }
  unsigned bits() const { return bits_; }
  /// The number of bit patterns, 2^bits, valid or not.
  uint32_t numCodes() const { return uint32_t{1} << bits_; }
  /// False for the patterns that mean nothing: 2 of ternary, the tail of a
  /// codebook.
  bool isValidCode(uint32_t code) const;

  unsigned exponentBits() const { return exponentBits_; }
  unsigned mantissaBits() const { return mantissaBits_; }
  int bias() const { return bias_; }
  Specials specials() const { return specials_; }

  bool hasNaN() const;
  bool hasInf() const;
  bool hasNegativeZero() const;
  /// The largest and smallest finite values.
  double maxFinite() const { return maxFinite_; }
  double minFinite() const { return minFinite_; }

  /// The value of a code; NaN for a pattern that is not valid. Bits above
  /// `bits()` are ignored.
  double decode(uint32_t code) const;
  /// The values of all codes in code order.
  std::vector<double> decodeTable() const;

  /// The code of `x` rounded to the alphabet.
  uint32_t encode(double x, Rounding mode = Rounding::HalfEven,
                  Overflow overflow = Overflow::Saturate,
                  StochasticKey key = {}) const;

  /// The code of the number nearest to NaN's stand-in, see the head.
  uint32_t encodeNaN() const;

  /// The smallest k >= 0 such that value * 2^k is an integer below 2^62 in
  /// magnitude for every finite code: e2m1 1, int8 0. Empty where there is none
  /// (e8m0, wide minifloats).
  std::optional<int> integerShift() const;

  /// "int8", "uint4", "e4m3_ocp_b7", "ternary", "codebook16".
  std::string name() const;

  /// Structural equality; codebooks compare by their values.
  bool operator==(const Format &other) const;
  bool operator!=(const Format &other) const { return !(*this == other); }

private:
  Format(Kind kind, unsigned bits) : kind_(kind), bits_(bits) {}

  double decodeMinifloat(uint32_t code) const;
  uint32_t encodeInteger(double x, Rounding, Overflow, StochasticKey) const;
  uint32_t encodeMinifloat(double x, Rounding, Overflow, StochasticKey) const;
  uint32_t encodeE8M0(double x, Rounding, Overflow, StochasticKey) const;
  uint32_t encodeBinary(double x, Rounding, StochasticKey) const;
  uint32_t encodeCodebook(double x, Rounding, StochasticKey) const;
  uint32_t minifloatCode(bool negative, double magnitude) const;
  void computeRange();

  Kind kind_;
  unsigned bits_;
  unsigned exponentBits_ = 0;
  unsigned mantissaBits_ = 0;
  int bias_ = 0;
  Specials specials_ = Specials::None;
  double maxFinite_ = 0;
  double minFinite_ = 0;

  struct Table {
    std::vector<double> values;  // by code
    std::vector<uint32_t> order; // codes in ascending order of value
  };
  std::shared_ptr<const Table> table_;
};

} // namespace qdialect

#endif // QDIALECT_NUMERICS_FORMAT_H
