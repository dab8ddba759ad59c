// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies of activations to shared memory: runs of a matrix, taps of a window,
// or single bytes where nothing is aligned.

#include "MmaKernel.h"

using namespace mlir;

namespace qdialect::gpu {

MmaRowCopy::MmaRowCopy(WarpEmitter &e, const MmaRows &g, const MmaShare &share)
    : e(e), g(g), padding(share.padding),
      unitBytes(std::max<int64_t>(g.copyBytes(), 4)),
      unitsPerRow(MmaTile::kDepth / unitBytes),
      passRows(share.threads / unitsPerRow), passes(share.numRows / passRows),
      period(std::min(int64_t{4} << share.swizzle, share.numRows)) {
  Value row = e.div(share.thread, unitsPerRow);
  unitOffset = e.mul(e.rem(share.thread, unitsPerRow), unitBytes);
  for (int64_t pass = 0; pass < passes; ++pass) {
    rows.push_back(rowOf(e.add(e.add(share.firstRow, row), pass * passRows)));
    rows.back().pointer = e.at(share.rows, rows.back().pointer);
  }
  Value chunk = e.div(unitOffset, 16), inChunk = e.rem(unitOffset, 16);
  for (int64_t below = 0; below < period; below += passRows) {
    Value r = e.add(row, below);
    Value swizzled =
        e.xorBits(chunk, e.andBits(e.shiftRight(r, share.swizzle), 3));
    Value offset =
        e.add(e.add(e.mul(r, MmaTile::kDepth), e.mul(swizzled, 16)), inChunk);
    shared.push_back(e.at(share.shared, offset));
  }
}

/// The offset of the row from the activations, and which taps are inside.
MmaRowCopy::Row MmaRowCopy::rowOf(Value row) {
  const cpu::WindowGeometry &w = g.window;
  // Rows beyond the last repeat it; nobody stores their sums.
  Value pixel = e.min(row, e.add(e.constant(g.rows()), -1));
  Value offset = e.constant(w.inputOffset);
  Value position[2] = {e.constant(-w.axes[0].low), e.constant(-w.axes[1].low)};
  for (size_t i = w.pixels.size(); i-- > 0;) {
    const cpu::PixelLoop &loop = w.pixels[i];
    Value counter = i > 0 ? e.rem(pixel, loop.size) : pixel;
    pixel = e.div(pixel, loop.size);
    offset = e.add(offset, e.mul(counter, loop.step));
    if (loop.axis >= 0)
      position[loop.axis] =
          e.add(position[loop.axis], e.mul(counter, w.axes[loop.axis].stride));
  }
  if (!w.padded())
    return {offset, {}};
  Type bits = w.numTaps() > 32 ? e.getI64Type() : e.getI32Type();
  auto inside = [&](int axis, int64_t filter) -> Value {
    Value at = e.add(position[axis], filter * w.axes[axis].dilation);
    return e.isLessUnsigned(at, e.constant(w.axes[axis].size));
  };
  Value none = e.constantOf(bits, 0), columns = none, all = none;
  for (int64_t x = 0; x < w.tapColumns(); ++x)
    columns =
        e.orBits(columns, e.select(inside(1, x),
                                   e.constantOf(bits, int64_t(1) << x), none));
  for (int64_t y = 0; y < w.axes[0].filterSize; ++y) {
    Value ofRow = e.shiftLeft(columns, e.constantOf(bits, y * w.tapColumns()));
    all = e.orBits(all, e.select(inside(0, y), ofRow, none));
  }
  return {offset, all};
}

Value MmaRowCopy::sharedOf(int64_t pass, Value stage) {
  int64_t row = pass * passRows, below = row % period;
  Value &base = staged[below];
  if (!base)
    base = e.at(shared[below / passRows], stage);
  return e.at(base, (row - below) * MmaTile::kDepth);
}

MmaRowCopy::Values MmaRowCopy::start() {
  if (!isOneRun())
    return {unitOffset};
  Values state;
  for (Row &row : rows)
    state.push_back(e.at(row.pointer, unitOffset));
  if (!MmaRows::fillsSteps(g.run))
    state.push_back(e.sub(e.constant(g.run), unitOffset));
  return state;
}

MmaRowCopy::Values MmaRowCopy::issue(ValueRange state, Value stage) {
  staged.clear();
  if (g.copyBytes() == 1)
    return issueBytes(state[0], stage);
  return isOneRun() ? issueRun(state, stage) : issueTaps(state[0], stage);
}

MmaRowCopy::Values MmaRowCopy::issueRun(ValueRange state, Value stage) {
  Values next;
  Value size;
  if (state.size() > rows.size()) {
    Value left = state.back();
    size = e.max(e.min(left, e.constant(unitBytes)), e.constant(0));
  }
  for (int64_t pass = 0; pass < passes; ++pass) {
    e.copyAsync(sharedOf(pass, stage), state[pass], unitBytes, size);
    next.push_back(e.at(state[pass], MmaTile::kDepth));
  }
  if (size)
    next.push_back(e.add(state.back(), -MmaTile::kDepth));
  return next;
}

MmaRowCopy::TapPlace MmaRowCopy::placeOf(Value depth) {
  const cpu::WindowGeometry &w = g.window;
  if (w.numTaps() == 1)
    return {e.constant(0), depth, e.mul(depth, g.runStep)};
  Value tap = e.div(depth, g.tapDepth()), inTap = e.rem(depth, g.tapDepth());
  Value y = e.div(tap, w.tapColumns()), x = e.rem(tap, w.tapColumns());
  Value offset = e.add(
      e.add(e.mul(y, w.axes[0].filterStep), e.mul(x, w.axes[1].filterStep)),
      inTap);
  return {tap, inTap, offset};
}

Value MmaRowCopy::pointerOf(const Row &row, const TapPlace &place) {
  Value pointer = e.at(row.pointer, place.offset);
  if (!row.inside)
    return pointer;
  Type bits = row.inside.getType();
  Value tap = bits.isInteger(64) ? e.toI64(place.tap) : place.tap;
  Value bit = e.andBits(e.shiftRight(row.inside, tap), 1);
  Value outside = e.at(padding, place.inTap);
  return e.select(e.isLess(e.constantOf(bits, 0), bit), pointer, outside);
}

MmaRowCopy::Values MmaRowCopy::issueTaps(Value depth, Value stage) {
  TapPlace place = placeOf(depth);
  Value size;
  if (g.run % unitBytes != 0)
    size = e.min(e.sub(e.constant(g.run), place.inTap), e.constant(unitBytes));
  if (!MmaRows::fillsSteps(g.depth()))
    size = e.select(e.isLess(depth, e.constant(g.depth())),
                    size ? size : e.constant(unitBytes), e.constant(0));
  for (int64_t pass = 0; pass < passes; ++pass)
    e.copyAsync(sharedOf(pass, stage), pointerOf(rows[pass], place), unitBytes,
                size);
  return {e.add(depth, MmaTile::kDepth)};
}

MmaRowCopy::Values MmaRowCopy::issueBytes(Value depth, Value stage) {
  // Products beyond the last are zeros.
  SmallVector<TapPlace> places;
  SmallVector<Value> exist(unitBytes);
  for (int64_t byte = 0; byte < unitBytes; ++byte) {
    Value at = e.add(depth, byte);
    if (!MmaRows::fillsSteps(g.depth()))
      exist[byte] = e.isLess(at, e.constant(g.depth()));
    Value last = e.add(e.constant(g.depth()), -1);
    places.push_back(placeOf(e.min(at, last)));
  }
  for (int64_t pass = 0; pass < passes; ++pass) {
    Value unit = e.constant(0);
    for (auto [byte, place] : llvm::enumerate(places)) {
      Value code =
          e.toI32(e.load(e.getI8Type(), pointerOf(rows[pass], place), 1));
      if (exist[byte])
        code = e.select(exist[byte], code, e.constant(0));
      unit = e.orBits(unit, e.shiftLeft(code, e.constant(8 * byte)));
    }
    e.store(unit, sharedOf(pass, stage), 4);
  }
  return {e.add(depth, MmaTile::kDepth)};
}

} // namespace qdialect::gpu
