// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One loop over the mask, with room for all places behind their number:
//
//   found[0] = 0
//   for i in 0 .. N:  found[1 + found[0]] = i;  found[0] += mask[i]

#include "TruePlaces.h"
#include "Indexing.h"

using namespace mlir;

namespace qdialect::onnx_import {

Tensor truePlaces(GraphBuilder &b, const Tensor &mask, StringRef name) {
  int64_t size = mask.dim(0);
  Type i64 = b.builder.getI64Type();
  Value chosen = b.value(mask);
  Tensor start = b.tensor(b.filled({b.sizes.add(size, 1)}, i64, 0));
  Tensor found = updateInOrder(
      b, start, {size},
      [&](const Scalars &s, ArrayRef<Value> places, Value tensor) {
        Value zero = s.i64(0), count = s.read(tensor, {zero});
        // What is not chosen is written over by the next one.
        tensor = write(s, places[0], tensor, {s.add(count, s.i64(1))});
        Value one = s.cast(s.read(chosen, places), i64);
        return write(s, s.add(count, one), tensor, {zero});
      });
  Tensor count = b.reshape(b.sliceAxis(found, 0, 0, 1), {});
  return b.sliceAxis(found, 0, 1, b.dataSize(count, name, size));
}

} // namespace qdialect::onnx_import
