// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Biases in steps of an accumulator; see the header.

#include "IntegerizeOffsets.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;

namespace qdialect {

/// Zero points beyond this are slow in kernels.
static constexpr double kLargestShift = 1 << 18;

double OffsetRounding::evenShift(double inOutput) {
  return 2 * std::nearbyint(inOutput / 2);
}

bool OffsetRounding::fitsShifted(double shift, double inOutput,
                                 double perStep) const {
  return std::fabs(shift) <= kLargestShift &&
         std::fabs((inOutput - shift) / perStep) <= largest / 2;
}

std::optional<Offsets>
OffsetRounding::round(IntegerizeContext &context, const Coefficient &exact,
                      const Coefficient &stepSize, ArrayRef<WeightSums> sums,
                      const Coefficient &channel, const CodeGrid &input,
                      const CodeGrid *output) const {
  Offsets result{exact, exact, exact.map([](double) { return 0; })};
  for (size_t i = 0; i < exact.values.size(); ++i) {
    double &steps = result.steps.values[i];
    double rounded = std::nearbyint(steps);
    const WeightSums &w = sums[static_cast<size_t>(channel.values[i])];
    double reach = input.range() * static_cast<double>(w.positive - w.negative);
    double step = std::fabs(stepSize.values[i]);
    if (std::fabs(rounded) > largest) {
      double inOutput = steps * stepSize.values[i];
      double shift = evenShift(inOutput);
      if (output && fitsShifted(shift, inOutput, stepSize.values[i])) {
        result.shift.values[i] = shift;
        steps -= shift / stepSize.values[i];
        rounded = std::nearbyint(steps);
      }
    }
    if (std::fabs(rounded) > largest) {
      if (!output || !((largest - reach) * step > 2 * (output->range() + 1)))
        return context.reason =
                   llvm::formatv("its bias is {0:e2} accumulator steps, which "
                                 "exceeds {1} bits",
                                 steps, std::ilogb(largest) + 2)
                       .str(),
               std::nullopt;
      rounded = std::copysign(largest, rounded);
      result.lost.values[i] = 0; // saturates the output either way
    } else {
      result.lost.values[i] = steps - rounded;
    }
    steps = rounded;
  }
  return result;
}

} // namespace qdialect
