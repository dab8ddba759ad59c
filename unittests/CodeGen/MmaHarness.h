// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds a product on tensor cores with a plain epilogue, runs its PTX in the
// emulator with all checkers and compares the sums with loops.

#ifndef QDIALECT_UNITTESTS_CODEGEN_NVVM_MMAHARNESS_H
#define QDIALECT_UNITTESTS_CODEGEN_NVVM_MMAHARNESS_H

#include "MmaGeometry.h"
#include "QDialect/PTX/Report.h"

namespace qdialect::gpu::test {

/// A matrix product: rows of `run` codes, `pitch` bytes apart.
MmaGeometry matrixProduct(int64_t rows, int64_t columns, int64_t run,
                          int64_t pitch = 0);

/// A square window over an image of `images` x `size` x `size` x channels.
struct Convolution {
  int64_t images, size, channels, filters, window;
  int64_t stride = 1, dilation = 1, padding = 0, groups = 1;
};
MmaGeometry convolution(const Convolution &shape);

/// PTX of a kernel @product(activations, weights, starts, padding, sums).
std::string productPtx(const MmaGeometry &geometry, const MmaTile &tile,
                       llvm::StringRef target = "sm_80");

/// Instructions of the innermost loop that multiplies; zeros if there is none.
struct LoopMix {
  int64_t products = 0, others = 0;
};
LoopMix steadyLoop(llvm::StringRef text);

/// Expects ptxas to keep all values of the text in registers; false where there
/// is no ptxas.
bool expectNoSpills(llvm::StringRef text, const std::string &target);

/// Random codes through the kernel; expects the sums of plain loops and no
/// findings.
ptx::LaunchResult expectProduct(const MmaGeometry &geometry,
                                const MmaTile &tile, uint64_t seed);

} // namespace qdialect::gpu::test

#endif // QDIALECT_UNITTESTS_CODEGEN_NVVM_MMAHARNESS_H
