// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants, calls of regions and the observer.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

static llvm::Expected<Tensors>
interpretConstant(Operation *op, ArrayRef<HostTensor>, const Context &context) {
  std::optional<ConstantView> view = constantView(op->getResult(0));
  if (!view)
    return opError(op, "cannot be read: its data is absent, of the wrong size "
                       "or of a type without a host form");
  // The shape of a scalar constant's view is that of a rank-0 tensor.
  auto tensor = toMemoryForm(op, view->type, view->toHostTensor(), context);
  if (!tensor)
    return tensor.takeError();
  return Tensors{*tensor};
}

static llvm::Expected<Tensors> interpretDispatch(Operation *op,
                                                 ArrayRef<HostTensor> operands,
                                                 const Context &context) {
  return runBlock(cast<qd::DispatchOp>(op).getBody().front(), Tensors(operands),
                  context);
}

static llvm::Expected<Tensors> interpretObserve(Operation *op,
                                                ArrayRef<HostTensor> operands,
                                                const Context &context) {
  if (context.options.observe)
    context.options.observe(cast<qd::ObserveOp>(op).getValueName(),
                            operands[0]);
  return Tensors{operands[0]};
}

static llvm::Expected<Tensors> interpretCall(Operation *op,
                                             ArrayRef<HostTensor> operands,
                                             const Context &context) {
  auto call = cast<func::CallOp>(op);
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      op, call.getCalleeAttr());
  if (!callee || callee.isExternal() || !callee.getBody().hasOneBlock())
    return opError(op, "calls '" + call.getCallee() +
                           "', which has no body of one block");
  // The verifier has checked the operands, but not that the calls end.
  if (callee->isProperAncestor(op))
    return opError(op, "is recursive");
  Context inner{context.options, nullptr};
  return runBlock(callee.getBody().front(), Tensors(operands), inner);
}

static llvm::Expected<Tensors> interpretDataSize(Operation *op,
                                                 ArrayRef<HostTensor> operands,
                                                 const Context &context) {
  int64_t size = std::max<int64_t>(operands[0].asInteger(0), 0);
  if (operands.size() > 1)
    size = std::min(size, operands[1].asInteger(0));
  return Tensors{HostTensor::of<int64_t>(DType::I64, {}, {size})};
}

static llvm::Expected<Tensors>
interpretCheckCount(Operation *op, ArrayRef<HostTensor> operands,
                    const Context &context) {
  int64_t count = operands[0].asInteger(0);
  std::string bound;
  if (count < 0)
    bound = "least 0";
  else if (operands.size() > 1 && count > operands[1].asInteger(0))
    bound = "most " + std::to_string(operands[1].asInteger(0));
  if (bound.empty())
    return Tensors{};
  return llvm::createStringError(cast<qd::CheckCountOp>(op).getWhat() + " is " +
                                 Twine(count) + ", but must be at " + bound);
}

static llvm::Expected<Tensors> interpretCheckSize(Operation *op,
                                                  ArrayRef<HostTensor> operands,
                                                  const Context &context) {
  int64_t size = operands[0].asInteger(0), expected = operands[1].asInteger(0);
  if (size == expected)
    return Tensors{};
  return llvm::createStringError(cast<qd::CheckSizeOp>(op).getWhat() + " is " +
                                 Twine(size) + ", but must be " +
                                 Twine(expected));
}

static llvm::Expected<Tensors>
interpretAnySize(Operation *, ArrayRef<HostTensor> operands, const Context &) {
  return Tensors{operands[0]};
}

static llvm::Expected<Tensors>
interpretSized(Operation *op, ArrayRef<HostTensor> operands, const Context &) {
  ArrayRef<HostTensor> stated = operands.drop_front();
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(op->getResult(0).getType()).getShape();
  for (auto [axis, size] : llvm::enumerate(shape)) {
    int64_t said = size, found = operands[0].shape()[axis];
    if (ShapedType::isDynamic(size)) {
      said = stated.front().asInteger(0);
      stated = stated.drop_front();
    }
    if (said != found)
      return opError(op, "says that dimension " + Twine(axis) + " is " +
                             Twine(said) + ", but it is " + Twine(found));
  }
  return Tensors{operands[0]};
}

void interp::registerStructureOps(Registry &registry) {
  auto &ops = registry.tensorOps;
  ops["arith.constant"] = interpretConstant;
  ops["func.call"] = interpretCall;
  ops["qd.any_size"] = interpretAnySize;
  ops["qd.check_count"] = interpretCheckCount;
  ops["qd.check_size"] = interpretCheckSize;
  ops["qd.data_size"] = interpretDataSize;
  ops["qd.dispatch"] = interpretDispatch;
  ops["qd.observe"] = interpretObserve;
  ops["qd.sized"] = interpretSized;
}
