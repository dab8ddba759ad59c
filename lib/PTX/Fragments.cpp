// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ldmatrix, stmatrix and movmatrix: 8x8 matrices of 16-bit elements.
//
// Lane 8 m + r holds the address of row r of matrix m. Of each matrix lane T
// gets the elements 2 (T mod 4) and the next of row T / 4; with .trans, of
// column T / 4.

#include "Access.h"
#include "Decoder.h"
#include "Lanes.h"

#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
constexpr unsigned kRowBytes = 16;

void count(Warp &w, const Inst &i, const Access &access, uint32_t lanes) {
  if (w.block->launch->config->count)
    countAccess(w, i, lanes, access, kRowBytes);
}
uint32_t addressLanes(const Inst &i) {
  return i.listSize == 4 ? kAllLanes : (1u << 8 * i.listSize) - 1;
}

template <bool Trans>
void loadMatrix(Warp &w, const Inst &i, uint32_t mask) {
  Access access;
  uint32_t lanes = addressLanes(i);
  if (!w.convergeAll(i, mask) ||
      !resolve(w, i, lanes, i.op[1], kRowBytes, false, access))
    return;
  count(w, i, access, lanes);
  if (w.checks())
    forLanes(lanes, [&](unsigned l) {
      checkLane(w, i, l, access, kRowBytes, AccessKind::Read, nullptr);
    });
  for (unsigned m = 0; m < i.listSize; ++m) {
    uint32_t slot = w.frame().code->pool[i.list + m];
    if (slot == kNoSlot)
      continue;
    uint16_t rows[8][8];
    for (unsigned r = 0; r < 8; ++r)
      std::memcpy(rows[r], access.host[8 * m + r], kRowBytes);
    uint32_t *d = w.lanes<uint32_t>(slot);
    for (unsigned l = 0; l < kWarpSize; ++l) {
      unsigned major = l / 4, minor = l % 4 * 2;
      uint32_t low = Trans ? rows[minor][major] : rows[major][minor];
      uint32_t high = Trans ? rows[minor + 1][major] : rows[major][minor + 1];
      d[l] = high << 16 | low;
    }
  }
}

template <bool Trans>
void storeMatrix(Warp &w, const Inst &i, uint32_t mask) {
  Access access;
  uint32_t lanes = addressLanes(i);
  if (!w.convergeAll(i, mask) ||
      !resolve(w, i, lanes, i.op[1], kRowBytes, true, access))
    return;
  count(w, i, access, lanes);
  for (unsigned m = 0; m < i.listSize; ++m) {
    uint16_t rows[8][8];
    const uint32_t *a = w.lanes<uint32_t>(w.frame().code->pool[i.list + m]);
    for (unsigned l = 0; l < kWarpSize; ++l)
      for (unsigned e = 0; e < 2; ++e) {
        unsigned major = l / 4, minor = l % 4 * 2 + e;
        (Trans ? rows[minor][major] : rows[major][minor]) =
            static_cast<uint16_t>(a[l] >> 16 * e);
      }
    for (unsigned r = 0; r < 8; ++r) {
      uint8_t bytes[kRowBytes];
      std::memcpy(bytes, rows[r], kRowBytes);
      if (w.checks())
        checkLane(w, i, 8 * m + r, access, kRowBytes, AccessKind::Write, bytes);
      std::memcpy(access.host[8 * m + r], bytes, kRowBytes);
    }
  }
}

template <bool Store>
void decodeMatrix(Decoder &d) {
  int shape = d.choice("x1 x2 x4");
  if (shape < 0 || !d.has("m8n8") || !d.has("sync") || !d.has("aligned") ||
      !d.expectOperands(2, 2)) {
    d.fail(".sync.aligned.m8n8 and .x1, .x2 or .x4 are needed");
    return;
  }
  const Operand &o = d.operand(Store ? 1 : 0);
  std::vector<Operand> registers =
      o.kind == Operand::Vector ? o.elements : std::vector<Operand>{o};
  if (registers.size() != size_t{1} << shape) {
    d.fail(std::to_string(registers.size()) + " registers");
    return;
  }
  std::vector<uint32_t> slots;
  for (const Operand &r : registers)
    slots.push_back(Store ? d.src(r, Type::B32) : d.dst(r, Type::B32));
  d.list(slots);
  d.out.op[1] = d.address(Store ? 0 : 1, d.choice("shared shared::cta") >= 0
                                             ? Space::Shared
                                             : Space::Generic);
  if (Store)
    d.out.exec = d.has("trans") ? storeMatrix<true> : storeMatrix<false>;
  else
    d.out.exec = d.has("trans") ? loadMatrix<true> : loadMatrix<false>;
}

void moveMatrix(Warp &w, const Inst &i, uint32_t mask) {
  if (!w.convergeAll(i, mask))
    return;
  uint16_t rows[8][8];
  const uint32_t *a = w.lanes<uint32_t>(i.op[1]);
  for (unsigned l = 0; l < kWarpSize; ++l)
    for (unsigned e = 0; e < 2; ++e)
      rows[l / 4][l % 4 * 2 + e] = static_cast<uint16_t>(a[l] >> 16 * e);
  uint32_t *d = w.lanes<uint32_t>(i.op[0]);
  for (unsigned l = 0; l < kWarpSize; ++l)
    d[l] = uint32_t{rows[l % 4 * 2 + 1][l / 4]} << 16 | rows[l % 4 * 2][l / 4];
}
void decodeMove(Decoder &d) {
  d.simple(Type::B32, {Type::B32});
  if (!d.has("trans") || !d.has("m8n8"))
    d.fail(".m8n8.trans is needed");
  d.out.exec = moveMatrix;
}
} // namespace

static const InstructionInfo kTable[] = {
    {"ldmatrix", "b16", "sync aligned m8n8 x1 x2 x4 trans shared shared::cta",
     InstructionClass::Matrix, decodeMatrix<false>},
    {"stmatrix", "b16", "sync aligned m8n8 x1 x2 x4 trans shared shared::cta",
     InstructionClass::Matrix, decodeMatrix<true>},
    {"movmatrix", "b16", "sync aligned m8n8 trans", InstructionClass::Matrix,
     decodeMove},
};

InstructionList ptx::fragmentInstructions() { return kTable; }
