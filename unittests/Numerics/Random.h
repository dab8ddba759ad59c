// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A seeded generator for the property tests. The seed is printed with a failure
// (SCOPED_TRACE) and may be given by QDIALECT_SEED.
#ifndef QDIALECT_UNITTESTS_NUMERICS_RANDOM_H
#define QDIALECT_UNITTESTS_NUMERICS_RANDOM_H

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace qdialect::test {

inline uint64_t seed() {
  const char *text = std::getenv("QDIALECT_SEED");
  return text ? std::strtoull(text, nullptr, 0) : 20240131;
}

/// SplitMix64.
class Random {
public:
  Random() = default;
  uint64_t bits() {
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// In [lo, hi].
  int64_t integer(int64_t lo, int64_t hi) {
    auto span = static_cast<uint64_t>(hi) - static_cast<uint64_t>(lo) + 1;
    return static_cast<int64_t>(static_cast<uint64_t>(lo) +
                                (span == 0 ? bits() : bits() % span));
  }
  /// In [lo, hi).
  double real(double lo, double hi) {
    return lo + (hi - lo) * static_cast<double>(bits() >> 11) * 0x1p-53;
  }
  /// Any bit pattern.
  float anyFloat() {
    auto pattern = static_cast<uint32_t>(bits());
    float result;
    std::memcpy(&result, &pattern, sizeof result);
    return result;
  }

private:
  uint64_t state = seed();
};

inline std::string trace() { return "QDIALECT_SEED=" + std::to_string(seed()); }

} // namespace qdialect::test

#endif // QDIALECT_UNITTESTS_NUMERICS_RANDOM_H
