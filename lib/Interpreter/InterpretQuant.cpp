// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tensor forms of the qd casts: which element of each scale and zero point
// belongs to which element of the input. The arithmetic is ColumnQuant.cpp's.
//
// Along dimension d of size D, element i reads index i / block_sizes[d] of the
// scale; block size 0 (the default) means the whole dimension, so index 0. The
// last block may be short. With a group index, the one dimension with a block
// size above 1 reads group_index[i] instead of i / block.

#include "QDialect/IR/QDDialect.h"
#include "Registry.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

namespace {
/// The blocks of one cast.
struct Blocks {
  Operation *op;
  ArrayRef<int64_t> shape;
  ArrayRef<int64_t> sizes;
  const HostTensor *groupIndex = nullptr;
  int64_t groupDim = -1;

  llvm::Error findGroupDim();
  llvm::Expected<Cursor> cursor(const HostTensor &parameter) const;
};
} // namespace

llvm::Error Blocks::findGroupDim() {
  if (!groupIndex)
    return llvm::Error::success();
  for (size_t d = 0; d < sizes.size(); ++d)
    if (sizes[d] > 1) {
      if (groupDim >= 0)
        return opError(op, "has a group index and two dimensions with blocks");
      groupDim = int64_t(d);
    }
  if (groupDim < 0)
    return opError(op, "has a group index but no dimension with blocks");
  if (groupIndex->rank() != 1 || groupIndex->size() != shape[groupDim])
    return opError(op, "has a group index that is not one number an element of "
                       "dimension " +
                           Twine(groupDim));
  return llvm::Error::success();
}

llvm::Expected<Cursor> Blocks::cursor(const HostTensor &parameter) const {
  if (parameter.size() == 1 || parameter.rank() == 0)
    return Cursor::strided({numElements(shape.vec()).value_or(0)}, {0});
  if (parameter.rank() != int64_t(shape.size()))
    return opError(op, "has a scale or zero point of rank " +
                           Twine(parameter.rank()) + " for an input of rank " +
                           Twine(shape.size()));
  SmallVector<int64_t> strides = rowMajorStrides(parameter.shape());
  std::vector<std::vector<int64_t>> tables;
  for (size_t d = 0; d < shape.size(); ++d) {
    int64_t block = d < sizes.size() ? sizes[d] : 0;
    std::vector<int64_t> table(shape[d]);
    for (int64_t i = 0; i < shape[d]; ++i) {
      int64_t at = 0;
      if (int64_t(d) == groupDim)
        at = groupIndex->asInteger(i);
      else if (block > 0)
        // Seeded fault 16: neighbours read different blocks.
        at = QDIALECT_MUTATE == 16 ? i % parameter.shape()[d] : i / block;
      if (at < 0 || at >= parameter.shape()[d])
        return opError(op, "element " + Twine(i) + " of dimension " + Twine(d) +
                               " wants block " + Twine(at) +
                               " of a scale with " +
                               Twine(parameter.shape()[d]));
      table[i] = at * strides[d];
    }
    tables.push_back(std::move(table));
  }
  return Cursor::tables(std::move(tables));
}

/// Runs the cast with operand 0 read straight and `count` operands in all; what
/// follows (the group index) is no column.
static llvm::Expected<Tensors>
applyBlocked(Operation *op, ArrayRef<HostTensor> operands, size_t count,
             ArrayRef<int64_t> blockSizes, const HostTensor *groupIndex,
             const Context &context) {
  Blocks blocks{op, operands[0].shape(), blockSizes, groupIndex, -1};
  if (llvm::Error error = blocks.findGroupDim())
    return std::move(error);
  std::vector<Cursor> cursors;
  cursors.push_back(Cursor::strided({operands[0].size()}, {1}));
  for (const HostTensor &parameter : operands.take_front(count).drop_front()) {
    auto cursor = blocks.cursor(parameter);
    if (!cursor)
      return cursor.takeError();
    cursors.push_back(std::move(*cursor));
  }
  return applyColumns(op, operands.take_front(count), cursors,
                      operands[0].shape(), context);
}

template <typename OpTy>
static llvm::Expected<Tensors> interpretCast(Operation *op,
                                             ArrayRef<HostTensor> operands,
                                             const Context &context) {
  auto cast = llvm::cast<OpTy>(op);
  const HostTensor *groupIndex =
      cast.getGroupIndex() ? &operands.back() : nullptr;
  return applyBlocked(op, operands, operands.size() - (groupIndex ? 1 : 0),
                      cast.getBlockSizes(), groupIndex, context);
}

template <typename OpTy>
static llvm::Expected<Tensors> interpretRescale(Operation *op,
                                                ArrayRef<HostTensor> operands,
                                                const Context &context) {
  return applyBlocked(op, operands, operands.size(),
                      llvm::cast<OpTy>(op).getBlockSizes(), nullptr, context);
}

static llvm::Expected<Tensors> interpretLookup(Operation *op,
                                               ArrayRef<HostTensor> operands,
                                               const Context &context) {
  return applyElementwise(op, operands.take_front(1), context);
}

void interp::registerQuantOps(Registry &registry) {
  auto &ops = registry.tensorOps;
  ops["qd.quantize"] = interpretCast<qd::QuantizeOp>;
  ops["qd.dequantize"] = interpretCast<qd::DequantizeOp>;
  ops["qd.requantize"] = interpretRescale<qd::RequantizeOp>;
  ops["qd.rescale"] = interpretRescale<qd::RescaleOp>;
  ops["qd.lookup"] = interpretLookup;
}
