// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the kernels of a PTX file on the host, as strictly as the PTX ISA reads.
//
//   Diagnostic why;
//   auto emulator = Emulator::create(text, why);        // null: `why` says
//   uint64_t x = emulator->allocate(4 * n), y = ...;    // device addresses
//   emulator->write(x, host, 4 * n);
//   LaunchConfig config; config.grid = {n / 128}; config.block = {128};
//   config.arguments = {bytesOf(x), bytesOf(y), bytesOf(n)};
//   LaunchResult result;
//   if (!emulator->launch("saxpy", config, result, why)) ...  // not runnable
//   result.findings                                      // empty: clean
//
// Warps run in lock-step, the lanes with the lowest program counter first;
// blocks run on host threads. docs/PTXEmulator.md has the model and its limits.

#ifndef QDIALECT_PTX_EMULATOR_H
#define QDIALECT_PTX_EMULATOR_H

#include "QDialect/PTX/Report.h"

#include <array>
#include <memory>
#include <set>

namespace qdialect::ptx {

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t{x} * y * z; }
};

struct LaunchConfig {
  Dim3 grid, block;
  /// Bytes of dynamic shared memory.
  uint64_t sharedBytes = 0;
  /// One entry a parameter: its bytes.
  std::vector<std::vector<uint8_t>> arguments;
  /// Races, uninitialised registers and memory, unfinished cp.async. Bounds,
  /// alignment and divergence are always checked.
  bool check = true;
  /// Fill LaunchResult::lines.
  bool count = true;
  /// Host threads; 0: one for each CPU.
  unsigned threads = 1;
  /// Permutes the order in which the warps of a block run; 0: in order.
  uint64_t seed = 0;
  /// Warp instructions after which the launch is given up.
  uint64_t maxSteps = uint64_t{1} << 36;
};

/// An instruction as the emulator accepts it; `types` and `modifiers` are
/// separated by spaces.
struct InstructionRow {
  std::string_view opcode, types, modifiers;
  InstructionClass group;
};
std::vector<InstructionRow> listInstructions();

/// Which (opcode, type or modifier) pairs were decoded by this process, as
/// "add.s32": what the tests hold against listInstructions.
std::set<std::string> decodedForms();

class Emulator {
public:
  /// `sharing`: an emulator whose device memory this one has too.
  static std::unique_ptr<Emulator> create(std::string_view text,
                                          Diagnostic &why,
                                          const Emulator *sharing = nullptr);
  ~Emulator();

  const Module &module() const;
  /// Device memory, zeroed; `initialized` false makes reads of it a finding
  /// until it is written, `writable` false makes writes one. 0 where the host
  /// has not so much.
  uint64_t allocate(uint64_t bytes, bool initialized = true,
                    bool writable = true);
  void release(uint64_t address);
  bool write(uint64_t address, const void *data, uint64_t bytes);
  bool read(uint64_t address, void *data, uint64_t bytes) const;
  /// The address of a global variable of the module; 0 where there is none.
  uint64_t variable(std::string_view name) const;

  /// False and a diagnostic where the kernel cannot be run at all: unknown
  /// kernel or instruction, wrong arguments or sizes.
  bool launch(std::string_view kernel, const LaunchConfig &config,
              LaunchResult &result, Diagnostic &why);

private:
  struct Impl;
  explicit Emulator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace qdialect::ptx

#endif // QDIALECT_PTX_EMULATOR_H
