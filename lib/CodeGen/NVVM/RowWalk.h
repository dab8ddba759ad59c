// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the threads of a block walk rows. A short row belongs to half a warp: its
// sixteen threads are the sixteen lanes of Numerics/Reductions.h, so the sum of
// floats is one chain of additions a thread and four shuffles. A long row
// belongs to a block: all threads compute what is added, piece by piece into
// shared memory, and one half of a warp adds it in the order of the contract.
// What has one value in any order is combined by all threads.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_ROWWALK_H
#define QDIALECT_LIB_CODEGEN_NVVM_ROWWALK_H

#include "WarpEmitter.h"

namespace qdialect::gpu {

/// Rows of equal length and the threads that walk them.
struct RowShape {
  /// `keeps`: an element of 32 bits for each of the row outlives a pass;
  /// `ordered`: there are orderedSums.
  RowShape(int64_t rows, int64_t length, bool keeps, bool ordered);

  int64_t rows, length; ///< isSymbolic: the most that the length can be
  bool isBlock;         ///< of a row
  /// Both are known when the kernel runs.
  bool isSymbolic = false;
  /// Elements of the row that have room in shared memory at a time; less than
  /// the row only where the row is long.
  int64_t piece = 0;

  int64_t threads() const { return isBlock ? 256 : 128; } ///< of a block
  int64_t rowThreads() const { return isBlock ? 256 : 16; }
  int64_t rowsOfBlock() const { return threads() / rowThreads(); }
  int64_t blocks() const { return (rows + rowsOfBlock() - 1) / rowsOfBlock(); }
  /// Elements that a thread takes side by side where the order is free.
  int64_t neighbours() const { return !isSymbolic && length % 4 == 0 ? 4 : 1; }
  bool keepsRow() const { return piece >= length; }
  /// 32-bit words between the kept rows of a block.
  int64_t keptStride() const;
  int64_t sharedBytes() const;
};

/// An element of the row, on each thread its own; of type index. Behind the
/// row's end `column` is some element of it and `place` is not.
struct RowColumn {
  mlir::Value column;
  mlir::Value place;
  mlir::Value exists; ///< null: everywhere
};

class RowWalk {
public:
  using Value = mlir::Value;
  using Element = llvm::function_ref<Value(const RowColumn &)>;
  using Combine = llvm::function_ref<Value(Value, Value)>;

  /// `symbol` names the shared memory; `rows` and `length` are those of a
  /// symbolic shape, of type index.
  RowWalk(WarpEmitter &e, const RowShape &shape, llvm::StringRef symbol,
          Value rows = {}, Value length = {});

  /// The thread's row, of type index. Threads without one compute the last row
  /// and store nothing.
  Value row() const { return number; }
  int64_t length() const { return shape.length; }
  bool keepsRow() const { return shape.keepsRow(); }

  /// The sum of f32 elements in the order of Numerics/Reductions.h. `keeps`:
  /// they can be asked for again by `kept` where the shape keepsRow.
  Value orderedSum(Element element, bool keeps);
  /// combine(...) of all elements in any order; `neutral` changes nothing. One
  /// value of 32 or 64 bits on all threads of the row.
  Value combineAll(Value neutral, Element element, Combine combine);
  /// An element for each thread's own use: combineAll and forEach visit the
  /// same places.
  void keep(const RowColumn &at, Value element);
  Value kept(mlir::Type type, const RowColumn &at);
  /// The last pass, where there are row and element. All neighbours are
  /// computed before one is stored, so that they are read together.
  void forEach(Element element,
               llvm::function_ref<void(const RowColumn &, Value)> store);

private:
  Value index(int64_t number);
  Value slot(Value place);
  Value onlyExisting(Value element, const RowColumn &at, Value other);
  /// `body(neighbours, carried)` over the row, `neighbours` elements a thread
  /// and step, from `first` to `last` of it (to its end where the length is
  /// symbolic). All neighbours exist, or none.
  Value walk(Value init, int64_t neighbours, int64_t first, int64_t last,
             llvm::function_ref<Value(llvm::ArrayRef<RowColumn>, Value)> body);
  /// combine over the threads that differ in one bit, from the highest.
  Value acrossLanes(Value value, int64_t lanes, Combine combine);
  Value shuffle(Value value, int64_t distance);
  Value sumOfHalfWarp(Element element, bool keeps);
  Value sumOfBlock(Element element);
  /// The value of thread 0.
  Value ofFirstThread(Value value);

  WarpEmitter &e;
  const RowShape &shape;
  Value end;          ///< of a row of symbolic length
  Value thread, lane; ///< of the block, i32; of the row, index
  Value number, rowExists;
  Value scratch;  ///< kept elements of the row, or a piece
  Value exchange; ///< a word or two of each warp
};

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_ROWWALK_H
