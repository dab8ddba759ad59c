// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What messages call a layer. `qd.name` is the name of a model's value and is
// on the op that makes it; what a pass or an importer made on the way there has
// the location of the node, whose name helps as well.

#ifndef QDIALECT_TRANSFORMS_LAYERNAME_H
#define QDIALECT_TRANSFORMS_LAYERNAME_H

#include "mlir/IR/Operation.h"
#include <string>

namespace qdialect {

/// The `qd.name` of `op` or of an op around it; else the name in its location,
/// else the place in its file.
std::string layerName(mlir::Operation *op);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_LAYERNAME_H
