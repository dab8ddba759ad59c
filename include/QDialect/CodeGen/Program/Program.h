// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The plan of a whole program between the dispatches and the object files:
// which kernels there are, in which order they run, and where each tensor lies.
// It holds no code; EmitProgram.h turns it into LLVM IR.
//
// A size is a number, or a handle of Program::sizes where the program has
// symbolic dimensions. Such programs have no offsets here: the runtime places
// the buffers when it knows the numbers. Those whose size depends on data lie
// in arenas of their own, one for each size that the program computes.

#ifndef QDIALECT_CODEGEN_PROGRAM_PROGRAM_H
#define QDIALECT_CODEGEN_PROGRAM_PROGRAM_H

#include "QDialect/CodeGen/CPU/KernelPlan.h"
#include "QDialect/Support/HostTensor.h"
#include "QDialect/Support/SymbolicSizes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/SmallVector.h"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

/// One input or output of the model, as the C ABI names it.
struct ProgramTensor {
  std::string name;
  DType type = DType::F32;
  std::vector<int64_t> shape; ///< -1 for a symbolic size
  int64_t bytes = 0;          ///< 0 if one is
  std::vector<int64_t> sizes; ///< the shape with handles
  std::string codes; ///< "int4", "float8e4m3fn": what a byte means, if not
                     ///< what the type says
  /// Of an output whose size depends on data: where it lies.
  std::optional<unsigned> buffer;
};

/// One piece of memory; tensors that are views of each other share it.
struct ProgramBuffer {
  enum class Storage {
    Arena,    ///< `offset` in scratch memory number `index` of the instance
    Input,    ///< the caller's input number `index`
    Output,   ///< the caller's output number `index`
    Constant, ///< constant number `index`
    Growable, ///< the begin of arena number `index`, which a copy to it makes
              ///< as large as what it copies
    Row ///< of buffer `index`, at `offset` + `stride` * counter of `loop`,
        ///< a region
  };
  Storage storage = Storage::Arena;
  unsigned index = 0;
  int64_t bytes = 0;
  int64_t offset = 0; ///< of a row it may be symbolic, like the stride
  int64_t stride = 0;
  unsigned loop = 0;
  /// Steps that write and read it (Arena only).
  int64_t firstStep = 0;
  int64_t lastStep = 0;
};

/// One entry of the main function and of the profile.
struct ProgramStep {
  enum class Kind { Kernel, Copy, Size, Check };
  Kind kind = Kind::Kernel;
  std::string name;

  /// Kernel: `args` are the inputs and then the output, by buffer number.
  mlir::Operation *dispatch = nullptr;
  KernelPlan *plan = nullptr;
  unsigned kernel = 0;              ///< number in Program::kernels
  llvm::SmallVector<unsigned> args; ///< Copy: source, target; Size: the count
  /// Copy to memory that grows: bytes that it must have, those of a row where
  /// nothing is copied (a place clamped to the first row of nothing reads it).
  int64_t room = 0;
  unsigned firstConstant = 0; ///< the plan's constants follow each other
  /// What kernelSizes lists, as sizes.
  llvm::SmallVector<int64_t> sizes;
  /// The kernel is for a block of rows (RowBlocks.h): it runs `count` times
  /// numTasks tasks, each time with every argument moved on by its stride.
  struct Blocks {
    int64_t rows = 1;  ///< of a block
    bool rest = false; ///< the rows that the step before left
    int64_t count = 0;
    llvm::SmallVector<int64_t> offsets, strides; ///< bytes, by args
  };
  std::optional<Blocks> blocks;
  /// The kernel is for a tile of pixels (TileBlocks.h): it runs on patches of
  /// the arguments. Sizes may be symbolic.
  struct Tiles {
    int64_t height = 1, width = 1;           ///< of a tile
    llvm::SmallVector<int64_t> plan, places; ///< qd_tiles, and qd_tile_arg by
                                             ///< args, field by field
    unsigned scratch = 0;                    ///< buffer
    std::optional<unsigned> padding;         ///< constant
  };
  std::optional<Tiles> tiles;
  /// The plan's symbolicTasks: a size.
  std::optional<int64_t> tasks;
  /// Done by the caller alone: handing it to threads would take longer.
  bool serial = false;
  /// Copy: xor every byte with 0x80, between the plain i8 codes of the caller
  /// and the offset binary of the kernels.
  bool flip = false;
  /// Size: the symbol that becomes known, the most that it can be (a size, if
  /// there is one), and the arena that is placed then.
  unsigned symbol = 0;
  std::optional<int64_t> limit;
  unsigned arena = 0;
  /// Check: what the error begins with if the count (`args`) is outside of its
  /// range, or if the two `sizes` are not equal.
  std::string checked;
};

/// Steps [firstStep, endStep) that do not simply run once. Regions come in
/// program order, outer ones in front of those in them; none is empty.
struct ProgramRegion {
  enum class Kind {
    Loop,  ///< they run for each counter in [low, high)
    While, ///< they run as long as the first byte of buffer `condition` is not
           ///< 0
    Branch ///< those in front of elseStep run if the first byte of buffer
           ///< `condition` is not 0, the others otherwise
  };
  Kind kind = Kind::Loop;
  int64_t firstStep = 0, endStep = 0;
  int64_t low = 0;
  int64_t high = 0; ///< a size; a symbolic one may mean no iteration
  unsigned condition = 0;
  int64_t elseStep = 0;
};

/// A distinct kernel function; all steps whose plans have its key call it.
struct ProgramKernel {
  std::string symbol;
  KernelPlan *plan = nullptr;
  unsigned steps = 0;
  /// Inputs and output of a kernel that some step repeats for blocks of rows; 0
  /// if none does.
  unsigned repeatedTensors = 0;
};

struct Program {
  std::vector<ProgramTensor> inputs;
  std::vector<ProgramTensor> outputs;
  std::vector<ProgramBuffer> buffers;
  std::vector<ProgramStep> steps;
  std::vector<ProgramRegion> regions;
  std::vector<ProgramKernel> kernels;
  std::vector<ConstantBlob> constants;
  std::vector<std::unique_ptr<KernelPlan>> plans;
  int64_t arenaBytes = 0; ///< 0 if there are symbols
  unsigned numArenas = 0; ///< that depend on data
  SymbolicSizes sizes;
  /// Holds the dispatches that were copied for blocks of rows and tiles.
  mlir::OwningOpRef<mlir::ModuleOp> blockDispatches;

  bool isDynamic() const { return !sizes.symbols().empty(); }
};

/// Plans one kernel, or fails with a diagnostic.
using KernelPlanner =
    std::function<mlir::FailureOr<std::unique_ptr<KernelPlan>>(qd::DispatchOp)>;

/// That of planKernel.
KernelPlanner planCpuKernel(const KernelOptions &options = {});

struct ProgramOptions {
  /// Empty: planCpuKernel().
  KernelPlanner planner;
  /// Windows over images of symbolic sizes are computed tile by tile
  /// (TileBlocks.h).
  bool tiles = true;
  /// Blocks of rows are there for a grid, not for the threads of a CPU.
  bool tallBlocks = false;
  /// Plans one kernel for all symbolic sizes; null, or gives null where rows or
  /// tiles are better.
  std::function<std::unique_ptr<KernelPlan>(qd::DispatchOp)> symbolicPlanner;
};

/// Plans the program of a module after the dispatch phase. Refers to the
/// module, which must outlive it unchanged. Emits diagnostics.
mlir::FailureOr<Program> planProgram(mlir::ModuleOp module,
                                     const ProgramOptions &options = {});

} // namespace qdialect

#endif // QDIALECT_CODEGEN_PROGRAM_PROGRAM_H
