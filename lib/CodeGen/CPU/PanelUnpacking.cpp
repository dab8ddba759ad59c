// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Contractions of codes of fewer than eight bits: whether tiles unpack the
// codes in registers, and the function that writes a panel's codes as bytes
// where they do not.

#include "Contraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {

/// What a thread's stack has room for; half of L2.
static constexpr int64_t kMostUnpacked = 512 << 10;

int64_t unpackedBytes(const ContractionGeometry &g, int64_t vectors) {
  return g.numTaps() * g.stepsPerTap() * g.rowBytes(vectors);
}

bool mayUnpackPanel(const ContractionGeometry &g) {
  int64_t channels = std::min<int64_t>(g.groupChannels, 64);
  return !g.image.isPacked() ||
         unpackedBytes(g, (channels + 15) / 16) <= kMostUnpacked;
}

TileShape contractionTile(const CpuTarget &target, const ContractionGeometry &g,
                          int64_t panelVectors, int64_t rows, bool &isPacked) {
  bool pointers = !g.isStrided();
  TileShape ofBytes = DotPolicy::tileShape(target, g.isFloat, panelVectors,
                                           pointers, g.image.isNarrow);
  isPacked = false;
  if (!g.image.isPacked())
    return ofBytes;
  TileShape packed = ofBytes;
  // Unpacking costs as much as a row or two: tall tiles spread it. Up to three
  // of them cost less than writing and reading bytes.
  if (target.hasAvx512() && target.hasDotProduct())
    packed = rows <= 4 ? TileShape{4, panelVectors}
                       : TileShape{pointers ? 8 : 12,
                                   std::min<int64_t>(panelVectors, 2)};
  isPacked = rows <= 3 * packed.rows ||
             unpackedBytes(g, ofBytes.vectors) > kMostUnpacked;
  return isPacked ? packed : ofBytes;
}

LLVM::LLVMFuncOp emitPanelUnpacking(OpBuilder &moduleBuilder, Location loc,
                                    const CpuTarget &target, StringRef name,
                                    const ContractionGeometry &g,
                                    int64_t vectors, int64_t panelVectors,
                                    unsigned firstConstant) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(loc, moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(
      name, {e.ptr(), e.ptr(), e.i64(), e.ptr()}, /*internal=*/true);
  Value args = func.getArgument(0), weights = func.getArgument(1),
        channel = func.getArgument(2), out = func.getArgument(3);
  auto bytes = Emitter::vector(e.i8(), 4 * Emitter::kLanes);
  SmallVector<Value> bases(vectors);
  if (g.image.hasBases()) {
    Value place = e.at(e.argument(args, firstConstant + g.basesConstant()),
                       e.mul(channel, 4));
    for (int64_t j = 0; j < vectors; ++j)
      bases[j] = e.load(bytes, e.at(place, 64 * j), 4);
  }
  int64_t perByte = g.image.perByte(), whole = g.stepsPerTap() / perByte,
          rest = g.stepsPerTap() % perByte, stepBytes = g.rowBytes(vectors);
  auto unpackRow = [&](Value from, Value to, int64_t steps) {
    for (int64_t j = 0; j < vectors; ++j) {
      Value row = e.load(bytes, e.at(from, 64 * j), 64);
      for (int64_t part = 0; part < steps; ++part)
        e.store(g.image.unpack(e, row, part, bases[j]),
                e.at(to, part * stepBytes + 64 * j), 64);
    }
  };
  e.loop(e.index(0), e.index(g.numTaps()), 1, [&](Value tap) {
    int64_t rowBytes = g.rowBytes(panelVectors);
    Value from = e.at(weights, e.mul(tap, g.rowsPerTap() * rowBytes));
    Value to = e.at(out, e.mul(tap, g.stepsPerTap() * stepBytes));
    e.loop(e.index(0), e.index(whole), 1, [&](Value row) {
      unpackRow(e.at(from, e.mul(row, rowBytes)),
                e.at(to, e.mul(row, perByte * stepBytes)), perByte);
    });
    if (rest > 0)
      unpackRow(e.at(from, whole * rowBytes),
                e.at(to, whole * perByte * stepBytes), rest);
  });
  e.ret();
  return func;
}

} // namespace qdialect::cpu
