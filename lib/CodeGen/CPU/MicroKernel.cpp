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
        channel(arguments[5]), isScaled(shape.isPacked && g.image.mayScale &&
                                        e.target.hasDotProduct()),

        elementSize(g.isFloat ? 4 : 1) {
    if (g.isFloat) {
      dot = DotPolicy::create(e, /*isFloat=*/true);
    } else {
      auto ofCodes = CodeDotPolicy::create(e, g.image.isNarrow && !isScaled);
      codeDot = ofCodes.get();
      dot = std::move(ofCodes);
    }
  }

  void emit() {
    SmallVector<Value> accumulators = startTile();
    if (g.numTaps() == 1) {
      accumulators =
          accumulateTap(accumulators, rowPointers(e.index(0)), weights);
    } else {
      int64_t tapRows = shape.isPacked ? g.rowsPerTap() : g.stepsPerTap();
      int64_t tapBytes = tapRows * g.rowBytes(shape.panelVectors);
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
  VectorType bytes() { return Emitter::vector(e.i8(), 4 * Emitter::kLanes); }
  /// Steps in a row of the image.
  int64_t perByte() const { return shape.isPacked ? g.image.perByte() : 1; }

  /// The accumulators of row r, vector j.
  MutableArrayRef<Value> at(MutableArrayRef<Value> accumulators, int64_t r,
                            int64_t j, int64_t chain) {
    int64_t number = (r * shape.vectors + j) * numChains + chain;
    return accumulators.slice(number * numParts, numParts);
  }

  SmallVector<Value> startTile() {
    // A small tile would wait for its sums: the steps of an image row have each
    // their own.
    if (shape.rows * shape.vectors < 8)
      numChains = perByte();
    Value starts = e.at(e.argument(args, firstConstant + 1), e.mul(channel, 4));
    SmallVector<Value> ofRow;
    for (int64_t j = 0; j < shape.vectors; ++j) {
      Value start = e.load(type(), e.at(starts, 64 * j), 4);
      if (isScaled)
        start = arith::ShLIOp::create(
            e, start, e.constantInt(type(), g.image.scaleBits()));
      SmallVector<Value> parts = dot->start(start);
      numParts = static_cast<int64_t>(parts.size());
      llvm::append_range(ofRow, parts);
      for (int64_t chain = 1; chain < numChains; ++chain)
        llvm::append_range(ofRow, dot->start(e.constantInt(type(), 0)));
    }
    if (shape.isPacked && g.image.hasBases()) {
      Value place = e.at(e.argument(args, firstConstant + g.basesConstant()),
                         e.mul(channel, 4));
      for (int64_t j = 0; j < shape.vectors; ++j)
        bases.push_back(e.load(bytes(), e.at(place, 64 * j), 4));
    }
    SmallVector<Value> accumulators;
    for (int64_t r = 0; r < shape.rows; ++r)
      llvm::append_range(accumulators, ofRow);
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
    int64_t whole = g.stepsPerTap() / perByte(),
            rest = g.stepsPerTap() % perByte();
    SmallVector<Value> sums(initial);
    if (whole > 0)
      sums = e.loop(
          e.index(0), e.index(whole), 1, sums,
          [&](Value row, ValueRange carried) {
            return accumulateRow(carried, pointers, tapWeights, row, perByte());
          },
          /*keepRolled=*/true);
    if (rest > 0)
      sums = accumulateRow(sums, pointers, tapWeights, e.index(whole), rest);
    return sums;
  }

  /// The first `steps` steps of a row of the image.
  SmallVector<Value> accumulateRow(ValueRange carried, ArrayRef<Value> pointers,
                                   Value tapWeights, Value row, int64_t steps) {
    SmallVector<Value> accumulators(carried);
    Value image = e.at(tapWeights, e.mul(row, g.rowBytes(shape.panelVectors)));
    for (int64_t part = 0; part < steps; ++part) {
      SmallVector<SmallVector<Value>> columns;
      for (int64_t j = 0; j < shape.vectors; ++j)
        columns.push_back(loadWeights(e.at(image, 64 * j), j, part));
      // A step is four codes or one float.
      Value step = e.add(e.mul(row, 4 * perByte()), 4 * part);
      for (int64_t r = 0; r < shape.rows; ++r) {
        Value activations = dot->loadActivations(e.at(pointers[r], step));
        for (int64_t j = 0; j < shape.vectors; ++j)
          dot->accumulate(at(accumulators, r, j, part % numChains), activations,
                          columns[j]);
      }
    }
    return accumulators;
  }

  SmallVector<Value> loadWeights(Value pointer, int64_t j, int64_t part) {
    if (!shape.isPacked)
      return dot->loadWeights(pointer);
    Value row = e.load(bytes(), pointer, 64);
    return codeDot->splitWeights(
        isScaled
            ? g.image.unpackScaled(e, row, part)
            : g.image.unpack(e, row, part, bases.empty() ? Value() : bases[j]));
  }

  /// The sums of row r, vector j.
  Value sumsOf(MutableArrayRef<Value> accumulators, int64_t r, int64_t j) {
    SmallVector<Value> parts(at(accumulators, r, j, 0));
    for (int64_t chain = 1; chain < numChains; ++chain)
      for (auto [part, other] :
           llvm::zip_equal(parts, at(accumulators, r, j, chain)))
        part = arith::AddIOp::create(e, part, other);
    Value sums = dot->finish(parts);
    if (isScaled)
      sums = arith::ShRSIOp::create(e, sums,
                                    e.constantInt(type(), g.image.scaleBits()));
    return sums;
  }

  void finishTile(MutableArrayRef<Value> accumulators) {
    PayloadEmitter payload(e, epilogue, args);
    payload.begin();
    // Channel by channel, and stores at the end: what belongs to channels is
    // loaded once for all rows, in the registers that the sums leave free.
    SmallVector<SmallVector<Lanes>> parts(shape.rows);
    for (int64_t j = 0; j < shape.vectors; ++j)
      for (int64_t r = 0; r < shape.rows; ++r) {
        Position here = positionOf(r);
        here.laneOffset = Emitter::kLanes * j;
        here.mask = maskOf(j);
        Value sums = sumsOf(accumulators, r, j);
        parts[r].push_back(payload.evaluate(here, Lanes::of(sums)));
      }
    for (int64_t r = 0; r < shape.rows; ++r) {
      Position position = positionOf(r);
      position.mask = maskOf(shape.vectors - 1);
      payload.store(parts[r], position);
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
  /// Codes are multiplied in the upper bits of their bytes.
  bool isScaled;
  std::unique_ptr<DotPolicy> dot;
  CodeDotPolicy *codeDot = nullptr;
  SmallVector<Value> bases; ///< of vectors, where channels have their own
  int64_t elementSize, numParts = 1, numChains = 1;
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
