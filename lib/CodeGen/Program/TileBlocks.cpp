// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/CodeGen/Program/TileBlocks.h"

#include "DispatchCopy.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "RowAnalysis.h"

using namespace mlir;

namespace qdialect {

static bool isKnown(ArrayRef<int64_t> shape) {
  return llvm::none_of(shape, [](int64_t size) {
    return ShapedType::isDynamic(size) || SymbolicSizes::isSymbolic(size);
  });
}

/// Where axis `axis` of a pixel is among the dimensions; nowhere for the y of a
/// 1-D image.
static std::optional<unsigned> dimOf(unsigned axis, int64_t numDims) {
  if (numDims == 2 && axis == 0)
    return std::nullopt;
  return static_cast<unsigned>(numDims) - 2 + axis;
}

std::array<int64_t, 2> TileBlocks::imageSize(ArrayRef<int64_t> shape) const {
  return {numDims == 3 ? shape[1] : 1, shape[numDims - 1]};
}

std::optional<TileBlocks> TileBlocks::analyze(qd::DispatchOp dispatch,
                                              SymbolicShapes &shapes) {
  Value yielded = dispatch.getYield().getOperand(0);
  SymbolicShapes::Shape shape = shapes.shapeOf(yielded);
  TileBlocks result;
  // One dimension of images, all others but the channels are pixels.
  result.numDims = static_cast<int64_t>(shape.size()) - 1;
  if ((result.numDims != 2 && result.numDims != 3) ||
      llvm::any_of(shape, ShapedType::isDynamic) || isKnown(shape) ||
      !isKnown(shape.back()))
    return std::nullopt;
  RowAnalysis analysis(dispatch, shapes, result.numDims, /*takesWindow=*/true);
  if (!analysis.run() || !analysis.window())
    return std::nullopt;
  const RowWindow &window = *analysis.window();
  result.image = window.image.getArgNumber();
  const WindowAxis &images = window.axes[0];
  // Each image gives one: none are padded in front or behind.
  if (images.stride != 1 || images.reach != 0 || images.low != 0 ||
      shapes.shapeOf(window.image).front() != shape.front())
    return std::nullopt;
  for (BlockArgument argument : dispatch.getBody().getArguments()) {
    std::optional<Patch> &patch = result.patches.emplace_back();
    if (!isa<RankedTensorType>(argument.getType()))
      continue;
    bool hasPixels = argument == window.image || analysis.hasRows(argument);
    if (!isKnown(ArrayRef(shapes.shapeOf(argument))
                     .drop_front(hasPixels ? result.numDims : 0)))
      return std::nullopt;
    if (!hasPixels)
      continue;
    patch.emplace();
    if (argument != window.image)
      continue;
    for (unsigned axis = 0; axis < 2; ++axis)
      if (std::optional<unsigned> dim = dimOf(axis, result.numDims)) {
        patch->stride[axis] = window.axes[*dim].stride;
        patch->reach[axis] = window.axes[*dim].reach;
        patch->low[axis] = window.axes[*dim].low;
      }
  }
  if (window.pad)
    result.padding = getPadding(window.pad);
  result.chooseTile(dispatch, shapes);
  return result;
}

/// Tiles must be worth a call and their patches stay in the cache; large ones
/// waste less on patches and more on what hangs over the image's edge.
void TileBlocks::chooseTile(qd::DispatchOp dispatch, SymbolicShapes &shapes) {
  constexpr int64_t kMostBytes = 96 << 10;
  constexpr double kHeavyMacs = 1 << 18; // of a pixel
  double macs = 0;
  dispatch.walk([&](linalg::LinalgOp op) {
    if (std::optional<ContractionStructure> s = getContractionStructure(op))
      macs += static_cast<double>(s->macs()); // symbolic sizes count as 1
  });
  SmallVector<int64_t> shape =
      shapes.shapeOf(dispatch.getYield().getOperand(0));
  for (int64_t size : ArrayRef(shape).take_front(numDims))
    if (!SymbolicSizes::isSymbolic(size))
      macs /= static_cast<double>(std::max<int64_t>(size, 1));
  tile = macs >= kHeavyMacs ? std::array<int64_t, 2>{4, 8}
                            : std::array<int64_t, 2>{16, 16};
  if (numDims == 2)
    tile = {1, tile[0] * tile[1]};
  auto bytes = [&] {
    int64_t sum = 0;
    for (auto [argument, patch] :
         llvm::zip_equal(dispatch.getBody().getArguments(), patches)) {
      if (!patch)
        continue;
      int64_t pixel = shapes.sizes.product(
          ArrayRef(shapes.shapeOf(argument)).drop_front(numDims));
      unsigned bits =
          getElementTypeOrSelf(argument.getType()).getIntOrFloatBitWidth();
      sum += patch->size(0, tile[0]) * patch->size(1, tile[1]) * pixel *
             ((bits + 7) / 8);
    }
    return sum;
  };
  while (bytes() > kMostBytes && tile[0] * tile[1] > 16)
    tile[tile[0] >= tile[1] ? 0 : 1] /= 2;
}

qd::DispatchOp TileBlocks::build(qd::DispatchOp dispatch,
                                 SymbolicShapes &shapes, ModuleOp module,
                                 SmallVectorImpl<unsigned> &inputs) const {
  RowAnalysis analysis(dispatch, shapes, numDims, /*takesWindow=*/true);
  bool isTiled = analysis.run();
  assert(isTiled && "analysed before");
  (void)isTiled;
  const RowWindow &window = *analysis.window();
  ShapeOracle oracle =
      shapesOfCopy(shapes, [&](Value tensor, SymbolicShapes::Shape &shape) {
        bool isImage = tensor == window.image;
        if (!isImage && !analysis.hasRows(tensor))
          return;
        Patch patch;
        if (isImage)
          patch = *patches[image];
        shape[0] = 1;
        for (unsigned axis = 0; axis < 2; ++axis)
          if (std::optional<unsigned> dim = dimOf(axis, numDims))
            shape[*dim] = patch.size(axis, tile[axis]);
      });
  // The patch is the padded image. Who reads the image itself, pixel by pixel,
  // gets the pixels in its middle.
  auto substitute = [&](OpBuilder &builder, IRMapping &map) {
    tensor::PadOp pad = window.pad;
    if (!pad)
      return;
    Value patch = map.lookup(window.image);
    map.map(pad.getResult(), patch);
    if (!analysis.hasRows(window.image))
      return;
    auto type = cast<RankedTensorType>(patch.getType());
    SmallVector<OpFoldResult> offsets, sizes;
    for (int64_t size : type.getShape()) {
      offsets.push_back(builder.getIndexAttr(0));
      sizes.push_back(builder.getIndexAttr(size));
    }
    for (unsigned axis = 0; axis < 2; ++axis)
      if (std::optional<unsigned> dim = dimOf(axis, numDims)) {
        offsets[*dim] = builder.getIndexAttr(patches[image]->low[axis]);
        sizes[*dim] = builder.getIndexAttr(tile[axis]);
      }
    SmallVector<OpFoldResult> strides(offsets.size(), builder.getIndexAttr(1));
    map.map(window.image,
            tensor::ExtractSliceOp::create(builder, dispatch.getLoc(), patch,
                                           offsets, sizes, strides)
                .getResult());
  };
  return copyDispatch(dispatch, shapes, oracle, substitute, module, inputs);
}

} // namespace qdialect
