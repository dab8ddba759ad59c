// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SmoothQuant+ (arXiv 2312.03788): one exponent of smoothing for the whole
// network, the one whose quantized network differs least from the float one on
// calibration data. Errors that add up from layer to layer count, which a
// search layer by layer does not see. Not to smooth is a candidate.

#ifndef QDIALECT_LIB_PIPELINES_SMOOTHSEARCH_H
#define QDIALECT_LIB_PIPELINES_SMOOTHSEARCH_H

#include "QDialect/PTQ/Recipe.h"
#include "QDialect/PTQ/Statistics.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace qdialect {

/// Compiles `module`, whose observers are in place, as floats and with each
/// candidate by `recipe` and `rescale`, and runs them on samples at `path`. The
/// smoothing to use, or none. A line for each candidate goes to `log` if not
/// null.
llvm::Expected<std::optional<SmoothingRecipe>>
searchSmoothing(mlir::ModuleOp module, const Recipe &recipe,
                llvm::StringRef rescale, const Statistics &statistics,
                llvm::StringRef path, llvm::raw_ostream *log);

} // namespace qdialect

#endif // QDIALECT_LIB_PIPELINES_SMOOTHSEARCH_H
