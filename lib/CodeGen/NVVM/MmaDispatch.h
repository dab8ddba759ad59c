// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A dispatch whose root runs on tensor cores: its kernel, with the CPU's
// epilogue on the sums.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_MMADISPATCH_H
#define QDIALECT_LIB_CODEGEN_NVVM_MMADISPATCH_H

#include "KernelRegion.h"
#include "MmaKernel.h"
#include "QDialect/CodeGen/NVVM/GpuKernelPlan.h"
#include "llvm/ADT/StringMap.h"

namespace qdialect::gpu {

/// The plan of a product in tiles of mmaTiles().
class MmaDispatchPlan : public GpuKernelPlan {
public:
  bool useFewerRegisters(const GpuTarget &target) override;

protected:
  /// The tile that the geometry would have, and the one that it has.
  virtual MmaTile chosenTile(const GpuTarget &target) const = 0;
  MmaTile tileOn(const GpuTarget &target) const;

private:
  llvm::StringMap<MmaTile> smaller; ///< by target
};

struct MmaDispatch {
  using Store = llvm::function_ref<void(const MmaSums &)>;

  const cpu::KernelRegion &region;
  const cpu::Epilogue &epilogue;
  size_t numConstants;
  int64_t threads; ///< of a block
  /// The columns of the epilogue that lanes start at are multiples of it.
  int64_t columnStep = MmaTile::kLaneColumns;

  unsigned firstConstant() const { return region.numInputs() + 1; }

  /// Emits the kernel @symbol: `body` computes the sums from the kernel's
  /// arguments and hands them to the Store; `place` gives the row and the
  /// column of the epilogue, i64, at which sums stand.
  void
  emit(mlir::OpBuilder &moduleBuilder, llvm::StringRef symbol,
       llvm::function_ref<void(WarpEmitter &, mlir::ValueRange, Store)> body,
       llvm::function_ref<std::pair<mlir::Value, mlir::Value>(WarpEmitter &,
                                                              const MmaSums &)>
           place) const;
};

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_MMADISPATCH_H
