// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loops of a program: the buffers that they carry, and the rows of tensors
// that their counters choose. What is carried in any size lies in memory that
// grows; the sizes that an iteration computes place arenas anew in each.

#include "Planner.h"
#include "QDialect/Analysis/ProgramLoops.h"

using namespace mlir;
using namespace qdialect;
using Storage = ProgramBuffer::Storage;

FailureOr<unsigned> Planner::addRow(unsigned whole, Value tensor,
                                    Operation *slice) {
  SymbolicSizes &sizes = shapes->sizes;
  std::optional<LoopRow> row =
      getLoopRow(cast<OffsetSizeAndStrideOpInterface>(slice), *shapes);
  auto described = describe(slice, tensor, "rows of a loop");
  if (failed(described))
    return failure();
  if (!row || (row->counter && !loopOfCounter.contains(row->counter)))
    return slice->emitOpError("is no row that a loop of the program chooses");
  ProgramBuffer buffer;
  buffer.storage = Storage::Row;
  buffer.index = whole;
  int64_t low = 0, high = 1;
  if (row->counter) {
    buffer.loop = loopOfCounter.lookup(row->counter);
    low = program.regions[buffer.loop].low;
    high = program.regions[buffer.loop].high;
  }
  // The first iteration takes the first row, or the last one. What symbols may
  // make right is right.
  ArrayRef<int64_t> shape = described->sizes;
  int64_t final = sizes.sub(high, 1);
  auto rowIn = [&](int64_t counter) {
    return sizes.add(sizes.mul(counter, row->factor), row->offset);
  };
  auto [lowest, highest] =
      row->factor < 0 ? std::pair(final, low) : std::pair(low, final);
  for (auto [counter, isInside] :
       {std::pair(lowest, sizes.bounds(rowIn(lowest)).high >= 0),
        std::pair(highest,
                  sizes.bounds(sizes.sub(shape[0], rowIn(highest))).high > 0)})
    if (!isInside)
      return slice->emitOpError("takes row ")
             << sizes.print(rowIn(counter)) << " of " << tensor.getType()
             << " in iteration " << sizes.print(counter);
  buffer.bytes =
      sizes.mul(sizes.product(shape.drop_front()), byteWidth(described->type));
  buffer.offset = sizes.mul(buffer.bytes, row->offset);
  buffer.stride = sizes.mul(buffer.bytes, row->factor);
  program.buffers.push_back(buffer);
  return program.buffers.size() - 1;
}

LogicalResult Planner::addRowView(tensor::ExtractSliceOp slice) {
  FailureOr<unsigned> row =
      addRow(kernelOperand(slice.getSource()), slice.getSource(), slice);
  if (failed(row))
    return failure();
  bufferOf[slice.getResult()] = *row;
  return success();
}

/// A buffer for what control flow carries or gives: memory that grows where the
/// sizes are left open.
FailureOr<unsigned> Planner::addPlaceFor(Operation *where, Value value,
                                         StringRef name) {
  if (isLeftOpen(value))
    return addBuffer(Storage::Growable, ++program.numArenas, 0);
  auto tensor = describe(where, value, name.str());
  if (failed(tensor))
    return failure();
  return addResultBuffer(value, tensor->bytes);
}

/// The tensor with its sizes begins where the one without does.
LogicalResult Planner::addSized(qd::SizedOp sized) {
  auto tensor = describe(sized, sized.getResult(), "tensor of any size");
  if (failed(tensor))
    return failure();
  ProgramBuffer buffer;
  buffer.storage = Storage::Row;
  buffer.index = bufferOf.lookup(sized.getInput());
  buffer.bytes = tensor->bytes;
  program.buffers.push_back(buffer);
  bufferOf[sized.getResult()] = program.buffers.size() - 1;
  return success();
}

/// Each carried tensor has one buffer, which the end of an iteration writes.
FailureOr<unsigned> Planner::addCarried(Value init, BlockArgument argument) {
  FailureOr<unsigned> buffer = addPlaceFor(argument.getOwner()->getParentOp(),
                                           argument, "carried value");
  if (succeeded(buffer) && !init.getDefiningOp<tensor::EmptyOp>())
    addCopy(kernelOperand(init), *buffer, /*flip=*/false, "loop start",
            roomFor(init));
  return buffer;
}

LogicalResult Planner::addLoop(scf::ForOp loop) {
  copyOperandsOf(loop);
  SmallVector<unsigned> carried;
  for (auto [init, argument, result] : llvm::zip_equal(
           loop.getInitArgs(), loop.getRegionIterArgs(), loop.getResults())) {
    FailureOr<unsigned> buffer = addCarried(init, argument);
    if (failed(buffer))
      return failure();
    bufferOf[argument] = bufferOf[result] = *buffer;
    carried.push_back(*buffer);
  }
  unsigned number = beginRegion(ProgramRegion::Kind::Loop);
  program.regions[number].low = getFirst(loop);
  program.regions[number].high = shapes->sizeOf(loop.getUpperBound());
  loopOfCounter[loop.getInductionVar()] = number;
  return addBody(loop.getBody(), number, carried);
}

LogicalResult Planner::addWhile(scf::WhileOp loop) {
  copyOperandsOf(loop);
  SmallVector<unsigned> carried;
  for (auto [init, argument] :
       llvm::zip_equal(loop.getInits(), loop.getBeforeArguments())) {
    FailureOr<unsigned> buffer = addCarried(init, argument);
    if (failed(buffer))
      return failure();
    bufferOf[argument] = *buffer;
    carried.push_back(*buffer);
  }
  for (auto [tested, argument, result] :
       llvm::zip_equal(loop.getConditionOp().getArgs(),
                       loop.getAfterArguments(), loop.getResults()))
    bufferOf[argument] = bufferOf[result] = bufferOf.lookup(tested);
  unsigned number = beginRegion(ProgramRegion::Kind::While);
  program.regions[number].condition = bufferOf.lookup(getGoesOn(loop));
  return addBody(loop.getAfterBody(), number, carried);
}

LogicalResult Planner::addBody(Block *body, unsigned region,
                               ArrayRef<unsigned> carried) {
  int64_t first = program.regions[region].firstStep;
  for (Operation &op : *body)
    if (failed(addOp(op)))
      return failure();
  if (failed(writeCarried(body, carried)))
    return failure();
  endRegion(region);
  auto end = static_cast<int64_t>(program.steps.size());
  // What an iteration reads from outside must outlive all of them.
  for (ProgramBuffer &buffer : program.buffers)
    if (buffer.firstStep < first && buffer.lastStep >= first)
      buffer.lastStep = std::max(buffer.lastStep, end - 1);
  for (unsigned buffer : carried)
    program.buffers[buffer].lastStep = std::max(first, end - 1);
  return success();
}

LogicalResult Planner::writeCarried(Block *body, ArrayRef<unsigned> carried) {
  SmallVector<std::tuple<unsigned, unsigned, int64_t>> writes;
  auto loop = dyn_cast<scf::ForOp>(body->getParentOp());
  for (auto [index, value] :
       llvm::enumerate(body->getTerminator()->getOperands())) {
    unsigned target = carried[index];
    Value source = value;
    if (auto known = bufferOf.find(source);
        known != bufferOf.end() && known->second == target)
      continue;
    if (tensor::InsertSliceOp write =
            loop ? getRowWrite(loop, index) : tensor::InsertSliceOp()) {
      FailureOr<unsigned> row = addRow(target, write.getDest(), write);
      if (failed(row))
        return failure();
      target = *row;
      source = write.getSource();
    }
    writes.push_back({kernelOperand(source), target, roomFor(source)});
  }
  // All reads before the first write: what is itself carried is kept aside.
  for (auto &[source, target, room] : writes) {
#if QDIALECT_MUTATE == 37 // carried values are overwritten before they are read
    break;
#endif
    if (!llvm::is_contained(carried, wholeOf(source)))
      continue;
    unsigned aside =
        addBuffer(Storage::Arena, 0, program.buffers[source].bytes);
    addCopy(source, aside, /*flip=*/false, "loop state aside");
    source = aside;
  }
  for (auto [source, target, room] : writes)
    addCopy(source, target, /*flip=*/false, "loop state", room);
  return success();
}
