// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of products of codes.

#include "OpSyntax.h"
#include "QDialect/Numerics/BlockMatmul.h"

using namespace mlir;
using namespace qdialect::qd;

#define GET_OP_CLASSES
#include "QDialect/IR/QDProductOps.cpp.inc"

/// The type as RxC; ShapedType::kDynamic stands for any size.
static bool hasShape(Type type, int64_t rows, int64_t columns) {
  auto fits = [](int64_t size, int64_t expected) {
    return ShapedType::isDynamic(size) || ShapedType::isDynamic(expected) ||
           size == expected;
  };
  auto matrix = cast<RankedTensorType>(type);
  return fits(matrix.getDimSize(0), rows) &&
         fits(matrix.getDimSize(1), columns);
}

static std::string shapeText(int64_t rows, int64_t columns) {
  auto number = [](int64_t size) {
    return ShapedType::isDynamic(size) ? "?" : std::to_string(size);
  };
  return number(rows) + "x" + number(columns);
}

LogicalResult BlockMatmulOp::verify() {
  // block_matmul_c2
  Type codes = getRhs().getType().getElementType();
  auto alphabet = dyn_cast<AlphabetTypeInterface>(codes);
  if (!alphabet || !isIntegerAlphabet(codes) || alphabet.getCodeBits() > 8)
    return emitOpError("rhs element type ")
           << codes << " is no integer of at most 8 bits";
  // block_matmul_c3
  int64_t block = getBlock();
  if (block <= 0 || block > kMaxMatmulBlock)
    return emitOpError("block size ")
           << block << " is outside [1, " << kMaxMatmulBlock << "]";
  // block_matmul_c4
  RankedTensorType lhs = getLhs().getType(), rhs = getRhs().getType();
  int64_t depth = lhs.getDimSize(1), rows = lhs.getDimSize(0),
          columns = rhs.getDimSize(1);
  if (!hasShape(rhs, depth, ShapedType::kDynamic))
    return emitOpError("rhs ") << rhs << " does not have the " << depth
                               << " rows that lhs has columns";
  if (!hasShape(getType(), rows, columns))
    return emitOpError("result ")
           << getType() << " is not " << shapeText(rows, columns);
  // block_matmul_c5
  if (ShapedType::isDynamic(depth))
    depth = rhs.getDimSize(0);
  int64_t blocks = ShapedType::isDynamic(depth)
                       ? depth
                       : llvm::divideCeilSigned(depth, block);
  RankedTensorType scale = getLhsScale().getType();
  if (scale.isDynamicDim(1))
    return emitOpError("lhs scale ")
           << scale << " has a dynamic number of columns";
  if (!hasShape(scale, rows, blocks) && !hasShape(scale, rows, 1))
    return emitOpError("lhs scale ")
           << scale << " is neither " << shapeText(rows, blocks) << " nor "
           << shapeText(rows, 1);
  // block_matmul_c6
  Type zero = getRhsZeroPoint() ? getRhsZeroPoint().getType() : Type();
  for (Type type : {Type(getRhsScale().getType()), zero})
    if (type && !hasShape(type, blocks, columns))
      return emitOpError(type == zero ? "rhs zero point " : "rhs scale ")
             << type << " is not " << shapeText(blocks, columns);
  return success();
}

int64_t BlockMatmulOp::macs() {
  int64_t product = 1;
  for (int64_t size :
       {getLhs().getType().getDimSize(0), getRhs().getType().getDimSize(0),
        getRhs().getType().getDimSize(1)})
    product *= ShapedType::isDynamic(size) ? 1 : size;
  return product;
}
