// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Convolutions and matrix products as loop lists. All knowledge of layout is
// here; the kernel sees strides alone.
#include "QDialect/Numerics/ReferenceKernels.h"

#include <cassert>
#include <cstddef>

namespace qdialect {

static int64_t at(const std::vector<int64_t> &values, size_t i) {
  return values.empty() ? 1 : values[i];
}

std::vector<int64_t> ConvShape::outSpatial() const {
  std::vector<int64_t> result;
  for (size_t i = 0; i < kernel.size(); ++i) {
    int64_t room = inSpatial[i] - (kernel[i] - 1) * at(dilations, i) - 1;
    result.push_back(room < 0 ? 0 : room / at(strides, i) + 1);
  }
  return result;
}

int64_t ConvShape::macs() const {
  int64_t result = batch * outChannels * (inChannels / groups);
  for (int64_t size : outSpatial())
    result *= size;
  for (int64_t size : kernel)
    result *= size;
  return result;
}

std::vector<LoopDim> convLoops(const ConvShape &shape) {
  assert(shape.inChannels % shape.groups == 0 &&
         shape.outChannels % shape.groups == 0 && "groups divide the channels");
  size_t rank = shape.kernel.size();
  std::vector<int64_t> outSpatial = shape.outSpatial();
  int64_t groupIn = shape.inChannels / shape.groups;
  int64_t groupOut = shape.outChannels / shape.groups;

  // Row-major pitches from the innermost spatial dimension out.
  std::vector<LoopDim> image(rank), filter(rank);
  int64_t in = shape.inChannels, out = shape.outChannels;
  int64_t weight = groupIn * shape.outChannels;
  for (size_t i = rank; i-- > 0;) {
    image[i] = {outSpatial[i], at(shape.strides, i) * in, 0, out};
    filter[i] = {shape.kernel[i], at(shape.dilations, i) * in, weight, 0};
    in *= shape.inSpatial[i];
    out *= outSpatial[i];
    weight *= shape.kernel[i];
  }

  std::vector<LoopDim> loops;
  loops.push_back({shape.batch, in, 0, out});
  loops.push_back({shape.groups, groupIn, groupOut, groupOut});
  loops.insert(loops.end(), image.begin(), image.end());
  loops.push_back({groupOut, 0, 1, 1});
  loops.insert(loops.end(), filter.begin(), filter.end());
  loops.push_back({groupIn, 1, shape.outChannels, 0});
  return loops;
}

MatmulShape MatmulShape::dense(int64_t batch, int64_t m, int64_t n, int64_t k) {
  MatmulShape shape;
  shape.batch = batch;
  shape.m = m;
  shape.n = n;
  shape.k = k;
  shape.lhsBatch = m * k;
  shape.lhsRow = k;
  shape.rhsBatch = k * n;
  shape.rhsRow = n;
  shape.outBatch = m * n;
  shape.outRow = n;
  return shape;
}

std::vector<LoopDim> matmulLoops(const MatmulShape &shape) {
  return {{shape.batch, shape.lhsBatch, shape.rhsBatch, shape.outBatch},
          {shape.m, shape.lhsRow, 0, shape.outRow},
          {shape.n, 0, shape.rhsColumn, shape.outColumn},
          {shape.k, shape.lhsColumn, shape.rhsRow, 0}};
}

} // namespace qdialect
