// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants between MLIR and host memory: one way to read the elements of an
// arith.constant, dense or dense_resource, without walking attributes one by
// one, and one way to make constants from bytes.
//
// Bytes of one element in a dense_resource: builtin iN and floats take
// ceil(N / 8) bytes rounded up to a power of two, i1 a byte 0 or 1. An alphabet
// of up to 8 bits takes one byte a code, up to 16 bits two, then four and
// eight: codes are never packed in IR (packing is a choice of the code
// generator). Signed sub-byte codes (i4) are sign-extended into their byte when
// written, and only the low bits are read.

#ifndef QDIALECT_SUPPORT_CONSTANTVIEW_H
#define QDIALECT_SUPPORT_CONSTANTVIEW_H

#include "QDialect/Support/HostTensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/ArrayRef.h"
#include <memory>
#include <optional>

namespace qdialect {

/// How elements of an MLIR type lie in host memory: iN in I8 ... I64, f16 ...
/// f64 as they are, index as I64, alphabets that are no plain iN as U8, U16,
/// U32 or U64 codes. std::nullopt for types without a host form (i128, complex,
/// ...).
std::optional<DType> hostType(mlir::Type elementType);

/// The bytes of a constant, alive as long as its attribute (and this view).
class ConstantView {
public:
  mlir::ShapedType type;    ///< static; rank 0 for a scalar constant
  DType dtype;              ///< how one element lies in `raw`
  llvm::ArrayRef<char> raw; ///< all elements, or one of them if `splat`
  bool splat = false;

  int64_t numElements() const { return type.getNumElements(); }
  /// Element `index` (row-major) read as T, which must be of dtype's width.
  template <typename T>
  T get(int64_t index) const {
    T value;
    std::memcpy(&value, raw.data() + (splat ? 0 : index * sizeof(T)),
                sizeof(T));
    return value;
  }
  /// Element as a number; integers and codes as the integer they are.
  double number(int64_t index) const;
  int64_t integer(int64_t index) const;
  /// The elements as a tensor; shares the bytes unless `splat`. Valid as long
  /// as the attribute.
  HostTensor toHostTensor() const;

  /// Keeps bytes alive that had to be converted (packed i1, odd widths).
  std::shared_ptr<const void> owner;
};

/// The view of a constant value or attribute (dense, dense_resource, integer
/// or float); std::nullopt if it is none, its type has no host form, or the
/// blob is absent or of the wrong size.
std::optional<ConstantView> constantView(mlir::Value value);
std::optional<ConstantView> constantView(mlir::Attribute attribute);

/// A dense_resource holding a copy of `bytes`, 64-byte aligned. The name is a
/// wish: the blob manager makes it unique.
mlir::DenseResourceElementsAttr makeResource(mlir::ShapedType type,
                                             llvm::StringRef name,
                                             llvm::ArrayRef<char> bytes);
/// A dense_resource that shares the tensor's bytes (which must have the type's
/// element width and count).
mlir::DenseResourceElementsAttr
makeResource(mlir::ShapedType type, llvm::StringRef name, HostTensor tensor);
/// The attribute the phase contract asks for: dense<> for at most 64 elements
/// of a builtin type, else dense_resource.
mlir::ElementsAttr makeElements(mlir::ShapedType type, llvm::StringRef name,
                                HostTensor tensor);
/// arith.constant of makeElements.
mlir::Value makeConstant(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::ShapedType type, llvm::StringRef name,
                         HostTensor tensor);

} // namespace qdialect

#endif // QDIALECT_SUPPORT_CONSTANTVIEW_H
