// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights whose differences to their zero point do not fit i8 keep their codes:
//
//   sum a * (w - zw)  =  sum a * w  -  zw * sum a
//
// The second sum is the same contraction with one output channel (a group) of
// ones, so it costs one channel, and the subtraction joins the epilogue.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {
namespace {

Value makeOnes(OpBuilder &builder, Location loc, ArrayRef<int64_t> shape) {
  HostTensor ones(DType::I8, std::vector<int64_t>(shape.begin(), shape.end()));
  std::fill_n(ones.mutableData<int8_t>(), ones.size(), 1);
  return makeConstant(builder, loc,
                      RankedTensorType::get(shape, builder.getI8Type()), "ones",
                      std::move(ones));
}

} // namespace

ElementwiseInput sumActivations(IntegerizeContext &context, linalg::LinalgOp op,
                                const ContractionStructure &s,
                                const CodeBytes &activation) {
  OpBuilder &builder = context.builder;
  Location loc = op.getLoc();
  auto weights =
      cast<RankedTensorType>(op->getOperand(s.weightOperand).getType());
  auto output = cast<RankedTensorType>(op->getResult(0).getType());
  SmallVector<int64_t> onesShape(weights.getShape());
  SmallVector<OpFoldResult> sumSizes =
      sizesOf(builder, loc, op.getDpsInits()[0]);
  SmallVector<unsigned> kept =
      llvm::to_vector<6>(llvm::seq<unsigned>(output.getRank()));
  for (unsigned loop : s.outputChannel) {
    onesShape[*s.weightDim(loop)] = 1;
    sumSizes[*s.outputDim(loop)] = builder.getIndexAttr(1);
    llvm::erase(kept, *s.outputDim(loop));
  }
  SmallVector<Value> operands(3);
  operands[s.activationOperand] = activation.codes;
  operands[s.weightOperand] = makeOnes(builder, loc, onesShape);
  operands[2] = makeZeroSums(builder, loc, sumSizes);
  Operation *integer = retypeLinalg(builder, op, operands);
  const CodeGrid &grid = activation.grid;
  integer->setAttr(qd::kAccBoundAttr, builder.getDenseI64ArrayAttr(
                                          {s.reductionSize() * grid.min,
                                           s.reductionSize() * grid.max}));
  Value sums = dropUnitDims(builder, loc, integer->getResult(0), kept);

  SmallVector<AffineExpr> read;
  for (unsigned dim : kept)
    read.push_back(builder.getAffineDimExpr(dim));
  return {sums,
          AffineMap::get(output.getRank(), 0, read, builder.getContext())};
}

Value subtractWeightZeroPoint(IntegerizeContext &context, linalg::LinalgOp op,
                              const ContractionStructure &s,
                              const CodeBytes &activation, Value accumulator,
                              const Coefficient &zero) {
  OpBuilder &builder = context.builder;
  Location loc = op.getLoc();
  auto output = cast<RankedTensorType>(op->getResult(0).getType());
  unsigned rank = output.getRank();
  SmallVector<ElementwiseInput> inputs{
      {accumulator, builder.getMultiDimIdentityMap(rank)},
      sumActivations(context, op, s, activation)};
  PayloadConstant factor(context, loc, zero, builder.getI32Type(), rank,
                         inputs);
  return makeElementwise(
             builder, loc, output.clone(builder.getI32Type()), inputs,
             [&](OpBuilder &b, Location l, ValueRange args) -> Value {
               Value product =
                   arith::MulIOp::create(b, l, args[1], factor.get(b, l, args));
               return arith::SubIOp::create(b, l, args[0], product);
             })
      .getResult(0);
}

} // namespace qdialect
