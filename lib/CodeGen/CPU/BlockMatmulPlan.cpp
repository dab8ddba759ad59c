// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "block-weights": activations of f32, or of minifloats with one
// scale, times weights that stay packed codes of 2, 4, 6 or 8 bits
// (Analysis/BlockWeights.h), GEMM and GEMV. A panel is 64 channels; its image
// holds for each k the codes of 64 channels, 16 neighbours of a vector in the
// same bits of 16 bytes:
//
//   4 bits: byte i of load l = channel 32 l + i | channel 32 l + 16 + i << 4
//   6 bits: the low 4, then the high 2 of all
//
// Codes become floats in registers, once for all rows of a tile. Sums run over
// a block first and are scaled once:
//
//   acc[r][n] += scale[b][n] * (sum over k in b of x[r][k] * (code - zero))
//
// Addends (of real zero points) are multiplied with the sum of x over a block.

#include "BlockPanels.h"
#include "Emitter.h"
#include "Families.h"
#include "MinifloatLanes.h"
#include "Payload.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// Bits of the codes of a panel that lie together, for one k.
struct CodeStream {
  unsigned first, bits;
  int64_t start; ///< byte among those of k

  int64_t perByte() const { return 8 / bits; }
  int64_t mask() const { return (int64_t(1) << bits) - 1; }
  int64_t byteOf(int64_t vector) const {
    return start + vector / perByte() * Emitter::kLanes;
  }
  int64_t shiftOf(int64_t vector) const { return vector % perByte() * bits; }
};

SmallVector<CodeStream, 2> codeStreams(unsigned bits) {
  if (bits == 6)
    return {{0, 4, 0}, {4, 2, kPanel / 2}};
  return {{0, bits, 0}};
}

/// The packed images: codes [panel][k][8 * bits bytes], scales
/// [panel][block][64] in f32, zero points [panel][block][64] in bytes; addends,
/// if any, like scales.
std::vector<ConstantBlob> packBlockWeights(const BlockWeights &w) {
  int64_t panels = (w.channels + kPanel - 1) / kPanel;
  int64_t bytesOfK = kPanel * w.bits / 8;
  ConstantBlob codes;
  codes.size = panels * w.depth * bytesOfK;
  codes.fill = [=](MutableArrayRef<char> out) {
    std::fill(out.begin(), out.end(), 0);
    for (const CodeStream &stream : codeStreams(w.bits))
      for (int64_t n = 0; n < w.channels; ++n) {
        int64_t inPanel = n % kPanel, vector = inPanel / Emitter::kLanes;
        int64_t byte = stream.byteOf(vector) + inPanel % Emitter::kLanes;
        char *column = out.data() + n / kPanel * w.depth * bytesOfK + byte;
        for (int64_t k = 0; k < w.depth; ++k)
          column[k * bytesOfK] |=
              static_cast<char>((w.code(k, n) >> stream.first & stream.mask())
                                << stream.shiftOf(vector));
      }
  };
  std::vector<ConstantBlob> constants{
      std::move(codes),
      panelParameter<float>(
          w, [w](int64_t b, int64_t n) { return w.scale(b, n); }),
      panelParameter<uint8_t>(
          w, [w](int64_t b, int64_t n) { return w.zero(b, n); })};
  if (w.addends)
    constants.push_back(panelParameter<float>(
        w, [w](int64_t b, int64_t n) { return w.addend(b, n); }));
  return constants;
}

/// The f32 of each byte.
ConstantBlob decodingTable(const DecodedActivations &decoded) {
  ConstantBlob table;
  table.size = 256 * sizeof(float);
  table.fill = [decoded](MutableArrayRef<char> out) {
    for (uint32_t code = 0; code < 256; ++code) {
      float value = decoded.value(code);
      std::memcpy(out.data() + code * sizeof(float), &value, sizeof(float));
    }
  };
  return table;
}

class BlockMatmulPlan : public CpuKernelPlan {
public:
  BlockMatmulPlan(const KernelRegion &source, BlockWeights weights,
                  BlockRows rows)
      : region(source), w(std::move(weights)), rows(rows) {}

  bool init() {
    constants = packBlockWeights(w);
    if (rows.decoded)
      constants.push_back(decodingTable(*rows.decoded));
    std::optional<Epilogue> resolved =
        Epilogue::create(region, constants, w.channels);
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    family = "block-weights";
    weightBits = w.bits;
    panels = (w.channels + kPanel - 1) / kPanel;
    // Panels alone occupy the threads of wide layers.
    chunks = panels >= 16 ? 1 : std::clamp<int64_t>(rows.count / 16, 1, 8);
    numTasks = panels * chunks;
    keyText = family + epilogue.key();
    return true;
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override {
    // Registers: a tile has rows * 4 sums of a block beside as many totals.
    int64_t tall = target.hasAvx512() ? 4 : 1;
    tall = std::min(tall, rows.count);
    int64_t tail = w.channels % kPanel;
    auto tile = [&](int64_t height, int64_t channels) -> LLVM::LLVMFuncOp {
      if (channels == 0 || channels > w.channels)
        return {};
      std::string name =
          (symbol + "_tile" + Twine(height) + "x" + Twine(channels)).str();
      return emitTile(moduleBuilder, target, name, height, channels);
    };
    LLVM::LLVMFuncOp tallWhole = tile(tall, kPanel),
                     tallTail = tile(tall, tail),
                     oneWhole = tall == 1 ? tallWhole : tile(1, kPanel),
                     oneTail = tall == 1 ? tallTail : tile(1, tail);
    OpBuilder::InsertionGuard guard(moduleBuilder);
    Emitter e(region.dispatch.getLoc(), moduleBuilder, target);
    LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                            /*internal=*/false);
    Value args = func.getArgument(0);
    e.loop(func.getArgument(1), func.getArgument(2), 1, [&](Value task) {
      Value panel = e.div(task, chunks), chunk = e.rem(task, chunks);
      Value first = e.div(e.mul(chunk, rows.count), chunks);
      Value end = e.div(e.mul(e.add(chunk, 1), rows.count), chunks);
      Value whole = e.add(first, e.mul(e.div(e.sub(end, first), tall), tall));
      auto walk = [&](LLVM::LLVMFuncOp many, LLVM::LLVMFuncOp one) {
        e.loop(first, whole, tall,
               [&](Value row) { e.call(many, {args, row, panel}); });
        if (tall > 1)
          e.loop(whole, end, 1,
                 [&](Value row) { e.call(one, {args, row, panel}); });
      };
      if (!tallTail)
        return walk(tallWhole, oneWhole);
      if (!tallWhole)
        return walk(tallTail, oneTail);
      e.ifThen(
          e.less(panel, e.index(panels - 1)),
          [&] { walk(tallWhole, oneWhole); }, [&] { walk(tallTail, oneTail); });
    });
    e.ret();
    return success();
  }

private:
  LLVM::LLVMFuncOp emitTile(OpBuilder &moduleBuilder, const CpuTarget &target,
                            StringRef name, int64_t height, int64_t channels);

  KernelRegion region;
  BlockWeights w;
  BlockRows rows;
  Epilogue epilogue;
  int64_t panels = 1, chunks = 1;
};

/// (args, row, panel): `height` rows times the channels of a panel.
class TileEmitter {
public:
  TileEmitter(Emitter &e, const BlockWeights &w, const BlockRows &rows,
              const Epilogue &epilogue, int64_t height, int64_t channels,
              ValueRange arguments)
      : e(e), w(w), rows(rows), epilogue(epilogue), height(height),
        channels(channels),
        vectors((channels + Emitter::kLanes - 1) / Emitter::kLanes),
        args(arguments[0]), row(arguments[1]), panel(arguments[2]) {}

  void emit() {
    unsigned firstConstant = epilogue.region->numInputs() + 1;
    codes = e.at(e.argument(args, firstConstant),
                 e.mul(panel, w.depth * bytesOfK()));
    Value parameters = e.mul(panel, w.numBlocks() * kPanel);
    scales = e.at(e.argument(args, firstConstant + 1), e.mul(parameters, 4));
    zeros = e.at(e.argument(args, firstConstant + 2), parameters);
    if (w.addends)
      addends = e.at(e.argument(args, firstConstant + 3), e.mul(parameters, 4));
    if (rows.decoded)
      table = e.argument(args, firstConstant + (w.addends ? 4 : 3));
    Value first = e.add(e.mul(row, rows.stride), rows.offset);
    input = e.at(e.argument(args, rows.input), e.mul(first, activationBytes()));
    SmallVector<Value> totals(height * vectors, e.constant(floats(), 0));
    totals = e.loopBlocks(w.depth, w.block, totals,
                          [&](Value block, int64_t size, ValueRange carried) {
                            return addBlock(block, size, carried);
                          });
    finish(totals);
    e.ret();
  }

private:
  VectorType floats() { return Emitter::vector(e.f32()); }
  VectorType ints() { return Emitter::vector(e.i32()); }
  int64_t bytesOfK() const { return kPanel * w.bits / 8; }
  int64_t activationBytes() const { return rows.decoded ? 1 : 4; }

  Value bytesAt(Value pointer) {
    Value bytes = e.load(Emitter::vector(e.i8()), pointer);
    return arith::ExtUIOp::create(e, ints(), bytes);
  }

  /// The bits of each vector in a stream of the k at `pointer`.
  SmallVector<Value> streamAt(Value pointer, const CodeStream &stream) {
    SmallVector<Value> result;
    Value bytes;
    for (int64_t v = 0; v < vectors; ++v) {
      int64_t shift = stream.shiftOf(v);
      if (shift == 0)
        bytes = bytesAt(e.at(pointer, stream.byteOf(v)));
      Value code = bytes;
      if (shift != 0)
        code = arith::ShRUIOp::create(e, code, e.constantInt(ints(), shift));
      if (shift + stream.bits != 8)
        code = arith::AndIOp::create(e, code,
                                     e.constantInt(ints(), stream.mask()));
      result.push_back(code);
    }
    return result;
  }

  /// code - zero of each vector at `pointer`, or the minifloats, as floats.
  SmallVector<Value> unpack(Value pointer, ArrayRef<Value> zeroPoints) {
    SmallVector<CodeStream, 2> streams = codeStreams(w.bits);
    SmallVector<Value> result = streamAt(pointer, streams[0]);
    for (const CodeStream &stream : ArrayRef(streams).drop_front())
      for (auto [code, bits] :
           llvm::zip_equal(result, streamAt(pointer, stream)))
        code = arith::OrIOp::create(
            e, code,
            arith::ShLIOp::create(e, bits,
                                  e.constantInt(ints(), stream.first)));
    for (auto [v, code] : llvm::enumerate(result)) {
      if (w.minifloat) {
        code = decodeMinifloats(e, *w.minifloat, code);
        continue;
      }
      Value centred = arith::SubIOp::create(e, code, zeroPoints[v]);
      code = arith::SIToFPOp::create(e, floats(), centred);
    }
    return result;
  }

  /// The activation at `pointer` in all lanes.
  Value activation(Value pointer) {
    if (rows.decoded) {
      Value code = arith::ExtUIOp::create(e, e.i64(), e.load(e.i8(), pointer));
      pointer = e.at(table, e.mul(code, 4));
    }
    return e.broadcast(e.load(e.f32(), pointer, 4), floats());
  }

  Value multiplyAdd(Value a, Value b, Value c) {
    return LLVM::FMulAddOp::create(e, floats(), a, b, c);
  }

  SmallVector<Value> addBlock(Value block, int64_t size, ValueRange totals) {
    Value place = e.mul(block, kPanel);
    SmallVector<Value> zeroPoints;
    for (int64_t v = 0; v < vectors && !w.minifloat; ++v)
      zeroPoints.push_back(
          bytesAt(e.at(e.at(zeros, place), v * Emitter::kLanes)));
    Value firstK = e.mul(block, w.block);
    Value image = e.at(codes, e.mul(firstK, bytesOfK()));
    Value x = e.at(input, e.mul(firstK, activationBytes()));
    // Behind the sums of products, with addends, the sums of x of each row.
    int64_t products = height * vectors;
    SmallVector<Value> start(products + (w.addends ? height : 0),
                             e.constant(floats(), 0));
    SmallVector<Value> sums = e.loop(
        e.index(0), e.index(size), 1, start,
        [&](Value k, ValueRange carried) {
          SmallVector<Value> next(carried.begin(), carried.end());
          SmallVector<Value> weights =
              unpack(e.at(image, e.mul(k, bytesOfK())), zeroPoints);
          Value xk = e.at(x, e.mul(k, activationBytes()));
          for (int64_t r = 0; r < height; ++r) {
            Value factor =
                activation(e.at(xk, r * rows.stride * activationBytes()));
            for (int64_t v = 0; v < vectors; ++v)
              next[r * vectors + v] =
                  multiplyAdd(factor, weights[v], next[r * vectors + v]);
            if (w.addends)
              next[products + r] =
                  arith::AddFOp::create(e, next[products + r], factor);
          }
          return next;
        },
        /*keepRolled=*/true);
    SmallVector<Value> result(totals);
    auto parameter = [&](Value of, int64_t v) {
      return e.load(floats(), e.at(e.at(of, e.mul(place, 4)), v * 64), 4);
    };
    for (int64_t v = 0; v < vectors; ++v) {
      Value scale = parameter(scales, v);
      Value addend = w.addends ? parameter(addends, v) : Value();
      for (int64_t r = 0; r < height; ++r) {
        Value &total = result[r * vectors + v];
        total = multiplyAdd(sums[r * vectors + v], scale, total);
        if (addend)
          total = multiplyAdd(sums[products + r], addend, total);
      }
    }
    return result;
  }

  void finish(ArrayRef<Value> totals) {
    PayloadEmitter payload(e, epilogue, args);
    payload.begin();
    Value column = e.mul(panel, kPanel);
    for (int64_t r = 0; r < height; ++r)
      payload.storeRow(
          Position::at(e, epilogue, e.add(row, r), column), channels,
          [&](int64_t v) { return Lanes::of(totals[r * vectors + v]); });
  }

  Emitter &e;
  const BlockWeights &w;
  const BlockRows &rows;
  const Epilogue &epilogue;
  int64_t height, channels, vectors;
  Value args, row, panel, codes, scales, zeros, addends, table, input;
};

LLVM::LLVMFuncOp BlockMatmulPlan::emitTile(OpBuilder &moduleBuilder,
                                           const CpuTarget &target,
                                           StringRef name, int64_t height,
                                           int64_t channels) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(region.root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(name, {e.ptr(), e.i64(), e.i64()},
                                          /*internal=*/true);
  TileEmitter(e, w, rows, epilogue, height, channels, func.getArguments())
      .emit();
  return func;
}

} // namespace

PlanPtr planBlockMatmul(const KernelRegion &region) {
  std::optional<BlockProduct> product = readBlockProduct(region.root);
  if (!product)
    return nullptr;
  auto plan = std::make_unique<BlockMatmulPlan>(
      region, std::move(product->weights), product->rows);
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
