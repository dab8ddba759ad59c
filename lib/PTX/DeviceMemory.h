// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Device memory: allocations with gaps between them, and where the windows of
// shared and local memory lie in the generic address space.

#ifndef QDIALECT_LIB_PTX_DEVICEMEMORY_H
#define QDIALECT_LIB_PTX_DEVICEMEMORY_H

#include "Shadow.h"

#include <memory>
#include <vector>

namespace qdialect::ptx {

inline constexpr uint64_t kGlobalBase = 0x7f0000000000;
inline constexpr uint64_t kSharedWindow = 0x7e0000000000;
inline constexpr uint64_t kLocalWindow = 0x7d0000000000;
inline constexpr uint64_t kFunctionWindow = 0x7c0000000000;
inline constexpr uint64_t kWindowSize = uint64_t{1} << 32;

struct Allocation {
  uint64_t base = 0;
  uint64_t size = 0;
  bool writable = true;
  std::unique_ptr<uint8_t[]> bytes;
  /// Empty for read-only memory, which cannot race.
  std::unique_ptr<GlobalShadow> shadow;
};

class DeviceMemory {
public:
  /// 0 where memory is refused.
  uint64_t allocate(uint64_t bytes, bool initialized, bool writable);
  /// Nothing where no allocation begins.
  void release(uint64_t address);
  /// Null where [address, address + bytes) is not inside one allocation.
  Allocation *find(uint64_t address, uint64_t bytes) const;

  /// Of kernels on this memory so far.
  uint32_t launches = 0;

private:
  std::vector<std::unique_ptr<Allocation>> allocations; // by address
  uint64_t next = kGlobalBase;
};

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_DEVICEMEMORY_H
