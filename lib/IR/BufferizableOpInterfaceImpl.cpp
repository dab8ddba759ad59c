// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bufferization of qd.storage_cast: the result is the operand's buffer seen
// with another element type. It neither reads nor writes, so one-shot
// bufferization inserts no copy around it, and the cast stays as a cast of
// memrefs until qd-lower-alphabets makes its two types equal.

#include "QDialect/IR/BufferizableOpInterfaceImpl.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace qdialect;

namespace {

struct StorageCastBufferization
    : BufferizableOpInterface::ExternalModel<StorageCastBufferization,
                                             qd::StorageCastOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const bufferization::AnalysisState &) const {
    return false;
  }

  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const bufferization::AnalysisState &) const {
    return false;
  }

  AliasingValueList
  getAliasingValues(Operation *op, OpOperand &,
                    const bufferization::AnalysisState &) const {
    return {{op->getResult(0), BufferRelation::Equivalent}};
  }

  FailureOr<BufferLikeType>
  getBufferType(Operation *op, Value value, const BufferizationOptions &options,
                const BufferizationState &state,
                SmallVector<Value> &invocationStack) const {
    FailureOr<BufferLikeType> source =
        bufferization::getBufferType(cast<qd::StorageCastOp>(op).getInput(),
                                     options, state, invocationStack);
    if (failed(source))
      return failure();
    return cast<BufferLikeType>(withElementType(
        cast<BaseMemRefType>(*source), getElementTypeOrSelf(value.getType())));
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto castOp = cast<qd::StorageCastOp>(op);
    FailureOr<Value> buffer =
        getBuffer(rewriter, castOp.getInput(), options, state);
    if (failed(buffer))
      return failure();
    replaceOpWithNewBufferizedOp<qd::StorageCastOp>(
        rewriter, op,
        withElementType(cast<BaseMemRefType>((*buffer).getType()),
                        getElementTypeOrSelf(castOp.getType())),
        *buffer);
    return success();
  }

  /// The same memref, layout and memory space included, of another element.
  static Type withElementType(BaseMemRefType type, Type elementType) {
    if (auto ranked = dyn_cast<MemRefType>(type))
      return MemRefType::get(ranked.getShape(), elementType, ranked.getLayout(),
                             ranked.getMemorySpace());
    return UnrankedMemRefType::get(elementType, type.getMemorySpace());
  }
};

} // namespace

void qd::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, qd::QDDialect *) {
    qd::StorageCastOp::attachInterface<StorageCastBufferization>(*context);
  });
}
