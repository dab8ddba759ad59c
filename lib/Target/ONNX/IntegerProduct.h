// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of codes without their zero points, in i32: what operators say that
// compute on codes and leave the scales to others. The codes become i8, and
//
//   sum (a - za)(b - zb) = sum a b - za sum b - zb sum a + K za zb
//
// so that the product itself is one contraction i8 x i8 -> i32, whatever the
// zero points and whether they are known. All of it is modulo 2^32.

#ifndef QDIALECT_LIB_TARGET_ONNX_INTEGERPRODUCT_H
#define QDIALECT_LIB_TARGET_ONNX_INTEGERPRODUCT_H

#include "Node.h"

namespace qdialect::onnx_import {

/// Codes as i8, and the zero point that goes with them.
struct ByteCodes {
  Tensor codes;
  /// i32, of one element or one for each index of `axis`; absent for 0.
  std::optional<Tensor> zeroPoint;
};

/// Unsigned codes of 8 bits 128 lower, as i8, and back; other types unchanged.
Tensor toSignedCodes(GraphBuilder &b, const Tensor &codes);
Tensor toUnsignedCodes(GraphBuilder &b, const Tensor &codes);

/// Input `index` (uint8 or int8) and its zero point, whose vector, if it is
/// one, has the size of dimension `axis` (counted from the end if negative).
/// Unsigned codes and their zero point are 128 lower. Constant codes take a
/// constant zero point in where the differences fit i8. Nothing after an error.
std::optional<ByteCodes> bindByteCodes(Node &n, size_t index,
                                       llvm::StringRef label,
                                       size_t zeroPointIndex, int64_t axis);
/// The same of tensors that are no inputs of the node.
ByteCodes toByteCodes(GraphBuilder &b, const Tensor &codes,
                      std::optional<Tensor> zeroPoint, int64_t axis);

/// Sums of i8 codes along `axis`, which stays with size one, in i32.
Tensor codeSums(GraphBuilder &b, const Tensor &codes, int64_t axis);

/// operands[0] less the products of each two that follow, (zero, sum), and
/// plus `count` times both zeros, in i32.
Tensor subtractProducts(GraphBuilder &b, llvm::ArrayRef<Tensor> operands,
                        int64_t count);

/// The matrix product of a and b, broadcast as MatMul does, in i32. Reports an
/// error and returns failure where shapes disagree.
mlir::FailureOr<Tensor> integerMatmul(Node &n, ByteCodes a, ByteCodes b);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_INTEGERPRODUCT_H
