// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packs a panel of the right side: per k step and 16 columns one vector of
// four codes (or one float) a column. Sums of columns come from the same dot
// product that the tiles use.

#include "BatchMatmul.h"
#include "Payload.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class Packer {
public:
  Packer(Emitter &e, const BatchMatmulGeometry &g,
         const BatchZeroPoints &zeroPoints, PanelShape panel, Value source,
         Value image, Value starts, Value ones)
      : e(e), g(g), zeroPoints(zeroPoints), panel(panel), source(source),
        image(image), starts(starts), ones(ones),
        dot(DotPolicy::create(e, g.isFloat)) {}

  void emit() {
    for (int64_t j = 0; j < panel.vectors(); ++j)
      emitVector(j);
  }

private:
  VectorType sums() { return Emitter::vector(g.isFloat ? e.f32() : e.i32()); }

  /// Which columns of vector j exist; null for all.
  Value maskOf(int64_t j) {
    int64_t left = panel.columns - Emitter::kLanes * j;
    return left >= Emitter::kLanes ? Value() : e.prefixMask(left);
  }

  void emitVector(int64_t j) {
    Value first =
        e.at(source, Emitter::kLanes * j * g.columns.rhs * g.elementSize());
    Value mask = maskOf(j);
    bool needsSums = !g.isFloat && g.lhsOffset() != 0;
    auto step = [&](Value k, int64_t products, ValueRange partial) {
      Value cell =
          g.isFloat ? floats(first, k, mask) : codes(first, k, products, mask);
      Value place = e.at(image, e.mul(k, panel.stepBytes()));
      place = e.at(place, 64 * j);
      e.store(cell, place, 64);
      SmallVector<Value> next(partial.begin(), partial.end());
      if (needsSums)
        dot->accumulate(next, dot->loadActivations(ones),
                        dot->loadWeights(place));
      return next;
    };
    SmallVector<Value> partial;
    if (needsSums)
      partial = dot->start(e.constantInt(sums(), 0));
    int64_t perStep = g.isFloat ? 1 : 4;
    int64_t whole = g.depth.size / perStep;
    partial = e.loop(
        e.index(0), e.index(whole), 1, partial,
        [&](Value k, ValueRange carried) { return step(k, perStep, carried); });
    if (whole < g.numSteps())
      partial = step(e.index(whole), g.depth.size - 4 * whole, partial);
    Value start = e.constant(sums(), g.init);
    if (needsSums) {
      // init + lhs offset * (depth * rhs zero point - sum of the column)
      Value zeros = arith::MulIOp::create(e, zeroPoints.rhs,
                                          e.constantInt(sums(), g.depth.size));
      Value centred = arith::SubIOp::create(e, zeros, dot->finish(partial));
      start = arith::AddIOp::create(
          e, start, arith::MulIOp::create(e, centred, zeroPoints.lhsOffset));
    }
    e.store(start, e.at(starts, 64 * j), 64);
  }

  /// 16 elements `stride` elements apart.
  Value gather(Type element, Value pointer, int64_t stride, Value mask) {
    auto type = Emitter::vector(element);
    Value offsets =
        e.mul(e.iota(e.i64()), e.constantInt(Emitter::vector(e.i64()),
                                             stride * g.elementSize()));
    Value addresses = LLVM::GEPOp::create(
        e, VectorType::get({Emitter::kLanes}, e.ptr()), e.i8(), pointer,
        ArrayRef<LLVM::GEPArg>{offsets}, LLVM::GEPNoWrapFlags::inbounds);
    return LLVM::masked_gather::create(
        e, type, addresses, mask ? mask : e.prefixMask(Emitter::kLanes),
        ValueRange{e.constant(type, 0)}, e.getI32IntegerAttr(1));
  }

  Value floats(Value first, Value k, Value mask) {
    Value pointer = e.at(first, e.mul(k, g.depth.rhs * 4));
    auto type = Emitter::vector(e.f32());
    if (g.columns.rhs != 1 && panel.columns > 1)
      return gather(e.f32(), pointer, g.columns.rhs, mask);
    return mask ? e.maskedLoad(type, pointer, mask) : e.load(type, pointer, 4);
  }

  /// `products` codes of each of 16 columns, as signed bytes; zero behind them.
  Value codes(Value first, Value k, int64_t products, Value mask) {
    auto bytes = Emitter::vector(e.i8(), 64);
    Value pointer = e.at(first, e.mul(k, 4 * g.depth.rhs));
    Value flip = e.constantInt(bytes, -128);
    Value cell;
    if (g.depth.rhs == 1 && g.columns.rhs != 1) {
      // A column's codes are neighbours. What is read behind the last one is
      // cleared below.
      cell = e.bitcast(gather(e.i32(), pointer, g.columns.rhs, mask), bytes);
    } else {
      SmallVector<Value> rows;
      auto row = Emitter::vector(e.i8());
      for (int64_t product = 0; product < 4; ++product) {
        if (product >= products) {
          rows.push_back(e.constantInt(row, -128));
          continue;
        }
        Value place = e.at(pointer, product * g.depth.rhs);
        // Codes lie in buffers with slack: a whole vector may be read.
        rows.push_back(g.columns.rhs == 1 || panel.columns == 1
                           ? e.load(row, place)
                           : gather(e.i8(), place, g.columns.rhs, mask));
      }
      SmallVector<int64_t> order;
      for (int64_t column = 0; column < Emitter::kLanes; ++column)
        for (int64_t product = 0; product < 4; ++product)
          order.push_back(product * Emitter::kLanes + column);
      Value all =
          e.concat(e.concat(rows[0], rows[1]), e.concat(rows[2], rows[3]));
      cell = vector::ShuffleOp::create(e, all, all, order);
    }
    cell = arith::XOrIOp::create(e, cell, flip);
    if (products == 4)
      return cell;
    SmallVector<bool> exists;
    for (int64_t i = 0; i < 64; ++i)
      exists.push_back(i % 4 < products);
    Value keep = arith::ConstantOp::create(
        e, DenseElementsAttr::get(Emitter::vector(e.getI1Type(), 64), exists));
    return arith::SelectOp::create(e, keep, cell, e.constantInt(bytes, 0));
  }

  Emitter &e;
  const BatchMatmulGeometry &g;
  const BatchZeroPoints &zeroPoints;
  PanelShape panel;
  Value source, image, starts, ones;
  std::unique_ptr<DotPolicy> dot;
};

} // namespace

BatchZeroPoints BatchZeroPoints::load(Emitter &e, const BatchMatmulGeometry &g,
                                      const Epilogue &epilogue,
                                      Value arguments) {
  auto type = Emitter::vector(e.i32());
  auto lanesOf = [&](Value constant, int64_t number) {
    return constant && epilogue.parameters.contains(constant)
               ? loadParameter(e, epilogue, arguments, constant)
               : e.constantInt(type, number);
  };
  Value lhs = lanesOf(g.lhsZero, g.lhsZeroPoint);
  return {arith::AddIOp::create(e, lhs, e.constantInt(type, 128)),
          lanesOf(g.rhsZero, g.rhsZeroPoint)};
}

void emitPackPanel(Emitter &e, const BatchMatmulGeometry &geometry,
                   const BatchZeroPoints &zeroPoints, PanelShape panel,
                   Value source, Value image, Value starts, Value ones) {
  Packer(e, geometry, zeroPoints, panel, source, image, starts, ones).emit();
}

ConstantBlob onesBlob(const BatchMatmulGeometry &geometry) {
  ConstantBlob blob;
  blob.size = geometry.numSteps() * 64;
  int64_t depth = geometry.depth.size;
  blob.fill = [depth](MutableArrayRef<char> out) {
    for (auto [at, byte] : llvm::enumerate(out))
      byte = static_cast<int64_t>(at / 64 * 4 + at % 4) < depth;
  };
  return blob;
}

} // namespace qdialect::cpu
