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
#include <optional>

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

/// The one of `targets` whose code of the kernel serves `target`: a kernel that
/// uses no tiles is compiled once for targets that differ by them.
const CpuTarget &codeTarget(const ProgramKernel &kernel,
                            const CpuTarget &target,
                            llvm::ArrayRef<CpuTarget> targets);

/// What NVIDIA's assembler made of a kernel.
struct AssemblyFigures {
  int64_t registers = 0; ///< of a thread
  int64_t spillStores = 0, spillLoads = 0, stackBytes = 0;
  int64_t sharedBytes = 0; ///< static, of a block
};

/// The code of one GPU kernel and how it is launched.
struct GpuKernelCode {
  std::string symbol;
  std::string code;   ///< PTX
  std::string binary; ///< cubin; empty where there is no ptxas
  int64_t blocks = 1, threads = 1, sharedBytes = 0;
  int64_t tasks = 1; ///< of a block, where `blocks` is 0
  unsigned numArguments = 0;
  unsigned numStrides = 0; ///< parameters behind them
  std::optional<AssemblyFigures> assembly;
  /// How often it was made for fewer registers, because ptxas spilled.
  unsigned reductions = 0;
  /// Share of a multiprocessor's threads that can be there at once; with
  /// `assembly`.
  double occupancy = 0;
};

/// The kernels of a program in one of the forms that its library has.
struct ProgramVariant {
  std::string name;
  uint64_t isa = 0; ///< CpuTarget::Isa, or the compute capability
  /// The dominant one of each kernel, for the receipt.
  std::vector<std::string> instructions;
  /// CPU: the functions, by number of the kernel.
  std::vector<std::string> symbols;
  /// GPU: the same, and behind them the kernel that copies.
  std::vector<GpuKernelCode> gpuKernels;
};

std::vector<ProgramVariant> cpuVariants(const Program &program,
                                        llvm::ArrayRef<CpuTarget> targets);

struct ProgramIdentity {
  llvm::StringRef prefix;
  llvm::StringRef receipt;
};

std::unique_ptr<llvm::Module>
emitProgram(llvm::LLVMContext &context, const Program &program,
            const WeightsLayout &weights,
            llvm::ArrayRef<ProgramVariant> variants,
            const ProgramIdentity &identity);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_PROGRAM_EMITPROGRAM_H
