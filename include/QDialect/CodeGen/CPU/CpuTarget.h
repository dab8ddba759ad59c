// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CPU variants that kernels are generated for. One table names the
// instruction set a kernel builder may use and the LLVM features the code
// generator is given, because an intrinsic without its feature aborts LLVM.

#ifndef QDIALECT_CODEGEN_CPU_CPUTARGET_H
#define QDIALECT_CODEGEN_CPU_CPUTARGET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace qdialect {

/// One variant of the generated code.
struct CpuTarget {
  /// The numbers are part of compiled models (qd_isa of the runtime).
  enum Isa {
    Scalar = 0,
    AVX2 = 1,
    AVX512VNNI = 2,
    AVX512AMX = 3,
    AVXVNNI = 4,
    AVX512 = 5,
    NEON = 16,
    DotProd = 17,
    I8MM = 18
  };

  /// What `QDIALECT_CPU=` and receipts say: "avx512amx", "avx512vnni", ...
  std::string name;
  Isa isa = Scalar;
  /// LLVM subtarget features, "+avx2,+fma,..."; never a CPU name, so that the
  /// code runs on every machine that has the features.
  std::string features;
  /// The CPU whose schedule is used ("-mtune"); may be empty.
  std::string tune;

  /// In libraries for which --target-cpu names nothing else; what the others
  /// would add is less than what they cost in bytes and compile time.
  bool isDefault = true;

  /// Code for AArch64, not x86-64; a library has one of the two.
  bool isArm() const { return isa >= NEON; }
  /// Registers of 512 bits and their masks.
  bool hasAvx512() const {
    return isa == AVX512VNNI || isa == AVX512AMX || isa == AVX512;
  }
  /// vpdpbusd, as wide as the registers.
  bool hasDotProduct() const {
    return isa == AVX512VNNI || isa == AVX512AMX || isa == AVXVNNI;
  }
  /// Tile registers and tdpbusd.
  bool hasTiles() const { return isa == AVX512AMX; }

  /// Whether the machine we stand on can run this variant. Where it has tiles
  /// this asks the kernel to let the process use them.
  bool runsHere() const;
};

/// Every variant for x86-64, best first; the last one runs on any.
llvm::ArrayRef<CpuTarget> allCpuTargets();

/// The same for AArch64, for which libraries are cross-compiled.
llvm::ArrayRef<CpuTarget> armCpuTargets();

/// Those of them that a library has where nobody chose.
std::vector<CpuTarget> defaultCpuTargets();

/// The variants a --target-cpu list names: "native", "all", "aarch64", variant
/// names and LLVM CPU names ("znver4", "cascadelake", "haswell", ...),
/// separated by commas. Best first, without duplicates, of one architecture. An
/// unknown name is an error that lists what is known.
llvm::Expected<llvm::SmallVector<CpuTarget, 3>>
parseTargetCpus(llvm::StringRef list);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_CPU_CPUTARGET_H
