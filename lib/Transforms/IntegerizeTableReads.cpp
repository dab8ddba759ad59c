// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A payload that reads elements of a dequantized table reads codes instead and
// dequantizes what it has read:
//
//   tensor.extract %t[%i, %j]           %t = qd.dequantize %codes scale %s
//   =>
//   %q = tensor.extract %codes[%i, %j]
//   %x = qd.dequantize %q scale (tensor.extract %s[%i])
//
// Each number is the one that stood in the table, bit for bit.

#include "IntegerizeFamilies.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {
namespace {

/// The element of a scale or zero point that belongs to `indices`.
Value parameterAt(OpBuilder &outer, OpBuilder &inner, Location loc,
                  Value parameter, ValueRange indices) {
  auto type = cast<RankedTensorType>(parameter.getType());
  SmallVector<unsigned> kept;
  SmallVector<Value> places;
  for (unsigned dim = 0; dim < type.getRank(); ++dim)
    if (type.getDimSize(dim) != 1) {
      kept.push_back(dim);
      places.push_back(indices[dim]);
    }
  return tensor::ExtractOp::create(
      inner, loc, dropUnitDims(outer, loc, parameter, kept), places);
}

/// One element a dimension or one for all of it.
bool hasWholeBlocks(qd::DequantizeOp op) {
  return llvm::all_of(op.getScales(), [&](Value scale) {
    auto type = cast<RankedTensorType>(scale.getType());
    for (auto [dim, size] : llvm::enumerate(type.getShape()))
      if (size != 1 && op.getBlockSizes()[dim] != 1)
        return false;
    return true;
  });
}

} // namespace

bool integerizeTableRead(tensor::ExtractOp read) {
  auto table = read.getTensor().getDefiningOp<qd::DequantizeOp>();
  if (!table || !isRealConstant(read.getTensor()) || table.getGroupIndex() ||
      table.getScales().size() != 1 || !hasWholeBlocks(table) ||
      table.getZeroPointDomain() != qd::ZeroPointDomain::Code ||
      !getElementTypeOrSelf(table.getInput()).isSignlessInteger(8))
    return false;
  OpBuilder outer(table), inner(read);
  outer.setInsertionPointAfter(table);
  Location loc = read.getLoc();
  auto parameter = [&](Value value) {
    return parameterAt(outer, inner, loc, value, read.getIndices());
  };
  Value code = tensor::ExtractOp::create(inner, loc, table.getInput(),
                                         read.getIndices());
  Value scale = parameter(table.getScales()[0]);
  Value zero = table.getZeroPoint() ? parameter(table.getZeroPoint()) : Value();
  Value real =
      qd::DequantizeOp::create(inner, loc, read.getType(), code, scale, zero);
  read.getResult().replaceAllUsesWith(real);
  read.erase();
  return true;
}

} // namespace qdialect
