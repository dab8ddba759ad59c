// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element forms, and the loads and stores between memory and columns.

#include "Columns.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

std::optional<Element> interp::elementOf(Type type, bool exact) {
  std::optional<DType> memory = hostType(type);
  if (!memory)
    return std::nullopt;
  Element element;
  element.memory = *memory;
  if (qdialect::isFloat(*memory)) {
    if (exact)
      element.memory = DType::F64;
    element.kind = element.memory == DType::F64 ? Kind::F64 : Kind::F32;
    if (*memory != DType::F64 && !exact)
      element.rounding = *memory;
    return element;
  }
  element.kind = Kind::I64;
  if (type.isIndex()) {
    element.bits = 64;
    element.isSigned = true;
  } else if (auto integer = dyn_cast<mlir::IntegerType>(type)) {
    element.bits = integer.getWidth();
    element.isSigned = !integer.isUnsigned() && integer.getWidth() > 1;
  } else {
    element.bits = cast<qd::AlphabetTypeInterface>(type).getCodeBits();
  }
  return element;
}

void interp::roundHalf(const Element &element, Column &column, int64_t n) {
  if (column.kind != Kind::F32 || element.rounding == DType::F32)
    return;
  float *x = column.f32();
  for (int64_t i = 0; i < n; ++i)
    x[i] = element.rounding == DType::F16 ? halfToFloat(floatToHalf(x[i]))
                                          : bfloatToFloat(floatToBfloat(x[i]));
}

//===----------------------------------------------------------------------===//
// Cursor
//===----------------------------------------------------------------------===//

SmallVector<int64_t> interp::rowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t d = int64_t(shape.size()) - 2; d >= 0; --d)
    strides[d] = strides[d + 1] * shape[d + 1];
  return strides;
}

Cursor Cursor::strided(ArrayRef<int64_t> sizes, ArrayRef<int64_t> strides,
                       int64_t base) {
  Cursor cursor;
  cursor.base = cursor.offset = base;
  for (auto [size, stride] : llvm::zip_equal(sizes, strides)) {
    if (size == 1)
      continue;
    // The outer loop continues where the inner one ends: one longer loop.
    if (!cursor.sizes.empty() && cursor.strides.back() == stride * size) {
      cursor.sizes.back() *= size;
      cursor.strides.back() = stride;
      continue;
    }
    cursor.sizes.push_back(size);
    cursor.strides.push_back(stride);
  }
  if (cursor.sizes.empty()) {
    cursor.sizes.push_back(1);
    cursor.strides.push_back(0);
  }
  cursor.index.assign(cursor.sizes.size(), 0);
  return cursor;
}

Cursor Cursor::tables(std::vector<std::vector<int64_t>> tables) {
  Cursor cursor;
  cursor.mode = Mode::Tables;
  for (const std::vector<int64_t> &table : tables)
    cursor.sizes.push_back(table.size());
  cursor.tableOf = std::move(tables);
  cursor.index.assign(cursor.sizes.size(), 0);
  return cursor;
}

Cursor Cursor::mapped(ArrayRef<int64_t> sizes, AffineMap map,
                      ArrayRef<int64_t> shape) {
  Cursor cursor;
  cursor.mode = Mode::Mapped;
  cursor.sizes.assign(sizes.begin(), sizes.end());
  cursor.index.assign(sizes.size(), 0);
  cursor.map = map;
  cursor.shape.assign(shape.begin(), shape.end());
  return cursor;
}

void Cursor::reset(int64_t newBase) {
  base = offset = newBase;
  index.assign(index.size(), 0);
}

/// Moves `count` steps along the innermost loop, which must not pass its end,
/// and carries into the outer ones.
void Cursor::advance(int64_t count) {
  int64_t d = int64_t(sizes.size()) - 1;
  index[d] += count;
  offset += count * strides[d];
  while (d > 0 && index[d] == sizes[d]) {
    offset += strides[d - 1] - sizes[d] * strides[d];
    index[d] = 0;
    ++index[--d];
  }
}

/// The value of an affine expression without symbols; mod and division by zero
/// (which the parser lets through) give 0.
static int64_t evaluateExpr(AffineExpr expr, ArrayRef<int64_t> point) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return point[dim.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  int64_t lhs = evaluateExpr(binary.getLHS(), point);
  int64_t rhs = evaluateExpr(binary.getRHS(), point);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return lhs + rhs;
  case AffineExprKind::Mul:
    return lhs * rhs;
  case AffineExprKind::FloorDiv:
    return rhs ? llvm::divideFloorSigned(lhs, rhs) : 0;
  case AffineExprKind::CeilDiv:
    return rhs ? llvm::divideCeilSigned(lhs, rhs) : 0;
  default:
    return rhs ? llvm::mod(lhs, rhs) : 0;
  }
}

int64_t Cursor::nextOffset() {
  int64_t result = base;
  if (mode == Mode::Tables) {
    for (auto [table, i] : llvm::zip_equal(tableOf, index))
      result += table[i];
  } else {
    int64_t linear = 0;
    for (auto [expr, dim] : llvm::zip_equal(map.getResults(), shape))
      linear = linear * dim + evaluateExpr(expr, index);
    result += linear;
  }
  for (int64_t d = int64_t(sizes.size()) - 1; d >= 0; --d) {
    if (++index[d] < sizes[d])
      break;
    index[d] = 0;
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Memory and columns
//===----------------------------------------------------------------------===//

namespace {
struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};
template <typename To, typename From>
To convert(From value) {
  if constexpr (std::is_same_v<From, Half>)
    return static_cast<To>(halfToFloat(value.bits));
  else if constexpr (std::is_same_v<From, BFloat>)
    return static_cast<To>(bfloatToFloat(value.bits));
  else if constexpr (std::is_same_v<To, Half>)
    return Half{floatToHalf(static_cast<float>(value))};
  else if constexpr (std::is_same_v<To, BFloat>)
    return BFloat{floatToBfloat(static_cast<float>(value))};
  else
    return static_cast<To>(value);
}

/// Calls f with the C++ type of an element in memory.
template <typename Fn>
void withMemory(DType type, Fn &&f) {
  switch (type) {
  case DType::I1:
  case DType::U8:
    return f(uint8_t());
  case DType::I8:
    return f(int8_t());
  case DType::I16:
    return f(int16_t());
  case DType::U16:
    return f(uint16_t());
  case DType::I32:
    return f(int32_t());
  case DType::U32:
    return f(uint32_t());
  case DType::I64:
    return f(int64_t());
  case DType::U64:
    return f(uint64_t());
  case DType::F16:
    return f(Half());
  case DType::BF16:
    return f(BFloat());
  case DType::F32:
    return f(float());
  case DType::F64:
    return f(double());
  }
}
} // namespace

void Cursor::load(const char *memory, const Element &element, Column &column,
                  int64_t n) {
  withMemory(element.memory, [&](auto zero) {
    using From = decltype(zero);
    auto *in = reinterpret_cast<const From *>(memory);
    withKind(column.kind, [&](auto kindZero) {
      using To = decltype(kindZero);
      To *out = column.as<To>();
      runs(n, [&](int64_t at, int64_t from, int64_t stride, int64_t count) {
        if (stride == 1) {
          for (int64_t i = 0; i < count; ++i)
            out[at + i] = convert<To>(in[from + i]);
        } else if (stride == 0) {
          std::fill_n(out + at, count, convert<To>(in[from]));
        } else {
          for (int64_t i = 0; i < count; ++i)
            out[at + i] = convert<To>(in[from + i * stride]);
        }
      });
    });
  });
  // The unused high bits of a sub-byte code mean nothing.
  if (column.kind == Kind::I64 && element.bits % 8 != 0 && element.bits != 1) {
    int64_t *out = column.i64();
    for (int64_t i = 0; i < n; ++i)
      out[i] = element.wrap(out[i]);
  }
}

void Cursor::store(char *memory, const Element &element, Column &column,
                   int64_t n) {
  withMemory(element.memory, [&](auto zero) {
    using To = decltype(zero);
    auto *out = reinterpret_cast<To *>(memory);
    withKind(column.kind, [&](auto kindZero) {
      using From = decltype(kindZero);
      const From *in = column.as<From>();
      runs(n, [&](int64_t at, int64_t to, int64_t stride, int64_t count) {
        for (int64_t i = 0; i < count; ++i)
          out[to + i * stride] = convert<To>(in[at + i]);
      });
    });
  });
}

void Cursor::offsets(Column &column, int64_t n) {
  int64_t *out = column.i64();
  runs(n, [&](int64_t at, int64_t from, int64_t stride, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      out[at + i] = from + i * stride;
  });
}
