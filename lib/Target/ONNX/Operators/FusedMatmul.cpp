// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// FusedMatMul: MatMul of perhaps transposed matrices, times alpha.

#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// `x` with its last two dimensions exchanged; a vector stays as it is.
Tensor transposedMatrix(GraphBuilder &b, const Tensor &x) {
  if (x.rank() < 2)
    return x;
  SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(x.rank()));
  std::swap(order[x.rank() - 1], order[x.rank() - 2]);
  return b.transpose(x, order);
}

LogicalResult importFusedMatMul(Node &n) {
  Tensor x = n.floatInput(0, "A"), y = n.floatInput(1, "B");
  bool transposeX = n.getInt("transA", 0) != 0,
       transposeY = n.getInt("transB", 0) != 0;
  int64_t batches = n.getInt("transBatchA", 0) | n.getInt("transBatchB", 0);
  float alpha = n.getFloat("alpha", 1.0f);
  if (!n.ok())
    return failure();
  if (batches != 0)
    return n.emitError() << "transposed batch dimensions are not supported";
  if (transposeX)
    x = transposedMatrix(n.b, x);
  if (transposeY)
    y = transposedMatrix(n.b, y);
  FailureOr<Tensor> z = n.delegate("MatMul", 13, {x, y}, {});
  if (failed(z))
    return failure();
  if (alpha == 1.0f)
    return n.result(*z);
  Type type = z->elementType();
  return n.result(n.b.elementwise(
      {*z}, type, [&](OpBuilder &nested, Location at, ValueRange v) -> Value {
        return arith::MulFOp::create(
            nested, at, v[0], GraphBuilder::scalar(nested, at, type, alpha));
      }));
}

} // namespace

void registerFusedMatmulOps(OpRegistry &r) {
  r.onOp(microsoftDomain, "FusedMatMul", 1, importFusedMatMul,
         "without transposed batch dimensions")
      .symbolic();
}

} // namespace qdialect::onnx_import
