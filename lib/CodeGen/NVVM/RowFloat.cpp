// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Softmax and norms of floats, operation by operation as
// Numerics/Reductions.h has them.

#include "QDialect/IR/QDDialect.h"
#include "RowFunction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace qdialect::gpu {

RowFunction::~RowFunction() = default;

namespace {

Value constant(OpBuilder &b, Location loc, double value) {
  return arith::ConstantOp::create(
      b, loc, b.getF32FloatAttr(static_cast<float>(value)));
}

class FloatSoftmax : public RowFunction {
public:
  explicit FloatSoftmax(qd::SoftmaxOp op)
      : x(op.getInput()), firstAxis(static_cast<int64_t>(op.getAxis())) {}

  int64_t axis() const override { return firstAxis; }

  RowShape shape(int64_t rows, int64_t length) const override {
    return RowShape(rows, length, /*keeps=*/true, /*ordered=*/true);
  }
  bool takesSymbolicLength() const override { return true; }

  std::function<Value(const RowColumn &)>
  emit(const RowBuilder &builder) const override {
    WarpEmitter &e = builder.e;
    // Which zero or which NaN the maximum is changes no bit of the result.
    Value largest = builder.walk.combineAll(
        constant(e, e.getLoc(), -INFINITY),
        [&](const RowColumn &at) { return builder.element(x, at); },
        [&](Value a, Value b) -> Value {
          return arith::SelectOp::create(
              e, arith::CmpFOp::create(e, arith::CmpFPredicate::OGT, a, b), a,
              b);
        });
    auto power = [=](const RowColumn &at) -> Value {
      return math::ExpOp::create(
          builder.e,
          arith::SubFOp::create(builder.e, builder.element(x, at), largest));
    };
    Value sum = builder.walk.orderedSum(power, /*keeps=*/true);
    return [=](const RowColumn &at) -> Value {
      WarpEmitter &e = builder.e;
      Value own = builder.walk.keepsRow()
                      ? builder.walk.kept(e.getF32Type(), at)
                      : power(at);
      return arith::DivFOp::create(e, own, sum);
    };
  }

private:
  Value x;
  int64_t firstAxis;
};

/// A layer norm is centred, an RMS norm is not.
class FloatNorm : public RowFunction {
public:
  explicit FloatNorm(qd::LayerNormOp op)
      : x(op.getInput()), gamma(op.getGamma()), beta(op.getBeta()),
        epsilon(op.getEpsilon().convertToDouble()),
        firstAxis(static_cast<int64_t>(op.getAxis())), isCentred(true) {}
  explicit FloatNorm(qd::RmsNormOp op)
      : x(op.getInput()), gamma(op.getGamma()),
        epsilon(op.getEpsilon().convertToDouble()),
        firstAxis(static_cast<int64_t>(op.getAxis())), isCentred(false) {}

  int64_t axis() const override { return firstAxis; }

  RowShape shape(int64_t rows, int64_t length) const override {
    return RowShape(rows, length, /*keeps=*/false, /*ordered=*/true);
  }

  std::function<Value(const RowColumn &)>
  emit(const RowBuilder &builder) const override {
    WarpEmitter &e = builder.e;
    int64_t length = builder.walk.length();
    auto mean = [&](RowWalk::Element element) -> Value {
      return arith::DivFOp::create(
          e, builder.walk.orderedSum(element, /*keeps=*/false),
          constant(e, e.getLoc(), static_cast<double>(length)));
    };
    auto element = [=](const RowColumn &at) { return builder.element(x, at); };
    Value centre = isCentred ? mean(element) : Value();
    auto deviation = [=](const RowColumn &at) -> Value {
      Value own = element(at);
      return centre ? arith::SubFOp::create(builder.e, own, centre) : own;
    };
    Value variance = mean([&](const RowColumn &at) -> Value {
      Value own = deviation(at);
      return arith::MulFOp::create(e, own, own);
    });
    Value factor = math::RsqrtOp::create(
        e,
        arith::AddFOp::create(e, variance, constant(e, e.getLoc(), epsilon)));
    return [=](const RowColumn &at) -> Value {
      WarpEmitter &e = builder.e;
      Value own = arith::MulFOp::create(e, deviation(at), factor);
      if (gamma)
        own = arith::MulFOp::create(e, own, builder.element(gamma, at));
      if (beta)
        own = arith::AddFOp::create(e, own, builder.element(beta, at));
      return own;
    };
  }

private:
  Value x, gamma, beta; ///< null: not there
  double epsilon;
  int64_t firstAxis;
  bool isCentred;
};

} // namespace

std::unique_ptr<RowFunction> floatRowFunction(Operation *op) {
  if (!isa<qd::SoftmaxOp, qd::LayerNormOp, qd::RmsNormOp>(op) ||
      !getElementTypeOrSelf(op->getResult(0).getType()).isF32())
    return nullptr;
  if (auto softmax = dyn_cast<qd::SoftmaxOp>(op)) {
    // Elements of a row are neighbours in memory.
    if (static_cast<int64_t>(softmax.getAxis()) + 1 !=
        softmax.getType().getRank())
      return nullptr;
    return std::make_unique<FloatSoftmax>(softmax);
  }
  if (auto norm = dyn_cast<qd::LayerNormOp>(op))
    return std::make_unique<FloatNorm>(norm);
  return std::make_unique<FloatNorm>(cast<qd::RmsNormOp>(op));
}

} // namespace qdialect::gpu
