// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of GPUs and the meaning of --target nvptx:LIST. The numbers are
// those of the CUDA programming guide's table of compute capabilities.

#include "QDialect/CodeGen/NVVM/GpuTarget.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace llvm;

namespace qdialect {

static constexpr int64_t kKiB = 1024;

static const GpuTarget kTargets[] = {
    {"sm_80", 80, "+ptx80", 163 * kKiB, 164 * kKiB, 2048, 32, 65536},
    {"sm_86", 86, "+ptx80", 99 * kKiB, 100 * kKiB, 1536, 16, 65536},
    {"sm_89", 89, "+ptx84", 99 * kKiB, 100 * kKiB, 1536, 24, 65536},
    {"sm_90", 90, "+ptx84", 227 * kKiB, 228 * kKiB, 2048, 32, 65536},
    {"sm_100", 100, "+ptx86", 227 * kKiB, 228 * kKiB, 2048, 32, 65536},
    {"sm_120", 120, "+ptx87", 99 * kKiB, 100 * kKiB, 1536, 24, 65536},
};

int64_t residentBlocks(const GpuTarget &target, int64_t threads,
                       int64_t registers, int64_t sharedBytes) {
  constexpr int64_t kWarp = 32, kRegisterUnit = 256;
  int64_t warps = divideCeil(threads, kWarp);
  int64_t registersOfBlock =
      warps * alignTo(std::max<int64_t>(registers, 1) * kWarp, kRegisterUnit);
  return std::min({target.blocks, target.threads / (warps * kWarp),
                   target.registers / registersOfBlock,
                   target.sharedPerMultiprocessor / (sharedBytes + kKiB)});
}

ArrayRef<GpuTarget> allGpuTargets() { return kTargets; }

Expected<SmallVector<GpuTarget, 3>> parseGpuTargets(StringRef list) {
  SmallVector<StringRef> names;
  list.split(names, ',');
  SmallVector<bool> chosen(std::size(kTargets), false);
  for (StringRef name : names) {
    const GpuTarget *target =
        find_if(kTargets, [&](auto &t) { return t.name == name.trim(); });
    if (target == std::end(kTargets))
      return createStringError(
          "unknown GPU '" + name + "'; expected " +
          join(map_range(kTargets, [](auto &t) { return t.name; }), ", "));
    chosen[target - kTargets] = true;
  }
  SmallVector<GpuTarget, 3> targets;
  for (auto [target, use] : reverse(zip(kTargets, chosen)))
    if (use)
      targets.push_back(target);
  return targets;
}

} // namespace qdialect
