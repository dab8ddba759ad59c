// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Facts about single dispatches; see the header.

#include "DispatchFacts.h"

#include "QDialect/Analysis/ProductSize.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <cstring>

using namespace mlir;

namespace qdialect {

bool isOffsetBinary(Type tensor) {
  return cast<ShapedType>(tensor).getElementType().isSignlessInteger(8);
}

std::optional<DType> memoryType(Type elementType) {
  if (auto integer = dyn_cast<IntegerType>(elementType)) {
    if (integer.isUnsignedInteger(8))
      return DType::U8;
    unsigned width = integer.getWidth();
    if (!integer.isSignless() ||
        (width != 1 && width != 8 && width != 16 && width != 32 && width != 64))
      return std::nullopt;
  }
  // Other alphabets became bytes (qd-codes-to-bytes).
  if (auto codes = dyn_cast<qd::UIntType>(elementType);
      codes && codes.getWidth() >= 8 && llvm::isPowerOf2_32(codes.getWidth()))
    return hostType(codes);
  if (!isa<IntegerType, Float16Type, BFloat16Type, Float32Type, Float64Type>(
          elementType))
    return std::nullopt;
  return hostType(elementType);
}

std::string codesName(Attribute codes) {
  auto type = dyn_cast_or_null<TypeAttr>(codes);
  if (!type)
    return "";
  if (auto integer = dyn_cast<IntegerType>(type.getValue()))
    return "int" + std::to_string(integer.getWidth());
  if (auto integer = dyn_cast<qd::UIntType>(type.getValue()))
    return "uint" + std::to_string(integer.getWidth());
  std::string text;
  llvm::raw_string_ostream(text) << type.getValue();
  // f8E4M3FN is called float8e4m3fn elsewhere.
  return isa<FloatType>(type.getValue())
             ? "float" + StringRef(text).drop_front().lower()
             : text;
}

std::string dispatchName(qd::DispatchOp dispatch, unsigned number) {
  if (auto name = dispatch->getAttrOfType<StringAttr>(qd::kNameAttr))
    return name.str();
  std::string result = ("step" + Twine(number)).str();
  for (Operation &op : dispatch.getBody().front())
    if (auto name = op.getAttrOfType<StringAttr>(qd::kNameAttr))
      result = name.str();
  return result;
}

bool isSmall(qd::DispatchOp dispatch, int64_t bytes) {
  constexpr double kMacsPerNs = 100, kBytesPerNs = 10, kHandOverNs = 3000;
  double macs = 0;
  dispatch.walk([&](Operation *op) {
    if (std::optional<ProductSize> size = getProductSize(op))
      macs += static_cast<double>(size->macs);
  });
  return macs / kMacsPerNs + bytes / kBytesPerNs < kHandOverNs;
}

bool sameConstants(ArrayRef<ConstantBlob> a, ArrayRef<ConstantBlob> b) {
  if (a.size() != b.size())
    return false;
  for (auto [x, y] : llvm::zip_equal(a, b)) {
    if (x.size != y.size || x.alignment != y.alignment)
      return false;
    std::vector<char> left(x.size), right(y.size);
    x.fill(left);
    y.fill(right);
    if (left != right)
      return false;
  }
  return true;
}

} // namespace qdialect
