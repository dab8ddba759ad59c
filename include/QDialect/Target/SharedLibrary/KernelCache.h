// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels that were compiled for one program, for others that have the same:
// variants of a model differ in constants and in a few kernels, while compiling
// kernels is most of the work of a library. Kernels of equal keys
// (KernelPlan::key) are one; those without a key are compiled each time.
//
// A cache names the kernels itself, so a library made with one has the code of
// a library made without, under other (hidden) symbols.

#ifndef QDIALECT_TARGET_SHAREDLIBRARY_KERNELCACHE_H
#define QDIALECT_TARGET_SHAREDLIBRARY_KERNELCACHE_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include <memory>
#include <string>
#include <vector>

namespace qdialect {

/// Not for several emissions at once.
class KernelCache {
public:
  struct Entry {
    std::string symbol;
    /// Objects that hold it, one a variant, and perhaps other kernels.
    std::vector<size_t> objects;
  };

  /// By variants and the kernel's key.
  llvm::StringMap<Entry> entries;
  std::vector<llvm::SmallVector<char, 0>> objects;
  /// Kernels named so far.
  unsigned named = 0;
};

} // namespace qdialect

#endif // QDIALECT_TARGET_SHAREDLIBRARY_KERNELCACHE_H
