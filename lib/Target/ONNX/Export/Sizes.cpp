// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes as tensors: tensor.dim is a Shape of one dimension, index arithmetic
// the operator on int64 (docs/PhaseContract.md section 1 lists what there is).

#include "Export/Exporter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect::onnx_export {

/// Sizes are not negative, so that Div, which truncates, rounds down.
static StringRef sizeOperator(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<arith::AddIOp>([](auto) { return "Add"; })
      .Case<arith::SubIOp>([](auto) { return "Sub"; })
      .Case<arith::MulIOp>([](auto) { return "Mul"; })
      .Case<arith::FloorDivSIOp, arith::DivSIOp>([](auto) { return "Div"; })
      .Case<arith::MaxSIOp>([](auto) { return "Max"; })
      .Case<arith::MinSIOp>([](auto) { return "Min"; })
      .Default([](auto) { return ""; });
}

std::string Exporter::size(OpFoldResult size) {
  if (std::optional<int64_t> number = getConstantIntValue(size))
    return integers({*number});
  auto value = cast<Value>(size);
  std::string &known = sizeNames[value];
  if (!known.empty())
    return known;
  Operation *op = value.getDefiningOp();
  if (!op) {
    mlir::emitError(value.getLoc()) << "a size that is an argument has no ONNX "
                                       "form";
    return "";
  }
  std::string name;
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> axis = dim.getConstantIndex();
    std::optional<Binding> source;
    if (axis)
      source = find(dim.getSource());
    if (!source) {
      if (!axis)
        refuse(op) << "its dimension is not constant";
      return "";
    }
    int64_t place = llvm::find(source->order, *axis) - source->order.begin();
    name =
        node("Shape", {source->name}, {{"start", place}, {"end", place + 1}});
  } else if (auto ceil = dyn_cast<arith::CeilDivSIOp>(op)) {
    std::string x = this->size(ceil.getLhs()), y = this->size(ceil.getRhs());
    if (x.empty() || y.empty())
      return "";
    std::string up = node("Sub", {node("Add", {x, y}), integers({1})});
    name = node("Div", {up, y});
  } else if (StringRef kind = sizeOperator(op); !kind.empty()) {
    std::string x = this->size(op->getOperand(0)),
                y = this->size(op->getOperand(1));
    if (x.empty() || y.empty())
      return "";
    name = node(kind, {x, y});
  } else {
    refuse(op) << "no operator computes this size";
    return "";
  }
  return sizeNames[value] = name;
}

std::string Exporter::sizes(ArrayRef<OpFoldResult> sizes, bool inferOne) {
  Order numbers;
  int64_t symbolic = 0;
  for (OpFoldResult size : sizes) {
    std::optional<int64_t> number = getConstantIntValue(size);
    symbolic += !number;
    numbers.push_back(number.value_or(-1));
  }
  if (symbolic == 0 || (symbolic == 1 && inferOne))
    return integers(numbers);
  SmallVector<std::string> parts;
  for (OpFoldResult size : sizes) {
    parts.push_back(this->size(size));
    if (parts.back().empty())
      return "";
  }
  return node("Concat", parts, {{"axis", int64_t(0)}});
}

} // namespace qdialect::onnx_export
