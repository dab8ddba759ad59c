// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loops of a program: the buffers that they carry, and the rows of tensors
// that their counters choose.

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

/// Each carried tensor has one buffer, which the end of an iteration writes.
LogicalResult Planner::addLoop(scf::ForOp loop) {
  copyOperandsOf(loop);
  SmallVector<unsigned> carried;
  for (auto [init, argument, result] : llvm::zip_equal(
           loop.getInitArgs(), loop.getRegionIterArgs(), loop.getResults())) {
    auto tensor = describe(loop, result, "carried value");
    if (failed(tensor))
      return failure();
    unsigned buffer = addBuffer(Storage::Arena, 0, tensor->bytes);
    if (!init.getDefiningOp<tensor::EmptyOp>())
      addCopy(kernelOperand(init), buffer, /*flip=*/false, "loop start");
    bufferOf[argument] = bufferOf[result] = buffer;
    carried.push_back(buffer);
  }
  auto first = static_cast<int64_t>(program.steps.size());
  unsigned number = beginRegion(ProgramRegion::Kind::Loop);
  program.regions[number].low = getFirst(loop);
  program.regions[number].high = shapes->sizeOf(loop.getUpperBound());
  loopOfCounter[loop.getInductionVar()] = number;
  for (Operation &op : *loop.getBody())
    if (failed(addOp(op)))
      return failure();
  if (failed(writeCarried(loop, carried)))
    return failure();
  endRegion(number);
  auto end = static_cast<int64_t>(program.steps.size());
  // What an iteration reads from outside must outlive all of them.
  for (ProgramBuffer &buffer : program.buffers)
    if (buffer.firstStep < first && buffer.lastStep >= first)
      buffer.lastStep = std::max(buffer.lastStep, end - 1);
  for (unsigned buffer : carried)
    program.buffers[buffer].lastStep = std::max(first, end - 1);
  return success();
}

LogicalResult Planner::writeCarried(scf::ForOp loop,
                                    ArrayRef<unsigned> carried) {
  SmallVector<std::pair<unsigned, unsigned>> writes;
  for (auto [index, value] :
       llvm::enumerate(loop.getBody()->getTerminator()->getOperands())) {
    unsigned target = carried[index];
    Value source = value;
    if (source == loop.getRegionIterArg(index))
      continue;
    if (tensor::InsertSliceOp write = getRowWrite(loop, index)) {
      FailureOr<unsigned> row = addRow(target, write.getDest(), write);
      if (failed(row))
        return failure();
      target = *row;
      source = write.getSource();
    }
    writes.push_back({kernelOperand(source), target});
  }
  // All reads before the first write: what is itself carried is kept aside.
  for (auto &[source, target] : writes) {
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
  for (auto [source, target] : writes)
    addCopy(source, target, /*flip=*/false, "loop state");
  return success();
}
