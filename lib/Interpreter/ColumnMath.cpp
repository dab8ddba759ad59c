// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// math, qd.gelu and qd.silu on columns. In f32, exp, log, erf, tanh, rsqrt and
// pow are the fixed sequences of Numerics: these bits are the contract. The
// functions without a sequence (sin, cos, ...) are libm's in f64 rounded once,
// which no target promises to match. In f64, and so in exact islands, all are
// libm's.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/FloatFunctions.h"
#include "QDialect/Numerics/FloatPower.h"
#include "QDialect/Numerics/Rounding.h"
#include "Registry.h"
#include <cmath>

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

/// A unary function: `narrow` fills an F32 column, `wide` maps a double.
template <typename Narrow, typename Wide>
static ColumnFactory unary(Narrow narrow, Wide wide) {
  return
      [narrow, wide](Operation *op,
                     const Context &context) -> llvm::Expected<ColumnFunction> {
        auto element = context.element(op, op->getResult(0).getType());
        if (!element)
          return element.takeError();
        if (element->kind == Kind::I64)
          return opError(op, "computes on a float type without arithmetic");
        return ColumnFunction(
            [narrow, wide, e = *element](const Columns &c) -> ColumnError {
              if (e.kind == Kind::F32) {
                narrow(c.in[0]->f32(), c.out[0]->f32(), c.n);
                roundHalf(e, *c.out[0], c.n);
                return nullptr;
              }
              const double *in = c.in[0]->f64();
              double *out = c.out[0]->f64();
              for (int64_t i = 0; i < c.n; ++i)
                out[i] = wide(in[i]);
              return nullptr;
            });
      };
}

/// One of Numerics' sequences.
template <typename Wide>
static ColumnFactory sequence(FloatFunction function, Wide wide) {
  return unary(
      [function](const float *in, float *out, int64_t n) {
        qdialect::evaluate(function, in, out, n);
      },
      wide);
}

/// A function whose f32 result is its f64 result rounded once: exact ones
/// (floor, abs), sqrt (which double rounding does not harm), and libm's.
template <typename Wide>
static ColumnFactory rounded(Wide wide) {
  return unary(
      [wide](const float *in, float *out, int64_t n) {
        for (int64_t i = 0; i < n; ++i)
          out[i] = static_cast<float>(wide(static_cast<double>(in[i])));
      },
      wide);
}

/// A binary function: `narrow` on floats, `wide` on doubles.
template <typename Narrow, typename Wide>
static ColumnFactory binary(Narrow narrow, Wide wide) {
  return
      [narrow, wide](Operation *op,
                     const Context &context) -> llvm::Expected<ColumnFunction> {
        auto element = context.element(op, op->getResult(0).getType());
        if (!element)
          return element.takeError();
        if (element->kind == Kind::I64)
          return opError(op, "computes on a float type without arithmetic");
        return ColumnFunction([narrow, wide,
                               e = *element](const Columns &c) -> ColumnError {
          if (e.kind == Kind::F32)
            for (int64_t i = 0; i < c.n; ++i)
              c.out[0]->f32()[i] = narrow(c.in[0]->f32()[i], c.in[1]->f32()[i]);
          else
            for (int64_t i = 0; i < c.n; ++i)
              c.out[0]->f64()[i] = wide(c.in[0]->f64()[i], c.in[1]->f64()[i]);
          roundHalf(e, *c.out[0], c.n);
          return nullptr;
        });
      };
}

static llvm::Expected<ColumnFunction> makeFma(Operation *op,
                                              const Context &context) {
  auto element = context.element(op, op->getResult(0).getType());
  if (!element)
    return element.takeError();
  if (element->kind == Kind::I64)
    return opError(op, "computes on a float type without arithmetic");
  return ColumnFunction([e = *element](const Columns &c) -> ColumnError {
    auto loop = [&](auto zero) {
      using T = decltype(zero);
      const T *x = c.in[0]->as<T>(), *y = c.in[1]->as<T>();
      const T *z = c.in[2]->as<T>();
      for (int64_t i = 0; i < c.n; ++i)
        c.out[0]->as<T>()[i] = std::fma(x[i], y[i], z[i]);
    };
    if (e.kind == Kind::F32)
      loop(float());
    else
      loop(double());
    roundHalf(e, *c.out[0], c.n);
    return nullptr;
  });
}

static llvm::Expected<ColumnFunction> makeAbsI(Operation *op,
                                               const Context &context) {
  auto element = context.element(op, op->getResult(0).getType());
  if (!element)
    return element.takeError();
  return ColumnFunction([e = *element](const Columns &c) -> ColumnError {
    const int64_t *in = c.in[0]->i64();
    for (int64_t i = 0; i < c.n; ++i)
      c.out[0]->i64()[i] =
          e.wrap(in[i] < 0 ? int64_t(0 - uint64_t(in[i])) : in[i]);
    return nullptr;
  });
}

static llvm::Expected<ColumnFunction> makeCtlz(Operation *op,
                                               const Context &context) {
  unsigned width =
      getElementTypeOrSelf(op->getResult(0).getType()).getIntOrFloatBitWidth();
  return ColumnFunction([width](const Columns &c) -> ColumnError {
    uint64_t mask = width == 64 ? ~uint64_t(0) : (uint64_t(1) << width) - 1;
    for (int64_t i = 0; i < c.n; ++i) {
      uint64_t bits = static_cast<uint64_t>(c.in[0]->i64()[i]) & mask;
      c.out[0]->i64()[i] = llvm::countl_zero(bits) - (64 - int64_t(width));
    }
    return nullptr;
  });
}

//===----------------------------------------------------------------------===//
// Exact forms of the qd functions
//===----------------------------------------------------------------------===//

static double exactGelu(double x) {
  return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
}
static double exactGeluTanh(double x) {
  const double k = std::sqrt(2.0 / M_PI);
  return 0.5 * x * (1.0 + std::tanh(k * (x + 0.044715 * x * x * x)));
}
static double exactSilu(double x) { return x / (1.0 + std::exp(-x)); }

static llvm::Expected<ColumnFunction> makeGelu(Operation *op,
                                               const Context &context) {
  bool isTanh =
      cast<qd::GeluOp>(op).getApproximate() == qd::GeluApproximation::Tanh;
  return isTanh ? sequence(FloatFunction::GeluTanh, exactGeluTanh)(op, context)
                : sequence(FloatFunction::Gelu, exactGelu)(op, context);
}

void interp::registerMathColumns(Registry &registry) {
  auto &ops = registry.columnOps;
  using D = double;
  ops["math.exp"] =
      sequence(FloatFunction::Exp, [](D x) { return std::exp(x); });
  ops["math.log"] =
      sequence(FloatFunction::Log, [](D x) { return std::log(x); });
  ops["math.log1p"] =
      sequence(FloatFunction::Log1p, [](D x) { return std::log1p(x); });
  ops["math.erf"] =
      sequence(FloatFunction::Erf, [](D x) { return std::erf(x); });
  ops["math.tanh"] =
      sequence(FloatFunction::Tanh, [](D x) { return std::tanh(x); });
  ops["math.rsqrt"] =
      sequence(FloatFunction::Rsqrt, [](D x) { return 1.0 / std::sqrt(x); });
  ops["qd.gelu"] = makeGelu;
  ops["qd.silu"] = sequence(FloatFunction::Silu, exactSilu);

  ops["math.sqrt"] = rounded([](D x) { return std::sqrt(x); });
  ops["math.absf"] = rounded([](D x) { return std::fabs(x); });
  ops["math.floor"] = rounded([](D x) { return std::floor(x); });
  ops["math.ceil"] = rounded([](D x) { return std::ceil(x); });
  ops["math.trunc"] = rounded([](D x) { return std::trunc(x); });
  ops["math.round"] = rounded([](D x) { return std::round(x); });
  ops["math.roundeven"] = rounded([](D x) { return roundHalfEven(x); });
  ops["math.exp2"] = rounded([](D x) { return std::exp2(x); });
  ops["math.expm1"] = rounded([](D x) { return std::expm1(x); });
  ops["math.log2"] = rounded([](D x) { return std::log2(x); });
  ops["math.log10"] = rounded([](D x) { return std::log10(x); });
  ops["math.sin"] = rounded([](D x) { return std::sin(x); });
  ops["math.cos"] = rounded([](D x) { return std::cos(x); });
  ops["math.tan"] = rounded([](D x) { return std::tan(x); });
  ops["math.asin"] = rounded([](D x) { return std::asin(x); });
  ops["math.acos"] = rounded([](D x) { return std::acos(x); });
  ops["math.asinh"] = rounded([](D x) { return std::asinh(x); });
  ops["math.acosh"] = rounded([](D x) { return std::acosh(x); });
  ops["math.atanh"] = rounded([](D x) { return std::atanh(x); });
  ops["math.atan"] = rounded([](D x) { return std::atan(x); });
  ops["math.sinh"] = rounded([](D x) { return std::sinh(x); });
  ops["math.cosh"] = rounded([](D x) { return std::cosh(x); });
  ops["math.powf"] = binary(powF32, [](D x, D y) { return std::pow(x, y); });
  auto atan2 = [](D x, D y) { return std::atan2(x, y); };
  ops["math.atan2"] = binary(
      [=](float x, float y) { return static_cast<float>(atan2(x, y)); }, atan2);
  ops["math.copysign"] =
      binary([](float x, float y) { return std::copysign(x, y); },
             [](D x, D y) { return std::copysign(x, y); });
  ops["math.fma"] = makeFma;
  ops["math.absi"] = makeAbsI;
  ops["math.ctlz"] = makeCtlz;
}
