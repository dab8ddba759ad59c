// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-cast-to-linalg: casts, look-ups and element-wise functions on tensors
// become linalg.generic ops with the scalar form as their payload.
//
//   qd.quantize %x scale %s ... block_sizes = [0, 32]
//     : tensor<4x64xf32>, tensor<1x2xf32> -> tensor<4x64xi8>
// ->
//   %c = tensor.collapse_shape %s : tensor<1x2xf32> into tensor<2xf32>
//   linalg.generic ins(%x, %c) maps (d0, d1) and (d1 floordiv 32) {
//     qd.quantize %a scale %b ... : f32, f32 -> i8 }
//
// A parameter's dimensions of size 1 are broadcast and therefore collapsed
// away; a group index is read in the payload, because no affine map can.

#include "QDialect/Analysis/BlockWeights.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/Transforms/Expand.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace qdialect {
#define GEN_PASS_DEF_CASTTOLINALGPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;

namespace {

/// A scale, zero point, multiplier or shift as an operand of linalg.generic.
struct Parameter {
  Value value;
  AffineMap map;
  /// One loop (and block size) for each dimension that was kept.
  SmallVector<unsigned> loops;
};

/// The inputs of a linalg.generic and what its payload makes of them.
class Elementwise {
public:
  Elementwise(Operation *op, PatternRewriter &rewriter)
      : op(op), rewriter(rewriter),
        resultType(cast<RankedTensorType>(op->getResult(0).getType())) {}

  MLIRContext *context() { return rewriter.getContext(); }
  unsigned rank() { return resultType.getRank(); }

  void add(Value value, AffineMap map) {
    inputs.push_back(value);
    maps.push_back(map);
  }
  void addIdentity(Value value) {
    add(value, rewriter.getMultiDimIdentityMap(rank()));
  }

  /// Replaces the op; `payload` gets one scalar for each input.
  void replace(
      llvm::function_ref<Value(OpBuilder &, Location, ValueRange)> payload) {
    Location loc = op->getLoc();
    Value init = makeEmptyLike(rewriter, loc, op->getOperand(0),
                               resultType.getElementType());
    maps.push_back(rewriter.getMultiDimIdentityMap(rank()));
    SmallVector<utils::IteratorType> iterators(rank(),
                                               utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        rewriter, loc, resultType, inputs, init, maps, iterators,
        [&](OpBuilder &builder, Location loc, ValueRange arguments) {
          Value result = payload(builder, loc, arguments.drop_back());
          linalg::YieldOp::create(builder, loc, result);
        });
    generic->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, generic.getResults());
  }

private:
  Operation *op;
  PatternRewriter &rewriter;
  RankedTensorType resultType;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
};

} // namespace

/// `value` with another shape of as many elements; a constant stays one.
static Value collapseTo(OpBuilder &builder, Location loc, Value value,
                        RankedTensorType type) {
  if (value.getType() == type)
    return value;
  if (auto constant = value.getDefiningOp<arith::ConstantOp>()) {
    if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue()))
      return arith::ConstantOp::create(builder, loc, dense.reshape(type));
    if (auto resource =
            dyn_cast<DenseResourceElementsAttr>(constant.getValue()))
      return arith::ConstantOp::create(
          builder, loc,
          DenseResourceElementsAttr::get(type, resource.getRawHandle()));
  }
  auto from = cast<RankedTensorType>(value.getType());
  std::optional<SmallVector<ReassociationIndices>> groups =
      getReassociationIndicesForCollapse(from.getShape(), type.getShape());
  assert(groups && "only unit dimensions vanish");
  return tensor::CollapseShapeOp::create(builder, loc, type, value, *groups);
}

/// Where the element of a parameter lies for each iteration.
static Parameter mapParameter(OpBuilder &builder, Location loc, Value value,
                              ArrayRef<int64_t> blockSizes, unsigned rank) {
  auto type = cast<RankedTensorType>(value.getType());
  Parameter parameter;
  SmallVector<int64_t> shape;
  SmallVector<AffineExpr> results;
  for (auto [loop, size] : llvm::enumerate(type.getShape())) {
    if (size == 1)
      continue;
    AffineExpr position = builder.getAffineDimExpr(loop);
    results.push_back(
        blockSizes[loop] == 1 ? position : position.floorDiv(blockSizes[loop]));
    parameter.loops.push_back(loop);
    shape.push_back(size);
  }
  parameter.value = collapseTo(
      builder, loc, value, RankedTensorType::get(shape, type.getElementType()));
  parameter.map = AffineMap::get(rank, 0, results, builder.getContext());
  return parameter;
}

namespace {

/// Reads parameters in a payload: those with a map are inputs of the generic
/// op, those under a group index are extracted.
class ParameterReader {
public:
  ParameterReader(Elementwise &elementwise, OpBuilder &builder, Location loc,
                  ArrayRef<int64_t> blockSizes, Value groupIndex)
      : elementwise(elementwise), blockSizes(blockSizes) {
    if (!groupIndex)
      return;
    for (auto [loop, size] : llvm::enumerate(blockSizes))
      if (size > 1)
        groupedLoop = loop;
    isVerified = matchPattern(groupIndex, m_Constant());
    elementwise.add(groupIndex,
                    AffineMap::get(elementwise.rank(), 0,
                                   builder.getAffineDimExpr(*groupedLoop)));
    position = 1;
  }

  void add(OpBuilder &builder, Location loc, Value value) {
    Parameter parameter =
        mapParameter(builder, loc, value, blockSizes, elementwise.rank());
    if (!isGrouped(parameter))
      elementwise.add(parameter.value, parameter.map);
    parameters.push_back(parameter);
  }

  /// The scalars of all parameters in order; `arguments` are those that this
  /// reader added.
  SmallVector<Value> read(OpBuilder &builder, Location loc,
                          ValueRange arguments) {
    Value group;
    if (groupedLoop)
      group = arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                         arguments.front());
    size_t next = position;
    SmallVector<Value> scalars;
    for (const Parameter &parameter : parameters)
      scalars.push_back(isGrouped(parameter)
                            ? extract(builder, loc, parameter, group)
                            : arguments[next++]);
    return scalars;
  }

private:
  bool isGrouped(const Parameter &parameter) const {
    return groupedLoop && llvm::is_contained(parameter.loops, *groupedLoop);
  }

  Value extract(OpBuilder &builder, Location loc, const Parameter &parameter,
                Value group) {
    SmallVector<Value> indices;
    for (auto [axis, loop] : llvm::enumerate(parameter.loops))
      indices.push_back(loop == *groupedLoop
                            ? blockOf(builder, loc, parameter, axis, group)
                            : linalg::IndexOp::create(builder, loc, loop));
    return tensor::ExtractOp::create(builder, loc, parameter.value, indices);
  }

  /// The block nearest to what the index says: a number from the run may be
  /// anything, and memory outside of the parameter is not read.
  Value blockOf(OpBuilder &builder, Location loc, const Parameter &parameter,
                int64_t axis, Value group) {
    if (isVerified)
      return group;
    auto number = [&](int64_t value) {
      return arith::ConstantIndexOp::create(builder, loc, value);
    };
    Value blocks = getValueOrCreateConstantIndexOp(
        builder, loc,
        tensor::getMixedSize(builder, loc, parameter.value, axis));
    Value last = arith::SubIOp::create(builder, loc, blocks, number(1));
    group = arith::MaxSIOp::create(builder, loc, group, number(0));
    return arith::MinSIOp::create(builder, loc, group, last);
  }

  Elementwise &elementwise;
  ArrayRef<int64_t> blockSizes;
  std::optional<unsigned> groupedLoop;
  bool isVerified = false; ///< a constant index, which the op's verifier checks
  size_t position = 0;
  SmallVector<Parameter> parameters;
};

template <typename Op>
LogicalResult matchTensor(Op op, PatternRewriter &rewriter) {
  if (!isa<RankedTensorType>(op.getType()))
    return rewriter.notifyMatchFailure(op, "not on tensors");
  return success();
}

template <typename Op>
LogicalResult matchRounding(Op op, PatternRewriter &rewriter) {
  if (op.getRounding() == qd::Rounding::Stochastic)
    return rewriter.notifyMatchFailure(op, "stochastic rounding");
  return matchTensor(op, rewriter);
}

/// The operands between the input and the group index are the parameters.
template <typename Op>
SmallVector<Value> getParameters(Op op) {
  SmallVector<Value> parameters(op.getScales());
  if (op.getZeroPoint())
    parameters.push_back(op.getZeroPoint());
  return parameters;
}
SmallVector<Value> getParameters(qd::RequantizeOp op) {
  return SmallVector<Value>(op->getOperands().drop_front());
}
SmallVector<Value> getParameters(qd::RescaleOp op) {
  return SmallVector<Value>(op->getOperands().drop_front());
}

/// The scalar op of the payload from the scalars of input and parameters.
Value makeScalar(OpBuilder &b, Location loc, qd::QuantizeOp op, Value input,
                 ArrayRef<Value> parameters) {
  size_t numScales = op.getScales().size();
  Value zeroPoint = op.getZeroPoint() ? parameters.back() : Value();
  return qd::QuantizeOp::create(
      b, loc, getElementTypeOrSelf(op.getType()), input,
      parameters.take_front(numScales), zeroPoint, /*group_index=*/Value(),
      op.getRounding(), op.getOverflow(), /*block_sizes=*/ArrayRef<int64_t>(),
      op.getZeroPointDomain(), /*seed=*/IntegerAttr());
}
Value makeScalar(OpBuilder &b, Location loc, qd::DequantizeOp op, Value input,
                 ArrayRef<Value> parameters) {
  size_t numScales = op.getScales().size();
  Value zeroPoint = op.getZeroPoint() ? parameters.back() : Value();
  return qd::DequantizeOp::create(
      b, loc, getElementTypeOrSelf(op.getType()), input,
      parameters.take_front(numScales), zeroPoint, /*group_index=*/Value(),
      /*block_sizes=*/ArrayRef<int64_t>(), op.getZeroPointDomain());
}
Value makeScalar(OpBuilder &b, Location loc, qd::RequantizeOp op, Value input,
                 ArrayRef<Value> parameters) {
  return qd::RequantizeOp::create(b, loc, getElementTypeOrSelf(op.getType()),
                                  input, parameters[0],
                                  op.getZeroPoint() ? parameters[1] : Value(),
                                  op.getRounding(), op.getOverflow());
}
Value makeScalar(OpBuilder &b, Location loc, qd::RescaleOp op, Value input,
                 ArrayRef<Value> parameters) {
  return qd::RescaleOp::create(b, loc, getElementTypeOrSelf(op.getType()),
                               input, parameters[0], parameters[1],
                               op.getZeroPoint() ? parameters[2] : Value(),
                               op.getRounding(), op.getOverflow());
}

template <typename Op>
void rewriteCast(Op op, Value groupIndex, PatternRewriter &rewriter) {
  Elementwise elementwise(op, rewriter);
  elementwise.addIdentity(op.getInput());
  ParameterReader reader(elementwise, rewriter, op.getLoc(), op.getBlockSizes(),
                         groupIndex);
  for (Value parameter : getParameters(op))
    reader.add(rewriter, op.getLoc(), parameter);
  elementwise.replace([&](OpBuilder &b, Location loc, ValueRange arguments) {
    SmallVector<Value> scalars = reader.read(b, loc, arguments.drop_front());
    return makeScalar(b, loc, op, arguments.front(), scalars);
  });
}

struct QuantizeToLinalg : OpRewritePattern<qd::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(qd::QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(matchRounding(op, rewriter)))
      return failure();
    rewriteCast(op, op.getGroupIndex(), rewriter);
    return success();
  }
};

struct DequantizeToLinalg : OpRewritePattern<qd::DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(qd::DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(matchTensor(op, rewriter)))
      return failure();
    if (makesBlockWeights(op))
      return rewriter.notifyMatchFailure(op, "a kernel takes the codes");
    rewriteCast(op, op.getGroupIndex(), rewriter);
    return success();
  }
};

/// requantize and rescale, which have no group index.
template <typename Op>
struct RescalingToLinalg : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (failed(matchRounding(op, rewriter)))
      return failure();
    rewriteCast(op, Value(), rewriter);
    return success();
  }
};

/// gelu, silu, lookup and storage_cast: functions of the elements of their
/// first operand.
template <typename Op>
struct FunctionToLinalg : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (failed(matchTensor(op, rewriter)))
      return failure();
    Elementwise elementwise(op, rewriter);
    elementwise.addIdentity(op->getOperand(0));
    elementwise.replace([&](OpBuilder &b, Location, ValueRange arguments) {
      IRMapping mapping;
      mapping.map(op->getOperand(0), arguments.front());
      Operation *scalar = b.clone(*op, mapping);
      scalar->setDiscardableAttrs(DictionaryAttr::get(b.getContext()));
      scalar->getResult(0).setType(getElementTypeOrSelf(op.getType()));
      return scalar->getResult(0);
    });
    return success();
  }
};

struct CastToLinalgPass
    : qdialect::impl::CastToLinalgPassBase<CastToLinalgPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateCastToLinalgPatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void qdialect::populateFunctionsToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<FunctionToLinalg<qd::GeluOp>, FunctionToLinalg<qd::SiluOp>>(
      patterns.getContext());
}

void qdialect::populateCastToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<QuantizeToLinalg, DequantizeToLinalg,
               RescalingToLinalg<qd::RequantizeOp>,
               RescalingToLinalg<qd::RescaleOp>, FunctionToLinalg<qd::LookupOp>,
               FunctionToLinalg<qd::StorageCastOp>>(patterns.getContext());
  populateFunctionsToLinalgPatterns(patterns);
  populateIntegerCurvesToLinalgPatterns(patterns);
  populateChooseParamsToLinalgPatterns(patterns);
}
