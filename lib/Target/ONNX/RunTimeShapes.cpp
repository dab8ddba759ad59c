// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RunTimeShapes.h"
#include "Indexing.h"
#include "Node.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// Does only the run know whether two different sizes are equal?
bool isLeftToRun(Node &n, int64_t size, int64_t other) {
  SymbolicSizes &sizes = n.b.sizes;
  if (!n.b.canDependOnData())
    return false;
  if (sizes.isComputed(size) || sizes.isComputed(other))
    return true;
  if (!SymbolicSizes::isSymbolic(size) || !SymbolicSizes::isSymbolic(other))
    return false;
  SmallVector<unsigned> symbols = sizes.symbolsOf(other);
  return llvm::none_of(sizes.symbolsOf(size), [&](unsigned symbol) {
    return llvm::is_contained(symbols, symbol);
  });
}

/// 1 where a size, which is not negative, is 1, else 0.
int64_t isOne(SymbolicSizes &sizes, int64_t size) {
  return sizes.max(0, sizes.min(size, sizes.sub(2, size)));
}

/// The one of two sizes that is not 1; either if they are equal. What it is for
/// sizes that do not broadcast, does not matter.
int64_t broadcastSize(SymbolicSizes &sizes, int64_t size, int64_t other) {
  if (sizes.bounds(size).low > 1)
    return size;
  if (sizes.bounds(other).low > 1)
    return other;
  // The larger one, but 0 of 0 and 1.
  return sizes.mul(sizes.max(size, other),
                   sizes.min(sizes.min(size, other), 1));
}

bool mayBeOne(SymbolicSizes &sizes, int64_t size) {
  SymbolicSizes::Bounds bounds = sizes.bounds(size);
  return bounds.low <= 1 && bounds.high >= 1;
}

std::string dimensionOf(Node &n, int64_t axis, StringRef what) {
  return (n.describe() + "dimension " + Twine(axis) + " of " + what).str();
}

} // namespace

bool requireSize(Node &n, int64_t size, int64_t expected, StringRef what) {
  if (size == expected)
    return true;
  if (!isLeftToRun(n, size, expected))
    return false;
  n.b.requireEqual(size, expected, n.describe() + what.str());
  return true;
}

bool requireShape(Node &n, ArrayRef<int64_t> shape, ArrayRef<int64_t> expected,
                  StringRef what) {
  if (shape.size() != expected.size())
    return false;
  for (auto [size, wanted] : llvm::zip_equal(shape, expected))
    if (size != wanted && !isLeftToRun(n, size, wanted))
      return false;
  for (auto [axis, size] : llvm::enumerate(shape))
    if (size != expected[axis])
      n.b.requireEqual(size, expected[axis], dimensionOf(n, axis, what));
  return true;
}

std::optional<Tensor> withShape(Node &n, const Tensor &tensor,
                                ArrayRef<int64_t> expected, StringRef what) {
  if (!requireShape(n, tensor.shape(), expected, what))
    return std::nullopt;
  return n.b.slice(tensor, Shape(tensor.rank(), 0), expected,
                   Shape(tensor.rank(), 1));
}

std::optional<Shape> commonShape(Node &n, ArrayRef<Shape> shapes) {
  if (std::optional<Shape> known = broadcastShapes(shapes))
    return known;
  Shape common;
  for (const Shape &shape : shapes) {
    if (shape.size() > common.size())
      common.insert(common.begin(), shape.size() - common.size(), 1);
    size_t offset = common.size() - shape.size();
    for (auto [axis, size] : llvm::enumerate(shape)) {
      int64_t &known = common[offset + axis];
      if (known == 1) {
        known = size;
      } else if (size != 1 && size != known) {
        if (!isLeftToRun(n, size, known))
          return std::nullopt;
        known = broadcastSize(n.b.sizes, known, size);
      }
    }
  }
  return common;
}

void requireBroadcastTo(Node &n, ArrayRef<int64_t> shape,
                        ArrayRef<int64_t> target, StringRef what) {
  SymbolicSizes &sizes = n.b.sizes;
  ArrayRef<int64_t> last = target.take_back(shape.size());
  for (auto [axis, size] : llvm::enumerate(shape)) {
    int64_t wanted = last[axis];
    if (size == 1 || size == wanted)
      continue;
    // What is 1 must be 1.
    if (mayBeOne(sizes, size)) {
      int64_t one = isOne(sizes, size);
      wanted = sizes.add(wanted, sizes.mul(one, sizes.sub(1, wanted)));
    }
    n.b.requireEqual(size, wanted, dimensionOf(n, axis, what));
  }
}

Tensor fitted(Node &n, const Tensor &tensor, ArrayRef<int64_t> target,
              StringRef what) {
  GraphBuilder &b = n.b;
  requireBroadcastTo(n, tensor.shape(), target, what);
  ArrayRef<int64_t> last = target.take_back(tensor.rank());
  Shape cut(tensor.shape()), shape(tensor.shape());
  for (auto [axis, size] : llvm::enumerate(tensor.shape())) {
    if (size == 1)
      continue;
    shape[axis] = last[axis];
    if (!mayBeOne(b.sizes, size))
      cut[axis] = last[axis];
  }
  Tensor x = b.slice(tensor, Shape(cut.size(), 0), cut, Shape(cut.size(), 1));
  if (cut == shape)
    return x;
  Value source = b.value(x);
  return generate(b, shape, x.elementType(), {},
                  [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
                    SmallVector<Value> at(places);
                    for (auto [axis, size] : llvm::enumerate(cut)) {
                      if (size == shape[axis])
                        continue;
                      int64_t moves = b.sizes.sub(1, isOne(b.sizes, size));
                      at[axis] =
                          s.mul(at[axis],
                                b.sizeAs(s.b, s.loc, s.b.getI64Type(), moves));
                    }
                    return s.read(source, at);
                  });
}

} // namespace qdialect::onnx_import
