// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One job of q-batch: import a model, then interpret it, or compile it for this
// machine and run that.

#ifndef QDIALECT_TOOLS_QBATCH_RUNJOB_H
#define QDIALECT_TOOLS_QBATCH_RUNJOB_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/JSON.h"

namespace qdialect {

/// Runs the job that `line` describes and answers with one JSON object; see
/// q-batch.cpp for both.
llvm::json::Object runJob(llvm::StringRef line);

} // namespace qdialect

#endif // QDIALECT_TOOLS_QBATCH_RUNJOB_H
