// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// q-ptx-run without its command line.

#ifndef QDIALECT_TOOLS_RUNKERNEL_H
#define QDIALECT_TOOLS_RUNKERNEL_H

#include "QDialect/PTX/Emulator.h"
#include "llvm/Support/raw_ostream.h"

namespace qdialect {

struct RunKernelOptions {
  std::string path, kernel, grid = "1", block = "1";
  std::vector<std::string> arguments;
  ptx::LaunchConfig config;
  bool noCheck = false, counters = false, lines = false, time = false;
  bool list = false;
};

/// The tool's exit code.
int runKernel(RunKernelOptions &options, llvm::raw_ostream &out,
              llvm::raw_ostream &err);

} // namespace qdialect

#endif // QDIALECT_TOOLS_RUNKERNEL_H
