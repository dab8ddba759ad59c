// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bits of integers. Codes of unsigned types are computed as their storage.

#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"
#include "Scalars.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

using BitsBody = Value (*)(const Scalars &, ValueRange);

/// body over the storage of all inputs, which have one element type.
LogicalResult onStorage(Node &n, SmallVector<Tensor> operands, BitsBody body) {
  for (const Tensor &operand : operands)
    n.requireSameType(operands.front(), operand);
  if (!n.ok() || !n.requireBroadcast(pointersTo(operands)))
    return failure();
  Type type = operands.front().elementType();
  if (!isSignlessInteger(storageType(type)) || type.isInteger(1))
    return n.emitError() << "element type of "
                         << describeType(operands.front().type)
                         << " is not supported";
  return n.result(n.b.elementwise(
      operands, type, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
        Scalars s{b, loc};
        SmallVector<Value> bits;
        for (Value code : v)
          bits.push_back(s.toStorage(code));
        return s.fromStorage(body(s, bits), type);
      }));
}

template <typename Op>
Value combine(const Scalars &s, ValueRange v) {
  return Op::create(s.b, s.loc, v[0], v[1]);
}

template <typename Op>
LogicalResult importBitwise(Node &n) {
  Tensor x = n.input(0, "A"), y = n.input(1, "B");
  return n.ok() ? onStorage(n, {x, y}, combine<Op>) : failure();
}

LogicalResult importBitwiseNot(Node &n) {
  Tensor x = n.input(0, "X");
  if (!n.ok())
    return failure();
  return onStorage(n, {x}, [](const Scalars &s, ValueRange v) -> Value {
    return arith::XOrIOp::create(s.b, s.loc, v[0], s.number(v[0], -1));
  });
}

/// Shifting by the width or more gives 0, as the specification's C++ does not
/// but its reference evaluator does.
template <typename Op>
Value shift(const Scalars &s, ValueRange v) {
  unsigned width = v[0].getType().getIntOrFloatBitWidth();
  Value tooFar =
      arith::CmpIOp::create(s.b, s.loc, arith::CmpIPredicate::uge, v[1],
                            s.number(v[1], static_cast<double>(width)));
  Value zero = s.number(v[0], 0);
  Value by = s.select(tooFar, zero, v[1]);
  return s.select(tooFar, zero, Op::create(s.b, s.loc, v[0], by));
}

LogicalResult importBitShift(Node &n) {
  Tensor x = n.input(0, "X"), y = n.input(1, "Y");
  std::string direction = n.getString("direction", "");
  if (!n.ok())
    return failure();
  if (direction == "LEFT")
    return onStorage(n, {x, y}, shift<arith::ShLIOp>);
  if (direction == "RIGHT")
    return onStorage(n, {x, y}, shift<arith::ShRUIOp>);
  return n.emitError() << "attribute 'direction' is '" << direction
                       << "', but must be 'LEFT' or 'RIGHT'";
}

} // namespace

void registerBitwiseOps(OpRegistry &r) {
  r.onOp("BitwiseAnd", 18, importBitwise<arith::AndIOp>);
  r.onOp("BitwiseOr", 18, importBitwise<arith::OrIOp>);
  r.onOp("BitwiseXor", 18, importBitwise<arith::XOrIOp>);
  r.onOp("BitwiseNot", 18, importBitwiseNot);
  r.onOp("BitShift", 11, importBitShift, "unsigned integer");
}

} // namespace qdialect::onnx_import
