// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Casts whose grids differ from channel to channel, beside ops that move codes:
// which of them leave the channels alone, and where the channels are on the
// other side.

#ifndef QDIALECT_LIB_TRANSFORMS_INDEXEDCASTS_H
#define QDIALECT_LIB_TRANSFORMS_INDEXEDCASTS_H

#include "IntegerizeGrid.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace qdialect {

/// The scales, zero points and blocks of a cast.
struct CastNumbers {
  mlir::Value scales, zeroPoint;
  llvm::SmallVector<int64_t> blockSizes;

  /// Of a qd.quantize or qd.dequantize with one tensor of scales.
  static CastNumbers of(mlir::Operation *cast);
};

/// The grids of `cast` if they differ from index to index, are of integers and
/// lie along dimensions that `op` leaves alone: a pad that does not pad them, a
/// reduction that keeps them where they are.
std::optional<IndexedGrid> gridsKeptBy(mlir::Operation *op,
                                       mlir::Operation *cast);

/// A code for each of the grids, if they differ along one dimension at most.
std::optional<Coefficient> codesByIndex(
    const IndexedGrid &grid,
    llvm::function_ref<std::optional<int64_t>(const CodeGrid &)> codeOf);

/// The numbers of `cast`, which differ along one dimension at most, for the
/// source of `op` (a transpose or a reshape) in place of its result, or the
/// other way round. Nothing if the op regroups that dimension.
std::optional<CastNumbers> moveNumbers(mlir::OpBuilder &builder,
                                       mlir::Operation *op,
                                       mlir::Operation *cast, bool toSource);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_INDEXEDCASTS_H
