// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DispatchCopy.h"

using namespace mlir;

namespace qdialect {

ShapeOracle
shapesOfCopy(SymbolicShapes &shapes,
             std::function<void(Value, SymbolicShapes::Shape &)> change) {
  ShapeOracle oracle;
  oracle.typeOf = [&shapes, change = std::move(change)](Value tensor) {
    auto type = cast<RankedTensorType>(tensor.getType());
    SymbolicShapes::Shape shape = shapes.shapeOf(tensor);
    change(tensor, shape);
    for (int64_t &size : shape)
      if (SymbolicSizes::isSymbolic(size))
        size = ShapedType::kDynamic;
    return RankedTensorType::get(shape, type.getElementType());
  };
  // Sizes that changed are numbers in the types; indices that remain are sizes
  // of other dimensions.
  oracle.numberOf = [&shapes](Value index) -> std::optional<int64_t> {
    int64_t size = shapes.sizeOf(index);
    if (size == ShapedType::kDynamic || SymbolicSizes::isSymbolic(size))
      return std::nullopt;
    return size;
  };
  return oracle;
}

qd::DispatchOp
copyDispatch(qd::DispatchOp dispatch, const ShapeOracle &oracle,
             function_ref<void(OpBuilder &, IRMapping &)> substitute,
             ModuleOp module, SmallVectorImpl<unsigned> &inputs) {
  auto body = std::make_unique<Block>();
  OpBuilder inner(dispatch.getContext());
  inner.setInsertionPointToEnd(body.get());
  IRMapping map;
  for (BlockArgument argument : dispatch.getBody().getArguments()) {
    Type type = argument.getType();
    if (isa<RankedTensorType>(type))
      type = oracle.typeOf(argument);
    map.map(argument, body->addArgument(type, argument.getLoc()));
  }
  if (substitute)
    substitute(inner, map);
  for (Operation &op : dispatch.getBody().front())
    if (op.getNumResults() == 0 || !map.contains(op.getResult(0)))
      cloneRetyped(inner, &op, map, oracle);
  // Sizes that only made empty tensors.
  for (unsigned number = body->getNumArguments(); number-- > 0;) {
    BlockArgument argument = body->getArgument(number);
    if (argument.getType().isIndex() && argument.use_empty())
      body->eraseArgument(number);
    else
      inputs.insert(inputs.begin(), number);
  }

  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto holder = func::FuncOp::create(
      builder, dispatch.getLoc(),
      ("block" + Twine(module.getBody()->getOperations().size())).str(),
      builder.getFunctionType(body->getArgumentTypes(), {}));
  Block *entry = holder.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  auto made = qd::DispatchOp::create(builder, dispatch.getLoc(),
                                     body->getTerminator()->getOperandTypes(),
                                     entry->getArguments());
  made->setDiscardableAttrs(dispatch->getDiscardableAttrDictionary());
  made.getBody().push_back(body.release());
  func::ReturnOp::create(builder, dispatch.getLoc());
  return made;
}

} // namespace qdialect
