// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Allocations of device memory.

#include "DeviceMemory.h"

#include <algorithm>
#include <new>

using namespace qdialect;
using namespace qdialect::ptx;

uint64_t DeviceMemory::allocate(uint64_t bytes, bool initialized,
                                bool writable) {
  if (bytes > uint64_t{1} << 40)
    return 0;
  auto allocation = std::make_unique<Allocation>();
  allocation->base = next;
  allocation->size = bytes;
  allocation->writable = writable;
  allocation->bytes.reset(new (std::nothrow) uint8_t[bytes + 16]());
  if (!allocation->bytes)
    return 0;
  if (writable)
    allocation->shadow = std::make_unique<GlobalShadow>(bytes, initialized);
  // At least one page of nothing between two allocations.
  next += (bytes + 4096 + 4095) / 4096 * 4096;
  allocations.push_back(std::move(allocation));
  return allocations.back()->base;
}

void DeviceMemory::release(uint64_t address) {
  auto it = std::find_if(allocations.begin(), allocations.end(),
                         [&](const auto &a) { return a->base == address; });
  if (it != allocations.end())
    allocations.erase(it);
}

Allocation *DeviceMemory::find(uint64_t address, uint64_t bytes) const {
  auto it = std::upper_bound(
      allocations.begin(), allocations.end(), address,
      [](uint64_t a, const auto &allocation) { return a < allocation->base; });
  if (it == allocations.begin())
    return nullptr;
  Allocation *a = std::prev(it)->get();
  uint64_t offset = address - a->base;
#if QDIALECT_MUTATE == 36 // only the first byte of an access must lie inside
  bytes = 1;
#endif
  return offset <= a->size && bytes <= a->size - offset ? a : nullptr;
}
