// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See IndexedCasts.h.

#include "IndexedCasts.h"
#include "QDialect/Analysis/LinalgQueries.h"

#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;

namespace qdialect {

CastNumbers CastNumbers::of(Operation *cast) {
  auto read = [](auto op) {
    return CastNumbers{op.getScales()[0], op.getZeroPoint(),
                       SmallVector<int64_t>(op.getBlockSizes())};
  };
  if (auto quantize = dyn_cast<qd::QuantizeOp>(cast))
    return read(quantize);
  return read(mlir::cast<qd::DequantizeOp>(cast));
}

/// The dimensions along which a cast lists numbers.
static SmallVector<unsigned> listedDims(const CastNumbers &numbers) {
  SmallVector<unsigned> dims;
  for (Value list : {numbers.scales, numbers.zeroPoint})
    if (list)
      for (auto [dim, count] :
           llvm::enumerate(cast<RankedTensorType>(list.getType()).getShape()))
        if (count != 1 && !llvm::is_contained(dims, dim))
          dims.push_back(dim);
  return dims;
}

static bool keepsDim(Operation *op, unsigned dim) {
  if (auto pad = dyn_cast<tensor::PadOp>(op))
    return pad.getStaticLow()[dim] == 0 && pad.getStaticHigh()[dim] == 0;
  auto reduction = dyn_cast<linalg::LinalgOp>(op);
  if (!reduction)
    return false;
  AffineMap from = reduction.getMatchingIndexingMap(&op->getOpOperand(0)),
            to = reduction.getMatchingIndexingMap(
                reduction.getDpsInitOperand(0));
  return from.getNumResults() == to.getNumResults() &&
         from.getResult(dim) == to.getResult(dim) &&
         isa<AffineDimExpr>(from.getResult(dim));
}

std::optional<IndexedGrid> gridsKeptBy(Operation *op, Operation *cast) {
  int64_t rank =
      mlir::cast<RankedTensorType>(cast->getResult(0).getType()).getRank();
  std::optional<IndexedGrid> grid = getIndexedGrid(
      cast, AffineMap::getMultiDimIdentityMap(rank, op->getContext()));
  if (!grid || !grid->codes.alphabet.isSignlessInteger() ||
      !llvm::all_of(listedDims(CastNumbers::of(cast)),
                    [&](unsigned dim) { return keepsDim(op, dim); }))
    return std::nullopt;
  return grid;
}

std::optional<Coefficient> codesByIndex(
    const IndexedGrid &grid,
    llvm::function_ref<std::optional<int64_t>(const CodeGrid &)> codeOf) {
  Coefficient codes =
      combine(grid.scale, grid.zeroPoint, [&](double scale, double zero) {
        CodeGrid one = grid.codes;
        one.scale = static_cast<float>(scale);
        one.zeroPoint = static_cast<int32_t>(zero);
        std::optional<int64_t> code = codeOf(one);
        return code ? static_cast<double>(*code) : NAN;
      });
  if (!codes.allOf([](double code) { return !std::isnan(code); }))
    return std::nullopt;
  if (codes.isExactly(codes.values[0]))
    return Coefficient::scalar(codes.values[0]);
  if (codes.dims.size() != 1)
    return std::nullopt;
  return codes;
}

/// Where dimension `dim` of the result of `op`, or of its source, is on the
/// other side.
static std::optional<unsigned> movedDim(Operation *op, unsigned dim,
                                        bool toSource) {
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    return toSource ? permutation[dim]
                    : llvm::find(permutation, dim) - permutation.begin();
  }
  if (isCopy(op)) {
    AffineMap read = cast<linalg::GenericOp>(op).getIndexingMapsArray()[0];
    if (!toSource)
      return read.getDimPosition(dim);
    std::optional<unsigned> source =
        read.getResultPosition(getAffineDimExpr(dim, op->getContext()));
    return source;
  }
  bool expands = isa<tensor::ExpandShapeOp>(op);
  if (!expands && !isa<tensor::CollapseShapeOp>(op))
    return std::nullopt;
  SmallVector<ReassociationIndices, 4> groups =
      expands ? cast<tensor::ExpandShapeOp>(op).getReassociationIndices()
              : cast<tensor::CollapseShapeOp>(op).getReassociationIndices();
  auto shapeOf = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getShape();
  };
  auto one = shapeOf(op->getOperand(0)), other = shapeOf(op->getResult(0));
  ArrayRef<int64_t> longer = expands ? other : one,
                    shorter = expands ? one : other;
  bool fromLonger = expands == toSource;
  for (auto [group, members] : llvm::enumerate(groups))
    for (int64_t member : members)
      if (longer[member] == shorter[group] &&
          (fromLonger ? member == dim : group == dim))
        return fromLonger ? group : member;
  return std::nullopt;
}

std::optional<CastNumbers> moveNumbers(OpBuilder &builder, Operation *op,
                                       Operation *cast, bool toSource) {
  CastNumbers numbers = CastNumbers::of(cast);
  SmallVector<unsigned> dims = listedDims(numbers);
  if (dims.size() != 1)
    return std::nullopt;
  std::optional<unsigned> dim = movedDim(op, dims[0], toSource);
  if (!dim)
    return std::nullopt;
  Value side = toSource ? op->getOperand(0) : op->getResult(0);
  int64_t rank = mlir::cast<RankedTensorType>(side.getType()).getRank();
  for (Value *list : {&numbers.scales, &numbers.zeroPoint}) {
    if (!*list)
      continue;
    std::optional<ConstantView> view = constantView(*list);
    if (!view)
      return std::nullopt;
    SmallVector<int64_t> shape(rank, 1);
    shape[*dim] = view->numElements();
    // One dimension is longer than one: the order stays.
    HostTensor moved(view->dtype, {shape.begin(), shape.end()});
    std::memcpy(moved.mutableBytes(), view->toHostTensor().bytes(),
                moved.sizeInBytes());
    *list =
        makeConstant(builder, op->getLoc(),
                     RankedTensorType::get(shape, getElementTypeOrSelf(*list)),
                     "grid", std::move(moved));
  }
  numbers.blockSizes.assign(rank, 0);
  numbers.blockSizes[*dim] = 1;
  return numbers;
}

} // namespace qdialect
