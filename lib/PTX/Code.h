// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The decoded form: what the warps execute.
//
// A frame is one block of bytes: registers first (32 lanes side by side,
// 2, 4, 8 or 16 bytes each; a predicate is one 32-bit mask), then constants,
// already broadcast to 32 lanes, so that an operand is never more than an
// offset into the frame.

#ifndef QDIALECT_LIB_PTX_CODE_H
#define QDIALECT_LIB_PTX_CODE_H

#include "QDialect/PTX/Report.h"

#include <memory>

namespace qdialect::ptx {

struct Warp;
struct Inst;
struct Code;

/// Executes `inst` for the lanes in `mask` (never 0).
using Handler = void (*)(Warp &warp, const Inst &inst, uint32_t mask);

inline constexpr uint32_t kNoSlot = ~uint32_t{0};
inline constexpr unsigned kWarpSize = 32;
/// In Inst::aux of a memory instruction: its address register has 32 bits.
inline constexpr uint32_t kAddress32 = uint32_t{1} << 31;

struct Inst {
  Handler exec = nullptr;
  /// The guard's predicate in the frame.
  uint32_t guard = kNoSlot;
  bool guardNegated = false;
  InstructionClass group = InstructionClass::Integer;
  /// Moves carry uninitialised lanes on instead of reporting them.
  bool propagates = false;
  Space space = Space::Generic;
  /// Offsets of the operands in the frame; the destination is the first.
  uint32_t op[6] = {kNoSlot, kNoSlot, kNoSlot, kNoSlot, kNoSlot, kNoSlot};
  /// Whatever the handler needs: rounding, comparison, sizes, targets.
  uint32_t aux = 0;
  uint32_t aux2 = 0;
  int64_t imm = 0;
  /// Further operands: [list, list + listSize) of Code::pool.
  uint32_t list = 0, listSize = 0;
  /// The registers read and written, by number: ranges of Code::pool.
  uint32_t reads = 0, readCount = 0;
  uint32_t writes = 0, writeCount = 0;
  uint32_t line = 0;
};

/// A constant of the frame that is not the same in every frame.
struct DynamicConstant {
  enum Kind : uint8_t { Special, LocalAddress };
  Kind kind;
  uint32_t slot;
  /// Special: its number (Special.h). LocalAddress: offset in the frame's
  /// local memory.
  uint32_t value;
  /// Bytes of a lane.
  uint32_t width;
};

/// One function, decoded.
struct Code {
  const Function *function = nullptr;
  std::vector<Inst> insts;
  std::vector<uint32_t> pool;
  std::vector<int> tables;
  /// By register number: offset in the frame.
  std::vector<uint32_t> slots;
  uint32_t registerBytes = 0;
  /// The bytes after the registers.
  std::vector<uint8_t> constants;
  std::vector<DynamicConstant> dynamic;
  /// Local memory of one thread, and where a call finds its variables in it.
  uint32_t localBytes = 0;
  std::vector<uint32_t> paramOffsets, returnOffsets;
  /// Functions called, by number.
  std::vector<const Code *> callees;

  uint32_t frameBytes() const {
    return registerBytes + static_cast<uint32_t>(constants.size());
  }
};

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_CODE_H
