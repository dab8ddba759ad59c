// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arguments of a kernel: values and arrays; see the header.

#include "KernelArguments.h"
#include "QDialect/Support/Npy.h"
#include "llvm/ADT/Twine.h"

using namespace llvm;
using namespace qdialect;

namespace {
struct TypeName {
  StringLiteral name;
  DType type;
};
} // namespace

static const TypeName kTypes[] = {
    {"i1", DType::I1},   {"i8", DType::I8},   {"s8", DType::I8},
    {"u8", DType::U8},   {"i16", DType::I16}, {"s16", DType::I16},
    {"u16", DType::U16}, {"i32", DType::I32}, {"s32", DType::I32},
    {"u32", DType::U32}, {"i64", DType::I64}, {"s64", DType::I64},
    {"u64", DType::U64}, {"f16", DType::F16}, {"bf16", DType::BF16},
    {"f32", DType::F32}, {"f64", DType::F64}};

static std::optional<DType> parseType(StringRef name) {
  for (const TypeName &row : kTypes)
    if (row.name == name)
      return row.type;
  return std::nullopt;
}

void KernelArguments::push(const void *data, size_t size) {
  const auto *bytes = static_cast<const uint8_t *>(data);
  values.emplace_back(bytes, bytes + size);
}

Error KernelArguments::addValue(StringRef typeName, StringRef text) {
  std::optional<DType> type = parseType(typeName);
  if (!type)
    return createStringError("unknown type '" + typeName + "' of argument '" +
                             typeName + ":" + text + "'");
  auto malformed = [&] {
    return createStringError("'" + text + "' is no " + typeName);
  };
  if (isFloat(*type)) {
    double value;
    if (text.getAsDouble(value))
      return malformed();
    float single = static_cast<float>(value);
    uint16_t half =
        *type == DType::F16 ? floatToHalf(single) : floatToBfloat(single);
    if (*type == DType::F64)
      push(&value, 8);
    else if (*type == DType::F32)
      push(&single, 4);
    else
      push(&half, 2);
    return Error::success();
  }
  uint64_t bits;
  int64_t negative;
  if (text.getAsInteger(0, bits)) {
    if (text.getAsInteger(0, negative))
      return malformed();
    bits = static_cast<uint64_t>(negative);
  }
  push(&bits, byteWidth(*type));
  return Error::success();
}

Error KernelArguments::addArray(StringRef path, bool isOutput) {
  Expected<HostTensor> tensor = readNpy(path);
  if (!tensor)
    return tensor.takeError();
  uint64_t address = emulator.allocate(tensor->sizeInBytes(), true, isOutput);
  if (!address)
    return createStringError("no memory for '" + path + "'");
  emulator.write(address, tensor->bytes(), tensor->sizeInBytes());
  push(&address, 8);
  if (isOutput)
    outputs.push_back({path.str(), address, tensor->type(), tensor->shape()});
  return Error::success();
}

/// y.npy:f32:128x64
Error KernelArguments::addOutput(StringRef text) {
  auto [rest, dims] = text.rsplit(':');
  auto [path, typeName] = rest.rsplit(':');
  std::optional<DType> type = parseType(typeName);
  std::vector<int64_t> shape;
  bool good = type && !path.empty();
  while (good && !dims.empty()) {
    int64_t size;
    good = !dims.consumeInteger(10, size) && size >= 0 &&
           (dims.empty() || (dims.consume_front("x") && !dims.empty()));
    shape.push_back(size);
  }
  std::optional<int64_t> elements = numElements(shape);
  if (!good || shape.empty() || !elements)
    return createStringError("'out:" + text +
                             "' is not out:FILE.npy:TYPE:SIZExSIZE");
  uint64_t bytes;
  uint64_t address = 0;
  if (!__builtin_mul_overflow(uint64_t(*elements), byteWidth(*type), &bytes))
    address = emulator.allocate(bytes, /*initialized=*/false);
  if (!address)
    return createStringError("no memory for '" + path + "'");
  push(&address, 8);
  outputs.push_back({path.str(), address, *type, shape});
  return Error::success();
}

Error KernelArguments::add(StringRef text) {
  auto [kind, rest] = text.split(':');
  if (kind == "in")
    return addArray(rest, false);
  if (kind == "inout")
    return addArray(rest, true);
  if (kind == "out")
    return addOutput(rest);
  return addValue(kind, rest);
}

Error KernelArguments::writeOutputs() const {
  for (const Output &o : outputs) {
    std::optional<HostTensor> tensor = HostTensor::tryCreate(o.type, o.shape);
    if (!tensor)
      return createStringError("no memory for '" + o.path + "'");
    emulator.read(o.address, tensor->mutableBytes(), tensor->sizeInBytes());
    if (Error error = writeNpy(o.path, *tensor))
      return error;
  }
  return Error::success();
}
