// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Comparisons, logic and Where, on i1.

#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"
#include "Scalars.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// Comparisons of shapes are folded like the arithmetic on them.
std::optional<Tensor> foldComparison(GraphBuilder &b, const Tensor &x,
                                     const Tensor &y,
                                     arith::CmpIPredicate predicate) {
  Shape shape = *broadcastShape({x, y});
  if (!x.elementType().isInteger(64) || !canFold({x, y}, shape))
    return std::nullopt;
  SmallVector<double> results;
  int64_t count =
      RankedTensorType::get(shape, x.elementType()).getNumElements();
  for (int64_t i = 0; i < count; ++i) {
    int64_t a = x.data->asInteger(broadcastIndex(x.shape(), shape, i));
    int64_t c = y.data->asInteger(broadcastIndex(y.shape(), shape, i));
    if (SymbolicSizes::isSymbolic(a) || SymbolicSizes::isSymbolic(c)) {
      // The difference and zero, if its bounds leave one answer.
      SymbolicSizes::Bounds d = b.sizes.bounds(b.sizes.sub(a, c));
      if (d.low <= 0 && d.high >= 0 && d.low != d.high)
        return std::nullopt;
      a = d.low > 0 ? 1 : d.high < 0 ? -1 : 0;
      c = 0;
    }
    APInt left(64, a, /*isSigned=*/true), right(64, c, /*isSigned=*/true);
    results.push_back(arith::applyCmpPredicate(predicate, left, right));
  }
  return b.constant(b.builder.getI1Type(), shape, results);
}

/// The comparison of unsigned numbers.
arith::CmpIPredicate onCodes(arith::CmpIPredicate predicate) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
  case P::slt:
    return P::ult;
  case P::sle:
    return P::ule;
  case P::sgt:
    return P::ugt;
  case P::sge:
    return P::uge;
  default:
    return predicate;
  }
}

OpRegistry::Handler comparison(arith::CmpFPredicate onFloats,
                               arith::CmpIPredicate onIntegers) {
  return [=](Node &n) -> LogicalResult {
    Tensor x = n.input(0, "A"), y = n.input(1, "B");
    n.requireSameType(x, y);
    if (!n.ok() || !n.requireBroadcast({&x, &y}))
      return failure();
    Type type = x.elementType();
    if (!isFloat(type) && !isSignlessInteger(type) && !isUnsignedType(type))
      return n.emitError() << "element type of " << describeType(x.type)
                           << " is not supported";
    if (auto folded = foldComparison(n.b, x, y, onIntegers))
      return n.result(*folded);
    return n.result(n.b.elementwise(
        {x, y}, n.b.builder.getI1Type(),
        [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          if (isFloat(type))
            return arith::CmpFOp::create(b, loc, onFloats, v[0], v[1]);
          Scalars s{b, loc};
          return arith::CmpIOp::create(
              b, loc, isUnsignedType(type) ? onCodes(onIntegers) : onIntegers,
              s.toStorage(v[0]), s.toStorage(v[1]));
        }));
  };
}

template <typename Op>
LogicalResult importLogic(Node &n) {
  Tensor x = n.input(0, "A"), y = n.input(1, "B");
  n.requireSameType(x, y);
  if (!n.ok() || !n.requireBroadcast({&x, &y}))
    return failure();
  if (!x.elementType().isInteger(1))
    return n.emitError() << "input A is " << describeType(x.type)
                         << ", but must be bool";
  return n.result(
      n.b.elementwise({x, y}, x.elementType(),
                      [](OpBuilder &b, Location loc, ValueRange v) -> Value {
                        return Op::create(b, loc, v[0], v[1]);
                      }));
}

LogicalResult importNot(Node &n) {
  Tensor x = n.input(0, "X");
  if (!n.ok())
    return failure();
  if (!x.elementType().isInteger(1))
    return n.emitError() << "input X is " << describeType(x.type)
                         << ", but must be bool";
  return n.result(n.b.elementwise(
      {x}, x.elementType(), [&](OpBuilder &b, Location loc, ValueRange v) {
        Value yes = GraphBuilder::scalar(b, loc, x.elementType(), 1);
        return arith::XOrIOp::create(b, loc, v[0], yes).getResult();
      }));
}

LogicalResult importWhere(Node &n) {
  Tensor test = n.input(0, "condition"), x = n.input(1, "X"),
         y = n.input(2, "Y");
  n.requireSameType(x, y);
  if (!n.ok() || !n.requireBroadcast({&test, &x, &y}))
    return failure();
  if (!test.elementType().isInteger(1))
    return n.emitError() << "input condition is " << describeType(test.type)
                         << ", but must be bool";
  Type type = x.elementType();
  Shape shape = *broadcastShape({test, x, y});
  if (canFold({test, x, y}, shape) && x.data->type() == y.data->type()) {
    HostTensor chosen(x.data->type(), {shape.begin(), shape.end()});
    size_t width = byteWidth(chosen.type());
    char *out = chosen.mutableBytes();
    for (int64_t i = 0, count = chosen.size(); i < count; ++i) {
      const Tensor &from =
          test.data->asInteger(broadcastIndex(test.shape(), shape, i)) ? x : y;
      int64_t at = broadcastIndex(from.shape(), shape, i);
      std::memcpy(out + i * width, from.data->bytes() + at * width, width);
    }
    return n.result(Tensor(type, chosen));
  }
  return n.result(n.b.elementwise(
      {test, x, y}, type, [](OpBuilder &b, Location loc, ValueRange v) {
        return arith::SelectOp::create(b, loc, v[0], v[1], v[2]).getResult();
      }));
}

} // namespace

void registerLogicOps(OpRegistry &r) {
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  constexpr StringLiteral limits = "float, integer, bool";
  r.onOp("Equal", 7, comparison(F::OEQ, I::eq), limits).symbolic();
  r.onOp("Less", 7, comparison(F::OLT, I::slt), "float, integer").symbolic();
  r.onOp("Greater", 7, comparison(F::OGT, I::sgt), "float, integer").symbolic();
  r.onOp("LessOrEqual", 12, comparison(F::OLE, I::sle), "float, integer")
      .symbolic();
  r.onOp("GreaterOrEqual", 12, comparison(F::OGE, I::sge), "float, integer")
      .symbolic();
  r.onOp("And", 7, importLogic<arith::AndIOp>).symbolic();
  r.onOp("Or", 7, importLogic<arith::OrIOp>).symbolic();
  r.onOp("Xor", 7, importLogic<arith::XOrIOp>).symbolic();
  r.onOp("Not", 1, importNot).symbolic();
  r.onOp("Where", 9, importWhere).symbolic();
}

} // namespace qdialect::onnx_import
