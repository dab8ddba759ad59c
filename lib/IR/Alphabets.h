// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Private to lib/IR: the alphabet interface of the builtin types.

#ifndef QDIALECT_LIB_IR_ALPHABETS_H
#define QDIALECT_LIB_IR_ALPHABETS_H

#include "QDialect/IR/QDDialect.h"

namespace qdialect::qd {

/// Attaches AlphabetTypeInterface to the builtin integer and float types.
void attachBuiltinAlphabets(mlir::MLIRContext *context);

} // namespace qdialect::qd

#endif // QDIALECT_LIB_IR_ALPHABETS_H
