// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names and sums of a launch's report.

#include "QDialect/PTX/Report.h"

using namespace qdialect;
using namespace qdialect::ptx;

std::string_view ptx::name(InstructionClass group) {
  static const std::string_view names[kNumInstructionClasses] = {
      "integer", "logic",   "float", "convert", "move",       "load",  "store",
      "atomic",  "control", "warp",  "barrier", "async copy", "matrix"};
  return names[static_cast<unsigned>(group)];
}

std::string_view ptx::name(FindingKind kind) {
  static const std::string_view names[] = {
      "out of bounds", "misaligned", "read-only memory", "uninitialized",
      "race",          "divergence", "async copy",       "deadlock",
      "trap",          "step limit", "unsupported"};
  return names[static_cast<unsigned>(kind)];
}

void SiteCounters::add(const SiteCounters &other) {
  executed += other.executed;
  lanes += other.lanes;
  bytes += other.bytes;
  requests += other.requests;
  sectors += other.sectors;
  idealSectors += other.idealSectors;
  wavefronts += other.wavefronts;
  conflicts += other.conflicts;
}

SiteCounters LaunchResult::total() const {
  SiteCounters sum;
  for (const LineReport &line : lines)
    sum.add(line.counters);
  return sum;
}

SiteCounters LaunchResult::total(InstructionClass group) const {
  SiteCounters sum;
  for (const LineReport &line : lines)
    if (line.group == group)
      sum.add(line.counters);
  return sum;
}
