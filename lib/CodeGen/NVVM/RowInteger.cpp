// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer softmax, layer norm and RMS norm by the sequences of
// Numerics/IntegerSequences.h. Sums of integers have one value in any order.

#include "QDialect/IR/IntegerOps.h"
#include "QDialect/Numerics/IntegerSequences.h"
#include "RowFunction.h"
#include "ThreadIntegers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::gpu {
namespace {

/// Softmax and norms are of 8 or 16 bits each way.
Value asWord(WarpEmitter &e, Value code) {
  return arith::ExtSIOp::create(e, e.getI32Type(), code);
}

Value asCode(WarpEmitter &e, ThreadIntegers &o, Value word, Type type) {
  int64_t most = (int64_t(1) << (type.getIntOrFloatBitWidth() - 1)) - 1;
  return arith::TruncIOp::create(
      e, type, sequences::clampedCode(o, word, -most - 1, most));
}

class IntegerSoftmaxFunction : public RowFunction {
public:
  IntegerSoftmaxFunction(qd::IntSoftmaxOp op, IntegerSoftmax integers)
      : x(op.getInput()), type(op.getType().getElementType()),
        firstAxis(static_cast<int64_t>(op.getAxis())),
        integers(std::move(integers)) {}

  int64_t axis() const override { return firstAxis; }

  RowShape shape(int64_t rows, int64_t length) const override {
    return RowShape(rows, length, /*keeps=*/true, /*ordered=*/false);
  }
  bool takesSymbolicLength() const override { return true; }

  std::vector<ConstantBlob> tables() const override {
    std::vector<ConstantBlob> blobs;
    for (const std::vector<int32_t> *numbers : tableList()) {
      ConstantBlob blob;
      blob.size = static_cast<int64_t>(numbers->size() * sizeof(int32_t));
      blob.fill = [copy = *numbers](MutableArrayRef<char> out) {
        std::memcpy(out.data(), copy.data(), copy.size() * sizeof(int32_t));
      };
      blobs.push_back(std::move(blob));
    }
    return blobs;
  }

  std::function<Value(const RowColumn &)>
  emit(const RowBuilder &builder) const override {
    WarpEmitter &e = builder.e;
    ThreadIntegers o(e);
    for (auto [numbers, pointer] :
         llvm::zip_equal(tableList(), builder.constants))
      o.addTable(*numbers, pointer);
    auto code = [=](const RowColumn &at) {
      return asWord(builder.e, builder.element(x, at));
    };
    Value largest =
        builder.walk.combineAll(e.constant(INT16_MIN), code,
                                [&](Value a, Value b) { return e.max(a, b); });
    auto power = [=](const RowColumn &at) mutable {
      return sequences::integerExp(o, integers.exp,
                                   builder.e.sub(largest, code(at)));
    };
    bool keeps = builder.walk.keepsRow();
    Value sum = builder.walk.combineAll(
        e.constantOf(e.getI64Type(), 0),
        [&](const RowColumn &at) {
          Value own = power(at);
          if (keeps)
            builder.walk.keep(at, own);
          return o.wide(own);
        },
        [&](Value a, Value b) { return e.add(a, b); });
    Value factor = sequences::softmaxFactor(o, integers, sum);
    return [=](const RowColumn &at) mutable {
      WarpEmitter &e = builder.e;
      Value own = keeps ? builder.walk.kept(e.getI32Type(), at) : power(at);
      return asCode(e, o, sequences::softmaxCode(o, integers, own, factor),
                    type);
    };
  }

private:
  SmallVector<const std::vector<int32_t> *> tableList() const {
    SmallVector<const std::vector<int32_t> *> list{
        &integers.exp.low, &integers.exp.middle, &integers.exp.high};
    llvm::erase_if(list, [](const auto *numbers) { return numbers->empty(); });
    return list;
  }

  Value x;
  Type type;
  int64_t firstAxis;
  IntegerSoftmax integers;
};

class IntegerNormFunction : public RowFunction {
public:
  template <typename Op>
  explicit IntegerNormFunction(Op op)
      : x(op.getInput()), gain(op.getGain()), bias(op.getBias()),
        type(op.getType().getElementType()),
        firstAxis(static_cast<int64_t>(op.getAxis())),
        epsilon(static_cast<int64_t>(op.getEpsilon())),
        shift(static_cast<int64_t>(op.getShift())),
        scheme(toNumerics(op.getScheme())) {
    if constexpr (std::is_same_v<Op, qd::IntRmsNormOp>)
      zeroPoint = static_cast<int64_t>(op.getZeroPoint());
  }

  int64_t axis() const override { return firstAxis; }

  RowShape shape(int64_t rows, int64_t length) const override {
    return RowShape(rows, length, /*keeps=*/false, /*ordered=*/false);
  }

  std::function<Value(const RowColumn &)>
  emit(const RowBuilder &builder) const override {
    WarpEmitter &e = builder.e;
    ThreadIntegers o(e);
    auto code = [=](const RowColumn &at) {
      Value word = asWord(builder.e, builder.element(x, at));
      return zeroPoint ? builder.e.sub(word, builder.e.constant(*zeroPoint))
                       : word;
    };
    auto total = [&](RowWalk::Element element) {
      return builder.walk.combineAll(
          e.constantOf(e.getI64Type(), 0), element,
          [&](Value a, Value b) { return e.add(a, b); });
    };
    bool isCentred = !zeroPoint;
    Value sum =
        isCentred ? total([&](const RowColumn &at) { return o.wide(code(at)); })
                  : e.constantOf(e.getI64Type(), 0);
    Value squares = total([&](const RowColumn &at) {
      Value own = o.wide(code(at));
      return e.mul(own, own);
    });
    int64_t length = builder.walk.length();
    Value centre, multiplier, drop;
    sequences::normRow(o, scheme, isCentred, length, epsilon, sum, squares,
                       centre, multiplier, drop);
    return [=](const RowColumn &at) mutable {
      Value z = sequences::normElement(o, scheme, length, code(at), centre,
                                       multiplier, drop);
      Value word = sequences::normCode(o, z, builder.element(gain, at),
                                       builder.element(bias, at), shift);
      return asCode(builder.e, o, word, type);
    };
  }

private:
  Value x, gain, bias;
  Type type;
  int64_t firstAxis, epsilon, shift;
  IntegerScheme scheme;
  /// Of an RMS norm; a layer norm subtracts the mean instead.
  std::optional<int64_t> zeroPoint;
};

} // namespace

std::unique_ptr<RowFunction> integerRowFunction(Operation *op) {
  if (auto softmax = dyn_cast<qd::IntSoftmaxOp>(op)) {
    std::optional<IntegerSoftmax> integers = integersOf(softmax);
    if (!integers || static_cast<int64_t>(softmax.getAxis()) + 1 !=
                         softmax.getType().getRank())
      return nullptr;
    return std::make_unique<IntegerSoftmaxFunction>(softmax,
                                                    std::move(*integers));
  }
  if (auto norm = dyn_cast<qd::IntLayerNormOp>(op))
    return std::make_unique<IntegerNormFunction>(norm);
  if (auto norm = dyn_cast<qd::IntRmsNormOp>(op))
    return std::make_unique<IntegerNormFunction>(norm);
  return nullptr;
}

} // namespace qdialect::gpu
