// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DispatchCopy.h"

#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Transforms/Observers.h"

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

/// Names and bounds of the sizes that stay symbolic in the copy, as a function
/// of the program has them: equal expressions have one name.
static void nameSizes(func::FuncOp holder, qd::DispatchOp dispatch,
                      SymbolicShapes &shapes, ArrayRef<unsigned> inputs) {
  Builder builder(holder.getContext());
  NamedAttrList bounds;
  auto nameOf = [&](int64_t size) -> Attribute {
    std::string name = shapes.sizes.print(size);
    SymbolicSizes::Bounds range = shapes.sizes.bounds(size);
    // What is said of an expression may be less than what is known of a size.
    bounds.set(name, builder.getDenseI64ArrayAttr(
                         {std::max<int64_t>(range.low, 0), range.high}));
    return builder.getStringAttr(name);
  };
  for (auto [number, type] : llvm::enumerate(holder.getArgumentTypes())) {
    Value original = dispatch.getBody().getArgument(inputs[number]);
    SmallVector<Attribute> names;
    if (type.isIndex()) {
      int64_t size = shapes.sizeOf(original);
      if (SymbolicSizes::isSymbolic(size))
        names.push_back(nameOf(size));
    } else if (auto tensor = cast<RankedTensorType>(type);
               !tensor.hasStaticShape()) {
      SymbolicShapes::Shape sizes = shapes.shapeOf(original);
      for (auto [size, known] : llvm::zip_equal(sizes, tensor.getShape()))
        names.push_back(ShapedType::isStatic(known)
                            ? builder.getI64IntegerAttr(known)
                        : SymbolicSizes::isSymbolic(size)
                            ? nameOf(size)
                            : builder.getStringAttr("arg" + Twine(number) +
                                                    ":" + Twine(names.size())));
    }
    if (!names.empty())
      holder.setArgAttr(number, qd::kDimsAttr, builder.getArrayAttr(names));
  }
  if (!bounds.empty())
    holder->setAttr(qd::kDimBoundsAttr,
                    bounds.getDictionary(holder.getContext()));
}

qd::DispatchOp
copyDispatch(qd::DispatchOp dispatch, SymbolicShapes &shapes,
             const ShapeOracle &oracle,
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
  nameSizes(holder, dispatch, shapes, inputs);
  // What is proven of the program is true of its parts.
  if (auto program = dispatch->getParentOfType<func::FuncOp>())
    if (Attribute isIntegerOnly = program->getAttr(qd::kIntegerOnlyAttr))
      holder->setAttr(qd::kIntegerOnlyAttr, isIntegerOnly);
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
