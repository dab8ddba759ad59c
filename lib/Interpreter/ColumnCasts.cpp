// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conversions on columns: arith's casts and qd.storage_cast. Float to integer
// truncates and saturates, NaN becomes 0 (arith leaves both open). A truncf to
// an eight-bit float overflows as IEEE 754 says (Format's Wrap).

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/Format.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"
#include <cmath>

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

namespace {
struct CastTypes {
  Element from, to;
};
} // namespace

static llvm::Expected<CastTypes> castTypes(Operation *op,
                                           const Context &context) {
  auto from = context.element(op, op->getOperand(0).getType());
  if (!from)
    return from.takeError();
  auto to = context.element(op, op->getResult(0).getType());
  if (!to)
    return to.takeError();
  return CastTypes{*from, *to};
}

/// fn(value, from, to) between integers.
template <typename Fn>
static ColumnFactory integerCast(Fn fn) {
  return [fn](Operation *op,
              const Context &context) -> llvm::Expected<ColumnFunction> {
    auto types = castTypes(op, context);
    if (!types)
      return types.takeError();
    return ColumnFunction([fn, t = *types](const Columns &c) -> ColumnError {
      const int64_t *in = c.in[0]->i64();
      int64_t *out = c.out[0]->i64();
      for (int64_t i = 0; i < c.n; ++i)
        out[i] = t.to.wrap(fn(in[i], t.from));
      return nullptr;
    });
  };
}

static int64_t asSigned(int64_t value, const Element &from) {
  return from.bits == 1 ? -value : value;
}
static int64_t asUnsigned(int64_t value, const Element &from) {
  return from.bits >= 64 ? value : value & ((int64_t(1) << from.bits) - 1);
}

static float roundHalf(float value, const Element &to) {
  return to.rounding == DType::F16    ? halfToFloat(floatToHalf(value))
         : to.rounding == DType::BF16 ? bfloatToFloat(floatToBfloat(value))
                                      : value;
}

template <bool isSigned>
static llvm::Expected<ColumnFunction> makeIntToFloat(Operation *op,
                                                     const Context &context) {
  auto types = castTypes(op, context);
  if (!types)
    return types.takeError();
  if (types->to.kind == Kind::I64)
    return opError(op, "converts to a float type without arithmetic");
  return ColumnFunction([t = *types](const Columns &c) -> ColumnError {
    const int64_t *in = c.in[0]->i64();
    for (int64_t i = 0; i < c.n; ++i) {
      int64_t value =
          isSigned ? asSigned(in[i], t.from) : asUnsigned(in[i], t.from);
      bool huge = !isSigned && value < 0; // an i64 above 2^63
      if (t.to.kind == Kind::F64)
        c.out[0]->f64()[i] = huge ? double(uint64_t(value)) : double(value);
      else
        c.out[0]->f32()[i] =
            roundHalf(huge ? float(uint64_t(value)) : float(value), t.to);
    }
    return nullptr;
  });
}

template <bool isSigned>
static llvm::Expected<ColumnFunction> makeFloatToInt(Operation *op,
                                                     const Context &context) {
  auto types = castTypes(op, context);
  if (!types)
    return types.takeError();
  unsigned bits = types->to.bits;
  // The largest doubles below and not below the ends of the range.
  double lo = isSigned ? -std::ldexp(1.0, int(bits) - 1) : 0.0;
  double end = std::ldexp(1.0, isSigned ? int(bits) - 1 : int(bits));
  return ColumnFunction([=, t = *types](const Columns &c) -> ColumnError {
    int64_t *out = c.out[0]->i64();
    for (int64_t i = 0; i < c.n; ++i) {
      double x = std::trunc(c.in[0]->number(i));
      if (x != x)
        out[i] = 0;
      else if (x < lo)
        out[i] = isSigned ? t.to.wrap(int64_t(uint64_t(1) << (bits - 1))) : 0;
      else if (x >= end)
        out[i] = t.to.wrap(isSigned ? int64_t((uint64_t(1) << (bits - 1)) - 1)
                                    : int64_t(-1));
      else
        out[i] = t.to.wrap(isSigned ? int64_t(x) : int64_t(uint64_t(x)));
    }
    return nullptr;
  });
}

/// extf and truncf between arithmetic floats and eight-bit (or smaller) ones.
static llvm::Expected<ColumnFunction> makeFloatCast(Operation *op,
                                                    const Context &context) {
  auto types = castTypes(op, context);
  if (!types)
    return types.takeError();
  std::vector<double> table;
  std::optional<Format> format;
  if (types->from.kind == Kind::I64) {
    auto source = qd::getFormat(getElementTypeOrSelf(op->getOperand(0)));
    if (!source)
      return opError(op, "converts from an unknown float type");
    table = source->decodeTable();
  }
  if (types->to.kind == Kind::I64) {
    format = qd::getFormat(getElementTypeOrSelf(op->getResult(0)));
    if (!format)
      return opError(op, "converts to an unknown float type");
  }
  return ColumnFunction([t = *types, table = std::move(table),
                         format](const Columns &c) -> ColumnError {
    for (int64_t i = 0; i < c.n; ++i) {
      double x =
          table.empty() ? c.in[0]->number(i) : table[size_t(c.in[0]->i64()[i])];
      if (format)
        c.out[0]->i64()[i] =
            format->encode(x, Rounding::HalfEven, Overflow::Wrap);
      else if (t.to.kind == Kind::F64)
        c.out[0]->f64()[i] = x;
      else
        c.out[0]->f32()[i] = roundHalf(static_cast<float>(x), t.to);
    }
    return nullptr;
  });
}

/// The bit pattern of element i of a column of type `e`.
static uint64_t patternOf(Column &column, const Element &e, DType type,
                          int64_t i) {
  uint64_t bits = 0;
  if (column.kind == Kind::I64)
    return uint64_t(asUnsigned(column.i64()[i], e));
  double value = column.number(i);
  if (type == DType::F64) {
    std::memcpy(&bits, &value, 8);
  } else if (type == DType::F32) {
    float narrow = static_cast<float>(value);
    std::memcpy(&bits, &narrow, 4);
  } else {
    bits = type == DType::F16 ? floatToHalf(static_cast<float>(value))
                              : floatToBfloat(static_cast<float>(value));
  }
  return bits;
}

static void setPattern(Column &column, const Element &e, DType type, int64_t i,
                       uint64_t bits) {
  if (column.kind == Kind::I64) {
    column.i64()[i] = e.wrap(int64_t(bits));
    return;
  }
  double value;
  if (type == DType::F64) {
    std::memcpy(&value, &bits, 8);
  } else if (type == DType::F32) {
    float narrow;
    std::memcpy(&narrow, &bits, 4);
    value = narrow;
  } else {
    value = type == DType::F16 ? halfToFloat(uint16_t(bits))
                               : bfloatToFloat(uint16_t(bits));
  }
  if (column.kind == Kind::F64)
    column.f64()[i] = value;
  else
    column.f32()[i] = static_cast<float>(value);
}

/// arith.bitcast and qd.storage_cast: the same bits. With exact islands a float
/// is rounded to its type first, for it has no bits otherwise.
static llvm::Expected<ColumnFunction> makeBitcast(Operation *op,
                                                  const Context &context) {
  auto types = castTypes(op, context);
  if (!types)
    return types.takeError();
  // The memory form without exact islands has the type's own width.
  auto own = [](Type type) {
    return elementOf(getElementTypeOrSelf(type), /*exact=*/false)->memory;
  };
  DType from = own(op->getOperand(0).getType());
  DType to = own(op->getResult(0).getType());
  return ColumnFunction([=, t = *types](const Columns &c) -> ColumnError {
    for (int64_t i = 0; i < c.n; ++i)
      setPattern(*c.out[0], t.to, to, i, patternOf(*c.in[0], t.from, from, i));
    return nullptr;
  });
}

void interp::registerCastColumns(Registry &registry) {
  auto &ops = registry.columnOps;
  ops["arith.extsi"] = integerCast(asSigned);
  ops["arith.extui"] = integerCast(asUnsigned);
  ops["arith.trunci"] = integerCast(asSigned);
  ops["arith.index_cast"] = integerCast(asSigned);
  ops["arith.index_castui"] = integerCast(asUnsigned);
  ops["arith.sitofp"] = makeIntToFloat<true>;
  ops["arith.uitofp"] = makeIntToFloat<false>;
  ops["arith.fptosi"] = makeFloatToInt<true>;
  ops["arith.fptoui"] = makeFloatToInt<false>;
  ops["arith.extf"] = makeFloatCast;
  ops["arith.truncf"] = makeFloatCast;
  ops["arith.bitcast"] = makeBitcast;
  ops["qd.storage_cast"] = makeBitcast;
}
