// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The micro-kernel: a tile of rows x vectors accumulates in registers over all
// taps and k steps, then runs the epilogue row by row.

#include "Contraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class MicroKernelEmitter {
public:
  MicroKernelEmitter(Emitter &e, const ContractionGeometry &g,
                     const Epilogue &epilogue, MicroKernel shape,
                     int64_t tableStride, unsigned firstConstant,
                     ValueRange arguments)
      : e(e), g(g), epilogue(epilogue), shape(shape), tableStride(tableStride),
        firstConstant(firstConstant), args(arguments[0]), rows(arguments[1]),
        groupOffset(arguments[2]), weights(arguments[3]), pixel(arguments[4]),
        channel(arguments[5]), dot(DotPolicy::create(e, g.isFloat)),
        elementSize(g.isFloat ? 4 : 1) {}

  void emit() {
    SmallVector<Value> accumulators = startTile();
    numParts = accumulators.size() / (shape.rows * shape.vectors);
    if (g.numTaps() == 1) {
      accumulators =
          accumulateTap(accumulators, rowPointers(e.index(0)), weights);
    } else {
      int64_t tapBytes = g.stepsPerTap() * g.stepBytes(shape.panelVectors);
      accumulators = e.loop(
          e.index(0), e.index(g.numTaps()), 1, accumulators,
          [&](Value tap, ValueRange carried) {
            Value tapWeights = e.at(weights, e.mul(tap, tapBytes));
            return accumulateTap(carried, rowPointers(tap), tapWeights);
          },
          /*keepRolled=*/true);
    }
    finishTile(accumulators);
    e.ret();
  }

private:
  VectorType type() { return Emitter::vector(g.isFloat ? e.f32() : e.i32()); }

  /// Accumulators of row r, vector j stand at (r * vectors + j) * numParts.
  SmallVector<Value> startTile() {
    Value starts = e.at(e.argument(args, firstConstant + 1), e.mul(channel, 4));
    SmallVector<SmallVector<Value>> ofVector;
    for (int64_t j = 0; j < shape.vectors; ++j)
      ofVector.push_back(dot->start(e.load(type(), e.at(starts, 64 * j), 4)));
    SmallVector<Value> accumulators;
    for (int64_t r = 0; r < shape.rows; ++r)
      for (auto &parts : ofVector)
        llvm::append_range(accumulators, parts);
    return accumulators;
  }

  SmallVector<Value> rowPointers(Value tap) {
    SmallVector<Value> pointers;
    if (g.isStrided()) {
      for (int64_t r = 0; r < shape.rows; ++r)
        pointers.push_back(e.at(rows, r * g.rowStride() * elementSize));
    } else {
      Value entry = e.at(rows, e.mul(tap, 8 * tableStride));
      for (int64_t r = 0; r < shape.rows; ++r)
        pointers.push_back(e.load(e.ptr(), e.at(entry, 8 * r), 8));
    }
    if (g.groups > 1)
      for (Value &pointer : pointers)
        pointer = e.at(pointer, groupOffset);
    return pointers;
  }

  SmallVector<Value> accumulateTap(ValueRange initial, ArrayRef<Value> pointers,
                                   Value tapWeights) {
    return e.loop(
        e.index(0), e.index(g.stepsPerTap()), 1, initial,
        [&](Value k, ValueRange carried) {
          SmallVector<Value> accumulators(carried.begin(), carried.end());
          Value row =
              e.at(tapWeights, e.mul(k, g.stepBytes(shape.panelVectors)));
          SmallVector<SmallVector<Value>> columns;
          for (int64_t j = 0; j < shape.vectors; ++j)
            columns.push_back(dot->loadWeights(e.at(row, 64 * j)));
          Value step = e.mul(k, 4); // four codes or one float
          for (int64_t r = 0; r < shape.rows; ++r) {
            Value activations = dot->loadActivations(e.at(pointers[r], step));
            for (int64_t j = 0; j < shape.vectors; ++j)
              dot->accumulate(
                  MutableArrayRef<Value>(accumulators)
                      .slice((r * shape.vectors + j) * numParts, numParts),
                  activations, columns[j]);
          }
          return accumulators;
        },
        /*keepRolled=*/true);
  }

  void finishTile(ArrayRef<Value> accumulators) {
    PayloadEmitter payload(e, epilogue, args);
    payload.begin();
    for (int64_t r = 0; r < shape.rows; ++r) {
      Position position = positionOf(r);
      SmallVector<Lanes> parts;
      for (int64_t j = 0; j < shape.vectors; ++j) {
        Value sums = dot->finish(
            accumulators.slice((r * shape.vectors + j) * numParts, numParts));
        Position here = position;
        here.laneOffset = Emitter::kLanes * j;
        here.mask = maskOf(j);
        parts.push_back(payload.evaluate(here, Lanes::of(sums)));
      }
      position.mask = maskOf(shape.vectors - 1);
      payload.store(parts, position);
    }
  }

  /// Which channels of vector j exist; null for all.
  Value maskOf(int64_t j) {
    int64_t channels = shape.channels;
#if QDIALECT_MUTATE == 21
    channels += channels % Emitter::kLanes != 0;
#endif
    int64_t left = channels - Emitter::kLanes * j;
    return left >= Emitter::kLanes ? Value() : e.prefixMask(left);
  }

  /// The epilogue's counters for row r: its outer loops are the pixel, split.
  Position positionOf(int64_t r) {
    return Position::at(e, epilogue, e.add(pixel, r), channel);
  }

  Emitter &e;
  const ContractionGeometry &g;
  const Epilogue &epilogue;
  MicroKernel shape;
  int64_t tableStride;
  unsigned firstConstant;
  Value args, rows, groupOffset, weights, pixel, channel;
  std::unique_ptr<DotPolicy> dot;
  int64_t elementSize, numParts = 1;
};

} // namespace

LLVM::LLVMFuncOp emitMicroKernel(OpBuilder &moduleBuilder,
                                 const CpuTarget &target, StringRef name,
                                 const ContractionGeometry &geometry,
                                 const Epilogue &epilogue, MicroKernel shape,
                                 int64_t tableStride, unsigned firstConstant) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(epilogue.region->root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(
      name, {e.ptr(), e.ptr(), e.i64(), e.ptr(), e.i64(), e.i64()},
      /*internal=*/true);
  MicroKernelEmitter(e, geometry, epilogue, shape, tableStride, firstConstant,
                     func.getArguments())
      .emit();
  return func;
}

} // namespace qdialect::cpu
