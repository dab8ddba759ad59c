// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MatMulNBits: floats times blocked codes, as the dequantized weights and
// MatMul. B is [N][blocks][bytes of a block], the lowest bits first; scales and
// zero points are [N][blocks], the latter packed likewise, floats, or the
// middle of the codes when absent. Here everything lies as [K][N] and
// [blocks][N].
//
// accuracy_level 4 rounds the activations to int8, symmetric, with a scale for
// each block of a row (Quantization.h); the others leave them f32, as they are
// allowed to: the level bounds from below what they are rounded to. ONNX
// Runtime multiplies by 127 / max |x| where qd.quantize divides by
// max |x| / 127, so a code may differ where the quotient is next to a tie. It
// leaves them f32 for weights with a group index or zero points that are no
// codes, and so does this.

#include "Contraction.h"
#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "QDialect/IR/QDDialect.h"
#include "Quantization.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

struct NBits {
  int64_t k, n, bits, block;
  int64_t blocks() const { return (k + block - 1) / block; }
  int64_t blockBytes() const { return (block * bits + 7) / 8; }
  /// Bytes of one channel's packed zero points.
  int64_t zeroBytes() const { return (blocks() * bits + 7) / 8; }
  unsigned code(const uint8_t *bytes, int64_t index) const {
    int64_t bit = index * bits;
    return (bytes[bit / 8] >> (bit % 8)) & ((1u << bits) - 1);
  }
};

/// A constant input of `count` elements.
std::optional<Tensor> constantInput(Node &n, size_t index, StringRef label,
                                    int64_t count) {
  Tensor tensor = n.input(index, label);
  if (!n.ok())
    return std::nullopt;
  if (!tensor.isConstant()) {
    n.emitError() << "input " << label << " ('" << n.inputName(index)
                  << "') must be a constant known at compile time";
    return std::nullopt;
  }
  if (tensor.size() != count) {
    n.emitError() << "input " << label << " " << describeType(tensor.type)
                  << " has " << tensor.size() << " elements, but must have "
                  << count;
    return std::nullopt;
  }
  return tensor;
}

bool isByte(const Tensor &tensor) {
  auto uint = dyn_cast<qd::UIntType>(tensor.elementType());
  return uint && uint.getWidth() == 8;
}

/// B as codes [K][N].
std::optional<Tensor> bindCodes(Node &n, const NBits &w) {
  std::optional<Tensor> b =
      constantInput(n, 1, "B", w.n * w.blocks() * w.blockBytes());
  if (!b)
    return std::nullopt;
  if (!isByte(*b)) {
    n.emitError() << "input B is " << describeType(b->type)
                  << ", but must be uint8";
    return std::nullopt;
  }
  HostTensor codes(DType::U8, {w.k, w.n});
  const auto *bytes = b->data->data<uint8_t>();
  auto *out = codes.mutableData<uint8_t>();
  for (int64_t column = 0; column < w.n; ++column)
    for (int64_t k = 0; k < w.k; ++k) {
      const uint8_t *block =
          bytes + (column * w.blocks() + k / w.block) * w.blockBytes();
      out[k * w.n + column] = w.code(block, k % w.block);
    }
  return Tensor(qd::UIntType::get(n.b.context(), w.bits), std::move(codes),
                n.inputName(1));
}

/// [N][blocks] of any type as [blocks][N] in f32 or i32.
template <typename T, typename Read>
Tensor transposed(Type element, DType dtype, const NBits &w, StringRef name,
                  Read read) {
  HostTensor data(dtype, {w.blocks(), w.n});
  for (int64_t column = 0; column < w.n; ++column)
    for (int64_t block = 0; block < w.blocks(); ++block)
      data.mutableData<T>()[block * w.n + column] = read(column, block);
  return Tensor(element, std::move(data), name);
}

LogicalResult importMatMulNBits(Node &n) {
  Tensor x = n.floatInput(0, "A");
  NBits w{n.getInt("K", 0), n.getInt("N", 0), n.getInt("bits", 4),
          n.getInt("block_size", 32)};
  bool rounds = n.getInt("accuracy_level", 0) == 4;
  n.requireRank(x, "A", 1);
  if (!n.ok() || !n.requireRange("K", {w.k}, 1, int64_t(1) << 31) ||
      !n.requireRange("N", {w.n}, 1, int64_t(1) << 31) ||
      !n.requireRange("block_size", {w.block}, 1, int64_t(1) << 31))
    return failure();
  if (w.bits != 2 && w.bits != 4 && w.bits != 8)
    return n.emitError() << "attribute 'bits' is " << w.bits
                         << ", but must be 2, 4 or 8";
  if (!isReasonableShape({w.n, w.blocks(), w.blockBytes()}))
    return n.emitError() << "N = " << w.n << " times " << w.blocks()
                         << " blocks of " << w.blockBytes()
                         << " bytes is too large";
  if (x.dim(x.rank() - 1) != w.k)
    return n.emitError() << "input A " << n.b.describe(x)
                         << " does not have K = " << w.k << " columns";
  std::optional<Tensor> codes = bindCodes(n, w);
  if (!codes)
    return failure();
  std::optional<Tensor> scales =
      constantInput(n, 2, "scales", w.n * w.blocks());
  if (!scales)
    return failure();
  Type f32 = n.b.builder.getF32Type(), i32 = n.b.builder.getI32Type();
  auto scaleAt = [&](int64_t column, int64_t block) {
    return static_cast<float>(
        scales->data->asDouble(column * w.blocks() + block));
  };
  Tensor scale = transposed<float>(f32, DType::F32, w, n.inputName(2), scaleAt);
  Tensor zero = n.b.constant(i32, {}, {double(int64_t(1) << (w.bits - 1))});
  auto domain = qd::ZeroPointDomain::Code;
  if (n.hasInput(3)) {
    Tensor given = n.input(3, "zero_points");
    bool packed = isByte(given);
    std::optional<Tensor> zeros = constantInput(
        n, 3, "zero_points", w.n * (packed ? w.zeroBytes() : w.blocks()));
    if (!zeros)
      return failure();
    if (packed) {
      const auto *bytes = zeros->data->data<uint8_t>();
      zero = transposed<int32_t>(i32, DType::I32, w, n.inputName(3),
                                 [&](int64_t column, int64_t block) {
                                   return w.code(bytes + column * w.zeroBytes(),
                                                 block);
                                 });
    } else {
      // (q - z) * s = q * s + m
      domain = qd::ZeroPointDomain::Real;
      zero = transposed<float>(
          f32, DType::F32, w, "", [&](int64_t column, int64_t block) {
            return static_cast<float>(
                -zeros->data->asDouble(column * w.blocks() + block) *
                scaleAt(column, block));
          });
    }
  }
  Value group;
  if (n.hasInput(4)) {
    Tensor index = n.input(4, "g_idx");
    Shape groups = n.constantIntegers(4, "g_idx");
    if (!n.ok() || !n.requireRange("g_idx", groups, 0, w.blocks() - 1))
      return failure();
    if (static_cast<int64_t>(groups.size()) < w.k)
      return n.emitError() << "input g_idx has " << groups.size()
                           << " elements, but K is " << w.k;
    HostTensor data(DType::I32, {w.k});
    std::copy_n(groups.begin(), w.k, data.mutableData<int32_t>());
    group = n.b.value(Tensor(i32, std::move(data), index.name));
  }
  auto type = RankedTensorType::get({w.k, w.n}, f32);
  auto weights = qd::DequantizeOp::create(
      n.b.builder, n.b.loc, type, n.b.value(*codes),
      ValueRange{n.b.value(scale)}, n.b.value(zero), group,
      n.b.builder.getDenseI64ArrayAttr({w.block, 1}),
      qd::ZeroPointDomainAttr::get(n.b.context(), domain));
  // For q-run --dump-codes: the file has channels first, and codes packed.
  weights->setAttr(qd::kPackedAttr, n.b.builder.getUnitAttr());
  Type element = x.elementType();
  x = n.b.cast(x, f32);
  Shape shape(x.shape());
  shape.back() = w.n;
  // Rows of a matrix, so that the codes meet the product as they are.
  x = n.b.reshape(x, {n.b.sizes.product(x.shape().drop_back()), w.k});
  if (rounds && !group && domain == qd::ZeroPointDomain::Code)
    x = roundByBlocks(n.b, x, w.block);
  FailureOr<Tensor> y = emitMatmul(n, x, Tensor(weights.getResult()), f32);
  if (failed(y))
    return failure();
  y = n.b.reshape(*y, shape);
  if (n.hasInput(5)) {
    Tensor bias = n.floatInput(5, "bias");
    if (!n.ok() || !n.requireBroadcast({&*y, &bias}))
      return failure();
    y = n.b.elementwise(
        {*y, n.b.cast(bias, f32)}, f32,
        [](OpBuilder &nested, Location at, ValueRange v) {
          return arith::AddFOp::create(nested, at, v[0], v[1]).getResult();
        });
  }
  return n.result(n.b.cast(*y, element));
}

} // namespace

void registerMatmulNBitsOps(OpRegistry &r) {
  r.onOp(microsoftDomain, "MatMulNBits", 1, importMatMulNBits,
         "2, 4 and 8 bits, constant weights; int8 activations for "
         "accuracy_level 4, else f32")
      .symbolic();
}

} // namespace qdialect::onnx_import
