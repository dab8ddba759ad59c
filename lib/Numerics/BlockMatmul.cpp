// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row by row and block by block, a row of accumulators at a time.
#include "QDialect/Numerics/BlockMatmul.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace qdialect {

template <typename Real>
void blockMatmul(const BlockMatmulShape &shape, const int8_t *lhs,
                 const Real *lhsScale, const int16_t *rhs, const Real *rhsScale,
                 const int32_t *zero, Real *out) {
  int64_t blocks = shape.numBlocks(), n = shape.n;
  std::vector<uint32_t> sums(n); // modulo 2^32, without signed overflow
  std::fill_n(out, shape.m * n, Real(0));
  for (int64_t row = 0; row < shape.m; ++row, lhs += shape.k, out += n)
    for (int64_t b = 0; b < blocks; ++b) {
      std::fill(sums.begin(), sums.end(), 0);
      int64_t end = std::min(shape.k, (b + 1) * shape.block);
      const int32_t *zeros = zero ? zero + b * n : nullptr;
      for (int64_t k = b * shape.block; k < end; ++k) {
        auto x = static_cast<uint32_t>(static_cast<int32_t>(lhs[k]));
        const int16_t *codes = rhs + k * n;
        for (int64_t i = 0; i < n; ++i)
          sums[i] +=
              x * (static_cast<uint32_t>(static_cast<int32_t>(codes[i])) -
                   (zeros ? static_cast<uint32_t>(zeros[i]) : 0));
      }
      Real scale = lhsScale[shape.lhsScaleByBlock ? row * blocks + b : row];
      for (int64_t i = 0; i < n; ++i) {
        auto acc = static_cast<Real>(static_cast<int32_t>(sums[i]));
        out[i] = std::fma(acc, scale * rhsScale[b * n + i], out[i]);
      }
    }
}

template void blockMatmul(const BlockMatmulShape &, const int8_t *,
                          const float *, const int16_t *, const float *,
                          const int32_t *, float *);
template void blockMatmul(const BlockMatmulShape &, const int8_t *,
                          const double *, const int16_t *, const double *,
                          const int32_t *, double *);

} // namespace qdialect
