// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a few lines of PTX in the 32 lanes of one warp.
//
// The body finds its inputs in %rd0..%rd7 (and their low parts in %r0..%r7,
// %h0..%h7); registers from 8 on are free, %p0..%p15 too. Memory: %rd50 is 4
// KiB of global memory, %r50 the offset of 4 KiB of shared memory, both set up
// with the inputs' bytes of all lanes (64 a lane).

#ifndef QDIALECT_UNITTESTS_PTX_RUNLANES_H
#define QDIALECT_UNITTESTS_PTX_RUNLANES_H

#include "QDialect/PTX/Emulator.h"
#include "gtest/gtest.h"

#include <array>
#include <cstring>
#include <functional>
#include <random>

namespace qdialect::ptx::test {

inline constexpr uint64_t kSeed = 20261122;

using Lanes = std::array<uint64_t, 32>;
using Inputs = std::array<Lanes, 8>;

/// Random bits, with the corners of every width among them.
Inputs randomInputs(uint64_t seed = kSeed);

struct LaneRun {
  bool launched = false;
  Diagnostic why;
  LaunchResult result;
  Lanes out = {};
  std::vector<uint8_t> global; // after the run
};
/// `output` is the register stored: %rN, %rdN, %hN or %pN.
LaneRun runLanes(const std::string &body, const std::string &output,
                 const Inputs &inputs = randomInputs(),
                 const LaunchConfig &config = {});
/// Runs and expects no finding.
Lanes runClean(const std::string &body, const std::string &output,
               const Inputs &inputs = randomInputs());

/// Expects out[lane] == expected(a, b, c, d) for the first four inputs.
using Oracle = std::function<uint64_t(uint64_t, uint64_t, uint64_t, uint64_t)>;
void expectLanes(const std::string &body, const std::string &output,
                 const Oracle &expected, const Inputs &inputs = randomInputs());

/// A whole kernel: text with one entry; each argument is a buffer that is
/// copied in and out. Returns the result of the launch.
struct KernelRun {
  bool launched = false;
  Diagnostic why;
  LaunchResult result;
};
KernelRun runKernel(const std::string &text, Dim3 grid, Dim3 block,
                    std::vector<std::vector<uint8_t> *> buffers,
                    LaunchConfig config = {});
/// The head of a PTX file.
std::string header();
/// Expects exactly one kind of finding.
void expectFinding(const LaunchResult &result, FindingKind kind,
                   const std::string &part);

template <typename To, typename From>
To bits(From from) {
  To to = {};
  std::memcpy(&to, &from,
              sizeof(To) < sizeof(From) ? sizeof(To) : sizeof(From));
  return to;
}
inline float asFloat(uint64_t code) { return bits<float>(uint32_t(code)); }
inline double asDouble(uint64_t code) { return bits<double>(code); }
inline uint64_t codeOf(float f) { return bits<uint32_t>(f); }
inline uint64_t codeOf(double f) { return bits<uint64_t>(f); }

} // namespace qdialect::ptx::test

#endif // QDIALECT_UNITTESTS_PTX_RUNLANES_H
