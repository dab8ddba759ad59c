// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// 64-bit integers on 16 lanes. Machines multiply the even 32-bit lanes of a
// register into 64 bits, so such a value lives as two registers, of the even
// lanes and of the odd ones: no lane is moved for a product, and the words of
// both registers are one shuffle away from the order of 32-bit lanes.

#ifndef QDIALECT_LIB_CODEGEN_CPU_WIDELANES_H
#define QDIALECT_LIB_CODEGEN_CPU_WIDELANES_H

#include "Emitter.h"

namespace qdialect::cpu {

/// vector<8xi64> each, of lanes 0, 2, ... and of lanes 1, 3, ...
struct Halves {
  using Value = mlir::Value;
  Value even, odd;

  explicit operator bool() const { return static_cast<bool>(even); }

  /// Of vector<16xi32> (sign-extended) or vector<16xi64>.
  static Halves of(Emitter &e, Value lanes);
  static Halves constant(Emitter &e, int64_t number);

  template <class Op>
  static Halves make(Emitter &e, Halves a, Halves b) {
    return {Op::create(e, a.even, b.even), Op::create(e, a.odd, b.odd)};
  }
  /// The numbers, which fit 32 bits; says so to the code generator, whose
  /// products of such numbers are short.
  Halves narrow(Emitter &e) const;

  /// vector<16xi32> of the lower words, or of the upper ones.
  Value lower(Emitter &e) const { return words(e, 0); }
  Value upper(Emitter &e) const { return words(e, 1); }
  /// vector<16xi64>.
  Value joined(Emitter &e) const;

private:
  Value words(Emitter &e, int64_t first) const;
};

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_WIDELANES_H
