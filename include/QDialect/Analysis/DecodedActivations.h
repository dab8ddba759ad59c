// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activations of a matrix product that lie in memory as bytes of minifloats
// with one scale, and that its kernel decodes as it reads them:
//
//   x[m][k] = value of minifloat code[m][k] * scale

#ifndef QDIALECT_ANALYSIS_DECODEDACTIVATIONS_H
#define QDIALECT_ANALYSIS_DECODEDACTIVATIONS_H

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/Format.h"

namespace qdialect {

struct DecodedActivations {
  mlir::Value codes; ///< a tensor of bytes
  mlir::Type type;   ///< what the bytes are
  Format minifloat;
  float scale;

  /// The f32 that stands for a code.
  float value(uint32_t code) const {
    return static_cast<float>(minifloat.decode(code)) * scale;
  }
};

/// The codes that an element-wise op dequantizes, behind qd-codes-to-bytes;
/// nothing if it does anything else.
std::optional<DecodedActivations>
getDecodedActivations(mlir::Operation *elementwise);

/// True for such an op whose every user is a product with minifloat weights of
/// eight bits and a scale a channel, whose kernel takes codes.
bool makesDecodedActivations(mlir::Operation *op);

/// The element types of the codes of both sides of a product, the activations'
/// first, where both are minifloats that its kernel takes as codes; before
/// dispatches are formed, and in them.
std::optional<std::pair<mlir::Type, mlir::Type>>
getMinifloatSides(mlir::Operation *product);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_DECODEDACTIVATIONS_H
