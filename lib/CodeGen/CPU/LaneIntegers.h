// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The set of operations of Numerics/IntegerSequences.h that emits vector code:
// on 16 lanes, or on the scalars that a row has once.

#ifndef QDIALECT_LIB_CODEGEN_CPU_LANEINTEGERS_H
#define QDIALECT_LIB_CODEGEN_CPU_LANEINTEGERS_H

#include "WideLanes.h"
#include "llvm/ADT/DenseMap.h"

namespace qdialect::cpu {

/// A scalar of 32 or 64 bits, or 16 lanes.
struct LaneNumber {
  mlir::Value value;   ///< a scalar or vector<16xi32>
  Halves halves = {};  ///< lanes of 64 bits that need not fit 32
  bool isWide = false; ///< lanes count as 64-bit ones

  bool isVector() const {
    return halves || mlir::isa<mlir::VectorType>(value.getType());
  }
};

class LaneIntegers {
public:
  using Value = mlir::Value;

  explicit LaneIntegers(Emitter &e) : e(e) {}

  /// A table that lies at `pointer`. Small ones live in registers where the
  /// machine looks them up there.
  void addTable(const std::vector<int32_t> &numbers, Value pointer);
  /// All lanes of a scalar of 64 bits.
  LaneNumber ofRow(Value scalar, bool fitsWord);

  LaneNumber narrow(LaneNumber x);
  LaneNumber wide(LaneNumber x);
  LaneNumber number(LaneNumber x, int64_t n);
  LaneNumber add(LaneNumber x, LaneNumber y);
  LaneNumber sub(LaneNumber x, LaneNumber y);
  LaneNumber mul(LaneNumber x, LaneNumber y);
  LaneNumber min(LaneNumber x, LaneNumber y);
  LaneNumber max(LaneNumber x, LaneNumber y);
  LaneNumber div(LaneNumber x, LaneNumber y);
  LaneNumber shl(LaneNumber x, LaneNumber n);
  LaneNumber shr(LaneNumber x, LaneNumber n);
  LaneNumber upper(LaneNumber x, int64_t n);
  LaneNumber low(LaneNumber x);
  LaneNumber within(LaneNumber x, int64_t, int64_t) { return x; }
  LaneNumber table(const std::vector<int32_t> &numbers, LaneNumber index);
  LaneNumber bitLength(LaneNumber x);

private:
  struct Table {
    Value pointer;
    llvm::SmallVector<Value> registers;
  };

  Halves halvesOf(LaneNumber x);
  template <class Op>
  LaneNumber make(LaneNumber x, LaneNumber y);

  Emitter &e;
  llvm::DenseMap<const int32_t *, Table> tables;
};

/// Entry `index` of a table of 32 or 64 numbers in vector registers of 16; only
/// the lower bits of the index count. For AVX-512.
mlir::Value lookUpRegisters(Emitter &e, llvm::ArrayRef<mlir::Value> registers,
                            mlir::Value index);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_LANEINTEGERS_H
