// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions that a compiled model exports.

#ifndef QDIALECT_LIB_CODEGEN_PROGRAM_ENTRYPOINTS_H
#define QDIALECT_LIB_CODEGEN_PROGRAM_ENTRYPOINTS_H

#include "llvm/IR/Module.h"

namespace qdialect {

/// A function of another object file of the same library, declared once:
/// everything that crosses object files but not the library is hidden.
llvm::Function *declareHidden(llvm::Module &module, llvm::StringRef name,
                              llvm::Type *result,
                              llvm::ArrayRef<llvm::Type *> arguments);

/// `<prefix>_create(a, b)` calls `qd_rt_create(description, a, b)`, the others
/// pass their arguments on.
void emitEntryPoints(llvm::Module &module, llvm::StringRef prefix,
                     llvm::GlobalVariable *description);

} // namespace qdialect

#endif // QDIALECT_LIB_CODEGEN_PROGRAM_ENTRYPOINTS_H
