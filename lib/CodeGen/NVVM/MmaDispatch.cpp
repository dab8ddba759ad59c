// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Joins the words of warps with the CPU's emitter of payloads.

#include "MmaDispatch.h"

#include "KernelFunction.h"
#include "Payload.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::gpu {

MmaTile MmaDispatchPlan::tileOn(const GpuTarget &target) const {
  auto found = smaller.find(target.name);
  return found == smaller.end() ? chosenTile(target) : found->second;
}

bool MmaDispatchPlan::useFewerRegisters(const GpuTarget &target) {
  std::optional<MmaTile> tile = tileOn(target).withFewerSums();
  // The program counts the blocks of a symbolic grid.
  if (symbolicTasks)
    tile = tileOn(target).withMoreWarps();
  if (tile)
    smaller.insert_or_assign(target.name, *tile);
  return tile.has_value();
}

void MmaDispatch::emit(
    OpBuilder &moduleBuilder, StringRef symbol,
    function_ref<void(WarpEmitter &, ValueRange, Store)> body,
    function_ref<std::pair<Value, Value>(WarpEmitter &, const MmaSums &)> place)
    const {
  static const CpuTarget scalar{"ptx", CpuTarget::Scalar, "", ""};
  OpBuilder::InsertionGuard guard(moduleBuilder);
  WarpEmitter e(region.root->getLoc(), moduleBuilder);
  LLVM::LLVMFuncOp kernel = startKernel(
      e, symbol, firstConstant() + numConstants + (region.shapes ? 1 : 0),
      threads);
  markArguments(kernel, region.dispatch);
  cpu::Emitter lanes(e.getLoc(), e, scalar);
  Value arguments = argumentArray(lanes, kernel);
  lanes.bindSizes(region, arguments, numConstants);
  cpu::PayloadEmitter payload(lanes, epilogue, arguments);
  int64_t alignment = tensorAlignment(region.resultType());
  for (Value input : region.body().getArguments())
    if (!input.getType().isIndex())
      alignment = std::min(alignment, tensorAlignment(input.getType()));
  payload.promiseAlignment(alignment, columnStep);
  payload.begin();
  e.restoreInsertionPoint(lanes.saveInsertionPoint());
  e.bindSizes([&](int64_t size) {
    lanes.restoreInsertionPoint(e.saveInsertionPoint());
    return lanes.index(size);
  });
  body(e, kernel.getArguments(), [&](const MmaSums &sums) {
    WarpEmitter::Values ofLanes(sums.sums);
    Type type = ofLanes[0].getType();
    if (sums.sums.size() < cpu::Emitter::kLanes)
      ofLanes.resize(cpu::Emitter::kLanes,
                     arith::ConstantOp::create(e, e.getZeroAttr(type)));
    Value vector =
        vector::FromElementsOp::create(e, cpu::Emitter::vector(type), ofLanes);
    auto [row, column] = place(e, sums);
    lanes.restoreInsertionPoint(e.saveInsertionPoint());
    cpu::Position position = cpu::Position::at(lanes, epilogue, row, column);
    if (sums.left) {
      position.mask = lanes.prefixMask(sums.left);
      payload.store(payload.evaluate(position, cpu::Lanes::of(vector)),
                    position);
    } else {
      payload.storeRow(position, static_cast<int64_t>(sums.sums.size()),
                       [&](int64_t) { return cpu::Lanes::of(vector); });
    }
    e.restoreInsertionPoint(lanes.saveInsertionPoint());
  });
  LLVM::ReturnOp::create(e, ValueRange{});
}

} // namespace qdialect::gpu
