// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Coefficient.h.

#include "Coefficient.h"

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

/// Behind ops that keep the row-major order of the elements.
Value skipReshapes(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// Reads a constant, dequantizing it if need be, as doubles in row-major order.
std::optional<std::vector<double>> readReal(Value value) {
  if (auto dequantize = value.getDefiningOp<qd::DequantizeOp>()) {
    std::optional<ConstantView> codes =
        constantView(skipReshapes(dequantize.getInput()));
    if (!codes || dequantize.getScales().size() != 1 ||
        dequantize.getGroupIndex() ||
        dequantize.getZeroPointDomain() != qd::ZeroPointDomain::Code)
      return std::nullopt;
    std::optional<ConstantView> scale = constantView(dequantize.getScales()[0]);
    std::optional<ConstantView> zero;
    if (dequantize.getZeroPoint())
      zero = constantView(dequantize.getZeroPoint());
    if (!scale || (dequantize.getZeroPoint() && !zero))
      return std::nullopt;
    auto alphabet = dyn_cast<qd::AlphabetTypeInterface>(
        getElementTypeOrSelf(dequantize.getInput()));
    // One scale, or one an element of the only dimension that has several.
    int64_t count = codes->numElements(), scales = scale->numElements();
    if (!alphabet || (scales != 1 && scales != count))
      return std::nullopt;
    std::vector<double> values(count);
    bool plain = isa<IntegerType>(getElementTypeOrSelf(dequantize.getInput()));
    for (int64_t i = 0; i < count; ++i) {
      double code =
          plain ? codes->number(i) : alphabet.decode(codes->integer(i));
      double z = zero ? zero->number(zero->numElements() == 1 ? 0 : i) : 0;
      values[i] = (code - z) * scale->number(scales == 1 ? 0 : i);
    }
    return values;
  }
  std::optional<ConstantView> view = constantView(value);
  if (!view)
    return std::nullopt;
  if (!isa<FloatType, IntegerType>(getElementTypeOrSelf(value)))
    return std::nullopt;
  std::vector<double> values(view->numElements());
  for (int64_t i = 0, e = values.size(); i < e; ++i)
    values[i] = view->number(i);
  return values;
}

template <typename T>
HostTensor tensorOf(DType dtype, const Coefficient &numbers) {
  HostTensor tensor(
      dtype, std::vector<int64_t>(numbers.sizes.begin(), numbers.sizes.end()));
  llvm::transform(numbers.values, tensor.mutableData<T>(),
                  [](double number) { return static_cast<T>(number); });
  return tensor;
}

} // namespace

bool isRealConstant(Value value) {
  value = skipReshapes(value);
  if (auto dequantize = value.getDefiningOp<qd::DequantizeOp>())
    return matchPattern(skipReshapes(dequantize.getInput()), m_Constant());
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_Constant());
  return matchPattern(value, m_Constant());
}

std::optional<Coefficient> Coefficient::read(Value constant, AffineMap map) {
  auto type = cast<RankedTensorType>(constant.getType());
  Value source = skipReshapes(constant);
  if (auto fill = source.getDefiningOp<linalg::FillOp>()) {
    FloatAttr value;
    if (!matchPattern(fill.getInputs()[0], m_Constant(&value)))
      return std::nullopt;
    return scalar(value.getValueAsDouble());
  }
  std::optional<std::vector<double>> values = readReal(source);
  if (!values)
    return std::nullopt;
  if (llvm::all_equal(*values) && !values->empty())
    return scalar(values->front());
  // Over the tensor's own axes first, which may be any permutation of the
  // space's dimensions.
  Coefficient byAxis;
  byAxis.values = std::move(*values);
  SmallVector<unsigned> positions(type.getRank(), 0);
  for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
    if (type.getDimSize(axis) == 1)
      continue;
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return std::nullopt;
    byAxis.dims.push_back(axis);
    byAxis.sizes.push_back(type.getDimSize(axis));
    positions[axis] = dim.getPosition();
  }
  return byAxis.renumbered(positions);
}

bool Coefficient::allOf(llvm::function_ref<bool(double)> predicate) const {
  return llvm::all_of(values, predicate);
}

double Coefficient::magnitude() const {
  double largest = 0;
  for (double value : values)
    largest = std::max(largest, std::fabs(value));
  return largest;
}

Coefficient Coefficient::map(llvm::function_ref<double(double)> f) const {
  Coefficient result = *this;
  for (double &value : result.values)
    value = f(value);
  return result;
}

Coefficient Coefficient::spread(ArrayRef<unsigned> toDims,
                                ArrayRef<int64_t> toSizes) const {
  Coefficient result{
      SmallVector<unsigned>(toDims), SmallVector<int64_t>(toSizes), {}};
  SmallVector<int64_t> stride(toDims.size(), 0);
  int64_t step = 1, count = 1;
  for (int64_t i = dims.size() - 1; i >= 0; --i) {
    stride[llvm::find(toDims, dims[i]) - toDims.begin()] = step;
    step *= sizes[i];
  }
  for (int64_t size : toSizes)
    count *= size;
  result.values.resize(count);
  SmallVector<int64_t> index(toDims.size(), 0);
  int64_t from = 0;
  for (double &out : result.values) {
    out = values[from];
    for (int64_t i = toDims.size() - 1; i >= 0; --i) {
      from += stride[i];
      if (++index[i] < toSizes[i])
        break;
      from -= stride[i] * toSizes[i];
      index[i] = 0;
    }
  }
  return result;
}

Coefficient Coefficient::renumbered(ArrayRef<unsigned> to) const {
  // Sort by the new numbers, then lay the values out in that order.
  SmallVector<unsigned> order =
      llvm::to_vector(llvm::seq<unsigned>(dims.size()));
  llvm::sort(order,
             [&](unsigned a, unsigned b) { return to[dims[a]] < to[dims[b]]; });
  Coefficient result;
  for (unsigned i : order) {
    result.dims.push_back(to[dims[i]]);
    result.sizes.push_back(sizes[i]);
  }
  SmallVector<int64_t> strides(dims.size(), 1);
  for (int64_t i = static_cast<int64_t>(dims.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * sizes[i + 1];
  result.values.resize(values.size());
  SmallVector<int64_t> index(order.size(), 0);
  for (double &out : result.values) {
    int64_t from = 0;
    for (auto [position, i] : llvm::enumerate(order))
      from += index[position] * strides[i];
    out = values[from];
    for (int64_t i = order.size() - 1; i >= 0; --i) {
      if (++index[i] < result.sizes[i])
        break;
      index[i] = 0;
    }
  }
  return result;
}

AffineMap Coefficient::indexingMap(unsigned rank, MLIRContext *context) const {
  SmallVector<AffineExpr> results;
  for (unsigned dim : dims)
    results.push_back(getAffineDimExpr(dim, context));
  return AffineMap::get(rank, 0, results, context);
}

Value Coefficient::makeTensor(OpBuilder &builder, Location loc,
                              Type element) const {
  auto make = [&](StringRef name, HostTensor tensor) {
    return makeConstant(builder, loc, RankedTensorType::get(sizes, element),
                        name, std::move(tensor));
  };
  if (element.isF32())
    return make("scales", tensorOf<float>(DType::F32, *this));
  unsigned bits = element.getIntOrFloatBitWidth();
  if (bits == 64)
    return make("integers", tensorOf<int64_t>(DType::I64, *this));
  if (bits == 32)
    return make("integers", tensorOf<int32_t>(DType::I32, *this));
  return make("codes", bits <= 8 ? tensorOf<int8_t>(DType::I8, *this)
                                 : tensorOf<int16_t>(DType::I16, *this));
}

Coefficient combine(const Coefficient &a, const Coefficient &b,
                    llvm::function_ref<double(double, double)> f) {
  SmallVector<unsigned> dims;
  std::set_union(a.dims.begin(), a.dims.end(), b.dims.begin(), b.dims.end(),
                 std::back_inserter(dims));
  SmallVector<int64_t> sizes;
  for (unsigned dim : dims) {
    auto inA = llvm::find(a.dims, dim);
    sizes.push_back(inA != a.dims.end()
                        ? a.sizes[inA - a.dims.begin()]
                        : b.sizes[llvm::find(b.dims, dim) - b.dims.begin()]);
  }
  Coefficient left = a.spread(dims, sizes), right = b.spread(dims, sizes);
  for (size_t i = 0; i < left.values.size(); ++i)
    left.values[i] = f(left.values[i], right.values[i]);
  return left;
}

} // namespace qdialect
