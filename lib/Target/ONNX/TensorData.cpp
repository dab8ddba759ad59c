// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the bytes of a TensorProto to elements. Raw and external data of whole
// bytes are shared, not copied (HostTensor::borrow copies where the file does
// not align them); sub-byte codes are unpacked to a byte each; the typed
// repeated fields (float_data, ...) are narrowed to the element width.

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "ModelFile.h"
#include "QDialect/Support/ConstantView.h"
#include "onnx.pb.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;

namespace qdialect::onnx_import {
namespace {

Error mismatch(const Twine &what, uint64_t found, const ElementInfo &info,
               ArrayRef<int64_t> shape, uint64_t needed) {
  return createStringError(
      formatv("{0} has {1} bytes, but {2} of shape {3} needs {4}", what, found,
              info.name, describeShape(shape), needed));
}

/// Codes of 2 or 4 bits, lowest bits first, to one code a byte, sign-extended
/// for signed integers.
HostTensor unpack(StringRef bytes, const ElementInfo &info, DType type,
                  std::vector<int64_t> shape) {
  HostTensor tensor(type, std::move(shape));
  auto *out = reinterpret_cast<uint8_t *>(tensor.mutableBytes());
  unsigned perByte = 8 / info.bits;
  uint8_t mask = static_cast<uint8_t>((1u << info.bits) - 1);
  uint8_t sign = static_cast<uint8_t>(1u << (info.bits - 1));
  bool isSigned = info.name.starts_with("int");
  for (int64_t i = 0, count = tensor.size(); i < count; ++i) {
    uint8_t byte = static_cast<uint8_t>(bytes[i / perByte]);
    uint8_t code = (byte >> (i % perByte * info.bits)) & mask;
    out[i] = isSigned ? static_cast<uint8_t>((code ^ sign) - sign) : code;
  }
  return tensor;
}

/// The elements of a repeated field, each narrowed to `Narrow`.
template <typename Narrow, typename Field>
std::string narrow(const Field &field) {
  std::string bytes(field.size() * sizeof(Narrow), '\0');
  for (int i = 0, count = field.size(); i < count; ++i) {
    Narrow value = static_cast<Narrow>(field.Get(i));
    std::memcpy(bytes.data() + i * sizeof(Narrow), &value, sizeof(Narrow));
  }
  return bytes;
}

/// The bytes that the typed field of a data type stands for.
std::string typedBytes(const onnx::TensorProto &tensor,
                       const ElementInfo &info) {
  using Proto = onnx::TensorProto;
  switch (info.onnxType) {
  case Proto::FLOAT:
    return narrow<float>(tensor.float_data());
  case Proto::DOUBLE:
    return narrow<double>(tensor.double_data());
  case Proto::INT64:
    return narrow<int64_t>(tensor.int64_data());
  case Proto::INT32:
    return narrow<int32_t>(tensor.int32_data());
  case Proto::UINT32:
    return narrow<uint32_t>(tensor.uint64_data());
  case Proto::UINT64:
    return narrow<uint64_t>(tensor.uint64_data());
  default:
    // 16-bit types one a number, everything smaller one byte a number (two or
    // four packed codes for sub-byte types).
    return info.bits == 16 ? narrow<uint16_t>(tensor.int32_data())
                           : narrow<uint8_t>(tensor.int32_data());
  }
}

/// A byte of a bool tensor may hold any non-zero value for true.
HostTensor normalizeBools(HostTensor tensor) {
  for (int64_t i = 0, count = tensor.size(); i < count; ++i)
    if (static_cast<uint8_t>(tensor.bytes()[i]) > 1)
      tensor.mutableBytes()[i] = 1;
  return tensor;
}

} // namespace

Expected<TypedTensor> ModelFile::readTensor(const onnx::TensorProto &tensor,
                                            mlir::MLIRContext *context) {
  const ElementInfo *info = findElementInfo(tensor.data_type());
  if (!info)
    return createStringError(
        formatv("{0} is not supported", describeDataType(tensor.data_type())));
  if (tensor.has_segment())
    return createStringError("segmented tensors are not supported");
  std::vector<int64_t> shape(tensor.dims().begin(), tensor.dims().end());
  for (auto [axis, size] : llvm::enumerate(shape))
    if (size < 0)
      return createStringError(formatv("dimension {0} is {1}", axis, size));
  if (!isReasonableShape(shape))
    return createStringError(
        formatv("shape {0} is too large", describeShape(shape)));

  TypedTensor result;
  result.elementType = getElementType(tensor.data_type(), context);
  std::optional<DType> type = hostType(result.elementType);
  if (!type)
    return createStringError(formatv("{0} is not supported", info->name));
  uint64_t count = static_cast<uint64_t>(*numElements(shape));
  uint64_t needed = (count * info->bits + 7) / 8;

  Bytes source;
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL ||
      tensor.has_raw_data()) {
    bool external = tensor.data_location() == onnx::TensorProto::EXTERNAL;
    Expected<Bytes> found =
        external ? externalBytes(tensor, needed) : rawBytes(tensor);
    if (!found)
      return found.takeError();
    source = *found;
    if (source.bytes.size() != needed)
      return mismatch(external ? "external data" : "raw data",
                      source.bytes.size(), *info, shape, needed);
  } else {
    auto owned = std::make_shared<std::string>(typedBytes(tensor, *info));
    if (owned->size() != needed)
      return mismatch("typed data", owned->size(), *info, shape, needed);
    source = {*owned, owned};
  }

  if (info->bits < 8)
    result.data = unpack(source.bytes, *info, *type, std::move(shape));
  else
    result.data = HostTensor::borrow(*type, std::move(shape),
                                     source.bytes.data(), source.owner);
  // Numbers that stand for symbolic sizes (SymbolicSizes.h) are no elements.
  if (*type == DType::I64 && count <= maxFoldedElements)
    for (uint64_t i = 0; i < count; ++i)
      if (SymbolicSizes::isSymbolic(
              result.data.asInteger(static_cast<int64_t>(i))))
        return createStringError(
            formatv("element {0} is {1}, which is reserved", i,
                    result.data.asInteger(static_cast<int64_t>(i))));
  if (*type == DType::I1)
    result.data = normalizeBools(std::move(result.data));
  return std::move(result);
}

} // namespace qdialect::onnx_import
