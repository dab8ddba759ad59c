// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytes of minifloats to pairs of f16: exponent and mantissa move to their
// places in an f16, whose bias is larger. No code is lost, because f16 has
// subnormals, too; a code's infinity is an f16's only in e5m2, which is an f16
// cut in half. The NaN of e4m3 becomes one by the bit that it carries into.

#include "MmaKernel.h"

using namespace mlir;

namespace qdialect::gpu {

static constexpr int64_t kBoth = 0x00010001;
/// The table of (a & b) | c.
static constexpr int64_t kAndOr = 0xea;

int64_t minifloatExponent(const Format &format) { return 15 - format.bias(); }

WarpEmitter::Values expandMinifloats(WarpEmitter &e, const Format &format,
                                     Value codes, bool special) {
  int64_t shift = format.mantissaBits() - 2;
  auto twice = [](int64_t half) { return static_cast<int32_t>(half * kBoth); };
  WarpEmitter::Values pairs;
  // Neighbours become the upper bytes of two halves.
  for (int64_t selector : {0x1404, 0x3424}) {
    Value raised = e.permute(codes, e.constant(0), selector);
    if (shift == 0) {
      pairs.push_back(raised);
      continue;
    }
    // Seeded fault 202: the sign stays among the bits of the number.
    int64_t mask = QDIALECT_MUTATE == 202 ? 0xff00 >> shift : 0x7f00 >> shift;
    Value number = e.andBits(e.shiftRight(raised, shift), twice(mask));
    if (special) {
      // One more than all ones carries into the last bit of the exponent, which
      // no number has.
      Value next = e.add(number, e.constant(twice(0x100 >> shift)));
      number = e.logic(next, twice(0x8000 >> shift), number, kAndOr);
    }
    pairs.push_back(e.logic(raised, twice(0x8000), number, kAndOr));
  }
  return pairs;
}

} // namespace qdialect::gpu
