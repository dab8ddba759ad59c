// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The values known while one position of a payload is evaluated.

#ifndef QDIALECT_LIB_CODEGEN_CPU_PAYLOADFRAME_H
#define QDIALECT_LIB_CODEGEN_CPU_PAYLOADFRAME_H

#include "Payload.h"
#include <unordered_map>

namespace qdialect::cpu {

struct PayloadEmitter::Frame {
  const Position &position;
  /// Tensors (root, steps) and scalars of payloads, by opaque pointer; the map
  /// never moves its values, so references stay good while others are added.
  std::unordered_map<const void *, Lanes> values;

  Lanes &scalar(PayloadEmitter &emitter, mlir::Value value);
};

/// The type that vectors of a stored element are loaded as.
mlir::Type loadedType(mlir::Type element);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_PAYLOADFRAME_H
