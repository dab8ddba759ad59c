// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Codes of other widths in kernels that multiply bytes. Narrower ones are
// extended. A wider code is 256 * high + low + 128 with signed bytes high and
// low, so that a sum of products is one of two sums:
//
//   sum of code * w = 256 * (sum of high * w) + (sum of low * w)
//                     + 128 * (sum of w)
//
// Where the whole does not fit i32 the low sum is rounded to steps of 256,
// which are far below a step of any result; sums that are not rounded to one
// are joined in i64.

#include "IntegerizeFamilies.h"
#include "PadCodes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect {
namespace {

enum class Byte { Only, High, Low };

int64_t byteOf(int64_t code, Byte byte) {
  switch (byte) {
  case Byte::Only:
    return code;
  case Byte::High:
    return code >> 8;
  case Byte::Low:
    return (code & 255) - 128;
  }
  llvm_unreachable("unknown byte");
}

Value emitByte(OpBuilder &builder, Location loc, Value code, Byte byte) {
  Type i8 = builder.getI8Type(), i16 = builder.getI16Type();
  if (byte == Byte::Only)
    return arith::ExtSIOp::create(builder, loc, i8, code);
  if (code.getType() != i16)
    code = arith::ExtSIOp::create(builder, loc, i16, code);
  if (byte == Byte::High) {
    Value eight =
        arith::ConstantOp::create(builder, loc, builder.getI16IntegerAttr(8));
    Value high = arith::ShRSIOp::create(builder, loc, code, eight);
    return arith::TruncIOp::create(builder, loc, i8, high);
  }
  Value sign =
      arith::ConstantOp::create(builder, loc, builder.getI8IntegerAttr(-128));
  Value low = arith::TruncIOp::create(builder, loc, i8, code);
  return arith::XOrIOp::create(builder, loc, low, sign);
}

/// The bytes of padded codes are padded bytes: the kernels' own padding.
Value makeBytes(OpBuilder &builder, Value codes, Byte byte) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(codes);
  Location loc = codes.getLoc();
  auto type =
      cast<RankedTensorType>(codes.getType()).clone(builder.getI8Type());
  auto pad = codes.getDefiningOp<tensor::PadOp>();
  if (pad)
    if (std::optional<Coefficient> padding = getPadCodes(pad))
      return padCodes(builder, pad, makeBytes(builder, pad.getSource(), byte),
                      padding->map([&](double code) -> double {
                        return byteOf(static_cast<int64_t>(code), byte);
                      }));
  ElementwiseInput input{codes, builder.getMultiDimIdentityMap(type.getRank())};
  return makeElementwise(builder, loc, type, input,
                         [&](OpBuilder &b, Location l, ValueRange args) {
                           return emitByte(b, l, args[0], byte);
                         })
      .getResult(0);
}

Value widened(OpBuilder &builder, Location loc, Value integer, Type type) {
  return integer.getType() == type
             ? integer
             : arith::ExtSIOp::create(builder, loc, type, integer);
}

} // namespace

SmallVector<CodeGrid, 2> byteGrids(const CodeGrid &grid) {
  if (grid.bits() <= 8)
    return {grid};
  CodeGrid high = grid, low = grid;
  high.zeroPoint = static_cast<int32_t>(byteOf(grid.zeroPoint, Byte::High));
  low.zeroPoint = static_cast<int32_t>(byteOf(grid.zeroPoint, Byte::Low));
  high.min = byteOf(grid.min, Byte::High);
  high.max = byteOf(grid.max, Byte::High);
  low.min = -128;
  low.max = 127;
  return {high, low};
}

SmallVector<CodeBytes, 2> splitCodes(OpBuilder &builder, Value codes,
                                     const CodeGrid &grid) {
  if (grid.bits() == 8)
    return {{codes, grid}};
  SmallVector<CodeGrid, 2> grids = byteGrids(grid);
  if (grids.size() == 1)
    return {{makeBytes(builder, codes, Byte::Only), grid}};
  return {{makeBytes(builder, codes, Byte::High), grids[0]},
          {makeBytes(builder, codes, Byte::Low), grids[1]}};
}

Value addSums(OpBuilder &builder, Location loc, Value a, Value b) {
  auto type = cast<RankedTensorType>(a.getType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  return makeElementwise(
             builder, loc, type, {{a, identity}, {b, identity}},
             [&](OpBuilder &b, Location l, ValueRange args) -> Value {
               Value other = widened(b, l, args[1], type.getElementType());
               return arith::AddIOp::create(b, l, args[0], other);
             },
             a)
      .getResult(0);
}

Value joinSums(OpBuilder &builder, Location loc, Value high, Value low,
               SumJoin how) {
  Type integer =
      how == SumJoin::Wide ? builder.getI64Type() : builder.getI32Type();
  RankedTensorType type = cast<RankedTensorType>(low.getType()).clone(integer);
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  return makeElementwise(
             builder, loc, type, {{low, identity}, {high, identity}},
             [&](OpBuilder &b, Location l, ValueRange args) -> Value {
               auto number = [&](int64_t value) -> Value {
                 return arith::ConstantOp::create(
                     b, l, b.getIntegerAttr(integer, value));
               };
               Value low = widened(b, l, args[0], integer),
                     high = widened(b, l, args[1], integer);
               if (how == SumJoin::Coarse)
                 low = arith::ShRSIOp::create(b, l, low, number(8));
               else
                 high = arith::MulIOp::create(b, l, high, number(256));
               return arith::AddIOp::create(b, l, high, low);
             },
             low)
      .getResult(0);
}

} // namespace qdialect
