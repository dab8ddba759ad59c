// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model that is no library yet, compiled for one run.

#ifndef QDIALECT_PIPELINES_RUNCOMPILED_H
#define QDIALECT_PIPELINES_RUNCOMPILED_H

#include "QDialect/Execution/RunModel.h"
#include "QDialect/Pipelines/Compiler.h"

namespace qdialect {

/// Compiles `compile.input` and does with the library what `run` asks for (its
/// `model` is ignored). Returns runModel's code, or kRunFailure.
int runCompiled(CompileOptions compile, RunModelOptions run,
                llvm::raw_ostream &out, llvm::raw_ostream &errors);

} // namespace qdialect

#endif // QDIALECT_PIPELINES_RUNCOMPILED_H
