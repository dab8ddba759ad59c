// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The LLVM passes that every kernel goes through, for whatever processor.

#ifndef QDIALECT_CODEGEN_CPU_OPTIMIZEMODULE_H
#define QDIALECT_CODEGEN_CPU_OPTIMIZEMODULE_H

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace qdialect {

/// Runs LLVM's default pipeline (-O2) with the costs of `machine`.
void optimizeModule(llvm::Module &module, llvm::TargetMachine &machine);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_CPU_OPTIMIZEMODULE_H
