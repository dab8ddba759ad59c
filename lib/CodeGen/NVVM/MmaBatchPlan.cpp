// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "mma_batch": products of two activations (attention) on tensor
// cores. Both sides are u8; what zero points take away is multiplied out, and
// the sums of rows and columns that this needs are products with ones.
// Sizes and steps may be symbolic: the kernel reads them.

#include "BatchMatmul.h"
#include "Families.h"
#include "KernelFunction.h"
#include "MmaDispatch.h"

#include <numeric>

using namespace mlir;

namespace qdialect::gpu {
namespace {

/// Offsets are computed in i32.
bool isSmall(Value tensor, SymbolicShapes *shapes) {
  constexpr int64_t kTooLarge = int64_t(1) << 31;
  if (!shapes)
    return cast<RankedTensorType>(tensor.getType()).getNumElements() <
           kTooLarge;
  SymbolicSizes &sizes = shapes->sizes;
  int64_t elements = sizes.product(shapes->shapeOf(tensor));
  return sizes.bounds(elements).high < kTooLarge;
}

/// A size of the table `from` in the table `to`, which has symbols of the same
/// names.
int64_t translated(int64_t size, const SymbolicSizes &from, SymbolicSizes &to) {
  if (!SymbolicSizes::isSymbolic(size))
    return size;
  auto atomIn = [&](const SymbolicSizes::Atom &atom) {
    if (atom.kind == SymbolicSizes::Atom::Symbol) {
      const SymbolicSizes::Symbol &symbol = from.symbols()[atom.symbol];
      return *to.divide(
          to.symbol(symbol.name, symbol.low, symbol.high, symbol.step),
          symbol.step);
    }
    int64_t lhs = translated(atom.lhs, from, to),
            rhs = translated(atom.rhs, from, to);
    switch (atom.kind) {
    case SymbolicSizes::Atom::FloorDiv:
      return to.floorDiv(lhs, rhs);
    case SymbolicSizes::Atom::Max:
      return to.max(lhs, rhs);
    case SymbolicSizes::Atom::Min:
      return to.min(lhs, rhs);
    default:
      return to.mul(lhs, rhs);
    }
  };
  int64_t sum = 0;
  for (const SymbolicSizes::Term &term : from.terms(size)) {
    int64_t product = term.factor;
    for (unsigned atom : term.atoms)
      product = to.mul(product, atomIn(from.atom(atom)));
    sum = to.add(sum, product);
  }
  return sum;
}

MmaGeometry geometryOf(const cpu::BatchMatmulGeometry &b,
                       const cpu::KernelRegion &region) {
  auto alignmentOf = [&](unsigned argument) {
    return tensorAlignment(region.body().getArgument(argument).getType());
  };
  MmaGeometry g;
  g.sizes = b.shapes ? &b.shapes->sizes : nullptr;
  g.run = b.depth.size;
  g.window.inputOffset = b.lhs.offset;
  g.window.pixels.push_back({b.rows.size, b.rows.lhs, -1});
  g.columns = b.columns.size;
  g.alignment = alignmentOf(b.lhs.argument);
  g.isUnsigned = true; // offset binary
  g.right.emplace();
  g.right->alignment = alignmentOf(b.rhs.argument);
  g.right->sizes = g.sizes;
  g.right->run = g.run;
  g.right->runStep = b.depth.rhs;
  g.right->window.inputOffset = b.rhs.offset;
  g.right->window.pixels.push_back({b.columns.size, b.columns.rhs, -1});
  for (const cpu::BatchMatmulGeometry::Loop &loop : b.problems) {
    g.problems.push_back({loop.size, loop.lhs, loop.rhs});
    g.groupStep = std::gcd(g.groupStep, g.factorOf(loop.lhs));
    g.right->groupStep = std::gcd(g.right->groupStep, g.factorOf(loop.rhs));
  }
  g.groups = b.numProblems();
  g.leftZero = b.lhsZeroPoint + 128;
  g.rightZero = b.rhsZeroPoint + 128;
  g.init = static_cast<int64_t>(b.init);
  return g;
}

class BatchMmaPlan : public MmaDispatchPlan {
public:
  BatchMmaPlan(const cpu::KernelRegion &source, cpu::BatchMatmulGeometry batch,
               MmaGeometry geometry)
      : region(source), batch(std::move(batch)), g(std::move(geometry)),
        tile(g.chooseTile(MmaTile::kProcessors)) {}

  bool init() {
    std::optional<cpu::Epilogue> resolved =
        cpu::Epilogue::create(region, constants, g.columns);
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    epilogue.rootRange = batch.sumRange();
    family = "mma_batch";
    if (g.sizes && !countSymbolicBlocks())
      return false;
    if (!g.sizes)
      numTasks = g.blocks(tile);
    // Zero points are part of the code.
    keyText = family + " " + std::to_string(g.leftZero) + " " +
              std::to_string(g.rightZero) + " " + epilogue.key();
    return true;
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    MmaTile tile = tileOn(target);
    return {g.sizes ? 0 : g.blocks(tile), tile.threads(), 0};
  }

  std::string instruction(const GpuTarget &target) const override {
    return "mma.m16n8k32.u8.u8";
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override {
    MmaTile tile = tileOn(target);
    MmaDispatch dispatch{region, epilogue, constants.size(), tile.threads()};
    dispatch.emit(
        moduleBuilder, symbol,
        [&](WarpEmitter &e, ValueRange arguments, MmaDispatch::Store store) {
          MmaOperands operands{arguments[batch.lhs.argument],
                               arguments[batch.rhs.argument], Value(), Value(),
                               Value()};
          emitMmaKernel(e, g, tile, (symbol + "_stages").str(), operands,
                        store);
        },
        [&](WarpEmitter &e, const MmaSums &sums) {
          Value row = e.mul(sums.row, batch.rows.outRow), rest = sums.group;
          for (const auto &loop : llvm::reverse(batch.problems)) {
            row = e.add(row, e.mul(e.rem(rest, loop.size), loop.outRow));
            rest = e.div(rest, loop.size);
          }
          return std::pair{e.toI64(row), e.toI64(sums.column)};
        });
    return success();
  }

private:
  MmaTile chosenTile(const GpuTarget &target) const override { return tile; }
  /// False if they hang on what only the program computes.
  bool countSymbolicBlocks();

  cpu::KernelRegion region;
  cpu::BatchMatmulGeometry batch;
  MmaGeometry g;
  MmaTile tile;
  cpu::Epilogue epilogue;
};

bool BatchMmaPlan::countSymbolicBlocks() {
  int64_t blocks =
      g.sizes->product({g.rowBlocks(tile), g.columnBlocks(tile), g.groups});
  symbolicTasks = [blocks, shapes = region.shapes](SymbolicShapes &program) {
    return translated(blocks, shapes->sizes, program.sizes);
  };
  return !g.sizes->isComputed(blocks);
}

} // namespace

GpuPlanPtr planBatchMma(const cpu::KernelRegion &region) {
  std::optional<cpu::BatchMatmulGeometry> batch =
      cpu::BatchMatmulGeometry::create(region);
  auto fits = [&](Value tensor) {
    return isSmall(tensor, region.shapes.get());
  };
  if (!batch || batch->isFloat || !fits(region.result) ||
      !llvm::all_of(region.root->getOperands(), fits))
    return nullptr;
  MmaGeometry geometry = geometryOf(*batch, region);
  auto plan = std::make_unique<BatchMmaPlan>(region, std::move(*batch),
                                             std::move(geometry));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu
