// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The verifier of discardable attributes: what passes compute with must hold
// for modules that somebody wrote by hand, too.

#include "QDialect/IR/QDDialect.h"

using namespace mlir;
using namespace qdialect::qd;

static LogicalResult verifyBounds(Operation *op, NamedAttribute size) {
  auto error = [&] {
    return op->emitOpError("qd.dim_bounds of '") << size.getName().strref();
  };
  // dim_bounds_c1
  auto numbers = dyn_cast<DenseI64ArrayAttr>(size.getValue());
  if (!numbers || (numbers.size() != 2 && numbers.size() != 3))
    return error() << "' are " << size.getValue()
                   << ", not two or three i64 numbers";
  // dim_bounds_c2
  int64_t low = numbers[0], high = numbers[1];
  if (low < 0 || low > high)
    return error() << "' are " << low << " to " << high << ", which is no range"
                   << " of sizes";
  // dim_bounds_c3
  int64_t step = numbers.size() == 3 ? numbers[2] : 1;
  if (step < 1)
    return error() << "' have the step " << step << ", which is not positive";
  if (low % step != 0 || high % step != 0)
    return error() << "' are " << low << " to " << high
                   << ", not multiples of the step " << step;
  return success();
}

LogicalResult QDDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attribute) {
  if (attribute.getName() != "qd.dim_bounds")
    return success();
  // dim_bounds_c1
  auto bounds = dyn_cast<DictionaryAttr>(attribute.getValue());
  if (!bounds)
    return op->emitOpError("qd.dim_bounds is ")
           << attribute.getValue() << ", not a dictionary";
  for (NamedAttribute size : bounds)
    if (failed(verifyBounds(op, size)))
      return failure();
  return success();
}
