// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop nest of `contract`. One output loop of unit stride is cut into
// blocks whose accumulators stay in registers ("lanes"); the other output loops
// go around it and the reductions inside, in the order given. Where no output
// loop has unit stride, a block is one element and integers vectorise the
// reduction.
//
// The panel of rhs that a block of lanes reads is reused by all other output
// loops, so the block loop stands outermost: K x 32 weights stay in the cache.
#include "QDialect/Numerics/ReferenceKernels.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>

#ifndef QDIALECT_MUTATE
#define QDIALECT_MUTATE 0
#endif

// The kernels are compiled a second time for AVX2 and chosen by the CPU; the
// operations are the same, so are the results.
#if defined(__x86_64__)
#define QDIALECT_AVX2 __attribute__((target("avx2")))
static bool hasAVX2() { return __builtin_cpu_supports("avx2"); }
#else
#define QDIALECT_AVX2
static bool hasAVX2() { return false; }
#endif

namespace qdialect {
namespace {

constexpr int64_t kLanes = 32;

/// acc + lhs * rhs; integers modulo 2^N, without signed overflow.
template <typename Acc>
__attribute__((always_inline)) inline Acc multiplyAdd(Acc acc, Acc lhs,
                                                      Acc rhs) {
  if constexpr (std::is_floating_point_v<Acc>) {
    return acc + lhs * rhs;
  } else {
    using Unsigned = std::make_unsigned_t<Acc>;
    return static_cast<Acc>(static_cast<Unsigned>(acc) +
                            static_cast<Unsigned>(lhs) *
                                static_cast<Unsigned>(rhs));
  }
}

/// The innermost reduction: `size` steps of one lane block. A template over the
/// lane strides (0 or 1) and a full block, so that the lane loop has constant
/// bounds and vectorises.
template <int LhsLane, int RhsLane, typename Lhs, typename Rhs, typename Acc>
__attribute__((always_inline)) inline void
reduceLanes(const LoopDim &loop, const Lhs *lhs, const Rhs *rhs, Acc *lanes,
            int64_t width) {
  for (int64_t i = 0; i < loop.size; ++i) {
    const Lhs *l = lhs + i * loop.lhs;
    const Rhs *r = rhs + i * loop.rhs;
    for (int64_t lane = 0; lane < width; ++lane)
      lanes[lane] =
          multiplyAdd<Acc>(lanes[lane], static_cast<Acc>(l[lane * LhsLane]),
                           static_cast<Acc>(r[lane * RhsLane]));
  }
}

/// The same for one lane; integers of unit stride vectorise along the
/// reduction.
template <typename Lhs, typename Rhs, typename Acc>
__attribute__((always_inline)) inline void
reduceOne(const LoopDim &loop, const Lhs *lhs, const Rhs *rhs, Acc *lane) {
  Acc sum = *lane;
  if (loop.lhs == 1 && loop.rhs == 1) {
    for (int64_t i = 0; i < loop.size; ++i)
      sum = multiplyAdd<Acc>(sum, static_cast<Acc>(lhs[i]),
                             static_cast<Acc>(rhs[i]));
  } else {
    for (int64_t i = 0; i < loop.size; ++i)
      sum = multiplyAdd<Acc>(sum, static_cast<Acc>(lhs[i * loop.lhs]),
                             static_cast<Acc>(rhs[i * loop.rhs]));
  }
  *lane = sum;
}

enum class Lane { Scalar, RhsVector, LhsVector, BothVector };

/// The innermost loop of every contraction, for a block of `width` lanes.
template <Lane kind, typename Lhs, typename Rhs, typename Acc>
__attribute__((always_inline)) inline void
reduceBody(LoopDim loop, const Lhs *lhs, const Rhs *rhs, Acc *lanes,
           int64_t width) {
  // Seeded fault 6: the last step of every reduction loop is lost.
  if constexpr (QDIALECT_MUTATE == 6)
    loop.size -= loop.size > 1;
  if constexpr (kind == Lane::Scalar) {
    reduceOne(loop, lhs, rhs, lanes);
  } else {
    constexpr int lhsLane = kind == Lane::RhsVector ? 0 : 1;
    constexpr int rhsLane = kind == Lane::LhsVector ? 0 : 1;
    if (width != kLanes)
      return reduceLanes<lhsLane, rhsLane>(loop, lhs, rhs, lanes, width);
    // A local array of constant length lives in registers.
    Acc local[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane)
      local[lane] = lanes[lane];
    reduceLanes<lhsLane, rhsLane>(loop, lhs, rhs, local, kLanes);
    for (int64_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = local[lane];
  }
}

template <Lane kind, typename Lhs, typename Rhs, typename Acc>
QDIALECT_AVX2 void reduceAVX2(const LoopDim &loop, const Lhs *lhs,
                              const Rhs *rhs, Acc *lanes, int64_t width) {
  reduceBody<kind>(loop, lhs, rhs, lanes, width);
}

template <Lane kind, typename Lhs, typename Rhs, typename Acc>
void reduceBaseline(const LoopDim &loop, const Lhs *lhs, const Rhs *rhs,
                    Acc *lanes, int64_t width) {
  reduceBody<kind>(loop, lhs, rhs, lanes, width);
}

template <typename Lhs, typename Rhs, typename Acc>
class Contraction {
public:
  /// Sorts the loops into lanes, other outputs and reductions.
  explicit Contraction(const std::vector<LoopDim> &loops) {
    int64_t best = 3; // fewer lanes than that are no gain
    int lane = -1;
    for (size_t i = 0; i < loops.size(); ++i)
      if (laneKind(loops[i]) != Lane::Scalar && loops[i].size > best) {
        lane = static_cast<int>(i);
        best = loops[i].size;
      }
    for (size_t i = 0; i < loops.size(); ++i) {
      if (static_cast<int>(i) == lane)
        continue;
      if (loops[i].size == 1)
        continue;
      (loops[i].out == 0 ? reductions : outputs).push_back(loops[i]);
    }
    if (lane >= 0) {
      lanes = loops[static_cast<size_t>(lane)];
      kernel = pick(laneKind(lanes));
    } else if (!std::is_floating_point_v<Acc>) {
      // Integers add up in any order: the unit-stride reduction goes innermost.
      auto unit = std::find_if(
          reductions.begin(), reductions.end(),
          [](const LoopDim &loop) { return loop.lhs == 1 && loop.rhs == 1; });
      if (unit != reductions.end())
        std::rotate(unit, unit + 1, reductions.end());
    }
    if (reductions.empty())
      reductions.push_back(LoopDim{});
  }

  void run(const Lhs *lhs, const Rhs *rhs, Acc *out) {
    for (int64_t first = 0; first < lanes.size; first += kLanes) {
      width = std::min(kLanes, lanes.size - first);
      runOutputs(0, lhs + first * lanes.lhs, rhs + first * lanes.rhs,
                 out + first * lanes.out);
    }
  }

private:
  static Lane laneKind(const LoopDim &loop) {
    if (loop.out != 1)
      return Lane::Scalar;
    if (loop.lhs == 0 && loop.rhs == 1)
      return Lane::RhsVector;
    if (loop.lhs == 1 && loop.rhs == 0)
      return Lane::LhsVector;
    return loop.lhs == 1 && loop.rhs == 1 ? Lane::BothVector : Lane::Scalar;
  }

  void runOutputs(size_t level, const Lhs *lhs, const Rhs *rhs, Acc *out) {
    if (level == outputs.size()) {
      runReductions(0, lhs, rhs, out);
      return;
    }
    const LoopDim &loop = outputs[level];
    for (int64_t i = 0; i < loop.size; ++i)
      runOutputs(level + 1, lhs + i * loop.lhs, rhs + i * loop.rhs,
                 out + i * loop.out);
  }

  void runReductions(size_t level, const Lhs *lhs, const Rhs *rhs, Acc *out) {
    const LoopDim &loop = reductions[level];
    if (level + 1 == reductions.size()) {
      kernel(loop, lhs, rhs, out, width);
      return;
    }
    for (int64_t i = 0; i < loop.size; ++i)
      runReductions(level + 1, lhs + i * loop.lhs, rhs + i * loop.rhs, out);
  }

  using Kernel = void (*)(const LoopDim &, const Lhs *, const Rhs *, Acc *,
                          int64_t);

  template <Lane lane>
  static Kernel pick() {
    return hasAVX2() ? &reduceAVX2<lane, Lhs, Rhs, Acc>
                     : &reduceBaseline<lane, Lhs, Rhs, Acc>;
  }

  static Kernel pick(Lane lane) {
    switch (lane) {
    case Lane::Scalar:
      return pick<Lane::Scalar>();
    case Lane::RhsVector:
      return pick<Lane::RhsVector>();
    case Lane::LhsVector:
      return pick<Lane::LhsVector>();
    case Lane::BothVector:
      return pick<Lane::BothVector>();
    }
    return nullptr;
  }

  std::vector<LoopDim> outputs, reductions;
  LoopDim lanes; // one step where no loop serves
  Kernel kernel = pick(Lane::Scalar);
  int64_t width = 1;
};

} // namespace

template <typename Lhs, typename Rhs, typename Acc>
void contract(const std::vector<LoopDim> &loops, const Lhs *lhs, const Rhs *rhs,
              Acc *out) {
  for (const LoopDim &loop : loops)
    if (loop.size <= 0)
      return;
  Contraction<Lhs, Rhs, Acc>(loops).run(lhs, rhs, out);
}

#define QDIALECT_CONTRACT(lhs, rhs, acc)                                       \
  template void contract<lhs, rhs, acc>(const std::vector<LoopDim> &,          \
                                        const lhs *, const rhs *, acc *);
QDIALECT_CONTRACT(int8_t, int8_t, int32_t)
QDIALECT_CONTRACT(int8_t, uint8_t, int32_t)
QDIALECT_CONTRACT(uint8_t, int8_t, int32_t)
QDIALECT_CONTRACT(uint8_t, uint8_t, int32_t)
QDIALECT_CONTRACT(int16_t, int8_t, int32_t)
QDIALECT_CONTRACT(int16_t, int16_t, int32_t)
QDIALECT_CONTRACT(int32_t, int32_t, int32_t)
QDIALECT_CONTRACT(int8_t, int8_t, int64_t)
QDIALECT_CONTRACT(int16_t, int16_t, int64_t)
QDIALECT_CONTRACT(int32_t, int32_t, int64_t)
QDIALECT_CONTRACT(int64_t, int64_t, int64_t)
QDIALECT_CONTRACT(float, float, float)
QDIALECT_CONTRACT(double, double, double)

} // namespace qdialect
