// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "CarriedValues.h"
#include "QDialect/IR/QDDialect.h"

using namespace mlir;

namespace qdialect::onnx_import {

CarriedValues::CarriedValues(GraphBuilder &b, ArrayRef<Tensor> like,
                             std::vector<std::string> names)
    : b(&b), like(like.begin(), like.end()), names(std::move(names)) {
  for (const Tensor &tensor : like)
    isOpen.emplace_back(tensor.rank(), false);
}

std::optional<size_t> CarriedValues::findOther(ArrayRef<Tensor> tensors) const {
  for (auto [number, tensor] : llvm::enumerate(like)) {
    const Tensor &other = tensors[number];
    if (other.elementType() != tensor.elementType() ||
        (other.rank() != tensor.rank() &&
         (other.size() != 1 || tensor.size() != 1)))
      return number;
  }
  return std::nullopt;
}

bool CarriedValues::widen(ArrayRef<Tensor> tensors) {
  bool widened = false;
  for (auto [number, tensor] : llvm::enumerate(like))
    for (int64_t axis = 0; axis < tensor.rank(); ++axis)
      if (tensor.rank() == tensors[number].rank() && !isOpen[number][axis] &&
          tensor.dim(axis) != tensors[number].dim(axis))
        widened = isOpen[number][axis] = true;
  return widened;
}

bool CarriedValues::anyOpen() const { return numValues() > like.size(); }

size_t CarriedValues::numValues() const {
  size_t count = like.size();
  for (ArrayRef<bool> axes : isOpen)
    count += llvm::count(axes, true);
  return count;
}

SmallVector<Value> CarriedValues::close(ArrayRef<Tensor> tensors) const {
  SmallVector<Value> values, numbers;
  for (auto [number, axes] : llvm::enumerate(isOpen)) {
    Tensor tensor = tensors[number];
    if (tensor.rank() != like[number].rank())
      tensor = b->reshape(tensor, like[number].shape());
    values.push_back(b->value(tensor));
    if (!llvm::is_contained(axes, true))
      continue;
    Shape shape(b->typeOf(tensor.shape(), tensor.elementType()).getShape());
    for (auto [axis, open] : llvm::enumerate(axes)) {
      if (!open)
        continue;
      shape[axis] = ShapedType::kDynamic;
      numbers.push_back(b->value(b->integers({}, {tensor.dim(axis)})));
    }
    values.back() = qd::AnySizeOp::create(
        b->builder, b->loc, RankedTensorType::get(shape, tensor.elementType()),
        values.back());
  }
  values.append(numbers);
  return values;
}

std::vector<Tensor> CarriedValues::open(ValueRange values,
                                        StringRef when) const {
  ValueRange numbers = values.drop_front(like.size());
  std::vector<Tensor> tensors;
  for (auto [number, tensor] : llvm::enumerate(like)) {
    ArrayRef<bool> axes = isOpen[number];
    if (!llvm::is_contained(axes, true)) {
      tensors.push_back(b->tensor(values[number], tensor.shape()));
      continue;
    }
    Shape shape(tensor.shape());
    SmallVector<Value> sizes;
    for (auto [axis, open] : llvm::enumerate(axes)) {
      if (open) {
        shape[axis] =
            b->dataSize(Tensor(numbers.front()),
                        (names[number] + ":" + Twine(axis) + when).str());
        numbers = numbers.drop_front();
      }
      if (SymbolicSizes::isSymbolic(shape[axis]))
        sizes.push_back(b->index(shape[axis]));
    }
    Value open = values[number];
    tensors.push_back(b->tensor(
        qd::SizedOp::create(b->builder, b->loc, open.getType(), open, sizes),
        shape));
  }
  return tensors;
}

} // namespace qdialect::onnx_import
