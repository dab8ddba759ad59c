// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What can be had for what: the plans of a front as text and as a picture.

#ifndef QDIALECT_SEARCH_FRONTREPORT_H
#define QDIALECT_SEARCH_FRONTREPORT_H

#include "QDialect/Search/MixedPrecision.h"
#include "llvm/ADT/ArrayRef.h"

namespace qdialect {

/// One line a plan: what it spends, what it loses, and how many layers have
/// which precision; `chosen` is marked.
std::string frontText(const CostTable &table,
                      llvm::ArrayRef<PrecisionPlan> front,
                      const PrecisionPlan &chosen);

/// Loss over `resource` as SVG, `chosen` marked.
std::string frontPicture(const CostTable &table,
                         llvm::ArrayRef<PrecisionPlan> front,
                         const PrecisionPlan &chosen, Resource resource);

} // namespace qdialect

#endif // QDIALECT_SEARCH_FRONTREPORT_H
