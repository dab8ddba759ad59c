// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Codes to i8 and their matrix product.

#include "IntegerProduct.h"
#include "Contraction.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {

/// The bits of i8 codes with the top one flipped: 128 up or down.
static Tensor flipped(GraphBuilder &b, const Tensor &codes) {
  return b.elementwise(
      {codes}, codes.elementType(),
      [](OpBuilder &nested, Location at, ValueRange v) {
        Value top = arith::ConstantOp::create(nested, at,
                                              nested.getI8IntegerAttr(-128));
        return arith::XOrIOp::create(nested, at, v[0], top).getResult();
      });
}

Tensor toUnsignedCodes(GraphBuilder &b, const Tensor &codes) {
  RankedTensorType type =
      b.typeOf(codes.shape(), qd::UIntType::get(b.context(), 8));
  Value result = qd::StorageCastOp::create(b.builder, b.loc, type,
                                           b.value(flipped(b, codes)));
  return b.tensor(result, codes.shape());
}

Tensor toSignedCodes(GraphBuilder &b, const Tensor &codes) {
  Type i8 = b.builder.getI8Type();
  if (!isa<qd::UIntType>(codes.elementType()))
    return codes;
  if (codes.isConstant()) {
    HostTensor data(DType::I8, {codes.shape().begin(), codes.shape().end()});
    for (int64_t i = 0; i < codes.size(); ++i)
      data.mutableData<int8_t>()[i] =
          static_cast<int8_t>(codes.data->asInteger(i) - 128);
    return Tensor(i8, std::move(data), codes.name);
  }
  Value bits = qd::StorageCastOp::create(
      b.builder, b.loc, b.typeOf(codes.shape(), i8), b.value(codes));
  return flipped(b, b.tensor(bits, codes.shape()));
}

/// A zero point as i32, `offset` lower; nothing if it is 0 then.
static std::optional<Tensor>
loweredZeroPoint(GraphBuilder &b, std::optional<Tensor> zero, int64_t offset) {
  Type i32 = b.builder.getI32Type();
  if (!zero)
    zero = b.constant(i32, {}, {0});
  if (!zero->isConstant()) {
    Tensor wide = b.cast(*zero, i32);
    if (offset == 0)
      return wide;
    return b.elementwise(
        {wide}, i32, [&](OpBuilder &nested, Location at, ValueRange v) {
          Value by = GraphBuilder::scalar(nested, at, i32, offset);
          return arith::SubIOp::create(nested, at, v[0], by).getResult();
        });
  }
  SmallVector<double> numbers;
  for (int64_t i = 0; i < zero->size(); ++i)
    numbers.push_back(zero->data->asInteger(i) - offset);
  if (llvm::all_of(numbers, [](double z) { return z == 0; }))
    return std::nullopt;
  return b.constant(i32, zero->shape(), numbers);
}

/// codes - zero point as i8, if every difference fits.
static std::optional<Tensor>
withoutZeroPoint(GraphBuilder &b, const Tensor &codes, const Tensor &zero) {
  HostTensor data(DType::I8, {codes.shape().begin(), codes.shape().end()});
  for (int64_t i = 0; i < codes.size(); ++i) {
    int64_t difference =
        codes.data->asInteger(i) -
        zero.data->asInteger(broadcastIndex(zero.shape(), codes.shape(), i));
    if (difference < -128 || difference > 127)
      return std::nullopt;
    data.mutableData<int8_t>()[i] = static_cast<int8_t>(difference);
  }
  return Tensor(b.builder.getI8Type(), std::move(data), codes.name);
}

ByteCodes toByteCodes(GraphBuilder &b, const Tensor &codes,
                      std::optional<Tensor> zeroPoint, int64_t axis) {
  ByteCodes result;
  bool isUnsigned = isa<qd::UIntType>(codes.elementType());
  result.codes = toSignedCodes(b, codes);
  result.zeroPoint = loweredZeroPoint(b, zeroPoint, isUnsigned ? 128 : 0);
  if (!result.zeroPoint)
    return result;
  // Shaped so that it broadcasts to the codes.
  Tensor &zero = *result.zeroPoint;
  if (zero.size() == 1) {
    zero = b.reshape(zero, {});
  } else if (zero.rank() == 1) {
    Shape shape(codes.rank(), 1);
    shape[axis] = zero.size();
    zero = b.reshape(zero, shape);
  }
  if (result.codes.isConstant() && zero.isConstant())
    if (std::optional<Tensor> plain = withoutZeroPoint(b, result.codes, zero))
      return {*plain, std::nullopt};
  return result;
}

std::optional<ByteCodes> bindByteCodes(Node &n, size_t index, StringRef label,
                                       size_t zeroPointIndex, int64_t axis) {
  Tensor codes = n.input(index, label);
  std::optional<Tensor> zero = n.optionalInput(zeroPointIndex);
  if (!n.ok())
    return std::nullopt;
  auto isByte = [](Type type) {
    auto uint = dyn_cast<qd::UIntType>(type);
    return type.isInteger(8) || (uint && uint.getWidth() == 8);
  };
  if (!isByte(codes.elementType())) {
    n.emitError() << "input " << label << " is " << describeType(codes.type)
                  << ", but must be uint8 or int8";
    return std::nullopt;
  }
  // A vector is summed over: it has neither rows nor columns.
  if (axis < 0)
    axis = codes.rank() < 2 ? codes.rank() : codes.rank() + axis;
  if (!zero)
    return toByteCodes(n.b, codes, std::nullopt, axis);
  if (zero->elementType() != codes.elementType()) {
    n.emitError() << "zero point " << describeType(zero->type) << " and input "
                  << label << " " << describeType(codes.type)
                  << " have different element types";
    return std::nullopt;
  }
  bool fits =
      zero->size() == 1 ||
      (zero->rank() == 1 && axis < codes.rank() &&
       zero->dim(0) == codes.dim(axis)) ||
      (zero->rank() == codes.rank() &&
       llvm::all_of(llvm::enumerate(zero->shape()), [&](auto size) {
         return size.value() ==
                (static_cast<int64_t>(size.index()) == axis ||
                         static_cast<int64_t>(size.index()) + 2 < codes.rank()
                     ? codes.dim(size.index())
                     : 1);
       }));
  if (!fits) {
    n.emitError() << "zero point " << describeType(zero->type)
                  << " does not lie along axis " << axis << " of "
                  << describeType(codes.type);
    return std::nullopt;
  }
  return toByteCodes(n.b, codes, zero, axis);
}

Tensor codeSums(GraphBuilder &b, const Tensor &codes, int64_t axis) {
  Type i32 = b.builder.getI32Type();
  Shape shape(codes.shape());
  shape[axis] = 1;
  // The sums of nothing are more than what is stored of it.
  if (codes.size() == 0)
    return b.splat(i32, shape, 0);
  if (codes.isConstant()) {
    int64_t inner = 1, size = codes.dim(axis);
    for (int64_t extent : codes.shape().drop_front(axis + 1))
      inner *= extent;
    HostTensor data(DType::I32, {shape.begin(), shape.end()});
    auto *out = data.mutableData<int32_t>();
    std::fill(out, out + data.size(), 0);
    const auto *in = codes.data->data<int8_t>();
    for (int64_t i = 0; i < codes.size(); ++i)
      out[i / (inner * size) * inner + i % inner] += in[i];
    return Tensor(i32, std::move(data));
  }
  Tensor sum = b.reduce(
      b.cast(codes, i32), {axis}, 0,
      [](OpBuilder &nested, Location at, ValueRange v) {
        return arith::AddIOp::create(nested, at, v[0], v[1]).getResult();
      });
  return b.reshape(sum, shape);
}

Tensor subtractProducts(GraphBuilder &b, ArrayRef<Tensor> operands,
                        int64_t count) {
  Type i32 = b.builder.getI32Type();
  return b.elementwise(
      operands, i32, [&](OpBuilder &nested, Location at, ValueRange v) {
        Value total = v[0];
        auto subtract = [&](Value zero, Value sum) {
          Value product = arith::MulIOp::create(nested, at, zero, sum);
          total = arith::SubIOp::create(nested, at, total, product);
        };
        for (size_t i = 1; i < v.size(); i += 2)
          subtract(v[i], v[i + 1]);
        if (count) {
          Value size = GraphBuilder::scalar(nested, at, i32,
                                            -static_cast<double>(count));
          Value zeros = arith::MulIOp::create(nested, at, v[1], v[3]);
          subtract(zeros, size);
        }
        return total;
      });
}

FailureOr<Tensor> integerMatmul(Node &n, ByteCodes x, ByteCodes y) {
  n.requireRank(x.codes, "A", 1);
  n.requireRank(y.codes, "B", 1);
  if (!n.ok())
    return failure();
  GraphBuilder &b = n.b;
  Type i32 = b.builder.getI32Type();
  FailureOr<Tensor> dot = emitMatmul(n, x.codes, y.codes, i32);
  if (failed(dot) || (!x.zeroPoint && !y.zeroPoint))
    return dot;
  if (SymbolicSizes::anySymbolic({x.codes.dim(x.codes.rank() - 1)})) {
    n.emitError() << "the sum over a symbolic dimension of "
                  << n.b.describe(x.codes) << " is not supported";
    return failure();
  }
  // Vectors as matrices; the product's shape is put back at the end.
  Shape shape(dot->shape()), matrix(shape);
  int64_t depth = x.codes.dim(x.codes.rank() - 1);
  if (x.codes.rank() == 1) {
    matrix.insert(matrix.end() - (y.codes.rank() == 1 ? 0 : 1), 1);
    x.codes = b.reshape(x.codes, {1, depth});
  }
  if (y.codes.rank() == 1) {
    matrix.push_back(1);
    y.codes = b.reshape(y.codes, {depth, 1});
  }
  SmallVector<Tensor> operands{b.reshape(*dot, matrix)};
  if (x.zeroPoint) {
    operands.push_back(*x.zeroPoint);
    operands.push_back(codeSums(b, y.codes, y.codes.rank() - 2));
  }
  if (y.zeroPoint) {
    operands.push_back(*y.zeroPoint);
    operands.push_back(codeSums(b, x.codes, x.codes.rank() - 1));
  }
  bool both = x.zeroPoint && y.zeroPoint;
  Tensor z = subtractProducts(b, operands, both ? depth : 0);
  return b.reshape(z, shape);
}

} // namespace qdialect::onnx_import
