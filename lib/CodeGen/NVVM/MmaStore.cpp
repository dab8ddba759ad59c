// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where fragments of rows and of sums are.

#include "MmaKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::gpu {

Value mmaLaneColumn(WarpEmitter &e, Value lane) {
  return e.mul(e.rem(lane, 4), MmaTile::kLaneColumns);
}

WarpEmitter::Values mmaLaneParameters(WarpEmitter &e, Value image, Value panel,
                                      Value lane, Type type) {
  Value column =
      e.add(e.mul(panel, MmaTile::kWarpColumns), mmaLaneColumn(e, lane));
  Value pointer = e.at(image, e.mul(column, 4));
  auto four = VectorType::get({4}, type);
  WarpEmitter::Values result;
  for (int64_t i = 0; i < MmaTile::kLaneColumns; i += 4) {
    Value loaded = e.load(four, e.at(pointer, 4 * i), 16);
    for (int64_t k = 0; k < 4; ++k)
      result.push_back(
          LLVM::ExtractElementOp::create(e, loaded, e.constant(k)));
  }
  return result;
}

Value mmaRowFragment(WarpEmitter &e, Value warpRow, Value lane, int64_t half,
                     int64_t swizzle) {
  Value chunk = e.div(lane, 16), inWarp = e.rem(lane, 16);
  Value offset = e.mul(e.add(warpRow, inWarp), MmaTile::kDepth);
  // Seeded fault 198: half of the swizzle is forgotten where rows are read.
  int64_t chunks = QDIALECT_MUTATE == 198 ? 1 : 3;
  Value swizzled = e.xorBits(e.add(chunk, 2 * half),
                             e.andBits(e.shiftRight(lane, swizzle), chunks));
  return e.add(offset, e.mul(swizzled, 16));
}

/// The columns of a row that exist.
void storeMmaRow(WarpEmitter &e, int64_t blockColumns, int64_t columns,
                 MmaSums sums, function_ref<void(const MmaSums &)> epilogue) {
  auto width = static_cast<int64_t>(sums.sums.size());
  if (SymbolicSizes::isSymbolic(columns)) {
    Value behind = e.constant(columns);
    return e.ifThen(e.isLess(sums.column, behind), [&] {
      Value left = e.sub(behind, sums.column);
      Value lanes = e.constant(width);
      e.ifThen(e.isLess(left, lanes), [&] {
        MmaSums some = sums;
        some.left = e.toI64(left);
        epilogue(some);
      });
      e.ifThen(e.isLess(e.add(lanes, -1), left), [&] { epilogue(sums); });
    });
  }
  if (columns % blockColumns == 0)
    return epilogue(sums);
  int64_t whole = columns / width * width;
  if (whole > 0)
    e.ifThen(e.isLess(sums.column, e.constant(whole)), [&] { epilogue(sums); });
  if (whole == columns)
    return;
  Value isLast = e.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                               sums.column, e.constant(whole));
  sums.sums = sums.sums.take_front(columns - whole);
  e.ifThen(isLast, [&] { epilogue(sums); });
}

void storeMmaSums(WarpEmitter &e, const MmaTile &tile, const MmaOutput &output,
                  function_ref<Value(int64_t, int64_t, int64_t)> sum,
                  function_ref<void(const MmaSums &)> epilogue) {
  Value column = e.add(e.add(e.mul(output.columnBlock, tile.columns),
                             e.mul(output.panel, MmaTile::kWarpColumns)),
                       mmaLaneColumn(e, output.lane));
  // Seeded fault 197: a row behind the last is stored.
  Value rows = e.add(e.constant(output.rows), QDIALECT_MUTATE == 197 ? 1 : 0);
  Value firstRow =
      e.add(e.add(output.blockRow, output.warpRow), e.div(output.lane, 4));
  for (int64_t i = 0; i < tile.warpRows / 16; ++i)
    for (int64_t half = 0; half < 2; ++half) {
      WarpEmitter::Values ofRow;
      for (int64_t j = 0; j < MmaTile::kWarpColumns / 8; ++j)
        for (int64_t r = 0; r < 2; ++r)
          ofRow.push_back(sum(i, j, 2 * half + r));
      Value row = e.add(firstRow, 16 * i + 8 * half);
      auto store = [&] {
        storeMmaRow(e, tile.columns, output.columns,
                    {row, column, output.group, ofRow}, epilogue);
      };
      if (!SymbolicSizes::isSymbolic(output.rows) &&
          output.rows % tile.rows == 0)
        store();
      else
        e.ifThen(e.isLess(row, rows), store);
    }
}

} // namespace qdialect::gpu
