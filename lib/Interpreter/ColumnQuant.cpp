// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scalar qd casts on columns; every formula is Numerics'. The tensor forms
// (InterpretQuant.cpp) run the same functions with scales read by block.
//
// In f32, several scales multiply from the left, one rounding a product. With
// exact islands x, the scales and a real-domain zero point are f64 and the
// quotient is rounded once (quantizeExact). requantize and rescale belong to
// the integer program and are the same in both modes.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/Quantize.h"
#include "QDialect/Numerics/Rescale.h"
#include "Registry.h"
#include "mlir/IR/TypeUtilities.h"
#include <cmath>

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

namespace {
/// An operand read as real numbers, whatever its element type: floats as they
/// are, integers as the integer, codes decoded.
struct RealOperand {
  std::vector<double> table;

  template <typename T>
  void read(Column &column, T *out, int64_t n) const {
    withKind(column.kind, [&](auto zero) {
      const auto *in = column.as<decltype(zero)>();
      for (int64_t i = 0; i < n; ++i)
        out[i] = static_cast<T>(in[i]);
    });
    // Only codes have a table, and codes are I64.
    if (!table.empty())
      for (int64_t i = 0; i < n; ++i)
        out[i] = static_cast<T>(table[column.i64()[i]]);
  }
};

/// The integer alphabet of a result.
struct Grid {
  int32_t min = 0, max = 0;
  unsigned bits = 0;
  bool isSigned = true;

  int64_t wrap(int64_t value) const {
    uint64_t low = uint64_t(value) << (64 - bits);
    return isSigned ? int64_t(low) >> (64 - bits) : int64_t(low >> (64 - bits));
  }
};
} // namespace

static RealOperand realOperand(Value value) {
  Type type = getElementTypeOrSelf(value);
  if (type.isIntOrIndex() ||
      isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type))
    return {};
  std::optional<Format> format = qd::getFormat(type);
  return {format ? format->decodeTable() : std::vector<double>()};
}

/// The grid of a plain integer or !qd.uint type; std::nullopt for others.
static std::optional<Grid> integerGrid(Type type) {
  type = getElementTypeOrSelf(type);
  Grid grid;
  if (auto integer = dyn_cast<mlir::IntegerType>(type)) {
    grid.bits = integer.getWidth();
    grid.isSigned = !integer.isUnsigned();
  } else if (auto codes = dyn_cast<qd::UIntType>(type)) {
    grid.bits = codes.getWidth();
    grid.isSigned = false;
  }
  // An unsigned grid of 32 bits would leave int32_t; nobody has one.
  if (grid.bits == 0 || grid.bits > (grid.isSigned ? 32u : 31u))
    return std::nullopt;
  int64_t half = int64_t(1) << (grid.bits - 1);
  grid.min = int32_t(grid.isSigned ? -half : 0);
  grid.max = int32_t(grid.isSigned ? half - 1 : 2 * half - 1);
  return grid;
}

static Rounding roundingOf(qd::Rounding rounding) {
  return static_cast<Rounding>(rounding);
}

//===----------------------------------------------------------------------===//
// quantize
//===----------------------------------------------------------------------===//

namespace {
struct QuantizeColumns {
  RealOperand input, zeroPoint;
  std::vector<RealOperand> scales;
  std::optional<Grid> grid;
  std::optional<Format> format;
  Rounding mode = Rounding::HalfEven;
  bool wraps = false, hasZeroPoint = false, realZero = false;
  uint64_t seed = 0;

  template <typename T>
  ColumnError run(const Columns &c) const;
  int64_t exactCode(double x, double s, int64_t z, StochasticKey key) const;
};
} // namespace

int64_t QuantizeColumns::exactCode(double x, double s, int64_t z,
                                   StochasticKey key) const {
  if (!grid)
    return format->encode(x / s, mode,
                          wraps ? Overflow::Wrap : Overflow::Saturate, key);
  if (!wraps)
    return quantizeExact(x, s, int32_t(z), grid->min, grid->max, mode, key);
  // As in f32: infinities and NaN count as 0.
  bool isFinite = std::isfinite(x) && std::isfinite(s) && s != 0;
  double q = isFinite ? divideAndRound(x, s, mode, key) : 0.0;
  // Beyond 2^62 the low bits of a double are zeros.
  return grid->wrap(z + (std::fabs(q) < 0x1p62 ? int64_t(q) : 0));
}

template <typename T>
ColumnError QuantizeColumns::run(const Columns &c) const {
  T x[kChunk], s[kChunk], next[kChunk], m[kChunk];
  input.read(*c.in[0], x, c.n);
  scales[0].read(*c.in[1], s, c.n);
  for (size_t k = 1; k < scales.size(); ++k) {
    scales[k].read(*c.in[1 + k], next, c.n);
    for (int64_t i = 0; i < c.n; ++i)
      s[i] = s[i] * next[i];
  }
  Column *zero = hasZeroPoint ? c.in[1 + scales.size()] : nullptr;
  if (realZero) {
    zeroPoint.read(*zero, m, c.n);
    for (int64_t i = 0; i < c.n; ++i)
      x[i] = x[i] - m[i];
  }
  int64_t *out = c.out[0]->i64();
  for (int64_t i = 0; i < c.n; ++i) {
    int64_t z = zero && !realZero ? zero->i64()[i] : 0;
    StochasticKey key{seed, c.first + uint64_t(i)};
    if constexpr (std::is_same_v<T, double>)
      out[i] = exactCode(x[i], s[i], z, key);
    else if (!grid)
      out[i] =
          quantizeToFormat(x[i], s[i], int32_t(z), *format, mode,
                           wraps ? Overflow::Wrap : Overflow::Saturate, key);
    else if (wraps)
      out[i] = quantizeWrap(x[i], s[i], int32_t(z), grid->bits, grid->isSigned,
                            mode, key);
    else
      out[i] =
          quantize(x[i], s[i], int32_t(z), grid->min, grid->max, mode, key);
  }
  return nullptr;
}

static llvm::Expected<ColumnFunction> makeQuantize(Operation *op,
                                                   const Context &context) {
  auto quantizeOp = cast<qd::QuantizeOp>(op);
  QuantizeColumns plan;
  plan.input = realOperand(quantizeOp.getInput());
  for (Value scale : quantizeOp.getScales())
    plan.scales.push_back(realOperand(scale));
  if (plan.scales.empty())
    return opError(op, "has no scale");
  plan.hasZeroPoint = bool(quantizeOp.getZeroPoint());
  plan.realZero = plan.hasZeroPoint &&
                  quantizeOp.getZeroPointDomain() == qd::ZeroPointDomain::Real;
  if (plan.realZero)
    plan.zeroPoint = realOperand(quantizeOp.getZeroPoint());
  plan.grid = integerGrid(quantizeOp.getResult().getType());
  if (!plan.grid)
    plan.format = qd::getFormat(getElementTypeOrSelf(quantizeOp.getResult()));
  if (!plan.grid && !plan.format)
    return opError(op, "quantizes to an alphabet without values");
  plan.mode = roundingOf(quantizeOp.getRounding());
  plan.wraps = quantizeOp.getOverflow() == qd::Overflow::Wrap;
  plan.seed = quantizeOp.getSeed().value_or(0);
  bool wide =
      context.exact() || getElementTypeOrSelf(quantizeOp.getInput()).isF64();
  return ColumnFunction(
      [plan = std::move(plan), wide](const Columns &c) -> ColumnError {
        return wide ? plan.run<double>(c) : plan.run<float>(c);
      });
}

//===----------------------------------------------------------------------===//
// dequantize
//===----------------------------------------------------------------------===//

namespace {
struct DequantizeColumns {
  RealOperand input, zeroPoint;
  std::vector<RealOperand> scales;
  bool hasZeroPoint = false, realZero = false;
  Element result;

  template <typename T>
  void run(const Columns &c) const;
};
} // namespace

template <typename T>
void DequantizeColumns::run(const Columns &c) const {
  T s[kChunk], next[kChunk];
  scales[0].read(*c.in[1], s, c.n);
  for (size_t k = 1; k < scales.size(); ++k) {
    scales[k].read(*c.in[1 + k], next, c.n);
    for (int64_t i = 0; i < c.n; ++i)
      s[i] = s[i] * next[i];
  }
  Column *zero = hasZeroPoint ? c.in[1 + scales.size()] : nullptr;
  const int64_t *codes = c.in[0]->i64();
  T *out = c.out[0]->as<T>();
  if (input.table.empty()) {
    // The difference is an exact integer, converted once.
    for (int64_t i = 0; i < c.n; ++i) {
      int64_t z = zero && !realZero ? zero->i64()[i] : 0;
      out[i] = static_cast<T>(codes[i] - z) * s[i];
    }
  } else {
    for (int64_t i = 0; i < c.n; ++i) {
      int64_t z = zero && !realZero ? zero->i64()[i] : 0;
      out[i] =
          (static_cast<T>(input.table[codes[i]]) - static_cast<T>(z)) * s[i];
    }
  }
  if (realZero) {
    zeroPoint.read(*zero, next, c.n);
    for (int64_t i = 0; i < c.n; ++i)
      out[i] = out[i] + next[i];
  }
}

static llvm::Expected<ColumnFunction> makeDequantize(Operation *op,
                                                     const Context &context) {
  auto dequantize = cast<qd::DequantizeOp>(op);
  DequantizeColumns plan;
  plan.input = realOperand(dequantize.getInput());
  for (Value scale : dequantize.getScales())
    plan.scales.push_back(realOperand(scale));
  if (plan.scales.empty())
    return opError(op, "has no scale");
  plan.hasZeroPoint = bool(dequantize.getZeroPoint());
  plan.realZero = plan.hasZeroPoint &&
                  dequantize.getZeroPointDomain() == qd::ZeroPointDomain::Real;
  if (plan.realZero)
    plan.zeroPoint = realOperand(dequantize.getZeroPoint());
  auto in = context.element(op, dequantize.getInput().getType());
  auto out = context.element(op, dequantize.getResult().getType());
  if (!in || !out)
    return llvm::joinErrors(in.takeError(), out.takeError());
  if (in->kind != Kind::I64)
    return opError(op, "has an input that holds no codes");
  if (out->kind == Kind::I64)
    return opError(op, "gives a float type without arithmetic");
  plan.result = *out;
  return ColumnFunction(
      [plan = std::move(plan)](const Columns &c) -> ColumnError {
        if (plan.result.kind == Kind::F64)
          plan.run<double>(c);
        else
          plan.run<float>(c);
        roundHalf(plan.result, *c.out[0], c.n);
        return nullptr;
      });
}

//===----------------------------------------------------------------------===//
// requantize, rescale
//===----------------------------------------------------------------------===//

static llvm::Expected<ColumnFunction> makeRequantize(Operation *op,
                                                     const Context &) {
  auto requantizeOp = cast<qd::RequantizeOp>(op);
  std::optional<Grid> grid = integerGrid(requantizeOp.getResult().getType());
  if (!grid)
    return opError(op, "needs an integer result of at most 32 bits");
  return ColumnFunction(
      [grid = *grid, scale = realOperand(requantizeOp.getScale()),
       mode = roundingOf(requantizeOp.getRounding()),
       wraps = requantizeOp.getOverflow() == qd::Overflow::Wrap,
       hasZero =
           bool(requantizeOp.getZeroPoint())](const Columns &c) -> ColumnError {
        float s[kChunk];
        scale.read(*c.in[1], s, c.n);
        const int64_t *acc = c.in[0]->i64();
        const int64_t *zero = hasZero ? c.in[2]->i64() : nullptr;
        int64_t *out = c.out[0]->i64();
        for (int64_t i = 0; i < c.n; ++i) {
          int64_t z = zero ? zero[i] : 0;
          StochasticKey key{0, c.first + uint64_t(i)};
          float real = static_cast<float>(acc[i]) * s[i];
          if (wraps)
            out[i] = quantizeWrap(real, 1.0f, int32_t(z), grid.bits,
                                  grid.isSigned, mode, key);
          else if (acc[i] == int32_t(acc[i]))
            out[i] = requantize(int32_t(acc[i]), s[i], int32_t(z), grid.min,
                                grid.max, mode, key);
          else
            out[i] =
                clampRound(real, int32_t(z), grid.min, grid.max, mode, key);
        }
        return nullptr;
      });
}

static llvm::Expected<ColumnFunction> makeRescale(Operation *op,
                                                  const Context &) {
  auto rescaleOp = cast<qd::RescaleOp>(op);
  std::optional<Grid> grid = integerGrid(rescaleOp.getResult().getType());
  if (!grid)
    return opError(op, "needs an integer result of at most 32 bits");
  return ColumnFunction(
      [grid = *grid, mode = roundingOf(rescaleOp.getRounding()),
       wraps = rescaleOp.getOverflow() == qd::Overflow::Wrap,
       hasZero =
           bool(rescaleOp.getZeroPoint())](const Columns &c) -> ColumnError {
        const int64_t *acc = c.in[0]->i64(), *multiplier = c.in[1]->i64();
        const int64_t *shift = c.in[2]->i64();
        const int64_t *zero = hasZero ? c.in[3]->i64() : nullptr;
        int64_t *out = c.out[0]->i64();
        for (int64_t i = 0; i < c.n; ++i) {
          if (shift[i] < 0 || shift[i] > 62)
            return "has a shift outside [0, 62]";
          int64_t z = zero ? zero[i] : 0;
          StochasticKey key{0, c.first + uint64_t(i)};
          if (wraps)
            out[i] = grid.wrap(
                int64_t(shiftRight(static_cast<Int128>(acc[i]) * multiplier[i],
                                   unsigned(shift[i]), mode, key) +
                        z));
          else
            out[i] = rescale(acc[i], int32_t(multiplier[i]), int32_t(shift[i]),
                             z, grid.min, grid.max, mode, key);
        }
        return nullptr;
      });
}

//===----------------------------------------------------------------------===//
// lookup
//===----------------------------------------------------------------------===//

static llvm::Expected<ColumnFunction> makeLookup(Operation *op,
                                                 const Context &context) {
  auto lookup = cast<qd::LookupOp>(op);
  auto table = context.lookup(lookup.getTable());
  if (!table)
    return table.takeError();
  auto entry = context.element(op, lookup.getTable().getType());
  auto code = context.element(op, lookup.getCodes().getType());
  if (!entry)
    return entry.takeError();
  if (!code)
    return code.takeError();
  if (code->kind != Kind::I64)
    return opError(op, "is indexed by values that are no codes");
  return ColumnFunction([table = *table, entry = *entry,
                         bits = code->bits](const Columns &c) -> ColumnError {
    const int64_t *codes = c.in[0]->i64();
    uint64_t mask = bits >= 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1;
    for (int64_t i = 0; i < c.n; ++i) {
      uint64_t index = uint64_t(codes[i]) & mask;
      if (index >= uint64_t(table.size()))
        return "has a code past the end of its table";
      if (c.out[0]->kind == Kind::I64)
        c.out[0]->i64()[i] = entry.wrap(table.asInteger(int64_t(index)));
      else if (c.out[0]->kind == Kind::F64)
        c.out[0]->f64()[i] = table.asDouble(int64_t(index));
      else
        c.out[0]->f32()[i] = float(table.asDouble(int64_t(index)));
    }
    return nullptr;
  });
}

void interp::registerQuantColumns(Registry &registry) {
  auto &ops = registry.columnOps;
  ops["qd.quantize"] = makeQuantize;
  ops["qd.dequantize"] = makeDequantize;
  ops["qd.requantize"] = makeRequantize;
  ops["qd.rescale"] = makeRescale;
  ops["qd.lookup"] = makeLookup;
}
