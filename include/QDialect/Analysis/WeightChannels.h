// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the output channels of a contraction are numbered, and which of them each
// element of its weight belongs to.

#ifndef QDIALECT_ANALYSIS_WEIGHTCHANNELS_H
#define QDIALECT_ANALYSIS_WEIGHTCHANNELS_H

#include "QDialect/Analysis/ContractionStructure.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace qdialect {

/// The loops that number the output channels (depth and outputChannel), in the
/// order of the output's dimensions.
llvm::SmallVector<unsigned> channelLoops(const ContractionStructure &structure);

/// How far one step along each dimension of the weight moves the number of the
/// channel; channels are numbered row-major over channelLoops.
llvm::SmallVector<int64_t>
weightChannelStrides(const ContractionStructure &structure);

/// Calls `visit(element, channel)` for each element of a weight, row-major.
void forEachWeight(llvm::ArrayRef<int64_t> shape,
                   llvm::ArrayRef<int64_t> channelStrides,
                   llvm::function_ref<void(int64_t, int64_t)> visit);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_WEIGHTCHANNELS_H
