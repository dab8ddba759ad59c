// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads windows off linear accesses and emits their row tables.

#include "Window.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect::cpu {

int64_t WindowGeometry::numPixels() const {
  int64_t count = 1;
  for (const PixelLoop &loop : pixels)
    count *= loop.size;
  return count;
}

bool WindowGeometry::isStrided() const {
  if (numTaps() != 1 || padded())
    return false;
  for (size_t i = 0; i + 1 < pixels.size(); ++i)
    if (pixels[i].step != pixels[i + 1].step * pixels[i + 1].size)
      return false;
  return true;
}

/// Is it the counter of the only channel loop?
static bool isChannel(const LinearForm &index,
                      ArrayRef<unsigned> channelLoops) {
  return channelLoops.size() == 1 && index.offset == 0 &&
         index.coefficients ==
             LinearForm::loop(index.coefficients.size(), channelLoops[0])
                 .coefficients;
}

bool WindowGeometry::read(const KernelRegion &region, linalg::LinalgOp op,
                          unsigned image, ArrayRef<unsigned> channelLoops,
                          LinearForm &form) {
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  auto isPixel = [&](unsigned loop) {
    return iterators[loop] == utils::IteratorType::parallel &&
           sizes[loop] > 1 && !llvm::is_contained(channelLoops, loop);
  };
  auto isFilter = [&](unsigned loop) {
    return iterators[loop] == utils::IteratorType::reduction &&
           sizes[loop] > 1 && !llvm::is_contained(channelLoops, loop);
  };
  Value value = op->getOperand(image);
  auto indices =
      linearResults(op.getMatchingIndexingMap(&op->getOpOperand(image)));
  if (!indices)
    return false;
  SmallVector<int64_t> low(indices->size(), 0), high(indices->size(), 0);
  if (auto pad = value.getDefiningOp<tensor::PadOp>()) {
    auto lowPads = getConstantIntValues(pad.getMixedLowPad());
    auto highPads = getConstantIntValues(pad.getMixedHighPad());
    std::optional<Padding> found = getPadding(pad);
    if (!lowPads || !highPads || !found)
      return false;
    padding = std::move(*found);
    if (!padding.isUniform() &&
        !isChannel((*indices)[padding.dim], channelLoops))
      return false;
    low.assign(lowPads->begin(), lowPads->end());
    high.assign(highPads->begin(), highPads->end());
    for (size_t dim = 0; dim < low.size(); ++dim)
      (*indices)[dim].offset -= low[dim];
    value = pad.getSource();
  }
  std::optional<Access> access =
      resolveAccess(value, op.getNumLoops(), *indices);
  auto argument =
      access ? dyn_cast<BlockArgument>(access->base) : BlockArgument();
  if (!argument)
    return false;
  input = argument.getArgNumber();
  inputOffset = access->form.offset;
  form = std::move(access->form);

  // A dimension that is padded or walked by a filter is an image axis.
  auto shape = cast<RankedTensorType>(value.getType()).getShape();
  SmallVector<ImageAxis, 2> found;
  SmallVector<int> axisOfLoop(op.getNumLoops(), -1);
  for (unsigned dim = 0; dim < low.size(); ++dim) {
    ImageAxis axis;
    axis.low = low[dim];
    axis.size = shape[dim];
    axis.padded = low[dim] != 0 || high[dim] != 0;
    bool isAxis = axis.padded;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
      int64_t factor = (*indices)[dim].coefficients[loop];
      if (factor == 0 || (!isPixel(loop) && !isFilter(loop))) {
        if (factor != 0 && axis.padded &&
            llvm::is_contained(channelLoops, loop) && sizes[loop] > 1)
          return false; // padded channels
        continue;
      }
      if (factor < 0 || axisOfLoop[loop] >= 0)
        return false;
      axisOfLoop[loop] = static_cast<int>(found.size());
      if (isPixel(loop)) {
        if (axis.stride != 0)
          return false;
        axis.stride = factor;
      } else {
        if (axis.filterLoop >= 0)
          return false;
        isAxis = true;
        axis.filterLoop = static_cast<int>(loop);
        axis.filterSize = sizes[loop];
        axis.dilation = factor;
        axis.filterStep = form.coefficients[loop];
      }
    }
    if (isAxis) {
      found.push_back(axis);
    } else {
      for (int &of : axisOfLoop)
        if (of == static_cast<int>(found.size()))
          of = -1;
    }
  }
  if (found.size() > 2)
    return false;
  unsigned first = 2 - found.size();
  std::copy(found.begin(), found.end(), axes + first);

  // Pixels in the order of the output's dimensions.
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  for (AffineExpr expr : output.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return false;
    unsigned loop = dim.getPosition();
    if (!isPixel(loop))
      continue;
    PixelLoop pixel;
    pixel.size = sizes[loop];
    pixel.step = form.coefficients[loop];
    if (axisOfLoop[loop] >= 0)
      pixel.axis = axisOfLoop[loop] + static_cast<int>(first);
    pixels.push_back(pixel);
  }
  // Every reduction must be a filter position or inside a row.
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (isFilter(loop) && axisOfLoop[loop] < 0)
      return false;
  auto type = cast<RankedTensorType>(argument.getType());
  // Row offsets are computed in i32 lanes.
  return numPixels() > 0 &&
         type.getNumElements() * elementSize() < (int64_t(1) << 31) &&
         numPixels() < (int64_t(1) << 30);
}

std::optional<InitValues> InitValues::read(Value init) {
  unsigned rank = cast<RankedTensorType>(init.getType()).getRank();
  auto uniform = [&](Value value) -> std::optional<InitValues> {
    std::optional<ConstantView> view = constantView(value);
    if (!view || !(view->splat || view->numElements() == 1))
      return std::nullopt;
    return InitValues{*view, LinearForm(rank)};
  };
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    return uniform(fill.getInputs()[0]);
  auto generic = init.getDefiningOp<linalg::GenericOp>();
  if (!generic)
    return uniform(init);
  // A broadcast: the payload yields its only input.
  if (!isElementwiseStep(generic) || generic.getNumDpsInputs() != 1 ||
      generic.getBlock()->getTerminator()->getOperand(0) !=
          generic.getBlock()->getArgument(0))
    return std::nullopt;
  OpOperand *input = generic.getDpsInputOperands()[0];
  if (!isa<RankedTensorType>(input->get().getType()))
    return uniform(input->get());
  auto indices = linearResults(generic.getMatchingIndexingMap(input));
  if (!indices)
    return std::nullopt;
  std::optional<Access> access = resolveAccess(input->get(), rank, *indices);
  if (!access)
    return std::nullopt;
  std::optional<ConstantView> view = constantView(access->base);
  if (!view)
    return std::nullopt;
  return InitValues{*view, std::move(access->form)};
}

bool InitValues::isUniform() const {
  return view.splat || view.numElements() == 1;
}

ConstantBlob WindowGeometry::paddingBlob() const {
  ConstantBlob blob;
  // Whole vectors are read from it.
  blob.size = (padLength + 64) * elementSize();
  blob.fill = [padding = padding, bytes = elementSize(),
               flips = !isFloat && codeBytes == 1,
               length = padLength](MutableArrayRef<char> out) {
    for (int64_t i = 0; (i + 1) * bytes <= static_cast<int64_t>(out.size());
         ++i) {
      // Behind the last channel nothing counts.
      uint64_t element = padding.bits(std::min(i, length - 1));
#if QDIALECT_MUTATE == 18
      element = 0;
#endif
      if (flips)
        element ^= 0x80;
      std::memcpy(out.data() + i * bytes, &element, bytes);
    }
  };
  return blob;
}

void emitRowTable(Emitter &e, const WindowGeometry &g, Value table,
                  int64_t tableStride, Value input, Value padding,
                  Value firstRow, Value endRow) {
  auto type = Emitter::vector(e.i32());
  auto wide = Emitter::vector(e.i64());
  auto splat = [&](int64_t value) { return e.constantInt(type, value); };
  Value base = e.broadcast(LLVM::PtrToIntOp::create(e, e.i64(), input), wide);
  Value nowhere;
  if (g.padded())
    nowhere = e.broadcast(LLVM::PtrToIntOp::create(e, e.i64(), padding), wide);
  Value lastRow = e.broadcast(
      arith::TruncIOp::create(e, e.i32(), e.sub(endRow, e.index(1))), type);
  e.loop(firstRow, endRow, Emitter::kLanes, [&](Value row) {
    Value pixel =
        e.add(e.broadcast(arith::TruncIOp::create(e, e.i32(), row), type),
              e.iota(e.i32()));
    // Rows beyond the chunk repeat the last one: their entries are never used.
    pixel = e.min(pixel, lastRow);
    Value offset = splat(g.inputOffset);
    Value position[2] = {splat(-g.axes[0].low), splat(-g.axes[1].low)};
    for (size_t i = g.pixels.size(); i-- > 0;) {
      const PixelLoop &loop = g.pixels[i];
      Value counter = pixel;
      if (i > 0) {
        counter = arith::RemUIOp::create(e, pixel, splat(loop.size));
        pixel = arith::DivUIOp::create(e, pixel, splat(loop.size));
      }
      offset = e.add(offset, e.mul(counter, splat(loop.step)));
      if (loop.axis >= 0)
        position[loop.axis] =
            e.add(position[loop.axis],
                  e.mul(counter, splat(g.axes[loop.axis].stride)));
    }
    /// Is filter position `filter` of an axis inside the image? Null: always.
    auto inside = [&](int axis, int64_t filter) -> Value {
      const ImageAxis &a = g.axes[axis];
      if (!a.padded)
        return {};
      Value at = e.add(position[axis], splat(filter * a.dilation));
      return arith::CmpIOp::create(e, arith::CmpIPredicate::ult, at,
                                   splat(a.size));
    };
    int64_t numRows = g.walksTaps() ? 1 : g.axes[0].filterSize;
    int64_t numColumns = g.walksTaps() ? 1 : g.tapColumns();
    SmallVector<Value> insideColumn;
    for (int64_t x = 0; x < numColumns; ++x)
      insideColumn.push_back(inside(1, x));
    Value slot = e.at(table, e.mul(e.sub(row, firstRow), 8));
    for (int64_t y = 0; y < numRows; ++y) {
      Value insideRow = inside(0, y);
      for (int64_t x = 0; x < numColumns; ++x) {
        Value at = e.add(
            offset, splat(y * g.axes[0].filterStep + x * g.axes[1].filterStep));
        Value bytes = e.mul(arith::ExtSIOp::create(e, wide, at),
                            e.constantInt(wide, g.elementSize()));
        Value pointer = e.add(base, bytes);
        Value exists = insideRow;
        if (insideColumn[x])
          exists =
              exists ? Value(arith::AndIOp::create(e, exists, insideColumn[x]))
                     : insideColumn[x];
        if (exists)
          pointer = arith::SelectOp::create(e, exists, pointer, nowhere);
        e.store(pointer, e.at(slot, (y * numColumns + x) * tableStride * 8), 8);
      }
    }
  });
}

} // namespace qdialect::cpu
