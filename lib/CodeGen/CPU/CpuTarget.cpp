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

using namespace llvm;

namespace qdialect {

static const CpuTarget kTargets[] = {
    {"avx512vnni",
     CpuTarget::AVX512VNNI,
     "+avx512f,+avx512bw,+avx512vl,+avx512dq,+avx512cd,+avx512vnni,+avx2,+fma,"
     "+f16c,+bmi,+bmi2,+popcnt",
     "icelake-server",
     {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512cd", "avx512vnni", "avx2",
      "fma", "f16c", "bmi", "bmi2", "popcnt"}},
    {"avx2",
     CpuTarget::AVX2,
     "+avx2,+fma,+f16c,+bmi,+bmi2,+popcnt",
     "haswell",
     {"avx2", "fma", "f16c", "bmi", "bmi2", "popcnt"}},
    {"scalar", CpuTarget::Scalar, "", "", {}},
};

ArrayRef<CpuTarget> allCpuTargets() { return kTargets; }

bool CpuTarget::runsHere() const {
  // requiredFlags are LLVM's own feature names, so one query answers.
  static const StringMap<bool> host = sys::getHostCPUFeatures();
  return all_of(requiredFlags, [](StringRef flag) { return host.lookup(flag); });
}

/// The best variant that a CPU with these features runs.
template <class Has>
static const CpuTarget &bestFor(Has has) {
  for (const CpuTarget &target : kTargets)
    if (all_of(target.requiredFlags, has))
      return target;
  return kTargets[std::size(kTargets) - 1];
}

Expected<SmallVector<CpuTarget>> parseTargetCpus(StringRef list) {
  SmallVector<StringRef> names;
  list.split(names, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  SmallVector<bool> chosen(std::size(kTargets), false);
  for (StringRef name : names) {
    name = name.trim();
    const CpuTarget *target = find_if(kTargets, [&](auto &t) { return t.name == name; });
    if (name == "native") {
      target = find_if(kTargets, [](auto &t) { return t.runsHere(); });
    } else if (target == std::end(kTargets)) {
      if (X86::parseArchX86(name, /*Only64Bit=*/true) == X86::CK_None)
        return createStringError("unknown target CPU '" + name +
                                 "'; expected native, avx512vnni, avx2, scalar or an "
                                 "x86-64 CPU name known to LLVM (znver4, cascadelake, "
                                 "haswell, ...)");
      SmallVector<StringRef> features;
      X86::getFeaturesForCPU(name, features);
      target = &bestFor([&](StringRef flag) { return is_contained(features, flag); });
    }
    chosen[target - kTargets] = true;
  }
  SmallVector<CpuTarget> targets;
  for (auto [target, use] : zip(kTargets, chosen))
    if (use)
      targets.push_back(target);
  if (targets.empty())
    return createStringError("--target-cpu names no CPU");
  return targets;
}

} // namespace qdialect
