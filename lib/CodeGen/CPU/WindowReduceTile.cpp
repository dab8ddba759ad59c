// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One tile of a window reduction: some pixels, up to 64 channels, all taps.

#include "WindowReduce.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::cpu {

ReduceTile ReduceTile::largest(const CpuTarget &target,
                               const WindowReduceGeometry &g) {
  switch (target.isa) {
  case CpuTarget::AVX512AMX:
  case CpuTarget::AVX512VNNI:
  case CpuTarget::AVX512:
    return {4, 4, 64};
  case CpuTarget::AVXVNNI:
  case CpuTarget::AVX2:
  case CpuTarget::NEON:
  case CpuTarget::DotProd:
  case CpuTarget::I8MM:
    return {g.isByteMax() ? 2 : 4, g.isByteMax() ? 4 : 1,
            g.isByteMax() ? 64 : 16};
  case CpuTarget::Scalar:
    return {1, g.isByteMax() ? 4 : 1, g.isByteMax() ? 64 : 16};
  }
  llvm_unreachable("unknown instruction set");
}

namespace {

/// `value` where vpdpbusd should see byte j of each lane, 0 elsewhere.
Value everyFourth(Emitter &e, int64_t j, int8_t value) {
  SmallVector<int8_t> bytes(64, 0);
  for (int64_t lane = 0; lane < 16; ++lane)
    bytes[4 * lane + j] = value;
  return arith::ConstantOp::create(
      e, DenseElementsAttr::get(Emitter::vector(e.i8(), 64),
                                ArrayRef<int8_t>(bytes)));
}

class TileEmitter {
public:
  TileEmitter(Emitter &e, const WindowReduceGeometry &g,
              const Epilogue &epilogue, ReduceTile shape, int64_t tableStride,
              ValueRange arguments)
      : e(e), g(g), epilogue(epilogue), shape(shape), tableStride(tableStride),
        args(arguments[0]), rows(arguments[1]), pixel(arguments[2]),
        channel(arguments[3]), firstConstant(epilogue.region->numInputs() + 1),
        usesVnni(e.target.hasDotProduct() && e.target.hasAvx512() &&
                 !g.isFloat && g.kind != WindowReduceGeometry::Max) {
    if (g.kind == WindowReduceGeometry::Depthwise) {
      // Blocks of 64 channels, then the place within one.
      Value block = e.div(channel, WindowReduceGeometry::kBlock);
      Value inBlock = e.rem(channel, WindowReduceGeometry::kBlock);
      blockWeights = e.at(
          arguments[4],
          e.add(e.mul(block, g.numTaps() * WindowReduceGeometry::kTapBytes),
                e.mul(inBlock, g.elementSize())));
    }
  }

  void emit() {
    SmallVector<Value> sums = e.loop(
        e.index(0), e.index(g.numTaps()), 1, starts(),
        [&](Value tap, ValueRange carried) { return accumulate(tap, carried); },
        /*keepRolled=*/true);
    finish(sums);
    e.ret();
  }

private:
  VectorType sumType() {
    if (g.isWordMax())
      return Emitter::vector(e.getI16Type());
    return Emitter::vector(g.isFloat ? e.f32() : e.i32());
  }
  VectorType blockBytes() { return Emitter::vector(e.i8(), 64); }
  /// Carried values of one pixel.
  int64_t perRow() const { return g.isByteMax() ? 1 : shape.vectors; }

  SmallVector<Value> starts() {
    SmallVector<Value> one;
    if (g.isByteMax()) {
      one.push_back(e.constantInt(blockBytes(), g.init->integer(0) ^ 0x80));
    } else if (g.isWordMax()) {
      one.assign(shape.vectors, e.constantInt(sumType(), g.init->integer(0)));
    } else if (g.kind == WindowReduceGeometry::Max) {
      one.assign(shape.vectors, e.constant(sumType(), g.init->number(0)));
    } else {
      Value from = e.at(e.argument(args, firstConstant + 1), e.mul(channel, 4));
      for (int64_t j = 0; j < shape.vectors; ++j)
        one.push_back(e.load(sumType(), e.at(from, 64 * j), 4));
      if (usesVnni)
        one = scattered(one);
    }
    SmallVector<Value> all;
    for (int64_t row = 0; row < shape.rows; ++row)
      llvm::append_range(all, one);
    return all;
  }

  SmallVector<Value> accumulate(Value tap, ValueRange carried) {
    SmallVector<Value> sums(carried.begin(), carried.end());
    Value entry =
        g.walksTaps() ? rows : e.at(rows, e.mul(tap, 8 * tableStride));
    Value within = e.mul(channel, g.elementSize());
    if (g.walksTaps())
      within = e.add(within, tapDistance(tap));
    SmallVector<Value> weights;
    if (g.kind == WindowReduceGeometry::Depthwise)
      weights = loadWeights(
          e.at(blockWeights, e.mul(tap, WindowReduceGeometry::kTapBytes)));
    for (int64_t row = 0; row < shape.rows; ++row) {
      Value source = e.at(e.load(e.ptr(), e.at(entry, 8 * row), 8), within);
      MutableArrayRef<Value> mine =
          MutableArrayRef<Value>(sums).slice(row * perRow(), perRow());
      if (g.isByteMax())
        mine[0] =
            arith::MaxUIOp::create(e, mine[0], e.load(blockBytes(), source));
      else if (usesVnni)
        accumulateVnni(mine, source, weights);
      else
        accumulatePlain(mine, source, weights);
    }
    return sums;
  }

  /// Bytes from the first tap of a row to this one.
  Value tapDistance(Value tap) {
    const ImageAxis &y = g.axes[0], &x = g.axes[1];
    int64_t columns = g.tapColumns(), size = g.elementSize();
    if (y.filterSize == 1 || y.filterStep == columns * x.filterStep)
      return e.mul(tap, x.filterStep * size);
    if (columns == 1)
      return e.mul(tap, y.filterStep * size);
    return e.add(e.mul(e.div(tap, columns), y.filterStep * size),
                 e.mul(e.rem(tap, columns), x.filterStep * size));
  }

  SmallVector<Value> loadWeights(Value pointer) {
    SmallVector<Value> weights;
    if (usesVnni) {
      for (int64_t j = 0; j < 4; ++j)
        weights.push_back(e.load(blockBytes(), e.at(pointer, 64 * j), 64));
      return weights;
    }
    for (int64_t v = 0; v < shape.vectors; ++v) {
      if (g.isFloat) {
        weights.push_back(e.load(sumType(), e.at(pointer, 64 * v), 4));
        continue;
      }
      // The four images are disjoint: together they are the plain codes.
      Value codes;
      for (int64_t j = 0; j < 4; ++j) {
        Value part =
            e.load(Emitter::vector(e.i8()), e.at(pointer, 64 * j + 16 * v), 16);
        codes = codes ? Value(arith::OrIOp::create(e, codes, part)) : part;
      }
      weights.push_back(arith::ExtSIOp::create(e, sumType(), codes));
    }
    return weights;
  }

  void accumulateVnni(MutableArrayRef<Value> sums, Value source,
                      ArrayRef<Value> weights) {
    Value codes = e.load(blockBytes(), source);
    for (int64_t j = 0; j < 4; ++j) {
      Value weight = weights.empty() ? everyFourth(e, j, 1) : weights[j];
      sums[j] = e.intrinsic("llvm.x86.avx512.vpdpbusd.512", sumType(),
                            {sums[j], codes, weight});
    }
  }

  void accumulatePlain(MutableArrayRef<Value> sums, Value source,
                       ArrayRef<Value> weights) {
    for (auto [v, sum] : llvm::enumerate(sums)) {
      Value from = e.at(source, static_cast<int64_t>(v) * 16 * g.elementSize());
      if (g.isWordMax()) {
        sum = arith::MaxSIOp::create(e, sum, loadPlain(v, from));
        continue;
      }
      if (!g.isFloat) {
        Value codes = arith::ExtUIOp::create(
            e, sumType(), e.load(Emitter::vector(e.i8()), from));
        if (!weights.empty())
          codes = arith::MulIOp::create(e, codes, weights[v]);
        sum = arith::AddIOp::create(e, sum, codes);
        continue;
      }
      Value values = loadPlain(v, from);
      if (g.kind == WindowReduceGeometry::Max)
        sum = arith::MaximumFOp::create(e, sum, values);
      else if (weights.empty())
        sum = arith::AddFOp::create(e, sum, values);
      else if (e.target.isa == CpuTarget::Scalar)
        sum = arith::AddFOp::create(
            e, sum, arith::MulFOp::create(e, values, weights[v]));
      else
        sum = math::FmaOp::create(e, values, weights[v], sum);
    }
  }

  /// What is no byte may be a user's own buffer, which has no slack behind it.
  Value loadPlain(int64_t v, Value from) {
    int64_t left = shape.channels - 16 * v;
    if (left >= 16)
      return e.load(sumType(), from, g.elementSize());
    if (left <= 0)
      return g.isFloat ? e.constant(sumType(), 0) : e.constantInt(sumType(), 0);
    return e.maskedLoad(sumType(), from, e.prefixMask(left));
  }

  /// Lane i of part j is channel 4 * i + j <-> part j is channels 16 * j ...
  SmallVector<Value> scattered(ArrayRef<Value> parts) {
    auto pick = [&](Value a, Value b, int64_t first) -> Value {
      SmallVector<int64_t> lanes;
      for (int64_t i = 0; i < 16; ++i)
        lanes.push_back(first + 2 * i);
      return vector::ShuffleOp::create(e, a, b, lanes);
    };
    Value even0 = pick(parts[0], parts[1], 0),
          even1 = pick(parts[2], parts[3], 0);
    Value odd0 = pick(parts[0], parts[1], 1),
          odd1 = pick(parts[2], parts[3], 1);
    return {pick(even0, even1, 0), pick(odd0, odd1, 0), pick(even0, even1, 1),
            pick(odd0, odd1, 1)};
  }
  SmallVector<Value> gathered(ArrayRef<Value> parts) {
    auto zip = [&](Value a, Value b, int64_t half) -> Value {
      SmallVector<int64_t> lanes;
      for (int64_t i = 0; i < 8; ++i) {
        lanes.push_back(8 * half + i);
        lanes.push_back(16 + 8 * half + i);
      }
      return vector::ShuffleOp::create(e, a, b, lanes);
    };
    Value even0 = zip(parts[0], parts[2], 0),
          even1 = zip(parts[0], parts[2], 1);
    Value odd0 = zip(parts[1], parts[3], 0), odd1 = zip(parts[1], parts[3], 1);
    return {zip(even0, odd0, 0), zip(even0, odd0, 1), zip(even1, odd1, 0),
            zip(even1, odd1, 1)};
  }

  void finish(ArrayRef<Value> sums) {
    PayloadEmitter payload(e, epilogue, args);
    payload.begin();
    for (int64_t row = 0; row < shape.rows; ++row) {
      SmallVector<Value> mine(sums.slice(row * perRow(), perRow()));
      if (usesVnni)
        mine = gathered(mine);
      payload.storeRow(positionOf(row), shape.channels, [&](int64_t v) {
        return g.isByteMax() ? Lanes::codes(arith::ExtUIOp::create(
                                   e, Emitter::vector(e.i32()),
                                   e.slice(mine[0], 16 * v, 16)))
                             : Lanes::of(mine[v]);
      });
    }
  }

  Position positionOf(int64_t row) {
    return Position::at(e, epilogue, e.add(pixel, row), channel);
  }

  Emitter &e;
  const WindowReduceGeometry &g;
  const Epilogue &epilogue;
  ReduceTile shape;
  int64_t tableStride;
  Value args, rows, pixel, channel, blockWeights;
  unsigned firstConstant;
  bool usesVnni;
};

} // namespace

LLVM::LLVMFuncOp emitBlockUnpacking(OpBuilder &moduleBuilder, Location loc,
                                    const CpuTarget &target, StringRef name,
                                    const WindowReduceGeometry &g,
                                    unsigned firstConstant) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(loc, moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(
      name, {e.ptr(), e.ptr(), e.i64(), e.ptr()}, /*internal=*/true);
  Value args = func.getArgument(0), weights = func.getArgument(1),
        channel = func.getArgument(2), out = func.getArgument(3);
  constexpr int64_t block = WindowReduceGeometry::kBlock,
                    tapBytes = WindowReduceGeometry::kTapBytes;
  auto bytes = Emitter::vector(e.i8(), block);
  Value bases;
  if (g.image.hasBases())
    bases =
        e.load(bytes, e.at(e.argument(args, firstConstant + g.basesConstant()),
                           channel));
  auto unpackRow = [&](Value from, Value to, int64_t taps) {
    Value row = e.load(bytes, from, 64);
    for (int64_t part = 0; part < taps; ++part) {
      Value codes = g.image.unpack(e, row, part, bases);
      for (int64_t j = 0; j < 4; ++j)
        e.store(arith::AndIOp::create(e, codes, everyFourth(e, j, -1)),
                e.at(to, part * tapBytes + j * block), 64);
    }
  };
  int64_t perByte = g.image.perByte(), whole = g.numTaps() / perByte;
  e.loop(e.index(0), e.index(whole), 1, [&](Value row) {
    unpackRow(e.at(weights, e.mul(row, block)),
              e.at(out, e.mul(row, perByte * tapBytes)), perByte);
  });
  if (int64_t rest = g.numTaps() % perByte)
    unpackRow(e.at(weights, whole * block),
              e.at(out, whole * perByte * tapBytes), rest);
  e.ret();
  return func;
}

LLVM::LLVMFuncOp emitReduceTile(OpBuilder &moduleBuilder,
                                const CpuTarget &target, StringRef name,
                                const WindowReduceGeometry &geometry,
                                const Epilogue &epilogue, ReduceTile shape,
                                int64_t tableStride) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(epilogue.region->root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(
      name, {e.ptr(), e.ptr(), e.i64(), e.i64(), e.ptr()}, /*internal=*/true);
  TileEmitter(e, geometry, epilogue, shape, tableStride, func.getArguments())
      .emit();
  return func;
}

} // namespace qdialect::cpu
