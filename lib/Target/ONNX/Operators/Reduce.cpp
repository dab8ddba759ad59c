// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions: a linalg.generic over a filled result, an element-wise step where
// the function has one, then a reshape for kept dimensions.

#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"
#include "Scalars.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <limits>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

template <typename Float, typename Integer>
Value combine(OpBuilder &b, Location loc, ValueRange v) {
  if (isFloat(v[0].getType()))
    return Float::create(b, loc, v[1], v[0]);
  return Integer::create(b, loc, v[1], v[0]);
}

constexpr auto sum = combine<arith::AddFOp, arith::AddIOp>;
constexpr auto product = combine<arith::MulFOp, arith::MulIOp>;

/// True is larger than false.
Value largestOf(OpBuilder &b, Location loc, ValueRange v) {
  if (v[0].getType().isInteger(1))
    return arith::OrIOp::create(b, loc, v[1], v[0]);
  return combine<arith::MaximumFOp, arith::MaxSIOp>(b, loc, v);
}
Value smallestOf(OpBuilder &b, Location loc, ValueRange v) {
  if (v[0].getType().isInteger(1))
    return arith::AndIOp::create(b, loc, v[1], v[0]);
  return combine<arith::MinimumFOp, arith::MinSIOp>(b, loc, v);
}

double extreme(Type type, bool lowest) {
  if (type.isInteger(1))
    return lowest ? 0 : 1;
  double size =
      isFloat(type)
          ? std::numeric_limits<double>::infinity()
          : std::ldexp(1.0, static_cast<int>(type.getIntOrFloatBitWidth()) - 1);
  return lowest ? -size : isFloat(type) ? size : size - 1;
}

enum class Kind {
  Sum,
  Mean,
  Max,
  Min,
  Prod,
  L1,
  L2,
  SumSquare,
  LogSum,
  LogSumExp
};

Tensor applyUnary(GraphBuilder &b, const Tensor &x,
                  llvm::function_ref<Value(OpBuilder &, Location, Value)> f) {
  return b.elementwise({x}, x.elementType(),
                       [&](OpBuilder &nested, Location at, ValueRange v) {
                         return f(nested, at, v[0]);
                       });
}

Value square(OpBuilder &b, Location loc, Value v) {
  if (isFloat(v.getType()))
    return arith::MulFOp::create(b, loc, v, v);
  return arith::MulIOp::create(b, loc, v, v);
}

Value absolute(OpBuilder &b, Location loc, Value v) {
  if (isFloat(v.getType()))
    return math::AbsFOp::create(b, loc, v);
  return math::AbsIOp::create(b, loc, v);
}

/// m + log(sum(exp(x - m))) with m the maximum, or 0 if that is infinite.
Tensor logSumExp(GraphBuilder &b, const Tensor &x, ArrayRef<int64_t> axes) {
  Type type = x.elementType();
  Tensor largest = applyUnary(
      b, b.reduce(x, axes, extreme(type, /*lowest=*/true), largestOf),
      [](OpBuilder &nested, Location at, Value v) {
        Scalars s{nested, at};
        constexpr double infinity = std::numeric_limits<double>::infinity();
        Value isFinite = s.lt(s.abs(v), s.number(v, infinity));
        return s.select(isFinite, v, s.number(v, 0));
      });
  Shape kept(x.shape());
  for (int64_t axis : axes)
    kept[axis] = 1;
  Tensor powers =
      b.elementwise({x, b.reshape(largest, kept)}, type,
                    [](OpBuilder &nested, Location at, ValueRange v) {
                      Scalars s{nested, at};
                      return s.exp(s.sub(v[0], v[1]));
                    });
  return b.elementwise({b.reduce(powers, axes, 0, sum), largest}, type,
                       [](OpBuilder &nested, Location at, ValueRange v) {
                         Scalars s{nested, at};
                         return s.add(s.log(v[0]), v[1]);
                       });
}

Tensor reduceBy(GraphBuilder &b, const Tensor &x, ArrayRef<int64_t> axes,
                Kind kind) {
  Type type = x.elementType();
  switch (kind) {
  case Kind::Max:
    return b.reduce(x, axes, extreme(type, /*lowest=*/true), largestOf);
  case Kind::Min:
    return b.reduce(x, axes, extreme(type, /*lowest=*/false), smallestOf);
  case Kind::Prod:
    return b.reduce(x, axes, 1, product);
  case Kind::L1:
    return b.reduce(applyUnary(b, x, absolute), axes, 0, sum);
  case Kind::LogSumExp:
    return logSumExp(b, x, axes);
  case Kind::SumSquare:
  case Kind::L2:
    return b.reduce(applyUnary(b, x, square), axes, 0, sum);
  default:
    return b.reduce(x, axes, 0, sum);
  }
}

/// The element-wise step after the reduction.
Tensor finish(GraphBuilder &b, const Tensor &y, int64_t count, Kind kind) {
  if (kind == Kind::L2)
    return applyUnary(b, y, [](OpBuilder &nested, Location at, Value v) {
      return math::SqrtOp::create(nested, at, v).getResult();
    });
  if (kind == Kind::LogSum)
    return applyUnary(b, y, [](OpBuilder &nested, Location at, Value v) {
      return math::LogOp::create(nested, at, v).getResult();
    });
  if (kind != Kind::Mean)
    return y;
  return applyUnary(b, y,
                    [&](OpBuilder &nested, Location at, Value v) -> Value {
                      Value by = b.sizeAs(nested, at, v.getType(), count);
                      if (isFloat(v.getType()))
                        return arith::DivFOp::create(nested, at, v, by);
                      return arith::DivSIOp::create(nested, at, v, by);
                    });
}

/// Small integer constants (shape arithmetic): ReduceProd and ReduceSum of all.
std::optional<Tensor> foldAll(GraphBuilder &b, const Tensor &x, Kind kind) {
  if (!isSmallConstant(x) || !x.elementType().isInteger(64) ||
      (kind != Kind::Prod && kind != Kind::Sum))
    return std::nullopt;
  if (x.hasSymbolicElements()) {
    int64_t size = kind == Kind::Prod;
    for (int64_t i = 0; i < x.size(); ++i) {
      int64_t next = x.data->asInteger(i);
      size = kind == Kind::Prod ? b.sizes.mul(size, next)
                                : b.sizes.add(size, next);
    }
    return b.integers({}, {size});
  }
  uint64_t result = kind == Kind::Prod;
  for (int64_t i = 0; i < x.size(); ++i) {
    auto number = static_cast<uint64_t>(x.data->asInteger(i));
    result = kind == Kind::Prod ? result * number : result + number;
  }
  return b.integers({}, {static_cast<int64_t>(result)});
}

/// Axes are an input since `axesInputSince`, an attribute before.
OpRegistry::Handler reduction(Kind kind, int64_t axesInputSince) {
  return [=](Node &n) -> LogicalResult {
    Tensor x = n.input(0, "data");
    if (!n.ok())
      return failure();
    Type type = x.elementType();
    bool ofBools = kind == Kind::Max || kind == Kind::Min;
    if (!isFloat(type) &&
        !(isSignlessInteger(type) && (ofBools || !type.isInteger(1))))
      return n.emitError() << "element type of " << describeType(x.type)
                           << " is not supported";
    bool floatsOnly =
        kind == Kind::L2 || kind == Kind::LogSum || kind == Kind::LogSumExp;
    if (floatsOnly && !isFloat(type))
      return n.emitError() << "element type of " << describeType(x.type)
                           << " is not supported";
    bool keep = n.getInt("keepdims", 1) != 0;
    bool doNothing =
        n.opset() >= axesInputSince && n.getInt("noop_with_empty_axes", 0) != 0;
    Shape axes = n.axesOperand(1, axesInputSince, x.rank()).value_or(Shape());
    if (!n.ok())
      return failure();
    if (axes.empty() && doNothing)
      return n.result(x);
    if (axes.empty())
      for (int64_t axis = 0; axis < x.rank(); ++axis)
        axes.push_back(axis);
    Shape kept;
    int64_t count = 1;
    for (int64_t axis = 0; axis < x.rank(); ++axis) {
      bool reduced = llvm::is_contained(axes, axis);
      if (reduced)
        count = n.b.sizes.mul(count, x.dim(axis));
      if (!reduced || keep)
        kept.push_back(reduced ? 1 : x.dim(axis));
    }
    if (kind == Kind::Mean && count == 0 && !isFloat(type))
      return n.emitError() << "mean of no elements of " << describeType(x.type);
    bool all = static_cast<int64_t>(axes.size()) == x.rank();
    std::optional<Tensor> folded = all ? foldAll(n.b, x, kind) : std::nullopt;
    Tensor y = folded ? *folded
                      : finish(n.b, reduceBy(n.b, x, axes, kind), count, kind);
    return n.result(n.b.reshape(y, kept));
  };
}

} // namespace

void registerReduceOps(OpRegistry &r) {
  auto add = [&](StringRef name, Kind kind, int64_t axesInputSince) {
    r.onOp(name, 1, reduction(kind, axesInputSince), "constant axes")
        .symbolic();
  };
  add("ReduceSum", Kind::Sum, 13);
  add("ReduceMean", Kind::Mean, 18);
  add("ReduceMax", Kind::Max, 18);
  add("ReduceMin", Kind::Min, 18);
  add("ReduceProd", Kind::Prod, 18);
  add("ReduceL1", Kind::L1, 18);
  add("ReduceL2", Kind::L2, 18);
  add("ReduceSumSquare", Kind::SumSquare, 18);
  add("ReduceLogSum", Kind::LogSum, 18);
  add("ReduceLogSumExp", Kind::LogSumExp, 18);
}

} // namespace qdialect::onnx_import
