// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pipeline of a block: copies, unpacking, products, scaling.

#include "BlockMma.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::gpu {
namespace {

using Values = WarpEmitter::Values;

class BlockMmaEmitter {
public:
  BlockMmaEmitter(WarpEmitter &e, const BlockMmaGeometry &g,
                  const MmaTile &tile, StringRef sharedName,
                  const BlockMmaOperands &operands)
      : e(e), g(g), tile(tile), operands(operands), unpacker(e, g),
        ahead(tile.stages - 1) {
    Value thread = e.threadId(), block = e.blockId();
    blockRow = e.mul(e.rem(block, g.rowBlocks(tile)), tile.rows);
    columnBlock = e.div(block, g.rowBlocks(tile));
    lane = e.rem(thread, 32);
    Value warp = e.div(thread, 32);
    warpRow = e.mul(e.rem(warp, tile.rowWarps()), tile.warpRows);
    panel = e.div(warp, tile.rowWarps());
    shared = e.shared(sharedName, tile.stages * g.stageBytes(tile));
    startCopies(thread);
    startParameters();
  }

  void emit(function_ref<void(const MmaSums &)> epilogue) {
    State state{startLeft(), startWeights(), e.constant(0), stageAt(0),
                stageAt(ahead)};
    for (int64_t step = 0; step < ahead; ++step) {
      if (step < g.steps()) {
        Values read = fetch(state, stageAt(step));
        place(read, stageAt(step));
      }
      e.commitCopies();
    }
    Values totals(numTotals(), zeroOf(e.getF32Type()));
    int64_t unit = std::max(g.block, g.stepDepth());
    int64_t units = g.depth / unit, rest = g.depth % unit;
    auto blocksOf = [&](int64_t depth) {
      return (depth + g.block - 1) / g.block;
    };
    auto stepsOf = [&](int64_t depth) {
      return (depth + g.stepDepth() - 1) / g.stepDepth();
    };
    if (units > 0) {
      Values carried = totals;
      state.appendTo(carried);
      carried = e.loop(units, carried, [&](Value index, ValueRange values) {
        Values sums(values.take_front(numTotals()));
        State inner = State::of(values.drop_front(numTotals()), state);
        addUnit(sums, inner, e.mul(index, blocksOf(unit)), blocksOf(unit),
                stepsOf(unit));
        inner.appendTo(sums);
        return sums;
      });
      totals.assign(carried.begin(), carried.begin() + numTotals());
      state = State::of(ValueRange(carried).drop_front(numTotals()), state);
    }
    if (rest > 0)
      addUnit(totals, state, e.constant(units * blocksOf(unit)), blocksOf(rest),
              stepsOf(rest));
    MmaOutput output{g.rows,        g.columns, blockRow, columnBlock,
                     e.constant(0), warpRow,   panel,    lane};
    storeMmaSums(
        e, tile, output,
        [&](int64_t i, int64_t j, int64_t r) {
          return totals[4 * (i * kFragments + j) + r];
        },
        epilogue);
  }

private:
  static constexpr int64_t kFragments = MmaTile::kWarpColumns / 8;
  static constexpr int64_t kSwizzle = 1;
  static constexpr int64_t kTwoHalves = 0x3c003c00, kTwoBfloats = 0x3f803f80;

  /// What changes from step to step.
  struct State {
    Values left;   ///< of the copy of activations
    Value weights; ///< of the next step to copy
    Value step;    ///< i32, that is multiplied next
    Value stage, free;

    void appendTo(Values &values) const {
      llvm::append_range(values, left);
      llvm::append_range(values, ArrayRef<Value>{weights, step, stage, free});
    }
    static State of(ValueRange values, const State &like) {
      size_t n = like.left.size();
      return {Values(values.take_front(n)), values[n], values[n + 1],
              values[n + 2], values[n + 3]};
    }
  };

  int64_t fragmentRows() const { return tile.warpRows / 16; }
  size_t numTotals() const { return 4 * fragmentRows() * kFragments; }
  /// Behind the sums of products those of activations alone, where they count.
  size_t numSums() const {
    return numTotals() + (g.hasAddends ? 4 * fragmentRows() : 0);
  }
  Value zeroOf(Type type) {
    return arith::ConstantOp::create(e, e.getZeroAttr(type));
  }
  Type sumType() {
    return g.isInteger() ? Type(e.getI32Type()) : Type(e.getF32Type());
  }
  Value stageAt(int64_t stage) {
    return e.constantOf(e.getI64Type(), stage * g.stageBytes(tile));
  }

  void startCopies(Value thread) {
    MmaShare share;
    share.rows = operands.activations;
    share.firstRow = blockRow;
    share.numRows = tile.rows;
    share.threads = tile.threads();
    share.thread = thread;
    share.shared = shared;
    share.swizzle = kSwizzle;
    if (g.isInteger()) {
      rows.run = g.depth;
      rows.alignment = g.alignment;
      rows.window.inputOffset = g.rowOffset;
      rows.window.pixels.push_back({g.rows, g.rowStride, -1});
      codeCopy.emplace(e, rows, share);
    } else {
      floatCopy.emplace(e, g, share, tile.rowBytes());
    }
    Value chunk = e.mul(thread, chunkBytes());
    weightsShared = e.at(shared, g.parts() * tile.rowBytes());
    weightsTo = e.at(weightsShared, chunk);
    auto inPanels = [&](Value byte) {
      return e.toI64(e.add(e.mul(e.div(byte, g.stepBytes()), g.panelBytes()),
                           e.rem(byte, g.stepBytes())));
    };
    Value first = inPanels(chunk);
    weightsFrom =
        e.at(e.at(operands.codes, e.mul(e.toI64(firstPanel()), g.panelBytes())),
             first);
    for (int64_t at = 0; at < weightBytes(); at += passBytes())
      weightOffsets.push_back(arePassesAligned()
                                  ? inPanels(e.constant(at))
                                  : e.sub(inPanels(e.add(chunk, at)), first));
    Value panelShared = e.at(weightsShared, e.mul(panel, g.stepBytes()));
    weightFragments = e.at(panelShared, e.mul(lane, 16));
    topFragments =
        e.at(e.at(panelShared, e.mul(lane, 8)), BlockMmaGeometry::kLowBytes);
    for (int64_t half = 0; half < 2; ++half)
      rowFragments[half] =
          e.at(shared, mmaRowFragment(e, warpRow, lane, half, kSwizzle));
  }

  /// Of a step's weights all threads copy as many chunks.
  int64_t weightBytes() const { return tile.columnWarps() * g.stepBytes(); }
  int64_t chunkBytes() const {
    return weightBytes() % (16 * tile.threads()) == 0 ? 16 : 8;
  }
  int64_t passBytes() const { return chunkBytes() * tile.threads(); }
  /// Does a thread copy the same place of all panels?
  bool arePassesAligned() const {
    return g.stepBytes() % passBytes() == 0 || passBytes() % g.stepBytes() == 0;
  }

  /// The panel at which the block's columns start.
  Value firstPanel() { return e.mul(columnBlock, tile.columnWarps()); }

  void startParameters() {
    Value numbers = e.mul(e.toI64(e.add(firstPanel(), panel)),
                          g.numBlocks() * MmaTile::kWarpColumns);
    Value ofSums = e.add(e.mul(numbers, 4), e.toI64(e.mul(e.rem(lane, 4), 16)));
    scales = e.at(operands.scales, ofSums);
    if (operands.addends)
      addends = e.at(operands.addends, ofSums);
    if (operands.starts)
      starts = e.at(operands.starts, ofSums);
    if (operands.zeros)
      zeros = e.at(operands.zeros,
                   e.add(numbers, e.toI64(e.mul(e.div(lane, 4), 8))));
    if (!operands.leftScales)
      return;
    for (int64_t i = 0; i < 2 * fragmentRows(); ++i) {
      Value row = e.add(e.add(blockRow, warpRow), e.add(e.div(lane, 4), 8 * i));
      row = e.toI64(e.min(row, e.constant(g.rows - 1)));
      int64_t perRow = g.leftScaleByBlock ? g.numBlocks() : 1;
      leftScales.push_back(e.at(operands.leftScales, e.mul(row, 4 * perRow)));
    }
  }

  Values startLeft() {
    return codeCopy ? codeCopy->start() : Values{e.constant(0)};
  }
  Value startWeights() { return weightsFrom; }

  /// Starts to bring the next step; returns what `place` still has to write.
  Values fetch(State &state, Value stage) {
    Values read;
    if (codeCopy) {
      state.left = codeCopy->issue(state.left, stage);
    } else {
      read = floatCopy->load(state.left[0]);
      state.left[0] = e.add(state.left[0], g.stepDepth());
    }
    Value to = e.at(weightsTo, stage);
    for (auto [pass, offset] : llvm::enumerate(weightOffsets))
      e.copyAsync(e.at(to, static_cast<int64_t>(pass) * passBytes()),
                  e.at(state.weights, offset), chunkBytes());
    state.weights = e.at(state.weights, g.stepBytes());
    return read;
  }
  void place(ValueRange read, Value stage) {
    if (floatCopy)
      floatCopy->store(read, stage);
  }

  /// The same where there `exists` a next step.
  Values fetchNext(State &state, Value exists) {
    Values otherwise = state.left;
    otherwise.push_back(state.weights);
    size_t numState = otherwise.size();
    if (floatCopy)
      otherwise.append(tile.rows * g.stepDepth() / tile.threads(),
                       LLVM::UndefOp::create(e, e.getF32Type()));
    Values result = e.choose(
        exists,
        [&] {
          State next = state;
          Values read = fetch(next, state.free);
          Values all = next.left;
          all.push_back(next.weights);
          llvm::append_range(all, read);
          return all;
        },
        otherwise);
    state.left.assign(result.begin(), result.begin() + numState - 1);
    state.weights = result[numState - 1];
    return Values(ArrayRef<Value>(result).drop_front(numState));
  }

  /// Adds `blocks` blocks from `block` on, which are `steps` steps, to
  /// `totals`.
  void addUnit(Values &totals, State &state, Value block, int64_t blocks,
               int64_t steps) {
    if (g.block < g.stepDepth()) {
      int64_t inSlice = g.sliceDepth() / g.block;
      addStep(state, [&](Value stage, int64_t half) {
        for (int64_t part = 0; part < inSlice; ++part) {
          int64_t index = half * inSlice + part;
          if (index >= blocks)
            return;
          Value at = e.add(block, index);
          Values sums = startSums(at);
          multiply(sums, stage, half, blockZeros(at),
                   inSlice > 1 ? std::optional(part) : std::nullopt);
          scaleAndAdd(totals, sums, at);
        }
      });
      return;
    }
    Values ofBlock = blockZeros(block);
    Values carried = startSums(block);
    auto walk = [&](Values &sums, State &inner) {
      addStep(inner, [&](Value stage, int64_t half) {
        multiply(sums, stage, half, ofBlock);
      });
    };
    if (steps == 1) {
      walk(carried, state);
    } else {
      state.appendTo(carried);
      carried = e.loop(steps, carried, [&](Value, ValueRange values) {
        Values sums(values.take_front(numSums()));
        State inner = State::of(values.drop_front(numSums()), state);
        walk(sums, inner);
        inner.appendTo(sums);
        return sums;
      });
      state = State::of(ValueRange(carried).drop_front(numSums()), state);
      carried.resize(numSums());
    }
    scaleAndAdd(totals, carried, block);
  }

  /// `slice` multiplies either half of the step that is there now.
  void addStep(State &state, function_ref<void(Value, int64_t)> slice) {
    e.waitCopies(ahead - 1);
    e.barrier();
    Value exists = e.isLess(state.step, e.constant(g.steps() - ahead));
    Values read = fetchNext(state, exists);
    e.commitCopies();
    for (int64_t half = 0; half < 2; ++half)
      slice(state.stage, half);
    if (floatCopy)
      e.ifThen(exists, [&] { place(read, state.free); });
    state.free = state.stage;
    Value next = e.add(state.stage, g.stageBytes(tile));
    Value end = stageAt(tile.stages);
    state.stage = e.select(e.isLess(next, end), next, stageAt(0));
    state.step = e.add(state.step, 1);
  }

  Values blockZeros(Value block) {
    if (!zeros)
      return unpacker.zeros({});
    Value offset = e.mul(e.toI64(block), MmaTile::kWarpColumns);
    return unpacker.zeros(unpacker.loadZeros(e.at(zeros, offset)));
  }

  /// The 16 numbers of a block that belong to this lane's sums.
  Values parameters(Value image, Value block, Type type) {
    Value at = e.at(image, e.mul(e.toI64(block), 4 * MmaTile::kWarpColumns));
    auto four = VectorType::get({4}, type);
    Values result;
    for (int64_t i = 0; i < MmaTile::kLaneColumns; i += 4) {
      Value loaded = e.load(four, e.at(at, 16 * i), 16);
      for (int64_t k = 0; k < 4; ++k)
        result.push_back(
            LLVM::ExtractElementOp::create(e, loaded, e.constant(k)));
    }
    return result;
  }

  Values startSums(Value block) {
    if (!starts)
      return Values(numSums(), zeroOf(sumType()));
    Values ofColumn = parameters(starts, block, sumType());
    Values sums;
    for (size_t at = 0; at < numTotals(); ++at)
      sums.push_back(ofColumn[at / 4 % kFragments * 2 + at % 2]);
    return sums;
  }

  /// Adds the products of half a step, or of one of the two parts of its depth.
  void multiply(Values &sums, Value stage, int64_t half,
                ArrayRef<Value> ofBlock,
                std::optional<int64_t> onlyPart = std::nullopt) {
    auto four = VectorType::get({4}, e.getI32Type());
    Value from = e.at(e.at(weightFragments, stage), half * g.sliceBytes());
    Values words;
    auto read = [&](VectorType type, Value pointer) {
      Value loaded = e.load(type, pointer, 4 * type.getNumElements());
      for (int64_t i = 0; i < type.getNumElements(); ++i)
        words.push_back(
            LLVM::ExtractElementOp::create(e, loaded, e.constant(i)));
    };
    int64_t at = 0;
    for (; at + 512 <= g.sliceBytes(); at += 512)
      read(four, e.at(from, at));
    if (at < g.sliceBytes()) {
      Value ofLane = e.at(e.at(topFragments, stage), half * g.sliceBytes());
      read(VectorType::get({2}, e.getI32Type()), ofLane);
    }
    Values columns = unpacker.unpack(words, ofBlock);
    // Registers of rows lie by part, then row; those of columns by part.
    auto ofRows = [&](ArrayRef<Value> a) {
      return onlyPart ? a.slice(2 * *onlyPart, 2) : a;
    };
    auto ofColumns = [&](int64_t j) {
      ArrayRef<Value> b = ArrayRef<Value>(columns).slice(2 * j, 2);
      return onlyPart ? b.slice(*onlyPart, 1) : b;
    };
    auto addTo = [&](size_t at, ArrayRef<Value> a, ArrayRef<Value> b) {
      ArrayRef<Value> c = ArrayRef<Value>(sums).slice(at, 4);
      Values product = g.isInteger() ? e.multiply(a, b, c, /*isUnsignedA=*/true,
                                                  /*isUnsignedB=*/false)
                                     : e.multiplyFloats(a, b, c, g.isHalf());
      llvm::copy(product, sums.begin() + at);
    };
    Value left = e.at(rowFragments[half], stage);
    Values ones(2, e.constant(g.isHalf() ? kTwoHalves : kTwoBfloats)); // of 1
    for (int64_t i = 0; i < fragmentRows(); ++i) {
      // The smallest parts first.
      for (int64_t part = g.parts(); part-- > 0;) {
        Values a = e.loadMatrices(
            e.at(left, part * tile.rowBytes() + i * 16 * MmaTile::kDepth));
        if (g.hasAddends)
          addTo(numTotals() + 4 * i, a, ones);
        for (int64_t j = 0; j < kFragments; ++j)
          addTo(4 * (i * kFragments + j), ofRows(a), ofColumns(j));
      }
    }
  }

  /// totals = fma(sums, scale, totals).
  void scaleAndAdd(Values &totals, ArrayRef<Value> sums, Value block) {
    Type f32 = e.getF32Type();
    Values ofColumn = parameters(scales, block, f32), ofRow, addendOf;
    if (addends)
      addendOf = parameters(addends, block, f32);
    for (Value pointer : leftScales) {
      Value at = g.leftScaleByBlock ? e.at(pointer, e.mul(e.toI64(block), 4))
                                    : pointer;
      ofRow.push_back(e.load(f32, at, 4));
    }
    for (size_t at = 0; at < numTotals(); ++at) {
      Value sum = sums[at], scale = ofColumn[at / 4 % kFragments * 2 + at % 2];
      if (g.isInteger()) {
        if (g.isTimes16())
          sum = e.createOrFold<arith::ShRSIOp>(sum, e.constant(4));
        sum = arith::SIToFPOp::create(e, f32, sum);
        Value row = ofRow[at / (4 * kFragments) * 2 + at % 4 / 2];
        scale = arith::MulFOp::create(e, row, scale);
      }
      totals[at] = LLVM::FMAOp::create(e, f32, sum, scale, totals[at]);
      if (!g.hasAddends)
        continue;
      size_t rows = at / (4 * kFragments) * 4 + at % 4;
      Value addend = addendOf[at / 4 % kFragments * 2 + at % 2];
      totals[at] = LLVM::FMAOp::create(e, f32, sums[numTotals() + rows], addend,
                                       totals[at]);
    }
  }

  WarpEmitter &e;
  const BlockMmaGeometry &g;
  const MmaTile &tile;
  BlockMmaOperands operands;
  BlockUnpacker unpacker;
  int64_t ahead; ///< steps that are on their way
  Value blockRow, columnBlock, lane;
  Value warpRow, panel; ///< where the warp's share starts in the block's
  Value shared;
  Value weightsFrom, weightsTo; ///< this thread's first chunk of the first step
  Values weightOffsets;         ///< of its chunks in the panels, from the first
  Value weightsShared, weightFragments, topFragments, rowFragments[2];
  Value scales, addends, starts,
      zeros;         ///< of block 0; null where there are none
  Values leftScales; ///< by half fragment of rows
  MmaRows rows;
  std::optional<MmaRowCopy> codeCopy;
  std::optional<SplitRowCopy> floatCopy;
};

} // namespace

void emitBlockMmaKernel(WarpEmitter &e, const BlockMmaGeometry &geometry,
                        const MmaTile &tile, StringRef sharedName,
                        const BlockMmaOperands &operands,
                        function_ref<void(const MmaSums &)> epilogue) {
  BlockMmaEmitter(e, geometry, tile, sharedName, operands).emit(epilogue);
}

} // namespace qdialect::gpu
