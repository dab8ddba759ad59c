// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of codes, by the kernels of Numerics. With exact islands scales and
// sums are f64.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/BlockMatmul.h"
#include "Registry.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

/// The numbers that integer codes stand for; only the code's bits are read.
static std::vector<int16_t> numbersOf(const HostTensor &codes,
                                      const Element &element) {
  std::vector<int16_t> numbers(codes.size());
  for (int64_t i = 0; i < codes.size(); ++i)
    numbers[i] = static_cast<int16_t>(element.wrap(codes.asInteger(i)));
  return numbers;
}

static llvm::Expected<Tensors>
interpretBlockMatmul(Operation *op, ArrayRef<HostTensor> operands,
                     const Context &context) {
  auto product = cast<qd::BlockMatmulOp>(op);
  const HostTensor &lhs = operands[0], &lhsScale = operands[1],
                   &rhs = operands[2], &rhsScale = operands[3];
  BlockMatmulShape shape;
  shape.m = lhs.shape()[0];
  shape.k = lhs.shape()[1];
  shape.n = rhs.shape()[1];
  shape.block = static_cast<int64_t>(product.getBlock());
  // Sizes that the types left open.
  int64_t blocks = shape.numBlocks(), columns = lhsScale.shape()[1];
  shape.lhsScaleByBlock = columns == blocks;
  using Sizes = std::vector<int64_t>;
  const Sizes parameters{blocks, shape.n};
  if (rhs.shape()[0] != shape.k || lhsScale.shape()[0] != shape.m ||
      (columns != blocks && columns != 1) || rhsScale.shape() != parameters ||
      (operands.size() > 4 && operands[4].shape() != parameters))
    return opError(op, "has operands of sizes that disagree: " +
                           describe(lhs.type(), lhs.shape()) + " times " +
                           describe(rhs.type(), rhs.shape()));
  auto element = context.element(op, product.getRhs().getType());
  auto real = context.element(op, product.getType());
  if (!element || !real)
    return llvm::joinErrors(element.takeError(), real.takeError());
  std::vector<int16_t> numbers = numbersOf(rhs, *element);
  const int32_t *zero =
      operands.size() > 4 ? operands[4].data<int32_t>() : nullptr;
  HostTensor result(real->memory, {shape.m, shape.n});
  auto run = [&](auto zeroOfType) {
    using Real = decltype(zeroOfType);
    blockMatmul<Real>(shape, lhs.data<int8_t>(), lhsScale.data<Real>(),
                      numbers.data(), rhsScale.data<Real>(), zero,
                      result.mutableData<Real>());
  };
  if (real->memory == DType::F64)
    run(double());
  else
    run(float());
  return Tensors{result};
}

void interp::registerProductOps(Registry &registry) {
  registry.tensorOps["qd.block_matmul"] = interpretBlockMatmul;
}
