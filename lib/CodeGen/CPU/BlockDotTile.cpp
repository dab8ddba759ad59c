// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tile of block dot kernels: rows x vectors of sums of a block in integer
// registers, added to as many totals in floats at the end of each block.

#include "BlockDot.h"
#include "CodeImage.h"
#include "Payload.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::cpu {

TileShape blockDotTile(const CpuTarget &target, const BlockDotImage &image,
                       int64_t rows) {
  switch (target.isa) {
  case CpuTarget::AVX512AMX:
  case CpuTarget::AVX512VNNI:
    // Unpacking costs as much as a row or two: tall tiles spread it.
    return rows <= 4 ? TileShape{rows, 4}
                     : TileShape{std::min<int64_t>(rows, 12), 2};
  case CpuTarget::AVX512:
    // A sum of narrow codes takes one register, of others two, a total one.
    return {std::min<int64_t>(rows, image.isNarrow ? 12 : 8), 1};
  case CpuTarget::AVXVNNI:
    return {std::min<int64_t>(rows, 3), 1};
  case CpuTarget::AVX2:
    return {std::min<int64_t>(rows, image.isNarrow ? 4 : 3), 1};
  case CpuTarget::DotProd:
  case CpuTarget::I8MM:
    return {std::min<int64_t>(rows, 3), 1};
  case CpuTarget::NEON:
  case CpuTarget::Scalar:
    return {1, 1};
  }
  llvm_unreachable("unknown instruction set");
}

namespace {

class TileEmitter {
public:
  TileEmitter(Emitter &e, const BlockDotImage &image,
              const BlockDotInputs &inputs, const Epilogue &epilogue,
              BlockDotTile tile, ValueRange arguments)
      : e(e), image(image), w(image.w), inputs(inputs), epilogue(epilogue),
        tile(tile), vectors((tile.channels + kLanes - 1) / kLanes),
        dot(CodeDotPolicy::create(e, image.isNarrow)), args(arguments[0]),
        row(arguments[1]), panel(arguments[2]), firstVector(arguments[3]) {}

  void emit() {
    findOperands();
    SmallVector<Value> totals(tile.rows * vectors, e.constant(floats(), 0));
    totals = e.loopBlocks(w.depth, w.block, totals,
                          [&](Value block, int64_t size, ValueRange carried) {
                            return addBlock(block, size, carried);
                          });
    finish(totals);
    e.ret();
  }

private:
  using Zeros = BlockDotImage::Zeros;
  static constexpr int64_t kLanes = Emitter::kLanes;
  VectorType floats() { return Emitter::vector(e.f32()); }
  VectorType ints() { return Emitter::vector(e.i32()); }
  VectorType bytes() { return Emitter::vector(e.i8(), 4 * kLanes); }
  /// Vectors of this tile in the bits of one byte are told apart at run time.
  bool startsInsideByte() const { return vectors < image.perByte(); }

  void findOperands() {
    unsigned constant = epilogue.region->numInputs() + 1;
    Value parameters =
        e.add(e.mul(panel, w.numBlocks() * kPanel), e.mul(firstVector, kLanes));
    Value load = e.div(firstVector, image.perByte());
    codes = e.at(e.argument(args, constant),
                 e.add(e.mul(panel, image.panelBytes()),
                       e.mul(load, bytes().getNumElements())));
    scales = e.at(e.argument(args, constant + 1), e.mul(parameters, 4));
    sums = e.at(e.argument(args, constant + 2),
                e.mul(parameters, image.sumBytes()));
    if (image.zeros == Zeros::Subtract)
      zeros = e.at(e.argument(args, constant + 3), parameters);
    if (image.zeros == Zeros::Compensate)
      zeros = e.at(e.argument(args, constant + 3), e.mul(parameters, 4));
    x = e.at(e.argument(args, inputs.codes), e.mul(row, w.depth));
    scaleStride = inputs.scaleByBlock ? w.numBlocks() : 1;
    rowScales =
        e.at(e.argument(args, inputs.scales), e.mul(row, 4 * scaleStride));
    if (startsInsideByte()) {
      Value bit = e.mul(e.rem(firstVector, image.perByte()), w.bits);
      Value amount = arith::TruncIOp::create(e, e.getI16Type(), bit);
      firstShift =
          e.broadcast(amount, Emitter::vector(e.getI16Type(), 2 * kLanes));
    }
  }

  /// The bits of vector `v` of the tile.
  Value codesOf(Value loaded, int64_t v) {
    if (!startsInsideByte())
      return extractBits(e, loaded, w.bits, v % image.perByte());
    auto words = cast<VectorType>(firstShift.getType());
    Value amount =
        arith::AddIOp::create(e, firstShift, e.constantInt(words, v * w.bits));
    Value shifted = arith::ShRUIOp::create(e, e.bitcast(loaded, words), amount);
    return extractBits(e, e.bitcast(shifted, bytes()), w.bits, 0);
  }

  /// The weights of each vector at one step, as the policy wants them.
  SmallVector<SmallVector<Value>> unpack(Value pointer,
                                         ArrayRef<Value> zeroBytes) {
    SmallVector<SmallVector<Value>> result;
    Value loaded;
    for (int64_t v = 0; v < vectors; ++v) {
      int64_t load = startsInsideByte() ? 0 : v / image.perByte();
      if (v == 0 || (!startsInsideByte() && v % image.perByte() == 0))
        loaded =
            e.load(bytes(), e.at(pointer, load * bytes().getNumElements()), 64);
      Value code = loaded;
      if (image.perByte() > 1)
        code = codesOf(loaded, v);
      if (!zeroBytes.empty())
        code = arith::SubIOp::create(e, code, zeroBytes[v]);
      result.push_back(dot->splitWeights(code));
    }
    return result;
  }

  /// What is subtracted from the codes of each vector in this block.
  SmallVector<Value> zeroBytes(Value place) {
    SmallVector<Value> result;
    if (image.zeros == Zeros::Same && image.zero != 0)
      result.assign(vectors, e.constantInt(bytes(), image.zero));
    if (image.zeros != Zeros::Subtract)
      return result;
    SmallVector<int64_t> four;
    for (int64_t lane = 0; lane < 4 * kLanes; ++lane)
      four.push_back(lane / 4);
    for (int64_t v = 0; v < vectors; ++v) {
      Value one =
          e.load(Emitter::vector(e.i8()), e.at(e.at(zeros, place), v * kLanes));
      result.push_back(vector::ShuffleOp::create(e, one, one, four));
    }
    return result;
  }

  /// -128 * sum of (c - z) of each vector.
  Value startOf(Value place, int64_t v) {
    Type type = image.wideSums ? e.i32() : e.getI16Type();
    Value at = e.at(e.at(sums, e.mul(place, image.sumBytes())),
                    v * kLanes * image.sumBytes());
    Value sum = e.load(Emitter::vector(type), at);
    if (!image.wideSums)
      sum = arith::ExtSIOp::create(e, ints(), sum);
    return arith::MulIOp::create(e, sum, e.constantInt(ints(), -128));
  }

  /// `count` < 4 activations; what is not there counts as 0.
  Value loadFew(Value pointer, int64_t count) {
    Value four;
    for (int64_t i = 0; i < count; ++i) {
      Value code =
          arith::ExtUIOp::create(e, e.i32(), e.load(e.i8(), e.at(pointer, i)));
      if (i > 0)
        code = arith::ShLIOp::create(e, code, e.constantInt(e.i32(), 8 * i));
      four = four ? Value(arith::OrIOp::create(e, four, code)) : code;
    }
    return four;
  }

  /// Accumulators of row r and vector v, then those of the sums of activations
  /// of each row, where they are wanted; `numParts` each.
  MutableArrayRef<Value> at(MutableArrayRef<Value> all, int64_t number) {
    return all.slice(number * numParts, numParts);
  }

  void addStep(MutableArrayRef<Value> accumulators, Value pointer, Value first,
               int64_t count, ArrayRef<Value> zeroBytes) {
    SmallVector<SmallVector<Value>> weights = unpack(pointer, zeroBytes);
    SmallVector<Value> ones;
    if (image.zeros == Zeros::Compensate)
      ones = dot->splitWeights(e.constantInt(bytes(), 1));
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value place = e.at(first, r * w.depth);
      Value activations = count == 4
                              ? dot->loadActivations(place)
                              : dot->spreadActivations(loadFew(place, count));
      for (int64_t v = 0; v < vectors; ++v)
        dot->accumulate(at(accumulators, r * vectors + v), activations,
                        weights[v]);
      if (!ones.empty())
        dot->accumulate(at(accumulators, tile.rows * vectors + r), activations,
                        ones);
    }
  }

  SmallVector<Value> addBlock(Value block, int64_t size, ValueRange totals) {
    Value place = e.mul(block, kPanel);
    SmallVector<Value> zeroPoints = zeroBytes(place);
    SmallVector<SmallVector<Value>> starts;
    for (int64_t v = 0; v < vectors; ++v)
      starts.push_back(dot->start(startOf(place, v)));
    numParts = static_cast<int64_t>(starts[0].size());
    SmallVector<Value> accumulators;
    for (int64_t r = 0; r < tile.rows; ++r)
      for (auto &parts : starts)
        llvm::append_range(accumulators, parts);
    if (image.zeros == Zeros::Compensate)
      for (int64_t r = 0; r < tile.rows; ++r)
        llvm::append_range(accumulators, dot->start(e.constantInt(ints(), 0)));

    Value firstStep =
        e.at(codes, e.mul(block, image.stepsOf(w.block) * image.stepBytes()));
    Value firstCode = e.at(x, e.mul(block, w.block));
    int64_t steps = size / 4;
    accumulators = e.loop(
        e.index(0), e.index(steps), 1, accumulators,
        [&](Value step, ValueRange carried) {
          SmallVector<Value> next(carried);
          addStep(next, e.at(firstStep, e.mul(step, image.stepBytes())),
                  e.at(firstCode, e.mul(step, 4)), 4, zeroPoints);
          return next;
        },
        /*keepRolled=*/true);
    if (size % 4 != 0)
      addStep(accumulators, e.at(firstStep, steps * image.stepBytes()),
              e.at(firstCode, steps * 4), size % 4, zeroPoints);
    return addScaled(accumulators, block, place, totals);
  }

  /// The totals with the sums of a block, scaled.
  SmallVector<Value> addScaled(MutableArrayRef<Value> accumulators, Value block,
                               Value place, ValueRange totals) {
    SmallVector<Value> result(totals);
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value scaleOfRow = e.at(rowScales, 4 * r * scaleStride);
      // Seeded fault 44: every block has the scale of its row's first.
      if (inputs.scaleByBlock && QDIALECT_MUTATE != 44)
        scaleOfRow = e.at(scaleOfRow, e.mul(block, 4));
      Value left = e.broadcast(e.load(e.f32(), scaleOfRow, 4), floats());
      Value inputSum;
      if (image.zeros == Zeros::Compensate)
        inputSum = dot->finish(at(accumulators, tile.rows * vectors + r));
      for (int64_t v = 0; v < vectors; ++v) {
        int64_t number = r * vectors + v;
        Value sum = dot->finish(at(accumulators, number));
        Value vectorPlace = e.add(place, v * kLanes);
        if (inputSum) {
          Value zero = e.load(ints(), e.at(zeros, e.mul(vectorPlace, 4)), 4);
          sum = arith::SubIOp::create(e, sum,
                                      arith::MulIOp::create(e, zero, inputSum));
        }
        Value right = e.load(floats(), e.at(scales, e.mul(vectorPlace, 4)), 4);
        result[number] = math::FmaOp::create(
            e, arith::SIToFPOp::create(e, floats(), sum),
            arith::MulFOp::create(e, left, right), result[number]);
      }
    }
    return result;
  }

  void finish(ArrayRef<Value> totals) {
    PayloadEmitter payload(e, epilogue, args);
    payload.begin();
    Value column = e.add(e.mul(panel, kPanel), e.mul(firstVector, kLanes));
    for (int64_t r = 0; r < tile.rows; ++r)
      payload.storeRow(
          Position::at(e, epilogue, e.add(row, r), column), tile.channels,
          [&](int64_t v) { return Lanes::of(totals[r * vectors + v]); });
  }

  Emitter &e;
  const BlockDotImage &image;
  const BlockWeights &w;
  const BlockDotInputs &inputs;
  const Epilogue &epilogue;
  BlockDotTile tile;
  int64_t vectors, numParts = 1, scaleStride = 1;
  std::unique_ptr<CodeDotPolicy> dot;
  Value args, row, panel, firstVector;
  Value codes, scales, sums, zeros, x, rowScales, firstShift;
};

} // namespace

LLVM::LLVMFuncOp emitBlockDotTile(OpBuilder &moduleBuilder,
                                  const CpuTarget &target, StringRef name,
                                  const BlockDotImage &image,
                                  const BlockDotInputs &inputs,
                                  const Epilogue &epilogue, BlockDotTile tile) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(epilogue.region->root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func =
      e.startFunction(name, {e.ptr(), e.i64(), e.i64(), e.i64()},
                      /*internal=*/true);
  TileEmitter(e, image, inputs, epilogue, tile, func.getArguments()).emit();
  return func;
}

} // namespace qdialect::cpu
