// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of codes as linalg.generic ops of integer arith, by the sequences
// of Numerics/IntegerSequences.h:
//
//   int_softmax:    m = max of the row; e = exp(m - x); r = N / sum(e);
//                   code of e * r
//   int_layer_norm: S, Q = sums of the row and of its squares; centre,
//                   multiplier and shift from both; code of each element
//   int_gelu:       one payload
//
// Tables are constants in front of the op, read by tensor.extract.

#include "IntegerEmitter.h"
#include "LinalgEmitter.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/IntegerOps.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Expand.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace qdialect;

namespace {

using Body = llvm::function_ref<Value(IntegerEmitter &, ValueRange)>;

/// Emits the linalg ops of one function of codes.
class Emitter {
public:
  Emitter(PatternRewriter &rewriter, Operation *op)
      : rewriter(rewriter), front(op), loc(op->getLoc()),
        linalg(rewriter, loc) {}

  /// An element-wise op with elements of `element`. The payload gets i8 and i16
  /// elements as i32, and what it returns is truncated.
  Value elementwise(ArrayRef<int64_t> shape, Type element,
                    ArrayRef<MappedTensor> inputs, Body body) {
    return linalg.elementwise(
        RankedTensorType::get(shape, element), inputs,
        [&](OpBuilder &b, Location at, ValueRange arguments) {
          return payload(b, at, element, arguments, body);
        });
  }

  /// The row's elements joined from `start`, `combine` gets (element, so far).
  Value reduce(Value x, unsigned axis, Type element, int64_t start,
               Body combine) {
    auto from = cast<RankedTensorType>(x.getType());
    SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, x);
    sizes.erase(sizes.begin() + axis);
    Value init = arith::ConstantOp::create(
        rewriter, loc, rewriter.getIntegerAttr(element, start));
    Value empty = tensor::EmptyOp::create(rewriter, loc, sizes, element);
    Value filled =
        linalg::FillOp::create(rewriter, loc, init, empty).getResult(0);
    SmallVector<utils::IteratorType> loops(from.getRank(),
                                           utils::IteratorType::parallel);
    loops[axis] = utils::IteratorType::reduction;
    AffineMap maps[] = {linalg.identity(from.getRank()),
                        linalg.without(from.getRank(), axis)};
    return linalg::GenericOp::create(
               rewriter, loc, filled.getType(), x, filled, maps, loops,
               [&](OpBuilder &b, Location at, ValueRange arguments) {
                 Value next = payload(b, at, element, arguments, combine);
                 linalg::YieldOp::create(b, at, next);
               })
        .getResult(0);
  }

  AffineMap all(unsigned rank) { return linalg.identity(rank); }
  AffineMap row(unsigned rank, unsigned axis) {
    return linalg.without(rank, axis);
  }

private:
  Value payload(OpBuilder &b, Location at, Type element, ValueRange arguments,
                Body body) {
    ElementBuilder elements(b, at, element);
    auto read = [&](const std::vector<int32_t> &numbers, Value index) -> Value {
      Value place = arith::IndexCastOp::create(b, at, b.getIndexType(), index);
      return tensor::ExtractOp::create(b, at, tableOf(numbers), place);
    };
    IntegerEmitter emitter{elements, read};
    SmallVector<Value> values;
    for (Value argument : arguments)
      values.push_back(argument.getType().getIntOrFloatBitWidth() < 32
                           ? emitter.narrow(argument)
                           : argument);
    return elements.resize(body(emitter, values),
                           element.getIntOrFloatBitWidth(), /*isSigned=*/true);
  }

  /// The table as a constant in front of the op.
  Value tableOf(const std::vector<int32_t> &numbers) {
    Value &table = tables[numbers.data()];
    auto size = static_cast<int64_t>(numbers.size());
    if (!table)
      table = makeConstant(
          front, loc, RankedTensorType::get(size, rewriter.getI32Type()),
          "table", HostTensor::of<int32_t>(DType::I32, {size}, numbers));
    return table;
  }

  PatternRewriter &rewriter;
  OpBuilder front; ///< before the op, wherever a payload is being built
  Location loc;
  LinalgEmitter linalg;
  llvm::DenseMap<const int32_t *, Value> tables;
};

void replace(PatternRewriter &rewriter, Operation *op, Value result) {
  result.getDefiningOp()->setDiscardableAttrs(
      op->getDiscardableAttrDictionary());
  rewriter.replaceOp(op, result);
}

struct DecomposeIntSoftmax : OpRewritePattern<qd::IntSoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::IntSoftmaxOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<IntegerSoftmax> integers = integersOf(op);
    if (!integers)
      return rewriter.notifyMatchFailure(op, "no integers for its scales");
    Emitter emitter(rewriter, op);
    RankedTensorType type = op.getInput().getType();
    auto axis = static_cast<unsigned>(op.getAxis());
    unsigned rank = type.getRank();
    ArrayRef<int64_t> shape = type.getShape();
    Type i32 = rewriter.getI32Type(), i64 = rewriter.getI64Type();
    AffineMap all = emitter.all(rank), row = emitter.row(rank, axis);
    SmallVector<int64_t> rows(shape);
    rows.erase(rows.begin() + axis);

    Value most = emitter.reduce(
        op.getInput(), axis, i32, -(1 << 15),
        [](IntegerEmitter &o, ValueRange v) { return o.max(v[0], v[1]); });
    Value e = emitter.elementwise(
        shape, i32, {{op.getInput(), all}, {most, row}},
        [&](IntegerEmitter &o, ValueRange v) {
          return sequences::integerExp(o, integers->exp, o.sub(v[1], v[0]));
        });
    Value sum =
        emitter.reduce(e, axis, i64, 0, [](IntegerEmitter &o, ValueRange v) {
          return o.add(o.wide(v[0]), v[1]);
        });
    Value factor = emitter.elementwise(
        rows, i64, {{sum, emitter.all(rank - 1)}},
        [&](IntegerEmitter &o, ValueRange v) {
          return sequences::softmaxFactor(o, *integers, v[0]);
        });
    Value result = emitter.elementwise(
        shape, op.getType().getElementType(), {{e, all}, {factor, row}},
        [&](IntegerEmitter &o, ValueRange v) {
          return sequences::clampedCode(
              o, sequences::softmaxCode(o, *integers, v[0], v[1]),
              integers->min, integers->max);
        });
    replace(rewriter, op, result);
    return success();
  }
};

template <typename Op>
struct DecomposeCurve : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    std::optional<IntegerCurve> curve = integersOf(op);
    if (!curve)
      return rewriter.notifyMatchFailure(op, "no integers for its scales");
    Emitter emitter(rewriter, op);
    RankedTensorType type = op.getType();
    Value result =
        emitter.elementwise(type.getShape(), type.getElementType(),
                            {{op.getInput(), emitter.all(type.getRank())}},
                            [&](IntegerEmitter &o, ValueRange v) {
                              return sequences::integerCurve(o, *curve, v[0]);
                            });
    replace(rewriter, op, result);
    return success();
  }
};

template <typename Op>
struct DecomposeNorm : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    constexpr bool centred = std::is_same_v<Op, qd::IntLayerNormOp>;
    int64_t zero = 0;
    if constexpr (!centred)
      zero = static_cast<int64_t>(op.getZeroPoint());
    Location loc = op.getLoc();
    auto axis = static_cast<unsigned>(op.getAxis());
    Value x = mergeTrailing(rewriter, loc, op.getInput(), axis),
          gain = mergeTrailing(rewriter, loc, op.getGain(), 0),
          bias = mergeTrailing(rewriter, loc, op.getBias(), 0);
    auto type = cast<RankedTensorType>(x.getType());
    unsigned rank = type.getRank();
    int64_t length = type.getDimSize(axis);
    Type i64 = rewriter.getI64Type();
    Emitter emitter(rewriter, op);
    auto code = [&](IntegerEmitter &o, Value v) {
      return zero == 0 ? v : o.sub(v, o.number(v, zero));
    };
    Value sum =
        emitter.reduce(x, axis, i64, 0, [&](IntegerEmitter &o, ValueRange v) {
          return o.add(o.wide(code(o, v[0])), v[1]);
        });
    Value squares =
        emitter.reduce(x, axis, i64, 0, [&](IntegerEmitter &o, ValueRange v) {
          Value q = o.wide(code(o, v[0]));
          return o.add(o.mul(q, q), v[1]);
        });
    IntegerScheme scheme = toNumerics(op.getScheme());
    AffineMap all = emitter.all(rank), row = emitter.row(rank, axis),
              column = AffineMap::get(rank, 0, rewriter.getAffineDimExpr(axis));
    AffineMap ofRow = emitter.all(rank - 1);
    SmallVector<MappedTensor> inputs{{x, all}};
    for (unsigned part = 0; part < 3; ++part) {
      Value made = emitter.elementwise(
          type.getShape().drop_back(), i64, {{sum, ofRow}, {squares, ofRow}},
          [&](IntegerEmitter &o, ValueRange v) {
            Value parts[3];
            sequences::normRow(o, scheme, centred, length,
                               static_cast<int64_t>(op.getEpsilon()), v[0],
                               v[1], parts[0], parts[1], parts[2]);
            return parts[part];
          });
      inputs.push_back({made, row});
    }
    inputs.push_back({gain, column});
    inputs.push_back({bias, column});
    Type element = op.getType().getElementType();
    Value result = emitter.elementwise(
        type.getShape(), element, inputs, [&](IntegerEmitter &o, ValueRange v) {
          Value z = sequences::normElement(o, scheme, length, code(o, v[0]),
                                           v[1], v[2], v[3]);
          Value result = sequences::normCode(
              o, z, v[4], v[5], static_cast<int64_t>(op.getShift()));
          int64_t half = int64_t(1) << (element.getIntOrFloatBitWidth() - 1);
          return sequences::clampedCode(o, result, -half, half - 1);
        });
    if (result.getType() != op.getType())
      result = tensor::ExpandShapeOp::create(
          rewriter, loc, op.getType(), result,
          trailingGroups(op.getType().getRank(), axis),
          sizesOf(rewriter, loc, op.getInput()));
    replace(rewriter, op, result);
    return success();
  }
};

} // namespace

void qdialect::populateIntegerCurvesToLinalgPatterns(
    RewritePatternSet &patterns) {
  patterns.add<DecomposeCurve<qd::IntGeluOp>, DecomposeCurve<qd::IntSiluOp>>(
      patterns.getContext());
}

void qdialect::populateDecomposeIntegerPatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposeIntSoftmax, DecomposeNorm<qd::IntLayerNormOp>,
               DecomposeNorm<qd::IntRmsNormOp>>(patterns.getContext());
  populateIntegerCurvesToLinalgPatterns(patterns);
}
