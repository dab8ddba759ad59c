// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The GPUs that kernels are generated for: one row a compute capability.

#ifndef QDIALECT_CODEGEN_NVVM_GPUTARGET_H
#define QDIALECT_CODEGEN_NVVM_GPUTARGET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace qdialect {

struct GpuTarget {
  /// What ptxas and receipts say: "sm_80".
  std::string name;
  /// 10 * major + minor; code for one runs on every larger one.
  unsigned capability = 0;
  /// LLVM subtarget feature of the PTX version: "+ptx80".
  std::string features;
  /// Bytes of shared memory that a block may ask for, and that a multiprocessor
  /// has for all its blocks.
  int64_t sharedPerBlock = 0, sharedPerMultiprocessor = 0;
  /// Threads, blocks and 32-bit registers of a multiprocessor.
  int64_t threads = 0, blocks = 0, registers = 0;
};

/// Blocks that a multiprocessor holds at once: what threads, registers (given
/// to warps in units of 256), shared memory (1 KiB more a block) and its slots
/// allow.
int64_t residentBlocks(const GpuTarget &target, int64_t threads,
                       int64_t registers, int64_t sharedBytes);

/// Every target, oldest first.
llvm::ArrayRef<GpuTarget> allGpuTargets();

/// The targets of "sm_80,sm_90", newest first, without duplicates. An unknown
/// name is an error that lists what is known.
llvm::Expected<llvm::SmallVector<GpuTarget, 3>>
parseGpuTargets(llvm::StringRef list);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_NVVM_GPUTARGET_H
