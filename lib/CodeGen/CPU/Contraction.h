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

#include "CodeImage.h"
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
  /// How the codes of the weights lie in the packed image.
  CodeImage image;

  int64_t numChannels() const { return groups * groupChannels; }
  /// K steps of a tap: four codes or one float each.
  int64_t stepsPerTap() const { return isFloat ? run : (run + 3) / 4; }
  /// Rows of the image of a tap: the k steps that share their bytes.
  int64_t rowsPerTap() const {
    return (stepsPerTap() + image.perByte() - 1) / image.perByte();
  }

  /// Panels of 64 channels, the last of a group possibly narrower.
  int64_t panelsPerGroup() const { return (groupChannels + 63) / 64; }
  int64_t lastPanelChannels() const {
    return groupChannels - 64 * (panelsPerGroup() - 1);
  }
  /// Bytes of one row of the image of a full panel (also of 64 channels in
  /// general).
  static constexpr int64_t kRowBytes = 256;
  int64_t rowBytes(int64_t vectors) const { return 64 * vectors; }
  int64_t groupBytes() const;

  /// Reads the geometry off the region's root; nothing if it does not fit.
  static std::optional<ContractionGeometry> create(const KernelRegion &region);

  /// Offset in the weight constant of the first product of tap `tap` for
  /// channel `n` of group `group`, and from there to product `k` of the run.
  int64_t weightBase(int64_t group, int64_t n, int64_t tap) const;
  int64_t weightInRun(int64_t k) const;
  /// What the accumulator of channel `n`, of these codes, starts from where
  /// activations are read as code + 128.
  int32_t codeStart(int64_t n, const ChannelCodes &codes) const;

  /// The codes of each channel, in one sweep over the weights.
  std::vector<ChannelCodes> channelCodes() const;
  /// The kernel's constants by number, after the weights and the starts.
  unsigned paddingConstant() const { return 2; }
  unsigned basesConstant() const { return padded() ? 3 : 2; }
};

/// Packed weights, per-channel starts (init - 128 * sum(w) for codes), the
/// row of padding if there is any, and the bases of the image's channels (the
/// byte four times) if they differ, in the order of the kernel's constants.
std::vector<ConstantBlob> packContraction(const ContractionGeometry &geometry);

/// Bounds of the accumulators over all inputs.
std::optional<Interval> accumulatorRange(const ContractionGeometry &geometry,
                                         llvm::ArrayRef<ChannelCodes> channels);

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
  int64_t panelVectors; ///< width of the panel in the image that is read
  int64_t channels;     ///< of vectors * 16 that exist
  bool isPacked;        ///< unpacks the codes in registers
};
mlir::LLVM::LLVMFuncOp
emitMicroKernel(mlir::OpBuilder &moduleBuilder, const CpuTarget &target,
                llvm::StringRef name, const ContractionGeometry &geometry,
                const Epilogue &epilogue, MicroKernel shape,
                int64_t tableStride, unsigned firstConstant);

/// The largest tile for a panel, for `rows` rows. Sets `isPacked` where the
/// tile had better unpack the codes itself: where so few rows share a panel
/// that writing its codes out as bytes first would cost more.
TileShape contractionTile(const CpuTarget &target,
                          const ContractionGeometry &geometry,
                          int64_t panelVectors, int64_t rows, bool &isPacked);

/// Emits the private function that writes the codes of `vectors` vectors of a
/// panel as bytes, as an image of its own of that width:
///   (args, weights, channel, out)
mlir::LLVM::LLVMFuncOp
emitPanelUnpacking(mlir::OpBuilder &moduleBuilder, mlir::Location loc,
                   const CpuTarget &target, llvm::StringRef name,
                   const ContractionGeometry &geometry, int64_t vectors,
                   int64_t panelVectors, unsigned firstConstant);

/// What it writes.
int64_t unpackedBytes(const ContractionGeometry &geometry, int64_t vectors);

/// Whether there is room for what it writes of a whole panel, if anything.
bool mayUnpackPanel(const ContractionGeometry &geometry);

/// Emits the kernel proper: tasks, row pointers, tiles.
void emitContractionDriver(mlir::OpBuilder &moduleBuilder,
                           const CpuTarget &target, llvm::StringRef symbol,
                           const ContractionGeometry &geometry,
                           const ContractionTasks &tasks,
                           const Epilogue &epilogue, unsigned firstConstant);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_CONTRACTION_H
