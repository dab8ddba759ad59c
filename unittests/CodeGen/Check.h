// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The check that every kernel test ends in: all variants that this machine
// runs, and the generic road, agree with the interpreter bit for bit.

#ifndef QDIALECT_UNITTESTS_CODEGEN_CHECK_H
#define QDIALECT_UNITTESTS_CODEGEN_CHECK_H

#include "KernelHarness.h"
#include "gtest/gtest.h"

namespace qdialect::testing {

inline void expectSame(const HostTensor &actual, const HostTensor &expected,
                       const std::string &what, double tolerance) {
  ASSERT_EQ(actual.shape(), expected.shape()) << what;
  ASSERT_EQ(actual.type(), expected.type()) << what;
  int64_t wrong = 0, first = -1;
  for (int64_t i = 0; i < actual.size(); ++i) {
    double a = actual.asDouble(i), b = expected.asDouble(i);
    bool same = a == b || (a != a && b != b) ||
                std::abs(a - b) <= tolerance * (1 + std::abs(b));
    if (!same && wrong++ == 0)
      first = i;
  }
  EXPECT_EQ(wrong, 0) << what << ": of " << actual.size()
                      << " elements; first at " << first << ": "
                      << actual.asDouble(std::max<int64_t>(first, 0))
                      << " instead of "
                      << expected.asDouble(std::max<int64_t>(first, 0));
}

/// Of `given` inputs, or random ones.
/// `tolerance` is relative, for float contractions only; zero means equal bits.
inline void checkDispatch(const std::string &text, const std::string &family,
                          std::mt19937 &random, double tolerance = 0,
                          bool alsoGeneric = true,
                          llvm::ArrayRef<HostTensor> given = {}) {
  DispatchModule module(text);
  ASSERT_TRUE(module.isValid()) << text.substr(0, 4000);
  llvm::SmallVector<HostTensor> inputs(given);
  if (given.empty())
    inputs = module.randomInputs(random);
  HostTensor expected = module.expected(inputs);
  for (const CpuTarget &target : allCpuTargets()) {
    if (!target.runsHere())
      continue;
    std::unique_ptr<CompiledKernel> kernel =
        CompiledKernel::create(module, target);
    ASSERT_TRUE(kernel) << target.name;
    EXPECT_EQ(kernel->family(), family);
    expectSame(kernel->run(inputs, random()), expected, target.name, tolerance);
  }
  if (!alsoGeneric)
    return;
  KernelOptions generic;
  generic.generic = true;
  std::unique_ptr<CompiledKernel> kernel =
      CompiledKernel::create(module, allCpuTargets().back(), generic);
  ASSERT_TRUE(kernel) << "generic";
  EXPECT_EQ(kernel->family(), "generic");
  expectSame(kernel->run(inputs), expected, "generic", 0);
}

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_CHECK_H
