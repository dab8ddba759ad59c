// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Data movement (reshape, transpose, slice, concat, pad) and reductions. Small
// constants are moved in host memory, by strides.

#include "GraphBuilder.h"
#include "Indexing.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

Shape rowMajorStrides(ArrayRef<int64_t> shape) {
  Shape strides(shape.size(), 1);
  for (int64_t axis = static_cast<int64_t>(shape.size()) - 2; axis >= 0; --axis)
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

/// Reads `shape` elements of `source` starting at element `offset`, walking
/// `strides` elements along each dimension.
HostTensor gatherStrided(const HostTensor &source, int64_t offset,
                         ArrayRef<int64_t> shape, ArrayRef<int64_t> strides) {
  HostTensor result(source.type(), shape.vec());
  size_t width = byteWidth(source.type());
  Shape position(shape.size(), 0);
  char *out = result.mutableBytes();
  for (int64_t i = 0, count = result.size(); i < count; ++i) {
    int64_t at = offset;
    for (size_t axis = 0; axis < position.size(); ++axis)
      at += position[axis] * strides[axis];
    std::memcpy(out + i * width, source.bytes() + at * width, width);
    for (size_t axis = position.size(); axis-- > 0;) {
      if (++position[axis] < shape[axis])
        break;
      position[axis] = 0;
    }
  }
  return result;
}

/// The dimensions of `wide` that each of `narrow` is the product of.
std::optional<SmallVector<ReassociationIndices>>
reassociate(SymbolicSizes &sizes, ArrayRef<int64_t> wide,
            ArrayRef<int64_t> narrow) {
  SmallVector<ReassociationIndices> groups;
  size_t next = 0;
  for (int64_t whole : narrow) {
    ReassociationIndices &group = groups.emplace_back();
    int64_t product = 1;
    do {
      if (next == wide.size())
        return std::nullopt;
      product = sizes.mul(product, wide[next]);
      group.push_back(static_cast<int64_t>(next++));
    } while (product != whole);
  }
  for (; next < wide.size(); ++next) {
    if (wide[next] != 1)
      return std::nullopt;
    if (!groups.empty())
      groups.back().push_back(static_cast<int64_t>(next));
  }
  return groups;
}

} // namespace

Tensor GraphBuilder::reshape(const Tensor &tensor, ArrayRef<int64_t> shape) {
  if (tensor.shape() == shape)
    return tensor;
  if (tensor.isConstant()) {
    Tensor result(tensor.elementType(), tensor.data->reshaped(shape.vec()),
                  tensor.name);
    return result;
  }
  RankedTensorType type = typeOf(shape, tensor.elementType());
  if (tensor.size() == 0)
    return Tensor(empty(shape, tensor.elementType()));
  bool isStatic = type.hasStaticShape() && tensor.type.hasStaticShape();
  bool collapses = type.getRank() < tensor.rank();
  if (auto groups = isStatic
                        ? getReassociationIndicesForReshape(tensor.type, type)
                    : collapses ? reassociate(sizes, tensor.shape(), shape)
                                : reassociate(sizes, shape, tensor.shape())) {
    if (collapses)
      return this->tensor(tensor::CollapseShapeOp::create(
                              builder, loc, type, tensor.value, *groups),
                          shape);
    return this->tensor(tensor::ExpandShapeOp::create(builder, loc, type,
                                                      tensor.value, *groups,
                                                      operands(shape)),
                        shape);
  }
  // Neither shape refines the other: through one dimension.
  Tensor flat = reshape(tensor, {count(tensor)});
  return reshape(flat, shape);
}

Tensor GraphBuilder::reshapeChecked(const Tensor &tensor,
                                    ArrayRef<int64_t> shape) {
  int64_t all = count(tensor), wanted = sizes.product(shape);
  if (all == wanted)
    return reshape(tensor, shape);
  if (all == 0)
    return this->tensor(empty(shape, tensor.elementType()), shape);
  // The two numbers are equal, their expressions are not.
  return reshape(sliceAxis(reshape(tensor, {all}), 0, 0, wanted), shape);
}

Tensor GraphBuilder::transpose(const Tensor &tensor,
                               ArrayRef<int64_t> permutation) {
  if (llvm::is_sorted(permutation))
    return tensor;
  Shape shape;
  for (int64_t axis : permutation)
    shape.push_back(tensor.dim(axis));
  if (isSmallConstant(tensor)) {
    Shape from = rowMajorStrides(tensor.shape()), strides;
    for (int64_t axis : permutation)
      strides.push_back(from[axis]);
    return Tensor(tensor.elementType(),
                  gatherStrided(*tensor.data, 0, shape, strides), tensor.name);
  }
  return this->tensor(linalg::TransposeOp::create(
                          builder, loc, value(tensor),
                          empty(shape, tensor.elementType()), permutation)
                          ->getResult(0),
                      shape);
}

Tensor GraphBuilder::slice(const Tensor &tensor, ArrayRef<int64_t> offsets,
                           ArrayRef<int64_t> extents,
                           ArrayRef<int64_t> strides) {
  if (tensor.shape() == extents)
    return tensor;
  if (isSmallConstant(tensor) && !SymbolicSizes::anySymbolic(extents) &&
      !SymbolicSizes::anySymbolic(offsets)) {
    Shape steps = rowMajorStrides(tensor.shape());
    int64_t offset = 0;
    for (size_t axis = 0; axis < steps.size(); ++axis) {
      offset += offsets[axis] * steps[axis];
      steps[axis] *= strides[axis];
    }
    return Tensor(tensor.elementType(),
                  gatherStrided(*tensor.data, offset, extents, steps));
  }
  // Nothing: extract_slice has no offset inside an empty dimension.
  if (llvm::is_contained(extents, 0) || llvm::is_contained(tensor.shape(), 0))
    return this->tensor(empty(extents, tensor.elementType()), extents);
  return this->tensor(tensor::ExtractSliceOp::create(
                          builder, loc, typeOf(extents, tensor.elementType()),
                          value(tensor), operands(offsets), operands(extents),
                          operands(strides)),
                      extents);
}

Tensor GraphBuilder::sliceAxis(const Tensor &tensor, int64_t axis,
                               int64_t offset, int64_t size, int64_t stride) {
  Shape offsets(tensor.rank(), 0), extents(tensor.shape()),
      strides(tensor.rank(), 1);
  offsets[axis] = offset;
  extents[axis] = size;
  strides[axis] = stride;
  return slice(tensor, offsets, extents, strides);
}

Tensor GraphBuilder::concat(ArrayRef<Tensor> parts, int64_t axis) {
  if (parts.size() == 1)
    return parts.front();
  int64_t total = 0, size = 0;
  bool small = true, symbolic = false;
  for (const Tensor &part : parts) {
    total = sizes.add(total, part.dim(axis));
    small = small && isSmallConstant(part);
    size += small ? part.size() : 0;
    symbolic = symbolic || part.hasSymbolicElements();
  }
  Shape shape(parts.front().shape());
  shape[axis] = total;
  if (!small || size > maxFoldedElements) {
    SmallVector<Value> values;
    for (const Tensor &part : parts)
      values.push_back(value(part));
    RankedTensorType type = typeOf(shape, parts.front().elementType());
    return tensor(tensor::ConcatOp::create(builder, loc, type, axis, values),
                  shape);
  }
  // Each part is `outer` rows of contiguous bytes; the result interleaves them.
  DType stored = symbolic ? DType::I64 : parts.front().data->type();
  HostTensor result(stored, std::vector<int64_t>(shape.begin(), shape.end()));
  if (result.size() == 0)
    return Tensor(parts.front().elementType(), result);
  int64_t outer = 1;
  for (int64_t i = 0; i < axis; ++i)
    outer *= shape[i];
  char *out = result.mutableBytes();
  for (int64_t row = 0; row < outer; ++row)
    for (const Tensor &part : parts) {
      HostTensor data = part.data->type() == stored
                            ? *part.data
                            : part.data->converted(stored);
      size_t bytes = data.sizeInBytes() / outer;
      std::memcpy(out, data.bytes() + row * bytes, bytes);
      out += bytes;
    }
  return Tensor(parts.front().elementType(), result);
}

Tensor GraphBuilder::pad(const Tensor &tensor, ArrayRef<int64_t> low,
                         ArrayRef<int64_t> high, double number) {
  auto isZero = [](int64_t size) { return size == 0; };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return tensor;
  Value source = value(tensor);
  Value border = scalar(tensor.elementType(), number);
  Shape shape(tensor.shape());
  for (size_t axis = 0; axis < shape.size(); ++axis)
    shape[axis] = sizes.add(shape[axis], sizes.add(low[axis], high[axis]));
  RankedTensorType type = typeOf(shape, tensor.elementType());
  return this->tensor(tensor::PadOp::create(builder, loc, type, source,
                                            operands(low), operands(high),
                                            border),
                      shape);
}

/// Length of the longest prefix with a constant non-negative step. A step of 0
/// (repetition) is a run of one.
static size_t runLength(ArrayRef<int64_t> indices) {
  if (indices.size() < 2 || indices[1] <= indices[0])
    return std::min<size_t>(indices.size(), 1);
  int64_t step = indices[1] - indices[0];
  size_t length = 2;
  while (length < indices.size() &&
         indices[length] - indices[length - 1] == step)
    ++length;
  return length;
}

int64_t countRuns(ArrayRef<int64_t> indices) {
  int64_t runs = 0;
  for (; !indices.empty(); ++runs)
    indices = indices.drop_front(runLength(indices));
  return runs;
}

Tensor GraphBuilder::select(const Tensor &tensor, int64_t axis,
                            ArrayRef<int64_t> indices) {
  if (indices.empty())
    return sliceAxis(tensor, axis, 0, 0);
  // Many pieces (a reversed axis) are looked up in a table of places.
  constexpr int64_t maxPieces = 4;
  if (!isSmallConstant(tensor) && countRuns(indices) > maxPieces) {
    Shape shape(tensor.shape());
    shape[axis] = static_cast<int64_t>(indices.size());
    Tensor table(value(integers({shape[axis]}, indices)));
    Value source = value(tensor);
    Tensor result = generate(
        *this, shape, tensor.elementType(),
        {{table, {static_cast<unsigned>(axis)}}},
        [&](const Scalars &s, ValueRange elements, ArrayRef<Value> at) {
          SmallVector<Value> places(at);
          places[axis] = elements[0];
          return s.read(source, places);
        });
    return this->tensor(result.value, shape);
  }
  SmallVector<Tensor> parts;
  while (!indices.empty()) {
    size_t length = runLength(indices);
    int64_t step = length > 1 ? indices[1] - indices[0] : 1;
    parts.push_back(sliceAxis(tensor, axis, indices[0], length, step));
    indices = indices.drop_front(length);
  }
  return concat(parts, axis);
}

Tensor GraphBuilder::reduce(const Tensor &tensor, ArrayRef<int64_t> axes,
                            double start, Body body) {
  int64_t rank = tensor.rank();
  Shape kept;
  SmallVector<AffineExpr> places;
  SmallVector<utils::IteratorType> iterators;
  for (int64_t axis = 0; axis < rank; ++axis) {
    bool reduced = llvm::is_contained(axes, axis);
    iterators.push_back(reduced ? utils::IteratorType::reduction
                                : utils::IteratorType::parallel);
    if (reduced)
      continue;
    kept.push_back(tensor.dim(axis));
    places.push_back(builder.getAffineDimExpr(axis));
  }
  Value init = filled(kept, tensor.elementType(), start);
  // Nothing to reduce: no kernel needs to know of that.
  if (llvm::is_contained(tensor.shape(), 0))
    return this->tensor(init);
  Value input = value(tensor);
  AffineMap maps[] = {builder.getMultiDimIdentityMap(rank),
                      AffineMap::get(rank, 0, places, context())};
  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange{init.getType()}, ValueRange{input},
      ValueRange{init}, maps, iterators,
      [&](OpBuilder &nested, Location at, ValueRange arguments) {
        linalg::YieldOp::create(nested, at, body(nested, at, arguments));
      });
  return this->tensor(generic.getResult(0), kept);
}

} // namespace qdialect::onnx_import
