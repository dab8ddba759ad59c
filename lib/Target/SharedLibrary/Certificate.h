// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the passes proved of the roundings in a kernel, as the receipt has it.

#ifndef QDIALECT_LIB_TARGET_SHAREDLIBRARY_CERTIFICATE_H
#define QDIALECT_LIB_TARGET_SHAREDLIBRARY_CERTIFICATE_H

#include "QDialect/IR/QDDialect.h"
#include "llvm/ADT/SmallVector.h"
#include <string>

namespace qdialect {

/// Of one rounding, or the largest of several.
struct Certificate {
  std::string name;
  /// The ends of what is rounded, where that is an integer.
  mlir::DenseI64ArrayAttr bound;
  double error = 0; ///< before the rounding, in output steps
  /// Bits of what is computed on the way in 32 and in 64 bits; 0: nothing.
  int64_t word = 0, dword = 0;

  /// The larger of each number; name and bound stay.
  void merge(const Certificate &other);
};

/// In the order of the dispatch's ops.
llvm::SmallVector<Certificate> certificatesOf(qd::DispatchOp dispatch);

} // namespace qdialect

#endif // QDIALECT_LIB_TARGET_SHAREDLIBRARY_CERTIFICATE_H
