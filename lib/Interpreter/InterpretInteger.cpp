// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of codes in integers, by Numerics' reference.

#include "QDialect/IR/IntegerOps.h"
#include "Registry.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

static unsigned codeBits(Type type) {
  return getElementTypeOrSelf(type).getIntOrFloatBitWidth();
}

/// The result's codes from one number each.
static Tensors pack(Operation *op, const std::vector<int64_t> &shape,
                    ArrayRef<int64_t> numbers) {
  HostTensor wide = HostTensor::of<int64_t>(DType::I64, shape, numbers.vec());
  return {wide.converted(
      codeBits(op->getResult(0).getType()) == 8 ? DType::I8 : DType::I16)};
}

static std::vector<int64_t> unpack(const HostTensor &codes) {
  std::vector<int64_t> numbers(codes.size());
  for (int64_t i = 0; i < codes.size(); ++i)
    numbers[i] = codes.asInteger(i);
  return numbers;
}

static llvm::Expected<Tensors>
interpretIntSoftmax(Operation *op, ArrayRef<HostTensor> operands,
                    const Context &) {
  auto softmax = cast<qd::IntSoftmaxOp>(op);
  std::optional<IntegerSoftmax> integers = integersOf(softmax);
  const HostTensor &x = operands[0];
  auto axis = static_cast<int64_t>(softmax.getAxis());
  int64_t n = x.shape()[axis], stride = rowMajorStrides(x.shape())[axis];
  if (n > kLongestIntegerSoftmax)
    return opError(op, "has rows of " + Twine(n) + " elements, more than " +
                           Twine(kLongestIntegerSoftmax));
  std::vector<int64_t> numbers = unpack(x), row(n), result(n);
  for (int64_t i = 0, rows = n ? x.size() / n : 0; i < rows; ++i) {
    int64_t start = i / stride * stride * n + i % stride;
    for (int64_t k = 0; k < n; ++k)
      row[k] = numbers[start + k * stride];
    integerSoftmaxRow(*integers, row.data(), result.data(), n);
    for (int64_t k = 0; k < n; ++k)
      numbers[start + k * stride] = result[k];
  }
  return pack(op, x.shape(), numbers);
}

template <typename Op>
static llvm::Expected<Tensors>
interpretCurve(Operation *op, ArrayRef<HostTensor> operands, const Context &) {
  std::optional<IntegerCurve> curve = integersOf(cast<Op>(op));
  std::vector<int64_t> numbers = unpack(operands[0]);
  for (int64_t &number : numbers)
    number = integerCurve(*curve, number);
  return pack(op, operands[0].shape(), numbers);
}

template <typename Op>
static llvm::Expected<Tensors>
interpretNorm(Operation *op, ArrayRef<HostTensor> operands, const Context &) {
  auto norm = cast<Op>(op);
  constexpr bool centred = std::is_same_v<Op, qd::IntLayerNormOp>;
  int32_t zero = 0;
  if constexpr (!centred)
    zero = static_cast<int32_t>(norm.getZeroPoint());
  const HostTensor &x = operands[0];
  int64_t n = operands[1].size();
  // int_layer_norm_c7, int_rms_norm_c8
  constexpr int64_t largest = int64_t(1) << 62;
  for (int64_t i = 0; i < n; ++i)
    if (int64_t bias = operands[2].asInteger(i);
        bias < -largest || bias > largest)
      return opError(op, "has the bias " + Twine(bias) + " at " + Twine(i) +
                             ", outside [-2^62, 2^62]");
  std::vector<int64_t> numbers = unpack(x), result(n);
  for (int64_t row = 0; row < x.size() / n; ++row) {
    int64_t *codes = numbers.data() + row * n;
    integerNormRow(toNumerics(norm.getScheme()), centred, zero,
                   static_cast<int64_t>(norm.getEpsilon()),
                   operands[1].data<int32_t>(), operands[2].data<int64_t>(),
                   static_cast<int>(norm.getShift()), codeBits(norm.getType()),
                   codes, result.data(), n);
    std::copy(result.begin(), result.end(), codes);
  }
  return pack(op, x.shape(), numbers);
}

void interp::registerIntegerOps(Registry &registry) {
  auto &ops = registry.tensorOps;
  ops["qd.int_softmax"] = interpretIntSoftmax;
  ops["qd.int_gelu"] = interpretCurve<qd::IntGeluOp>;
  ops["qd.int_silu"] = interpretCurve<qd::IntSiluOp>;
  ops["qd.int_layer_norm"] = interpretNorm<qd::IntLayerNormOp>;
  ops["qd.int_rms_norm"] = interpretNorm<qd::IntRmsNormOp>;
}
