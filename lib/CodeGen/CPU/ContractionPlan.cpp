// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "contraction": puts geometry, packing and emission together.

#include "Families.h"
#include "MatrixTiles.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class ContractionPlan : public CpuKernelPlan {
public:
  ContractionPlan(const KernelRegion &source, ContractionGeometry geometry)
      : region(source), geometry(std::move(geometry)),
        tasks(ContractionTasks::choose(this->geometry)) {}

  bool init() {
    std::optional<Interval> range;
    if (!geometry.isFloat) {
      std::vector<ChannelCodes> channels = geometry.channelCodes();
      range = accumulatorRange(geometry, channels);
      geometry.image = CodeImage::choose(channels, range);
      weightBits = geometry.image.bits;
    } else {
      weightBits = 32;
    }
    constants = packContraction(geometry);
    std::optional<Epilogue> resolved =
        Epilogue::create(region, constants, geometry.numChannels());
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    epilogue.rootRange = range;
    family = "contraction";
    numTasks = tasks.total();
    keyText = family + geometry.image.key() + epilogue.key();
    return true;
  }

  std::string instruction(const CpuTarget &target) const override {
    if (usesTiles(target))
      return "tdpbusd";
    return dotInstruction(target, geometry.isFloat, geometry.image.isNarrow);
  }

  bool usesTiles(const CpuTarget &target) const override {
    return MatrixTiling::choose(target, geometry, tasks).has_value();
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override {
    emitContractionDriver(moduleBuilder, target, symbol, geometry, tasks,
                          epilogue, region.numInputs() + 1);
    return success();
  }

private:
  KernelRegion region;
  ContractionGeometry geometry;
  ContractionTasks tasks;
  Epilogue epilogue;
};

} // namespace

PlanPtr planContraction(const KernelRegion &region) {
  std::optional<ContractionGeometry> geometry =
      ContractionGeometry::create(region);
  if (!geometry)
    return nullptr;
  auto plan = std::make_unique<ContractionPlan>(region, std::move(*geometry));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
