// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tensor.extract_slice, insert_slice and pad: copies between a tensor and a
// strided box in it.

#include "Registry.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

namespace {
/// A box of a row-major tensor, in elements.
struct Box {
  SmallVector<int64_t> sizes, strides;
  int64_t offset = 0;
};
} // namespace

/// Static numbers with each dynamic one taken from `dynamic`, which advances.
static SmallVector<int64_t> resolve(ArrayRef<int64_t> numbers,
                                    ArrayRef<HostTensor> &dynamic) {
  SmallVector<int64_t> resolved(numbers);
  for (int64_t &number : resolved)
    if (ShapedType::isDynamic(number)) {
      number = dynamic.front().asInteger(0);
      dynamic = dynamic.drop_front();
    }
  return resolved;
}

/// The box that (offsets, sizes, strides) name in `shape`; they lie inside it
/// or it is an error.
static llvm::Expected<Box> boxOf(Operation *op, ArrayRef<int64_t> offsets,
                                 ArrayRef<int64_t> sizes,
                                 ArrayRef<int64_t> strides,
                                 ArrayRef<int64_t> shape) {
  Box box;
  SmallVector<int64_t> unit = rowMajorStrides(shape);
  for (size_t d = 0; d < shape.size(); ++d) {
    int64_t last = offsets[d] + (sizes[d] - 1) * strides[d];
    bool inside = sizes[d] == 0 ||
                  (sizes[d] > 0 && offsets[d] >= 0 && offsets[d] < shape[d] &&
                   last >= 0 && last < shape[d]);
    if (!inside)
      return opError(op, "reaches outside of dimension " + Twine(d) +
                             " of size " + Twine(shape[d]));
    box.sizes.push_back(sizes[d]);
    box.strides.push_back(strides[d] * unit[d]);
    box.offset += offsets[d] * unit[d];
  }
  return box;
}

/// Copies between the box of `outer` and a contiguous tensor, one way or the
/// other.
template <bool gather>
static void copyBox(const Box &box, char *outer, char *dense, size_t width) {
  int64_t count = numElements({box.sizes.begin(), box.sizes.end()}).value_or(0);
  Cursor cursor = Cursor::strided(box.sizes, box.strides, box.offset);
  cursor.runs(count, [&](int64_t at, int64_t from, int64_t stride, int64_t n) {
    char *d = dense + at * width, *o = outer + from * int64_t(width);
    if (stride == 1) {
      std::memcpy(gather ? d : o, gather ? o : d, n * width);
      return;
    }
    for (int64_t i = 0; i < n; ++i, d += width, o += stride * int64_t(width))
      std::memcpy(gather ? d : o, gather ? o : d, width);
  });
}

static llvm::Expected<Tensors>
interpretExtractSlice(Operation *op, ArrayRef<HostTensor> operands,
                      const Context &context) {
  auto slice = cast<tensor::ExtractSliceOp>(op);
  const HostTensor &source = operands[0];
  ArrayRef<HostTensor> dynamic = operands.drop_front();
  SmallVector<int64_t> offsets = resolve(slice.getStaticOffsets(), dynamic);
  SmallVector<int64_t> sizes = resolve(slice.getStaticSizes(), dynamic);
  SmallVector<int64_t> strides = resolve(slice.getStaticStrides(), dynamic);
  auto box = boxOf(op, offsets, sizes, strides, source.shape());
  if (!box)
    return box.takeError();
  // Rank reduction drops unit dimensions: the elements are the same.
  std::vector<int64_t> shape;
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  for (size_t d = 0; d < sizes.size(); ++d)
    if (!dropped.test(d))
      shape.push_back(sizes[d]);
  HostTensor result(source.type(), shape);
  copyBox</*gather=*/true>(*box, const_cast<char *>(source.bytes()),
                           result.mutableBytes(), byteWidth(source.type()));
  return Tensors{result};
}

static llvm::Expected<Tensors>
interpretInsertSlice(Operation *op, MutableArrayRef<HostTensor> operands,
                     const Context &context) {
  auto slice = cast<tensor::InsertSliceOp>(op);
  HostTensor source = operands[0], result = std::move(operands[1]);
  ArrayRef<HostTensor> dynamic = operands.drop_front(2);
  SmallVector<int64_t> offsets = resolve(slice.getStaticOffsets(), dynamic);
  SmallVector<int64_t> sizes = resolve(slice.getStaticSizes(), dynamic);
  SmallVector<int64_t> strides = resolve(slice.getStaticStrides(), dynamic);
  auto box = boxOf(op, offsets, sizes, strides, result.shape());
  if (!box)
    return box.takeError();
  if (numElements({sizes.begin(), sizes.end()}) != source.size())
    return opError(op, "inserts " + Twine(source.size()) +
                           " elements into a slice of another size");
  copyBox</*gather=*/false>(*box, result.mutableBytes(),
                            const_cast<char *>(source.bytes()),
                            byteWidth(source.type()));
  return Tensors{result};
}

/// The next index in row-major order; the first after the last.
static void step(MutableArrayRef<int64_t> index, ArrayRef<int64_t> shape) {
  for (size_t dim = shape.size(); dim-- > 0;) {
    if (++index[dim] < shape[dim])
      return;
    index[dim] = 0;
  }
}

/// What the region yields, for every point at which the dimensions that it
/// asks for differ; the others are of size one.
static llvm::Expected<HostTensor> paddingValues(tensor::PadOp pad,
                                                ArrayRef<int64_t> shape,
                                                const Context &context) {
  Block &block = pad.getRegion().front();
  std::vector<int64_t> counts(shape.begin(), shape.end());
  for (auto [count, argument] : llvm::zip_equal(counts, block.getArguments()))
    if (argument.use_empty())
      count = 1;
  auto element = context.element(pad, pad.getResultType());
  if (!element)
    return element.takeError();
  HostTensor values(element->memory, counts);
  size_t width = byteWidth(values.type());
  SmallVector<int64_t> index(counts.size(), 0);
  for (int64_t i = 0, e = values.size(); i < e; ++i) {
    Tensors indices;
    for (int64_t at : index)
      indices.push_back(HostTensor::of<int64_t>(DType::I64, {}, {at}));
    auto yielded = runBlock(block, std::move(indices), context);
    if (!yielded)
      return yielded.takeError();
    if (yielded->size() != 1)
      return opError(pad, "yields no padding value");
    if ((*yielded)[0].type() != values.type())
      return opError(pad, "yields a padding value of another type");
    std::memcpy(values.mutableBytes() + i * width, (*yielded)[0].bytes(),
                width);
    step(index, counts);
  }
  return values;
}

static llvm::Expected<Tensors> interpretPad(Operation *op,
                                            ArrayRef<HostTensor> operands,
                                            const Context &context) {
  auto pad = cast<tensor::PadOp>(op);
  const HostTensor &source = operands[0];
  ArrayRef<HostTensor> dynamic = operands.drop_front();
  SmallVector<int64_t> low = resolve(pad.getStaticLow(), dynamic);
  SmallVector<int64_t> high = resolve(pad.getStaticHigh(), dynamic);
  std::vector<int64_t> shape = source.shape();
  SmallVector<int64_t> ones(shape.size(), 1);
  for (size_t d = 0; d < shape.size(); ++d) {
    if (low[d] < 0 || high[d] < 0)
      return opError(op, "pads by a negative amount");
    shape[d] += low[d] + high[d];
  }
  auto values = paddingValues(pad, shape, context);
  if (!values)
    return values.takeError();
  if (values->type() != source.type())
    return opError(op, "yields a padding value of another type");
  HostTensor result(source.type(), shape);
  size_t width = byteWidth(result.type());
  char *out = result.mutableBytes();
  // Seeded fault 15: padding is 0 and not what the region yields.
  if constexpr (QDIALECT_MUTATE != 15) {
    SmallVector<int64_t> index(shape.size(), 0);
    bool isUniform = values->size() == 1;
    for (int64_t i = 0, e = result.size(); i < e; ++i) {
      int64_t from = 0;
      if (!isUniform) {
        for (auto [at, count] : llvm::zip_equal(index, values->shape()))
          from = from * count + (count == 1 ? 0 : at);
        step(index, shape);
      }
      std::memcpy(out + i * width, values->bytes() + from * width, width);
    }
  }
  auto box = boxOf(op, low, source.shape(), ones, shape);
  if (!box)
    return box.takeError();
  copyBox</*gather=*/false>(*box, out, const_cast<char *>(source.bytes()),
                            width);
  return Tensors{result};
}

void interp::registerSliceOps(Registry &registry) {
  auto &ops = registry.tensorOps;
  ops["tensor.extract_slice"] = interpretExtractSlice;
  ops["tensor.insert_slice"] = interpretInsertSlice;
  ops["tensor.pad"] = interpretPad;
}
