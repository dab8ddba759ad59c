// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counters of memory: bank conflicts, sectors, bytes.

#include "Access.h"
#include "Lanes.h"

#include <algorithm>

using namespace qdialect;
using namespace qdialect::ptx;

/// 32 banks of 4 bytes. Wider accesses go in parts of 128 bytes: two for 8
/// bytes a lane, four for 16.
unsigned ptx::bankWavefronts(uint32_t mask, const uint64_t *address,
                             unsigned bytes, unsigned &ideal) {
  unsigned lanesAtOnce = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
  unsigned wordsEach = bytes <= 4 ? 1 : bytes / 4;
  unsigned total = 0;
  ideal = 0;
  for (unsigned first = 0; first < kWarpSize; first += lanesAtOnce) {
    uint32_t part =
        lanesAtOnce == 32 ? mask : mask >> first & ((1u << lanesAtOnce) - 1);
    if (!part)
      continue;
    // Words already asked for, by bank: the same word is one access.
    uint64_t words[32][32];
    uint8_t count[32] = {};
    unsigned worst = 1;
    forLanes(part, [&](unsigned l) {
      uint64_t word = address[first + l] / 4;
      for (unsigned k = 0; k < wordsEach; ++k, ++word) {
        unsigned bank = word & 31;
        bool seen = false;
        for (unsigned n = 0; n < count[bank] && !seen; ++n)
          seen = words[bank][n] == word;
        if (!seen && count[bank] < 32) {
          words[bank][count[bank]++] = word;
          worst = std::max<unsigned>(worst, count[bank]);
        }
      }
    });
    total += worst;
    ++ideal;
  }
  return total;
}

void ptx::countAccess(Warp &w, const Inst &inst, uint32_t mask,
                      const Access &access, unsigned bytes) {
  SiteCounters &site = w.block->site(inst);
  site.bytes += uint64_t{bytes} * __builtin_popcount(mask);
  uint32_t shared = 0, global = 0;
  forLanes(mask, [&](unsigned l) {
    shared |= uint32_t{access.space[l] == Space::Shared} << l;
    global |= uint32_t{access.space[l] == Space::Global} << l;
  });
  if (shared) {
    unsigned ideal;
    unsigned passes = bankWavefronts(shared, access.address, bytes, ideal);
    site.wavefronts += passes;
    site.conflicts += passes - ideal;
  }
  if (!global)
    return;
  // Sectors of 32 bytes, each once.
  uint64_t sectors[kWarpSize * 2];
  unsigned count = 0;
  uint64_t addresses[kWarpSize];
  unsigned lanes = 0;
  forLanes(global, [&](unsigned l) {
    addresses[lanes++] = access.address[l];
    uint64_t sector = access.address[l] / 32;
    if (!count || sectors[count - 1] != sector)
      sectors[count++] = sector;
  });
  if (!std::is_sorted(sectors, sectors + count))
    std::sort(sectors, sectors + count);
  count =
      static_cast<unsigned>(std::unique(sectors, sectors + count) - sectors);
  // The least: as many different bytes, packed.
  if (!std::is_sorted(addresses, addresses + lanes))
    std::sort(addresses, addresses + lanes);
  unsigned distinct = static_cast<unsigned>(
      std::unique(addresses, addresses + lanes) - addresses);
  ++site.requests;
  site.sectors += count;
  site.idealSectors += (uint64_t{distinct} * bytes + 31) / 32;
}
