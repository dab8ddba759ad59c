// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counts what a dispatch does, for predictions (CpuCosts.h).

#include "QDialect/Analysis/ProductSize.h"
#include "QDialect/CodeGen/CPU/CpuCosts.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {

static bool isStatic(TypeRange types) {
  return llvm::all_of(types, [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return !shaped || shaped.hasStaticShape();
  });
}

static double bytesOf(TypeRange types) {
  double bytes = 0;
  for (Type type : types)
    if (auto shaped = dyn_cast<ShapedType>(type)) {
      Type element = shaped.getElementType();
      double bits =
          element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 8;
      bytes += static_cast<double>(shaped.getNumElements()) * bits / 8;
    }
  return bytes;
}

/// Iterations times what the payload does in each.
static double payloadOperations(linalg::LinalgOp op) {
  double iterations = 1;
  for (int64_t range : op.getStaticLoopRanges())
    iterations *= static_cast<double>(range);
  auto inside = op.getBlock()->without_terminator();
  auto count = llvm::count_if(
      inside, [](Operation &inner) { return !isa<arith::ConstantOp>(inner); });
  // A payload without operations still moves its element.
  return iterations * static_cast<double>(std::max<int64_t>(count, 1));
}

std::optional<KernelWork> countWork(qd::DispatchOp dispatch) {
  KernelWork work;
  work.bytes = bytesOf(dispatch->getOperandTypes()) +
               bytesOf(dispatch->getResultTypes());
  for (Operation &op : dispatch.getBody().front()) {
    if (!isStatic(op.getOperandTypes()) || !isStatic(op.getResultTypes()))
      return std::nullopt;
    if (std::optional<ProductSize> size = getProductSize(&op)) {
      (size->isInteger ? work.products : work.floatProducts) +=
          static_cast<double>(size->macs);
    } else if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
      if (!isa<linalg::FillOp>(op))
        work.operations += payloadOperations(linalgOp);
    } else if (!isa<arith::ArithDialect, tensor::TensorDialect>(
                   op.getDialect())) {
      // Row functions: their cost an element is the family's.
      for (Type type : op.getResultTypes())
        if (auto shaped = dyn_cast<ShapedType>(type))
          work.operations += static_cast<double>(shaped.getNumElements());
    }
  }
  return work;
}

} // namespace qdialect
