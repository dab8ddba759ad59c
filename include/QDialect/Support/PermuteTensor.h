// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Transposing host tensors: how constants change their layout.

#ifndef QDIALECT_SUPPORT_PERMUTETENSOR_H
#define QDIALECT_SUPPORT_PERMUTETENSOR_H

#include "QDialect/Support/HostTensor.h"
#include "llvm/ADT/ArrayRef.h"

namespace qdialect {

/// The tensor whose dimension i is dimension `permutation[i]` of `tensor`.
/// Shares the bytes where nothing moves.
HostTensor permuteTensor(const HostTensor &tensor,
                         llvm::ArrayRef<int64_t> permutation);

} // namespace qdialect

#endif // QDIALECT_SUPPORT_PERMUTETENSOR_H
