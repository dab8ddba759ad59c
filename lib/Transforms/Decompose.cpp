// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-decompose: softmax, layer_norm, rms_norm, gelu, silu and block_matmul
// (DecomposeBlockMatmul.cpp) become linalg, arith and math ops, step by step as
// Numerics/Reductions.h, FloatFunctions.h and BlockMatmul.h say.
//
//   softmax:    m = rowMax(x);  e = exp(x - m);  e / rowSum(e)
//   layer_norm: d = x - rowSum(x) / n;  v = rowSum(d * d) / n;
//               d * rsqrt(v + epsilon) * gamma + beta
//   rms_norm:   the same with x for d, without beta
//
// math.exp, math.erf, math.tanh and math.rsqrt stay: in this project they mean
// Numerics' sequences, which qd-expand-math spells out.

#include "LinalgEmitter.h"
#include "MathEmitter.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Expand.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_DECOMPOSEPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

/// Emits the functions inside a sequence as math ops instead of taking them
/// apart: the sequences find these overloads before their own templates.
struct NamedMathEmitter : MathEmitter {};

Value exp(NamedMathEmitter &o, Value x) { return o.b.make<math::ExpOp>(x); }
Value erf(NamedMathEmitter &o, Value x) { return o.b.make<math::ErfOp>(x); }
Value tanh(NamedMathEmitter &o, Value x) { return o.b.make<math::TanhOp>(x); }
Value abs(NamedMathEmitter &o, Value x) { return o.b.make<math::AbsFOp>(x); }

} // namespace
} // namespace qdialect

using namespace qdialect;

/// f32 tensors are what the reductions are written for.
static LogicalResult matchF32(Operation *op, PatternRewriter &rewriter) {
  auto type = cast<RankedTensorType>(op->getOperand(0).getType());
  if (!type.getElementType().isF32())
    return rewriter.notifyMatchFailure(op, "not f32");
  return success();
}

template <typename Op>
static Value binary(OpBuilder &b, Location loc, ValueRange arguments) {
  return Op::create(b, loc, arguments[0], arguments[1]);
}

namespace {

struct DecomposeSoftmax : OpRewritePattern<qd::SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::SoftmaxOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(matchF32(op, rewriter)))
      return failure();
    LinalgEmitter emitter(rewriter, op.getLoc());
    Value x = op.getInput();
    auto type = cast<RankedTensorType>(x.getType());
    auto axis = static_cast<unsigned>(op.getAxis());
    AffineMap all = emitter.identity(type.getRank());
    AffineMap row = emitter.without(type.getRank(), axis);

    Value max = emitter.rowMax(x, axis);
    Value exponentials = emitter.elementwise(
        type, {{x, all}, {max, row}},
        [](OpBuilder &b, Location loc, ValueRange arguments) -> Value {
          Value shifted = binary<arith::SubFOp>(b, loc, arguments);
          return math::ExpOp::create(b, loc, shifted);
        });
    Value sum = emitter.rowSum(exponentials, axis);
    Value result = emitter.elementwise(type, {{exponentials, all}, {sum, row}},
                                       binary<arith::DivFOp>);
    result.getDefiningOp()->setDiscardableAttrs(
        op->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// layer_norm and rms_norm.
template <typename Op>
struct DecomposeNorm : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (failed(matchF32(op, rewriter)))
      return failure();
    LinalgEmitter emitter(rewriter, op.getLoc());
    auto axis = static_cast<unsigned>(op.getAxis());
    if (llvm::any_of(op.getType().getShape().drop_front(axis),
                     ShapedType::isDynamic))
      return rewriter.notifyMatchFailure(op, "dynamic normalized dimensions");
    Value x = mergeTrailing(rewriter, op.getLoc(), op.getInput(), axis);
    auto type = cast<RankedTensorType>(x.getType());
    AffineMap all = emitter.identity(type.getRank());
    AffineMap row = emitter.without(type.getRank(), axis);
    auto count = static_cast<float>(type.getDimSize(axis));

    Value centered = x;
    if constexpr (std::is_same_v<Op, qd::LayerNormOp>) {
      Value mean = divide(emitter, emitter.rowSum(x, axis), count);
      centered = emitter.elementwise(type, {{x, all}, {mean, row}},
                                     binary<arith::SubFOp>);
    }
    Value squares = emitter.elementwise(
        type, {{centered, all}, {centered, all}}, binary<arith::MulFOp>);
    Value variance = divide(emitter, emitter.rowSum(squares, axis), count);
    Value beta;
    if constexpr (std::is_same_v<Op, qd::LayerNormOp>)
      beta = op.getBeta();
    Value result =
        normalize(rewriter, emitter, op, centered, variance, beta, axis);
    if (result.getType() != op.getType()) {
      SmallVector<ReassociationIndices> groups =
          trailingGroups(op.getType().getRank(), axis);
      result = tensor::ExpandShapeOp::create(
          rewriter, op.getLoc(), op.getType(), result, groups,
          sizesOf(rewriter, op.getLoc(), op.getInput()));
    }
    result.getDefiningOp()->setDiscardableAttrs(
        op->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  static Value divide(LinalgEmitter &emitter, Value x, float divisor) {
    auto type = cast<RankedTensorType>(x.getType());
    return emitter.elementwise(
        type, {{x, emitter.identity(type.getRank())}},
        [&](OpBuilder &b, Location loc, ValueRange arguments) -> Value {
          Value count =
              arith::ConstantOp::create(b, loc, b.getF32FloatAttr(divisor));
          return arith::DivFOp::create(b, loc, arguments[0], count);
        });
  }

  static Value normalize(OpBuilder &builder, LinalgEmitter &emitter, Op op,
                         Value centered, Value variance, Value beta,
                         unsigned axis) {
    auto type = cast<RankedTensorType>(centered.getType());
    AffineMap column =
        AffineMap::get(type.getRank(), 0, builder.getAffineDimExpr(axis));
    SmallVector<MappedTensor> inputs = {
        {centered, emitter.identity(type.getRank())},
        {variance, emitter.without(type.getRank(), axis)},
        {mergeTrailing(builder, op.getLoc(), op.getGamma(), 0), column}};
    if (beta)
      inputs.push_back({mergeTrailing(builder, op.getLoc(), beta, 0), column});
    return emitter.elementwise(
        type, inputs,
        [&](OpBuilder &b, Location loc, ValueRange arguments) -> Value {
          Value epsilon =
              arith::ConstantOp::create(b, loc, op.getEpsilonAttr());
          Value sum = arith::AddFOp::create(b, loc, arguments[1], epsilon);
          Value factor = math::RsqrtOp::create(b, loc, sum);
          Value y = arith::MulFOp::create(b, loc, arguments[0], factor);
          y = arith::MulFOp::create(b, loc, y, arguments[2]);
          if (arguments.size() > 3)
            y = arith::AddFOp::create(b, loc, y, arguments[3]);
          return y;
        });
  }
};

/// gelu and silu on scalars and vectors; qd-cast-to-linalg's pattern brings
/// tensors here.
template <typename Op, typename Emit>
LogicalResult decomposeElement(Op op, PatternRewriter &rewriter, Emit emit) {
  if (isa<TensorType>(op.getType()))
    return rewriter.notifyMatchFailure(op, "on tensors");
  Type element = getElementTypeOrSelf(op.getType());
  if (element.isF64())
    return rewriter.notifyMatchFailure(op, "wider than f32");
  ElementBuilder builder(rewriter, op.getLoc(), op.getType());
  NamedMathEmitter emitter{{builder}};
  Value y = emit(emitter, builder.toF32(op.getInput()));
  rewriter.replaceOp(op, builder.fromF32(y, element));
  return success();
}

struct DecomposeGelu : OpRewritePattern<qd::GeluOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(qd::GeluOp op,
                                PatternRewriter &rewriter) const override {
    bool usesTanh = op.getApproximate() == qd::GeluApproximation::Tanh;
    return decomposeElement(op, rewriter, [&](NamedMathEmitter &o, Value x) {
      return usesTanh ? sequences::geluTanh(o, x) : sequences::gelu(o, x);
    });
  }
};

struct DecomposeSilu : OpRewritePattern<qd::SiluOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(qd::SiluOp op,
                                PatternRewriter &rewriter) const override {
    return decomposeElement(op, rewriter, [](NamedMathEmitter &o, Value x) {
      return sequences::silu(o, x);
    });
  }
};

struct DecomposePass : qdialect::impl::DecomposePassBase<DecomposePass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateDecomposePatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void qdialect::populateDecomposePatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposeSoftmax, DecomposeNorm<qd::LayerNormOp>,
               DecomposeNorm<qd::RmsNormOp>, DecomposeGelu, DecomposeSilu>(
      patterns.getContext());
  populateFunctionsToLinalgPatterns(patterns);
  populateDecomposeBlockMatmulPatterns(patterns);
  populateDecomposeIntegerPatterns(patterns);
}
