// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A dense row-major array in host memory: what the interpreter computes on,
// what .npy files hold and what compiled models take. Plain C++, no MLIR.
//
// Copies are cheap: they share the bytes until one of them is written
// (mutableData detaches). Codes of quantized alphabets are kept one a byte up
// to 8 bits and one in two bytes up to 16 bits; minifloat codes are bit
// patterns (U8, U16), never values.

#ifndef QDIALECT_SUPPORT_HOSTTENSOR_H
#define QDIALECT_SUPPORT_HOSTTENSOR_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

/// Element types of host memory. I1 is a byte 0 or 1.
enum class DType : uint8_t {
  I1,
  I8,
  U8,
  I16,
  U16,
  I32,
  U32,
  I64,
  U64,
  F16,
  BF16,
  F32,
  F64
};

/// Bytes of one element.
size_t byteWidth(DType type);
/// The spelling of numpy where it has one: "bool", "int8", "bfloat16", ...
const char *name(DType type);
bool isFloat(DType type);

/// IEEE binary16 and bfloat16, round to nearest even, NaN stays NaN.
float halfToFloat(uint16_t bits);
uint16_t floatToHalf(float value);
float bfloatToFloat(uint16_t bits);
uint16_t floatToBfloat(float value);

/// Elements of a shape; std::nullopt if a dimension is negative or the product
/// leaves int64_t.
std::optional<int64_t> numElements(const std::vector<int64_t> &shape);
/// "4x3xfloat32"; "float32" for rank 0.
std::string describe(DType type, const std::vector<int64_t> &shape);

class HostTensor {
public:
  /// Every start address that HostTensor itself allocates is aligned so.
  static constexpr size_t kAlignment = 64;

  /// A float32 tensor of rank 1 without elements.
  HostTensor() : dtype(DType::F32), dims{0} {}
  /// Zeroed storage. The shape must be valid and the memory obtainable (the
  /// process ends otherwise); use tryCreate for shapes from outside.
  HostTensor(DType type, std::vector<int64_t> shape);

  /// std::nullopt for a bad shape or when memory is refused.
  static std::optional<HostTensor> tryCreate(DType type,
                                             std::vector<int64_t> shape);

  /// A tensor over bytes that belong to someone else; `owner` keeps them alive
  /// (may be null for static data). They are never written: mutableData copies.
  /// Bytes not aligned to the element are copied at once.
  static HostTensor borrow(DType type, std::vector<int64_t> shape,
                           const void *bytes,
                           std::shared_ptr<const void> owner);

  /// A tensor of the given elements, row-major.
  template <typename T>
  static HostTensor of(DType type, std::vector<int64_t> shape,
                       const std::vector<T> &values) {
    HostTensor tensor(type, std::move(shape));
    if (!values.empty() && tensor.sizeInBytes())
      std::memcpy(tensor.mutableBytes(), values.data(),
                  tensor.sizeInBytes() < values.size() * sizeof(T)
                      ? tensor.sizeInBytes()
                      : values.size() * sizeof(T));
    return tensor;
  }

  DType type() const { return dtype; }
  const std::vector<int64_t> &shape() const { return dims; }
  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  int64_t size() const { return count; }
  size_t sizeInBytes() const { return count * byteWidth(dtype); }

  const char *bytes() const { return storage.get(); }
  char *mutableBytes();
  template <typename T>
  const T *data() const {
    return reinterpret_cast<const T *>(bytes());
  }
  template <typename T>
  T *mutableData() {
    return reinterpret_cast<T *>(mutableBytes());
  }

  /// The same bytes under another shape with as many elements.
  HostTensor reshaped(std::vector<int64_t> shape) const;
  /// The same bytes under another element type of the same width.
  HostTensor bitcast(DType type) const;
  /// Each element converted: integers to integers wrap, integers to floats and
  /// floats to floats round to nearest even (to half precision by way of
  /// float32), floats to integers truncate and saturate (NaN becomes 0).
  HostTensor converted(DType type) const;

  /// One element as a number, by its row-major index. For printing and tests.
  double asDouble(int64_t index) const;
  int64_t asInteger(int64_t index) const;

private:
  DType dtype;
  std::vector<int64_t> dims;
  int64_t count = 0;
  std::shared_ptr<char> storage;
  bool borrowed = false;
};

/// Same type, shape and bits (so NaN equals the same NaN, and -0 is not +0).
bool bitEqual(const HostTensor &a, const HostTensor &b);

} // namespace qdialect

#endif // QDIALECT_SUPPORT_HOSTTENSOR_H
