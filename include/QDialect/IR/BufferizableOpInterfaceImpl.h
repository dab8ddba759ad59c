// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bufferization of the qd ops that survive until then.

#ifndef QDIALECT_IR_BUFFERIZABLEOPINTERFACEIMPL_H
#define QDIALECT_IR_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace qdialect::qd {

/// qd.storage_cast becomes a cast of memrefs, which is free.
void registerBufferizableOpInterfaceExternalModels(
    mlir::DialectRegistry &registry);

} // namespace qdialect::qd

#endif // QDIALECT_IR_BUFFERIZABLEOPINTERFACEIMPL_H
