// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the kernels of row functions share: contiguous rows, each walked several
// times by vectors, the last pass with the element-wise steps on its lanes.
// Rows may have a symbolic length.

#ifndef QDIALECT_LIB_CODEGEN_CPU_ROW_H
#define QDIALECT_LIB_CODEGEN_CPU_ROW_H

#include "Families.h"
#include "Payload.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace qdialect::cpu {

class RowEmitter;

class RowPlan : public CpuKernelPlan {
public:
  explicit RowPlan(const KernelRegion &source) : region(source) {
    family = "row";
  }
  mlir::LogicalResult emit(mlir::OpBuilder &moduleBuilder,
                           const CpuTarget &target,
                           llvm::StringRef symbol) final;

  bool hasKnownLength() const { return !SymbolicSizes::isSymbolic(length); }

  struct Source {
    unsigned argument = 0;
    int64_t offset = 0; ///< bytes
    mlir::Type element;
  };

  KernelRegion region;
  Epilogue epilogue;
  Source input;
  int64_t rows = 1, length = 1;

protected:
  virtual std::unique_ptr<RowEmitter> makeEmitter(Emitter &e,
                                                  mlir::Value args) = 0;

  /// A row-major input or a constant, in one piece; nothing for other views.
  std::optional<Source> resolve(mlir::Value value);
  /// The rows of the root's first operand, along the dimensions from `axis` on.
  bool initRows(int64_t axis);
  /// Position in `args` of a constant of the kernel.
  unsigned addConstant(ConstantBlob blob);
  /// Everything else. What the code depends on stands in the root's attributes
  /// and types, which are part of the key.
  bool initEpilogue();
};

/// Emits the passes over one row.
class RowEmitter {
public:
  using Value = mlir::Value;

  RowEmitter(Emitter &e, const RowPlan &plan, Value args);
  virtual ~RowEmitter();

  /// The whole of row `number`.
  virtual void row(Value number) = 0;

protected:
  static constexpr int64_t kLanes = Emitter::kLanes;
  using Step = llvm::function_ref<Value(Value element, Value mask, Value sum)>;

  Value pointer(const RowPlan::Source &source);
  /// carried = step(element, mask, carried) over the vectors of the row; the
  /// mask is null for whole vectors.
  Value walk(Value init, Step step);
  /// Halves first, as the tree of Numerics/Reductions.h.
  template <class Op>
  Value tree(Value lanes, int64_t numLanes = kLanes) {
    for (int64_t half = numLanes / 2; half != 0; half /= 2)
      lanes =
          Op::create(e, e.slice(lanes, 0, half), e.slice(lanes, half, half));
    return mlir::vector::ExtractOp::create(e, lanes, int64_t(0));
  }
  Value load(mlir::VectorType type, Value from, Value element, Value mask);
  /// Lanes that do not exist are `other`.
  Value onlyExisting(Value lanes, Value mask, Value other);
  /// A row of 32-bit elements lives on the stack between the passes over it.
  void keep(Value lanes, Value element);
  Value kept(mlir::VectorType type, Value element);

  /// The last pass: four vectors at a time, so that codes are packed together.
  void finish(Value number);
  virtual Lanes result(Value element, Value mask) = 0;

  Emitter &e;
  const RowPlan &plan;
  Value args;

private:
  Value walkSymbolic(Value init, Step step);
  /// Multiples of `step` below the length.
  Value wholePart(int64_t step);

  PayloadEmitter payload;
  Value scratch;
};

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_ROW_H
