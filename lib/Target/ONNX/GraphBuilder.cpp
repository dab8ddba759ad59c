// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants, storage and element-wise operations. Data movement and reductions
// are GraphMovement.cpp.

#include "GraphBuilder.h"
#include "ElementTypes.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "Scalars.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;

namespace qdialect::onnx_import {

bool isFloat(Type type) { return isa<mlir::FloatType>(type); }
bool isSignlessInteger(Type type) {
  return isa<IntegerType>(type) && cast<IntegerType>(type).isSignless();
}

Tensor::Tensor(Value value)
    : type(cast<RankedTensorType>(value.getType())), value(value) {}

Tensor::Tensor(Type elementType, HostTensor host, StringRef name)
    : type(RankedTensorType::get(host.shape(), elementType)),
      data(std::move(host)), name(name.str()) {}

bool Tensor::hasSymbolicElements() const {
  if (!data || data->type() != DType::I64 || data->size() > maxFoldedElements)
    return false;
  return SymbolicSizes::anySymbolic(
      ArrayRef<int64_t>(data->data<int64_t>(), data->size()));
}

bool Tensor::isSymbolic() const {
  return !type.hasStaticShape() || hasSymbolicElements();
}

bool isSmallConstant(const Tensor &tensor) {
  return tensor.isConstant() && tensor.size() <= maxFoldedElements;
}

bool canFold(ArrayRef<Tensor> operands, ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape) {
    if (size > maxFoldedElements || SymbolicSizes::isSymbolic(size))
      return false;
    count *= size;
    if (count > maxFoldedElements)
      return false;
  }
  return llvm::all_of(operands, isSmallConstant);
}

int64_t broadcastIndex(ArrayRef<int64_t> operand, ArrayRef<int64_t> shape,
                       int64_t index) {
  int64_t result = 0, stride = 1;
  size_t offset = shape.size() - operand.size();
  for (size_t axis = shape.size(); axis-- > offset;) {
    int64_t position = index % shape[axis], size = operand[axis - offset];
    index /= shape[axis];
    result += (size == 1 ? 0 : position) * stride;
    stride *= size;
  }
  return result;
}

std::optional<Shape> broadcastShapes(ArrayRef<Shape> shapes) {
  Shape result;
  for (const Shape &shape : shapes) {
    if (shape.size() > result.size())
      result.insert(result.begin(), shape.size() - result.size(), 1);
    size_t offset = result.size() - shape.size();
    for (auto [axis, size] : llvm::enumerate(shape)) {
      int64_t &known = result[offset + axis];
      if (known == 1)
        known = size;
      else if (size != 1 && size != known)
        return std::nullopt;
    }
  }
  return result;
}

std::optional<Shape> broadcastShape(ArrayRef<Tensor> operands) {
  SmallVector<Shape> shapes;
  for (const Tensor &operand : operands)
    shapes.emplace_back(operand.shape());
  return broadcastShapes(shapes);
}

GraphBuilder::GraphBuilder(OpBuilder &builder, Block *entry)
    : builder(builder), loc(builder.getUnknownLoc()), entry(entry) {}

Value GraphBuilder::value(const Tensor &tensor) {
  if (tensor.value)
    return tensor.value;
  if (tensor.hasSymbolicElements()) {
    Value made = symbolicConstant(tensor);
    constantValues[made] = tensor;
    return made;
  }
  // The same bytes under the same type are one constant.
  auto key = std::make_pair(
      static_cast<const void *>(tensor.data->bytes()),
      static_cast<const void *>(tensor.type.getAsOpaquePointer()));
  auto known = constants.find(key);
  if (known != constants.end())
    return known->second.value;

  OpBuilder::InsertionGuard guard(builder);
  if (lastConstant)
    builder.setInsertionPointAfter(lastConstant);
  else
    builder.setInsertionPointToStart(entry);
  StringRef name = tensor.name.empty() ? "constant" : StringRef(tensor.name);
  Value made = makeConstant(builder, builder.getUnknownLoc(), tensor.type, name,
                            *tensor.data);
  lastConstant = made.getDefiningOp();
  if (!tensor.name.empty())
    lastConstant->setAttr(qd::kNameAttr, builder.getStringAttr(tensor.name));
  constants[key] = {*tensor.data, made};
  constantValues[made] = tensor;
  return made;
}

Tensor GraphBuilder::constant(Type elementType, ArrayRef<int64_t> shape,
                              ArrayRef<double> numbers) {
  std::vector<int64_t> dims(shape.begin(), shape.end());
  DType type = *hostType(elementType);
  if (isFloat(elementType) && type != DType::F64) {
    HostTensor wide = HostTensor::of(
        DType::F64, dims, std::vector<double>(numbers.begin(), numbers.end()));
    return Tensor(elementType, wide.converted(type));
  }
  if (isFloat(elementType))
    return Tensor(
        elementType,
        HostTensor::of(type, dims,
                       std::vector<double>(numbers.begin(), numbers.end())));
  std::vector<int64_t> wide(numbers.begin(), numbers.end());
  return Tensor(elementType,
                HostTensor::of(DType::I64, dims, wide).converted(type));
}

Tensor GraphBuilder::splat(Type elementType, ArrayRef<int64_t> shape,
                           double number) {
  int64_t count = sizes.product(shape);
  if (SymbolicSizes::isSymbolic(count) || count > maxTableElements)
    return tensor(filled(shape, elementType, number), shape);
  return constant(elementType, shape, SmallVector<double>(count, number));
}

Tensor GraphBuilder::integers(ArrayRef<int64_t> shape,
                              ArrayRef<int64_t> numbers) {
  return Tensor(
      builder.getI64Type(),
      HostTensor::of(DType::I64, shape.vec(),
                     std::vector<int64_t>(numbers.begin(), numbers.end())));
}

Tensor GraphBuilder::f32(ArrayRef<int64_t> shape, ArrayRef<float> numbers,
                         StringRef name) {
  return Tensor(
      builder.getF32Type(),
      HostTensor::of(DType::F32, shape.vec(),
                     std::vector<float>(numbers.begin(), numbers.end())),
      name);
}

Value GraphBuilder::scalar(OpBuilder &builder, Location loc, Type type,
                           double number) {
  if (auto floatType = dyn_cast<mlir::FloatType>(type))
    return arith::ConstantOp::create(builder, loc,
                                     builder.getFloatAttr(floatType, number));
  int64_t integer = toInteger(number);
  return arith::ConstantOp::create(
      builder, loc,
      IntegerAttr::get(type, APInt(type.getIntOrFloatBitWidth(), integer,
                                   /*isSigned=*/true, /*implicitTrunc=*/true)));
}

Value GraphBuilder::empty(ArrayRef<int64_t> shape, Type elementType) {
  Value made =
      tensor::EmptyOp::create(builder, loc, operands(shape), elementType);
  if (SymbolicSizes::anySymbolic(shape))
    shapes[made] = Shape(shape);
  return made;
}

Value GraphBuilder::filled(ArrayRef<int64_t> shape, Type elementType,
                           double number) {
  Value init = empty(shape, elementType);
  Value start = scalar(elementType, number);
  return linalg::FillOp::create(builder, loc, start, init).getResult(0);
}

namespace {

/// An operand of one constant element that can stand inside a payload.
bool isPayloadConstant(const Tensor &operand) {
  Type type = operand.elementType();
  return operand.isConstant() && operand.size() == 1 && !isSmallFloat(type) &&
         (isFloat(type) || isSignlessInteger(type));
}

} // namespace

Value GraphBuilder::payloadConstant(OpBuilder &builder, Location loc,
                                    const Tensor &operand) {
  Type type = operand.elementType();
  if (operand.hasSymbolicElements())
    return sizeAs(builder, loc, type, operand.data->asInteger(0));
  if (isFloat(type))
    return GraphBuilder::scalar(builder, loc, type, operand.data->asDouble(0));
  unsigned width = type.getIntOrFloatBitWidth();
  return arith::ConstantOp::create(
      builder, loc,
      IntegerAttr::get(
          type, APInt(width, static_cast<uint64_t>(operand.data->asInteger(0)),
                      /*isSigned=*/true, /*implicitTrunc=*/true)));
}

Tensor GraphBuilder::elementwise(ArrayRef<Tensor> operands, Type resultElement,
                                 Body body, ArrayRef<int64_t> atLeast) {
  SmallVector<Shape> shapes{Shape(atLeast)};
  for (const Tensor &operand : operands)
    shapes.emplace_back(operand.shape());
  Shape shape = *broadcastShapes(shapes);
  int64_t rank = shape.size();

  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (const Tensor &operand : operands) {
    if (isPayloadConstant(operand))
      continue;
    Shape kept;
    SmallVector<AffineExpr> places;
    int64_t offset = rank - operand.rank();
    for (auto [axis, size] : llvm::enumerate(operand.shape())) {
      if (size == 1 && shape[offset + axis] != 1)
        continue;
      kept.push_back(size);
      places.push_back(builder.getAffineDimExpr(offset + axis));
    }
    inputs.push_back(value(reshape(operand, kept)));
    maps.push_back(AffineMap::get(rank, 0, places, context()));
  }
  return parallelGeneric(
      shape, resultElement, inputs, maps,
      [&](OpBuilder &nested, Location at, ValueRange arguments) {
        SmallVector<Value> scalars;
        size_t next = 0;
        for (const Tensor &operand : operands)
          scalars.push_back(isPayloadConstant(operand)
                                ? payloadConstant(nested, at, operand)
                                : arguments[next++]);
        return body(nested, at, scalars);
      });
}

Tensor GraphBuilder::channelwise(const Tensor &tensor,
                                 ArrayRef<Tensor> channels, int64_t axis,
                                 Body body) {
  SmallVector<Value> inputs{value(tensor)};
  SmallVector<AffineMap> maps{builder.getMultiDimIdentityMap(tensor.rank())};
  for (const Tensor &operand : channels) {
    inputs.push_back(value(operand));
    maps.push_back(AffineMap::get(tensor.rank(), 0,
                                  builder.getAffineDimExpr(axis), context()));
  }
  return parallelGeneric(tensor.shape(), tensor.elementType(), inputs, maps,
                         body);
}

Tensor GraphBuilder::parallelGeneric(ArrayRef<int64_t> shape,
                                     Type resultElement, ValueRange inputs,
                                     ArrayRef<AffineMap> inputMaps, Body body) {
  int64_t rank = shape.size();
  SmallVector<AffineMap> maps(inputMaps);
  maps.push_back(builder.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  Value init = empty(shape, resultElement);
  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange{init.getType()}, inputs, ValueRange{init}, maps,
      iterators, [&](OpBuilder &nested, Location at, ValueRange arguments) {
        linalg::YieldOp::create(nested, at, body(nested, at, arguments));
      });
  return tensor(generic.getResult(0), shape);
}

Tensor GraphBuilder::expand(const Tensor &tensor, ArrayRef<int64_t> shape) {
  if (tensor.shape() == shape)
    return tensor;
  return elementwise(
      {tensor}, tensor.elementType(),
      [](OpBuilder &, Location, ValueRange x) { return x[0]; }, shape);
}

Tensor GraphBuilder::cast(const Tensor &tensor, Type resultElement,
                          const CastRules &rules) {
  if (tensor.elementType() == resultElement)
    return tensor;
  // HostTensor converts numbers of whole bytes.
  auto isNumber = [](Type type) {
    return !isSmallFloat(type) &&
           (isFloat(type) || type.isInteger(1) ||
            storageType(type).getIntOrFloatBitWidth() >= 8);
  };
  if (tensor.hasSymbolicElements() && isSignlessInteger(resultElement) &&
      resultElement.getIntOrFloatBitWidth() >= 32)
    return Tensor(resultElement, *tensor.data); // handles fill 64 bits
  if (isSmallConstant(tensor) && !tensor.hasSymbolicElements() &&
      isNumber(tensor.elementType()) && isNumber(resultElement) &&
      !resultElement.isInteger(1)) {
    Tensor result(resultElement,
                  tensor.data->converted(*hostType(resultElement)));
    return result;
  }
  if (std::optional<int64_t> size = sizeBehindCast(tensor);
      size && isSignlessInteger(resultElement) &&
      resultElement.getIntOrFloatBitWidth() >= 32)
    return reshape(Tensor(resultElement, *integers({}, {*size}).data),
                   tensor.shape());
  Tensor result = elementwise(
      {tensor}, resultElement, [&](OpBuilder &b, Location at, ValueRange x) {
        return castElement(b, at, x[0], resultElement, rules);
      });
  if (tensor.hasSymbolicElements() && tensor.size() == 1 &&
      isFloat(resultElement))
    castSizes[result.value] = tensor.data->asInteger(0);
  return result;
}

} // namespace qdialect::onnx_import
