// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element-wise ops with one constant a channel.

#ifndef QDIALECT_TRANSFORMS_PERCHANNEL_H
#define QDIALECT_TRANSFORMS_PERCHANNEL_H

#include "QDialect/Analysis/ChannelDims.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace qdialect {

/// The payload's op of `x` and a constant called `name` with one f32 value of
/// `values` a channel; `channels` are those of `x`.
mlir::linalg::GenericOp applyPerChannel(
    mlir::OpBuilder &builder, mlir::Location loc, mlir::Value x,
    const ChannelDims &channels, llvm::ArrayRef<float> values,
    llvm::StringRef name,
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                   mlir::Value, mlir::Value)>
        payload);

template <class Op>
mlir::linalg::GenericOp
applyPerChannel(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value x,
                const ChannelDims &channels, llvm::ArrayRef<float> values,
                llvm::StringRef name) {
  return applyPerChannel(builder, loc, x, channels, values, name,
                         [](mlir::OpBuilder &inner, mlir::Location where,
                            mlir::Value element,
                            mlir::Value constant) -> mlir::Value {
                           return Op::create(inner, where, element, constant);
                         });
}

/// `x + constant`.
mlir::linalg::GenericOp addPerChannel(mlir::OpBuilder &builder,
                                      mlir::Location loc, mlir::Value x,
                                      const ChannelDims &channels,
                                      llvm::ArrayRef<float> values);

/// The map that reads a constant of one value a channel.
mlir::AffineMap channelMap(mlir::MLIRContext *context, int64_t rank,
                           const ChannelDims &channels);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_PERCHANNEL_H
