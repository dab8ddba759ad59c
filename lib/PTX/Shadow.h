// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the checkers know of each byte of memory.
//
// An access is stamped with the thread that made it and the time of its warp.
// A block's clock ticks at every synchronisation; vector clocks (Clocks.h) say
// which times of which warps lie before the present one. A byte keeps its last
// write and two reads by different warps: after a missing barrier at least one
// of two readers is not the next writer, so two are enough to see it.

#ifndef QDIALECT_LIB_PTX_SHADOW_H
#define QDIALECT_LIB_PTX_SHADOW_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace qdialect::ptx {

/// (time << 10) | (warp << 5) | lane; 0 is never.
using Stamp = uint32_t;
inline Stamp makeStamp(uint32_t time, uint32_t warp, uint32_t lane) {
  return time << 10 | warp << 5 | lane;
}
inline uint32_t stampTime(Stamp s) { return s >> 10; }
inline uint32_t stampWarp(Stamp s) { return s >> 5 & 31; }
inline uint32_t stampLane(Stamp s) { return s & 31; }

struct Cell {
  enum Flag : uint32_t {
    Initialized = 1,
    /// The destination of a cp.async that has not been waited for.
    Pending = 2,
    StrongWrite = 4,
    StrongRead0 = 8,
    StrongRead1 = 16,
  };
  Stamp write = 0;
  Stamp read[2] = {0, 0};
  uint32_t flags = 0;

  bool operator==(const Cell &other) const {
    return write == other.write && flags == other.flags &&
           read[0] == other.read[0] && read[1] == other.read[1];
  }
};

/// A byte of global memory: its stamps belong to blocks.
struct GlobalCell {
  Cell cell;
  uint32_t writeBlock = 0;
  uint32_t readBlock[2] = {0, 0};
  /// The launch these stamps belong to; older ones are forgotten.
  uint32_t launch = 0;

  bool operator==(const GlobalCell &other) const {
    return cell == other.cell && writeBlock == other.writeBlock &&
           readBlock[0] == other.readBlock[0] &&
           readBlock[1] == other.readBlock[1] && launch == other.launch;
  }
};

/// The cells of one allocation, made a page at a time.
class GlobalShadow {
public:
  static constexpr uint64_t kPage = 1024;
  GlobalShadow(uint64_t bytes, bool initialized)
      : pages((bytes + kPage - 1) / kPage + 1), initialized(initialized) {}

  std::mutex &mutexOf(uint64_t offset) {
    return mutexes[offset / kPage % kStripes];
  }
  /// The cell of a byte, those of its page behind it; the caller holds
  /// mutexOf(offset).
  GlobalCell &cell(uint64_t offset) {
    std::unique_ptr<GlobalCell[]> &page = pages[offset / kPage];
    if (!page) {
      page.reset(new GlobalCell[kPage]());
      for (uint64_t i = 0; initialized && i < kPage; ++i)
        page[i].cell.flags = Cell::Initialized;
    }
    return page[offset % kPage];
  }
  void markInitialized(uint64_t offset, uint64_t bytes) {
    for (uint64_t i = 0; !initialized && i < bytes; ++i)
      cell(offset + i).cell.flags |= Cell::Initialized;
  }

private:
  static constexpr unsigned kStripes = 64;
  std::vector<std::unique_ptr<GlobalCell[]>> pages;
  std::mutex mutexes[kStripes];
  bool initialized;
};

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_SHADOW_H
