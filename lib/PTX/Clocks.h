// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Vector clocks: which accesses of which warps happen before the present.

#ifndef QDIALECT_LIB_PTX_CLOCKS_H
#define QDIALECT_LIB_PTX_CLOCKS_H

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

namespace qdialect::ptx {

/// By warp of one block: the last time of that warp which lies before.
using WarpTimes = std::vector<uint32_t>;

inline void join(WarpTimes &into, const WarpTimes &from) {
  if (into.size() < from.size())
    into.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i)
    into[i] = std::max(into[i], from[i]);
}

/// By block.
using Knowledge = std::map<uint32_t, WarpTimes>;

inline void join(Knowledge &into, const Knowledge &from) {
  for (const auto &[block, times] : from)
    join(into[block], times);
}

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_CLOCKS_H
