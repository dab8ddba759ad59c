// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/CodeGen/Program/RowBlocks.h"

#include "DispatchCopy.h"
#include "QDialect/Analysis/ProductSize.h"
#include "RowAnalysis.h"

using namespace mlir;

namespace qdialect {
static bool isDynamic(ArrayRef<int64_t> shape) {
  return llvm::any_of(shape, [](int64_t size) {
    return ShapedType::isDynamic(size) || SymbolicSizes::isSymbolic(size);
  });
}

std::optional<RowBlocks> RowBlocks::analyze(qd::DispatchOp dispatch,
                                            SymbolicShapes &shapes) {
  SymbolicShapes::Shape shape =
      shapes.shapeOf(dispatch.getYield().getOperand(0));
  int64_t last = 0;
  for (auto [axis, size] : llvm::enumerate(shape)) {
    if (size == ShapedType::kDynamic)
      return std::nullopt;
    if (SymbolicSizes::isSymbolic(size))
      last = static_cast<int64_t>(axis) + 1;
  }
  for (int64_t dims = last; dims > 0; --dims) {
    RowAnalysis analysis(dispatch, shapes, dims);
    if (!analysis.run())
      continue;
    RowBlocks result;
    result.numDims = dims;
    result.isStatic = dims == last;
    for (BlockArgument argument : dispatch.getBody().getArguments()) {
      result.inputHasRows.push_back(analysis.hasRows(argument));
      if (!isa<RankedTensorType>(argument.getType()))
        continue;
      SymbolicShapes::Shape input = shapes.shapeOf(argument);
      result.isStatic &= !isDynamic(
          ArrayRef(input).drop_front(analysis.hasRows(argument) ? dims : 0));
    }
    if (result.isStatic) {
      result.rowElements =
          shapes.sizes.product(ArrayRef(shape).drop_front(dims));
      dispatch.walk([&](Operation *op) {
        if (std::optional<ProductSize> size = getProductSize(op))
          result.rowMacs += static_cast<double>(size->macs);
      });
    }
    return result;
  }
  return std::nullopt;
}

SmallVector<int64_t> RowBlocks::heights(bool tall) const {
  // A row is work enough for a kernel of its own.
  constexpr double kMacs = 1 << 20;
  constexpr int64_t kElements = 8192;
  if (!isStatic || rowElements >= kElements)
    return {1};
  if (tall && rowMacs > 0) {
    constexpr double kMostMacs = 1LL << 31;
    SmallVector<int64_t> heights{1024, 128, 16, 4, 1};
    llvm::erase_if(heights, [&](int64_t height) {
      return height != 1 && static_cast<double>(height) * rowMacs > kMostMacs;
    });
    return heights;
  }
  if (rowMacs >= kMacs)
    return {1};
  // Every block reads all weights: few rows should be few blocks.
  if (rowMacs > 0)
    return {64, 16, 4, 2, 1};
  int64_t rows = kElements / std::max<int64_t>(rowElements, 1);
  return rows >= 16 ? SmallVector<int64_t>{rows, 8, 1}
                    : SmallVector<int64_t>{rows, 1};
}

qd::DispatchOp RowBlocks::build(qd::DispatchOp dispatch, SymbolicShapes &shapes,
                                int64_t rows, ModuleOp module,
                                SmallVectorImpl<unsigned> &inputs) const {
  RowAnalysis analysis(dispatch, shapes, numDims);
  bool isRows = analysis.run();
  assert(isRows && "analysed before");
  (void)isRows;
  ShapeOracle oracle =
      shapesOfCopy(shapes, [&](Value tensor, SymbolicShapes::Shape &shape) {
        if (analysis.hasRows(tensor))
          for (int64_t axis = 0; axis < numDims; ++axis)
            shape[axis] = axis == 0 ? rows : 1;
      });
  return copyDispatch(dispatch, shapes, oracle, {}, module, inputs);
}

} // namespace qdialect
