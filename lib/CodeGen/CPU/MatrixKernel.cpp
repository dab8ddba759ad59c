// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The micro-kernel of contractions on the matrix unit: the shared loop and the
// epilogue of a pixel.

#include "MatrixTiles.h"

using namespace mlir;

namespace qdialect::cpu {

LLVM::LLVMFuncOp emitMatrixKernel(OpBuilder &moduleBuilder,
                                  const CpuTarget &target, StringRef name,
                                  const MatrixTiling &tiling,
                                  const Epilogue &epilogue, MatrixKernel shape,
                                  unsigned firstConstant) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(epilogue.region->root->getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(
      name, {e.ptr(), e.ptr(), e.ptr(), e.i64(), e.i64(), e.i64()},
      /*internal=*/true);
  Value args = func.getArgument(0), firstPixel = func.getArgument(3),
        channel = func.getArgument(5);
  MatrixOperands operands;
  operands.rows = func.getArgument(1);
  operands.rowStride = e.index(tiling.rowStride);
  operands.numRows = func.getArgument(4);
  operands.image = func.getArgument(2);
  operands.starts =
      e.at(e.argument(args, firstConstant + 1), e.mul(channel, 4));
  operands.vectors = shape.vectors;
  // Panels follow each other, and behind the last one the constants of the next
  // kernels. Those that are unpacked are read before; few rows leave no time.
  if (!shape.isUnpacked && tiling.shape.rowTiles > 2)
    operands.nextImage =
        e.at(operands.image,
             tiling.shape.steps * tiling.shape.blocks * 64 * shape.vectors);
  PayloadEmitter payload(e, epilogue, args);
  payload.standAmongTiles();
  payload.begin();
  payload.readColumns(channel, shape.channels);
  auto type = Emitter::vector(e.i32());
  emitMatrixLoop(e, tiling.shape, operands, [&](Value row, Value sums) {
    payload.storeRow(Position::at(e, epilogue, e.add(firstPixel, row), channel),
                     shape.channels, [&](int64_t v) {
                       return Lanes::of(e.load(type, e.at(sums, 64 * v), 64));
                     });
  });
  e.ret();
  return func;
}

} // namespace qdialect::cpu
