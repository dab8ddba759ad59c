// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cp.async as late as the ISA allows.
//
// A copy is noted when it is issued and its destination poisoned; the bytes
// arrive when the issuing thread waits for them, or when somebody looks at the
// mbarrier that is to tell of them. Whoever reads earlier reads poison, and the
// checker says so.

#ifndef QDIALECT_LIB_PTX_ASYNCCOPY_H
#define QDIALECT_LIB_PTX_ASYNCCOPY_H

#include "Exec.h"

namespace qdialect::ptx {

/// Arrives at the mbarrier for every thread of the block that has asked
/// cp.async to, after its copies have landed.
void completeArrivals(Block &block, uint64_t mbarrier);
/// One arrival more (MBarriers.cpp).
void arriveAt(Block &block, Warp &w, uint64_t mbarrier, uint32_t count);
/// One pending arrival more, for cp.async.mbarrier.arrive without .noinc.
void addPending(Block &block, uint64_t mbarrier);

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_ASYNCCOPY_H
