// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The walk that makes a Program of @main; Program.cpp says how. Loops are
// PlanLoops.cpp, branches PlanBranches.cpp.

#ifndef QDIALECT_LIB_CODEGEN_PROGRAM_PLANNER_H
#define QDIALECT_LIB_CODEGEN_PROGRAM_PLANNER_H

#include "QDialect/Analysis/SymbolicShapes.h"
#include "QDialect/CodeGen/Program/Program.h"
#include "QDialect/CodeGen/Program/RowBlocks.h"
#include "QDialect/CodeGen/Program/TileBlocks.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

namespace qdialect {

/// The place of an index in a kernel's arguments.
constexpr unsigned kNoBuffer = ~0u;

class Planner {
public:
  Planner(mlir::ModuleOp module, const ProgramOptions &options)
      : module(module), options(options) {}

  mlir::FailureOr<Program> plan();

private:
  mlir::FailureOr<ProgramTensor> describe(mlir::Operation *where,
                                          mlir::Value value, std::string name);
  mlir::LogicalResult addArguments(mlir::func::FuncOp function);
  mlir::LogicalResult addOp(mlir::Operation &op);
  mlir::LogicalResult addConstant(mlir::arith::ConstantOp constant);
  mlir::LogicalResult addDispatch(qd::DispatchOp dispatch);
  mlir::LogicalResult addRowBlocks(qd::DispatchOp dispatch,
                                   const RowBlocks &rows,
                                   llvm::ArrayRef<unsigned> args,
                                   unsigned target);
  mlir::LogicalResult addTileBlocks(qd::DispatchOp dispatch,
                                    const TileBlocks &tiles,
                                    llvm::ArrayRef<unsigned> args,
                                    unsigned target);
  llvm::SmallVector<int64_t> sizesOfCopy(qd::DispatchOp copy,
                                         qd::DispatchOp original,
                                         llvm::ArrayRef<unsigned> inputs);
  mlir::LogicalResult addWhole(qd::DispatchOp dispatch,
                               llvm::ArrayRef<unsigned> args,
                               std::unique_ptr<KernelPlan> plan);
  mlir::LogicalResult addKernel(qd::DispatchOp dispatch, ProgramStep step,
                                std::optional<unsigned> constants,
                                std::unique_ptr<KernelPlan> plan = nullptr);
  mlir::LogicalResult addDataSize(qd::DataSizeOp op);
  mlir::LogicalResult addCheck(mlir::Operation *op);
  mlir::LogicalResult addResults(mlir::func::ReturnOp op);
  mlir::FailureOr<unsigned> addCarried(mlir::Value init,
                                       mlir::BlockArgument argument);
  mlir::LogicalResult addLoop(mlir::scf::ForOp loop);
  mlir::LogicalResult addWhile(mlir::scf::WhileOp loop);
  mlir::LogicalResult addBody(mlir::Block *body, unsigned region,
                              llvm::ArrayRef<unsigned> carried);
  mlir::LogicalResult writeCarried(mlir::Block *body,
                                   llvm::ArrayRef<unsigned> carried);
  mlir::LogicalResult addSized(qd::SizedOp sized);
  mlir::FailureOr<unsigned>
  addPlaceFor(mlir::Operation *where, mlir::Value value, llvm::StringRef name);
  mlir::LogicalResult addBranch(mlir::scf::IfOp branch);
  mlir::LogicalResult addBranchBody(mlir::Block *body,
                                    llvm::ArrayRef<unsigned> targets);
  unsigned addResultBuffer(mlir::Value result, int64_t bytes);
  unsigned beginRegion(ProgramRegion::Kind kind);
  void endRegion(unsigned number);
  mlir::FailureOr<unsigned> addRow(unsigned whole, mlir::Value tensor,
                                   mlir::Operation *slice);
  mlir::LogicalResult addRowView(mlir::tensor::ExtractSliceOp slice);
  unsigned wholeOf(unsigned buffer) const;
  void use(unsigned buffer);
  unsigned addBuffer(ProgramBuffer::Storage storage, unsigned index,
                     int64_t bytes);
  void addCopy(unsigned source, unsigned target, bool flip, llvm::Twine name,
               int64_t room = 0);
  /// The bytes of a tensor, of a row of it at least.
  int64_t roomFor(mlir::Value value);
  unsigned kernelForm(mlir::Value value);
  unsigned kernelOperand(mlir::Value value);
  void copyOperandsOf(mlir::Operation *region);
  unsigned kernelNumber(KernelPlan &plan);
  void placeBuffers();

  mlir::ModuleOp module;
  ProgramOptions options;
  std::optional<SymbolicShapes> shapes;
  Program program;
  /// The buffer of each tensor, as its producer left it.
  llvm::DenseMap<mlir::Value, unsigned> bufferOf;
  /// Buffers that are there before the op that fills them: what a branch gives
  /// is computed in place.
  llvm::DenseMap<mlir::Value, unsigned> placeOf;
  /// Arena copies in offset binary of the caller's and constant i8 buffers.
  llvm::DenseMap<unsigned, unsigned> flippedCopy;
  llvm::DenseMap<mlir::Value, unsigned> loopOfCounter;
  /// By number of the symbol, those that the program computes.
  llvm::DenseMap<unsigned, unsigned> arenaOfSymbol;
  /// Buffers that kernels read.
  llvm::DenseSet<unsigned> readByKernels;
  llvm::StringMap<unsigned> kernelOfKey;
};

} // namespace qdialect

#endif // QDIALECT_LIB_CODEGEN_PROGRAM_PLANNER_H
