// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An op builder with the few words that kernels are written in: 64-bit index
// arithmetic that folds, raw pointers, vector loads and stores, counted loops.

#ifndef QDIALECT_LIB_CODEGEN_CPU_EMITTER_H
#define QDIALECT_LIB_CODEGEN_CPU_EMITTER_H

#include "QDialect/CodeGen/CPU/CpuTarget.h"
#include "QDialect/Support/SymbolicSizes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace qdialect::cpu {

struct KernelRegion;

class Emitter : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;

  /// Lanes of one logical vector. Every variant computes on 16 lanes of 32 bits
  /// and lets the code generator split what the machine has not.
  static constexpr int64_t kLanes = 16;

  Emitter(mlir::Location loc, mlir::OpBuilder &builder, const CpuTarget &target)
      : ImplicitLocOpBuilder(loc, builder), target(target) {}

  const CpuTarget &target;

  /// Reads the symbols of a kernel of symbolic sizes; must stand before the
  /// first use of a handle. `numConstants` of the plan lie in front of the
  /// sizes.
  void bindSizes(const KernelRegion &region, Value arguments,
                 size_t numConstants);
  /// The same from the address of the sizes.
  void bindSizes(const KernelRegion &region, Value sizes);

  // Types.
  mlir::Type i8() { return getI8Type(); }
  mlir::Type i32() { return getI32Type(); }
  mlir::Type i64() { return getI64Type(); }
  mlir::Type f32() { return getF32Type(); }
  mlir::Type ptr();
  static mlir::VectorType vector(mlir::Type element, int64_t lanes = kLanes) {
    return mlir::VectorType::get({lanes}, element);
  }

  // Constants. `splat` gives a vector when the type is one. An index may be a
  // handle of a symbolic size, here and wherever a function takes a number as
  // i64.
  Value index(int64_t value);
  Value constant(mlir::Type type, double value);
  Value constantInt(mlir::Type type, int64_t value);
  Value iota(mlir::Type element, int64_t lanes = kLanes);

  // i64 arithmetic, folded.
  Value add(Value a, Value b);
  Value add(Value a, int64_t b) { return add(a, index(b)); }
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value mul(Value a, int64_t b) { return mul(a, index(b)); }
  Value div(Value a, int64_t b);
  Value rem(Value a, int64_t b);
  Value min(Value a, Value b);
  Value less(Value a, Value b);

  // Memory; offsets in bytes.
  Value at(Value pointer, Value byteOffset);
  Value at(Value pointer, int64_t byteOffset);
  Value load(mlir::Type type, Value pointer, unsigned alignment = 1);
  void store(Value value, Value pointer, unsigned alignment = 1);
  Value maskedLoad(mlir::VectorType type, Value pointer, Value mask);
  void maskedStore(Value value, Value pointer, Value mask);
  /// `count` (static) leading lanes.
  Value prefixMask(int64_t count, int64_t lanes = kLanes);
  /// `count` (i64, dynamic) leading lanes; counts beyond the lanes mean all.
  Value prefixMask(Value count, int64_t lanes = kLanes);
  /// Element `position` of the kernel's argument array.
  Value argument(Value arguments, int64_t position);

  Value broadcast(Value scalar, mlir::VectorType type);
  Value intrinsic(llvm::StringRef name, mlir::Type result,
                  mlir::ValueRange args);
  /// An intrinsic without a result.
  void instruction(llvm::StringRef name, mlir::ValueRange args);
  Value bitcast(Value vector, mlir::VectorType type);
  /// Lanes [first, first + count) of a vector.
  Value slice(Value vector, int64_t first, int64_t count);
  Value concat(Value low, Value high);
  /// The lanes of two vectors in turns, of the lower or upper halves of each
  /// 128 bits: one instruction on x86-64.
  Value interleave(Value a, Value b, bool upper);

  /// A counted loop; `body` gets the counter and the carried values and returns
  /// the next ones. `keepRolled` stops LLVM from unrolling: unrolled K loops
  /// spill.
  using LoopBody =
      llvm::function_ref<llvm::SmallVector<Value>(Value, mlir::ValueRange)>;
  llvm::SmallVector<Value> loop(Value from, Value to, int64_t step,
                                mlir::ValueRange init, LoopBody body,
                                bool keepRolled = false);
  void loop(Value from, Value to, int64_t step,
            llvm::function_ref<void(Value)> body);
  /// `body(number, size, carried)` for each block of `block` of `depth`
  /// elements: the whole ones in a loop that stays rolled, a short last one
  /// behind it.
  using BlockBody = llvm::function_ref<llvm::SmallVector<Value>(
      Value, int64_t, mlir::ValueRange)>;
  llvm::SmallVector<Value> loopBlocks(int64_t depth, int64_t block,
                                      mlir::ValueRange init, BlockBody body);
  void ifThen(Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise = nullptr);

  /// Starts an llvm.func at the end of the module with the target's features
  /// and moves the insertion point into its empty entry block.
  mlir::LLVM::LLVMFuncOp startFunction(llvm::StringRef name,
                                       llvm::ArrayRef<mlir::Type> arguments,
                                       bool internal);
  void ret();
  void call(mlir::LLVM::LLVMFuncOp callee, mlir::ValueRange arguments);

private:
  Value symbolic(int64_t size);

  const SymbolicSizes *table = nullptr;
  llvm::SmallVector<Value> symbols;
};

/// Bytes of one element of a tensor in a compiled program's memory.
int64_t elementBytes(mlir::Type element);

/// True for the codes that lie in memory in offset binary.
bool isOffsetBinary(mlir::Type element);

/// Gives a function the features and the tuning of a variant.
void setFunctionTarget(mlir::LLVM::LLVMFuncOp func, const CpuTarget &target);

/// Loop attribute that keeps a loop rolled.
mlir::Attribute keepRolledAttr(mlir::MLIRContext *context);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_EMITTER_H
