// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Mixed precision as an integer linear program, as HAWQ-V3 states it (Yao et
// al., "HAWQ-V3: Dyadic Neural Network Quantization", ICML 2021, section 3.3):
// one 0/1 variable for each layer and precision,
//
//   minimise  sum loss          one precision a layer
//             sum costs <= limit, for each resource that has one
//             layers that read one grid agree on its width
//             tied layers agree on everything
//
// Losses add up: what one layer does to the output is taken as independent of
// what the others do.

#ifndef QDIALECT_SEARCH_MIXEDPRECISION_H
#define QDIALECT_SEARCH_MIXEDPRECISION_H

#include "QDialect/Search/CostTable.h"

namespace qdialect {

/// The most that a plan may spend of each resource.
using Limits = std::array<std::optional<double>, kNumResources>;

struct PrecisionPlan {
  std::vector<unsigned> choices; ///< one a layer of the table
  double loss = 0;
  ResourceVector spent{};
};

/// The plan of least loss within the limits. If there is none, the error names
/// a limit and the smallest value that can be reached.
llvm::Expected<PrecisionPlan> choosePlan(const CostTable &table,
                                         const Limits &limits);

/// Plans between the one that spends least of `resource` and the one of least
/// loss, at `steps` limits in equal distances, from small to large; the other
/// limits hold for all. Plans that another one beats are left out.
llvm::Expected<std::vector<PrecisionPlan>> paretoFront(const CostTable &table,
                                                       Resource resource,
                                                       const Limits &limits,
                                                       unsigned steps = 16);

} // namespace qdialect

#endif // QDIALECT_SEARCH_MIXEDPRECISION_H
