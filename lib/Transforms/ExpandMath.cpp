// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-expand-math: f32 functions become the fixed sequences of IEEE operations
// of Numerics/FloatFunctions.h, so that no math library decides their bits.
//
//   %y = math.exp %x : vector<16xf32>
// ->
//   %n = math.fma %x, %log2e, %magic; ...; %y = arith.mulf %p, %power
//
// The sequences are written once, as templates; here they are only emitted.

#include "MathEmitter.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/FloatPower.h"
#include "QDialect/Transforms/Expand.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace qdialect {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;

namespace {

using Sequence = Value (*)(MathEmitter &, Value);

/// f32, and the narrower floats that are computed in f32.
LogicalResult matchElement(Operation *op, PatternRewriter &rewriter) {
  Type type = op->getOperand(0).getType();
  Type element = getElementTypeOrSelf(type);
  if (isa<TensorType>(type))
    return rewriter.notifyMatchFailure(op, "on tensors");
  if (!element.isF32() && !element.isF16() && !element.isBF16())
    return rewriter.notifyMatchFailure(op, "wider than f32");
  return success();
}

template <typename Op>
struct ExpandUnary : OpRewritePattern<Op> {
  ExpandUnary(MLIRContext *context, Sequence sequence)
      : OpRewritePattern<Op>(context), sequence(sequence) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (failed(matchElement(op, rewriter)))
      return failure();
    Value x = op->getOperand(0);
    ElementBuilder builder(rewriter, op->getLoc(), x.getType());
    MathEmitter emitter{builder};
    Value y = sequence(emitter, builder.toF32(x));
    rewriter.replaceOp(op, builder.fromF32(y, getElementTypeOrSelf(x)));
    return success();
  }

  Sequence sequence;
};

struct ExpandGelu : OpRewritePattern<qd::GeluOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::GeluOp op,
                                PatternRewriter &rewriter) const override {
    bool usesTanh = op.getApproximate() == qd::GeluApproximation::Tanh;
    return ExpandUnary<qd::GeluOp>(getContext(),
                                   usesTanh ? sequences::geluTanh<MathEmitter>
                                            : sequences::gelu<MathEmitter>)
        .matchAndRewrite(op, rewriter);
  }
};

struct ExpandPower : OpRewritePattern<math::PowFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::PowFOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(matchElement(op, rewriter)))
      return failure();
    ElementBuilder builder(rewriter, op.getLoc(), op.getType());
    MathEmitter emitter{builder};
    Value y = sequences::pow(emitter, builder.toF32(op.getLhs()),
                             builder.toF32(op.getRhs()));
    rewriter.replaceOp(op,
                       builder.fromF32(y, getElementTypeOrSelf(op.getType())));
    return success();
  }
};

/// A function of the C library, computed in f64 and rounded once to f32: the
/// f32 variants of libraries differ in their last bit.
template <typename Op>
struct WidenToF64 : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (failed(matchElement(op, rewriter)))
      return failure();
    ElementBuilder builder(rewriter, op.getLoc(), op.getType());
    Type f32 = builder.toF32(op->getOperand(0)).getType();
    Type f64 = rewriter.getF64Type();
    if (auto vector = dyn_cast<VectorType>(f32))
      f64 = vector.clone(f64);
    SmallVector<Value> wide;
    for (Value operand : op->getOperands())
      wide.push_back(arith::ExtFOp::create(rewriter, op.getLoc(), f64,
                                           builder.toF32(operand)));
    Value y = Op::create(rewriter, op.getLoc(), ValueRange(wide),
                         ArrayRef<NamedAttribute>());
    y = arith::TruncFOp::create(rewriter, op.getLoc(), f32, y);
    rewriter.replaceOp(op,
                       builder.fromF32(y, getElementTypeOrSelf(op.getType())));
    return success();
  }
};

struct ExpandMathPass : qdialect::impl::ExpandMathPassBase<ExpandMathPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateExpandMathPatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void qdialect::populateExpandMathPatterns(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  patterns.add<ExpandUnary<math::ExpOp>>(context, sequences::exp<MathEmitter>);
  patterns.add<ExpandUnary<math::LogOp>>(context, sequences::log<MathEmitter>);
  patterns.add<ExpandUnary<math::Log1pOp>>(context,
                                           sequences::log1p<MathEmitter>);
  patterns.add<ExpandUnary<math::ErfOp>>(context, sequences::erf<MathEmitter>);
  patterns.add<ExpandUnary<math::TanhOp>>(context,
                                          sequences::tanh<MathEmitter>);
  patterns.add<ExpandUnary<math::RsqrtOp>>(context,
                                           sequences::rsqrt<MathEmitter>);
  patterns.add<ExpandUnary<qd::SiluOp>>(context, sequences::silu<MathEmitter>);
  patterns.add<ExpandGelu, ExpandPower>(context);
  patterns.add<WidenToF64<math::SinOp>, WidenToF64<math::CosOp>,
               WidenToF64<math::TanOp>, WidenToF64<math::AsinOp>,
               WidenToF64<math::AcosOp>, WidenToF64<math::AtanOp>,
               WidenToF64<math::SinhOp>, WidenToF64<math::CoshOp>,
               WidenToF64<math::AsinhOp>, WidenToF64<math::AcoshOp>,
               WidenToF64<math::AtanhOp>, WidenToF64<math::Exp2Op>,
               WidenToF64<math::ExpM1Op>, WidenToF64<math::Log2Op>,
               WidenToF64<math::Log10Op>, WidenToF64<math::Atan2Op>>(context);
}
