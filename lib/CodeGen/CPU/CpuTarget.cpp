// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of CPU variants and the meaning of --target-cpu.

#include "QDialect/CodeGen/CPU/CpuTarget.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
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
    {"avxvnni", CpuTarget::AVXVNNI,
     "+avxvnni,+avx2,+fma,+f16c,+bmi,+bmi2,+popcnt", "alderlake",
     /*isDefault=*/false},
    {"avx512", CpuTarget::AVX512,
     "+avx512f,+avx512bw,+avx512vl,+avx512dq,+avx512cd,+avx2,+fma,+f16c,+bmi,"
     "+bmi2,+popcnt",
     "skylake-avx512", /*isDefault=*/false},
    {"avx2", CpuTarget::AVX2, "+avx2,+fma,+f16c,+bmi,+bmi2,+popcnt", "haswell"},
    {"scalar", CpuTarget::Scalar, "", ""},
};

/// Every AArch64 has NEON.
static const CpuTarget kArmTargets[] = {
    {"i8mm", CpuTarget::I8MM, "+neon,+dotprod,+i8mm", "neoverse-v1"},
    {"dotprod", CpuTarget::DotProd, "+neon,+dotprod", "neoverse-n1"},
    {"neon", CpuTarget::NEON, "+neon", "cortex-a72"},
};

ArrayRef<CpuTarget> allCpuTargets() { return kTargets; }
ArrayRef<CpuTarget> armCpuTargets() { return kArmTargets; }

std::vector<CpuTarget> defaultCpuTargets() {
  std::vector<CpuTarget> targets;
  copy_if(kTargets, std::back_inserter(targets),
          [](const CpuTarget &target) { return target.isDefault; });
  return targets;
}

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
  if (isArm() != Triple(sys::getProcessTriple()).isAArch64())
    return false;
  static const StringMap<bool> host = sys::getHostCPUFeatures();
  return hasAllFeatures(
             *this, [](StringRef feature) { return host.lookup(feature); }) &&
         (!hasTiles() || mayUseTiles());
}

/// The variants of one word of the list; an empty list for an unknown word.
static SmallVector<const CpuTarget *> targetsNamed(StringRef name) {
  SmallVector<const CpuTarget *> found;
  auto addIf = [&](ArrayRef<CpuTarget> table, auto isWanted, size_t most) {
    for (const CpuTarget &target : table)
      if (found.size() < most && isWanted(target))
        found.push_back(&target);
  };
  auto isAny = [](const CpuTarget &) { return true; };
  auto isNamed = [&](const CpuTarget &target) { return target.name == name; };
  if (name == "all")
    addIf(kTargets, isAny, std::size(kTargets));
  else if (name == "aarch64")
    addIf(kArmTargets, isAny, std::size(kArmTargets));
  else if (name == "native")
    addIf(kTargets, [](const CpuTarget &t) { return t.runsHere(); }, 1);
  else
    addIf(kTargets, isNamed, 1);
  if (found.empty())
    addIf(kArmTargets, isNamed, 1);
  if (!found.empty() ||
      X86::parseArchX86(name, /*Only64Bit=*/true) == X86::CK_None)
    return found;
  // The list leaves out what another of its features implies.
  SmallVector<StringRef> listed;
  X86::getFeaturesForCPU(name, listed);
  StringMap<bool> features;
  for (StringRef feature : listed) {
    features[feature] = true;
    X86::updateImpliedFeatures(feature, /*Enabled=*/true, features);
  }
  auto isCovered = [&](const CpuTarget &target) {
    return hasAllFeatures(
        target, [&](StringRef feature) { return features.lookup(feature); });
  };
  addIf(kTargets, isCovered, 1);
  // Linux, or what stands between it and the CPU, may withhold the tiles.
  if (!found.empty() && found.front()->hasTiles())
    addIf(
        kTargets,
        [&](const CpuTarget &t) { return !t.hasTiles() && isCovered(t); }, 2);
  return found;
}

Expected<SmallVector<CpuTarget, 3>> parseTargetCpus(StringRef list) {
  SmallVector<StringRef> names;
  list.split(names, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  SmallPtrSet<const CpuTarget *, 8> chosen;
  for (StringRef name : names) {
    name = name.trim();
    SmallVector<const CpuTarget *> found = targetsNamed(name);
    if (found.empty())
      return createStringError(
          "unknown target CPU '" + name +
          "'; expected native, all, avx512amx, avx512vnni, avxvnni, avx512, "
          "avx2, scalar, an x86-64 CPU name known to LLVM (znver4, "
          "cascadelake, "
          "haswell, ...), aarch64, i8mm, dotprod or neon");
    chosen.insert(found.begin(), found.end());
  }
  SmallVector<CpuTarget, 3> targets;
  for (ArrayRef<CpuTarget> table : {allCpuTargets(), armCpuTargets()})
    for (const CpuTarget &target : table)
      if (chosen.contains(&target))
        targets.push_back(target);
  if (targets.empty())
    return createStringError("--target-cpu names no CPU");
  if (targets.front().isArm() != targets.back().isArm())
    return createStringError("--target-cpu names '" + targets.front().name +
                             "' of x86-64 and '" + targets.back().name +
                             "' of AArch64; a library is for one of them");
  return targets;
}

} // namespace qdialect
