// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The shape of a contraction, whatever its op is called. Every pass that treats
// layers (observers, weight quantization, integerization, kernel selection)
// asks this analysis and never an op name, so `linalg.matmul`, its transposed
// and batched forms, named convolutions of either layout and hand-written
// `linalg.generic`s are all the same to them.
//
// Loops are classified by the operands they index (A activation, W weight,
// C output):
//
//   in A     in W  in C   role
//   plain    -     yes    batch           rows of a matmul, N of a convolution
//   plain    yes   yes    depth           batch of a batch matmul, groups
//   -        yes   yes    outputChannel
//   plain    yes   -      inputChannel    the ordinary reduction
//   in sum   -     yes    outputImage     o of `o * stride + f * dilation`
//   in sum   yes   -      filterLoop      f of the same sum
//
// Example: `linalg.conv_2d_nhwc_hwcf` has loops (n, oh, ow, f, kh, kw, c):
// batch = [0], outputImage = [1, 2], outputChannel = [3], filterLoop = [4, 5],
// inputChannel = [6]; the weight's positions of its loops are f -> 3, kh -> 0,
// kw -> 1, c -> 2.

#ifndef QDIALECT_ANALYSIS_CONTRACTIONSTRUCTURE_H
#define QDIALECT_ANALYSIS_CONTRACTIONSTRUCTURE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/AffineMap.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <optional>

namespace qdialect {

struct ContractionStructure {
  enum class Kind {
    /// No filter loop: matmul, batch matmul, gemm.
    Matmul,
    /// Filter loops, no depth loop.
    Conv,
    /// Filter loops and depth, no input channel: each group has one channel.
    /// An outputChannel loop, if any, is the channel multiplier.
    Depthwise,
    /// Filter loops, depth and input channels: a grouped convolution.
    Grouped,
  };

  Kind kind = Kind::Matmul;

  /// Loop numbers by role. `outputImage[i]`, `filterLoop[i]`, `strides[i]` and
  /// `dilations[i]` belong together, in the order of the activation's
  /// dimensions. The others are in the order of the loops.
  llvm::SmallVector<unsigned, 2> batch, outputImage, outputChannel, filterLoop,
      inputChannel, depth;
  llvm::SmallVector<int64_t, 2> strides, dilations;

  /// Operand numbers of the op: {0, 1} in one order or the other. The weight is
  /// the operand that cannot have filter loops summed into its index; for a
  /// matmul the one computed from constants alone, else operand 1.
  unsigned activationOperand = 0;
  unsigned weightOperand = 1;
  /// True when the weight is computed from constants alone (directly or
  /// through casts, reshapes and the like).
  bool weightIsConstant = false;

  /// What the payload subtracts from each code before it multiplies; only for
  /// Matmul, elsewhere zero points are folded into the init.
  int64_t activationZeroPoint = 0, weightZeroPoint = 0;

  mlir::AffineMap activationMap, weightMap, outputMap;
  /// Trip counts by loop; ShapedType::kDynamic where unknown.
  llvm::SmallVector<int64_t, 8> loopSizes;

  /// The dimension of the operand that `loop` indexes (alone or in a sum).
  std::optional<unsigned> activationDim(unsigned loop) const;
  std::optional<unsigned> weightDim(unsigned loop) const;
  std::optional<unsigned> outputDim(unsigned loop) const;

  bool isConvolution() const { return kind != Kind::Matmul; }

  /// Number of independent output channels: product of the sizes of the depth
  /// loops that the weight has and of outputChannel. Static sizes only.
  int64_t numOutputChannels() const;
  /// Products summed into one output element.
  int64_t reductionSize() const;
  /// Multiply-accumulates of the whole op; symbolic sizes count as 1.
  int64_t macs() const;
  /// True if every loop of the weight has a static size.
  bool hasStaticWeights() const;
};

/// The structure of `op`, or nothing when its payload is not
/// `out + (ext(a) - za) * (ext(b) - zb)` over two inputs, or its maps are
/// outside the table above (a loop in one input only and reduced, a strided
/// access without a filter loop, ...). Exactly two inputs and one output.
std::optional<ContractionStructure>
getContractionStructure(mlir::linalg::LinalgOp op);

/// True when `value` is a constant or computed from constants alone by ops
/// without side effects (a dequantized, transposed or reshaped weight).
bool isComputedFromConstants(mlir::Value value);

/// The name for messages and receipts: matmul, conv, depthwise, grouped.
llvm::StringRef stringify(ContractionStructure::Kind kind);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_CONTRACTIONSTRUCTURE_H
