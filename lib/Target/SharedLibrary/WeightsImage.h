// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The constants of a program as an object file.

#ifndef QDIALECT_TARGET_SHAREDLIBRARY_WEIGHTSIMAGE_H
#define QDIALECT_TARGET_SHAREDLIBRARY_WEIGHTSIMAGE_H

#include "QDialect/CodeGen/CPU/KernelPlan.h"
#include "QDialect/CodeGen/Program/EmitProgram.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace qdialect {

/// Writes an object file with one read-only section (`.lrodata.qd`, which may
/// lie more than 2 GiB away from the code) and one hidden symbol,
/// kWeightsSymbol. The blobs are filled in place, in parallel; equal ones are
/// stored once.
llvm::Expected<WeightsLayout>
writeWeightsObject(llvm::ArrayRef<ConstantBlob> blobs, llvm::StringRef path,
                   bool isArm);

} // namespace qdialect

#endif // QDIALECT_TARGET_SHAREDLIBRARY_WEIGHTSIMAGE_H
