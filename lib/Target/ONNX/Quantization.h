// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Grids as operators give them, and the casts between them and real numbers:
//
//   per tensor   scale tensor<f32>
//   per axis     scale of the input's rank, size 1 elsewhere; block sizes are
//                0 (the whole dimension) and 1 on the axis
//   blocked      scale ceil(D / block) along the axis and D elsewhere; block
//                sizes are `block` there and 1 elsewhere
//
// Zero points are i32 whatever their type in the file, and left out where they
// are known to be zero.

#ifndef QDIALECT_LIB_TARGET_ONNX_QUANTIZATION_H
#define QDIALECT_LIB_TARGET_ONNX_QUANTIZATION_H

#include "Node.h"
#include "QDialect/IR/QDDialect.h"

namespace qdialect::onnx_import {

struct Grid {
  Tensor scale;
  std::optional<Tensor> zeroPoint; ///< i32, shaped like the scale
  mlir::Type zeroPointType;        ///< as in the file; null if absent
  Shape blockSizes;
};

/// Where a node has a grid, and how it lies over the tensor.
struct GridInputs {
  size_t scale, zeroPoint;
  int64_t axis = 0;      ///< of a vector of scales
  int64_t blockSize = 0; ///< 0: per tensor or per axis
};

/// Integers of at most 16 bits, and i32, which is only dequantized (biases).
bool isCodeType(mlir::Type type);

/// The grid of `x`; reports an error and returns nothing if there is none.
std::optional<Grid> bindGrid(Node &n, const Tensor &x, GridInputs inputs);

/// (codes - zero point) * scale as `real`; null for the scale's type.
Tensor dequantize(GraphBuilder &b, const Tensor &codes, const Grid &grid,
                  mlir::Type real = {});
/// The nearest codes of the given type.
Tensor quantize(GraphBuilder &b, const Tensor &x, const Grid &grid,
                mlir::Type codes,
                qd::Overflow overflow = qd::Overflow::Saturate);

/// The grid of unsigned or signed codes over all of `x`, f32, chosen when the
/// program runs: zero is in its range.
Grid chooseGrid(GraphBuilder &b, const Tensor &x, mlir::Type codes);

/// `x`, f32, rounded to i8 with a symmetric scale for each `block` elements of
/// its last dimension (of static size), chosen when the program runs.
Tensor roundByBlocks(GraphBuilder &b, const Tensor &x, int64_t block);

/// Input `index` with the grid of `inputs` as f32, whatever the scale's type;
/// nothing after an error.
std::optional<Tensor> dequantizedInput(Node &n, size_t index,
                                       llvm::StringRef label,
                                       GridInputs inputs);
/// Gives the node's result: `x` as codes of the grid of `inputs`, whose type
/// its zero point has, or `otherwise` without one.
mlir::LogicalResult quantizedResult(Node &n, const Tensor &x, GridInputs inputs,
                                    mlir::Type otherwise);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_QUANTIZATION_H
