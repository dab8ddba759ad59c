// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pipeline of a block: bytes of activations become planes of bits on their
// way to shared memory, while the planes of the step before are multiplied.

#include "BitMma.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::gpu {
namespace {

using Values = WarpEmitter::Values;

class BitMmaEmitter {
public:
  BitMmaEmitter(WarpEmitter &e, const BitMmaGeometry &g, StringRef sharedName,
                const MmaOperands &operands)
      : e(e), g(g), tile(g.tile()), operands(operands) {
    thread = e.threadId();
    Value block = e.blockId();
    int64_t rowBlocks = (g.rows + tile.rows - 1) / tile.rows;
    blockRow = e.mul(e.rem(block, rowBlocks), tile.rows);
    panel = e.div(block, rowBlocks);
    lane = e.rem(thread, 32);
    warpRow = e.mul(e.div(thread, 32), tile.warpRows);
    shared = e.shared(sharedName, g.kStages * g.stageBytes());
    startRows();
    startWeights();
    // Rows of 32 bytes: their halves are swapped in every other four, so that
    // the eight rows that ldmatrix reads at once meet all banks once.
    Value row = e.rem(lane, 16);
    Value chunk = e.xorBits(e.div(lane, 16), swap(row));
    rowFragments = e.at(shared, e.add(e.mul(e.add(warpRow, row), g.kRowBytes),
                                      e.mul(chunk, 16)));
    columnFragments = e.at(e.at(shared, g.leftBytes()), e.mul(lane, 16));
  }

  void emit(function_ref<void(const MmaSums &)> epilogue) {
    Value first = e.constantOf(e.getI64Type(), 0);
    copyWeights(e.constant(0), first);
    e.commitCopies();
    placeRows(fetchRows(e.constant(0)), first);
    Values state(numSums(), e.constant(0));
    state.push_back(first);
    if (g.steps() > 1)
      state = e.loop(g.steps() - 1, state, [&](Value step, ValueRange carried) {
        Values sums(carried.drop_back());
        Value stage = carried.back();
        Value other =
            e.sub(e.constantOf(e.getI64Type(), g.stageBytes()), stage);
        arrive();
        Value next = e.add(step, 1);
        copyWeights(next, other);
        e.commitCopies();
        Values words = fetchRows(next);
        multiply(sums, stage);
        placeRows(words, other);
        sums.push_back(other);
        return sums;
      });
    arrive();
    Value last = state.pop_back_val();
    multiply(state, last);
    finish(state, epilogue);
  }

private:
  static constexpr int64_t kFragments = BitMmaGeometry::kColumns / 8;
  static constexpr int64_t kAndOr = 0xea; ///< lop3: (a & b) | c
  /// Words of a row that become a word of each of its planes.
  static constexpr int64_t kWords = 8;

  /// Behind the sums of products those of the rows' codes.
  size_t numSums() const { return 4 * kFragments + (g.rightBase ? 4 : 0); }

  void arrive() {
    e.waitCopies(0);
    e.barrier();
  }

  Value swap(Value row) { return e.andBits(e.shiftRight(row, 2), 1); }

  /// A thread has one of the eight words of a row, of some rows.
  void startRows() {
    unit = e.rem(thread, kWords);
    Value row = e.div(thread, kWords);
    for (int64_t first = 0; first < tile.rows;
         first += tile.threads() / kWords) {
      Value r = e.add(row, first);
      // Rows beyond the last repeat it; nobody stores their sums.
      Value existing = e.min(e.add(blockRow, r), e.constant(g.rows - 1));
      Value offset = e.add(e.mul(e.toI64(existing), g.rowStride), g.rowOffset);
      rows.push_back(e.at(operands.activations, offset));
      Value chunk = e.xorBits(e.div(unit, 4), swap(r));
      planes.push_back(e.at(
          shared, e.add(e.mul(r, g.kRowBytes),
                        e.add(e.mul(chunk, 16), e.mul(e.rem(unit, 4), 4)))));
    }
  }

  void startWeights() {
    weightsFrom = e.at(e.at(operands.weights,
                            e.mul(e.toI64(panel), g.steps() * g.rightBytes())),
                       e.mul(thread, 16));
    weightsTo = e.at(e.at(shared, g.leftBytes()), e.mul(thread, 16));
  }

  void copyWeights(Value step, Value stage) {
    Value from = e.at(weightsFrom, e.mul(e.toI64(step), g.rightBytes()));
    Value to = e.at(weightsTo, stage);
    for (int64_t at = 0; at < g.rightBytes(); at += 16 * tile.threads())
      e.copyAsync(e.at(to, at), e.at(from, at), 16);
  }

  /// This thread's bytes of a step, four a word: 16 neighbours of either half
  /// of the step. What lies behind the depth is code 0.
  Values fetchRows(Value step) {
    bool always = g.depth % g.kDepth == 0;
    Value first = e.add(e.mul(step, g.kDepth), e.mul(unit, 16));
    Value nothing = e.constant(splat(g.leftBase));
    int64_t count = g.alignment / 4; // words of a load
    auto type = VectorType::get({count}, e.getI32Type());
    Values words;
    for (Value row : rows)
      for (int64_t word = 0; word < kWords; word += count) {
        Value k = e.add(first, word / 4 * 128 + word % 4 * 4);
        Value exists = always ? Value() : e.isLess(k, e.constant(g.depth));
        if (!always)
          k = e.min(k, e.constant(g.depth - g.alignment));
        Value loaded = e.load(type, e.at(row, e.toI64(k)), g.alignment);
        for (int64_t i = 0; i < count; ++i) {
          Value value =
              LLVM::ExtractElementOp::create(e, loaded, e.constant(i));
          words.push_back(exists ? e.select(exists, value, nothing) : value);
        }
      }
    return words;
  }

  static int64_t splat(int64_t byte) {
    return static_cast<int32_t>(static_cast<uint32_t>(byte) * 0x01010101u);
  }

  /// Words of codes share words: each has `fieldBits` of every byte, and the
  /// codes are so small that nothing is carried. Then every plane takes its bit
  /// of each field.
  void placeRows(ValueRange words, Value stage) {
    int64_t field = g.fieldBits(), slots = kWords / field;
    for (Value to : planes) {
      Values packed;
      for (int64_t m = 0; m < field; ++m) {
        uint32_t bases = 0;
        for (int64_t slot = 0; slot < slots; ++slot)
          bases += static_cast<uint32_t>(splat(g.leftBase)) << slot * field;
        Value sum =
            e.sub(words[m * slots], e.constant(static_cast<int32_t>(bases)));
        for (int64_t slot = 1; slot < slots; ++slot)
          sum = e.add(sum, e.shiftLeft(words[m * slots + slot],
                                       e.constant(slot * field)));
        packed.push_back(sum);
      }
      words = words.drop_front(kWords);
      // The lowest bit of each field.
      uint32_t lowest = 0;
      for (int64_t bit = 0; bit < 32; bit += field)
        lowest |= uint32_t(1) << bit;
      for (int64_t plane = 0; plane < g.leftBits; ++plane) {
        Value bits;
        for (int64_t m = 0; m < field; ++m) {
          Value shifted = m < plane
                              ? e.shiftRight(packed[m], plane - m)
                              : e.shiftLeft(packed[m], e.constant(m - plane));
          auto mask = static_cast<int32_t>(lowest << m);
          bits = bits ? e.logic(shifted, mask, bits, kAndOr)
                      : e.andBits(shifted, mask);
        }
        e.store(bits, e.at(e.at(to, stage), plane * tile.rows * g.kRowBytes),
                4);
      }
    }
  }

  /// Adds the products of a stage, those of the highest planes first: what
  /// they count is doubled while the next ones are added, so that a fragment
  /// has no more sums in registers than one product.
  void multiply(Values &sums, Value stage) {
    Value from = e.at(rowFragments, stage);
    SmallVector<Values> left;
    for (int64_t plane = 0; plane < g.leftBits; ++plane)
      left.push_back(
          e.loadMatrices(e.at(from, plane * tile.rows * g.kRowBytes)));
    auto four = VectorType::get({4}, e.getI32Type());
    from = e.at(columnFragments, stage);
    auto addTo = [&](size_t at, ArrayRef<Value> counts) {
      for (int64_t r = 0; r < 4; ++r)
        sums[at + r] = e.add(sums[at + r], counts[r]);
    };
    for (int64_t pair = 0; pair < kFragments / 2; ++pair) {
      SmallVector<Values> right; // of two fragments, by plane
      for (int64_t plane = 0; plane < g.rightBits; ++plane) {
        Value loaded = e.load(
            four, e.at(from, plane * g.kColumns * g.kRowBytes + pair * 512),
            16);
        Values &registers = right.emplace_back();
        for (int64_t i = 0; i < 4; ++i)
          registers.push_back(
              LLVM::ExtractElementOp::create(e, loaded, e.constant(i)));
      }
      for (int64_t j = 0; j < 2; ++j) {
        Values counts(4, e.constant(0));
        for (int64_t exponent = g.leftBits + g.rightBits - 2; exponent >= 0;
             --exponent) {
          for (int64_t plane = 0; plane < g.rightBits; ++plane) {
            int64_t other = exponent - plane;
            if (other >= 0 && other < g.leftBits)
              counts = e.multiplyBits(
                  left[other], ArrayRef<Value>(right[plane]).slice(2 * j, 2),
                  counts);
          }
          twice(counts, exponent);
        }
        addTo(4 * (2 * pair + j), counts);
      }
    }
    if (!g.rightBase)
      return;
    Values ones(2, e.constant(-1)), counts(4, e.constant(0));
    for (int64_t plane = g.leftBits - 1; plane >= 0; --plane) {
      counts = e.multiplyBits(left[plane], ones, counts);
      twice(counts, plane);
    }
    addTo(4 * kFragments, counts);
  }

  /// Twice what the planes from `exponent` on count, if there are lower ones.
  void twice(Values &counts, int64_t exponent) {
    // Seeded fault 207: planes count the same.
    if (exponent > 0 && QDIALECT_MUTATE != 207)
      for (Value &count : counts)
        count = e.shiftLeft(count, e.constant(1));
  }

  void finish(ArrayRef<Value> sums,
              function_ref<void(const MmaSums &)> epilogue) {
    Value zero = e.constant(0);
    MmaOutput output{g.rows, g.columns, blockRow, panel,
                     zero,   warpRow,   zero,     lane};
    Values starts =
        mmaLaneParameters(e, operands.starts, panel, lane, e.getI32Type());
    storeMmaSums(
        e, tile, output,
        [&](int64_t, int64_t j, int64_t r) {
          Value sum =
              e.add(starts[2 * j + r % 2], e.mul(sums[4 * j + r], g.rightStep));
          if (g.rightBase)
            sum = e.add(sum, e.mul(sums[4 * kFragments + r], g.rightBase));
          return sum;
        },
        epilogue);
  }

  WarpEmitter &e;
  const BitMmaGeometry &g;
  MmaTile tile;
  MmaOperands operands;
  Value thread, lane, blockRow, warpRow, panel, shared;
  Value unit;          ///< which word of a row's planes is this thread's
  Values rows, planes; ///< by pass: bytes in memory, words in shared memory
  Value weightsFrom, weightsTo;
  Value rowFragments, columnFragments; ///< this lane's in stage 0
};

} // namespace

void emitBitMmaKernel(WarpEmitter &e, const BitMmaGeometry &geometry,
                      StringRef sharedName, const MmaOperands &operands,
                      function_ref<void(const MmaSums &)> epilogue) {
  BitMmaEmitter(e, geometry, sharedName, operands).emit(epilogue);
}

} // namespace qdialect::gpu
