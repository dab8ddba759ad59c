// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "row": softmax and norms of contiguous rows, each row once
// through the first cache. The order of every sum is Numerics/Reductions.h's:
// one accumulator of sixteen lanes, then a tree, so the bits are those of the
// interpreter. Element-wise steps behind the row function run on the lanes that
// it makes, before they reach memory. The rows of a softmax may have a symbolic
// length.

#include "Row.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class FloatRowPlan : public RowPlan {
public:
  using RowPlan::RowPlan;
  bool init();

  std::optional<Source> gamma, beta; ///< of a norm
  float epsilon = 0;
  bool isSoftmax = false, isCentred = false;

protected:
  std::unique_ptr<RowEmitter> makeEmitter(Emitter &e, Value args) override;

private:
  template <typename Op>
  bool initNorm(Op norm);
};

class FloatRowEmitter : public RowEmitter {
public:
  FloatRowEmitter(Emitter &e, const FloatRowPlan &plan, Value args)
      : RowEmitter(e, plan, args), plan(plan), type(Emitter::vector(e.f32())) {
    input = pointer(plan.input);
    if (plan.gamma)
      gamma = pointer(*plan.gamma);
    if (plan.beta)
      beta = pointer(*plan.beta);
  }

  void row(Value number) override {
    Value x = e.at(input, e.mul(e.mul(number, plan.length), 4));
    if (plan.isSoftmax)
      softmax(x);
    else
      norm(x);
    finish(number);
  }

private:
  Value load(Value from, Value element, Value mask) {
    return RowEmitter::load(type, from, element, mask);
  }
  Value onlyExisting(Value lanes, Value mask, double other) {
    return RowEmitter::onlyExisting(lanes, mask, e.constant(type, other));
  }

  /// scratch = exp(x - max), factor = the sum. Which zero or which NaN the
  /// maximum is changes no bit of the result, so the plain instruction does.
  void softmax(Value x) {
    auto larger = [&](Value a, Value b) -> Value {
      Value test = arith::CmpFOp::create(e, arith::CmpFPredicate::OGT, a, b);
      return arith::SelectOp::create(e, test, a, b);
    };
    Value lanes =
        walk(e.constant(type, -INFINITY),
             [&](Value element, Value mask, Value seen) {
               return larger(
                   seen, onlyExisting(load(x, element, mask), mask, -INFINITY));
             });
    for (int64_t half = kLanes / 2; half != 0; half /= 2)
      lanes = larger(e.slice(lanes, 0, half), e.slice(lanes, half, half));
    Value shift =
        e.broadcast(vector::ExtractOp::create(e, lanes, int64_t(0)), type);
    // Far below the maximum, where masks put elements, the result is 0, but the
    // way there leads through subnormals, which are slow.
    Value vanishing = e.constant(type, -104.0), zero = e.constant(type, 0);
    Value sum =
        walk(zero, [&](Value element, Value mask, Value partial) -> Value {
          Value shifted =
              arith::SubFOp::create(e, load(x, element, mask), shift);
          Value isZero = arith::CmpFOp::create(e, arith::CmpFPredicate::OLT,
                                               shifted, vanishing);
          Value power = math::ExpOp::create(
              e, arith::SelectOp::create(e, isZero, zero, shifted));
          power = arith::SelectOp::create(e, isZero, zero, power);
          keep(power, element);
          return arith::AddFOp::create(e, partial,
                                       onlyExisting(power, mask, 0));
        });
    factor = e.broadcast(tree<arith::AddFOp>(sum), type);
  }

  /// scratch = x - mean (an RMS norm's mean is 0), factor = rsqrt(variance +
  /// epsilon).
  void norm(Value x) {
    auto mean = [&](Value sum) -> Value {
      return arith::DivFOp::create(e, tree<arith::AddFOp>(sum),
                                   e.constant(e.f32(), plan.length));
    };
    Value centre;
    if (plan.isCentred)
      centre = e.broadcast(
          mean(walk(e.constant(type, 0),
                    [&](Value element, Value mask, Value partial) -> Value {
                      return arith::AddFOp::create(e, partial,
                                                   load(x, element, mask));
                    })),
          type);
    Value variance =
        mean(walk(e.constant(type, 0),
                  [&](Value element, Value mask, Value partial) -> Value {
                    Value deviation = load(x, element, mask);
                    if (centre)
                      deviation = arith::SubFOp::create(e, deviation, centre);
                    keep(deviation, element);
                    Value square =
                        arith::MulFOp::create(e, deviation, deviation);
                    return arith::AddFOp::create(e, partial,
                                                 onlyExisting(square, mask, 0));
                  }));
    Value sum =
        arith::AddFOp::create(e, variance, e.constant(e.f32(), plan.epsilon));
    factor = e.broadcast(math::RsqrtOp::create(e, sum), type);
  }

  Lanes result(Value element, Value mask) override {
    Value lanes = kept(type, element);
    if (plan.isSoftmax)
      return Lanes::of(arith::DivFOp::create(e, lanes, factor));
    lanes = arith::MulFOp::create(e, lanes, factor);
    if (gamma)
      lanes = arith::MulFOp::create(e, lanes, load(gamma, element, mask));
    if (beta)
      lanes = arith::AddFOp::create(e, lanes, load(beta, element, mask));
    return Lanes::of(lanes);
  }

  const FloatRowPlan &plan;
  VectorType type;
  Value input, gamma, beta;
  Value factor; ///< what each element is divided by or multiplied with
};

std::unique_ptr<RowEmitter> FloatRowPlan::makeEmitter(Emitter &e, Value args) {
  return std::make_unique<FloatRowEmitter>(e, *this, args);
}

template <typename Op>
bool FloatRowPlan::initNorm(Op norm) {
  if (!initRows(static_cast<int64_t>(norm.getAxis())) || !hasKnownLength())
    return false;
  epsilon = norm.getEpsilon().convertToFloat();
  gamma = resolve(norm.getGamma());
  return gamma.has_value();
}

bool FloatRowPlan::init() {
  Operation *root = region.root;
  if (!isa<qd::SoftmaxOp, qd::LayerNormOp, qd::RmsNormOp>(root))
    return false;
  auto type = cast<RankedTensorType>(root->getResult(0).getType());
  if (!type.getElementType().isF32())
    return false;
  if (auto softmax = dyn_cast<qd::SoftmaxOp>(root)) {
    isSoftmax = true;
    auto axis = static_cast<int64_t>(softmax.getAxis());
    if (axis + 1 != type.getRank() || !initRows(axis))
      return false;
  } else if (auto norm = dyn_cast<qd::LayerNormOp>(root)) {
    isCentred = true;
    if (!initNorm(norm))
      return false;
    if (norm.getBeta() && !(beta = resolve(norm.getBeta())))
      return false;
  } else if (!initNorm(cast<qd::RmsNormOp>(root))) {
    return false;
  }
  return initEpilogue();
}

} // namespace

PlanPtr planRow(const KernelRegion &region) {
  if (!region.root)
    return nullptr;
  auto plan = std::make_unique<FloatRowPlan>(region);
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
