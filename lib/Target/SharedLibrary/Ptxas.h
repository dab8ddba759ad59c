// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVIDIA's assembler as a check: what it makes of a kernel, and whether it
// takes it. It is not needed: the driver assembles the PTX when a model is
// loaded.

#ifndef QDIALECT_TARGET_SHAREDLIBRARY_PTXAS_H
#define QDIALECT_TARGET_SHAREDLIBRARY_PTXAS_H

#include "QDialect/CodeGen/Program/EmitProgram.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace qdialect {

/// ptxas on the PATH or in /usr/local/cuda; empty where there is none.
std::string findPtxas();

struct AssembledKernel {
  AssemblyFigures figures;
  std::string binary; ///< a cubin
};

/// Assembles a PTX file with one kernel for `target` ("sm_80"). An error if
/// ptxas crashes, refuses the text or warns of it.
llvm::Expected<AssembledKernel>
runPtxas(llvm::StringRef ptxas, llvm::StringRef code, llvm::StringRef target);

/// The figures in what `ptxas -v` prints; an error without a line of registers.
llvm::Expected<AssemblyFigures> parsePtxasOutput(llvm::StringRef text);

} // namespace qdialect

#endif // QDIALECT_TARGET_SHAREDLIBRARY_PTXAS_H
