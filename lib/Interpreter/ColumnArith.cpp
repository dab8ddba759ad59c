// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// arith on columns, conversions apart. Integers are computed in 64 bits and
// wrapped to their width; floats in their own precision, half precision rounded
// after each op. Division by zero is an error, a shift past the width gives
// what shifting step by step would.

#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

/// fn(a, b, element) on sign-extended values; the result is wrapped.
template <typename Fn>
static ColumnFactory integerOp(Fn fn) {
  return [fn](Operation *op,
              const Context &context) -> llvm::Expected<ColumnFunction> {
    auto element = context.element(op, op->getResult(0).getType());
    if (!element)
      return element.takeError();
    return ColumnFunction([fn, e = *element](const Columns &c) -> ColumnError {
      const int64_t *a = c.in[0]->i64(), *b = c.in[1]->i64();
      int64_t *out = c.out[0]->i64();
      for (int64_t i = 0; i < c.n; ++i)
        out[i] = e.wrap(fn(a[i], b[i], e));
      return nullptr;
    });
  };
}

/// The same for divisions.
template <typename Fn>
static ColumnFactory divisionOp(Fn fn) {
  return [fn](Operation *op,
              const Context &context) -> llvm::Expected<ColumnFunction> {
    auto element = context.element(op, op->getResult(0).getType());
    if (!element)
      return element.takeError();
    return ColumnFunction([fn, e = *element](const Columns &c) -> ColumnError {
      const int64_t *a = c.in[0]->i64(), *b = c.in[1]->i64();
      int64_t *out = c.out[0]->i64();
      for (int64_t i = 0; i < c.n; ++i) {
        if (b[i] == 0)
          return "divides by zero";
        out[i] = e.wrap(fn(a[i], b[i], e));
      }
      return nullptr;
    });
  };
}

/// The unsigned number in the low bits of a sign-extended one.
static uint64_t zext(int64_t value, const Element &e) {
  return e.bits >= 64 ? uint64_t(value)
                      : uint64_t(value) & ((uint64_t(1) << e.bits) - 1);
}

/// Signed division that wraps instead of trapping for the one overflow.
static int64_t divide(int64_t a, int64_t b) {
  return b == -1 ? int64_t(0 - uint64_t(a)) : a / b;
}
static int64_t remainder(int64_t a, int64_t b) { return b == -1 ? 0 : a % b; }

static void registerIntegers(Registry &r) {
  using E = const Element &;
  auto u = [](int64_t x) { return uint64_t(x); };
  r.columnOps["arith.addi"] =
      integerOp([u](int64_t a, int64_t b, E) { return int64_t(u(a) + u(b)); });
  r.columnOps["arith.subi"] =
      integerOp([u](int64_t a, int64_t b, E) { return int64_t(u(a) - u(b)); });
  r.columnOps["arith.muli"] =
      integerOp([u](int64_t a, int64_t b, E) { return int64_t(u(a) * u(b)); });
  r.columnOps["arith.andi"] =
      integerOp([](int64_t a, int64_t b, E) { return a & b; });
  r.columnOps["arith.ori"] =
      integerOp([](int64_t a, int64_t b, E) { return a | b; });
  r.columnOps["arith.xori"] =
      integerOp([](int64_t a, int64_t b, E) { return a ^ b; });
  r.columnOps["arith.maxsi"] =
      integerOp([](int64_t a, int64_t b, E) { return std::max(a, b); });
  r.columnOps["arith.minsi"] =
      integerOp([](int64_t a, int64_t b, E) { return std::min(a, b); });
  r.columnOps["arith.maxui"] = integerOp([](int64_t a, int64_t b, E e) {
    return zext(a, e) > zext(b, e) ? a : b;
  });
  r.columnOps["arith.minui"] = integerOp([](int64_t a, int64_t b, E e) {
    return zext(a, e) < zext(b, e) ? a : b;
  });
  r.columnOps["arith.shli"] = integerOp([](int64_t a, int64_t b, E e) {
    uint64_t by = zext(b, e);
    return by >= e.bits ? 0 : int64_t(uint64_t(a) << by);
  });
  r.columnOps["arith.shrsi"] = integerOp([](int64_t a, int64_t b, E e) {
    return a >> std::min<uint64_t>(zext(b, e), 63);
  });
  r.columnOps["arith.shrui"] = integerOp([](int64_t a, int64_t b, E e) {
    uint64_t by = zext(b, e);
    return by >= e.bits ? 0 : int64_t(zext(a, e) >> by);
  });
  r.columnOps["arith.divsi"] =
      divisionOp([](int64_t a, int64_t b, E) { return divide(a, b); });
  r.columnOps["arith.remsi"] =
      divisionOp([](int64_t a, int64_t b, E) { return remainder(a, b); });
  r.columnOps["arith.divui"] = divisionOp([](int64_t a, int64_t b, E e) {
    return int64_t(zext(a, e) / zext(b, e));
  });
  r.columnOps["arith.remui"] = divisionOp([](int64_t a, int64_t b, E e) {
    return int64_t(zext(a, e) % zext(b, e));
  });
  r.columnOps["arith.floordivsi"] = divisionOp([](int64_t a, int64_t b, E) {
    return divide(a, b) - (remainder(a, b) != 0 && (a < 0) != (b < 0));
  });
  r.columnOps["arith.ceildivsi"] = divisionOp([](int64_t a, int64_t b, E) {
    return divide(a, b) + (remainder(a, b) != 0 && (a < 0) == (b < 0));
  });
}

//===----------------------------------------------------------------------===//
// Floats
//===----------------------------------------------------------------------===//

template <typename Fn>
static ColumnFactory floatOp(Fn fn) {
  return [fn](Operation *op,
              const Context &context) -> llvm::Expected<ColumnFunction> {
    auto element = context.element(op, op->getResult(0).getType());
    if (!element)
      return element.takeError();
    if (element->kind == Kind::I64)
      return opError(op, "computes on a float type without arithmetic");
    return ColumnFunction([fn, e = *element](const Columns &c) -> ColumnError {
      auto loop = [&](auto zero) {
        using T = decltype(zero);
        const T *a = c.in[0]->as<T>(), *b = c.in[c.in.size() - 1]->as<T>();
        T *out = c.out[0]->as<T>();
        for (int64_t i = 0; i < c.n; ++i)
          out[i] = fn(a[i], b[i]);
      };
      if (e.kind == Kind::F32)
        loop(float());
      else
        loop(double());
      roundHalf(e, *c.out[0], c.n);
      return nullptr;
    });
  };
}

static void registerFloats(Registry &r) {
  r.columnOps["arith.addf"] = floatOp([](auto a, auto b) { return a + b; });
  r.columnOps["arith.subf"] = floatOp([](auto a, auto b) { return a - b; });
  r.columnOps["arith.mulf"] = floatOp([](auto a, auto b) { return a * b; });
  r.columnOps["arith.divf"] = floatOp([](auto a, auto b) { return a / b; });
  r.columnOps["arith.remf"] =
      floatOp([](auto a, auto b) { return std::fmod(a, b); });
  // One operand: floatOp hands it over twice.
  r.columnOps["arith.negf"] = floatOp([](auto a, auto) { return -a; });
  // maximumf: NaN wins and -0 is below +0; maxnumf: the number wins.
  r.columnOps["arith.maximumf"] = floatOp([](auto a, auto b) {
    return a > b || a != a || (a == b && !std::signbit(a)) ? a : b;
  });
  r.columnOps["arith.minimumf"] = floatOp([](auto a, auto b) {
    return a < b || a != a || (a == b && std::signbit(a)) ? a : b;
  });
  r.columnOps["arith.maxnumf"] = floatOp([](auto a, auto b) {
    return b != b || a > b || (a == b && !std::signbit(a)) ? a : b;
  });
  r.columnOps["arith.minnumf"] = floatOp([](auto a, auto b) {
    return b != b || a < b || (a == b && std::signbit(a)) ? a : b;
  });
}

//===----------------------------------------------------------------------===//
// Comparisons and select
//===----------------------------------------------------------------------===//

static bool compare(arith::CmpIPredicate predicate, int64_t a, int64_t b,
                    uint64_t ua, uint64_t ub) {
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return a == b;
  case arith::CmpIPredicate::ne:
    return a != b;
  case arith::CmpIPredicate::slt:
    return a < b;
  case arith::CmpIPredicate::sle:
    return a <= b;
  case arith::CmpIPredicate::sgt:
    return a > b;
  case arith::CmpIPredicate::sge:
    return a >= b;
  case arith::CmpIPredicate::ult:
    return ua < ub;
  case arith::CmpIPredicate::ule:
    return ua <= ub;
  case arith::CmpIPredicate::ugt:
    return ua > ub;
  case arith::CmpIPredicate::uge:
    return ua >= ub;
  }
  return false;
}

static llvm::Expected<ColumnFunction> makeCmpI(Operation *op,
                                               const Context &context) {
  auto cmp = cast<arith::CmpIOp>(op);
  auto element = context.element(op, cmp.getLhs().getType());
  if (!element)
    return element.takeError();
  return ColumnFunction([p = cmp.getPredicate(),
                         e = *element](const Columns &c) -> ColumnError {
    const int64_t *a = c.in[0]->i64(), *b = c.in[1]->i64();
    int64_t *out = c.out[0]->i64();
    // A set i1 is -1 to the signed predicates.
    int64_t sign = e.bits == 1 ? -1 : 1;
    for (int64_t i = 0; i < c.n; ++i)
      out[i] =
          compare(p, sign * a[i], sign * b[i], zext(a[i], e), zext(b[i], e));
    return nullptr;
  });
}

/// The relations each predicate accepts: equal 1, greater 2, less 4, unordered
/// 8, in the order of CmpFPredicate (false, oeq, ..., ord, ueq, ..., uno,
/// true).
static constexpr uint8_t kAccepted[16] = {0, 1,  2,  3,  4,  5,  6, 7,
                                          9, 10, 11, 12, 13, 14, 8, 15};

template <typename T>
static unsigned relation(T a, T b) {
  return a == b ? 1 : a > b ? 2 : a < b ? 4 : 8;
}

static llvm::Expected<ColumnFunction> makeCmpF(Operation *op,
                                               const Context &context) {
  auto cmp = cast<arith::CmpFOp>(op);
  unsigned mask = kAccepted[static_cast<unsigned>(cmp.getPredicate())];
  return ColumnFunction([mask](const Columns &c) -> ColumnError {
    int64_t *out = c.out[0]->i64();
    auto loop = [&](auto zero) {
      using T = decltype(zero);
      const T *a = c.in[0]->as<T>(), *b = c.in[1]->as<T>();
      for (int64_t i = 0; i < c.n; ++i)
        out[i] = (mask & relation(a[i], b[i])) != 0;
    };
    if (c.in[0]->kind == Kind::F32)
      loop(float());
    else
      loop(double());
    return nullptr;
  });
}

static llvm::Expected<ColumnFunction> makeSelect(Operation *, const Context &) {
  return ColumnFunction([](const Columns &c) -> ColumnError {
    const int64_t *condition = c.in[0]->i64();
    withKind(c.out[0]->kind, [&](auto zero) {
      using T = decltype(zero);
      const T *a = c.in[1]->as<T>(), *b = c.in[2]->as<T>();
      T *out = c.out[0]->as<T>();
      for (int64_t i = 0; i < c.n; ++i)
        out[i] = condition[i] ? a[i] : b[i];
    });
    return nullptr;
  });
}

void interp::registerArithColumns(Registry &registry) {
  registerIntegers(registry);
  registerFloats(registry);
  registry.columnOps["arith.cmpi"] = makeCmpI;
  registry.columnOps["arith.cmpf"] = makeCmpF;
  registry.columnOps["arith.select"] = makeSelect;
}
