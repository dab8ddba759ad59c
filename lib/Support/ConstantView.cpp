// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading and making constants. The layouts that MLIR itself chooses (packed
// or byte i1 in dense<>, three-byte i24) are converted here and nowhere else.

#include "QDialect/Support/ConstantView.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace qdialect;

std::optional<DType> qdialect::hostType(Type type) {
  if (type.isIndex())
    return DType::I64;
  if (auto integer = dyn_cast<mlir::IntegerType>(type)) {
    unsigned width = integer.getWidth();
    bool isUnsigned = integer.isUnsigned();
    if (width == 1)
      return DType::I1;
    if (width <= 8)
      return isUnsigned ? DType::U8 : DType::I8;
    if (width <= 16)
      return isUnsigned ? DType::U16 : DType::I16;
    if (width <= 32)
      return isUnsigned ? DType::U32 : DType::I32;
    if (width <= 64)
      return isUnsigned ? DType::U64 : DType::I64;
    return std::nullopt;
  }
  if (type.isF16())
    return DType::F16;
  if (type.isBF16())
    return DType::BF16;
  if (type.isF32())
    return DType::F32;
  if (type.isF64())
    return DType::F64;
  auto alphabet = dyn_cast<qd::AlphabetTypeInterface>(type);
  if (!alphabet || alphabet.getCodeBits() > 64)
    return std::nullopt;
  unsigned bits = alphabet.getCodeBits();
  return bits <= 8    ? DType::U8
         : bits <= 16 ? DType::U16
         : bits <= 32 ? DType::U32
                      : DType::U64;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

double ConstantView::number(int64_t index) const {
  switch (dtype) {
  case DType::F16:
    return halfToFloat(get<uint16_t>(index));
  case DType::BF16:
    return bfloatToFloat(get<uint16_t>(index));
  case DType::F32:
    return get<float>(index);
  case DType::F64:
    return get<double>(index);
  default:
    return static_cast<double>(integer(index));
  }
}

int64_t ConstantView::integer(int64_t index) const {
  int64_t value = 0;
  switch (byteWidth(dtype)) {
  case 1:
    value = dtype == DType::I8 ? int64_t(get<int8_t>(index))
                               : int64_t(get<uint8_t>(index));
    break;
  case 2:
    value = dtype == DType::I16 ? int64_t(get<int16_t>(index))
                                : int64_t(get<uint16_t>(index));
    break;
  case 4:
    value = dtype == DType::I32 ? int64_t(get<int32_t>(index))
                                : int64_t(get<uint32_t>(index));
    break;
  default:
    value = get<int64_t>(index);
  }
  // Only the low bits of a sub-byte code count.
  auto builtin = dyn_cast<mlir::IntegerType>(type.getElementType());
  if (builtin && builtin.getWidth() > 1 && builtin.getWidth() < 64)
    return builtin.isUnsigned()
               ? value & ((int64_t(1) << builtin.getWidth()) - 1)
               : llvm::SignExtend64(value, builtin.getWidth());
  return value;
}

HostTensor ConstantView::toHostTensor() const {
  std::vector<int64_t> shape = type.getShape().vec();
  if (!splat)
    return HostTensor::borrow(dtype, shape, raw.data(), owner);
  HostTensor tensor(dtype, shape);
  size_t width = byteWidth(dtype);
  char *out = tensor.mutableBytes();
  for (int64_t i = 0, e = tensor.size(); i < e; ++i)
    std::memcpy(out + i * width, raw.data(), width);
  return tensor;
}

/// A view that owns `tensor`'s bytes.
static ConstantView viewOf(ShapedType type, HostTensor tensor, bool splat) {
  auto owner = std::make_shared<HostTensor>(std::move(tensor));
  ConstantView view{type, owner->type(), {}, splat, owner};
  view.raw = ArrayRef<char>(owner->bytes(), owner->sizeInBytes());
  return view;
}

/// dense<> of integers whose bytes are not our host form.
static ConstantView convertIntegers(DenseElementsAttr dense, DType dtype) {
  bool splat = dense.isSplat();
  int64_t count = splat ? 1 : dense.getNumElements();
  HostTensor tensor(dtype, {count});
  char *out = tensor.mutableBytes();
  size_t width = byteWidth(dtype);
  auto it = dense.value_begin<APInt>();
  for (int64_t i = 0; i < count; ++i, ++it) {
    // Little-endian: the low bytes come first.
    uint64_t bits =
        dtype == DType::I1 || dense.getElementType().isUnsignedInteger()
            ? (*it).getZExtValue()
            : uint64_t((*it).getSExtValue());
    std::memcpy(out + i * width, &bits, width);
  }
  return viewOf(dense.getType(), std::move(tensor), splat);
}

static std::optional<ConstantView> denseView(DenseElementsAttr dense) {
  std::optional<DType> dtype = hostType(dense.getElementType());
  if (!dtype || !isa<DenseIntOrFPElementsAttr>(dense))
    return std::nullopt;
  if (auto integer = dyn_cast<mlir::IntegerType>(dense.getElementType()))
    if (integer.getWidth() != 8 * byteWidth(*dtype))
      return convertIntegers(dense, *dtype);
  return ConstantView{dense.getType(), *dtype, dense.getRawData(),
                      dense.isSplat(), nullptr};
}

static std::optional<ConstantView> scalarView(TypedAttr attribute) {
  std::optional<DType> dtype = hostType(attribute.getType());
  if (!dtype)
    return std::nullopt;
  APInt bits;
  bool isSigned = true;
  if (auto integer = dyn_cast<IntegerAttr>(attribute)) {
    bits = integer.getValue();
    isSigned = *dtype != DType::I1 && !integer.getType().isUnsignedInteger();
  } else if (auto number = dyn_cast<FloatAttr>(attribute)) {
    bits = number.getValue().bitcastToAPInt();
    isSigned = false;
  } else {
    return std::nullopt;
  }
  uint64_t word =
      isSigned ? uint64_t(bits.getSExtValue()) : bits.getZExtValue();
  HostTensor tensor(*dtype, {});
  std::memcpy(tensor.mutableBytes(), &word, byteWidth(*dtype));
  return viewOf(RankedTensorType::get({}, attribute.getType()),
                std::move(tensor), /*splat=*/false);
}

std::optional<ConstantView> qdialect::constantView(Attribute attribute) {
  if (auto dense = dyn_cast<DenseElementsAttr>(attribute))
    return denseView(dense);
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute)) {
    ShapedType type = resource.getType();
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    std::optional<DType> dtype = hostType(type.getElementType());
    if (!blob || !dtype || !type.hasStaticShape())
      return std::nullopt;
    std::optional<int64_t> count = numElements(type.getShape().vec());
    ArrayRef<char> bytes = blob->getData();
    if (!count || bytes.size() / byteWidth(*dtype) != size_t(*count) ||
        bytes.size() % byteWidth(*dtype) != 0)
      return std::nullopt;
    return ConstantView{type, *dtype, bytes, false, nullptr};
  }
  if (auto typed = dyn_cast<TypedAttr>(attribute))
    return scalarView(typed);
  return std::nullopt;
}

std::optional<ConstantView> qdialect::constantView(Value value) {
  Attribute attribute;
  if (!value || !matchPattern(value, m_Constant(&attribute)))
    return std::nullopt;
  return constantView(attribute);
}

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

DenseResourceElementsAttr
qdialect::makeResource(ShapedType type, StringRef name, ArrayRef<char> bytes) {
  return DenseResourceElementsAttr::get(
      type, name,
      HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes,
                                                    HostTensor::kAlignment,
                                                    /*dataIsMutable=*/false));
}

DenseResourceElementsAttr
qdialect::makeResource(ShapedType type, StringRef name, HostTensor tensor) {
  ArrayRef<char> bytes(tensor.bytes(), tensor.sizeInBytes());
  // The deleter's copy of the tensor keeps the bytes alive; it frees nothing.
  AsmResourceBlob blob(
      bytes, HostTensor::kAlignment,
      [keep = std::make_shared<HostTensor>(std::move(tensor))](
          void *, size_t, size_t) mutable { keep.reset(); },
      /*dataIsMutable=*/false);
  return DenseResourceElementsAttr::get(type, name, std::move(blob));
}

ElementsAttr qdialect::makeElements(ShapedType type, StringRef name,
                                    HostTensor tensor) {
  Type element = type.getElementType();
  bool builtin = isa<mlir::IntegerType, IndexType, mlir::FloatType>(element);
  if (!builtin || type.getNumElements() > 64)
    return makeResource(type, name, std::move(tensor));
  SmallVector<Attribute> values;
  unsigned width = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  for (int64_t i = 0, e = tensor.size(); i < e; ++i) {
    uint64_t word = 0;
    std::memcpy(&word, tensor.bytes() + i * byteWidth(tensor.type()),
                byteWidth(tensor.type()));
    APInt bits = APInt(64, word).trunc(width);
    if (auto floating = dyn_cast<mlir::FloatType>(element))
      values.push_back(FloatAttr::get(
          floating, APFloat(floating.getFloatSemantics(), bits)));
    else
      values.push_back(IntegerAttr::get(element, bits));
  }
  return DenseElementsAttr::get(type, values);
}

Value qdialect::makeConstant(OpBuilder &builder, Location loc, ShapedType type,
                             StringRef name, HostTensor tensor) {
  auto attribute =
      cast<TypedAttr>(Attribute(makeElements(type, name, std::move(tensor))));
  return arith::ConstantOp::create(builder, loc, attribute);
}
