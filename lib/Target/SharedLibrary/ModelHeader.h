// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C header of one model.

#ifndef QDIALECT_TARGET_SHAREDLIBRARY_MODELHEADER_H
#define QDIALECT_TARGET_SHAREDLIBRARY_MODELHEADER_H

#include "QDialect/CodeGen/Program/Program.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace qdialect {

/// runtime/include/qdialect/model.h under the model's prefix, with its tensors
/// in a comment. Headers of several models may be included together.
std::string modelHeader(const Program &program, llvm::StringRef prefix,
                        llvm::StringRef modelName);

/// An error unless `prefix` can begin C identifiers.
llvm::Error checkPrefix(llvm::StringRef prefix);

} // namespace qdialect

#endif // QDIALECT_TARGET_SHAREDLIBRARY_MODELHEADER_H
