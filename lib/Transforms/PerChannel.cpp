// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element-wise ops with one constant a channel (PerChannel.h).

#include "PerChannel.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect {

AffineMap channelMap(MLIRContext *context, int64_t rank,
                     const ChannelDims &channels) {
  SmallVector<AffineExpr> dims;
  for (int64_t dim : channels.dims)
    dims.push_back(getAffineDimExpr(dim, context));
  return AffineMap::get(rank, 0, dims, context);
}

linalg::GenericOp applyPerChannel(
    OpBuilder &builder, Location loc, Value x, const ChannelDims &channels,
    ArrayRef<float> values, StringRef name,
    llvm::function_ref<Value(OpBuilder &, Location, Value, Value)> payload) {
  HostTensor tensor = HostTensor::of<float>(
      DType::F32, {channels.sizes.begin(), channels.sizes.end()}, values.vec());
  Value constant = makeConstant(
      builder, loc, RankedTensorType::get(channels.sizes, builder.getF32Type()),
      name, tensor);
  auto type = cast<RankedTensorType>(x.getType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  Value init = makeEmptyLike(builder, loc, x, type.getElementType());
  return linalg::GenericOp::create(
      builder, loc, TypeRange{type}, ValueRange{x, constant}, ValueRange{init},
      ArrayRef<AffineMap>{
          identity, channelMap(builder.getContext(), type.getRank(), channels),
          identity},
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel),
      [&](OpBuilder &inner, Location where, ValueRange args) {
        linalg::YieldOp::create(inner, where,
                                payload(inner, where, args[0], args[1]));
      });
}

linalg::GenericOp addPerChannel(OpBuilder &builder, Location loc, Value x,
                                const ChannelDims &channels,
                                ArrayRef<float> values) {
  return applyPerChannel<arith::AddFOp>(builder, loc, x, channels, values,
                                        "bias");
}

} // namespace qdialect
