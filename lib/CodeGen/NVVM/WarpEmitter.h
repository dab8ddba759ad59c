// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An op builder with the words that kernels of warps are written in: 32-bit
// arithmetic that folds, pointers of global (1) and shared (3) memory,
// asynchronous copies, matrix fragments.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_WARPEMITTER_H
#define QDIALECT_LIB_CODEGEN_NVVM_WARPEMITTER_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <functional>

namespace qdialect::gpu {

class WarpEmitter : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<Value>;

  WarpEmitter(mlir::Location loc, mlir::OpBuilder &builder)
      : ImplicitLocOpBuilder(loc, builder) {}

  /// Says what symbolic sizes are, i64: wherever a number is expected, their
  /// handles may stand, too.
  void bindSizes(std::function<Value(int64_t)> valueOf) {
    sizes = std::move(valueOf);
  }

  Value constant(int64_t value) { return constantOf(getI32Type(), value); }
  Value constantOf(mlir::Type type, int64_t value);

  // Arithmetic on i32 and i64; an int64_t becomes a constant of the other
  // operand's type.
  Value add(Value a, Value b);
  Value add(Value a, int64_t b) { return add(a, like(a, b)); }
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value mul(Value a, int64_t b) { return mul(a, like(a, b)); }
  Value div(Value a, int64_t b);
  Value rem(Value a, int64_t b);
  Value andBits(Value a, int64_t b);
  Value orBits(Value a, Value b);
  Value xorBits(Value a, Value b);
  Value shiftLeft(Value a, Value b);
  Value shiftRight(Value a, Value b);
  Value shiftRight(Value a, int64_t b) { return shiftRight(a, like(a, b)); }
  Value min(Value a, Value b);
  Value max(Value a, Value b);
  Value isLess(Value a, Value b);         ///< signed
  Value isLessUnsigned(Value a, Value b); ///< unsigned
  Value select(Value condition, Value a, Value b);
  /// lop3: bit (a, b, c) of `table` for each bit of a, b and c.
  Value logic(Value a, int64_t b, Value c, int64_t table);
  Value logic(Value a, int64_t b, int64_t c, int64_t table) {
    return logic(a, b, constant(c), table);
  }
  /// prmt: byte i of the result is byte `selector` >> 4 * i of a, then b.
  Value permute(Value a, Value b, int64_t selector);
  /// dp4a: sum + the four products of unsigned bytes of a and signed ones of b.
  Value dot(Value a, Value b, Value sum);
  /// The same bits.
  Value bits(mlir::Type type, Value value);
  Value toI64(Value unsignedI32);
  Value toI32(Value unsignedI8);

  Value threadId();
  Value blockId();

  // Memory; offsets in bytes.
  Value at(Value pointer, Value offset);
  Value at(Value pointer, int64_t offset);
  Value load(mlir::Type type, Value pointer, unsigned alignment);
  void store(Value value, Value pointer, unsigned alignment);
  /// Uninitialized shared memory of the block, as an internal global of the
  /// module around the insertion point.
  Value shared(llvm::StringRef name, int64_t bytes);

  /// cp.async of 4, 8 or 16 bytes, of which `size` (i32; null: all) are read
  /// and the rest are zeros.
  void copyAsync(Value to, Value from, int64_t bytes, Value size = {});
  void commitCopies();
  /// Until at most `groups` of the committed groups are on their way.
  void waitCopies(int64_t groups);
  void barrier();

  /// Four 8 x 8 matrices of 16 bits (8 x 16 bytes): lane l points to row l % 8
  /// of matrix l / 8.
  Values loadMatrices(Value rows);
  /// 16 x 8 sums of products over 32 bytes, or over 16 where `b` is one
  /// register, wrapped: c + a * b.
  Values multiply(mlir::ValueRange a, mlir::ValueRange b, mlir::ValueRange c,
                  bool isUnsignedA, bool isUnsignedB);

  /// c + the numbers of bits that are set in both sides, over 256 bits.
  Values multiplyBits(mlir::ValueRange a, mlir::ValueRange b,
                      mlir::ValueRange c);

  /// 16 x 8 sums of products over 16 f16 or bf16, pairs of them in i32, in f32.
  Values multiplyFloats(mlir::ValueRange a, mlir::ValueRange b,
                        mlir::ValueRange c, bool isHalf);

  /// The same over 32 minifloats, "e4m3" or "e5m2", from sm_89 on.
  Values multiplyMinifloats(mlir::ValueRange a, mlir::ValueRange b,
                            mlir::ValueRange c, llvm::StringRef typeA,
                            llvm::StringRef typeB);

  /// A counted loop over i32; `body` gets the counter and the carried values
  /// and returns the next ones. A negative count is none.
  Values loop(int64_t count, mlir::ValueRange init,
              llvm::function_ref<Values(Value, mlir::ValueRange)> body) {
    return loop(constant(count), init, body);
  }
  Values loop(Value count, mlir::ValueRange init,
              llvm::function_ref<Values(Value, mlir::ValueRange)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then);
  /// What `then` returns where the condition holds.
  Values choose(Value condition, llvm::function_ref<Values()> then,
                mlir::ValueRange otherwise);

private:
  Value like(Value a, int64_t b) { return constantOf(a.getType(), b); }

  std::function<Value(int64_t)> sizes;
};

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_WARPEMITTER_H
