// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ChannelFlow.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {

/// The dimension of an operand that `loop` indexes alone.
static std::optional<int64_t> plainDim(AffineMap map, unsigned loop) {
  for (auto [dim, expr] : llvm::enumerate(map.getResults()))
    if (auto position = dyn_cast<AffineDimExpr>(expr))
      if (position.getPosition() == loop)
        return dim;
  return std::nullopt;
}

std::optional<ChannelDims> follow(const ChannelDims &channels, AffineMap from,
                                  AffineMap to) {
  ChannelDims result;
  for (auto [dim, size] : llvm::zip(channels.dims, channels.sizes)) {
    auto loop = dyn_cast<AffineDimExpr>(from.getResult(dim));
    std::optional<int64_t> found =
        loop ? plainDim(to, loop.getPosition()) : std::nullopt;
    if (!found)
      return std::nullopt;
    result.dims.push_back(*found);
    result.sizes.push_back(size);
  }
  return result;
}

std::optional<ChannelConstant> channelConstant(OpOperand &operand,
                                               const ChannelDims &channels) {
  std::optional<ConstantView> view = constantView(operand.get());
  if (!view || !operand.get().getDefiningOp<arith::ConstantOp>() ||
      view->dtype != DType::F32)
    return std::nullopt;
  ChannelConstant constant{&operand, {}};
  constant.strides.assign(view->type.getRank(), 0);
  int64_t stride = 1;
  for (int64_t i = static_cast<int64_t>(channels.dims.size()) - 1; i >= 0;
       --i) {
    constant.strides[channels.dims[i]] = stride;
    stride *= channels.sizes[i];
  }
  return constant;
}

std::optional<ChannelDims>
followMove(Operation *op, const ChannelDims &channels, bool forwards) {
  if (op->getNumResults() != 1 || op->getNumOperands() == 0)
    return std::nullopt;
  if (isa<qd::ObserveOp>(op))
    return channels;
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return forwards ? followReshape(channels, op)
                    : followReshapeBack(channels, op);
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    ChannelDims result = channels;
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    for (int64_t &dim : result.dims)
      dim = forwards ? llvm::find(permutation, dim) - permutation.begin()
                     : permutation[dim];
    return result;
  }
  auto from = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
  auto to = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (isa<tensor::PadOp, tensor::ExtractSliceOp>(op)) {
    auto padding = dyn_cast_or_null<FloatAttr>(getConstantPadding(op));
    bool scales = !isa<tensor::PadOp>(op) ||
                  (padding && (padding.getValue().isZero() ||
                               padding.getValue().isInfinity()));
    bool whole = from.getRank() == to.getRank() &&
                 llvm::all_of(channels.dims, [&](int64_t dim) {
                   return from.getDimSize(dim) == to.getDimSize(dim);
                 });
    if (scales && whole)
      return channels;
    return std::nullopt;
  }
  std::optional<ReductionKind> kind = getReductionKind(op);
  if (!kind)
    return std::nullopt;
  auto pool = cast<linalg::LinalgOp>(op);
  // What the combination begins with must stay itself.
  auto init = dyn_cast_or_null<FloatAttr>(
      getSplatValue(pool.getDpsInits()[0]).value_or(Attribute()));
  if (!init || !(*kind == ReductionKind::Sum ? init.getValue().isZero()
                                             : init.getValue().isInfinity()))
    return std::nullopt;
  AffineMap source = pool.getMatchingIndexingMap(pool.getDpsInputOperand(0));
  AffineMap result = pool.getMatchingIndexingMap(pool.getDpsInitOperand(0));
  return forwards ? follow(channels, source, result)
                  : follow(channels, result, source);
}

} // namespace qdialect
