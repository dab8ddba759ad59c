// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What loops and branches hand on lies in buffers made in front of them:
//
//   scf.for iter_args(%a = %start) { ...; scf.yield %v }
// ->
//   scf.for iter_args(%a = %start) { ...;
//     %0 = bufferization.materialize_in_destination %v in %a; scf.yield %0 }
//
// and likewise for scf.while, and for scf.if with a tensor.empty. Then no
// buffer that a body makes outlives the body, and bufferization finds what it
// asks for: yielded values equivalent to the carried ones.

#include "GenericLowering.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

using namespace mlir;

namespace qdialect::cpu {

/// The tensor that `value` was made from by writing into it. Loops write into
/// what they start with.
static Value writtenInto(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto insert = dyn_cast<tensor::InsertOp>(op))
      value = insert.getDest();
    else if (auto slice = dyn_cast<tensor::InsertSliceOp>(op))
      value = slice.getDest();
    else if (auto loop = dyn_cast<scf::ForOp>(op))
      value = loop.getInitArgs()[cast<OpResult>(value).getResultNumber()];
    else
      break;
  }
  return value;
}

/// Is `value` other memory than that of carried values? Elements that were
/// computed are; what was only passed on or cut out is not.
static bool isComputed(Value value) {
  Operation *op = value.getDefiningOp();
  return op && isa<DestinationStyleOpInterface>(op) &&
         !isa<tensor::InsertSliceOp>(op) && writtenInto(value) == value;
}

/// Replaces each operand of a terminator by itself in the memory of the
/// destination (none where null).
static void handOver(Operation *terminator, ValueRange destinations) {
  OpBuilder b(terminator);
  Location loc = terminator->getLoc();
  SmallVector<OpOperand *> moved;
  SmallVector<Value> sources;
  for (auto [i, destination] : llvm::enumerate(destinations)) {
    OpOperand &operand = terminator->getOpOperand(i);
    Value value = operand.get();
    auto type = dyn_cast<RankedTensorType>(value.getType());
    moved.push_back(nullptr);
    sources.push_back(value);
    if (!type || !destination || writtenInto(value) == destination)
      continue;
    moved.back() = &operand;
    // A carried value may be handed on as another one (a swap): all are read
    // before the first is written.
    if (!isComputed(value))
      sources.back() = bufferization::AllocTensorOp::create(
          b, loc, type, /*dynamic_sizes=*/ValueRange(), /*copy=*/value);
  }
  for (auto [operand, source, destination] :
       llvm::zip_equal(moved, sources, destinations))
    if (operand)
      operand->set(bufferization::MaterializeInDestinationOp::create(
                       b, loc, source, destination)
                       ->getResult(0));
}

void handOverInPlace(ModuleOp module) {
  SmallVector<Operation *> ops;
  module.walk([&](Operation *op) {
    if (isa<scf::ForOp, scf::WhileOp, scf::IfOp>(op))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      handOver(loop.getBody()->getTerminator(), loop.getRegionIterArgs());
      continue;
    }
    if (auto loop = dyn_cast<scf::WhileOp>(op)) {
      handOver(loop.getYieldOp(), loop.getAfterArguments());
      continue;
    }
    if (op->getNumResults() == 0)
      continue;
    OpBuilder b(op);
    SmallVector<Value> destinations;
    for (Type result : op->getResultTypes()) {
      // Import gives branches static types.
      auto type = dyn_cast<RankedTensorType>(result);
      destinations.push_back(
          type && type.hasStaticShape()
              ? tensor::EmptyOp::create(b, op->getLoc(), type.getShape(),
                                        type.getElementType())
                    .getResult()
              : Value());
    }
    for (Region &region : op->getRegions())
      handOver(region.front().getTerminator(), destinations);
  }
}

} // namespace qdialect::cpu
