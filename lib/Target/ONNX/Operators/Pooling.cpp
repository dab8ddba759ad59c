// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pools. A maximum pads with the smallest value; an average is a sum over
// zero-padded data, divided by the number of elements that each window counts:
// one constant where all windows count alike, else a constant per position.

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "IntegerProduct.h"
#include "Node.h"
#include "PoolIndices.h"
#include "QDialect/IR/QDDialect.h"
#include "Registry.h"
#include "Scalars.h"
#include "Window.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <limits>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

template <typename Op>
Tensor named(GraphBuilder &b, const Tensor &x, const Window &w, Value init) {
  Value window = b.empty(w.kernel, x.elementType());
  auto op = Op::create(b.builder, b.loc, TypeRange{init.getType()},
                       ValueRange{b.value(x), window}, ValueRange{init},
                       b.builder.getI64TensorAttr(w.strides),
                       b.builder.getI64TensorAttr(w.dilations));
  return b.tensor(op->getResult(0));
}

/// The same for any number of spatial dimensions.
Tensor generic(GraphBuilder &b, const Tensor &x, const Window &w, Value init,
               GraphBuilder::Body body) {
  unsigned spatial = w.kernel.size(), loops = 2 + 2 * spatial;
  auto dim = [&](unsigned i) { return b.builder.getAffineDimExpr(i); };
  SmallVector<AffineExpr> input{dim(0), dim(1)}, taps, output = input;
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::parallel);
  for (unsigned axis = 0; axis < spatial; ++axis) {
    AffineExpr position = dim(2 + axis), tap = dim(2 + spatial + axis);
    input.push_back(position * w.strides[axis] + tap * w.dilations[axis]);
    taps.push_back(tap);
    output.push_back(position);
    iterators[2 + spatial + axis] = utils::IteratorType::reduction;
  }
  AffineMap maps[] = {AffineMap::get(loops, 0, input, b.context()),
                      AffineMap::get(loops, 0, taps, b.context()),
                      AffineMap::get(loops, 0, output, b.context())};
  Value window = b.empty(w.kernel, x.elementType());
  auto op = linalg::GenericOp::create(
      b.builder, b.loc, TypeRange{init.getType()},
      ValueRange{b.value(x), window}, ValueRange{init}, maps, iterators,
      [&](OpBuilder &nested, Location at, ValueRange v) {
        linalg::YieldOp::create(nested, at, body(nested, at, {v[0], v[2]}));
      });
  return b.tensor(op.getResult(0));
}

template <typename Op>
Value fold(OpBuilder &b, Location loc, ValueRange v) {
  return Op::create(b, loc, v[1], v[0]);
}

/// The smallest value of a float or signed integer type.
double lowest(Type type) {
  if (isFloat(type))
    return -std::numeric_limits<double>::infinity();
  return -std::ldexp(1.0, static_cast<int>(type.getIntOrFloatBitWidth()) - 1);
}

Shape pooledShape(const Tensor &x, const Window &w) {
  Shape shape{x.dim(0), x.dim(1)};
  shape.append(w.output);
  return shape;
}

/// Reads x, kernel_shape and the window; ok() of the node says if it worked.
Window bindPool(Node &n, const Tensor &x) {
  n.requireRank(x, "X", 3);
  bool ceilMode = n.getInt("ceil_mode", 0) != 0;
  std::optional<Shape> kernel = n.getInts("kernel_shape");
  if (!n.ok())
    return {};
  ArrayRef<int64_t> image = x.shape().drop_front(2);
  if (!kernel || kernel->size() != image.size()) {
    n.emitError() << "attribute 'kernel_shape' must have " << image.size()
                  << " numbers";
    return {};
  }
  if (!n.requireRange("kernel_shape", *kernel, 1, maxWindowNumber))
    return {};
  if (!isReasonableShape(*kernel)) {
    n.emitError() << "window " << describeShape(*kernel) << " is too large";
    return {};
  }
  return bindWindow(n, image, *kernel, ceilMode);
}

LogicalResult importMaxPool(Node &n) {
  Tensor x = n.input(0, "X");
  bool columnMajor = n.getInt("storage_order", 0) != 0;
  Window w = bindPool(n, x);
  if (!n.ok())
    return failure();
  auto uint = dyn_cast<qd::UIntType>(x.elementType());
  if (uint && uint.getWidth() == 8)
    x = toSignedCodes(n.b, x);
  Type type = x.elementType();
  if (!isFloat(type) && !(isSignlessInteger(type) && !type.isInteger(1)))
    return n.emitError() << "element type of " << describeType(x.type)
                         << " is not supported";
  if (n.wantsOutput(1)) {
    if (x.isSymbolic() || x.size() == 0)
      return n.emitError() << "Indices of " << n.b.describe(x)
                           << " are not supported";
    if (failed(n.result(1, maxPoolIndices(n.b, x, w, columnMajor))))
      return failure();
  }
  Tensor padded = padSpatial(n.b, x, w, lowest(type));
  Value init = n.b.filled(pooledShape(x, w), type, lowest(type));
  Tensor y;
  if (w.kernel.size() == 1)
    y = named<linalg::PoolingNcwMaxOp>(n.b, padded, w, init);
  else if (w.kernel.size() == 2)
    y = named<linalg::PoolingNchwMaxOp>(n.b, padded, w, init);
  else
    y = generic(n.b, padded, w, init,
                isFloat(type) ? fold<arith::MaximumFOp> : fold<arith::MaxSIOp>);
  return n.result(uint ? toUnsignedCodes(n.b, y) : y);
}

/// How many elements the windows along one dimension count.
SmallVector<double> countsAlong(const Window &w, size_t axis, int64_t size,
                                bool withPads) {
  int64_t begin = withPads ? -w.low[axis] : 0;
  int64_t end = withPads ? size + w.high[axis] : size;
#if QDIALECT_MUTATE == 14 // averages divide by the padding too
  begin = -w.low[axis];
  end = size + w.high[axis];
#endif
  SmallVector<double> counts;
  for (int64_t position = 0; position < w.output[axis]; ++position) {
    int64_t start = position * w.strides[axis] - w.low[axis];
    int64_t d = w.dilations[axis];
    // Taps t with begin <= start + t * d < end.
    int64_t first = start >= begin ? 0 : (begin - start + d - 1) / d;
    int64_t last = end > start ? (end - start + d - 1) / d : 0;
    counts.push_back(static_cast<double>(
        std::max<int64_t>(std::min(last, w.kernel[axis]) - first, 0)));
  }
  return counts;
}

/// The constant that the sums are divided by; none if it would be large.
std::optional<Tensor> divisor(GraphBuilder &b, const Tensor &x, const Window &w,
                              bool withPads) {
  int64_t positions = b.sizes.product(w.output);
  if (SymbolicSizes::isSymbolic(positions) || positions > maxTableElements)
    return std::nullopt;
  SmallVector<double> counts{1};
  for (size_t axis = 0; axis < w.output.size(); ++axis) {
    SmallVector<double> along = countsAlong(w, axis, x.dim(axis + 2), withPads),
                        next;
    for (double outer : counts)
      for (double count : along)
        next.push_back(outer * count);
    counts = std::move(next);
  }
  if (llvm::all_equal(counts))
    return b.constant(x.elementType(), {}, {counts.front()});
  return b.constant(x.elementType(), w.output, counts);
}

Tensor divide(GraphBuilder &b, const Tensor &x, const Tensor &by) {
  return b.elementwise(
      {x, by}, x.elementType(),
      [](OpBuilder &nested, Location at, ValueRange v) {
        return arith::DivFOp::create(nested, at, v[0], v[1]).getResult();
      });
}

Tensor sumPool(GraphBuilder &b, const Tensor &padded, const Window &w) {
  Value init = b.filled(pooledShape(padded, w), padded.elementType(), 0);
  if (w.kernel.size() == 1)
    return named<linalg::PoolingNcwSumOp>(b, padded, w, init);
  if (w.kernel.size() == 2)
    return named<linalg::PoolingNchwSumOp>(b, padded, w, init);
  return generic(b, padded, w, init, fold<arith::AddFOp>);
}

/// The number of elements that each window counts, for an image of symbolic
/// size or a large one: one for all where no window reaches padding that does
/// not count, else the same sum over an image of ones.
Tensor computedDivisor(GraphBuilder &b, const Tensor &x, const Window &w,
                       bool withPads) {
  auto isZero = [](int64_t size) { return size == 0; };
  bool alike = llvm::all_of(w.extra, isZero) &&
               (withPads ||
                (llvm::all_of(w.low, isZero) && llvm::all_of(w.high, isZero)));
  Type type = x.elementType();
  if (alike)
    return b.constant(type, {},
                      {static_cast<double>(b.sizes.product(w.kernel))});
  Shape image{1, 1};
  llvm::append_range(image, x.shape().drop_front(2));
  Tensor ones = b.tensor(b.filled(image, type, 1), image);
  Window inner = w;
  if (withPads) {
    Shape low(2, 0), high(2, 0);
    llvm::append_range(low, w.low);
    llvm::append_range(high, w.high);
    ones = b.pad(ones, low, high, 1);
    inner.low.assign(w.low.size(), 0);
    inner.high.assign(w.high.size(), 0);
  }
  Tensor counts = sumPool(b, padSpatial(b, ones, inner, 0), w);
  return b.reshape(counts, w.output);
}

LogicalResult importAveragePool(Node &n) {
  Tensor x = n.floatInput(0, "X");
  bool withPads = n.getInt("count_include_pad", 0) != 0;
  Window w = bindPool(n, x);
  if (!n.ok())
    return failure();
  std::optional<Tensor> count = divisor(n.b, x, w, withPads);
  if (!count)
    count = computedDivisor(n.b, x, w, withPads);
  Tensor padded = padSpatial(n.b, x, w, 0);
  return n.result(divide(n.b, sumPool(n.b, padded, w), *count));
}

/// x^p of magnitudes, and the root of sums of them.
Tensor powers(GraphBuilder &b, const Tensor &x, double p) {
  return b.elementwise(
      {x}, x.elementType(), [&](OpBuilder &nested, Location at, ValueRange v) {
        Scalars s{nested, at};
        if (p == 2)
          return s.mul(v[0], v[0]);
        Value magnitude = s.abs(v[0]);
        if (p == 1)
          return magnitude;
        return math::PowFOp::create(nested, at, magnitude, s.number(v[0], p))
            .getResult();
      });
}

Tensor roots(GraphBuilder &b, const Tensor &x, double p) {
  return b.elementwise(
      {x}, x.elementType(), [&](OpBuilder &nested, Location at, ValueRange v) {
        Scalars s{nested, at};
        if (p == 1)
          return v[0];
        if (p == 2)
          return s.sqrt(v[0]);
        return math::PowFOp::create(nested, at, v[0], s.number(v[0], 1 / p))
            .getResult();
      });
}

LogicalResult importLpPool(Node &n) {
  Tensor x = n.floatInput(0, "X");
  int64_t p = n.getInt("p", 2);
  Window w = bindPool(n, x);
  if (!n.ok() || !n.requireRange("p", {p}, 1, 1 << 10))
    return failure();
  Tensor padded = padSpatial(n.b, powers(n.b, x, p), w, 0);
  return n.result(roots(n.b, sumPool(n.b, padded, w), p));
}

LogicalResult importGlobalLpPool(Node &n) {
  Tensor x = n.floatInput(0, "X");
  n.requireRank(x, "X", 3);
  int64_t p = n.getInt("p", 2);
  if (!n.ok() || !n.requireRange("p", {p}, 1, 1 << 10))
    return failure();
  Shape axes = llvm::to_vector(llvm::seq<int64_t>(2, x.rank()));
  Shape kept(x.rank(), 1);
  kept[0] = x.dim(0);
  kept[1] = x.dim(1);
  Tensor sum = n.b.reduce(powers(n.b, x, p), axes, 0, fold<arith::AddFOp>);
  return n.result(n.b.reshape(roots(n.b, sum, p), kept));
}

/// Reduction of all spatial dimensions, kept as ones.
LogicalResult importGlobalPool(Node &n, bool average) {
  Tensor x = n.floatInput(0, "X");
  n.requireRank(x, "X", 3);
  if (!n.ok())
    return failure();
  Type type = x.elementType();
  Shape axes, kept{x.dim(0), x.dim(1)};
  int64_t count = 1;
  for (int64_t axis = 2; axis < x.rank(); ++axis) {
    axes.push_back(axis);
    kept.push_back(1);
    count = n.b.sizes.mul(count, x.dim(axis));
  }
  Tensor y = average
                 ? n.b.reduce(x, axes, 0, fold<arith::AddFOp>)
                 : n.b.reduce(x, axes, lowest(type), fold<arith::MaximumFOp>);
  if (average)
    y = divide(n.b, y, n.b.cast(n.b.integers({}, {count}), type));
  return n.result(n.b.reshape(y, kept));
}

} // namespace

void registerPoolingOps(OpRegistry &r) {
  r.onOp("MaxPool", 1, importMaxPool, "float, signed integer, uint8")
      .symbolic();
  r.onOp("AveragePool", 1, importAveragePool).symbolic();
  r.onOp("LpPool", 2, importLpPool);
  r.onOp("GlobalLpPool", 2, importGlobalLpPool);
  r.onOp("GlobalAveragePool", 1, [](Node &n) {
     return importGlobalPool(n, /*average=*/true);
   }).symbolic();
  r.onOp("GlobalMaxPool", 1, [](Node &n) {
     return importGlobalPool(n, /*average=*/false);
   }).symbolic();
}

} // namespace qdialect::onnx_import
