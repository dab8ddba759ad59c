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
         Value image, Value starts, Value ones, Value left)
      : e(e), g(g), zeroPoints(zeroPoints), panel(panel), source(source),
        image(image), starts(starts), ones(ones), left(left),
        dot(DotPolicy::create(e, g.isFloat)) {}

  void emit() {
    for (int64_t j = 0; j < panel.vectors(); ++j)
      emitVector(j);
  }

private:
  VectorType sums() { return Emitter::vector(g.isFloat ? e.f32() : e.i32()); }

  /// Which columns of vector j exist; null for all.
  Value maskOf(int64_t j) {
    if (panel.ragged)
      return e.prefixMask(e.sub(left, e.index(Emitter::kLanes * j)));
    int64_t here = panel.columns - Emitter::kLanes * j;
    return here >= Emitter::kLanes ? Value() : e.prefixMask(here);
  }

  void emitVector(int64_t j) {
    Value first =
        e.at(source, e.mul(e.mul(e.index(Emitter::kLanes * j), g.columns.rhs),
                           g.elementSize()));
    Value mask = maskOf(j);
    bool needsSums = !g.isFloat && g.lhsOffset() != 0;
    auto step = [&](Value k, Products products, ValueRange partial) {
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
    bool isKnown = !SymbolicSizes::isSymbolic(g.depth.size);
    Value whole = e.div(e.index(g.depth.size), perStep);
    partial =
        e.loop(e.index(0), whole, 1, partial, [&](Value k, ValueRange carried) {
          return step(k, {perStep, {}}, carried);
        });
    if (isKnown && g.depth.size % perStep != 0)
      partial = step(whole, {g.depth.size % perStep, {}}, partial);
    else if (!isKnown && perStep > 1) // none or one
      partial = e.loop(whole, e.index(g.numSteps()), 1, partial,
                       [&](Value k, ValueRange carried) {
                         Value products =
                             e.sub(e.index(g.depth.size), e.mul(k, perStep));
                         return step(k, {perStep, products}, carried);
                       });
    Value start = e.constant(sums(), g.init);
    if (needsSums) {
      // init + lhs offset * (depth * rhs zero point - sum of the column)
      Value zeros = arith::MulIOp::create(e, zeroPoints.rhs, depthLanes());
      Value centred = arith::SubIOp::create(e, zeros, dot->finish(partial));
      start = arith::AddIOp::create(
          e, start, arith::MulIOp::create(e, centred, zeroPoints.lhsOffset));
    }
    e.store(start, e.at(starts, 64 * j), 64);
  }

  /// The number of products in all lanes.
  Value depthLanes() {
    Value depth = arith::TruncIOp::create(e, e.i32(), e.index(g.depth.size));
    return e.broadcast(depth, sums());
  }

  /// 16 elements `stride` elements apart.
  Value gather(Type element, Value pointer, int64_t stride, Value mask) {
    auto type = Emitter::vector(element);
    Value bytes = e.mul(e.index(stride), g.elementSize());
    Value offsets =
        e.mul(e.iota(e.i64()), e.broadcast(bytes, Emitter::vector(e.i64())));
    Value addresses = LLVM::GEPOp::create(
        e, VectorType::get({Emitter::kLanes}, e.ptr()), e.i8(), pointer,
        ArrayRef<LLVM::GEPArg>{offsets}, LLVM::GEPNoWrapFlags::inbounds);
    return LLVM::masked_gather::create(
        e, type, addresses, mask ? mask : e.prefixMask(Emitter::kLanes),
        ValueRange{e.constant(type, 0)}, e.getI32IntegerAttr(1));
  }

  Value floats(Value first, Value k, Value mask) {
    Value pointer = e.at(first, e.mul(e.mul(k, g.depth.rhs), 4));
    auto type = Emitter::vector(e.f32());
    if (g.columns.rhs != 1 && panel.columns > 1)
      return gather(e.f32(), pointer, g.columns.rhs, mask);
    return mask ? e.maskedLoad(type, pointer, mask) : e.load(type, pointer, 4);
  }

  /// Codes that a step has of a column: `most`, or the number `some` up to it.
  struct Products {
    int64_t most;
    Value some;
  };

  /// Which bytes of a step are products; null for all.
  Value existing(Products products) {
    if (!products.some && products.most == 4)
      return {};
    auto type = Emitter::vector(e.i8(), 64);
    SmallVector<Attribute> places;
    for (int64_t i = 0; i < 64; ++i)
      places.push_back(e.getI8IntegerAttr(static_cast<int8_t>(i % 4)));
    Value place =
        arith::ConstantOp::create(e, DenseElementsAttr::get(type, places));
    Value count =
        products.some
            ? e.broadcast(arith::TruncIOp::create(e, e.i8(), products.some),
                          type)
            : e.constantInt(type, products.most);
    return arith::CmpIOp::create(e, arith::CmpIPredicate::slt, place, count);
  }

  /// `products` codes of each of 16 columns, as signed bytes; zero behind them.
  Value codes(Value first, Value k, Products products, Value mask) {
    auto bytes = Emitter::vector(e.i8(), 64);
    Value pointer = e.at(first, e.mul(e.mul(k, 4), g.depth.rhs));
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
        if (product >= products.most) {
          rows.push_back(e.constantInt(row, -128));
          continue;
        }
        Value number = e.index(product);
        // Rows behind the last may lie outside the buffer; the last one stands
        // in for them.
        if (products.some)
          number = e.min(number, e.sub(products.some, e.index(1)));
        Value place = e.at(pointer, e.mul(number, g.depth.rhs));
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
    Value keep = existing(products);
    if (!keep)
      return cell;
    return arith::SelectOp::create(e, keep, cell, e.constantInt(bytes, 0));
  }

  Emitter &e;
  const BatchMatmulGeometry &g;
  const BatchZeroPoints &zeroPoints;
  PanelShape panel;
  Value source, image, starts, ones, left;
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
                   Value source, Value image, Value starts, Value ones,
                   Value left) {
  Packer(e, geometry, zeroPoints, panel, source, image, starts, ones, left)
      .emit();
}

void emitOnes(Emitter &e, const BatchMatmulGeometry &geometry, Value image) {
  auto words = Emitter::vector(e.i32());
  Value depth = e.index(geometry.depth.size);
  e.loop(e.index(0), e.index(geometry.numSteps()), 1, [&](Value step) {
    // The last step may have fewer than four.
    Value left = e.min(e.sub(depth, e.mul(step, 4)), e.index(4));
    Value bits = arith::TruncIOp::create(e, e.i32(), e.mul(left, 8));
    Value all = e.constantInt(e.i32(), 0x01010101);
    Value kept = arith::ShRUIOp::create(
        e, all, arith::SubIOp::create(e, e.constantInt(e.i32(), 32), bits));
    e.store(e.broadcast(kept, words), e.at(image, e.mul(step, 64)), 64);
  });
}

ConstantBlob onesBlob(const BatchMatmulGeometry &geometry) {
  ConstantBlob blob;
  if (SymbolicSizes::isSymbolic(geometry.depth.size))
    return blob;
  blob.size = geometry.numSteps() * 64;
  int64_t depth = geometry.depth.size;
  blob.fill = [depth](MutableArrayRef<char> out) {
    for (auto [at, byte] : llvm::enumerate(out))
      byte = static_cast<int64_t>(at / 64 * 4 + at % 4) < depth;
  };
  return blob;
}

} // namespace qdialect::cpu
