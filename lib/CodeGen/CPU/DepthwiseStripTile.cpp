// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One unit of a depthwise convolution: some columns of a strip, up to 64
// channels. Tile by tile it interleaves the columns of the image that the tile
// sees first, multiplies, and hands the sums to the epilogue.

#include "DepthwiseStrip.h"
#include "DotPolicy.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <map>

using namespace mlir;

namespace qdialect::cpu {
namespace {

constexpr int64_t kTaps = DepthwiseStrip::kTaps,
                  kColumnBytes = DepthwiseStrip::kColumnBytes,
                  kBlock = DepthwiseStrip::kBlock,
                  kVectorBytes = 4 * Emitter::kLanes;

/// Interleaves four rows of up to 64 codes: lane i of vector v has the four
/// codes of channel 16 * v + i.
SmallVector<Value> interleaveTaps(Emitter &e, ArrayRef<Value> taps) {
  auto bytes = Emitter::vector(e.i8(), kBlock);
  auto words = Emitter::vector(e.getI16Type(), kBlock / 2);
  SmallVector<Value> rows;
  for (Value tap : taps) {
    // The instructions interleave within 128 bits: what vector v shall have
    // comes to dword v of each.
    int64_t dwords = cast<VectorType>(tap.getType()).getNumElements() / 4;
    Value from = e.bitcast(tap, Emitter::vector(e.i32(), dwords));
    SmallVector<int64_t> order;
    for (int64_t part = 0; part < 4; ++part)
      for (int64_t v = 0; v < 4; ++v)
        order.push_back(4 * v + part < dwords
                            ? 4 * v + part
                            : vector::ShuffleOp::kPoisonIndex);
    rows.push_back(
        e.bitcast(vector::ShuffleOp::create(e, from, from, order), bytes));
  }
  SmallVector<Value> vectors;
  for (bool upperBytes : {false, true}) {
    Value low = e.bitcast(e.interleave(rows[0], rows[1], upperBytes), words),
          high = e.bitcast(e.interleave(rows[2], rows[3], upperBytes), words);
    for (bool upperWords : {false, true})
      vectors.push_back(e.bitcast(e.interleave(low, high, upperWords), bytes));
  }
  return vectors;
}

class UnitEmitter {
public:
  UnitEmitter(Emitter &e, const DepthwiseStrip &strip, const Epilogue &epilogue,
              int64_t channels, ValueRange arguments)
      : e(e), strip(strip), epilogue(epilogue), channels(channels),
        numVectors(llvm::divideCeil(channels, Emitter::kLanes)),
        tileColumns(strip.tileColumns(e.target)),
        firstConstant(epilogue.region->numInputs() + 1), args(arguments[0]),
        image(arguments[2]), pixel(arguments[3]), y(arguments[4]),
        x(arguments[5]), numColumns(arguments[6]), channel(arguments[7]),
        payload(e, epilogue, args),
        policy(CodeDotPolicy::create(e, strip.g.image.isNarrow,
                                     /*byChannel=*/true)) {
    weights =
        e.at(arguments[1], e.mul(e.div(channel, kBlock), strip.blockBytes()));
  }

  void emit() {
    payload.begin();
    readRows();
    columns = stack(strip.imageColumns(strip.mostColumns()) *
                    strip.numGroups() * kColumnBytes);
    sums = stack(tileColumns * strip.rows * numVectors * kVectorBytes);
    starts = e.at(e.argument(args, firstConstant + 1), e.mul(channel, 4));
    Value numTiles = e.div(e.add(numColumns, tileColumns - 1), tileColumns);
    e.loop(e.index(0), numTiles, 1, {e.index(0)},
           [&](Value tile, ValueRange filled) -> SmallVector<Value> {
             // The last tile ends with the unit.
             Value first = e.min(e.mul(tile, tileColumns),
                                 e.sub(numColumns, e.index(tileColumns)));
             Value start = e.mul(first, strip.x().stride);
             Value end = e.add(start, strip.imageColumns(tileColumns));
             e.loop(filled[0], end, 1,
                    [&](Value column) { fillColumn(column); });
             e.loop(
                 e.index(0), e.index(numVectors), 1, {},
                 [&](Value v, ValueRange) -> SmallVector<Value> {
                   multiply(start, e.mul(v, kVectorBytes));
                   return {};
                 },
                 /*keepRolled=*/true);
             finish(first);
             return {end};
           });
    e.ret();
  }

private:
  Value stack(int64_t bytes) {
    return LLVM::AllocaOp::create(e, e.ptr(), e.i8(), e.index(bytes), 64);
  }
  Value isInside(const ImageAxis &axis, Value position) {
    return arith::CmpIOp::create(e, arith::CmpIPredicate::ult, position,
                                 e.index(axis.size));
  }

  /// Where the strip's rows of the image start, and which of them exist.
  void readRows() {
    if (strip.g.padded())
      padding = e.at(e.argument(args, firstConstant + 2), channel);
    Value from = e.at(image, channel);
    for (int64_t distance : strip.imageRows) {
      Value row = e.add(e.mul(y, strip.y().stride), distance);
      Value exists;
      if (strip.y().padded)
        exists = isInside(strip.y(), e.sub(row, e.index(strip.y().low)));
      else // those of rows that the output has not
        row = e.min(row, e.index(strip.y().size - 1));
      Value start = e.at(from, e.mul(row, strip.rowStep));
      if (exists)
        start = arith::SelectOp::create(e, exists, start, padding);
      rowStarts.push_back(start);
      rowExists.push_back(exists);
    }
  }

  /// Interleaves a column of the image, counted from the unit's first.
  void fillColumn(Value column) {
    Value position = e.add(e.mul(x, strip.x().stride), column);
    Value exists;
    if (strip.x().padded)
      exists = isInside(strip.x(), e.sub(position, e.index(strip.x().low)));
    Value offset = e.mul(position, strip.columnStep);
    Value to = e.at(columns, e.mul(column, strip.numGroups() * kColumnBytes));
    // A vector of three parts is loaded whole: there is slack behind codes.
    auto type = Emitter::vector(e.i8(), llvm::PowerOf2Ceil(numVectors) *
                                            Emitter::kLanes);
    for (int64_t group = 0; group < strip.numGroups(); ++group) {
      SmallVector<Value> taps;
      for (size_t row = group * kTaps;
           static_cast<int64_t>(row) < (group + 1) * kTaps; ++row) {
        if (row >= rowStarts.size()) {
          taps.push_back(taps.back()); // its weights are zero
          continue;
        }
        Value distance = offset;
        if (rowExists[row])
          distance =
              arith::SelectOp::create(e, rowExists[row], offset, e.index(0));
        Value pointer = e.at(rowStarts[row], distance);
        if (exists)
          pointer = arith::SelectOp::create(e, exists, pointer, padding);
        taps.push_back(e.load(type, pointer));
      }
      SmallVector<Value> vectors = interleaveTaps(e, taps);
      for (int64_t v = 0; v < numVectors; ++v)
        e.store(vectors[v], e.at(to, group * kColumnBytes + v * kVectorBytes),
                64);
    }
  }

  /// The sums of 16 channels of a tile, `vector` bytes from the block's first.
  void multiply(Value start, Value vector) {
    auto bytes = Emitter::vector(e.i8(), kVectorBytes);
    Value from = e.at(
        e.at(columns, e.mul(start, strip.numGroups() * kColumnBytes)), vector);
    Value weightsHere = e.at(weights, vector);
    Value init = e.load(Emitter::vector(e.i32()), e.at(starts, vector), 4);
    SmallVector<SmallVector<Value>> tile(tileColumns * strip.rows);
    for (SmallVector<Value> &accumulators : tile)
      accumulators = policy->start(init);

    int64_t filter = strip.x().filterSize;
    auto numMeetings = static_cast<int64_t>(strip.meetings.size());
    std::map<int64_t, SmallVector<Value>> loaded; // weights
    for (int64_t column = 0; column < strip.imageColumns(tileColumns);
         ++column) {
      std::map<int64_t, SmallVector<Value>> codes; // by group
      for (int64_t k = 0; k < filter; ++k) {
        int64_t distance = column - k * strip.x().dilation;
        // One column of the output may have no stride.
        int64_t stride = std::max<int64_t>(strip.x().stride, 1);
        if (distance < 0 || distance % stride != 0 ||
            distance / stride >= tileColumns)
          continue;
        for (int64_t m = 0; m < numMeetings; ++m) {
          auto [row, group] = strip.meetings[m];
          SmallVector<Value> &mine = codes[group];
          if (mine.empty())
            mine = policy->splitActivations(e.load(
                bytes,
                e.at(from, (column * strip.numGroups() + group) * kColumnBytes),
                64));
          SmallVector<Value> &weight = loaded[k * numMeetings + m];
          if (weight.empty())
            weight = policy->loadWeights(
                e.at(weightsHere, (k * numMeetings + m) * kColumnBytes));
          policy->accumulateByChannel(
              tile[distance / stride * strip.rows + row], mine, weight);
        }
      }
    }
    for (auto [i, accumulators] : llvm::enumerate(tile))
      e.store(policy->finish(accumulators),
              e.at(e.at(sums, vector),
                   static_cast<int64_t>(i) * numVectors * kVectorBytes),
              64);
  }

  /// The epilogue of a tile from the unit's column `first` on.
  void finish(Value first) {
    Value numRows = e.min(e.index(strip.rows), e.sub(e.index(strip.height), y));
    Value place = e.add(pixel, first);
    e.loop(e.index(0), numRows, 1, [&](Value row) {
      e.loop(
          e.index(0), e.index(tileColumns), 1, {},
          [&](Value column, ValueRange) -> SmallVector<Value> {
            Value at = e.add(place, e.add(e.mul(row, strip.width), column));
            Value from = e.at(sums, e.mul(e.add(e.mul(column, strip.rows), row),
                                          numVectors * kVectorBytes));
            payload.storeRow(Position::at(e, epilogue, at, channel), channels,
                             [&](int64_t v) {
                               return Lanes::of(
                                   e.load(Emitter::vector(e.i32()),
                                          e.at(from, v * kVectorBytes), 64));
                             });
            return {};
          },
          /*keepRolled=*/true);
    });
  }

  Emitter &e;
  const DepthwiseStrip &strip;
  const Epilogue &epilogue;
  int64_t channels, numVectors, tileColumns;
  unsigned firstConstant;
  Value args, image, pixel, y, x, numColumns, channel;
  PayloadEmitter payload;
  std::unique_ptr<CodeDotPolicy> policy;
  Value weights, padding, columns, sums, starts;
  SmallVector<Value> rowStarts, rowExists; ///< rowExists: null if they all do
};

} // namespace

LLVM::LLVMFuncOp emitStripUnit(OpBuilder &moduleBuilder,
                               const CpuTarget &target, StringRef name,
                               const DepthwiseStrip &strip,
                               const Epilogue &epilogue, int64_t channels) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(epilogue.region->root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(
      name,
      {e.ptr(), e.ptr(), e.ptr(), e.i64(), e.i64(), e.i64(), e.i64(), e.i64()},
      /*internal=*/true);
  UnitEmitter(e, strip, epilogue, channels, func.getArguments()).emit();
  return func;
}

LLVM::LLVMFuncOp emitStripUnpacking(OpBuilder &moduleBuilder, Location loc,
                                    const CpuTarget &target, StringRef name,
                                    const DepthwiseStrip &strip,
                                    unsigned firstConstant) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(loc, moduleBuilder, target);
  const WindowReduceGeometry &g = strip.g;
  LLVM::LLVMFuncOp func = e.startFunction(
      name, {e.ptr(), e.ptr(), e.i64(), e.ptr()}, /*internal=*/true);
  Value args = func.getArgument(0), weights = func.getArgument(1),
        channel = func.getArgument(2), out = func.getArgument(3);
  auto bytes = Emitter::vector(e.i8(), kBlock);
  Value zeros = e.constantInt(bytes, 0), bases;
  if (g.image.hasBases())
    bases =
        e.load(bytes, e.at(e.argument(args, firstConstant + g.basesConstant()),
                           channel));
  int64_t perByte = g.image.perByte();
  SmallVector<Value> codes;
  for (int64_t tap = 0; tap < g.numTaps(); ++tap)
    codes.push_back(g.image.unpack(
        e, e.load(bytes, e.at(weights, tap / perByte * kBlock), 64),
        tap % perByte, bases));
  int64_t place = 0;
  for (int64_t k = 0; k < strip.x().filterSize; ++k)
    for (const DepthwiseStrip::Meeting &meeting : strip.meetings) {
      SmallVector<Value> taps;
      for (int64_t tap = 0; tap < kTaps; ++tap) {
        int64_t index = meeting.group * kTaps + tap;
        std::optional<int64_t> row;
        if (index < static_cast<int64_t>(strip.imageRows.size()))
          row = strip.filterRow(meeting.row, index);
        taps.push_back(row ? codes[*row * strip.x().filterSize + k] : zeros);
      }
      for (Value vector : interleaveTaps(e, taps)) {
        e.store(vector, e.at(out, place), 64);
        place += kVectorBytes;
      }
    }
  e.ret();
  return func;
}

} // namespace qdialect::cpu
