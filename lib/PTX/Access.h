// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One access of a warp to memory: the lanes' addresses, checked and resolved
// to host memory, and what the checkers and counters make of it.

#ifndef QDIALECT_LIB_PTX_ACCESS_H
#define QDIALECT_LIB_PTX_ACCESS_H

#include "Exec.h"

namespace qdialect::ptx {

struct Access {
  /// Where the lanes' addresses lie: generic ones are told apart per lane.
  Space space[kWarpSize];
  /// Offset in shared memory, or the address.
  uint64_t address[kWarpSize];
  uint8_t *host[kWarpSize];
  Allocation *allocation[kWarpSize];
};

enum class AccessKind : uint8_t {
  Read,
  Write,
  Update,      // an atomic operation
  StrongRead,  // volatile, relaxed, acquire
  StrongWrite, // volatile, relaxed, release
  Poison,      // the destination of a cp.async, at its issue
};
inline bool writes(AccessKind kind) {
  return kind != AccessKind::Read && kind != AccessKind::StrongRead;
}
inline bool isStrong(AccessKind kind) {
  return kind == AccessKind::Update || kind == AccessKind::StrongRead ||
         kind == AccessKind::StrongWrite;
}

/// Resolves one address; null and a fault where it is not `bytes` valid,
/// aligned bytes.
bool resolveLane(Warp &w, const Inst &inst, unsigned lane, Space space,
                 uint64_t address, unsigned bytes, unsigned alignment,
                 bool isWrite, Access &access);

/// The lanes' addresses: the base in `slot` plus `inst.imm`.
bool resolve(Warp &w, const Inst &inst, uint32_t mask, uint32_t slot,
             unsigned bytes, bool isWrite, Access &access);

/// Checks one lane's access before it happens. `values` are the bytes about to
/// be written (null for reads and updates): rewriting what is there is no race.
void checkLane(Warp &w, const Inst &inst, unsigned lane, const Access &access,
               unsigned bytes, AccessKind kind, const uint8_t *values);

/// Counts banks, sectors and bytes.
void countAccess(Warp &w, const Inst &inst, uint32_t mask, const Access &access,
                 unsigned bytes);
/// Passes over the 32 banks for accesses of so many bytes; `ideal` gets the
/// least number for as many lanes.
unsigned bankWavefronts(uint32_t mask, const uint64_t *address, unsigned bytes,
                        unsigned &ideal);

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_ACCESS_H
