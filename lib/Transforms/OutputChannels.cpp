// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The numbering of output channels (OutputChannels.h).

#include "OutputChannels.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace qdialect {

int64_t OutputChannels::count() const {
  int64_t product = 1;
  for (int64_t size : sizes)
    product *= size;
  return product;
}

std::optional<SmallVector<int64_t>>
OutputChannels::offsets(ArrayRef<int64_t> positions,
                        ArrayRef<int64_t> shape) const {
  // How far one step along each channel dimension goes in the tensor.
  SmallVector<int64_t> steps(dims.size(), 0);
  int64_t stride = 1;
  for (int64_t i = static_cast<int64_t>(positions.size()) - 1; i >= 0; --i) {
    const auto *it = llvm::find(dims, positions[i]);
    if (it != dims.end())
      steps[it - dims.begin()] = shape[i] == 1 ? 0 : stride;
    else if (shape[i] != 1)
      return std::nullopt;
    stride *= shape[i];
  }
  SmallVector<int64_t> result;
  for (int64_t channel = 0, e = count(); channel < e; ++channel) {
    int64_t rest = channel, offset = 0;
    for (int64_t d = static_cast<int64_t>(dims.size()) - 1; d >= 0; --d) {
      offset += rest % sizes[d] * steps[d];
      rest /= sizes[d];
    }
    result.push_back(offset);
  }
  return result;
}

std::optional<OutputChannels> getOutputChannels(const ContractionStructure &s) {
  OutputChannels channels;
  for (unsigned loop : channelLoops(s)) {
    if (ShapedType::isDynamic(s.loopSizes[loop]))
      return std::nullopt;
    channels.dims.push_back(*s.outputDim(loop));
    channels.sizes.push_back(s.loopSizes[loop]);
  }
  return channels;
}

std::optional<OutputChannels> followReshape(const OutputChannels &channels,
                                            Operation *reshape) {
  OutputChannels result;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(reshape)) {
    auto groups = expand.getReassociationIndices();
    for (int64_t dim : channels.dims)
      for (int64_t member : groups[dim]) {
        result.dims.push_back(member);
        result.sizes.push_back(expand.getResultType().getDimSize(member));
      }
    return result;
  }
  auto collapse = dyn_cast<tensor::CollapseShapeOp>(reshape);
  if (!collapse)
    return std::nullopt;
  for (auto [dim, group] :
       llvm::enumerate(collapse.getReassociationIndices())) {
    bool some = false, all = true;
    for (int64_t member : group) {
      bool carries = llvm::is_contained(channels.dims, member);
      some |= carries;
      all &= carries || collapse.getSrcType().getDimSize(member) == 1;
    }
    if (some && !all)
      return std::nullopt;
    if (!some)
      continue;
    result.dims.push_back(dim);
    result.sizes.push_back(collapse.getResultType().getDimSize(dim));
  }
  return result;
}

AffineMap channelMap(MLIRContext *context, int64_t rank,
                     const OutputChannels &channels) {
  SmallVector<AffineExpr> dims;
  for (int64_t dim : channels.dims)
    dims.push_back(getAffineDimExpr(dim, context));
  return AffineMap::get(rank, 0, dims, context);
}

linalg::GenericOp addPerChannel(OpBuilder &builder, Location loc, Value x,
                                const OutputChannels &channels,
                                ArrayRef<float> values) {
  HostTensor tensor = HostTensor::of<float>(
      DType::F32, {channels.sizes.begin(), channels.sizes.end()}, values.vec());
  Value bias = makeConstant(
      builder, loc, RankedTensorType::get(channels.sizes, builder.getF32Type()),
      "bias", tensor);
  auto type = cast<RankedTensorType>(x.getType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  Value init = makeEmptyLike(builder, loc, x, type.getElementType());
  return linalg::GenericOp::create(
      builder, loc, TypeRange{type}, ValueRange{x, bias}, ValueRange{init},
      ArrayRef<AffineMap>{
          identity, channelMap(builder.getContext(), type.getRank(), channels),
          identity},
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel),
      [](OpBuilder &builder, Location loc, ValueRange args) {
        Value sum = arith::AddFOp::create(builder, loc, args[0], args[1]);
        linalg::YieldOp::create(builder, loc, sum);
      });
}

} // namespace qdialect
