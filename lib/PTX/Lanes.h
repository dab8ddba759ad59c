// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops over the lanes of a warp.
//
// `mapLanes<E>(mask, f, d, a, b)` computes d[l] = f(a[l], b[l]) for the lanes
// in `mask`, E elements a lane (2 for packed pairs). A destination may be one
// of the sources, never a part of one.

#ifndef QDIALECT_LIB_PTX_LANES_H
#define QDIALECT_LIB_PTX_LANES_H

#include "Exec.h"

#if defined(__clang__)
#define QDIALECT_LANES_INDEPENDENT                                             \
  _Pragma("clang loop vectorize(assume_safety) interleave(enable)")
#else
#define QDIALECT_LANES_INDEPENDENT _Pragma("GCC ivdep")
#endif

#if defined(__clang__)
// A loop that does not vectorise is slower and still right.
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

namespace qdialect::ptx {

inline constexpr uint32_t kAllLanes = ~uint32_t{0};

/// Calls f(lane) for each lane of `mask`, lowest first.
template <typename F>
inline void forLanes(uint32_t mask, F f) {
  for (; mask; mask &= mask - 1)
    f(static_cast<unsigned>(__builtin_ctz(mask)));
}

template <unsigned E, typename F, typename D, typename... S>
inline void mapLanes(uint32_t mask, F f, D *d, const S *...s) {
  if (mask == kAllLanes) {
    QDIALECT_LANES_INDEPENDENT
    for (unsigned l = 0; l < kWarpSize * E; ++l)
      d[l] = f(s[l]...);
    return;
  }
  forLanes(mask, [&](unsigned lane) {
    for (unsigned e = 0; e < E; ++e)
      d[lane * E + e] = f(s[lane * E + e]...);
  });
}

/// The lanes of `mask` for which `f` holds; the others are 0.
template <typename F, typename... S>
inline uint32_t testLanes(uint32_t mask, F f, const S *...s) {
  uint8_t holds[kWarpSize];
  for (unsigned l = 0; l < kWarpSize; ++l)
    holds[l] = f(s[l]...);
  uint32_t result = 0;
  for (unsigned l = 0; l < kWarpSize; ++l)
    result |= uint32_t{holds[l]} << l;
  return result & mask;
}

/// Writes a predicate's lanes in `mask`.
inline void setMask(uint32_t &predicate, uint32_t mask, uint32_t value) {
  predicate = (predicate & ~mask) | (value & mask);
}

/// Handlers for an operation with one, two or three sources of one type.
template <typename T, typename Op, unsigned E = 1>
void unaryHandler(Warp &w, const Inst &i, uint32_t mask) {
  mapLanes<E>(
      mask, [](T a) { return static_cast<T>(Op::apply(a)); },
      w.lanes<T>(i.op[0]), w.lanes<T>(i.op[1]));
}
template <typename T, typename Op, unsigned E = 1>
void binaryHandler(Warp &w, const Inst &i, uint32_t mask) {
  mapLanes<E>(
      mask, [](T a, T b) { return static_cast<T>(Op::apply(a, b)); },
      w.lanes<T>(i.op[0]), w.lanes<T>(i.op[1]), w.lanes<T>(i.op[2]));
}
template <typename T, typename Op, unsigned E = 1>
void ternaryHandler(Warp &w, const Inst &i, uint32_t mask) {
  mapLanes<E>(
      mask, [](T a, T b, T c) { return static_cast<T>(Op::apply(a, b, c)); },
      w.lanes<T>(i.op[0]), w.lanes<T>(i.op[1]), w.lanes<T>(i.op[2]),
      w.lanes<T>(i.op[3]));
}

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_LANES_H
