// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiling a block of scalar ops, and applying one column op to tensors.

#include "Payload.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

llvm::Expected<Column *> Payload::addColumn(Operation *user, Value value,
                                            const Context &context) {
  llvm::Expected<Element> element = context.element(user, value.getType());
  if (!element)
    return element.takeError();
  columns.push_back(std::make_unique<Column>(element->kind));
  columnOf[value] = columns.back().get();
  return columns.back().get();
}

/// A value that does not change over the iteration space fills its column once.
llvm::Error Payload::addCaptured(Operation *user, Value value,
                                 const Context &context) {
  llvm::Expected<HostTensor> tensor = context.lookup(value);
  if (!tensor)
    return tensor.takeError();
  llvm::Expected<Element> element = context.element(user, value.getType());
  if (!element)
    return element.takeError();
  if (tensor->size() != 1)
    return opError(user, "uses a captured tensor that is not a scalar");
  llvm::Expected<Column *> column = addColumn(user, value, context);
  if (!column)
    return column.takeError();
  Cursor::strided({kChunk}, {0})
      .load(tensor->bytes(), *element, **column, kChunk);
  return llvm::Error::success();
}

llvm::Expected<Payload> Payload::compile(Block &block, const Context &context,
                                         ArrayRef<Operation *> skip) {
  Payload payload;
  Operation *parent = block.getParentOp();
  for (BlockArgument argument : block.getArguments())
    if (auto column = payload.addColumn(parent, argument, context); !column)
      return column.takeError();

  for (Operation &op : block.getOperations()) {
    bool isTerminator = &op == &block.back();
    if (!isTerminator && llvm::is_contained(skip, &op))
      continue;
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      auto column = payload.addColumn(&op, index.getResult(), context);
      if (!column)
        return column.takeError();
      payload.indexColumns.push_back({unsigned(index.getDim()), *column});
      continue;
    }
    Step step{&op, nullptr, {}, {}};
    for (Value operand : op.getOperands()) {
      // Results of skipped ops have no column; whoever skips them knows.
      if (Operation *def = operand.getDefiningOp();
          def && llvm::is_contained(skip, def))
        continue;
      // A whole tensor is no column: its op reads it through the context.
      if (isa<ShapedType>(operand.getType()))
        continue;
      bool fromAbove = operand.getParentBlock() != &block;
      if (fromAbove && !payload.columnOf.contains(operand))
        if (llvm::Error error = payload.addCaptured(&op, operand, context))
          return std::move(error);
      step.in.push_back(&payload.column(operand));
    }
    if (isTerminator)
      break;
    for (Value result : op.getResults()) {
      auto column = payload.addColumn(&op, result, context);
      if (!column)
        return column.takeError();
      step.out.push_back(*column);
    }
    // A constant is filled once like a captured value.
    if (op.hasTrait<OpTrait::ConstantLike>()) {
      std::optional<ConstantView> view = constantView(op.getResult(0));
      llvm::Expected<Element> element =
          context.element(&op, op.getResult(0).getType());
      if (!element)
        return element.takeError();
      if (!view || view->numElements() != 1)
        return opError(&op, "has a constant that cannot be read");
      Element stored = *element;
      stored.memory = view->dtype;
      Cursor::strided({kChunk}, {0})
          .load(view->raw.data(), stored, *step.out[0], kChunk);
      continue;
    }
    auto factory = Registry::get().columnOps.find(op.getName().getStringRef());
    if (factory == Registry::get().columnOps.end())
      return opError(&op, "is not known to the interpreter in a payload");
    llvm::Expected<ColumnFunction> function = factory->second(&op, context);
    if (!function)
      return function.takeError();
    step.function = std::move(*function);
    payload.steps.push_back(std::move(step));
  }
  return payload;
}

llvm::Error Payload::run(int64_t n, uint64_t first) {
  for (Step &step : steps)
    if (ColumnError error = step.function({step.in, step.out, n, first}))
      return opError(step.op, error);
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// One op over tensors
//===----------------------------------------------------------------------===//

llvm::Expected<Tensors> interp::applyColumns(Operation *op,
                                             ArrayRef<HostTensor> operands,
                                             MutableArrayRef<Cursor> cursors,
                                             ArrayRef<int64_t> shape,
                                             const Context &context) {
  auto factory = Registry::get().columnOps.find(op->getName().getStringRef());
  if (factory == Registry::get().columnOps.end())
    return opError(op, "is not known to the interpreter");
  llvm::Expected<ColumnFunction> function = factory->second(op, context);
  if (!function)
    return function.takeError();

  SmallVector<Element> inElements, outElements;
  std::vector<std::unique_ptr<Column>> columns;
  SmallVector<Column *> in, out;
  for (Value operand : op->getOperands().take_front(operands.size())) {
    auto element = context.element(op, operand.getType());
    if (!element)
      return element.takeError();
    inElements.push_back(*element);
    columns.push_back(std::make_unique<Column>(element->kind));
    in.push_back(columns.back().get());
  }
  Tensors results;
  for (Value result : op->getResults()) {
    auto element = context.element(op, result.getType());
    if (!element)
      return element.takeError();
    outElements.push_back(*element);
    columns.push_back(std::make_unique<Column>(element->kind));
    out.push_back(columns.back().get());
    results.emplace_back(element->memory, shape.vec());
  }
  int64_t count = numElements(shape.vec()).value_or(0);
  SmallVector<char *> memory;
  for (HostTensor &result : results)
    memory.push_back(result.mutableBytes());
  std::vector<Cursor> outCursors(results.size(), Cursor::strided({count}, {1}));
  for (int64_t first = 0; first < count; first += kChunk) {
    int64_t n = std::min(kChunk, count - first);
    for (size_t i = 0; i < operands.size(); ++i)
      cursors[i].load(operands[i].bytes(), inElements[i], *in[i], n);
    if (ColumnError error = (*function)({in, out, n, uint64_t(first)}))
      return opError(op, error);
    for (size_t i = 0; i < results.size(); ++i)
      outCursors[i].store(memory[i], outElements[i], *out[i], n);
  }
  return results;
}

llvm::Expected<Tensors> interp::applyElementwise(Operation *op,
                                                 ArrayRef<HostTensor> operands,
                                                 const Context &context) {
  ArrayRef<int64_t> shape;
  for (const HostTensor &operand : operands)
    if (operand.rank() > 0)
      shape = operand.shape();
  int64_t count = numElements(shape.vec()).value_or(0);
  std::vector<Cursor> cursors;
  for (const HostTensor &operand : operands) {
    // arith.select takes one condition for a whole tensor.
    if (operand.rank() > 0 && ArrayRef<int64_t>(operand.shape()) != shape)
      return opError(op, "has operands of different shapes");
    cursors.push_back(Cursor::strided({count}, {operand.rank() ? 1 : 0}));
  }
  return applyColumns(op, operands, cursors, shape, context);
}
