// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Addresses to host memory: spaces, bounds, alignment.

#include "Access.h"
#include "Lanes.h"

using namespace qdialect;
using namespace qdialect::ptx;

static std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx",
                static_cast<unsigned long long>(value));
  return text;
}

static std::string describeAccess(const Warp &w, unsigned lane, bool isWrite,
                                  unsigned bytes, Space space,
                                  uint64_t address) {
  return w.describe(lane) + (isWrite ? " writes " : " reads ") +
         std::to_string(bytes) + " bytes at " + std::string(name(space)) +
         " address " + hex(address);
}

/// Generic addresses: which window, and the offset in it.
static Space classify(Space space, uint64_t &address) {
  if (space != Space::Generic)
    return space;
  if (address - kSharedWindow < kWindowSize) {
    address -= kSharedWindow;
    return Space::Shared;
  }
  if (address - kLocalWindow < kWindowSize) {
    address -= kLocalWindow;
    return Space::Local;
  }
  return Space::Global;
}

bool ptx::resolveLane(Warp &w, const Inst &inst, unsigned lane, Space space,
                      uint64_t address, unsigned bytes, unsigned alignment,
                      bool isWrite, Access &access) {
  space = classify(space, address);
  Block &block = *w.block;
  access.space[lane] = space;
  access.address[lane] = address;
  access.allocation[lane] = nullptr;
  if (address & (alignment - 1)) {
    w.fault(inst, FindingKind::Misaligned,
            describeAccess(w, lane, isWrite, bytes, space, address) +
                ", which is no multiple of " + std::to_string(alignment));
    return false;
  }
  auto outside = [&](const std::string &what) {
    w.fault(inst, FindingKind::OutOfBounds,
            describeAccess(w, lane, isWrite, bytes, space, address) + what);
    return false;
  };
  switch (space) {
  case Space::Shared:
    if (address > block.sharedBytes || bytes > block.sharedBytes - address)
      return outside(" of " + std::to_string(block.sharedBytes));
    access.host[lane] = block.shared + address;
    return true;
  case Space::Local: {
    if (address > block.localBytes || bytes > block.localBytes - address)
      return outside(" of " + std::to_string(block.localBytes));
    uint64_t thread = w.index * kWarpSize + lane;
    access.host[lane] =
        block.local.data() + thread * block.localBytes + address;
    return true;
  }
  default:
    break;
  }
  Allocation *a = w.cached;
  uint64_t offset = a ? address - a->base : 0;
  if (!a || offset > a->size || bytes > a->size - offset) {
    a = block.launch->memory->find(address, bytes);
    if (!a)
      return outside(", outside of every allocation");
    w.cached = a;
    offset = address - a->base;
  }
  if (isWrite && !a->writable) {
    w.fault(inst, FindingKind::ReadOnly,
            describeAccess(w, lane, isWrite, bytes, space, address) +
                ", which is read-only");
    return false;
  }
  access.allocation[lane] = a;
  access.host[lane] = a->bytes.get() + offset;
  return true;
}

bool ptx::resolve(Warp &w, const Inst &inst, uint32_t mask, uint32_t slot,
                  unsigned bytes, bool isWrite, Access &access) {
  uint64_t base[kWarpSize];
  if (inst.aux & kAddress32) {
    // Shared and local offsets; 32-bit arithmetic wraps.
    const uint32_t *a = w.lanes<uint32_t>(slot);
    for (unsigned l = 0; l < kWarpSize; ++l)
      base[l] = static_cast<uint32_t>(a[l] + inst.imm);
  } else {
    const uint64_t *a = w.lanes<uint64_t>(slot);
    for (unsigned l = 0; l < kWarpSize; ++l)
      base[l] = a[l] + static_cast<uint64_t>(inst.imm);
  }
  // The common case at once: all lanes aligned, in bounds and in one place.
  Space space = inst.space;
  uint64_t low = ~uint64_t{0}, high = 0, bits = 0;
  for (unsigned l = 0; l < kWarpSize; ++l) {
    bool active = mask >> l & 1;
    low = active && base[l] < low ? base[l] : low;
    high = active && base[l] > high ? base[l] : high;
    bits |= active ? base[l] : 0;
  }
  if (!(bits & (bytes - 1))) {
    if (space == Space::Shared && high + bytes <= w.block->sharedBytes &&
        high + bytes >= high) {
      for (unsigned l = 0; l < kWarpSize; ++l) {
        access.space[l] = Space::Shared;
        access.address[l] = base[l];
        access.host[l] = w.block->shared + base[l];
        access.allocation[l] = nullptr;
      }
      return true;
    }
    Allocation *a = w.cached;
    if ((space == Space::Global || space == Space::Generic) && a &&
        low >= a->base && high - a->base + bytes <= a->size &&
        (a->writable || !isWrite)) {
      for (unsigned l = 0; l < kWarpSize; ++l) {
        access.space[l] = Space::Global;
        access.address[l] = base[l];
        access.host[l] = a->bytes.get() + (base[l] - a->base);
        access.allocation[l] = a;
      }
      return true;
    }
  }
  for (uint32_t m = mask; m; m &= m - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(m));
    if (!resolveLane(w, inst, lane, space, base[lane], bytes, bytes, isWrite,
                     access))
      return false;
  }
  return true;
}
