// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Storage, sharing and element conversion of host tensors. Half precision is
// converted by bit arithmetic so that it does not depend on the machine.

#include "QDialect/Support/HostTensor.h"
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <type_traits>

using namespace qdialect;

size_t qdialect::byteWidth(DType type) {
  switch (type) {
  case DType::I1:
  case DType::I8:
  case DType::U8:
    return 1;
  case DType::I16:
  case DType::U16:
  case DType::F16:
  case DType::BF16:
    return 2;
  case DType::I32:
  case DType::U32:
  case DType::F32:
    return 4;
  case DType::I64:
  case DType::U64:
  case DType::F64:
    return 8;
  }
  return 1;
}

const char *qdialect::name(DType type) {
  static const char *const names[] = {
      "bool",  "int8",   "uint8",   "int16",    "uint16",  "int32",  "uint32",
      "int64", "uint64", "float16", "bfloat16", "float32", "float64"};
  return names[static_cast<unsigned>(type)];
}

bool qdialect::isFloat(DType type) { return type >= DType::F16; }

//===----------------------------------------------------------------------===//
// Half precision
//===----------------------------------------------------------------------===//

static float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

static uint32_t toBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

float qdialect::halfToFloat(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16;
  uint32_t exponent = (bits >> 10) & 0x1f, mantissa = bits & 0x3ff;
  if (exponent == 0x1f)
    return fromBits(sign | 0x7f800000 | (mantissa << 13));
  if (exponent == 0) // zero and subnormals are mantissa * 2^-24, exact in f32
    return fromBits(sign | toBits(float(mantissa) * 0x1p-24f));
  return fromBits(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

uint16_t qdialect::floatToHalf(float value) {
  uint32_t bits = toBits(value), magnitude = bits & 0x7fffffff;
  uint16_t sign = (bits >> 16) & 0x8000;
  if (magnitude > 0x7f800000) // keep the top of the payload, stay quiet
    return sign | 0x7e00 | ((magnitude >> 13) & 0x1ff);
  if (magnitude >= 0x477ff000) // 65520 rounds to infinity
    return sign | 0x7c00;
  if (magnitude < 0x38800000) { // below 2^-14: round to a multiple of 2^-24
    // Adding 0.5 puts the last kept bit at 2^-24; the hardware rounds to even.
    float shifted = fromBits(magnitude) + 0.5f;
    return sign | uint16_t(toBits(shifted) - 0x3f000000);
  }
  uint32_t odd = (magnitude >> 13) & 1;
  return sign | uint16_t((magnitude - (112u << 23) + 0xfff + odd) >> 13);
}

float qdialect::bfloatToFloat(uint16_t bits) {
  return fromBits(uint32_t(bits) << 16);
}

uint16_t qdialect::floatToBfloat(float value) {
  uint32_t bits = toBits(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return uint16_t(bits >> 16) | 0x40;
  return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

//===----------------------------------------------------------------------===//
// Shapes and storage
//===----------------------------------------------------------------------===//

std::optional<int64_t>
qdialect::numElements(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  bool overflow = false, empty = false;
  for (int64_t dim : shape) {
    if (dim < 0)
      return std::nullopt;
    empty |= dim == 0;
    if (!empty && __builtin_mul_overflow(count, dim, &count))
      overflow = true;
  }
  // An empty array is fine whatever its other dimensions are.
  if (empty)
    return 0;
  return overflow ? std::nullopt : std::optional<int64_t>(count);
}

std::string qdialect::describe(DType type, const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t dim : shape)
    text += (dim < 0 ? std::string("?") : std::to_string(dim)) + "x";
  return text + name(type);
}

static std::shared_ptr<char> allocate(size_t bytes) {
  constexpr size_t align = HostTensor::kAlignment;
  if (bytes > std::numeric_limits<size_t>::max() - align)
    return nullptr;
  size_t rounded = (bytes + align - 1) / align * align;
  auto *memory =
      static_cast<char *>(std::aligned_alloc(align, rounded ? rounded : align));
  return memory ? std::shared_ptr<char>(memory, std::free) : nullptr;
}

std::optional<HostTensor> HostTensor::tryCreate(DType type,
                                                std::vector<int64_t> shape) {
  std::optional<int64_t> count = numElements(shape);
  size_t bytes;
  if (!count || __builtin_mul_overflow(size_t(*count), byteWidth(type), &bytes))
    return std::nullopt;
  HostTensor tensor;
  tensor.dtype = type;
  tensor.dims = std::move(shape);
  tensor.count = *count;
  tensor.storage = allocate(bytes);
  if (!tensor.storage)
    return std::nullopt;
  std::memset(tensor.storage.get(), 0, bytes);
  return tensor;
}

HostTensor::HostTensor(DType type, std::vector<int64_t> shape) {
  std::string text = describe(type, shape);
  std::optional<HostTensor> tensor = tryCreate(type, std::move(shape));
  if (!tensor) {
    std::fprintf(stderr, "error: cannot allocate a tensor %s\n", text.c_str());
    std::abort();
  }
  *this = std::move(*tensor);
}

HostTensor HostTensor::borrow(DType type, std::vector<int64_t> shape,
                              const void *bytes,
                              std::shared_ptr<const void> owner) {
  if (reinterpret_cast<uintptr_t>(bytes) % byteWidth(type) != 0) {
    HostTensor copy(type, std::move(shape));
    if (copy.count)
      std::memcpy(copy.storage.get(), bytes, copy.sizeInBytes());
    return copy;
  }
  HostTensor tensor;
  tensor.dtype = type;
  tensor.count = numElements(shape).value_or(0);
  tensor.dims = std::move(shape);
  // mutableBytes copies first, so the bytes stay as const as they came.
  tensor.storage = std::shared_ptr<char>(
      std::const_pointer_cast<void>(owner),
      const_cast<char *>(static_cast<const char *>(bytes)));
  tensor.borrowed = true;
  return tensor;
}

char *HostTensor::mutableBytes() {
  if (storage && !borrowed && storage.use_count() == 1)
    return storage.get();
  std::shared_ptr<char> copy = allocate(sizeInBytes());
  if (!copy) {
    std::fprintf(stderr, "error: cannot allocate a tensor %s\n",
                 describe(dtype, dims).c_str());
    std::abort();
  }
  if (count)
    std::memcpy(copy.get(), storage.get(), sizeInBytes());
  storage = std::move(copy);
  borrowed = false;
  return storage.get();
}

HostTensor HostTensor::reshaped(std::vector<int64_t> shape) const {
  HostTensor tensor = *this;
  tensor.dims = std::move(shape);
  return tensor;
}

HostTensor HostTensor::bitcast(DType type) const {
  HostTensor tensor = *this;
  tensor.dtype = type;
  return tensor;
}

bool qdialect::bitEqual(const HostTensor &a, const HostTensor &b) {
  return a.type() == b.type() && a.shape() == b.shape() &&
         (a.size() == 0 ||
          std::memcmp(a.bytes(), b.bytes(), a.sizeInBytes()) == 0);
}

//===----------------------------------------------------------------------===//
// Element access and conversion
//===----------------------------------------------------------------------===//

/// Calls `f` with a value of the C++ type that holds an element of `type` in
/// memory; half precision comes as uint16_t.
template <typename Fn>
static auto dispatch(DType type, Fn &&f) {
  switch (type) {
  case DType::I8:
    return f(int8_t());
  case DType::I1:
  case DType::U8:
    return f(uint8_t());
  case DType::I16:
    return f(int16_t());
  case DType::U16:
  case DType::F16:
  case DType::BF16:
    return f(uint16_t());
  case DType::I32:
    return f(int32_t());
  case DType::U32:
    return f(uint32_t());
  case DType::I64:
    return f(int64_t());
  case DType::U64:
    return f(uint64_t());
  case DType::F32:
    return f(float());
  case DType::F64:
    break;
  }
  return f(double());
}

double HostTensor::asDouble(int64_t index) const {
  if (dtype == DType::F16)
    return halfToFloat(data<uint16_t>()[index]);
  if (dtype == DType::BF16)
    return bfloatToFloat(data<uint16_t>()[index]);
  return dispatch(dtype, [&](auto zero) {
    return static_cast<double>(data<decltype(zero)>()[index]);
  });
}

template <typename T>
static T saturate(double value) {
  if (std::isnan(value))
    return 0;
  // 2^digits is the first value past the range; it is a power of two, so exact.
  if (value >= std::ldexp(1.0, std::numeric_limits<T>::digits))
    return std::numeric_limits<T>::max();
  if (value <= static_cast<double>(std::numeric_limits<T>::min()))
    return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

int64_t HostTensor::asInteger(int64_t index) const {
  if (isFloat(dtype))
    return saturate<int64_t>(asDouble(index));
  return dispatch(dtype, [&](auto zero) {
    return static_cast<int64_t>(data<decltype(zero)>()[index]);
  });
}

/// One element from memory form `From` of type `from` to memory form `To` of
/// type `to`; the types matter only where the form is ambiguous (half, bool).
template <typename From, typename To>
static To convertElement(From value, DType from, DType to) {
  if constexpr (std::is_same_v<From, uint16_t>) {
    if (from == DType::F16)
      return convertElement<float, To>(halfToFloat(value), DType::F32, to);
    if (from == DType::BF16)
      return convertElement<float, To>(bfloatToFloat(value), DType::F32, to);
  }
  if (to == DType::I1)
    return To(value != 0);
  if constexpr (std::is_same_v<To, uint16_t>) {
    // Doubles and integers above 2^24 round twice here: stated in the header.
    if (to == DType::F16)
      return floatToHalf(static_cast<float>(value));
    if (to == DType::BF16)
      return floatToBfloat(static_cast<float>(value));
  }
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>)
    return saturate<To>(value);
  else
    return static_cast<To>(value);
}

HostTensor HostTensor::converted(DType to) const {
  if (to == dtype)
    return *this;
  HostTensor result(to, dims);
  dispatch(dtype, [&](auto fromZero) {
    dispatch(to, [&](auto toZero) {
      using From = decltype(fromZero);
      using To = decltype(toZero);
      const From *in = data<From>();
      To *out = result.mutableData<To>();
      for (int64_t i = 0; i < count; ++i)
        out[i] = convertElement<From, To>(in[i], dtype, to);
    });
  });
  return result;
}
