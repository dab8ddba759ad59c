// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads the geometry of a contraction off its roles and linear accesses.

#include "Contraction.h"

#include "QDialect/Analysis/ContractionStructure.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {

int64_t ContractionGeometry::groupBytes() const {
  int64_t lastVectors = (lastPanelChannels() + 15) / 16;
  int64_t rows = numTaps() * rowsPerTap();
  return rows * ((panelsPerGroup() - 1) * kRowBytes + rowBytes(lastVectors));
}

namespace {

/// The one loop of a role; -1 if there is none of a size above one.
struct OneLoop {
  bool unique = true;
  int loop = -1;
  OneLoop(ArrayRef<unsigned> loops, ArrayRef<int64_t> sizes) {
    for (unsigned candidate : loops) {
      if (sizes[candidate] == 1)
        continue;
      unique &= loop < 0;
      loop = static_cast<int>(candidate);
    }
  }
  int64_t size(ArrayRef<int64_t> sizes) const {
    return loop < 0 ? 1 : sizes[loop];
  }
  int64_t step(const LinearForm &form) const {
    return loop < 0 ? 0 : form.coefficients[loop];
  }
};

struct Reader {
  const KernelRegion &region;
  linalg::LinalgOp op;
  ContractionStructure s;
  ContractionGeometry g;

  bool read();

private:
  bool readWeights(LinearForm &form);
  bool readInit(const LinearForm &output, OneLoop group, OneLoop channel);
  bool checkPixels(const LinearForm &output);
  void mergeFilterRows();
};

bool Reader::readWeights(LinearForm &form) {
  auto indices = linearResults(s.weightMap);
  if (!indices)
    return false;
  Value value = op->getOperand(s.weightOperand);
  std::optional<Access> access =
      resolveAccess(value, op.getNumLoops(), *indices);
  if (!access)
    return false;
  g.weights = constantView(access->base);
  if (!g.weights)
    return false;
  if (g.weights->splat) {
    // Packing reads every element; such weights are tiny or dead.
    auto all = std::make_shared<HostTensor>(g.weights->toHostTensor());
    g.weights->raw = ArrayRef<char>(all->bytes(), all->sizeInBytes());
    g.weights->splat = false;
    g.weights->owner = all;
  }
  form = std::move(access->form);
  g.weightOffset = form.offset;
  for (unsigned axis = 0; axis < 2; ++axis)
    if (g.axes[axis].filterLoop >= 0)
      g.weightFilter[axis] = form.coefficients[g.axes[axis].filterLoop];
  return true;
}

bool Reader::readInit(const LinearForm &output, OneLoop group,
                      OneLoop channel) {
  Value init = op.getDpsInits()[0];
  std::optional<InitValues> values = InitValues::read(init);
  if (!values)
    return false;
  g.init = values->view;
  g.initOffset = values->form.offset;
  for (auto [dim, step] : llvm::enumerate(values->form.coefficients)) {
    if (group.loop >= 0 && s.outputDim(group.loop) == dim)
      g.initGroup = step;
    else if (channel.loop >= 0 && s.outputDim(channel.loop) == dim)
      g.initChannel = step;
    else if (step != 0 &&
             cast<RankedTensorType>(init.getType()).getDimSize(dim) != 1)
      return false;
  }
  return true;
}

/// The pixels must be the output's rows in order, channels innermost.
bool Reader::checkPixels(const LinearForm &output) {
  int64_t expected = g.numChannels();
  for (AffineExpr expr : llvm::reverse(s.outputMap.getResults())) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    if (llvm::is_contained(s.outputChannel, loop) ||
        llvm::is_contained(s.depth, loop) || s.loopSizes[loop] == 1)
      continue;
    if (output.coefficients[*s.outputDim(loop)] != expected)
      return false;
    expected *= s.loopSizes[loop];
  }
  return true;
}

/// Pixels of a filter row that follow each other in memory make one long run.
void Reader::mergeFilterRows() {
  ImageAxis &x = g.axes[1];
  int64_t channels = g.run;
  bool contiguous = x.dilation == 1 && x.filterStep == channels && !x.padded;
  bool wasteful = g.isFloat ? g.numTaps() > WindowGeometry::kMostTaps
                            : channels < 16 || channels % 4 != 0;
  if (x.filterSize == 1 || !contiguous || !wasteful || g.groups != 1)
    return;
  g.mergedRows = true;
  g.run = channels * x.filterSize;
}

bool Reader::read() {
  Type activationType =
      getElementTypeOrSelf(op->getOperand(s.activationOperand));
  Type weightType = getElementTypeOrSelf(op->getOperand(s.weightOperand));
  Type outputType = getElementTypeOrSelf(op->getResult(0));
  g.isFloat =
      activationType.isF32() && weightType.isF32() && outputType.isF32();
  bool isCodes = activationType.isInteger(8) && weightType.isInteger(8) &&
                 outputType.isInteger(32);
  if ((!g.isFloat && !isCodes) || !s.weightIsConstant ||
      s.activationZeroPoint || s.weightZeroPoint)
    return false;
  OneLoop channel(s.outputChannel, s.loopSizes), group(s.depth, s.loopSizes),
      reduction(s.inputChannel, s.loopSizes);
  if (!channel.unique || !group.unique || !reduction.unique)
    return false;
  g.groups = group.size(s.loopSizes);
  g.groupChannels = channel.size(s.loopSizes);
  g.inputChannels = g.run = reduction.size(s.loopSizes);

  LinearForm activation, weights, output;
  SmallVector<unsigned> channelLoops;
  llvm::append_range(channelLoops, s.outputChannel);
  llvm::append_range(channelLoops, s.inputChannel);
  llvm::append_range(channelLoops, s.depth);
  if (!g.read(region, op, s.activationOperand, channelLoops, activation) ||
      g.padding.values || !readWeights(weights))
    return false;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  output.coefficients = rowMajorStrides(type.getShape());
  auto outputStep = [&](OneLoop role) {
    return role.loop < 0 ? 0 : output.coefficients[*s.outputDim(role.loop)];
  };
  // Channels innermost on both sides, groups around them.
  if ((channel.loop >= 0 && outputStep(channel) != 1) ||
      (group.loop >= 0 && outputStep(group) != g.groupChannels) ||
      (reduction.loop >= 0 && reduction.step(activation) != 1))
    return false;
  g.groupStep = group.step(activation);
  g.weightGroup = group.step(weights);
  g.weightChannel = channel.step(weights);
  g.weightInput = reduction.step(weights);
  if (!checkPixels(output) || !readInit(output, group, channel))
    return false;
  mergeFilterRows();
  g.padLength = (g.groups - 1) * g.groupStep + g.run;
  return g.run > 0 && g.numTaps() <= WindowGeometry::kMostTaps;
}

} // namespace

std::optional<ContractionGeometry>
ContractionGeometry::create(const KernelRegion &region) {
  auto op = dyn_cast_or_null<linalg::LinalgOp>(region.root);
  if (!op)
    return std::nullopt;
  std::optional<ContractionStructure> structure = getContractionStructure(op);
  if (!structure || llvm::any_of(structure->loopSizes, ShapedType::isDynamic))
    return std::nullopt;
  Reader reader{region, op, std::move(*structure), {}};
  if (!reader.read())
    return std::nullopt;
  return std::move(reader.g);
}

} // namespace qdialect::cpu
