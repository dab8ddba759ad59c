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

/// Where a block stands.
struct MmaPlace {
  Value thread;
  Value blockRow; ///< its first row
  Value group;
};

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
    startCopies();
  }

  void emit(function_ref<void(const MmaSums &)> epilogue) {
    Values left = leftCopy->start();
    Values right = rightCopy ? rightCopy->start() : Values{startWeights()};
    // Of a symbolic number of steps there are at least as many, of zeros.
    bool isCounted = !SymbolicSizes::isSymbolic(g.steps());
    int64_t ahead = tile.stages - 1;
    if (isCounted)
      ahead = std::min(ahead, g.steps());
    auto issue = [&](Value stage) {
      left = leftCopy->issue(left, stage);
      right = rightCopy ? rightCopy->issue(right, stage)
                        : Values{copyWeights(right[0], stage)};
      e.commitCopies();
    };
    for (int64_t step = 0; step < ahead; ++step)
      issue(stageOf(step));
    arrive(ahead - 1);
    Values sums = startSums();
    Values fragments = loadFragments(stageOf(0), 0);

    // While all stages are in use: state is sums, fragments, copies, the
    // stage that is read and the one that is free.
    Value stage = stageOf(0);
    if (!isCounted || g.steps() > ahead) {
      Value steady = e.add(e.constant(g.steps()), -ahead);
      Values state = sums;
      llvm::append_range(state, fragments);
      llvm::append_range(state, left);
      llvm::append_range(state, right);
      llvm::append_range(state, ArrayRef<Value>{stage, stageOf(ahead)});
      state = e.loop(steady, state, [&](Value, ValueRange carried) {
        auto take = [&](size_t count) {
          Values taken(carried.take_front(count));
          carried = carried.drop_front(count);
          return taken;
        };
        Values sums = take(numSums()), first = take(fragments.size());
        left = take(left.size());
        right = take(right.size());
        Value current = carried[0], free = carried[1];
        Values second = loadFragments(current, 1);
        issue(free);
        multiply(sums, first);
        arrive(tile.stages - 2);
        Value next = nextStage(current);
        first = loadFragments(next, 0);
        multiply(sums, second);
        Values result = sums;
        llvm::append_range(result, first);
        llvm::append_range(result, left);
        llvm::append_range(result, right);
        llvm::append_range(result, ArrayRef<Value>{next, current});
        return result;
      });
      sums.assign(state.begin(), state.begin() + numSums());
      fragments.assign(state.begin() + numSums(),
                       state.begin() + numSums() + fragments.size());
      stage = isCounted ? stageOf(g.steps() - ahead) : state.end()[-2];
    }
    for (int64_t left = ahead; left-- > 0;) {
      Values second = loadFragments(stage, 1);
      multiply(sums, fragments);
      if (left > 0) {
        arrive(left - 1);
        stage = nextStage(stage);
        fragments = loadFragments(stage, 0);
      }
      multiply(sums, second);
    }
    finish(sums, epilogue);
  }

private:
  static constexpr int64_t kFragmentColumns = MmaTile::kWarpColumns / 8;
  /// Fragments of rows are neighbours, those of columns 16 apart in pairs.
  static constexpr int64_t kLeftSwizzle = 1, kRightSwizzle = 4;
  int64_t fragmentRows() const { return tile.warpRows / 16; }
  /// Sums lie by fragment of rows, then of columns, then register; behind them
  /// those of the rows and of the columns alone, where they are wanted.
  size_t numProducts() const { return 4 * fragmentRows() * kFragmentColumns; }
  size_t numRowSums() const { return g.rightZero ? 4 * fragmentRows() : 0; }
  size_t numColumnSums() const { return g.leftZero ? 4 * kFragmentColumns : 0; }
  size_t numSums() const {
    return numProducts() + numRowSums() + numColumnSums();
  }

  Value stageOf(int64_t step) {
    return e.constantOf(e.getI64Type(), step % tile.stages * tile.stageBytes());
  }

  Value nextStage(Value stage) {
    Value next = e.add(stage, tile.stageBytes());
    Value end = e.constantOf(e.getI64Type(), tile.sharedBytes());
    return e.select(e.isLess(next, end), next, stageOf(0));
  }

  /// Until this block's copies but the last `groups` are there.
  void arrive(int64_t groups) {
    // Seeded fault 194: one group too many is on its way.
    e.waitCopies(QDIALECT_MUTATE == 194 ? groups + 1 : groups);
    // Seeded fault 195: the copies of other threads are not waited for.
    if (QDIALECT_MUTATE != 195)
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
    Value offset;
    for (int64_t half = 0; half < 2; ++half)
      rowFragments[half] =
          e.at(shared, mmaRowFragment(e, warpRow, lane, half, kLeftSwizzle));
    rightShared = e.at(shared, tile.rowBytes());
    weightsShared = e.at(rightShared, e.mul(place.thread, 16));
    Value ofPanel = e.mul(panel, MmaTile::kDepth * MmaTile::kWarpColumns);
    columnFragments[0] = e.at(rightShared, e.add(ofPanel, e.mul(lane, 16)));
    columnFragments[1] = e.at(columnFragments[0], 2048);
    if (!g.right)
      return;
    // Matrices: two chunks of a fragment's columns, then of the next one's.
    Value matrix = e.div(lane, 8), n = e.rem(lane, 8);
    Value column = e.add(e.add(e.mul(e.div(n, 2), MmaTile::kLaneColumns),
                               e.mul(e.div(matrix, 2), 2)),
                         e.rem(n, 2));
    offset = e.add(ofPanel, e.mul(column, MmaTile::kDepth));
    for (int64_t half = 0; half < 2; ++half) {
      Value swizzled =
          e.xorBits(e.add(e.rem(matrix, 2), 2 * half), e.div(n, 2));
      columnFragments[half] =
          e.at(rightShared, e.add(offset, e.mul(swizzled, 16)));
    }
  }

  /// Where the block's group starts on a side, from its first one.
  Value groupOffset(int64_t MmaProblem::*side) {
    if (g.problems.empty())
      return e.mul(place.group, g.groupStep);
    Value offset = e.constant(0), rest = place.group;
    for (const MmaProblem &problem : llvm::reverse(g.problems)) {
      offset = e.add(offset, e.mul(e.rem(rest, problem.size), problem.*side));
      rest = e.div(rest, problem.size);
    }
    return offset;
  }

  void startCopies() {
    Value offset = groupOffset(&MmaProblem::left);
    MmaShare share;
    share.rows = e.at(operands.activations, offset);
    if (operands.padding)
      share.padding = e.at(operands.padding, offset);
    share.firstRow = place.blockRow;
    share.numRows = tile.rows;
    share.threads = tile.threads();
    share.thread = place.thread;
    share.shared = shared;
    share.swizzle = kLeftSwizzle;
    leftCopy.emplace(e, g, share);
    if (!g.right)
      return;
    share.rows = e.at(operands.weights, groupOffset(&MmaProblem::right));
    share.padding = {};
    share.firstRow = e.mul(columnBlock, tile.columns);
    share.numRows = tile.columns;
    share.shared = rightShared;
    share.swizzle = kRightSwizzle;
    rightCopy.emplace(e, *g.right, share);
  }

  /// Those of half a step: four registers for 16 rows, then two for 8 columns.
  Values loadFragments(Value stage, int64_t half) {
    Values fragments;
    Value rows = e.at(rowFragments[half], stage);
    for (int64_t i = 0; i < fragmentRows(); ++i)
      llvm::append_range(fragments,
                         e.loadMatrices(e.at(rows, i * 16 * MmaTile::kDepth)));
    Value columns = e.at(columnFragments[half], stage);
    auto four = VectorType::get({4}, e.getI32Type());
    for (int64_t pair = 0; pair < kFragmentColumns / 2; ++pair) {
      if (g.right) {
        // Two fragments on, columns are 4 on.
        llvm::append_range(
            fragments,
            e.loadMatrices(e.at(columns, pair * 4 * MmaTile::kDepth)));
        continue;
      }
      Value loaded = e.load(four, e.at(columns, pair * 512), 16);
      for (int64_t i = 0; i < 4; ++i)
        fragments.push_back(
            LLVM::ExtractElementOp::create(e, loaded, e.constant(i)));
    }
    return fragments;
  }

  void multiply(Values &sums, ArrayRef<Value> fragments) {
    if (g.minifloats)
      return multiplyMinifloats(sums, fragments);
    ArrayRef<Value> columns = fragments.drop_front(4 * fragmentRows());
    Values ones(4, e.constant(0x01010101));
    auto addTo = [&](size_t at, ArrayRef<Value> a, ArrayRef<Value> b) {
      Values product = e.multiply(a, b, ArrayRef<Value>(sums).slice(at, 4),
                                  g.isUnsigned, g.right.has_value());
      llvm::copy(product, sums.begin() + at);
    };
    for (size_t at = 0; at < numRowSums(); at += 4)
      addTo(numProducts() + at, fragments.slice(at, 4),
            ArrayRef<Value>(ones).take_front(2));
    for (size_t at = 0; at < numColumnSums(); at += 4)
      addTo(numProducts() + numRowSums() + at, ones, columns.slice(at / 2, 2));
    // Seeded fault 196: fragments of neighbouring columns are swapped.
    int64_t swapped = QDIALECT_MUTATE == 196 ? 1 : 0;
    for (int64_t i = 0; i < fragmentRows(); ++i)
      for (int64_t j = 0; j < kFragmentColumns; ++j)
        addTo(4 * (i * kFragmentColumns + j), fragments.slice(4 * i, 4),
              columns.slice(2 * (j ^ swapped), 2));
  }

  void multiplyMinifloats(Values &sums, ArrayRef<Value> fragments) {
    ArrayRef<Value> rows = fragments.take_front(4 * fragmentRows()),
                    columns = fragments.drop_front(4 * fragmentRows());
    const MmaMinifloats &formats = *g.minifloats;
    auto forEach = [&](function_ref<Values(int64_t, int64_t, ValueRange)> add) {
      for (int64_t j = 0; j < kFragmentColumns; ++j)
        for (int64_t i = 0; i < fragmentRows(); ++i) {
          size_t at = 4 * (i * kFragmentColumns + j);
          Values product = add(i, j, ArrayRef<Value>(sums).slice(at, 4));
          llvm::copy(product, sums.begin() + at);
        }
    };
    if (formats.isNative)
      return forEach([&](int64_t i, int64_t j, ValueRange c) {
        return e.multiplyMinifloats(
            rows.slice(4 * i, 4), columns.slice(2 * j, 2), c,
            nameOf(formats.left), nameOf(formats.right));
      });
    // A product over 32 bytes is two over 16 halves: those of the first and of
    // the last 16, in which every lane has its four bytes as they lie.
    auto expand = [&](ArrayRef<Value> registers, const Format &format,
                      bool special) {
      Values halves;
      for (Value codes : registers)
        llvm::append_range(halves, expandMinifloats(e, format, codes, special));
      return halves;
    };
    Values left = expand(rows, formats.left, /*special=*/true);
    Values right; // of one fragment of columns
    forEach([&](int64_t i, int64_t j, ValueRange c) {
      if (i == 0)
        right = expand(columns.slice(2 * j, 2), formats.right,
                       /*special=*/false);
      Values sum(c);
      for (int64_t half = 0; half < 2; ++half) {
        // Registers: the upper rows' neighbours, the lower rows' neighbours.
        ArrayRef<Value> a = ArrayRef<Value>(left).slice(8 * i + 4 * half, 4);
        sum = e.multiplyFloats({a[0], a[2], a[1], a[3]},
                               ArrayRef<Value>(right).slice(2 * half, 2), sum,
                               /*isHalf=*/true);
      }
      return sum;
    });
  }

  static StringRef nameOf(const Format &format) {
    return format.mantissaBits() == 2 ? "e5m2" : "e4m3";
  }

  Values startSums() {
    if (g.minifloats)
      return Values(numSums(),
                    arith::ConstantOp::create(e, e.getF32FloatAttr(0)));
    Values ofColumn(MmaTile::kLaneColumns, startOfAll());
    if (operands.starts)
      ofColumn = parameters(operands.starts, e.getI32Type());
    Values sums;
    for (int64_t i = 0; i < fragmentRows(); ++i)
      for (int64_t j = 0; j < kFragmentColumns; ++j)
        for (int64_t r = 0; r < 4; ++r)
          sums.push_back(ofColumn[2 * j + r % 2]);
    sums.resize(numSums(), e.constant(0));
    return sums;
  }

  /// The numbers of 32 bits of this lane's columns.
  Values parameters(Value image, Type type) {
    return mmaLaneParameters(e, image, e.add(firstPanel(), panel), lane, type);
  }

  /// What does not depend on the codes, wrapped.
  Value startOfAll() {
    Value ofZeros = e.mul(e.constant(g.run), g.leftZero * g.rightZero);
    return e.add(ofZeros, static_cast<int32_t>(g.init));
  }

  /// Sum r of fragments i and j without what is subtracted from the codes.
  Value corrected(ArrayRef<Value> sums, int64_t i, int64_t j, int64_t r) {
    Value sum = sums[4 * (i * kFragmentColumns + j) + r];
    sums = sums.drop_front(numProducts());
    if (numRowSums())
      sum = e.sub(sum, e.mul(sums[4 * i + r], g.rightZero));
    sums = sums.drop_front(numRowSums());
    if (numColumnSums())
      sum = e.sub(sum, e.mul(sums[4 * j + r], g.leftZero));
    return sum;
  }

  /// With what halves are too small.
  Values scalesOfSums() {
    Values scales = parameters(operands.scales, e.getF32Type());
    const MmaMinifloats &formats = *g.minifloats;
    if (formats.isNative)
      return scales;
    int64_t exponent =
        minifloatExponent(formats.left) + minifloatExponent(formats.right);
    Value power = arith::ConstantOp::create(
        e, e.getF32FloatAttr(static_cast<float>(int64_t(1) << exponent)));
    for (Value &scale : scales)
      scale = arith::MulFOp::create(e, scale, power);
    return scales;
  }

  void finish(ArrayRef<Value> sums,
              function_ref<void(const MmaSums &)> epilogue) {
    MmaOutput output{g.rows(),    g.columns, place.blockRow, columnBlock,
                     place.group, warpRow,   panel,          lane};
    Values scales = g.minifloats ? scalesOfSums() : Values();
    storeMmaSums(
        e, tile, output,
        [&](int64_t i, int64_t j, int64_t r) -> Value {
          if (scales.empty())
            return corrected(sums, i, j, r);
          return arith::MulFOp::create(e,
                                       sums[4 * (i * kFragmentColumns + j) + r],
                                       scales[2 * j + r % 2]);
        },
        epilogue);
  }

  WarpEmitter &e;
  const MmaGeometry &g;
  const MmaTile &tile;
  MmaOperands operands;
  MmaPlace place;
  Value columnBlock, lane;
  Value warpRow, panel; ///< where the warp's share starts in the block's
  Value shared, rightShared, weightsShared;
  /// This lane's in stage 0, by half step.
  Value rowFragments[2], columnFragments[2];
  std::optional<MmaRowCopy> leftCopy, rightCopy;
};

} // namespace

void emitMmaKernel(WarpEmitter &e, const MmaGeometry &geometry,
                   const MmaTile &tile, StringRef sharedName,
                   const MmaOperands &operands,
                   function_ref<void(const MmaSums &)> epilogue) {
  MmaEmitter(e, geometry, tile, sharedName, operands).emit(epilogue);
}

} // namespace qdialect::gpu
