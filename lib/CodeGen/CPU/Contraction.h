// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activation times constant weights: GEMM, GEMV, and 1-D and 2-D convolutions,
// in i8 x i8 -> i32 and f32. One description for all of them:
//
//   out[m][n] = init[n] + sum over taps t and k < run of row(m, t)[k] *
//   w[n][t][k]
//
// where row(m, t) is where the activations of pixel m and tap t start. A matrix
// product has one tap; a convolution has one a filter position, or one a filter
// row when a row's pixels are contiguous and narrow (3-channel images).

#ifndef QDIALECT_LIB_CODEGEN_CPU_CONTRACTION_H
#define QDIALECT_LIB_CODEGEN_CPU_CONTRACTION_H

#include "DotPolicy.h"
#include "KernelRegion.h"
#include "Payload.h"
#include "Window.h"

namespace qdialect::cpu {

struct ContractionGeometry : WindowGeometry {
  int64_t run = 1; ///< products of one tap
  int64_t groups = 1, groupStep = 0;
  int64_t groupChannels = 1; ///< output channels of a group
  /// Strides of the weight constant by role, in elements.
  int64_t weightOffset = 0, weightGroup = 0, weightChannel = 0, weightInput = 0;
  int64_t weightFilter[2] = {0, 0};
  std::optional<ConstantView> weights;
  int64_t inputChannels = 1;
  /// init[n], or one value for all channels.
  std::optional<ConstantView> init;
  int64_t initOffset = 0, initGroup = 0, initChannel = 0;

  int64_t numChannels() const { return groups * groupChannels; }
  /// K steps of a tap: four codes or one float each.
  int64_t stepsPerTap() const { return isFloat ? run : (run + 3) / 4; }

  /// Panels of 64 channels, the last of a group possibly narrower.
  int64_t panelsPerGroup() const { return (groupChannels + 63) / 64; }
  int64_t lastPanelChannels() const {
    return groupChannels - 64 * (panelsPerGroup() - 1);
  }
  /// Bytes of one k step of a full panel (also of 64 channels in general).
  static constexpr int64_t kStepBytes = 256;
  int64_t stepBytes(int64_t vectors) const { return 64 * vectors; }
  int64_t groupBytes() const;

  /// Reads the geometry off the region's root; nothing if it does not fit.
  static std::optional<ContractionGeometry> create(const KernelRegion &region);
};

/// Packed weights, per-channel starts (init - 128 * sum(w) for codes), and the
/// row of padding, in the order of the kernel's constants.
std::vector<ConstantBlob> packContraction(const ContractionGeometry &geometry);

/// Bounds of the accumulators over all inputs.
std::optional<Interval> accumulatorRange(const ContractionGeometry &geometry);

/// How the work is cut: tasks are pixel chunks times groups of panels.
struct ContractionTasks {
  int64_t chunks = 1;
  int64_t panelGroups = 1;
  int64_t maxChunkRows = 1;

  static ContractionTasks choose(const ContractionGeometry &geometry);
  int64_t total() const { return chunks * panelGroups; }
};

/// Emits the private function for tiles of `rows` x `vectors`:
///   (args, rows, weights, pixel, channel): rows is a table of row pointers
/// [tap][tableStride], or the first row itself when the geometry is strided.
struct MicroKernel {
  int64_t rows, vectors;
  int64_t panelVectors; ///< width of the panel in the packed image
  int64_t channels;     ///< of vectors * 16 that exist
};
mlir::LLVM::LLVMFuncOp
emitMicroKernel(mlir::OpBuilder &moduleBuilder, const CpuTarget &target,
                llvm::StringRef name, const ContractionGeometry &geometry,
                const Epilogue &epilogue, MicroKernel shape,
                int64_t tableStride, unsigned firstConstant);

/// Emits the kernel proper: tasks, row pointers, tiles.
void emitContractionDriver(mlir::OpBuilder &moduleBuilder,
                           const CpuTarget &target, llvm::StringRef symbol,
                           const ContractionGeometry &geometry,
                           const ContractionTasks &tasks,
                           const Epilogue &epilogue, unsigned firstConstant);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_CONTRACTION_H
