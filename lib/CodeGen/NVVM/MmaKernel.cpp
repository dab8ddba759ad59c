// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pipeline of a block: copies, fragments, products, epilogue.

#include "MmaKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::gpu {
namespace {

using Values = WarpEmitter::Values;

class MmaEmitter {
public:
  MmaEmitter(WarpEmitter &e, const MmaGeometry &g, const MmaTile &tile,
             StringRef sharedName, const MmaOperands &operands)
      : e(e), g(g), tile(tile), operands(operands) {
    place.thread = e.threadId();
    Value block = e.blockId();
    place.blockRow = e.mul(e.rem(block, g.rowBlocks(tile)), tile.rows);
    block = e.div(block, g.rowBlocks(tile));
    columnBlock = e.rem(block, g.columnBlocks(tile));
    place.group = e.div(block, g.columnBlocks(tile));
    lane = e.rem(place.thread, 32);
    Value warp = e.div(place.thread, 32);
    warpRow = e.mul(e.rem(warp, tile.rowWarps()), tile.warpRows);
    panel = e.div(warp, tile.rowWarps());
    shared = e.shared(sharedName, tile.sharedBytes());
    startFragments();
  }

  void emit(function_ref<void(const MmaSums &)> epilogue) {
    MmaRowCopy rowCopy(e, g, tile, operands, place, shared);
    Values copyState = rowCopy.start();
    Value weights = startWeights();
    int64_t ahead = std::min(tile.stages - 1, g.steps());
    auto issue = [&](Value stage) {
      copyState = rowCopy.issue(copyState, stage);
      weights = copyWeights(weights, stage);
      e.commitCopies();
    };
    for (int64_t step = 0; step < ahead; ++step)
      issue(stageOf(step));
    arrive(ahead - 1);
    Values sums = startSums();
    Values fragments = loadFragments(stageOf(0), 0);

    // While all stages are in use: state is sums, fragments, copies, weights,
    // the stage that is read and the one that is free.
    int64_t steady = g.steps() - ahead;
    if (steady > 0) {
      Values state = sums;
      llvm::append_range(state, fragments);
      llvm::append_range(state, copyState);
      llvm::append_range(state,
                         ArrayRef<Value>{weights, stageOf(0), stageOf(ahead)});
      state = e.loop(steady, state, [&](Value, ValueRange carried) {
        auto take = [&](size_t count) {
          Values taken(carried.take_front(count));
          carried = carried.drop_front(count);
          return taken;
        };
        Values sums = take(numSums()), first = take(fragments.size());
        copyState = take(copyState.size());
        weights = carried[0];
        Value stage = carried[1], free = carried[2];
        Values second = loadFragments(stage, 1);
        issue(free);
        multiply(sums, first);
        arrive(tile.stages - 2);
        Value next = e.add(stage, tile.stageBytes());
        Value end = e.constantOf(e.getI64Type(), tile.sharedBytes());
        next = e.select(e.isLess(next, end), next, stageOf(0));
        first = loadFragments(next, 0);
        multiply(sums, second);
        Values result = sums;
        llvm::append_range(result, first);
        llvm::append_range(result, copyState);
        llvm::append_range(result, ArrayRef<Value>{weights, next, stage});
        return result;
      });
      sums.assign(state.begin(), state.begin() + numSums());
      fragments.assign(state.begin() + numSums(),
                       state.begin() + numSums() + fragments.size());
    }
    for (int64_t left = ahead; left-- > 0;) {
      int64_t step = g.steps() - 1 - left;
      Values second = loadFragments(stageOf(step), 1);
      multiply(sums, fragments);
      if (left > 0) {
        arrive(left - 1);
        fragments = loadFragments(stageOf(step + 1), 0);
      }
      multiply(sums, second);
    }
    finish(sums, epilogue);
  }

private:
  static constexpr int64_t kFragmentColumns = MmaTile::kWarpColumns / 8;
  int64_t fragmentRows() const { return tile.warpRows / 16; }
  size_t numSums() const { return 4 * fragmentRows() * kFragmentColumns; }

  Value stageOf(int64_t step) {
    return e.constantOf(e.getI64Type(), step % tile.stages * tile.stageBytes());
  }

  /// Until this block's copies but the last `groups` are there.
  void arrive(int64_t groups) {
    e.waitCopies(groups);
    e.barrier();
  }

  /// The panel at which the block's columns start.
  Value firstPanel() {
    return e.add(e.mul(place.group, g.panels(tile)),
                 e.mul(columnBlock, tile.columnWarps()));
  }

  Value startWeights() {
    Value offset = e.mul(e.toI64(firstPanel()), g.panelBytes());
    return e.at(e.at(operands.weights, offset), e.mul(place.thread, 16));
  }

  /// Panels lie in memory as they lie in shared memory.
  Value copyWeights(Value weights, Value stage) {
    constexpr int64_t kPanelStep = MmaTile::kDepth * MmaTile::kWarpColumns;
    Value to = e.at(weightsShared, stage);
    for (int64_t at = 0; at < tile.columnBytes(); at += 16 * tile.threads())
      e.copyAsync(
          e.at(to, at),
          e.at(weights, at / kPanelStep * g.panelBytes() + at % kPanelStep),
          16);
    return e.at(weights, kPanelStep);
  }

  void startFragments() {
    Value chunk = e.div(lane, 16), inWarp = e.rem(lane, 16);
    Value swizzle = e.andBits(e.shiftRight(lane, 1), 3);
    Value offset = e.mul(e.add(warpRow, inWarp), MmaTile::kDepth);
    for (int64_t half = 0; half < 2; ++half) {
      Value swizzled = e.xorBits(e.add(chunk, 2 * half), swizzle);
      rowFragments[half] = e.at(shared, e.add(offset, e.mul(swizzled, 16)));
    }
    Value ofPanels = e.at(shared, tile.rowBytes());
    weightsShared = e.at(ofPanels, e.mul(place.thread, 16));
    columnFragments = e.at(
        ofPanels, e.add(e.mul(panel, MmaTile::kDepth * MmaTile::kWarpColumns),
                        e.mul(lane, 16)));
  }

  /// Those of half a step: four registers for 16 rows, then two for 8 columns.
  Values loadFragments(Value stage, int64_t half) {
    Values fragments;
    Value rows = e.at(rowFragments[half], stage);
    for (int64_t i = 0; i < fragmentRows(); ++i)
      llvm::append_range(fragments,
                         e.loadMatrices(e.at(rows, i * 16 * MmaTile::kDepth)));
    Value columns = e.at(columnFragments, stage);
    auto four = VectorType::get({4}, e.getI32Type());
    for (int64_t pair = 0; pair < kFragmentColumns / 2; ++pair) {
      Value loaded = e.load(four, e.at(columns, half * 2048 + pair * 512), 16);
      for (int64_t i = 0; i < 4; ++i)
        fragments.push_back(
            LLVM::ExtractElementOp::create(e, loaded, e.constant(i)));
    }
    return fragments;
  }

  /// Sums lie by fragment of rows, then of columns, then register.
  void multiply(Values &sums, ArrayRef<Value> fragments) {
    ArrayRef<Value> columns = fragments.drop_front(4 * fragmentRows());
    for (int64_t i = 0; i < fragmentRows(); ++i)
      for (int64_t j = 0; j < kFragmentColumns; ++j) {
        int64_t at = 4 * (i * kFragmentColumns + j);
        Values product =
            e.multiply(fragments.slice(4 * i, 4), columns.slice(2 * j, 2),
                       ArrayRef<Value>(sums).slice(at, 4), g.isUnsigned,
                       /*isUnsignedB=*/false);
        llvm::copy(product, sums.begin() + at);
      }
  }

  /// The first of a lane's columns in its panel.
  Value laneColumn() { return e.mul(e.rem(lane, 4), MmaTile::kLaneColumns); }

  Values startSums() {
    Values ofColumn(MmaTile::kLaneColumns, e.constant(0));
    if (operands.starts) {
      Value column =
          e.add(e.mul(e.add(firstPanel(), panel), MmaTile::kWarpColumns),
                laneColumn());
      Value pointer = e.at(operands.starts, e.mul(column, 4));
      auto four = VectorType::get({4}, e.getI32Type());
      for (int64_t i = 0; i < MmaTile::kLaneColumns; ++i) {
        Value loaded =
            i % 4 == 0 ? e.load(four, e.at(pointer, 4 * i), 16) : Value();
        if (loaded)
          for (int64_t k = 0; k < 4; ++k)
            ofColumn[i + k] =
                LLVM::ExtractElementOp::create(e, loaded, e.constant(k));
      }
    }
    Values sums;
    for (int64_t i = 0; i < fragmentRows(); ++i)
      for (int64_t j = 0; j < kFragmentColumns; ++j)
        for (int64_t r = 0; r < 4; ++r)
          sums.push_back(ofColumn[2 * j + r % 2]);
    return sums;
  }

  void finish(ArrayRef<Value> sums,
              function_ref<void(const MmaSums &)> epilogue) {
    Value column = e.add(e.add(e.mul(columnBlock, tile.columns),
                               e.mul(panel, MmaTile::kWarpColumns)),
                         laneColumn());
    Value firstRow = e.add(e.add(place.blockRow, warpRow), e.div(lane, 4));
    for (int64_t i = 0; i < fragmentRows(); ++i)
      for (int64_t half = 0; half < 2; ++half) {
        Values ofRow;
        for (int64_t j = 0; j < kFragmentColumns; ++j)
          for (int64_t r = 0; r < 2; ++r)
            ofRow.push_back(
                sums[4 * (i * kFragmentColumns + j) + 2 * half + r]);
        Value row = e.add(firstRow, 16 * i + 8 * half);
        auto store = [&] {
          storeRow({row, column, place.group, ofRow}, epilogue);
        };
        if (g.rows() % tile.rows == 0)
          store();
        else
          e.ifThen(e.isLess(row, e.constant(g.rows())), store);
      }
  }

  /// The columns of a row that exist.
  void storeRow(MmaSums sums, function_ref<void(const MmaSums &)> epilogue) {
    if (g.columns % tile.columns == 0)
      return epilogue(sums);
    int64_t whole = g.columns / MmaTile::kLaneColumns * MmaTile::kLaneColumns;
    if (whole > 0)
      e.ifThen(e.isLess(sums.column, e.constant(whole)),
               [&] { epilogue(sums); });
    if (whole == g.columns)
      return;
    Value isLast = e.createOrFold<arith::CmpIOp>(
        arith::CmpIPredicate::eq, sums.column, e.constant(whole));
    sums.sums = sums.sums.take_front(g.columns - whole);
    e.ifThen(isLast, [&] { epilogue(sums); });
  }

  WarpEmitter &e;
  const MmaGeometry &g;
  const MmaTile &tile;
  MmaOperands operands;
  MmaPlace place;
  Value columnBlock, lane;
  Value warpRow, panel; ///< where the warp's share starts in the block's
  Value shared, weightsShared;
  Value rowFragments[2], columnFragments; ///< this lane's in stage 0
};

} // namespace

void emitMmaKernel(WarpEmitter &e, const MmaGeometry &geometry,
                   const MmaTile &tile, StringRef sharedName,
                   const MmaOperands &operands,
                   function_ref<void(const MmaSums &)> epilogue) {
  MmaEmitter(e, geometry, tile, sharedName, operands).emit(epilogue);
}

} // namespace qdialect::gpu
