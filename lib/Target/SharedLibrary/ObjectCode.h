// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM IR to objects for x86-64 or AArch64, and objects to a shared library,
// all in process.

#ifndef QDIALECT_TARGET_SHAREDLIBRARY_OBJECTCODE_H
#define QDIALECT_TARGET_SHAREDLIBRARY_OBJECTCODE_H

#include "QDialect/CodeGen/CPU/CpuTarget.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace llvm {
class Module;
} // namespace llvm

namespace qdialect {

using ObjectBytes = llvm::SmallVector<char, 0>;

/// Optimizes (O2) and compiles a module with the features of `target`. Callable
/// from several threads, each with its own LLVMContext.
llvm::Expected<ObjectBytes> compileModule(llvm::Module &module,
                                          const CpuTarget &target);

/// Links object files into a shared library that needs libc and libm at most. A
/// symbol that nobody defines is an error. One link at a time in the process:
/// the linker is not reentrant.
llvm::Error linkSharedLibrary(llvm::ArrayRef<std::string> objects,
                              llvm::StringRef output, bool isArm);

/// The object of the runtime (runtime/) and the text of its public header,
/// carried inside this program. Empty for AArch64 where this program was built
/// without that architecture's C headers.
llvm::StringRef runtimeObject(bool isArm);
llvm::StringRef modelHeaderText();

} // namespace qdialect

#endif // QDIALECT_TARGET_SHAREDLIBRARY_OBJECTCODE_H
