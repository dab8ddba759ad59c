// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What q-ptx-run prints about a launch.

#ifndef QDIALECT_TOOLS_PRINTREPORT_H
#define QDIALECT_TOOLS_PRINTREPORT_H

#include "QDialect/PTX/Emulator.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

namespace qdialect {

/// "kernel.ptx:12: race: ..." for each finding, with the source line behind.
void printFindings(const ptx::LaunchResult &result, const ptx::Module &module,
                   llvm::StringRef path, llvm::raw_ostream &os);
/// Sums: instructions by class, shared and global memory.
void printCounters(const ptx::LaunchResult &result, llvm::raw_ostream &os);
/// One row a source line (or PTX line where .loc is missing).
void printLines(const ptx::LaunchResult &result, const ptx::Module &module,
                llvm::raw_ostream &os);
/// The table of accepted instructions as Markdown.
void printInstructions(llvm::raw_ostream &os);

} // namespace qdialect

#endif // QDIALECT_TOOLS_PRINTREPORT_H
