// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ComputedNumbers.h"
#include "ElementTypes.h"
#include "Node.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// Every computed number is a kernel: longer lists are no shapes.
constexpr int64_t maxComputed = 64;

std::string elementName(Node &n, size_t index, StringRef label, size_t place,
                        size_t count) {
  std::string name = n.inputName(index);
  if (name.empty())
    name = label.str();
  return count == 1 ? name : name + "[" + std::to_string(place) + "]";
}

} // namespace

std::pair<Tensor, int64_t> sourceOf(GraphBuilder &b, Tensor tensor,
                                    int64_t place) {
  while (!tensor.isConstant()) {
    if (const Tensor *constant = b.constantBehind(tensor.value)) {
      tensor = *constant;
      break;
    }
    Operation *op = tensor.value.getDefiningOp();
    if (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
      tensor = b.tensor(op->getOperand(0));
      continue;
    }
    auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op);
    if (slice && slice.getSourceType().getRank() == 1 &&
        slice.getType().getRank() == 1 && !slice.isDynamicOffset(0) &&
        !slice.isDynamicStride(0)) {
      place = slice.getStaticOffset(0) + place * slice.getStaticStride(0);
      tensor = b.tensor(slice.getSource());
      continue;
    }
    auto concat = dyn_cast_or_null<tensor::ConcatOp>(op);
    if (!concat || concat.getResultType().getRank() != 1 ||
        !concat.getResultType().hasStaticShape())
      break;
    for (Value part : concat.getInputs()) {
      int64_t size = cast<RankedTensorType>(part.getType()).getDimSize(0);
      if (place < size) {
        tensor = b.tensor(part);
        break;
      }
      place -= size;
    }
  }
  return {tensor, place};
}

Number elementOf(GraphBuilder &b, Tensor tensor, int64_t place) {
  std::tie(tensor, place) = sourceOf(b, tensor, place);
  if (tensor.isConstant())
    return Number(tensor.data->asInteger(place));
  return Number(b.scalarAt(tensor, place));
}

bool allKnown(ArrayRef<Number> numbers) {
  return llvm::all_of(numbers,
                      [](const Number &number) { return number.isKnown(); });
}

Shape knownNumbers(ArrayRef<Number> numbers) {
  return llvm::map_to_vector(numbers,
                             [](const Number &number) { return number.known; });
}

SmallVector<Number> numbersOperand(Node &n, size_t index, StringRef label) {
  Tensor tensor = n.input(index, label);
  if (!n.ok())
    return {};
  SmallVector<Number> numbers;
  bool mayBeComputed = !tensor.isConstant() && n.b.canDependOnData() &&
                       isSignlessInteger(tensor.elementType()) &&
                       !tensor.elementType().isInteger(1) &&
                       tensor.rank() <= 1 && tensor.type.hasStaticShape() &&
                       tensor.size() <= maxComputed;
  if (!mayBeComputed) {
    for (int64_t number : n.constantIntegers(index, label))
      numbers.emplace_back(number);
    return numbers;
  }
  for (int64_t place = 0; place < tensor.size(); ++place)
    numbers.push_back(elementOf(n.b, tensor, place));
  return numbers;
}

Shape sizesOperand(Node &n, size_t index, StringRef label, int64_t limit) {
  SmallVector<Number> numbers = numbersOperand(n, index, label);
  Shape sizes;
  for (auto [place, number] : llvm::enumerate(numbers)) {
    if (number.isKnown()) {
      sizes.push_back(number.known);
      continue;
    }
    std::string name = elementName(n, index, label, place, numbers.size());
    n.b.requireCount(*number.computed, limit,
                     n.describe() + label.str() + " ('" + name + "')");
    sizes.push_back(sizeOf(n.b, number, name, limit));
  }
  return sizes;
}

int64_t sizeOf(GraphBuilder &b, const Number &number, StringRef name,
               int64_t limit) {
  return b.sizeOnce(keyOf("size", {number, limit}),
                    [&] { return b.dataSize(*number.computed, name, limit); });
}

Value numberIn(GraphBuilder &b, const Scalars &s, const Number &number) {
  if (number.computed)
    return s.read(b.value(*number.computed), {});
  if (SymbolicSizes::isSymbolic(number.known))
    return b.sizeAs(s.b, s.loc, s.b.getI64Type(), number.known);
  return s.i64(number.known);
}

Tensor combine(GraphBuilder &b, ArrayRef<Number> numbers, NumberBody body) {
  SmallVector<Tensor> operands;
  for (const Number &number : numbers)
    if (number.computed)
      operands.push_back(*number.computed);
  return b.elementwise(
      operands, b.builder.getI64Type(),
      [&](OpBuilder &nested, Location at, ValueRange elements) {
        Scalars s{nested, at};
        SmallVector<Value> all;
        for (const Number &number : numbers) {
          if (number.isKnown()) {
            all.push_back(numberIn(b, s, number));
            continue;
          }
          all.push_back(elements.front());
          elements = elements.drop_front();
        }
        return body(s, all);
      });
}

std::vector<int64_t> keyOf(StringRef kind, ArrayRef<Number> numbers) {
  std::vector<int64_t> key(kind.begin(), kind.end());
  for (const Number &number : numbers) {
    key.push_back(number.isKnown());
    key.push_back(number.isKnown()
                      ? number.known
                      : static_cast<int64_t>(reinterpret_cast<intptr_t>(
                            number.computed->value.getAsOpaquePointer())));
  }
  return key;
}

Number numberOfAxis(GraphBuilder &b, ArrayRef<Number> axes,
                    ArrayRef<Number> numbers, int64_t axis, int64_t rank,
                    int64_t otherwise) {
  if (allKnown(axes)) {
    Number found(otherwise);
    for (auto [listed, number] : llvm::zip_equal(axes, numbers))
      if (listed.known == axis || listed.known + rank == axis)
        found = number;
    return found;
  }
  SmallVector<Number> all(axes);
  all.append(numbers.begin(), numbers.end());
  return Number(combine(b, all, [&](const Scalars &s, ArrayRef<Value> v) {
    Value result = s.i64(otherwise);
    for (size_t i = 0; i < axes.size(); ++i) {
      Value listed =
          s.either(s.eq(v[i], s.i64(axis)), s.eq(v[i], s.i64(axis - rank)));
      result = s.select(listed, v[axes.size() + i], result);
    }
    return result;
  }));
}

SmallVector<Number> axesOperand(Node &n, size_t index, int64_t rank) {
  SmallVector<Number> axes = numbersOperand(n, index, "axes");
  if (!n.ok())
    return {};
  if (allKnown(axes)) {
    Shape checked = n.axes(knownNumbers(axes), rank);
    return llvm::map_to_vector(checked,
                               [](int64_t axis) { return Number(axis); });
  }
  auto require = [&](StringRef what, auto isWrong) {
    requireZero(n,
                combine(n.b, axes,
                        [&](const Scalars &s, ArrayRef<Value> v) -> Value {
                          Value count = s.i64(0);
                          for (size_t i = 0; i < v.size(); ++i)
                            count = s.add(count, s.select(isWrong(s, v, i),
                                                          s.i64(1), s.i64(0)));
                          return count;
                        }),
                what);
  };
  require("the number of axes outside of the rank",
          [&](const Scalars &s, ArrayRef<Value> v, size_t i) {
            return s.either(s.lt(v[i], s.i64(-rank)), s.le(s.i64(rank), v[i]));
          });
  if (axes.size() < 2)
    return axes;
  require("the number of axes named again",
          [&](const Scalars &s, ArrayRef<Value> v, size_t i) {
            Value again = s.number(s.b.getI1Type(), 0);
            for (Value other : v.take_front(i))
              for (int64_t apart : {int64_t(0), rank, -rank})
                again = s.either(again, s.eq(s.sub(v[i], other), s.i64(apart)));
            return again;
          });
  return axes;
}

void requireZero(Node &n, const Tensor &number, StringRef what) {
  int64_t size = n.b.dataSize(number, what);
  n.b.requireEqual(size, 0, n.describe() + what.str());
}

} // namespace qdialect::onnx_import
