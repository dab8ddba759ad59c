// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What .npy and .npz reading share beside the header.

#ifndef QDIALECT_LIB_SUPPORT_NPYDATA_H
#define QDIALECT_LIB_SUPPORT_NPYDATA_H

#include "QDialect/Support/Npy.h"

namespace qdialect {

/// The row-major tensor of column-major `data`, which holds the whole array.
HostTensor fromFortran(const NpyHeader &header, const char *data);

} // namespace qdialect

#endif // QDIALECT_LIB_SUPPORT_NPYDATA_H
