// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Structured control flow. Carried values are handed from one iteration to the
// next without being shared, so that inserting into them writes in place.

#include "Registry.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

static llvm::Expected<Tensors>
interpretFor(Operation *op, MutableArrayRef<HostTensor> operands,
             const Context &context) {
  auto loop = cast<scf::ForOp>(op);
  auto counter = context.element(op, loop.getInductionVar().getType());
  if (!counter)
    return counter.takeError();
  int64_t low = operands[0].asInteger(0), high = operands[1].asInteger(0),
          step = operands[2].asInteger(0);
  if (step <= 0)
    return opError(op, "has the step " + Twine(step));
  Tensors carried(std::make_move_iterator(operands.begin() + 3),
                  std::make_move_iterator(operands.end()));
  for (int64_t i = low; i < high;) {
    Tensors arguments{HostTensor::of<int64_t>(DType::I64, {}, {i})
                          .converted(counter->memory)};
    std::move(carried.begin(), carried.end(), std::back_inserter(arguments));
    auto next = runBlock(*loop.getBody(), std::move(arguments), context);
    if (!next)
      return next.takeError();
    carried = std::move(*next);
    if (__builtin_add_overflow(i, step, &i))
      break;
  }
  return carried;
}

static llvm::Expected<Tensors> interpretIf(Operation *op,
                                           ArrayRef<HostTensor> operands,
                                           const Context &context) {
  Region &region = op->getRegion(operands[0].asInteger(0) != 0 ? 0 : 1);
  if (region.empty())
    return Tensors();
  return runBlock(region.front(), Tensors(), context);
}

static llvm::Expected<Tensors>
interpretWhile(Operation *op, MutableArrayRef<HostTensor> operands,
               const Context &context) {
  auto loop = cast<scf::WhileOp>(op);
  Tensors carried(std::make_move_iterator(operands.begin()),
                  std::make_move_iterator(operands.end()));
  while (true) {
    // The condition, then what it hands on.
    auto tested = runBlock(*loop.getBeforeBody(), std::move(carried), context);
    if (!tested)
      return tested.takeError();
    bool goesOn = tested->front().asInteger(0) != 0;
    tested->erase(tested->begin());
    if (!goesOn)
      return tested;
    auto next = runBlock(*loop.getAfterBody(), std::move(*tested), context);
    if (!next)
      return next.takeError();
    carried = std::move(*next);
  }
}

void interp::registerControlOps(Registry &registry) {
  auto &ops = registry.tensorOps;
  ops["scf.for"] = interpretFor;
  ops["scf.if"] = interpretIf;
  ops["scf.while"] = interpretWhile;
}
