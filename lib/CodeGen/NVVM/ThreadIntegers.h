// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The set of operations of Numerics/IntegerSequences.h that emits scalar code
// for a thread.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_THREADINTEGERS_H
#define QDIALECT_LIB_CODEGEN_NVVM_THREADINTEGERS_H

#include "WarpEmitter.h"
#include "llvm/ADT/DenseMap.h"

namespace qdialect::gpu {

class ThreadIntegers {
public:
  using Value = mlir::Value;

  explicit ThreadIntegers(WarpEmitter &e) : e(e) {}

  /// A table that lies at `pointer`.
  void addTable(const std::vector<int32_t> &numbers, Value pointer) {
    tables[numbers.data()] = pointer;
  }

  Value narrow(Value x);
  Value wide(Value x);
  Value number(Value x, int64_t n) { return e.constantOf(x.getType(), n); }
  Value add(Value x, Value y) { return e.add(x, y); }
  Value sub(Value x, Value y) { return e.sub(x, y); }
  Value mul(Value x, Value y) { return e.mul(x, y); }
  Value min(Value x, Value y) { return e.min(x, y); }
  Value max(Value x, Value y) { return e.max(x, y); }
  Value div(Value x, Value y);
  Value shl(Value x, Value n) { return e.shiftLeft(x, n); }
  Value shr(Value x, Value n);
  Value upper(Value x, int64_t n) { return narrow(shr(x, number(x, n))); }
  Value low(Value x) { return x; }
  Value within(Value x, int64_t, int64_t) { return x; }
  Value table(const std::vector<int32_t> &numbers, Value index);
  Value bitLength(Value x);

private:
  WarpEmitter &e;
  llvm::DenseMap<const int32_t *, Value> tables;
};

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_THREADINTEGERS_H
