// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The check of GPU kernels: their PTX, run by the emulator with all checkers,
// agrees with the interpreter bit for bit.

#ifndef QDIALECT_UNITTESTS_CODEGEN_GPUCHECK_H
#define QDIALECT_UNITTESTS_CODEGEN_GPUCHECK_H

#include "KernelHarness.h"
#include "QDialect/PTX/Report.h"

namespace qdialect::testing {

/// Plans, translates and runs the dispatch of `text` on `inputs`, random ones
/// where there are none. Where sums of floats have no fixed order, results may
/// differ by `tolerance`.
ptx::LaunchResult
checkGpuDispatch(const std::string &text, const std::string &family,
                 std::mt19937 &random, llvm::ArrayRef<HostTensor> inputs = {},
                 double tolerance = 0, llvm::StringRef target = "sm_80");

/// The same of the kernels that the dispatch's plan has for fewer registers,
/// one after the other; returns how many there are.
unsigned checkFewerRegisters(const std::string &text, std::mt19937 &random,
                             llvm::StringRef target = "sm_80");

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_GPUCHECK_H
