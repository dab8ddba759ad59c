// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/Support/PermuteTensor.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

using namespace llvm;

namespace qdialect {

/// Copies element by element of `Word`, innermost result dimension last.
template <class Word>
static void copyPermuted(const char *source, char *target,
                         ArrayRef<int64_t> shape, ArrayRef<int64_t> strides) {
  const Word *from = reinterpret_cast<const Word *>(source);
  Word *to = reinterpret_cast<Word *>(target);
  int64_t inner = shape.empty() ? 1 : shape.back();
  int64_t step = shape.empty() ? 0 : strides.back();
  SmallVector<int64_t, 6> index(shape.size(), 0);
  int64_t rows = 1;
  for (int64_t size : shape.drop_back(shape.empty() ? 0 : 1))
    rows *= size;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t base = 0;
    for (size_t d = 0; d + 1 < shape.size(); ++d)
      base += index[d] * strides[d];
    for (int64_t i = 0; i < inner; ++i)
      *to++ = from[base + i * step];
    for (int64_t d = static_cast<int64_t>(shape.size()) - 2; d >= 0; --d) {
      if (++index[d] < shape[d])
        break;
      index[d] = 0;
    }
  }
}

HostTensor permuteTensor(const HostTensor &tensor,
                         ArrayRef<int64_t> permutation) {
  const std::vector<int64_t> &shape = tensor.shape();
  SmallVector<int64_t, 6> strides(shape.size(), 1);
  for (int64_t d = static_cast<int64_t>(shape.size()) - 2; d >= 0; --d)
    strides[d] = strides[d + 1] * shape[d + 1];
  std::vector<int64_t> newShape;
  SmallVector<int64_t, 6> newStrides;
  bool moves = false;
  for (auto [position, source] : enumerate(permutation)) {
    newShape.push_back(shape[source]);
    newStrides.push_back(strides[source]);
    moves |= static_cast<int64_t>(position) != source;
  }
  if (!moves)
    return tensor;
  HostTensor result(tensor.type(), newShape);
  if (result.size() == 0)
    return result;
  switch (byteWidth(tensor.type())) {
  case 1:
    copyPermuted<uint8_t>(tensor.bytes(), result.mutableBytes(), newShape,
                          newStrides);
    break;
  case 2:
    copyPermuted<uint16_t>(tensor.bytes(), result.mutableBytes(), newShape,
                           newStrides);
    break;
  case 4:
    copyPermuted<uint32_t>(tensor.bytes(), result.mutableBytes(), newShape,
                           newStrides);
    break;
  default:
    copyPermuted<uint64_t>(tensor.bytes(), result.mutableBytes(), newShape,
                           newStrides);
  }
  return result;
}

} // namespace qdialect
