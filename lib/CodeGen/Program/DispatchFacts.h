// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the plan of a program asks about one dispatch and its constants.

#ifndef QDIALECT_LIB_CODEGEN_PROGRAM_DISPATCHFACTS_H
#define QDIALECT_LIB_CODEGEN_PROGRAM_DISPATCHFACTS_H

#include "QDialect/CodeGen/CPU/KernelPlan.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/HostTensor.h"
#include <optional>

namespace qdialect {

/// i8 codes are offset binary inside the program (PhaseContract section 7).
bool isOffsetBinary(mlir::Type tensor);

/// The element type's form in the memory of compiled programs.
std::optional<DType> memoryType(mlir::Type elementType);

/// "int4", "uint2", "float8e4m3fn" for the type of codes that lie in bytes (the
/// attribute qd.codes); "" for null.
std::string codesName(mlir::Attribute codes);

/// The name a dispatch has in the model: that of its last named op.
std::string dispatchName(qd::DispatchOp dispatch, unsigned number);

/// Whether one thread computes a dispatch in the time in which it could hand a
/// part of it to another (a microsecond where threads spin, many where they
/// sleep). The rates are those of one core of a current server, roughly.
bool isSmall(qd::DispatchOp dispatch, int64_t bytes);

/// True if two lists of constants hold the same bytes.
bool sameConstants(llvm::ArrayRef<ConstantBlob> a,
                   llvm::ArrayRef<ConstantBlob> b);

} // namespace qdialect

#endif // QDIALECT_LIB_CODEGEN_PROGRAM_DISPATCHFACTS_H
