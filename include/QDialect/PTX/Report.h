// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a launch tells: findings of the checkers and counters.

#ifndef QDIALECT_PTX_REPORT_H
#define QDIALECT_PTX_REPORT_H

#include "QDialect/PTX/Module.h"

#include <string>
#include <vector>

namespace qdialect::ptx {

/// What a counter counts an instruction as.
enum class InstructionClass : uint8_t {
  Integer,
  Logic,
  Float,
  Convert,
  Move,
  Load,
  Store,
  Atomic,
  Control,
  Warp,
  Barrier,
  AsyncCopy,
  Matrix,
};
inline constexpr unsigned kNumInstructionClasses = 13;
std::string_view name(InstructionClass group);

/// A fault ends its launch; the other kinds are collected and the kernel goes
/// on, as it would on hardware.
enum class FindingKind : uint8_t {
  OutOfBounds,
  Misaligned,
  ReadOnly,
  Uninitialized,
  Race,
  Divergence,
  AsyncCopy,
  Deadlock,
  Trap,
  StepLimit,
  Unsupported,
};
std::string_view name(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::OutOfBounds;
  /// The line of the PTX file, and of its source where .loc tells.
  unsigned line = 0;
  SourceLocation source;
  std::string message;
  /// How many times this kind was found at this line; the message is that of
  /// the first.
  uint64_t count = 1;
};

/// Counts of one instruction of the text.
struct SiteCounters {
  uint64_t executed = 0;
  /// Lanes that took part.
  uint64_t lanes = 0;
  /// Bytes that the lanes asked for.
  uint64_t bytes = 0;
  /// Global memory: requests of a warp, 32-byte sectors they touched, and the
  /// least number of sectors that could have held as many bytes.
  uint64_t requests = 0;
  uint64_t sectors = 0;
  uint64_t idealSectors = 0;
  /// Shared memory: passes over the 32 banks, and those beyond the least.
  uint64_t wavefronts = 0;
  uint64_t conflicts = 0;

  void add(const SiteCounters &other);
};

struct LineReport {
  unsigned line = 0;
  SourceLocation source;
  std::string opcode;
  InstructionClass group = InstructionClass::Integer;
  SiteCounters counters;
};

struct LaunchResult {
  /// Sorted by line. Empty: the kernel is clean.
  std::vector<Finding> findings;
  /// Warp instructions executed (those whose guard no lane passed too).
  uint64_t steps = 0;
  /// One entry for each instruction that was executed; empty without counters.
  std::vector<LineReport> lines;
  /// What device printf wrote.
  std::string output;

  SiteCounters total() const;
  SiteCounters total(InstructionClass group) const;
};

} // namespace qdialect::ptx

#endif // QDIALECT_PTX_REPORT_H
