// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tensor ops that make or see tensors as a whole. tensor.empty gives poison, a
// pattern that shows in every result that reads it: NaN, and bytes of 0xA5.

#include "Payload.h"
#include "QDialect/IR/QDDialect.h"
#include "Registry.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include <limits>

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

/// The result shape; dynamic dimensions are taken from `dynamic` in order.
static llvm::Expected<std::vector<int64_t>>
resultShape(Operation *op, ArrayRef<HostTensor> dynamic) {
  auto type = cast<ShapedType>(op->getResult(0).getType());
  std::vector<int64_t> shape = type.getShape().vec();
  for (int64_t &dim : shape)
    if (ShapedType::isDynamic(dim)) {
      if (dynamic.empty())
        return opError(op, "has a dynamic dimension without a size");
      dim = dynamic.front().asInteger(0);
      dynamic = dynamic.drop_front();
    }
  if (!numElements(shape))
    return opError(op, "has a negative or overflowing size");
  return shape;
}

static llvm::Expected<Tensors> interpretEmpty(Operation *op,
                                              ArrayRef<HostTensor> operands,
                                              const Context &context) {
  auto element = context.element(op, op->getResult(0).getType());
  if (!element)
    return element.takeError();
  auto shape = resultShape(op, operands);
  if (!shape)
    return shape.takeError();
  HostTensor tensor(element->memory, *shape);
  char *bytes = tensor.mutableBytes();
  if (isFloat(element->memory))
    // All ones is a NaN in every format.
    std::memset(bytes, 0xff, tensor.sizeInBytes());
  else
    std::memset(bytes, element->memory == DType::I1 ? 1 : 0xa5,
                tensor.sizeInBytes());
  return Tensors{tensor};
}

/// A dynamic dimension of a collapsed shape is the product of its group.
static std::vector<int64_t> collapsedShape(tensor::CollapseShapeOp op,
                                           ArrayRef<int64_t> from) {
  std::vector<int64_t> shape;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    int64_t product = 1;
    for (int64_t axis : group)
      product *= from[axis];
    shape.push_back(product);
  }
  return shape;
}

/// Reshapes: the bytes stay, the shape is the result's.
static llvm::Expected<Tensors> interpretReshape(Operation *op,
                                                ArrayRef<HostTensor> operands,
                                                const Context &context) {
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return Tensors{
        operands[0].reshaped(collapsedShape(collapse, operands[0].shape()))};
  auto shape = resultShape(op, operands.drop_front());
  if (!shape)
    return shape.takeError();
  if (numElements(*shape) != operands[0].size())
    return opError(op, "changes the number of elements");
  return Tensors{operands[0].reshaped(*shape)};
}

static llvm::Expected<Tensors> interpretCast(Operation *op,
                                             ArrayRef<HostTensor> operands,
                                             const Context &context) {
  auto value =
      toMemoryForm(op, op->getResult(0).getType(), operands[0], context);
  if (!value)
    return value.takeError();
  return Tensors{*value};
}

static llvm::Expected<Tensors> interpretSplat(Operation *op,
                                              ArrayRef<HostTensor> operands,
                                              const Context &context) {
  auto shape = resultShape(op, operands.drop_front());
  if (!shape)
    return shape.takeError();
  HostTensor tensor(operands[0].type(), *shape);
  size_t width = byteWidth(tensor.type());
  char *out = tensor.mutableBytes();
  for (int64_t i = 0, e = tensor.size(); i < e; ++i)
    std::memcpy(out + i * width, operands[0].bytes(), width);
  return Tensors{tensor};
}

static llvm::Expected<Tensors>
interpretFromElements(Operation *op, ArrayRef<HostTensor> operands,
                      const Context &context) {
  auto element = context.element(op, op->getResult(0).getType());
  if (!element)
    return element.takeError();
  auto shape = resultShape(op, {});
  if (!shape)
    return shape.takeError();
  HostTensor tensor(element->memory, *shape);
  size_t width = byteWidth(tensor.type());
  char *out = tensor.mutableBytes();
  for (size_t i = 0; i < operands.size(); ++i)
    std::memcpy(out + i * width, operands[i].bytes(), width);
  return Tensors{tensor};
}

static llvm::Expected<Tensors> interpretDim(Operation *op,
                                            ArrayRef<HostTensor> operands,
                                            const Context &context) {
  int64_t dim = operands[1].asInteger(0);
  if (dim < 0 || dim >= operands[0].rank())
    return opError(op, "asks for dimension " + Twine(dim) + " of " +
                           Twine(operands[0].rank()));
  return Tensors{
      HostTensor::of<int64_t>(DType::I64, {}, {operands[0].shape()[dim]})};
}

static llvm::Expected<Tensors> interpretConcat(Operation *op,
                                               ArrayRef<HostTensor> operands,
                                               const Context &context) {
  int64_t axis = int64_t(cast<tensor::ConcatOp>(op).getDim());
  std::vector<int64_t> shape = operands[0].shape();
  shape[axis] = 0;
  for (const HostTensor &operand : operands) {
    for (int64_t d = 0; d < operand.rank(); ++d)
      if (d != axis && operand.shape()[d] != shape[d])
        return opError(op, "has operands that differ in dimension " + Twine(d));
    shape[axis] += operand.shape()[axis];
  }
  HostTensor result(operands[0].type(), shape);
  size_t width = byteWidth(result.type());
  int64_t inner = rowMajorStrides(shape)[axis];
  int64_t outer = 1;
  for (int64_t d = 0; d < axis; ++d)
    outer *= shape[d];
  char *out = result.mutableBytes();
  for (int64_t i = 0; i < outer; ++i)
    for (const HostTensor &operand : operands) {
      size_t bytes = operand.shape()[axis] * inner * width;
      if (bytes)
        std::memcpy(out, operand.bytes() + i * bytes, bytes);
      out += bytes;
    }
  return Tensors{result};
}

//===----------------------------------------------------------------------===//
// Single elements
//===----------------------------------------------------------------------===//

/// The row-major offset of the index operands `indices` in `shape`, or -1.
static int64_t offsetOf(ArrayRef<HostTensor> indices,
                        const std::vector<int64_t> &shape) {
  int64_t offset = 0;
  for (size_t d = 0; d < shape.size(); ++d) {
    int64_t at = indices[d].asInteger(0);
    if (at < 0 || at >= shape[d])
      return -1;
    offset = offset * shape[d] + at;
  }
  return offset;
}

static llvm::Expected<Tensors> interpretExtract(Operation *op,
                                                ArrayRef<HostTensor> operands,
                                                const Context &context) {
  int64_t offset = offsetOf(operands.drop_front(), operands[0].shape());
  if (offset < 0)
    return opError(op, "reads outside of its tensor");
  HostTensor result(operands[0].type(), {});
  size_t width = byteWidth(result.type());
  std::memcpy(result.mutableBytes(), operands[0].bytes() + offset * width,
              width);
  return Tensors{result};
}

static llvm::Expected<Tensors>
interpretInsert(Operation *op, MutableArrayRef<HostTensor> operands,
                const Context &context) {
  HostTensor result = std::move(operands[1]);
  int64_t offset = offsetOf(operands.drop_front(2), result.shape());
  if (offset < 0)
    return opError(op, "writes outside of its tensor");
  size_t width = byteWidth(result.type());
  std::memcpy(result.mutableBytes() + offset * width, operands[0].bytes(),
              width);
  return Tensors{result};
}

/// tensor.extract in a payload: a gather from a captured tensor.
static llvm::Expected<ColumnFunction> makeExtract(Operation *op,
                                                  const Context &context) {
  auto extract = cast<tensor::ExtractOp>(op);
  auto table = context.lookup(extract.getTensor());
  if (!table)
    return table.takeError();
  auto element = context.element(op, extract.getResult().getType());
  if (!element)
    return element.takeError();
  return ColumnFunction([table = *table,
                         e = *element](const Columns &c) -> ColumnError {
    Column offsets(Kind::I64);
    std::fill_n(offsets.i64(), c.n, 0);
    for (int64_t d = 0; d < table.rank(); ++d)
      for (int64_t i = 0; i < c.n; ++i) {
        int64_t at = c.in[d]->i64()[i];
        if (at < 0 || at >= table.shape()[d])
          return "reads outside of its tensor";
        offsets.i64()[i] = offsets.i64()[i] * table.shape()[d] + at;
      }
    // A cursor over a table of arbitrary offsets is a gather.
    Cursor::tables({std::vector<int64_t>(offsets.i64(), offsets.i64() + c.n)})
        .load(table.bytes(), e, *c.out[0], c.n);
    return nullptr;
  });
}

//===----------------------------------------------------------------------===//
// generate
//===----------------------------------------------------------------------===//

static llvm::Expected<Tensors> interpretGenerate(Operation *op,
                                                 ArrayRef<HostTensor> operands,
                                                 const Context &context) {
  auto shape = resultShape(op, operands);
  if (!shape)
    return shape.takeError();
  Block &block = op->getRegion(0).front();
  auto payload = Payload::compile(block, context);
  if (!payload)
    return payload.takeError();
  Value yielded = block.getTerminator()->getOperand(0);
  auto element = context.element(op, op->getResult(0).getType());
  if (!element)
    return element.takeError();
  HostTensor result(element->memory, *shape);
  char *out = result.mutableBytes();
  Cursor outCursor = Cursor::strided({result.size()}, {1});
  // Argument d is the index along dimension d: stride 1 there, 0 elsewhere.
  std::vector<Cursor> indices;
  for (size_t d = 0; d < shape->size(); ++d) {
    SmallVector<int64_t> strides(shape->size(), 0);
    strides[d] = 1;
    indices.push_back(Cursor::strided(*shape, strides));
  }
  for (int64_t first = 0; first < result.size(); first += kChunk) {
    int64_t n = std::min(kChunk, result.size() - first);
    for (size_t d = 0; d < indices.size(); ++d)
      indices[d].offsets(payload->column(block.getArgument(d)), n);
    if (llvm::Error error = payload->run(n, first))
      return std::move(error);
    outCursor.store(out, *element, payload->column(yielded), n);
  }
  return Tensors{result};
}

void interp::registerTensorOps(Registry &registry) {
  auto &ops = registry.tensorOps;
  ops["tensor.empty"] = interpretEmpty;
  ops["tensor.collapse_shape"] = interpretReshape;
  ops["tensor.expand_shape"] = interpretReshape;
  ops["tensor.reshape"] = interpretReshape;
  ops["tensor.cast"] = interpretCast;
  ops["tensor.splat"] = interpretSplat;
  ops["tensor.from_elements"] = interpretFromElements;
  ops["tensor.dim"] = interpretDim;
  ops["tensor.concat"] = interpretConcat;
  ops["tensor.extract"] = interpretExtract;
  ops["tensor.insert"] = interpretInsert;
  ops["tensor.generate"] = interpretGenerate;
  registry.columnOps["tensor.extract"] = makeExtract;
}
