// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The element types: verification, size in memory, storage integer.

#include "QDialect/IR/QDDialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace qdialect::qd;

#include "QDialect/IR/QDTypeInterfaces.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "QDialect/IR/QDTypes.cpp.inc"

void QDDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "QDialect/IR/QDTypes.cpp.inc"
      >();
}

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

LogicalResult UIntType::verify(EmitError emitError, unsigned width) {
  // uint_c1
  if ((width < 1 || width > 16) && width != 32 && width != 64)
    return emitError() << "width " << width
                       << " is outside [1, 16] and neither 32 nor 64";
  return success();
}

LogicalResult MinifloatType::verify(EmitError emitError, unsigned e, unsigned m,
                                    int bias, Specials specials) {
  // minifloat_c1
  if (e < 1 || e > 8)
    return emitError() << "exponent bits " << e << " are outside [1, 8]";
  // minifloat_c2
  if (m > 10)
    return emitError() << "mantissa bits " << m << " are outside [0, 10]";
  // minifloat_c3
  if (bias < -512 || bias > 512)
    return emitError() << "bias " << bias << " is outside [-512, 512]";
  // minifloat_c4
  if (!Format::isValidMinifloat(e, m, bias,
                                static_cast<::qdialect::Specials>(specials)))
    return emitError() << "e" << e << "m" << m << " with specials "
                       << stringifyEnum(specials)
                       << " has no finite value besides zero";
  return success();
}

LogicalResult CodebookType::verify(EmitError emitError, unsigned size) {
  // codebook_c1
  if (size < 2 || size > 65536 || !llvm::isPowerOf2_32(size))
    return emitError() << "codebook size " << size
                       << " is no power of two in [2, 65536]";
  return success();
}

// In a data layout every alphabet is as large as its code and aligned to bytes.
#define QDIALECT_DATA_LAYOUT(TYPE)                                             \
  llvm::TypeSize TYPE::getTypeSizeInBits(const DataLayout &,                   \
                                         DataLayoutEntryListRef) const {       \
    return llvm::TypeSize::getFixed(detail::codeBits(*this));                  \
  }                                                                            \
  uint64_t TYPE::getABIAlignment(const DataLayout &, DataLayoutEntryListRef)   \
      const {                                                                  \
    return llvm::PowerOf2Ceil((detail::codeBits(*this) + 7) / 8);              \
  }
QDIALECT_DATA_LAYOUT(UIntType)
QDIALECT_DATA_LAYOUT(MinifloatType)
QDIALECT_DATA_LAYOUT(TernaryType)
QDIALECT_DATA_LAYOUT(BinaryType)
QDIALECT_DATA_LAYOUT(CodebookType)
#undef QDIALECT_DATA_LAYOUT

Type qdialect::qd::getStorageType(Type alphabet) {
  auto interface = dyn_cast<AlphabetTypeInterface>(alphabet);
  if (!interface)
    return {};
  return IntegerType::get(alphabet.getContext(), interface.getCodeBits());
}
