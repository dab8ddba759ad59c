// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tile of a product of two activations: accumulates in registers over all k
// steps, then runs the epilogue row by row. Where the right side has a zero
// point one more column of ones sums the rows of the left side.

#include "BatchMatmul.h"
#include "Payload.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class TileEmitter {
public:
  TileEmitter(Emitter &e, const BatchMatmulGeometry &g,
              const Epilogue &epilogue, BatchTile tile, ValueRange arguments)
      : e(e), g(g), epilogue(epilogue), tile(tile), args(arguments[0]),
        lhs(arguments[1]), panel(arguments[2]), starts(arguments[3]),
        outRow(arguments[4]), column(arguments[5]),
        dot(DotPolicy::create(e, g.isFloat)) {
    if (g.rhsZeroPoint != 0)
      ones = arguments[6];
    if (tile.panel.ragged)
      left = e.sub(e.index(g.columns.size), column);
  }

  void emit() {
    // Vectors of the panel, then the one that sums rows.
    SmallVector<SmallVector<Value>> ofVector;
    for (int64_t j = 0; j < tile.vectors; ++j)
      ofVector.push_back(dot->start(e.load(type(), e.at(starts, 64 * j), 64)));
    if (ones)
      ofVector.push_back(dot->start(e.constantInt(type(), 0)));
    numParts = ofVector[0].size();
    SmallVector<Value> init;
    for (int64_t r = 0; r < tile.rows; ++r)
      for (auto &parts : ofVector)
        llvm::append_range(init, parts);
    SmallVector<Value> rows;
    for (int64_t r = 0; r < tile.rows; ++r)
      rows.push_back(
          e.at(lhs, e.mul(e.mul(e.index(r), g.rows.lhs), g.elementSize())));
    finish(e.loop(
        e.index(0), e.index(g.numSteps()), 1, init,
        [&](Value k, ValueRange carried) {
          return accumulate(k, rows, carried);
        },
        /*keepRolled=*/true));
    e.ret();
  }

private:
  VectorType type() { return Emitter::vector(g.isFloat ? e.f32() : e.i32()); }
  int64_t width() const { return tile.vectors + (ones ? 1 : 0); }

  SmallVector<Value> accumulate(Value k, ArrayRef<Value> rows,
                                ValueRange carried) {
    SmallVector<Value> accumulators(carried.begin(), carried.end());
    Value image = e.at(panel, e.mul(k, tile.panel.stepBytes()));
    SmallVector<SmallVector<Value>> columns;
    for (int64_t j = 0; j < tile.vectors; ++j)
      columns.push_back(dot->loadWeights(e.at(image, 64 * j)));
    if (ones)
      columns.push_back(dot->loadWeights(e.at(ones, e.mul(k, 64))));
    Value step = e.mul(k, 4); // four codes or one float
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value activations = dot->loadActivations(e.at(rows[r], step));
      for (int64_t j = 0; j < width(); ++j)
        dot->accumulate(MutableArrayRef<Value>(accumulators)
                            .slice((r * width() + j) * numParts, numParts),
                        activations, columns[j]);
    }
    return accumulators;
  }

  void finish(ArrayRef<Value> accumulators) {
    PayloadEmitter payload(e, epilogue, args);
    payload.begin();
    Value rhsZero;
    if (ones)
      rhsZero = BatchZeroPoints::load(e, g, epilogue, args).rhs;
    for (int64_t r = 0; r < tile.rows; ++r) {
      auto sum = [&](int64_t j) {
        return dot->finish(
            accumulators.slice((r * width() + j) * numParts, numParts));
      };
      Value correction;
      if (ones)
        correction = arith::MulIOp::create(e, sum(tile.vectors), rhsZero);
      Position position = positionOf(r);
      SmallVector<Lanes> parts;
      for (int64_t j = 0; j < tile.vectors; ++j) {
        Value lanes = sum(j);
        if (correction)
          lanes = arith::SubIOp::create(e, lanes, correction);
        Position here = position;
        here.laneOffset = Emitter::kLanes * j;
        here.mask = maskOf(j);
        if (tile.panel.ragged) {
          // Any of the vectors may be the last.
          e.ifThen(e.less(e.index(Emitter::kLanes * j), left), [&] {
            payload.store(payload.evaluate(here, Lanes::of(lanes)), here);
          });
          continue;
        }
        parts.push_back(payload.evaluate(here, Lanes::of(lanes)));
      }
      if (tile.panel.ragged)
        continue;
      position.mask = maskOf(tile.vectors - 1);
      payload.store(parts, position);
    }
  }

  /// Which columns of vector j exist; null for all.
  Value maskOf(int64_t j) {
    if (tile.panel.ragged)
      return e.prefixMask(e.sub(left, e.index(Emitter::kLanes * j)));
    int64_t here = tile.columns - Emitter::kLanes * j;
    return here >= Emitter::kLanes ? Value() : e.prefixMask(here);
  }

  /// The epilogue's counters for row r: its outer loops are the output's rows.
  Position positionOf(int64_t r) {
    Value row = e.add(outRow, e.mul(e.index(r), g.rows.outRow));
    return Position::at(e, epilogue, row, column);
  }

  Emitter &e;
  const BatchMatmulGeometry &g;
  const Epilogue &epilogue;
  BatchTile tile;
  Value args, lhs, panel, starts, outRow, column, ones, left;
  std::unique_ptr<DotPolicy> dot;
  int64_t numParts = 1;
};

} // namespace

LLVM::LLVMFuncOp emitBatchTile(OpBuilder &moduleBuilder,
                               const CpuTarget &target, StringRef name,
                               const BatchMatmulGeometry &geometry,
                               const Epilogue &epilogue, BatchTile tile,
                               size_t numConstants) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(epilogue.region->root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(
      name, {e.ptr(), e.ptr(), e.ptr(), e.ptr(), e.i64(), e.i64(), e.ptr()},
      /*internal=*/true);
  e.bindSizes(*epilogue.region, func.getArgument(0), numConstants);
  TileEmitter(e, geometry, epilogue, tile, func.getArguments()).emit();
  return func;
}

} // namespace qdialect::cpu
