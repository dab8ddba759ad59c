// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of CPU variants and the meaning of --target-cpu.

#include "QDialect/CodeGen/CPU/CpuTarget.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

using namespace llvm;

namespace qdialect {

static const CpuTarget kTargets[] = {
    {"avx512amx", CpuTarget::AVX512AMX,
     "+avx512f,+avx512bw,+avx512vl,+avx512dq,+avx512cd,+avx512vnni,+amx-tile,"
     "+amx-int8,+avx2,+fma,+f16c,+bmi,+bmi2,+popcnt",
     "icelake-server"},
    {"avx512vnni", CpuTarget::AVX512VNNI,
     "+avx512f,+avx512bw,+avx512vl,+avx512dq,+avx512cd,+avx512vnni,+avx2,+fma,"
     "+f16c,+bmi,+bmi2,+popcnt",
     "icelake-server"},
    {"avx2", CpuTarget::AVX2, "+avx2,+fma,+f16c,+bmi,+bmi2,+popcnt", "haswell"},
    {"scalar", CpuTarget::Scalar, "", ""},
};

ArrayRef<CpuTarget> allCpuTargets() { return kTargets; }

/// Whether `has` holds for every feature the variant is compiled with.
template <class Has>
static bool hasAllFeatures(const CpuTarget &target, Has has) {
  SmallVector<StringRef> features;
  StringRef(target.features).split(features, ',', -1, /*KeepEmpty=*/false);
  return all_of(features,
                [&](StringRef feature) { return has(feature.drop_front()); });
}

/// The registers of tiles are 8 KiB that the kernel saves for a process only
/// once it has asked.
static bool mayUseTiles() {
#if defined(__linux__) && defined(__x86_64__)
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  static const bool isGranted =
      syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return isGranted;
#else
  return false;
#endif
}

bool CpuTarget::runsHere() const {
  static const StringMap<bool> host = sys::getHostCPUFeatures();
  return hasAllFeatures(
             *this, [](StringRef feature) { return host.lookup(feature); }) &&
         (!hasTiles() || mayUseTiles());
}

Expected<SmallVector<CpuTarget, 3>> parseTargetCpus(StringRef list) {
  SmallVector<StringRef> names;
  list.split(names, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  SmallVector<bool> chosen(std::size(kTargets), false);
  for (StringRef name : names) {
    name = name.trim();
    const CpuTarget *target =
        find_if(kTargets, [&](auto &t) { return t.name == name; });
    if (name == "native") {
      target = find_if(kTargets, [](auto &t) { return t.runsHere(); });
    } else if (target == std::end(kTargets)) {
      if (X86::parseArchX86(name, /*Only64Bit=*/true) == X86::CK_None)
        return createStringError(
            "unknown target CPU '" + name +
            "'; expected native, avx512amx, avx512vnni, avx2, scalar or an "
            "x86-64 CPU name known to LLVM (znver4, cascadelake, "
            "haswell, ...)");
      SmallVector<StringRef> features;
      X86::getFeaturesForCPU(name, features);
      target = find_if(kTargets, [&](auto &t) {
        return hasAllFeatures(t, [&](StringRef feature) {
          return is_contained(features, feature);
        });
      });
    }
    chosen[target - kTargets] = true;
  }
  SmallVector<CpuTarget, 3> targets;
  for (auto [target, use] : zip(kTargets, chosen))
    if (use)
      targets.push_back(target);
  if (targets.empty())
    return createStringError("--target-cpu names no CPU");
  return targets;
}

} // namespace qdialect
