// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights whose codes fit fewer bits than a byte has, and the check of kernels
// that keep them packed.

#ifndef QDIALECT_UNITTESTS_CODEGEN_NARROWCODES_H
#define QDIALECT_UNITTESTS_CODEGEN_NARROWCODES_H

#include "Check.h"
#include "DispatchText.h"

namespace qdialect::testing {

/// Which codes the weights of channel n have: [low - n % shifts, high - n %
/// shifts]; and how large their bias is.
struct Codes {
  int low = -127, high = 127, shifts = 1, bias = 5000;

  /// The channels are innermost.
  std::string text(RandomConstants &constants, int64_t count,
                   int64_t channels) const {
    std::uniform_int_distribution<int> pick(low, high);
    std::vector<int8_t> values(count);
    for (int64_t i = 0; i < count; ++i)
      values[i] = static_cast<int8_t>(pick(constants.random) -
                                      static_cast<int>(i % channels % shifts));
    return denseText(values);
  }
};

/// Codes that fit fewer bits than a byte has.
struct NarrowCodes {
  int64_t bits;
  Codes codes;
};
inline const NarrowCodes kNarrowCodes[] = {
    {4, {-8, 7}},
    {4, {-7, 7}},
    {4, {-8, 7, 1, 1 << 28}}, // sums that cannot be scaled
    {4, {0, 15}},
    {4, {-11, 4}},
    {4, {0, 15, 16}}, // each channel has its own zero point
    {2, {-1, 1}},
    {2, {-2, 1}},
    {2, {0, 3}},
    {2, {0, 3, 4}},
    {8, {-8, 8}},
    {8, {-64, 64}},
};

/// Compares `text` with the interpreter; its weights take `bits` in memory.
inline void checkPacked(const std::string &text, const std::string &family,
                        int64_t bits, std::mt19937 &random) {
  checkDispatch(text, family, random, /*tolerance=*/0, /*alsoGeneric=*/false);
  DispatchModule module(text);
  auto plan = planKernel(module.dispatch());
  ASSERT_TRUE(llvm::succeeded(plan));
  EXPECT_EQ((*plan)->weightBits, bits);
}

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_NARROWCODES_H
