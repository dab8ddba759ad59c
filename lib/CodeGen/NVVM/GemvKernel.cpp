// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A block: chunks to registers, products, sums of warps added in order.

#include "Gemv.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;

namespace qdialect::gpu {

/// The panel's slices; steps are two.
static int64_t numSlices(const BlockMmaGeometry &g) { return 2 * g.steps(); }

/// Sums of one unit: rows of 64, then the sums of activations by row.
static int64_t planeBytes(const BlockMmaGeometry &g) {
  constexpr int64_t rowBytes = 4 * GemvShape::kColumns;
  return g.rows * rowBytes + (g.hasAddends ? 4 * GemvShape::kMostRows : 0);
}

static int64_t numPlanes(const BlockMmaGeometry &g, const GemvShape &s) {
  // A round stores its sums while those of the one before are added.
  return g.numBlocks() == 1 ? s.warps : 2 * s.roundUnits();
}

int64_t gemvSharedBytes(const BlockMmaGeometry &g, const GemvShape &s) {
  return numPlanes(g, s) * planeBytes(g);
}

/// The shape of the fewest rounds whose warps read `chunk` slices.
static std::optional<GemvShape> shapeOfChunks(const BlockMmaGeometry &g,
                                              int64_t chunk) {
  constexpr int64_t mostWarps = 8, sharedBytes = 48 << 10;
  // A thread for four columns of each row.
  int64_t least = llvm::divideCeil(
      g.rows * GemvShape::kColumns / GemvShape::kThreadColumns, 32);
  int64_t chunks = llvm::divideCeil(numSlices(g), chunk);
  int64_t blockSlices = g.block / g.sliceDepth();
  std::optional<GemvShape> best;
  int64_t fewest = 0;
  for (int64_t warps = mostWarps; warps >= least; --warps) {
    GemvShape shape{warps, chunk, std::gcd(chunk, blockSlices)};
    bool areBlocksWhole =
        g.numBlocks() == 1 ||
        shape.roundUnits() % (blockSlices / shape.unitSlices) == 0;
    int64_t rounds = llvm::divideCeil(chunks, warps);
    // Of as many rounds, those of fewer warps have fewer idle ones.
    if (areBlocksWhole && gemvSharedBytes(g, shape) <= sharedBytes &&
        (!best || rounds <= fewest)) {
      best = shape;
      fewest = rounds;
    }
  }
  return best;
}

std::optional<GemvShape> GemvShape::choose(const BlockMmaGeometry &g) {
  constexpr int64_t chunkBytes = 2048;
  if (g.rows > kMostRows || g.block % g.sliceDepth() != 0)
    return std::nullopt;
  std::optional<GemvShape> shape;
  for (int64_t chunk =
           llvm::bit_floor(static_cast<uint64_t>(chunkBytes / g.sliceBytes()));
       chunk > 0 && !shape; chunk /= 2)
    shape = shapeOfChunks(g, chunk);
  return shape;
}

namespace {

using Values = WarpEmitter::Values;

class GemvEmitter {
public:
  GemvEmitter(WarpEmitter &e, const BlockMmaGeometry &g, const GemvShape &s,
              StringRef sharedName, const BlockMmaOperands &operands)
      : e(e), g(g), s(s), operands(operands), unpacker(e, g),
        isRagged(numSlices(g) % s.roundSlices() != 0),
        isDepthRagged(isRagged || g.depth % g.stepDepth() != 0) {
    thread = e.threadId();
    panel = e.blockId();
    lane = e.rem(thread, 32);
    warp = e.div(thread, 32);
    row = e.div(lane, 4);
    place = e.rem(lane, 4);
    shared = e.shared(sharedName, gemvSharedBytes(g, s));
    Value ofPanel = e.at(operands.codes, e.mul(e.toI64(panel), g.panelBytes()));
    codes = e.at(ofPanel, e.mul(lane, 16));
    topCodes = e.at(e.at(ofPanel, e.mul(lane, 8)), BlockMmaGeometry::kLowBytes);
    // Rows beyond the last repeat it; nobody stores their sums.
    Value existing = e.toI64(e.min(row, e.constant(g.rows - 1)));
    int64_t bytes = g.isInteger() ? 1 : 4;
    left = e.at(e.at(operands.activations, g.rowOffset * bytes),
                e.mul(existing, g.rowStride * bytes));
    startSummation();
  }

  void emit(function_ref<void(const MmaSums &)> epilogue) {
    Values totals = g.numBlocks() == 1 ? sumWhole() : sumBlocks();
    // Those of whole warps that have a row.
    Value ownsRow = e.isLess(thread, e.constant(g.rows * kRowThreads));
    e.ifThen(ownsRow, [&] {
      storeMmaRow(e, GemvShape::kColumns, g.columns,
                  {adderRow, adderColumn, e.constant(0), totals}, epilogue);
    });
  }

private:
  static constexpr int64_t kFragments = MmaTile::kWarpColumns / 8;
  static constexpr int64_t kRowThreads =
      GemvShape::kColumns / GemvShape::kThreadColumns;
  static constexpr int64_t kTwoHalves = 0x3c003c00, kTwoBfloats = 0x3f803f80;

  int64_t rounds() const {
    return llvm::divideCeil(numSlices(g), s.roundSlices());
  }
  int64_t blockSlices() const { return g.block / g.sliceDepth(); }
  int64_t blockUnits() const { return blockSlices() / s.unitSlices; }
  Type sumType() {
    return g.isInteger() ? Type(e.getI32Type()) : Type(e.getF32Type());
  }
  Value zeroOf(Type type) {
    return arith::ConstantOp::create(e, e.getZeroAttr(type));
  }
  Values elements(Value vector) {
    Values result;
    for (int64_t i = 0, n = cast<VectorType>(vector.getType()).getNumElements();
         i < n; ++i)
      result.push_back(
          LLVM::ExtractElementOp::create(e, vector, e.constant(i)));
    return result;
  }
  Value vectorOf(ValueRange values) {
    auto type = VectorType::get({static_cast<int64_t>(values.size())},
                                values[0].getType());
    Value vector = LLVM::UndefOp::create(e, type);
    for (auto [i, value] : llvm::enumerate(values))
      vector = LLVM::InsertElementOp::create(e, vector, value, e.constant(i));
    return vector;
  }

  /// All chunks in registers, then the sums of warps once.
  Values sumWhole() {
    Values sums = forEachRound(startSums(),
                               [&](Value, ValueRange loaded, ValueRange sums) {
                                 Values next(sums);
                                 multiplyUnit(next, loaded, 0, s.chunkSlices);
                                 return next;
                               });
    Value plane = planeOf(warp);
    storeSums(plane, sums);
    e.barrier();
    Type type = operands.scales ? Type(e.getF32Type()) : sumType();
    Values none(GemvShape::kThreadColumns, zeroOf(type));
    return e.choose(
        isAdder,
        [&] { return addBlock(none, e.constant(0), e.constant(0), s.warps); },
        none);
  }

  /// The sums of warps round by round, because blocks are scaled in order.
  Values sumBlocks() {
    Values totals(GemvShape::kThreadColumns, zeroOf(e.getF32Type()));
    int64_t blocks = s.roundUnits() / blockUnits();
    bool areAll = g.numBlocks() % blocks == 0;
    return forEachRound(totals, [&](Value round, ValueRange loaded,
                                    ValueRange totals) {
      Value first = e.mul(e.rem(round, 2), s.roundUnits());
      for (int64_t unit = 0; unit < s.units(); ++unit) {
        Values sums = startSums();
        multiplyUnit(sums, loaded, unit * s.unitSlices, s.unitSlices);
        Value index = e.add(e.mul(warp, s.units()), unit);
        storeSums(planeOf(e.add(first, index)), sums);
      }
      // Seeded fault 210: sums are read before all warps stored theirs.
      if (QDIALECT_MUTATE != 210)
        e.barrier();
      return e.choose(
          isAdder,
          [&] {
            Values next(totals);
            for (int64_t i = 0; i < blocks; ++i) {
              Value block = e.add(e.mul(round, blocks), i);
              Value exists =
                  areAll ? Value() : e.isLess(block, e.constant(g.numBlocks()));
              Value read =
                  areAll ? block : e.min(block, e.constant(g.numBlocks() - 1));
              Values added = addBlock(
                  next, read, e.add(first, i * blockUnits()), blockUnits());
              for (auto [to, from] : llvm::zip_equal(next, added))
                to = exists ? e.select(exists, from, to) : from;
            }
            return next;
          },
          totals);
    });
  }

  /// `body` gets the round, what this warp read for it, and carried values.
  Values
  forEachRound(ValueRange init,
               function_ref<Values(Value, ValueRange, ValueRange)> body) {
    Values loaded = load(e.constant(0));
    size_t numLoaded = loaded.size();
    llvm::append_range(loaded, init);
    Values state =
        e.loop(rounds() - 1, loaded, [&](Value round, ValueRange carried) {
          Values next = load(e.add(round, 1));
          llvm::append_range(next, body(round, carried.take_front(numLoaded),
                                        carried.drop_front(numLoaded)));
          return next;
        });
    ValueRange last(state);
    return body(e.constant(rounds() - 1), last.take_front(numLoaded),
                last.drop_front(numLoaded));
  }

  // What a chunk needs, in the order of `load`: the codes of its slices, then
  // their activations, then the zero points of its units.
  int64_t wordsOfSlice() const { return g.sliceBytes() / 128; }
  int64_t leftOfSlice() const { return g.isInteger() ? 2 : 4; }

  Values load(Value round) {
    Value chunk = e.add(e.mul(round, s.warps), warp);
    Value first = e.mul(chunk, s.chunkSlices);
    Values loaded;
    for (int64_t i = 0; i < s.chunkSlices; ++i)
      llvm::append_range(loaded, loadCodes(e.add(first, i)));
    for (int64_t i = 0; i < s.chunkSlices; ++i)
      llvm::append_range(loaded, loadLeft(e.add(first, i)));
    for (int64_t unit = 0; operands.zeros && unit < s.units(); ++unit) {
      Value block = e.div(e.add(first, unit * s.unitSlices), blockSlices());
      if (isDepthRagged)
        block = e.min(block, e.constant(g.numBlocks() - 1));
      Value number =
          e.mul(e.add(e.mul(e.toI64(panel), g.numBlocks()), e.toI64(block)),
                GemvShape::kColumns);
      llvm::append_range(loaded,
                         unpacker.loadZeros(e.at(e.at(operands.zeros, number),
                                                 e.mul(row, kFragments))));
    }
    return loaded;
  }

  Values loadCodes(Value slice) {
    auto read = [&] {
      Value offset = e.mul(e.toI64(slice), g.sliceBytes());
      Value from = e.at(codes, offset);
      Values words;
      int64_t at = 0;
      for (; at + 512 <= g.sliceBytes(); at += 512)
        llvm::append_range(words,
                           elements(e.load(VectorType::get({4}, e.getI32Type()),
                                           e.at(from, at), 16)));
      if (at < g.sliceBytes())
        llvm::append_range(words,
                           elements(e.load(VectorType::get({2}, e.getI32Type()),
                                           e.at(topCodes, offset), 8)));
      return words;
    };
    if (!isRagged)
      return read();
    return e.choose(e.isLess(slice, e.constant(numSlices(g))), read,
                    Values(wordsOfSlice(), e.constant(0)));
  }

  /// Of the lane's row: two words of codes, or two pairs of f32, half a slice
  /// apart. Those beyond the depth are zeros.
  Values loadLeft(Value slice) {
    Value first = e.mul(slice, g.sliceDepth());
    Values result;
    for (int64_t part = 0; part < 2; ++part) {
      Value k = e.add(e.add(first, part * g.sliceDepth() / 2),
                      e.mul(place, leftRun()));
      if (g.isInteger())
        result.push_back(loadWord(k));
      else
        llvm::append_range(result, loadPair(k));
    }
    return result;
  }

  /// Neighbours that a lane reads at once.
  int64_t leftRun() const { return g.isInteger() ? 4 : 2; }
  bool areRunsAligned() const {
    return g.alignment % (g.isInteger() ? 4 : 8) == 0 &&
           g.depth % leftRun() == 0 && g.rowOffset % leftRun() == 0 &&
           g.rowStride % leftRun() == 0;
  }
  /// `count` neighbours from `k` on, or the row's last ones.
  Value loadLeftAt(Type type, Value k, int64_t count) {
    int64_t bytes = g.isInteger() ? 1 : 4;
    Value read = isDepthRagged ? e.min(k, e.constant(g.depth - count)) : k;
    return e.load(type, e.at(left, e.mul(e.toI64(read), bytes)), bytes * count);
  }

  Value loadWord(Value k) {
    Value word;
    if (areRunsAligned()) {
      word = loadLeftAt(e.getI32Type(), k, 4);
    } else {
      Values bytes;
      for (int64_t i = 0; i < 4; ++i)
        bytes.push_back(loadLeftAt(e.getI8Type(), e.add(k, i), 1));
      word = e.bits(e.getI32Type(), vectorOf(bytes));
    }
    if (!isDepthRagged)
      return word;
    // A mask of the bytes that exist, because predicates are few.
    Value missing = e.add(e.sub(k, e.constant(g.depth)), 4);
    missing = e.min(e.max(missing, e.constant(0)), e.constant(4));
    Value mask = e.shiftRight(e.constantOf(e.getI64Type(), 0xffffffff),
                              e.toI64(e.mul(missing, 8)));
    mask = arith::TruncIOp::create(e, e.getI32Type(), mask);
    return arith::AndIOp::create(e, word, mask);
  }

  Values loadPair(Value k) {
    Type f32 = e.getF32Type();
    Values pair;
    if (areRunsAligned())
      pair = elements(loadLeftAt(VectorType::get({2}, f32), k, 2));
    else
      pair = {loadLeftAt(f32, k, 1), loadLeftAt(f32, e.add(k, 1), 1)};
    if (isDepthRagged)
      for (auto [i, value] : llvm::enumerate(pair)) {
        Value exists =
            e.isLess(e.add(k, static_cast<int64_t>(i)), e.constant(g.depth));
        value = e.select(exists, value, zeroOf(f32));
      }
    return pair;
  }

  /// Of the fragments of columns; behind them those of activations alone.
  Values startSums() {
    return Values(4 * (kFragments + (g.hasAddends ? 1 : 0)), zeroOf(sumType()));
  }

  /// Adds the products of some of the chunk's slices, of one unit.
  void multiplyUnit(Values &sums, ValueRange loaded, int64_t first,
                    int64_t count) {
    int64_t leftAt = s.chunkSlices * wordsOfSlice();
    int64_t zerosAt = leftAt + s.chunkSlices * leftOfSlice();
    Values zeros;
    if (operands.zeros) {
      int64_t perUnit = kFragments / 4;
      Values bytes(
          loaded.slice(zerosAt + first / s.unitSlices * perUnit, perUnit));
      zeros = unpacker.zeros(bytes);
    } else {
      zeros = unpacker.zeros({});
    }
    for (int64_t i = first; i < first + count; ++i) {
      Values words(loaded.slice(i * wordsOfSlice(), wordsOfSlice()));
      Values columns = unpacker.unpack(words, zeros);
      Values rows(loaded.slice(leftAt + i * leftOfSlice(), leftOfSlice()));
      multiplySlice(sums, rows, columns);
    }
  }

  void multiplySlice(Values &sums, ArrayRef<Value> rows,
                     ArrayRef<Value> columns) {
    Value none = e.constant(0); // the lower half of the rows
    auto addTo = [&](size_t at, ArrayRef<Value> a, ArrayRef<Value> b) {
      ArrayRef<Value> c = ArrayRef<Value>(sums).slice(at, 4);
      Values product = g.isInteger() ? e.multiply(a, b, c, /*isUnsignedA=*/true,
                                                  /*isUnsignedB=*/false)
                                     : e.multiplyFloats(a, b, c, g.isHalf());
      llvm::copy(product, sums.begin() + at);
    };
    auto multiplyBy = [&](Value low, Value high) {
      Value a[4] = {low, none, high, none};
      for (int64_t j = 0; j < kFragments; ++j)
        addTo(4 * j, a, columns.slice(2 * j, 2));
      if (!g.hasAddends)
        return;
      Value one = e.constant(g.isHalf() ? kTwoHalves : kTwoBfloats);
      addTo(4 * kFragments, a, {one, one});
    };
    if (g.isInteger())
      return multiplyBy(rows[0], rows[1]);
    Values low(rows.take_front(2)), high(rows.drop_front(2)), parts;
    for (int64_t part = 0; part < g.parts(); ++part) {
      parts.push_back(takeOperandPart(e, g, low.data(), part));
      parts.push_back(takeOperandPart(e, g, high.data(), part));
    }
    // The smallest parts first.
    for (int64_t part = g.parts(); part-- > 0;)
      multiplyBy(parts[2 * part], parts[2 * part + 1]);
  }

  Value planeOf(Value index) {
    return e.at(shared, e.mul(index, planeBytes(g)));
  }

  /// Where columns 4 * `chunk` of a quarter of a row lie: 8 lanes that store or
  /// read at once meet all banks.
  Value sumOffset(Value row, Value quarter, Value chunk) {
    Value swizzle = e.add(e.div(quarter, 2), e.mul(e.rem(row, 2), 2));
    Value swizzled = e.add(e.mul(quarter, 4), e.xorBits(chunk, swizzle));
    return e.add(e.mul(row, 4 * GemvShape::kColumns), e.mul(swizzled, 16));
  }

  void storeSums(Value plane, ArrayRef<Value> sums) {
    auto store = [&] {
      for (int64_t chunk = 0; chunk < 4; ++chunk) {
        ArrayRef<Value> pair = sums.slice(8 * chunk, 8);
        e.store(vectorOf({pair[0], pair[1], pair[4], pair[5]}),
                e.at(plane, sumOffset(row, place, e.constant(chunk))), 16);
      }
      if (!g.hasAddends)
        return;
      Value isFirst = e.isLess(place, e.constant(1));
      e.ifThen(isFirst, [&] {
        Value at = e.add(e.mul(row, 4), g.rows * 4 * GemvShape::kColumns);
        e.store(sums[4 * kFragments], e.at(plane, at), 4);
      });
    };
    if (g.rows == GemvShape::kMostRows)
      store();
    else
      e.ifThen(e.isLess(row, e.constant(g.rows)), store);
  }

  /// Threads that add the sums of four columns of a row: whole warps, because
  /// tensor cores want all of a warp behind them.
  void startSummation() {
    isAdder =
        e.isLess(thread, e.constant(llvm::alignTo(g.rows * kRowThreads, 32)));
    adderRow = e.min(e.div(thread, kRowThreads), e.constant(g.rows - 1));
    Value inRow = e.rem(thread, kRowThreads);
    Value quarter = e.div(inRow, 4), chunk = e.rem(inRow, 4);
    adderColumn = e.add(e.mul(panel, GemvShape::kColumns),
                        e.mul(inRow, GemvShape::kThreadColumns));
    adderSums = e.at(shared, sumOffset(adderRow, quarter, chunk));
    // The order of BlockMmaGeometry::sumPlace, or that of columns.
    adderPlace = operands.scales ? e.add(e.mul(chunk, 4), quarter) : inRow;
    adderPlace = e.mul(adderPlace, 16);
  }

  /// What belongs to the thread's columns in a block.
  Values parameters(Value image, Value block, Type type) {
    Value number = e.add(e.mul(e.toI64(panel), g.numBlocks()), e.toI64(block));
    Value from =
        e.at(e.at(image, e.mul(number, 4 * GemvShape::kColumns)), adderPlace);
    return elements(e.load(VectorType::get({4}, type), from, 16));
  }

  /// totals = fma(sum of `units` planes from `first` on, scale, totals).
  Values addBlock(ArrayRef<Value> totals, Value block, Value first,
                  int64_t units) {
    Type f32 = e.getF32Type();
    Value planes = e.at(adderSums, e.mul(first, planeBytes(g)));
    auto sumOf = [&](function_ref<Values(int64_t)> ofUnit) {
      Values sums;
      // Seeded fault 211: the last of several warps is forgotten.
      int64_t last = QDIALECT_MUTATE == 211 && units > 1 ? units - 1 : units;
      for (int64_t unit = 0; unit < last; ++unit) {
        Values next = ofUnit(unit);
        if (sums.empty())
          sums = next;
        else
          for (auto [sum, value] : llvm::zip_equal(sums, next))
            sum = g.isInteger()
                      ? e.add(sum, value)
                      : arith::AddFOp::create(e, sum, value).getResult();
      }
      return sums;
    };
    auto four = VectorType::get({4}, sumType());
    Values sums = sumOf([&](int64_t unit) {
      return elements(e.load(four, e.at(planes, unit * planeBytes(g)), 16));
    });
    if (operands.starts)
      for (auto [sum, start] : llvm::zip_equal(
               sums, parameters(operands.starts, block, e.getI32Type())))
        sum = e.add(sum, start);
    if (!operands.scales)
      return sums;
    Values scales = parameters(operands.scales, block, f32);
    if (operands.leftScales) {
      int64_t perRow = g.leftScaleByBlock ? g.numBlocks() : 1;
      Value number = e.mul(e.toI64(adderRow), perRow);
      if (g.leftScaleByBlock)
        number = e.add(number, e.toI64(block));
      Value ofRow = e.load(f32, e.at(operands.leftScales, e.mul(number, 4)), 4);
      for (Value &scale : scales)
        scale = arith::MulFOp::create(e, ofRow, scale);
    }
    Values result;
    for (auto [sum, scale, total] : llvm::zip_equal(sums, scales, totals)) {
      Value real = sum;
      if (g.isTimes16())
        real = e.createOrFold<arith::ShRSIOp>(real, e.constant(4));
      if (g.isInteger())
        real = arith::SIToFPOp::create(e, f32, real);
      result.push_back(LLVM::FMAOp::create(e, f32, real, scale, total));
    }
    if (!g.hasAddends)
      return result;
    Value ofRows =
        e.at(e.at(shared, e.mul(first, planeBytes(g))),
             e.add(e.mul(adderRow, 4), g.rows * 4 * GemvShape::kColumns));
    Value ofRow = sumOf([&](int64_t unit) {
      return Values{e.load(f32, e.at(ofRows, unit * planeBytes(g)), 4)};
    })[0];
    for (auto [total, addend] :
         llvm::zip_equal(result, parameters(operands.addends, block, f32)))
      total = LLVM::FMAOp::create(e, f32, ofRow, addend, total);
    return result;
  }

  WarpEmitter &e;
  const BlockMmaGeometry &g;
  const GemvShape &s;
  BlockMmaOperands operands;
  BlockUnpacker unpacker;
  /// Do warps have chunks without slices, or slices without depth?
  bool isRagged, isDepthRagged;
  Value thread, panel, lane, warp;
  Value row, place; ///< of the lane in fragments
  Value shared;
  Value codes, topCodes, left; ///< of the panel and the lane
  Value isAdder, adderRow, adderColumn, adderSums, adderPlace;
};

} // namespace

void emitGemvKernel(WarpEmitter &e, const BlockMmaGeometry &geometry,
                    const GemvShape &shape, StringRef sharedName,
                    const BlockMmaOperands &operands,
                    function_ref<void(const MmaSums &)> epilogue) {
  GemvEmitter(e, geometry, shape, sharedName, operands).emit(epilogue);
}

} // namespace qdialect::gpu
