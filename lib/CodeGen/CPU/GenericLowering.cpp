// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bufferize, loops, offset binary, llvm.

#include "GenericLowering.h"

#include "QDialect/CodeGen/CPU/KernelPlan.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// table[code] inside a payload: a read of the table at the code's bit pattern.
void expandLookups(ModuleOp module) {
  module.walk([](qd::LookupOp op) {
    if (isa<ShapedType>(op.getType()))
      return;
    OpBuilder builder(op);
    Value index = arith::IndexCastUIOp::create(
        builder, op.getLoc(), builder.getIndexType(), op.getCodes());
    Value entry = tensor::ExtractOp::create(builder, op.getLoc(), op.getTable(),
                                            ValueRange{index});
    op.getResult().replaceAllUsesWith(entry);
    op.erase();
  });
}

/// Concatenations have no bufferization; slices inserted one by one have.
LogicalResult decomposeConcats(ModuleOp module) {
  RewritePatternSet patterns(module.getContext());
  tensor::populateDecomposeTensorConcatPatterns(patterns);
  return applyPatternsGreedily(module, std::move(patterns));
}

/// Is `loop` walked element by element through memory?
bool isContiguous(linalg::LinalgOp op, unsigned loop) {
  bool any = false;
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    if (!map.isFunctionOfDim(loop))
      continue;
    auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
    if (!last || last.getPosition() != loop)
      return false;
    any = true;
  }
  return any;
}

/// Sums walk the result's innermost dimension innermost where all operands lie
/// that way: a loop that vectorizes. Each result is still summed in the order
/// of the reduction loops, so its bits stay.
void interchangeSums(ModuleOp module) {
  SmallVector<linalg::LinalgOp> sums;
  module.walk([&](linalg::LinalgOp op) {
    if (op.getNumReductionLoops() > 0 && op.getNumDpsInits() == 1)
      sums.push_back(op);
  });
  for (linalg::LinalgOp op : sums) {
    AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    if (output.getNumResults() == 0)
      continue;
    auto last = dyn_cast<AffineDimExpr>(output.getResults().back());
    if (!last || last.getPosition() + 1 == op.getNumLoops() ||
        !isContiguous(op, last.getPosition()))
      continue;
    SmallVector<unsigned> order;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      if (loop != last.getPosition())
        order.push_back(loop);
    order.push_back(last.getPosition());
    IRRewriter rewriter(op->getContext());
    rewriter.setInsertionPoint(op);
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (!generic) {
      FailureOr<linalg::GenericOp> made =
          linalg::generalizeNamedOp(rewriter, op);
      if (failed(made))
        continue;
      generic = *made;
    }
    // What cannot be interchanged stays as it is.
    (void)linalg::interchangeGenericOp(rewriter, generic, order);
  }
}

LogicalResult bufferize(ModuleOp module) {
  bufferization::OneShotBufferizationOptions options;
  options.allowUnknownOps = false;
  // linalg.copy becomes loops; memref.copy would call a runtime library.
  options.memCpyFn = [](OpBuilder &builder, Location loc, Value from,
                        Value to) {
    linalg::CopyOp::create(builder, loc, from, to);
    return success();
  };
  bufferization::BufferizationState state;
  return bufferization::runOneShotBufferize(module, options, state);
}

/// No buffer outlives the block that makes it: what a region hands on lies in
/// buffers made outside (HandOver.cpp).
void freeBuffers(ModuleOp module) {
  module.walk([](memref::AllocOp alloc) {
    OpBuilder builder(alloc->getBlock()->getTerminator());
    memref::DeallocOp::create(builder, alloc.getLoc(), alloc);
  });
}

/// Codes are xor 0x80 in memory, everywhere: arguments, constants and
/// temporaries alike, so that copies need no care.
void flipCodes(ModuleOp module) {
  auto flip = [](OpBuilder &builder, Location loc, Value code) -> Value {
    Value sign =
        arith::ConstantIntOp::create(builder, loc, builder.getI8Type(), -128);
    return arith::XOrIOp::create(builder, loc, code, sign);
  };
  module.walk([&](Operation *op) {
    OpBuilder builder(op);
    if (auto load = dyn_cast<memref::LoadOp>(op)) {
      if (!load.getType().isInteger(8))
        return;
      builder.setInsertionPointAfter(op);
      Value code = flip(builder, op->getLoc(), load);
      load.getResult().replaceAllUsesExcept(code, code.getDefiningOp());
    } else if (auto store = dyn_cast<memref::StoreOp>(op)) {
      if (store.getValueToStore().getType().isInteger(8))
        store.getValueMutable().assign(
            flip(builder, op->getLoc(), store.getValueToStore()));
    }
  });
}

} // namespace

LogicalResult decomposeGenericModule(ModuleOp module) {
  PassManager prepare(module.getContext());
  prepare.addPass(createDecomposePass());
  prepare.addPass(createCastToLinalgPass());
  return prepare.run(module);
}

LogicalResult lowerGenericModule(ModuleOp module) {
  MLIRContext *context = module.getContext();
  // Blocks of weights were left to kernels that take the codes as long as these
  // were constants.
  PassManager casts(context);
  casts.addPass(createCastToLinalgPass());
  if (failed(casts.run(module)))
    return failure();
  expandLookups(module);
  if (failed(decomposeConcats(module)))
    return failure();
  handOverInPlace(module);
  if (failed(bufferize(module)))
    return failure();
  freeBuffers(module);
  interchangeSums(module);

  PassManager loops(context);
  loops.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  if (failed(loops.run(module)))
    return failure();
  flipCodes(module);

  PassManager lower(context);
  lower.addPass(createExpandOpsPass());
  lower.addPass(createExpandMathPass());
  lower.addPass(createLowerAlphabetsPass());
  lower.addPass(memref::createExpandStridedMetadataPass());
  lower.addPass(createLowerAffinePass());
  lower.addPass(createFinalizeMemRefToLLVMConversionPass());
  addKernelLoweringPasses(lower);
  return lower.run(module);
}

} // namespace qdialect::cpu
