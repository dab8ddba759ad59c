// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls: arguments are copied from the caller's .param variables to the
// callee's, results back. vprintf, malloc, free and __assertfail are built in.

#ifndef QDIALECT_LIB_PTX_CALLS_H
#define QDIALECT_LIB_PTX_CALLS_H

#include "Code.h"

namespace qdialect::ptx {

class Decoder;
struct Frame;
void decodeCall(Decoder &d);
/// Copies what `callee`, just left, returned into the frame of its call.
void returnResults(Warp &warp, const Frame &callee);
/// The `ret` that stands behind every function's last instruction.
Inst finalReturn(unsigned line);

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_CALLS_H
