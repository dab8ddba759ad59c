// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The LLVM IR of a program: its main function, its description for the runtime
// (runtime/src/program.h) and the entry points of the C ABI.

#ifndef QDIALECT_CODEGEN_PROGRAM_EMITPROGRAM_H
#define QDIALECT_CODEGEN_PROGRAM_EMITPROGRAM_H

#include "QDialect/CodeGen/Program/Program.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace qdialect {

/// Where the constants of a program lie in its weights image.
struct WeightsLayout {
  std::vector<int64_t> offsets; ///< by constant number
  int64_t bytes = 0;
};

/// The hidden symbol of the weights image.
inline constexpr const char *kWeightsSymbol = "qd_weights";

/// The hidden symbol of a kernel's function in one variant.
std::string kernelSymbol(const ProgramKernel &kernel, const CpuTarget &target);

struct ProgramIdentity {
  llvm::StringRef prefix;
  llvm::StringRef receipt;
};

std::unique_ptr<llvm::Module> emitProgram(llvm::LLVMContext &context,
                                          const Program &program,
                                          const WeightsLayout &weights,
                                          llvm::ArrayRef<CpuTarget> targets,
                                          const ProgramIdentity &identity);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_PROGRAM_EMITPROGRAM_H
