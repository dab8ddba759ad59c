// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The power sequence evaluated on floats.
#include "QDialect/Numerics/FloatPower.h"

namespace qdialect {

float powF32(float x, float y) {
  ScalarOps o;
  return sequences::pow(o, x, y);
}

} // namespace qdialect
