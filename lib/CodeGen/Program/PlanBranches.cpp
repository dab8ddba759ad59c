// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The branches of a program. Each result has one buffer, into which both sides
// compute it where they can. The steps of one side come behind those of the
// other, so what lives in one side alone shares its memory with the other's.

#include "Planner.h"

using namespace mlir;
using namespace qdialect;
using Storage = ProgramBuffer::Storage;

unsigned Planner::beginRegion(ProgramRegion::Kind kind) {
  ProgramRegion region;
  region.kind = kind;
  region.firstStep = static_cast<int64_t>(program.steps.size());
  program.regions.push_back(region);
  return program.regions.size() - 1;
}

/// What has no step is no region: nothing in it has one either.
void Planner::endRegion(unsigned number) {
  ProgramRegion &region = program.regions[number];
  region.endStep = static_cast<int64_t>(program.steps.size());
  if (region.firstStep == region.endStep)
    program.regions.resize(number);
}

/// Where the op that makes `result` writes it.
unsigned Planner::addResultBuffer(Value result, int64_t bytes) {
  auto place = placeOf.find(result);
  return place == placeOf.end() ? addBuffer(Storage::Arena, 0, bytes)
                                : place->second;
}

/// The value of `body` itself whose bytes `value` has, if a kernel or a branch
/// makes it; views share them.
static Value madeIn(Block *body, Value value) {
  Operation *op = value.getDefiningOp();
  while (op && isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op)) {
    value = op->getOperand(0);
    op = value.getDefiningOp();
  }
  return op && op->getBlock() == body && isa<qd::DispatchOp, scf::IfOp>(op)
             ? value
             : Value();
}

/// Memory that grows is as large as what is copied to it.
static bool isEmpty(const ProgramBuffer &buffer) {
  return buffer.bytes == 0 && buffer.storage != Storage::Growable;
}

LogicalResult Planner::addBranchBody(Block *body, ArrayRef<unsigned> targets) {
  Operation *yield = body->getTerminator();
  llvm::SmallDenseSet<unsigned> inPlace;
  for (auto [index, value] : llvm::enumerate(yield->getOperands()))
    if (Value made = madeIn(body, value))
      if (placeOf.try_emplace(made, targets[index]).second)
        inPlace.insert(index);
  for (Operation &op : *body)
    if (failed(addOp(op)))
      return failure();
  for (auto [index, value] : llvm::enumerate(yield->getOperands())) {
    // Storage without values is for results that nobody reads on this side.
    if (inPlace.contains(index) || value.getDefiningOp<tensor::EmptyOp>() ||
        isEmpty(program.buffers[targets[index]]))
      continue;
    addCopy(kernelOperand(value), targets[index], /*flip=*/false,
            "branch result", roomFor(value));
  }
  return success();
}

LogicalResult Planner::addBranch(scf::IfOp branch) {
  auto read = branch.getCondition().getDefiningOp<tensor::ExtractOp>();
  if (!read || !read.getIndices().empty())
    return branch.emitOpError("expected a condition that is the element of a "
                              "tensor");
  copyOperandsOf(branch);
  unsigned condition = bufferOf.lookup(read.getTensor());
  use(condition);
  SmallVector<unsigned> targets;
  for (Value result : branch.getResults()) {
    FailureOr<unsigned> buffer =
        addPlaceFor(branch, result, "result of a branch");
    if (failed(buffer))
      return failure();
    targets.push_back(*buffer);
    bufferOf[result] = *buffer;
  }
  unsigned number = beginRegion(ProgramRegion::Kind::Branch);
  program.regions[number].condition = condition;
  if (failed(addBranchBody(branch.thenBlock(), targets)))
    return failure();
  program.regions[number].elseStep = static_cast<int64_t>(program.steps.size());
  if (failed(addBranchBody(branch.elseBlock(), targets)))
    return failure();
  endRegion(number);
  return success();
}
