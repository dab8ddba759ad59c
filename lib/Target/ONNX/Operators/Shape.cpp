// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operators that give the same elements another shape, order or type.

#include "ComputedNumbers.h"
#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "QDialect/IR/QDDialect.h"
#include "Registry.h"
#include "RunTimeShapes.h"
#include "Scalars.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// What the program makes of dimension `place` of a new shape: 0 copies that of
/// the input (unless allowzero), -1 is what the others leave.
Tensor resolveDimension(GraphBuilder &b, const Tensor &x,
                        ArrayRef<Number> asked, size_t place, bool allowZero) {
  SmallVector<Number> numbers(asked);
  for (int64_t size : x.shape())
    numbers.emplace_back(size);
  numbers.emplace_back(b.count(x));
  return combine(b, numbers, [&](const Scalars &s, ArrayRef<Value> v) {
    auto copied = [&](size_t i) -> Value {
      if (allowZero || i >= static_cast<size_t>(x.rank()))
        return v[i];
      return s.select(s.eq(v[i], s.i64(0)), v[asked.size() + i], v[i]);
    };
    Value others = s.i64(1), open = s.i64(-1);
    for (size_t i = 0; i < asked.size(); ++i)
      if (i != place)
        others = s.mul(others, s.select(s.eq(v[i], open), s.i64(1), copied(i)));
    Value rest = s.divTotal(v.back(), others);
    return s.select(s.eq(v[place], open), rest, copied(place));
  });
}

/// A shape that the program computes, or whose number of elements only the run
/// can compare with that of the data.
LogicalResult reshapeComputed(Node &n, const Tensor &x,
                              SmallVector<Number> asked, bool allowZero) {
  GraphBuilder &b = n.b;
  int64_t count = b.count(x), known = 1;
  Shape shape(asked.size(), 0), open;
  for (auto [axis, number] : llvm::enumerate(asked)) {
    bool copies = number.isKnown() && number.known == 0 && !allowZero;
    if (copies && static_cast<int64_t>(axis) >= x.rank())
      return n.emitError() << "cannot reshape " << b.describe(x)
                           << ": there is no dimension " << axis << " to copy";
    if (copies)
      number = Number(x.dim(static_cast<int64_t>(axis)));
    if (!number.isKnown() || number.known == -1) {
      open.push_back(static_cast<int64_t>(axis));
      continue;
    }
    shape[axis] = number.known;
    known = b.sizes.mul(known, number.known);
  }
  auto isLeft = [](const Number &number) {
    return number.isKnown() && number.known == -1;
  };
  if (llvm::count_if(asked, isLeft) > 1)
    return n.emitError() << "cannot reshape " << b.describe(x)
                         << ": more than one dimension is -1";
  std::optional<int64_t> rest;
  if (open.size() == 1)
    rest = b.sizes.divide(count, known);
  for (int64_t axis : open) {
    if (rest && asked[axis].isKnown()) {
      shape[axis] = *rest;
      continue;
    }
    std::string name = n.inputName(1) + "[" + std::to_string(axis) + "]";
    std::string what = n.describe() + "shape ('" + name + "')";
    std::vector<int64_t> key = keyOf("reshape", asked);
    key.insert(key.end(), {axis, allowZero});
    llvm::append_range(key, x.shape());
    shape[axis] = b.sizeOnce(key, [&] {
      Tensor size = resolveDimension(b, x, asked, axis, allowZero);
      b.requireCount(size, SymbolicSizes::kUnbounded, what);
      return b.dataSize(size, name);
    });
    if (rest) {
      b.requireEqual(shape[axis], *rest, what);
      shape[axis] = *rest;
    }
  }
  if (!isReasonableShape(shape))
    return n.emitError() << "shape " << b.describe(shape) << " is too large";
  b.requireEqual(b.sizes.product(shape), count,
                 n.describe() + "the number of elements of the new shape");
  return n.result(b.reshapeChecked(x, shape));
}

/// A dimension of 0 copies the input's (unless allowzero), -1 is what is left.
LogicalResult importReshape(Node &n) {
  Tensor x = n.input(0, "data");
  SmallVector<Number> numbers = numbersOperand(n, 1, "shape");
  bool allowZero = n.getInt("allowzero", 0) != 0;
  if (!n.ok())
    return failure();
  if (!allKnown(numbers))
    return reshapeComputed(n, x, numbers, allowZero);
  Shape asked = knownNumbers(numbers), shape = asked;
  auto fail = [&]() -> InFlightDiagnostic {
    return n.emitError() << "cannot reshape " << n.b.describe(x) << " to ["
                         << ArrayRef<int64_t>(asked) << "]";
  };
  SymbolicSizes &sizes = n.b.sizes;
  int64_t known = 1, open = -1;
  for (auto [axis, size] : llvm::enumerate(shape)) {
    if (size == 0 && !allowZero) {
      if (static_cast<int64_t>(axis) >= x.rank())
        return fail() << ": there is no dimension " << axis << " to copy";
      size = x.dim(axis);
    }
    if (size == -1 && open < 0)
      open = static_cast<int64_t>(axis);
    else if (size < 0 && !SymbolicSizes::isSymbolic(size))
      return fail();
    else
      known = sizes.mul(known, size);
  }
  int64_t count = n.b.count(x);
  bool isChecked = n.b.canDependOnData() &&
                   (sizes.isComputed(count) || sizes.isComputed(known));
  if (open >= 0) {
    std::optional<int64_t> rest = sizes.divide(count, known);
    if (!rest && isChecked)
      return reshapeComputed(n, x, numbers, allowZero);
    if (!rest)
      return fail();
    shape[open] = *rest;
  }
  if (isReasonableShape(shape) && sizes.product(shape) != count && isChecked)
    return reshapeComputed(n, x, numbers, allowZero);
  if (!isReasonableShape(shape) || sizes.product(shape) != count)
    return fail() << ": " << sizes.print(count) << " elements are not "
                  << sizes.print(sizes.product(shape));
  return n.result(n.b.reshape(x, shape));
}

LogicalResult importFlatten(Node &n) {
  Tensor x = n.input(0, "input");
  int64_t axis = n.getInt("axis", 1);
  if (!n.ok())
    return failure();
  // Unlike elsewhere the rank itself is a valid axis.
  if (axis != x.rank())
    axis = n.axis(axis, x.rank());
  if (!n.ok())
    return failure();
  int64_t rows = 1, columns = 1;
  for (int64_t i = 0; i < x.rank(); ++i)
    (i < axis ? rows : columns) =
        n.b.sizes.mul(i < axis ? rows : columns, x.dim(i));
  return n.result(n.b.reshape(x, {rows, columns}));
}

LogicalResult importTranspose(Node &n) {
  Tensor x = n.input(0, "data");
  Shape reversed;
  for (int64_t axis = x.rank(); axis-- > 0;)
    reversed.push_back(axis);
  Shape permutation = n.getInts("perm").value_or(reversed);
  permutation = n.axes(permutation, x.rank(), "perm");
  if (!n.ok())
    return failure();
  if (static_cast<int64_t>(permutation.size()) != x.rank())
    return n.emitError() << "attribute 'perm' has " << permutation.size()
                         << " numbers, but the input has rank " << x.rank();
  return n.result(n.b.transpose(x, permutation));
}

LogicalResult importSqueeze(Node &n) {
  Tensor x = n.input(0, "data");
  if (!n.ok())
    return failure();
  std::optional<Shape> axes = n.axesOperand(1, 13, x.rank());
  if (!n.ok())
    return failure();
  Shape shape;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    bool named = axes && llvm::is_contained(*axes, axis);
    if (named && x.dim(axis) != 1)
      return n.emitError() << "cannot squeeze axis " << axis << " of "
                           << describeType(x.type);
    if (!named && (axes || x.dim(axis) != 1))
      shape.push_back(x.dim(axis));
  }
  return n.result(n.b.reshape(x, shape));
}

LogicalResult importUnsqueeze(Node &n) {
  Tensor x = n.input(0, "data");
  if (!n.ok())
    return failure();
  Shape listed = n.opset() < 13 ? n.getInts("axes").value_or(Shape())
                                : n.constantIntegers(1, "axes");
  Shape axes = n.axes(listed, x.rank() + static_cast<int64_t>(listed.size()));
  if (!n.ok())
    return failure();
  Shape shape;
  int64_t rank = x.rank() + static_cast<int64_t>(axes.size()), next = 0;
  for (int64_t axis = 0; axis < rank; ++axis)
    shape.push_back(llvm::is_contained(axes, axis) ? 1 : x.dim(next++));
  return n.result(n.b.reshape(x, shape));
}

LogicalResult importExpand(Node &n) {
  Tensor x = n.input(0, "input");
  Shape wanted = sizesOperand(n, 1, "shape");
  if (!n.ok())
    return failure();
  if (!isReasonableShape(wanted))
    return n.emitError() << "shape " << n.b.describe(wanted)
                         << " is negative or too large";
  std::optional<Shape> shape = commonShape(n, {Shape(x.shape()), wanted});
  if (!shape)
    return n.emitError() << "cannot expand " << n.b.describe(x) << " to "
                         << n.b.describe(wanted);
  if (!isReasonableShape(*shape))
    return n.emitError() << "shape " << n.b.describe(*shape) << " is too large";
  requireBroadcastTo(n, wanted, *shape, "shape ('" + n.inputName(1) + "')");
  return n.result(n.b.expand(fitted(n, x, *shape, "operand 0"), *shape));
}

/// A broadcast over new dimensions of the repeats: (d0, d1) to (r0, d0, r1,
/// d1).
LogicalResult importTile(Node &n) {
  Tensor x = n.input(0, "input");
  Shape repeats = sizesOperand(n, 1, "repeats");
  for (int64_t repeat : repeats)
    if (!SymbolicSizes::isSymbolic(repeat))
      n.requireRange("repeats", {repeat}, 0, maxElements);
  if (!n.ok())
    return failure();
  if (static_cast<int64_t>(repeats.size()) != x.rank())
    return n.emitError() << "repeats has " << repeats.size()
                         << " numbers, but the input has rank " << x.rank();
  Shape split, expanded, merged;
  for (auto [repeat, size] : llvm::zip_equal(repeats, x.shape())) {
    split.append({1, size});
    expanded.append({repeat, size});
  }
  if (!isReasonableShape(expanded))
    return n.emitError() << "repeats " << n.b.describe(repeats) << " of "
                         << n.b.describe(x) << " are too many elements";
  for (auto [repeat, size] : llvm::zip_equal(repeats, x.shape()))
    merged.push_back(n.b.sizes.mul(repeat, size));
  Tensor y = n.b.expand(n.b.reshape(x, split), expanded);
  return n.result(n.b.reshape(y, merged));
}

/// The attributes saturate and round_mode.
CastRules castRules(Node &n) {
  CastRules rules;
  rules.saturate = n.getInt("saturate", 1) != 0;
  std::string mode = n.getString("round_mode", "up");
  if (mode == "nearest")
    rules.rounding = CastRules::PowerRounding::Nearest;
  else if (mode == "down")
    rules.rounding = CastRules::PowerRounding::Down;
  else if (mode != "up" && n.ok())
    n.emitError() << "attribute 'round_mode' is '" << mode
                  << "', but must be up, down or nearest";
  return rules;
}

/// The element type that the attribute `to` names.
Type targetType(Node &n) {
  int64_t to = n.getInt("to", 0);
  Type type = to < 0 || to > INT32_MAX
                  ? Type()
                  : getElementType(static_cast<int>(to), n.b.context());
  if (!type && n.ok())
    n.emitError() << "attribute 'to' is " << to
                  << ", which is no supported data type";
  return type;
}

LogicalResult importCast(Node &n) {
  Tensor x = n.input(0, "input");
  CastRules rules = castRules(n);
  Type type = targetType(n);
  return n.ok() ? n.result(n.b.cast(x, type, rules)) : failure();
}

/// The same bits as another type of as many. A bool is a byte 0 or 1.
LogicalResult importBitCast(Node &n) {
  Tensor x = n.input(0, "input");
  Type type = targetType(n);
  if (!n.ok())
    return failure();
  if (x.elementType().isInteger(1))
    x = n.b.cast(x, n.b.builder.getI8Type());
  auto bitsOf = [](Type element) {
    return storageType(element).getIntOrFloatBitWidth();
  };
  if (type.isInteger(1) || bitsOf(x.elementType()) != bitsOf(type))
    return n.emitError() << "elements of " << describeType(x.type)
                         << " do not have as many bits as " << type;
  // Alphabets pass through the integer that stores them.
  auto isArith = [](Type element) {
    return !isSmallFloat(element) && !isUnsignedType(element);
  };
  return n.result(
      n.b.elementwise({x}, type, [&](OpBuilder &b, Location at, ValueRange v) {
        Value bits = v[0];
        Type storage = b.getIntegerType(bitsOf(type));
        if (!isArith(bits.getType()))
          bits = qd::StorageCastOp::create(b, at, storage, bits);
        if (isArith(type))
          return bits.getType() == type
                     ? bits
                     : arith::BitcastOp::create(b, at, type, bits).getResult();
        if (bits.getType() != storage)
          bits = arith::BitcastOp::create(b, at, storage, bits);
        return qd::StorageCastOp::create(b, at, type, bits).getResult();
      }));
}

LogicalResult importCastLike(Node &n) {
  Tensor x = n.input(0, "input"), like = n.input(1, "target_type");
  CastRules rules = castRules(n);
  return n.ok() ? n.result(n.b.cast(x, like.elementType(), rules)) : failure();
}

} // namespace

void registerShapeOps(OpRegistry &r) {
  r.onOp("Reshape", 5, importReshape).symbolic();
  r.onOp("Flatten", 1, importFlatten).symbolic();
  r.onOp("Transpose", 1, importTranspose).symbolic();
  r.onOp("Squeeze", 1, importSqueeze, "constant axes").symbolic();
  r.onOp("Unsqueeze", 1, importUnsqueeze, "constant axes").symbolic();
  r.onOp("Expand", 8, importExpand).symbolic();
  r.onOp("Tile", 6, importTile).symbolic();
  r.onOp("Cast", 6, importCast).symbolic();
  r.onOp("CastLike", 15, importCastLike).symbolic();
  r.onOp("BitCast", 26, importBitCast, "to other types than bool");
}

} // namespace qdialect::onnx_import
