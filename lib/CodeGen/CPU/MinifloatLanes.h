// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Minifloats to f32 in registers.

#ifndef QDIALECT_LIB_CODEGEN_CPU_MINIFLOATLANES_H
#define QDIALECT_LIB_CODEGEN_CPU_MINIFLOATLANES_H

#include "Emitter.h"
#include "QDialect/Numerics/Format.h"

namespace qdialect::cpu {

/// The values of finite codes, which are zero-extended lanes of i32.
mlir::Value decodeMinifloats(Emitter &e, const Format &format,
                             mlir::Value codes);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_MINIFLOATLANES_H
