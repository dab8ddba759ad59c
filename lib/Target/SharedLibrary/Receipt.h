// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The precision receipt: what each layer was asked to be and what it became.

#ifndef QDIALECT_TARGET_SHAREDLIBRARY_RECEIPT_H
#define QDIALECT_TARGET_SHAREDLIBRARY_RECEIPT_H

#include "QDialect/CodeGen/Program/EmitProgram.h"
#include "QDialect/Target/SharedLibrary/SharedLibrary.h"
#include "llvm/ADT/ArrayRef.h"
#include <string>

namespace qdialect {

/// JSON of a program. `summary` receives the totals (all but fileBytes, whose
/// place in the text is filled by setFileBytes once the file is linked).
std::string makeReceipt(const Program &program, const WeightsLayout &weights,
                        llvm::ArrayRef<ProgramVariant> variants,
                        const ModelProvenance &provenance,
                        EmitSummary &summary);

/// Writes the file's size into every receipt found in `text` (the receipt
/// itself or the library that holds it) without changing its length; false if
/// there is none.
bool setFileBytes(llvm::MutableArrayRef<char> text, int64_t fileBytes);

} // namespace qdialect

#endif // QDIALECT_TARGET_SHAREDLIBRARY_RECEIPT_H
