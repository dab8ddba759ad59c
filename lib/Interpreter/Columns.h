// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Columns: chunks of up to 1024 elements of one scalar value. A payload is
// evaluated op by op over columns, so that interpreting costs a dispatch a
// chunk and not a dispatch an element.
//
// A column holds its elements in one of three forms. f32, f16 and bf16 are F32
// (half precision is rounded after each op), f64 is F64, everything else is
// I64: signless integers sign-extended (i1 as 0 or 1), unsigned and other codes
// zero-extended. With exact islands every float is F64 and nothing is rounded.

#ifndef QDIALECT_LIB_INTERPRETER_COLUMNS_H
#define QDIALECT_LIB_INTERPRETER_COLUMNS_H

#include "QDialect/Support/HostTensor.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Types.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <memory>
#include <optional>

namespace qdialect::interp {

constexpr int64_t kChunk = 1024;

enum class Kind : uint8_t { F32, F64, I64 };

/// How elements of an MLIR type are computed and stored.
struct Element {
  Kind kind = Kind::F32;
  DType memory = DType::F32;
  /// Significant bits of an integer or code; 0 for floats.
  unsigned bits = 0;
  bool isSigned = false;
  /// F16 or BF16 if a F32 column must be rounded after each operation.
  DType rounding = DType::F32;

  /// An integer result reduced to `bits`.
  int64_t wrap(int64_t value) const {
    if (bits >= 64 || bits == 0)
      return value;
    uint64_t low = uint64_t(value) << (64 - bits);
    return isSigned ? int64_t(low) >> (64 - bits) : int64_t(low >> (64 - bits));
  }
};

/// std::nullopt for types the interpreter cannot hold.
std::optional<Element> elementOf(mlir::Type type, bool exact);

class Column {
public:
  explicit Column(Kind kind) : kind(kind), storage(new char[kChunk * 8 + 64]) {
    auto address = reinterpret_cast<uintptr_t>(storage.get());
    start = storage.get() + (64 - address % 64) % 64;
  }
  float *f32() { return reinterpret_cast<float *>(start); }
  double *f64() { return reinterpret_cast<double *>(start); }
  int64_t *i64() { return reinterpret_cast<int64_t *>(start); }
  template <typename T>
  T *as() {
    return reinterpret_cast<T *>(start);
  }
  char *bytes() { return start; }
  /// One element whatever the kind. Slow.
  double number(int64_t i) {
    return kind == Kind::F32   ? f32()[i]
           : kind == Kind::F64 ? f64()[i]
                               : double(i64()[i]);
  }
  const Kind kind;

private:
  std::unique_ptr<char[]> storage;
  char *start;
};

/// Rounds the first n elements of a column to the half precision its type asks
/// for; nothing to do for all others.
void roundHalf(const Element &element, Column &column, int64_t n);

/// Calls `f` with a value of the C++ type of a column's elements.
template <typename Fn>
auto withKind(Kind kind, Fn &&f) {
  switch (kind) {
  case Kind::F32:
    return f(float());
  case Kind::F64:
    return f(double());
  case Kind::I64:
    break;
  }
  return f(int64_t());
}

/// Walks an iteration space in row-major order and says where one operand's
/// element lies for each point.
class Cursor {
public:
  /// Offset = base + sum of stride * index. Loops that one operand runs through
  /// contiguously are merged.
  static Cursor strided(llvm::ArrayRef<int64_t> sizes,
                        llvm::ArrayRef<int64_t> strides, int64_t base = 0);
  /// Offset = sum of tables[d][index of d].
  static Cursor tables(std::vector<std::vector<int64_t>> tables);
  /// Offset = row-major offset of the map's results in `shape`.
  static Cursor mapped(llvm::ArrayRef<int64_t> sizes, mlir::AffineMap map,
                       llvm::ArrayRef<int64_t> shape);

  /// Goes back to the first point, with another base offset.
  void reset(int64_t newBase = 0);
  /// The next `n` elements of `memory` (laid out as `element`) into a column.
  void load(const char *memory, const Element &element, Column &column,
            int64_t n);
  /// The next `n` elements of a column into `memory`.
  void store(char *memory, const Element &element, Column &column, int64_t n);
  /// The offsets themselves, as an I64 column.
  void offsets(Column &column, int64_t n);
  /// Calls fn(position, offset, stride, count) for the runs of the next n
  /// points.
  template <typename Fn>
  void runs(int64_t n, Fn &&fn) {
    if (mode != Mode::Strided) {
      for (int64_t i = 0; i < n; ++i)
        fn(i, nextOffset(), int64_t(0), int64_t(1));
      return;
    }
    for (int64_t done = 0; done < n;) {
      int64_t count = std::min(n - done, sizes.back() - index.back());
      fn(done, offset, strides.back(), count);
      advance(count);
      done += count;
    }
  }

private:
  enum class Mode : uint8_t { Strided, Tables, Mapped };
  void advance(int64_t count);
  int64_t nextOffset();

  Mode mode = Mode::Strided;
  llvm::SmallVector<int64_t> sizes, strides, index;
  int64_t base = 0, offset = 0;
  std::vector<std::vector<int64_t>> tableOf;
  mlir::AffineMap map;
  llvm::SmallVector<int64_t> shape;
};

/// Row-major strides of a shape.
llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape);

} // namespace qdialect::interp

#endif // QDIALECT_LIB_INTERPRETER_COLUMNS_H
