// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operators whose result is known without computing: constants, shapes, and
// those that do nothing at inference.

#include "ComputedNumbers.h"
#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "QDialect/Support/ConstantView.h"
#include "Registry.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

LogicalResult importConstant(Node &n) {
  if (std::optional<Tensor> tensor = n.getTensor("value"))
    return n.result(*tensor);
  if (n.hasAttribute("value_float"))
    return n.result(n.b.f32({}, {n.getFloat("value_float", 0)}));
  if (n.hasAttribute("value_int"))
    return n.result(n.b.integers({}, {n.getInt("value_int", 0)}));
  if (auto floats = n.getFloats("value_floats"))
    return n.result(n.b.f32({static_cast<int64_t>(floats->size())}, *floats));
  if (auto ints = n.getInts("value_ints"))
    return n.result(n.b.integers({static_cast<int64_t>(ints->size())}, *ints));
  if (!n.ok())
    return failure();
  return n.emitError() << "only the attributes value, value_float(s) and "
                          "value_int(s) are supported";
}

LogicalResult importConstantOfShape(Node &n) {
  Shape shape = sizesOperand(n, 0, "input");
  std::optional<Tensor> value = n.getTensor("value");
  if (!n.ok())
    return failure();
  if (!isReasonableShape(shape))
    return n.emitError() << "shape " << describeShape(shape)
                         << " is negative or too large";
  Tensor element = value ? *value : n.b.f32({}, {0});
  if (!element.isConstant() || element.size() != 1)
    return n.emitError() << "attribute 'value' must hold one element, but is "
                         << describeType(element.type);
  int64_t count = n.b.sizes.product(shape);
  if (!SymbolicSizes::anySymbolic(shape) && count <= maxFoldedElements) {
    HostTensor filled(element.data->type(),
                      std::vector<int64_t>(shape.begin(), shape.end()));
    size_t width = byteWidth(filled.type());
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(filled.mutableBytes() + i * width, element.data->bytes(),
                  width);
    return n.result(Tensor(element.elementType(), filled));
  }
  Type type = element.elementType();
  if (!isFloat(type) && !isSignlessInteger(type))
    return n.emitError() << "element type of " << describeType(element.type)
                         << " is not supported for " << n.b.sizes.print(count)
                         << " elements";
  return n.result(
      n.b.tensor(n.b.filled(shape, type, element.data->asDouble(0)), shape));
}

/// The dimensions from `start` to `end` (opset 15) as a constant.
LogicalResult importShape(Node &n) {
  Tensor x = n.input(0, "data");
  int64_t rank = x.rank();
  int64_t start = n.getInt("start", 0), end = n.getInt("end", rank);
  if (!n.ok())
    return failure();
  auto clamp = [&](int64_t position) {
    return std::clamp<int64_t>(position < 0 ? position + rank : position, 0,
                               rank);
  };
  start = clamp(start);
  end = std::max(clamp(end), start);
  ArrayRef<int64_t> part = x.shape().slice(start, end - start);
  return n.result(n.b.integers({static_cast<int64_t>(part.size())}, part));
}

LogicalResult importSize(Node &n) {
  Tensor x = n.input(0, "data");
  return n.ok() ? n.result(n.b.integers({}, {n.b.count(x)})) : failure();
}

LogicalResult importIdentity(Node &n) {
  Tensor x = n.input(0, "input");
  return n.ok() ? n.result(x) : failure();
}

/// At inference the data, and a mask of true.
LogicalResult importDropout(Node &n) {
  Tensor x = n.input(0, "data");
  n.ignore({"ratio", "seed"});
  if (n.opset() >= 12 && n.hasInput(2) &&
      n.constantNumber(2, "training_mode") != 0 && n.ok())
    return n.emitError() << "training_mode is not supported";
  if (!n.ok())
    return failure();
  if (n.wantsOutput(1)) {
    // Every element is kept.
    Type kept = n.opset() < 10 ? x.elementType() : n.b.builder.getI1Type();
    Tensor mask = n.b.tensor(n.b.filled(x.shape(), kept, 1), x.shape());
    if (failed(n.result(1, mask)))
      return failure();
  }
  return n.result(x);
}

} // namespace

void registerConstantOps(OpRegistry &r) {
  r.onOp("Constant", 1, importConstant, "numbers; not sparse, not strings")
      .symbolic();
  r.onOp("ConstantOfShape", 9, importConstantOfShape).symbolic();
  r.onOp("Shape", 1, importShape, "folded").symbolic();
  r.onOp("Size", 1, importSize, "folded").symbolic();
  r.onOp("Identity", 1, importIdentity).symbolic();
  r.onOp("Dropout", 7, importDropout, "inference").symbolic();
}

} // namespace qdialect::onnx_import
