// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activations in f32 as f16, bf16 or sums of three bf16. Cutting off the lower
// half of an f32 leaves 8 bits of its 24; what is cut off is an f32 again.

#include "BlockMma.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::gpu {

SplitRowCopy::SplitRowCopy(WarpEmitter &e, const BlockMmaGeometry &g,
                           const MmaShare &share, int64_t planeBytes)
    : e(e), g(g), planeBytes(planeBytes) {
  int64_t unitsPerRow = g.stepDepth() / kUnit;
  int64_t passRows = share.threads / unitsPerRow;
  Value row = e.div(share.thread, unitsPerRow),
        chunk = e.rem(share.thread, unitsPerRow);
  unit = e.mul(chunk, kUnit);
  for (int64_t first = 0; first < share.numRows; first += passRows) {
    Value r = e.add(row, first);
    // Rows beyond the last repeat it; nobody stores their sums.
    Value existing = e.min(e.add(share.firstRow, r), e.constant(g.rows - 1));
    Value offset = e.add(e.mul(e.toI64(existing), g.rowStride), g.rowOffset);
    rows.push_back(e.at(share.rows, e.mul(offset, 4)));
    Value swizzled =
        e.xorBits(chunk, e.andBits(e.shiftRight(r, share.swizzle), 3));
    shared.push_back(e.at(
        share.shared, e.add(e.mul(r, MmaTile::kDepth), e.mul(swizzled, 16))));
  }
}

/// Do units exist as a whole and start at multiples of 16 bytes?
bool SplitRowCopy::isAligned() const {
  return g.alignment % 16 == 0 && g.depth % kUnit == 0 &&
         g.rowOffset % 4 == 0 && g.rowStride % 4 == 0;
}

SplitRowCopy::Values SplitRowCopy::load(Value depth) {
  Value first = e.add(depth, unit);
  Value nothing = arith::ConstantOp::create(e, e.getF32FloatAttr(0));
  auto four = VectorType::get({4}, e.getF32Type());
  bool always = g.depth % g.stepDepth() == 0;
  Values values;
  auto add = [&](Value value, Value exists) {
    values.push_back(exists ? e.select(exists, value, nothing) : value);
  };
  auto within = [&](Value k, int64_t last) {
    return e.toI64(always ? k : e.min(k, e.constant(last)));
  };
  for (Value row : rows) {
    if (!isAligned()) {
      for (int64_t i = 0; i < kUnit; ++i) {
        Value k = e.add(first, i);
        Value at = e.at(row, e.mul(within(k, g.depth - 1), 4));
        add(e.load(e.getF32Type(), at, 4),
            always ? Value() : e.isLess(k, e.constant(g.depth)));
      }
      continue;
    }
    Value at = e.at(row, e.mul(within(first, g.depth - kUnit), 4));
    Value exists = always ? Value() : e.isLess(first, e.constant(g.depth));
    for (int64_t i = 0; i < kUnit; i += 4) {
      Value loaded = e.load(four, e.at(at, 4 * i), 16);
      for (int64_t lane = 0; lane < 4; ++lane)
        add(LLVM::ExtractElementOp::create(e, loaded, e.constant(lane)),
            exists);
    }
  }
  return values;
}

Value takeOperandPart(WarpEmitter &e, const BlockMmaGeometry &g, Value *pair,
                      int64_t part) {
  if (g.isHalf()) {
    Value both = LLVM::UndefOp::create(e, VectorType::get({2}, e.getF32Type()));
    for (int64_t side = 0; side < 2; ++side)
      both =
          LLVM::InsertElementOp::create(e, both, pair[side], e.constant(side));
    auto halves = VectorType::get({2}, e.getF16Type());
    return e.bits(e.getI32Type(), arith::TruncFOp::create(e, halves, both));
  }
  Value bits[2];
  for (int64_t side = 0; side < 2; ++side) {
    Value &number = pair[side];
    bits[side] = e.bits(e.getI32Type(), number);
    if (part + 1 == g.parts())
      continue;
    Value high = e.andBits(bits[side], static_cast<int32_t>(0xffff0000));
    Value rest = arith::SubFOp::create(e, number, e.bits(e.getF32Type(), high));
    if (part == 0) {
      // Nothing is left of an infinity.
      Value magnitude = e.andBits(bits[side], 0x7fffffff);
      Value isInfinite = e.createOrFold<arith::CmpIOp>(
          arith::CmpIPredicate::eq, magnitude, e.constant(0x7f800000));
      Value nothing = arith::ConstantOp::create(e, e.getF32FloatAttr(0));
      rest = e.select(isInfinite, nothing, rest);
    }
    number = rest;
  }
  return e.permute(bits[0], bits[1], 0x7632);
}

void SplitRowCopy::store(ValueRange values, Value stage) {
  auto four = VectorType::get({4}, e.getI32Type());
  for (Value to : shared) {
    Values left(values.take_front(kUnit));
    values = values.drop_front(kUnit);
    for (int64_t part = 0; part < g.parts(); ++part) {
      Value chunk = LLVM::UndefOp::create(e, four);
      for (int64_t i = 0; i < kUnit; i += 2)
        chunk = LLVM::InsertElementOp::create(
            e, chunk, takeOperandPart(e, g, &left[i], part), e.constant(i / 2));
      e.store(chunk, e.at(e.at(to, stage), part * planeBytes), 16);
    }
  }
}

} // namespace qdialect::gpu
