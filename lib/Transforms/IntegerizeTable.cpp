// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Any function of one tensor of 8-bit codes is a table of 256 codes, one of
// 16-bit codes a table of 65,536. The entries are the island run by the
// interpreter on every code (CodeFunction.h), floats held in f64 and rounded
// once, so a table is exact whatever the function; in float mode those of
// arithmetic are what its f32 operations give.
//
//   quantize(tanh(dequantize(q)))  =>  qd.lookup q, table
//
// The index is the code's unsigned bit pattern. A table that only clamps
// becomes max and min, one that changes nothing disappears.

#include "CodeFunction.h"
#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <algorithm>

using namespace mlir;

namespace qdialect {
namespace {

HostTensor makeCodes(Type alphabet, ArrayRef<int64_t> values) {
  auto fill = [&](auto code, DType type) {
    using Code = decltype(code);
    HostTensor tensor(type, {static_cast<int64_t>(values.size())});
    llvm::transform(values, tensor.mutableData<Code>(),
                    [](int64_t value) { return static_cast<Code>(value); });
    return tensor;
  };
  return alphabet.isInteger(8) ? fill(int8_t(), DType::I8)
                               : fill(int16_t(), DType::I16);
}

} // namespace

std::optional<IslandTable> IslandTable::evaluate(qd::QuantizeOp quantize,
                                                 bool inFloats) {
  std::optional<CodeFunction> function = CodeFunction::match(quantize);
  if (!function || !function->dims.empty())
    return std::nullopt;
  std::optional<CodeFunction::Values> values =
      function->evaluate(inFloats && function->isArithmetic());
  if (!values)
    return std::nullopt;
  return IslandTable{quantize, function->source.getInput(),
                     std::move(values->codes), values->error,
                     function->nameSource()};
}

/// codes -> max(min) with bounds, or the codes themselves, if that is all.
Value IslandTable::makeClamp(IntegerizeContext &context) {
  Type alphabet = getElementTypeOrSelf(quantize.getType());
  if (getElementTypeOrSelf(codes.getType()) != alphabet)
    return {};
  int64_t half = static_cast<int64_t>(entries.size()) / 2;
  int64_t lower = entries[half],
          upper = entries[half - 1]; // of the extreme codes
  if (lower > upper)
    return {};
  for (int64_t code = -half; code < half; ++code)
    if (entries[code & (2 * half - 1)] != std::clamp(code, lower, upper))
      return {};
  if (lower == -half && upper == half - 1)
    return codes;
  auto type = cast<RankedTensorType>(codes.getType());
  ElementwiseInput input{
      codes, context.builder.getMultiDimIdentityMap(type.getRank())};
  auto op = makeElementwise(
      context.builder, quantize.getLoc(), type, input,
      [&](OpBuilder &b, Location l, ValueRange args) {
        auto bound = [&](int64_t value) -> Value {
          return arith::ConstantOp::create(b, l,
                                           b.getIntegerAttr(alphabet, value));
        };
        Value code = args[0];
        if (lower != -half)
          code = arith::MaxSIOp::create(b, l, code, bound(lower));
        if (upper != half - 1)
          code = arith::MinSIOp::create(b, l, code, bound(upper));
        return code;
      });
  copyMarks(marked, op);
  return op.getResult(0);
}

Value IslandTable::makeLookup(IntegerizeContext &context) {
  OpBuilder &builder = context.builder;
  Type alphabet = getElementTypeOrSelf(quantize.getType());
  Value constant = makeConstant(
      builder, quantize.getLoc(),
      RankedTensorType::get(static_cast<int64_t>(entries.size()), alphabet),
      "table", makeCodes(alphabet, entries));
  auto lookup = qd::LookupOp::create(builder, quantize.getLoc(),
                                     quantize.getType(), codes, constant);
  copyMarks(marked, lookup);
  lookup->removeAttr(qd::kMacsAttr);
  lookup->setAttr(qd::kErrorLsbAttr, builder.getF64FloatAttr(error));
  return lookup;
}

} // namespace qdialect
