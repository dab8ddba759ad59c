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

namespace qdialect {

/// One variant of the generated code.
struct CpuTarget {
  enum Isa { Scalar, AVX2, AVX512VNNI, AVX512AMX };

  /// What `QDIALECT_CPU=` and receipts say: "avx512amx", "avx512vnni", "avx2",
  /// "scalar".
  std::string name;
  Isa isa = Scalar;
  /// LLVM subtarget features, "+avx2,+fma,..."; never a CPU name, so that the
  /// code runs on every machine that has the features.
  std::string features;
  /// The CPU whose schedule is used ("-mtune"); may be empty.
  std::string tune;

  /// Registers of 512 bits and their masks.
  bool hasAvx512() const { return isa == AVX512VNNI || isa == AVX512AMX; }
  /// vpdpbusd.
  bool hasDotProduct() const { return isa == AVX512VNNI || isa == AVX512AMX; }
  /// Tile registers and tdpbusd.
  bool hasTiles() const { return isa == AVX512AMX; }

  /// Whether the machine we stand on can run this variant. Where it has tiles
  /// this asks the kernel to let the process use them.
  bool runsHere() const;
};

/// Every variant, best first; the last one runs on any x86-64.
llvm::ArrayRef<CpuTarget> allCpuTargets();

/// The variants a --target-cpu list names: "native", variant names and LLVM CPU
/// names ("znver4", "cascadelake", "haswell", ...), separated by commas. Best
/// first, without duplicates. An unknown name is an error that lists what is
/// known.
llvm::Expected<llvm::SmallVector<CpuTarget, 3>>
parseTargetCpus(llvm::StringRef list);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_CPU_CPUTARGET_H
