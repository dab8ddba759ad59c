// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic with broadcasting, and the unary functions that arith and math
// have. Small constant operands are computed here, in the element type's own
// precision: exporters build shapes with the same operators.

#include "GraphBuilder.h"
#include "Node.h"
#include "QDialect/Support/ConstantView.h"
#include "Registry.h"
#include "Scalars.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

using ScalarBuilder = Value (*)(OpBuilder &, Location, Value, Value);
using IntegerFold = std::optional<int64_t> (*)(int64_t, int64_t);
using FloatFold = double (*)(double, double);
using SizeFold = std::optional<int64_t> (*)(SymbolicSizes &, int64_t, int64_t);

/// One binary operator: how it looks in a payload, and on numbers. A fold that
/// is null leaves constants to the normalize phase.
struct Binary {
  ScalarBuilder onFloats;
  ScalarBuilder onIntegers; ///< null: float only
  ScalarBuilder onUnsigned; ///< on the storage of codes
  IntegerFold foldIntegers;
  FloatFold foldFloats; ///< exact when rounded once to f32
  SizeFold foldSizes;   ///< on symbolic sizes
};

template <typename Op>
Value build(OpBuilder &b, Location loc, Value x, Value y) {
  return Op::create(b, loc, x, y);
}

Value divideIntegers(OpBuilder &b, Location loc, Value x, Value y) {
  return Scalars{b, loc}.divTotal(x, y);
}

Value divideUnsigned(OpBuilder &b, Location loc, Value x, Value y) {
  return Scalars{b, loc}.divTotal(x, y, /*isUnsigned=*/true);
}

/// Two's complement, as the program itself would compute.
template <typename Fn>
int64_t wrapped(int64_t x, int64_t y, Fn fn) {
  return static_cast<int64_t>(
      fn(static_cast<uint64_t>(x), static_cast<uint64_t>(y)));
}

std::optional<int64_t> addInts(int64_t x, int64_t y) {
  return wrapped(x, y, [](uint64_t a, uint64_t b) { return a + b; });
}
std::optional<int64_t> subInts(int64_t x, int64_t y) {
  return wrapped(x, y, [](uint64_t a, uint64_t b) { return a - b; });
}
std::optional<int64_t> mulInts(int64_t x, int64_t y) {
  return wrapped(x, y, [](uint64_t a, uint64_t b) { return a * b; });
}
std::optional<int64_t> divInts(int64_t x, int64_t y) {
  if (y == 0 || (x == INT64_MIN && y == -1))
    return std::nullopt;
  return x / y;
}
std::optional<int64_t> minInts(int64_t x, int64_t y) { return std::min(x, y); }
std::optional<int64_t> maxInts(int64_t x, int64_t y) { return std::max(x, y); }

double addFloats(double x, double y) { return x + y; }
double subFloats(double x, double y) { return x - y; }
double mulFloats(double x, double y) { return x * y; }
double divFloats(double x, double y) { return x / y; }

std::optional<int64_t> addSizes(SymbolicSizes &s, int64_t x, int64_t y) {
  return s.add(x, y);
}
std::optional<int64_t> subSizes(SymbolicSizes &s, int64_t x, int64_t y) {
  return s.sub(x, y);
}
std::optional<int64_t> mulSizes(SymbolicSizes &s, int64_t x, int64_t y) {
  return s.mul(x, y);
}
/// Integer division truncates; sizes are rounded down.
std::optional<int64_t> divSizes(SymbolicSizes &s, int64_t x, int64_t y) {
  if (s.bounds(y).low <= 0 || s.bounds(x).low < 0)
    return std::nullopt;
  return s.floorDiv(x, y);
}
std::optional<int64_t> minSizes(SymbolicSizes &s, int64_t x, int64_t y) {
  return s.min(x, y);
}
std::optional<int64_t> maxSizes(SymbolicSizes &s, int64_t x, int64_t y) {
  return s.max(x, y);
}

const Binary add = {build<arith::AddFOp>,
                    build<arith::AddIOp>,
                    build<arith::AddIOp>,
                    addInts,
                    addFloats,
                    addSizes};
const Binary sub = {build<arith::SubFOp>,
                    build<arith::SubIOp>,
                    build<arith::SubIOp>,
                    subInts,
                    subFloats,
                    subSizes};
const Binary mul = {build<arith::MulFOp>,
                    build<arith::MulIOp>,
                    build<arith::MulIOp>,
                    mulInts,
                    mulFloats,
                    mulSizes};
const Binary divide = {build<arith::DivFOp>,
                       divideIntegers,
                       divideUnsigned,
                       divInts,
                       divFloats,
                       divSizes};
const Binary minimum = {build<arith::MinimumFOp>,
                        build<arith::MinSIOp>,
                        build<arith::MinUIOp>,
                        minInts,
                        nullptr,
                        minSizes};
const Binary maximum = {build<arith::MaximumFOp>,
                        build<arith::MaxSIOp>,
                        build<arith::MaxUIOp>,
                        maxInts,
                        nullptr,
                        maxSizes};

/// Both operands on the host; std::nullopt if the operator cannot be computed.
std::optional<Tensor> fold(Node &n, const Tensor &x, const Tensor &y,
                           const Shape &shape, const Binary &op) {
  Type type = x.elementType();
  bool onFloats = type.isF32() && op.foldFloats;
  bool onIntegers = isSignlessInteger(type) && op.foldIntegers;
  if (!canFold({x, y}, shape) || !(onFloats || onIntegers))
    return std::nullopt;
  int64_t count = RankedTensorType::get(shape, type).getNumElements();
  SmallVector<double> floats;
  std::vector<int64_t> integers;
  bool symbolic = x.hasSymbolicElements() || y.hasSymbolicElements();
  for (int64_t i = 0; i < count; ++i) {
    int64_t atX = broadcastIndex(x.shape(), shape, i);
    int64_t atY = broadcastIndex(y.shape(), shape, i);
    if (onFloats) {
      floats.push_back(
          op.foldFloats(x.data->asDouble(atX), y.data->asDouble(atY)));
      continue;
    }
    int64_t a = x.data->asInteger(atX), b = y.data->asInteger(atY);
    std::optional<int64_t> number =
        SymbolicSizes::isSymbolic(a) || SymbolicSizes::isSymbolic(b)
            ? op.foldSizes(n.b.sizes, a, b)
            : op.foldIntegers(a, b);
    if (!number)
      return std::nullopt;
    integers.push_back(*number);
  }
  if (onFloats)
    return n.b.constant(type, shape, floats);
  HostTensor wide =
      HostTensor::of(DType::I64, {shape.begin(), shape.end()}, integers);
  // What is symbolic stays so, and fills 64 bits.
  return Tensor(type, symbolic && SymbolicSizes::anySymbolic(integers)
                          ? wide
                          : wide.converted(*hostType(type)));
}

std::optional<Tensor> combine(Node &n, Tensor x, Tensor y, const Binary &op) {
  n.requireSameType(x, y);
  if (!n.requireBroadcast({&x, &y}))
    return std::nullopt;
  Type type = x.elementType();
  bool floats = isFloat(type), codes = isUnsignedType(type);
  if (!floats && !(op.onIntegers && (isSignlessInteger(type) || codes) &&
                   !type.isInteger(1))) {
    n.emitError() << "element type of " << describeType(x.type)
                  << " is not supported";
    return std::nullopt;
  }
  if (auto folded = fold(n, x, y, *broadcastShape({x, y}), op))
    return folded;
  return n.b.elementwise(
      {x, y}, type, [&](OpBuilder &b, Location loc, ValueRange v) {
        Scalars s{b, loc};
        if (codes)
          return s.fromStorage(
              op.onUnsigned(b, loc, s.toStorage(v[0]), s.toStorage(v[1])),
              type);
        return (floats ? op.onFloats : op.onIntegers)(b, loc, v[0], v[1]);
      });
}

OpRegistry::Handler binary(const Binary &op) {
  return [op](Node &n) -> LogicalResult {
    Tensor x = n.input(0, "A"), y = n.input(1, "B");
    if (!n.ok())
      return failure();
    std::optional<Tensor> result = combine(n, x, y, op);
    return result ? n.result(*result) : failure();
  };
}

/// Sum, Max, Min and Mean take any number of inputs.
OpRegistry::Handler variadic(const Binary &op, bool mean = false) {
  return [op, mean](Node &n) -> LogicalResult {
    std::optional<Tensor> result = n.input(0, "data_0");
    for (size_t i = 1; i < n.numInputs() && n.ok(); ++i) {
      Tensor next = n.input(i, "data");
      result = n.ok() ? combine(n, *result, next, op) : std::nullopt;
    }
    if (!n.ok())
      return failure();
    if (mean) {
      Type type = result->elementType();
      Tensor count =
          n.b.constant(type, {}, {static_cast<double>(n.numInputs())});
      result = combine(n, *result, count, divide);
    }
    return result ? n.result(*result) : failure();
  };
}

using UnaryBuilder = Value (*)(OpBuilder &, Location, Value);
using UnaryFold = double (*)(double);

template <typename Op>
Value build(OpBuilder &b, Location loc, Value x) {
  return Op::create(b, loc, x);
}

/// `onIntegers` null: float only. `onNumber` null, or exact on f32 values.
OpRegistry::Handler unary(UnaryBuilder onFloats,
                          UnaryBuilder onIntegers = nullptr,
                          UnaryFold onNumber = nullptr) {
  return [=](Node &n) -> LogicalResult {
    Tensor x = onIntegers ? n.input(0, "X") : n.floatInput(0, "X");
    if (!n.ok())
      return failure();
    Type type = x.elementType();
    if (!isFloat(type) && !isSignlessInteger(type))
      return n.emitError() << "element type of " << describeType(x.type)
                           << " is not supported";
    if (onNumber && isSmallConstant(x) && type.isF32()) {
      SmallVector<double> numbers;
      for (int64_t i = 0; i < x.size(); ++i)
        numbers.push_back(onNumber(x.data->asDouble(i)));
      return n.result(n.b.constant(type, x.shape(), numbers));
    }
    return n.result(n.b.elementwise(
        {x}, type, [&](OpBuilder &b, Location loc, ValueRange v) {
          return (isFloat(type) ? onFloats : onIntegers)(b, loc, v[0]);
        }));
  };
}

Value negateInteger(OpBuilder &b, Location loc, Value x) {
  return arith::SubIOp::create(b, loc,
                               GraphBuilder::scalar(b, loc, x.getType(), 0), x);
}

Value reciprocal(OpBuilder &b, Location loc, Value x) {
  return arith::DivFOp::create(b, loc,
                               GraphBuilder::scalar(b, loc, x.getType(), 1), x);
}

/// In f64, as numpy does where the exponent is float: exact up to 2^53.
LogicalResult powerOfIntegers(Node &n, const Tensor &x, const Tensor &y) {
  Type type = x.elementType(), f64 = n.b.builder.getF64Type();
  if (!isSignlessInteger(type) || type.isInteger(1))
    return n.emitError() << "element type of " << describeType(x.type)
                         << " is not supported";
  Tensor base = n.b.cast(x, f64), exponent = n.b.cast(y, f64);
  Tensor power =
      n.b.elementwise({base, exponent}, f64,
                      [](OpBuilder &b, Location loc, ValueRange v) -> Value {
                        return math::PowFOp::create(b, loc, v[0], v[1]);
                      });
  return n.result(n.b.cast(power, type));
}

/// The exponent may have another element type; the result has the base's.
LogicalResult importPow(Node &n) {
  Tensor x = n.input(0, "X"), y = n.input(1, "Y");
  if (!n.ok() || !n.requireBroadcast({&x, &y}))
    return failure();
  Type type = x.elementType();
  if (!isFloat(type))
    return powerOfIntegers(n, x, y);
  // Squares and roots are what exporters write; powf would be far slower.
  if (y.isConstant() && y.size() == 1 && !y.hasSymbolicElements()) {
    double exponent = y.data->asDouble(0);
    Shape shape = *broadcastShape({x, y});
    auto apply = [&](UnaryBuilder body) {
      return n.result(n.b.elementwise(
          {x}, type,
          [&](OpBuilder &b, Location loc, ValueRange v) {
            return body(b, loc, v[0]);
          },
          shape));
    };
    if (exponent == 2.0)
      return apply([](OpBuilder &b, Location loc, Value v) -> Value {
        return arith::MulFOp::create(b, loc, v, v);
      });
    if (exponent == 0.5)
      return apply(build<math::SqrtOp>);
  }
  y = n.b.cast(y, type);
  return n.result(n.b.elementwise(
      {x, y}, type, [](OpBuilder &b, Location loc, ValueRange v) -> Value {
        return math::PowFOp::create(b, loc, v[0], v[1]);
      }));
}

/// Integer Mod: sign of the divisor (fmod = 0) or of the dividend (fmod = 1).
LogicalResult importMod(Node &n) {
  Tensor x = n.input(0, "A"), y = n.input(1, "B");
  bool truncated = n.getInt("fmod", 0) != 0;
  n.requireSameType(x, y);
  if (!n.ok() || !n.requireBroadcast({&x, &y}))
    return failure();
  Type type = x.elementType();
  bool codes = isUnsignedType(type);
  if (isFloat(type) ? !truncated : !(isSignlessInteger(type) || codes))
    return n.emitError() << "element type of " << describeType(x.type)
                         << " is not supported with fmod " << truncated;
  return n.result(n.b.elementwise(
      {x, y}, type, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
        Scalars s{b, loc};
        if (isFloat(type))
          return arith::RemFOp::create(b, loc, v[0], v[1]);
        Value divisor = s.toStorage(v[1]);
        Value rest = s.remTotal(s.toStorage(v[0]), divisor, codes);
        if (codes || truncated)
          return s.fromStorage(rest, type);
        // A rest of the other sign moves by one divisor.
        Value zero = s.number(rest, 0);
        Value differs =
            s.lt(arith::XOrIOp::create(b, loc, rest, divisor), zero);
        Value moves = s.both(s.ne(rest, zero), differs);
        return s.select(moves, s.add(rest, divisor), rest);
      }));
}

} // namespace

void registerElementwiseOps(OpRegistry &r) {
  r.onOp("Add", 7, binary(add), "float, signed integer").symbolic();
  r.onOp("Sub", 7, binary(sub), "float, signed integer").symbolic();
  r.onOp("Mul", 7, binary(mul), "float, signed integer").symbolic();
  r.onOp("Div", 7, binary(divide), "float, signed integer").symbolic();
  r.onOp("Sum", 6, variadic(add)).symbolic();
  r.onOp("Max", 6, variadic(maximum), "float, signed integer").symbolic();
  r.onOp("Min", 6, variadic(minimum), "float, signed integer").symbolic();
  r.onOp("Mean", 6, variadic(add, /*mean=*/true), "float").symbolic();
  r.onOp("Pow", 7, importPow, "float, signed integer").symbolic();
  r.onOp("Mod", 10, importMod, "integer; float with fmod = 1").symbolic();
  r.onOp("Abs", 6, unary(build<math::AbsFOp>, build<math::AbsIOp>, std::fabs),
         "float, signed integer")
      .symbolic();
  r.onOp(
       "Neg", 6,
       unary(build<arith::NegFOp>, negateInteger, [](double x) { return -x; }),
       "float, signed integer")
      .symbolic();
  r.onOp("Sqrt", 6, unary(build<math::SqrtOp>, nullptr, std::sqrt)).symbolic();
  r.onOp("Floor", 6, unary(build<math::FloorOp>, nullptr, std::floor))
      .symbolic();
  r.onOp("Ceil", 6, unary(build<math::CeilOp>, nullptr, std::ceil)).symbolic();
  r.onOp("Round", 11, unary(build<math::RoundEvenOp>, nullptr, std::nearbyint))
      .symbolic();
  r.onOp("Reciprocal", 6, unary(reciprocal)).symbolic();
  r.onOp("Exp", 6, unary(build<math::ExpOp>)).symbolic();
  r.onOp("Log", 6, unary(build<math::LogOp>)).symbolic();
  r.onOp("Erf", 9, unary(build<math::ErfOp>)).symbolic();
  r.onOp("Tanh", 6, unary(build<math::TanhOp>)).symbolic();
  r.onOp("Sin", 7, unary(build<math::SinOp>)).symbolic();
  r.onOp("Cos", 7, unary(build<math::CosOp>)).symbolic();
}

} // namespace qdialect::onnx_import
