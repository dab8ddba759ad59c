// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of element types.

#include "ElementTypes.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/SymbolicSizes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

// Numbers of onnx::TensorProto::DataType, which are part of the file format.
constexpr ElementInfo elementInfos[] = {
    {1, "float32", 32},
    {2, "uint8", 8},
    {3, "int8", 8},
    {4, "uint16", 16},
    {5, "int16", 16},
    {6, "int32", 32},
    {7, "int64", 64},
    {9, "bool", 8},
    {10, "float16", 16},
    {11, "float64", 64},
    {12, "uint32", 32},
    {13, "uint64", 64},
    {16, "bfloat16", 16},
    {17, "float8e4m3fn", 8},
    {18, "float8e4m3fnuz", 8},
    {19, "float8e5m2", 8},
    {20, "float8e5m2fnuz", 8},
    {21, "uint4", 4},
    {22, "int4", 4},
    {23, "float4e2m1", 4},
    {24, "float8e8m0", 8},
    {25, "uint2", 2},
    {26, "int2", 2},
};

} // namespace

const ElementInfo *findElementInfo(int onnxType) {
  const ElementInfo *found = llvm::find_if(
      elementInfos, [&](auto &info) { return info.onnxType == onnxType; });
  return found == std::end(elementInfos) ? nullptr : found;
}

const ElementInfo *findElementInfo(Type elementType) {
  const ElementInfo *found = llvm::find_if(elementInfos, [&](auto &info) {
    return getElementType(info.onnxType, elementType.getContext()) ==
           elementType;
  });
  return found == std::end(elementInfos) ? nullptr : found;
}

Type getElementType(int onnxType, MLIRContext *context) {
  const ElementInfo *info = findElementInfo(onnxType);
  if (!info)
    return {};
  if (info->name == "bool")
    return IntegerType::get(context, 1);
  if (info->name.starts_with("uint"))
    return qd::UIntType::get(context, info->bits);
  if (info->name.starts_with("int"))
    return IntegerType::get(context, info->bits);
  switch (onnxType) {
  case 1:
    return Float32Type::get(context);
  case 10:
    return Float16Type::get(context);
  case 11:
    return Float64Type::get(context);
  case 16:
    return BFloat16Type::get(context);
  case 17:
    return Float8E4M3FNType::get(context);
  case 18:
    return Float8E4M3FNUZType::get(context);
  case 19:
    return Float8E5M2Type::get(context);
  case 20:
    return Float8E5M2FNUZType::get(context);
  case 23:
    return Float4E2M1FNType::get(context);
  case 24:
    return Float8E8M0FNUType::get(context);
  default:
    return {};
  }
}

std::string describeDataType(int onnxType) {
  if (const ElementInfo *info = findElementInfo(onnxType))
    return info->name.str();
  return ("data type " + Twine(onnxType)).str();
}

std::string describeShape(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "scalar";
  std::string text;
  for (auto [index, size] : llvm::enumerate(shape.take_front(maxRank)))
    text += (index ? "x" : "") +
            (SymbolicSizes::isSymbolic(size) ? "?" : std::to_string(size));
  if (shape.size() > maxRank)
    text += "x... (rank " + std::to_string(shape.size()) + ")";
  return text;
}

int64_t toInteger(double number) {
  // 2^63 stands for the largest i64, which is no double.
  return std::isnan(number)  ? 0
         : number >= 0x1p63  ? INT64_MAX
         : number <= -0x1p63 ? INT64_MIN
                             : static_cast<int64_t>(number);
}

bool isReasonableShape(ArrayRef<int64_t> shape) {
  if (shape.size() > maxRank)
    return false;
  int64_t count = 1;
  // A zero anywhere must not hide dimensions that are too large.
  for (int64_t size : shape) {
    // Symbolic sizes are judged when the program runs.
    if (SymbolicSizes::isSymbolic(size))
      continue;
    if (size < 0 || size > maxElements)
      return false;
    if (size == 0)
      continue;
    if (count > maxElements / size)
      return false;
    count *= size;
  }
  return true;
}

} // namespace qdialect::onnx_import
