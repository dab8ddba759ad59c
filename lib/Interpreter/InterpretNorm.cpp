// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row functions: softmax, layer norm, RMS norm, and the choice of dynamic
// scales. In f32 the bits are Numerics' row functions; half precision computes
// in f32 and rounds the result. With exact islands the textbook formula in f64.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/Reductions.h"
#include "QDialect/Numerics/ScaleSelection.h"
#include "Registry.h"
#include <cmath>

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

/// The operand in the type it is computed in: F64 as it is, else F32.
static HostTensor computeForm(const HostTensor &tensor) {
  return tensor.type() == DType::F64 ? tensor : tensor.converted(DType::F32);
}

static llvm::Error checkAxis(Operation *op, int64_t axis, int64_t rank) {
  if (axis < 0 || axis >= rank)
    return opError(op, "has axis " + Twine(axis) + " for an input of rank " +
                           Twine(rank));
  return llvm::Error::success();
}

static void softmaxRow64(const double *x, double *y, int64_t n,
                         int64_t stride) {
  double max = -INFINITY, sum = 0;
  for (int64_t i = 0; i < n; ++i)
    max =
        x[i * stride] > max || std::isnan(x[i * stride]) ? x[i * stride] : max;
  for (int64_t i = 0; i < n; ++i)
    sum += y[i * stride] = std::exp(x[i * stride] - max);
  for (int64_t i = 0; i < n; ++i)
    y[i * stride] /= sum;
}

static llvm::Expected<Tensors> interpretSoftmax(Operation *op,
                                                ArrayRef<HostTensor> operands,
                                                const Context &context) {
  int64_t axis = int64_t(cast<qd::SoftmaxOp>(op).getAxis());
  if (llvm::Error error = checkAxis(op, axis, operands[0].rank()))
    return std::move(error);
  HostTensor x = computeForm(operands[0]);
  HostTensor y(x.type(), x.shape());
  int64_t n = x.shape()[axis];
  int64_t stride = rowMajorStrides(x.shape())[axis];
  int64_t rows = n ? x.size() / n : 0;
  char *out = y.mutableBytes();
  for (int64_t row = 0; row < rows; ++row) {
    int64_t start = row / stride * stride * n + row % stride;
    if (x.type() == DType::F64)
      softmaxRow64(x.data<double>() + start,
                   reinterpret_cast<double *>(out) + start, n, stride);
    else
      softmaxRow(x.data<float>() + start,
                 reinterpret_cast<float *>(out) + start, n, stride);
  }
  return Tensors{y.converted(operands[0].type())};
}

static void normRow64(bool centred, const double *x, double *y, int64_t n,
                      const double *gamma, const double *beta, double epsilon) {
  double mean = 0, variance = 0;
  for (int64_t i = 0; centred && i < n; ++i)
    mean += x[i];
  mean /= double(n);
  for (int64_t i = 0; i < n; ++i)
    variance += (x[i] - mean) * (x[i] - mean);
  double scale = 1.0 / std::sqrt(variance / double(n) + epsilon);
  for (int64_t i = 0; i < n; ++i)
    y[i] = (x[i] - mean) * scale * gamma[i] + (beta ? beta[i] : 0.0);
}

static void normRow32(bool centred, const float *x, float *y, int64_t n,
                      const float *gamma, const float *beta, float epsilon) {
  if (centred)
    layerNormRow(x, y, n, /*stride=*/1, gamma, beta, epsilon);
  else
    rmsNormRow(x, y, n, /*stride=*/1, gamma, epsilon);
}

/// layer_norm and rms_norm.
template <typename Op>
static llvm::Expected<Tensors> interpretNorm(Operation *op,
                                             ArrayRef<HostTensor> operands,
                                             const Context &context) {
  constexpr bool centred = std::is_same_v<Op, qd::LayerNormOp>;
  auto norm = cast<Op>(op);
  int64_t axis = int64_t(norm.getAxis());
  if (llvm::Error error = checkAxis(op, axis, operands[0].rank()))
    return std::move(error);
  HostTensor x = computeForm(operands[0]);
  HostTensor y(x.type(), x.shape());
  int64_t n = 1;
  for (int64_t d = axis; d < x.rank(); ++d)
    n *= x.shape()[d];
  for (const HostTensor &parameter : operands.drop_front())
    if (parameter.size() != n)
      return opError(op, "normalizes rows of " + Twine(n) + " elements by " +
                             Twine(parameter.size()) + " parameters");
  HostTensor gamma = operands[1].converted(x.type()), beta;
  bool hasBeta = operands.size() > 2;
  if (hasBeta)
    beta = operands[2].converted(x.type());
  float epsilon = norm.getEpsilon().convertToFloat();
  int64_t rows = n ? x.size() / n : 0;
  char *out = y.mutableBytes();
  for (int64_t row = 0; row < rows; ++row) {
    if (x.type() == DType::F64)
      normRow64(centred, x.data<double>() + row * n,
                reinterpret_cast<double *>(out) + row * n, n,
                gamma.data<double>(), hasBeta ? beta.data<double>() : nullptr,
                epsilon);
    else
      normRow32(centred, x.data<float>() + row * n,
                reinterpret_cast<float *>(out) + row * n, n,
                gamma.data<float>(), hasBeta ? beta.data<float>() : nullptr,
                epsilon);
  }
  return Tensors{y.converted(operands[0].type())};
}

/// The range of each block of the input, finite values only, in the row-major
/// order of the scale.
static std::vector<qdialect::ValueRange>
blockRanges(const HostTensor &input, ArrayRef<int64_t> blockSizes,
            ArrayRef<int64_t> scaleShape) {
  SmallVector<int64_t> strides = rowMajorStrides(scaleShape);
  std::vector<std::vector<int64_t>> tables;
  for (int64_t d = 0; d < input.rank(); ++d) {
    int64_t block = d < int64_t(blockSizes.size()) ? blockSizes[d] : 0;
    std::vector<int64_t> table(input.shape()[d], 0);
    for (size_t i = 0; !scaleShape.empty() && i < table.size(); ++i)
      table[i] = block > 0 ? int64_t(i) / block * strides[d] : 0;
    tables.push_back(std::move(table));
  }
  std::vector<qdialect::ValueRange> ranges(
      numElements(scaleShape.vec()).value_or(0));
  Cursor cursor = input.rank() ? Cursor::tables(std::move(tables))
                               : Cursor::strided({1}, {0});
  cursor.runs(input.size(), [&](int64_t at, int64_t block, int64_t, int64_t) {
    double value = input.asDouble(at);
    if (!std::isfinite(value))
      return;
    ranges[block].min = std::min(ranges[block].min, value);
    ranges[block].max = std::max(ranges[block].max, value);
  });
  return ranges;
}

static llvm::Expected<Tensors>
interpretChooseParams(Operation *op, ArrayRef<HostTensor> operands,
                      const Context &context) {
  auto choose = cast<qd::ChooseParamsOp>(op);
  std::optional<Format> format = qd::getFormat(choose.getAlphabet());
  if (!format || !format->isInteger())
    return opError(op, "chooses parameters for integer alphabets alone");
  auto qmin = static_cast<int32_t>(format->minFinite()),
       qmax = static_cast<int32_t>(format->maxFinite());

  const HostTensor &input = operands[0];
  ArrayRef<int64_t> blockSizes = choose.getBlockSizes();
  std::vector<int64_t> shape;
  // A rank-0 scale is one block; else ceil(D / block) along each dimension.
  if (cast<ShapedType>(choose.getScale().getType()).getRank() != 0)
    for (int64_t d = 0; d < input.rank(); ++d) {
      int64_t block = d < int64_t(blockSizes.size()) ? blockSizes[d] : 0;
      shape.push_back(
          block > 0 ? llvm::divideCeilSigned(input.shape()[d], block) : 1);
    }
  std::vector<qdialect::ValueRange> ranges =
      blockRanges(input, blockSizes, shape);
  auto scaleForm = context.element(op, choose.getScale().getType());
  auto zeroForm = context.element(op, choose.getZeroPoint().getType());
  if (!scaleForm || !zeroForm)
    return llvm::joinErrors(scaleForm.takeError(), zeroForm.takeError());
  HostTensor scales(DType::F32, shape), zeros(DType::I32, shape);
  float *scale = scales.mutableData<float>();
  int32_t *zero = zeros.mutableData<int32_t>();
  for (size_t i = 0; i < ranges.size(); ++i) {
    QuantParams params =
        chooseDynamicParams(ranges[i], qmin, qmax, choose.getSymmetric());
    scale[i] = params.scale;
    zero[i] = params.zeroPoint;
  }
  return Tensors{scales.converted(scaleForm->memory),
                 zeros.converted(zeroForm->memory)};
}

void interp::registerNormOps(Registry &registry) {
  auto &ops = registry.tensorOps;
  ops["qd.softmax"] = interpretSoftmax;
  ops["qd.layer_norm"] = interpretNorm<qd::LayerNormOp>;
  ops["qd.rms_norm"] = interpretNorm<qd::RmsNormOp>;
  ops["qd.choose_params"] = interpretChooseParams;
}
