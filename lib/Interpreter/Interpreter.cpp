// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The driver: an environment of tensors, ops in order, values dropped after
// their last use (so memory is bounded by what is live, not by the program).

#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Support/ConstantView.h"
#include "Registry.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

llvm::Error interp::opError(Operation *op, const llvm::Twine &what) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto file = op->getLoc()->findInstanceOf<FileLineColLoc>())
    os << file.getFilename().getValue() << ':' << file.getLine() << ':'
       << file.getColumn() << ": ";
  else if (!isa<UnknownLoc>(op->getLoc()))
    os << op->getLoc() << ": ";
  os << '\'' << op->getName() << "' " << what;
  return llvm::createStringError(text);
}

llvm::Expected<Element> Context::element(Operation *op, Type type) const {
  Type scalar = getElementTypeOrSelf(type);
  if (std::optional<Element> element = elementOf(scalar, exact()))
    return *element;
  std::string text;
  llvm::raw_string_ostream(text) << "has a value of type " << scalar
                                 << ", which the interpreter cannot hold";
  return opError(op, text);
}

const Registry &Registry::get() {
  static const Registry registry = [] {
    Registry r;
    registerArithColumns(r);
    registerCastColumns(r);
    registerMathColumns(r);
    registerQuantColumns(r);
    registerQuantOps(r);
    registerIntegerOps(r);
    registerNormOps(r);
    registerProductOps(r);
    registerStructureOps(r);
    registerTensorOps(r);
    registerSliceOps(r);
    registerControlOps(r);
    return r;
  }();
  return registry;
}

llvm::Expected<HostTensor> interp::toMemoryForm(Operation *op, Type type,
                                                const HostTensor &tensor,
                                                const Context &context) {
  auto element = context.element(op, type);
  if (!element)
    return element.takeError();
  if (auto shaped = dyn_cast<ShapedType>(type)) {
    bool fits = int64_t(tensor.shape().size()) == shaped.getRank();
    for (int64_t d = 0; fits && d < shaped.getRank(); ++d)
      fits = shaped.isDynamicDim(d) ||
             shaped.getDimSize(d) == tensor.shape()[size_t(d)];
    if (!fits) {
      std::string text;
      llvm::raw_string_ostream(text) << "wants a " << type << ", got "
                                     << describe(tensor.type(), tensor.shape());
      return opError(op, text);
    }
  }
  if (tensor.type() == element->memory)
    return tensor;
  // Only the widening of exact islands is ours to do; all else is a mistake.
  bool widening = context.exact() && isFloat(tensor.type()) &&
                  element->memory == DType::F64;
  if (!widening) {
    std::string text;
    llvm::raw_string_ostream(text)
        << "wants elements of type " << getElementTypeOrSelf(type) << ", got "
        << name(tensor.type());
    return opError(op, text);
  }
  return tensor.converted(DType::F64);
}

llvm::Expected<Tensors> interp::evaluateOp(Operation *op,
                                           MutableArrayRef<HostTensor> operands,
                                           const Context &context) {
  const Registry &registry = Registry::get();
  StringRef name = op->getName().getStringRef();
  if (auto it = registry.tensorOps.find(name); it != registry.tensorOps.end())
    return it->second(op, operands, context);
  if (isa<linalg::LinalgOp>(op))
    return interpretStructured(op, operands, context);
  if (registry.columnOps.contains(name))
    return applyElementwise(op, operands, context);
  return opError(op, "is not known to the interpreter");
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

/// For each op of the block, the values whose last use it is (nested regions
/// included). Unused results die at their own op.
static DenseMap<Operation *, SmallVector<Value>> lastUses(Block &block) {
  DenseMap<Operation *, SmallVector<Value>> dying;
  auto visit = [&](Value value, Operation *def) {
    Operation *last = def;
    for (Operation *user : value.getUsers()) {
      Operation *inBlock = block.findAncestorOpInBlock(*user);
      if (inBlock && (!last || last->isBeforeInBlock(inBlock)))
        last = inBlock;
    }
    if (last)
      dying[last].push_back(value);
  };
  for (BlockArgument argument : block.getArguments())
    visit(argument, nullptr);
  for (Operation &op : block)
    for (Value result : op.getResults())
      visit(result, &op);
  return dying;
}

namespace {

/// One run of a block, op by op. The values in it die with their last use.
class BlockRun {
public:
  BlockRun(Block &block, Tensors arguments, const Context &outer,
           const DenseMap<Operation *, SmallVector<Value>> &dying)
      : block(block), outer(outer), dying(dying),
        context{outer.options, nullptr}, current(block.getParentOp()) {
    for (auto [argument, tensor] :
         llvm::zip_equal(block.getArguments(), arguments))
      environment[argument] = std::move(tensor);
    context.lookup = [this](Value value) { return lookup(value); };
  }
  BlockRun(const BlockRun &) = delete;
  BlockRun &operator=(const BlockRun &) = delete;

  /// Runs the next op; the terminator gives its operands.
  llvm::Expected<Tensors> step(Operation &op);
  /// The value of a result that somebody reads; null for another.
  HostTensor *find(Value value) {
    auto it = environment.find(value);
    return it == environment.end() ? nullptr : &it->second;
  }

private:
  llvm::Expected<HostTensor> lookup(Value value) {
    auto it = environment.find(value);
    if (it != environment.end())
      return it->second;
    if (outer.lookup && value.getParentBlock() != &block)
      return outer.lookup(value);
    return opError(current, "uses a value that was never computed");
  }

  Block &block;
  const Context &outer;
  const DenseMap<Operation *, SmallVector<Value>> &dying;
  Context context;
  Operation *current;
  DenseMap<Value, HostTensor> environment;
};

llvm::Expected<Tensors> BlockRun::step(Operation &op) {
  current = &op;
  Tensors operands;
  for (Value operand : op.getOperands()) {
    auto tensor = lookup(operand);
    if (!tensor)
      return tensor.takeError();
    operands.push_back(std::move(*tensor));
  }
  auto found = dying.find(&op);
  ArrayRef<Value> dead;
  if (found != dying.end())
    dead = found->second;
  // These hand their operands on: what dies here is kept alive by the
  // operands alone, so that writing into it needs no copy. Others may look an
  // operand up again, and a region of the op may read it too.
  bool isTerminator =
      &op == &block.back() && op.hasTrait<OpTrait::IsTerminator>();
  if (isTerminator ||
      isa<tensor::InsertOp, tensor::InsertSliceOp, scf::ForOp, scf::WhileOp>(
          op))
    for (Value value : dead)
      if (llvm::none_of(value.getUsers(), [&](Operation *user) {
            return op.isProperAncestor(user);
          }))
        environment.erase(value);
  if (isTerminator)
    return operands;
  llvm::Expected<Tensors> results = evaluateOp(&op, operands, context);
  if (!results)
    return results.takeError();
  operands.clear();
  for (Value value : dead)
    environment.erase(value);
  for (auto [value, tensor] : llvm::zip_equal(op.getResults(), *results))
    if (!value.use_empty())
      environment[value] = std::move(tensor);
  return Tensors();
}

} // namespace

llvm::Expected<Tensors> interp::runBlock(Block &block, Tensors arguments,
                                         const Context &outer) {
  DenseMap<Operation *, SmallVector<Value>> dying = lastUses(block);
  BlockRun run(block, std::move(arguments), outer, dying);
  for (Operation &op : block) {
    llvm::Expected<Tensors> results = run.step(op);
    if (!results || &op == &block.back())
      return results;
  }
  return Tensors();
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

static llvm::Expected<Tensors> readArguments(func::FuncOp function,
                                             ArrayRef<HostTensor> inputs,
                                             const Context &context) {
  if (function.isExternal())
    return opError(function, "has no body");
  if (!function.getBody().hasOneBlock())
    return opError(function, "has more than one block");
  if (inputs.size() != function.getNumArguments())
    return opError(function, "has " + Twine(function.getNumArguments()) +
                                 " arguments, got " + Twine(inputs.size()));
  Tensors arguments;
  for (auto [type, tensor] :
       llvm::zip_equal(function.getArgumentTypes(), inputs)) {
    auto value = toMemoryForm(function, type, tensor, context);
    if (!value)
      return value.takeError();
    arguments.push_back(std::move(*value));
  }
  return arguments;
}

llvm::Expected<Tensors> qdialect::interpret(func::FuncOp function,
                                            ArrayRef<HostTensor> inputs,
                                            const InterpreterOptions &options) {
  Context context{options, nullptr};
  llvm::Expected<Tensors> arguments = readArguments(function, inputs, context);
  if (!arguments)
    return arguments.takeError();
  return runBlock(function.getBody().front(), std::move(*arguments), context);
}

llvm::Error qdialect::interpretSideBySide(
    func::FuncOp function, ArrayRef<std::vector<HostTensor>> samples,
    llvm::function_ref<llvm::Error(Operation *, ArrayRef<HostTensor *>)> after,
    const InterpreterOptions &options) {
  if (function.isExternal() || !function.getBody().hasOneBlock())
    return opError(function, "has no body of one block");
  Context context{options, nullptr};
  Block &block = function.getBody().front();
  DenseMap<Operation *, SmallVector<Value>> dying = lastUses(block);
  std::vector<std::unique_ptr<BlockRun>> runs;
  for (const std::vector<HostTensor> &inputs : samples) {
    auto arguments = readArguments(function, inputs, context);
    if (!arguments)
      return arguments.takeError();
    runs.push_back(std::make_unique<BlockRun>(block, std::move(*arguments),
                                              context, dying));
  }
  SmallVector<HostTensor *> results;
  for (Operation &op : block.without_terminator()) {
    results.clear();
    for (std::unique_ptr<BlockRun> &run : runs) {
      auto done = run->step(op);
      if (!done)
        return done.takeError();
      HostTensor *result =
          op.getNumResults() == 1 ? run->find(op.getResult(0)) : nullptr;
      if (result)
        results.push_back(result);
    }
    if (results.size() == runs.size())
      if (llvm::Error error = after(&op, results))
        return error;
  }
  return llvm::Error::success();
}

llvm::Expected<Tensors> qdialect::evaluate(Operation *op,
                                           ArrayRef<HostTensor> operands,
                                           const InterpreterOptions &options) {
  Context context{options, nullptr};
  Tensors values;
  if (operands.size() != op->getNumOperands())
    return opError(op, "has " + Twine(op->getNumOperands()) +
                           " operands, got " + Twine(operands.size()));
  for (auto [operand, tensor] : llvm::zip_equal(op->getOperands(), operands)) {
    auto value = toMemoryForm(op, operand.getType(), tensor, context);
    if (!value)
      return value.takeError();
    values.push_back(std::move(*value));
  }
  context.lookup = [&](Value value) -> llvm::Expected<HostTensor> {
    for (auto [operand, tensor] : llvm::zip_equal(op->getOperands(), values))
      if (operand == value)
        return tensor;
    // What regions capture must be constant here.
    std::optional<ConstantView> view = constantView(value);
    if (!view)
      return opError(op, "captures a value that is not constant");
    return toMemoryForm(op, view->type, view->toHostTensor(), context);
  };
  // Loops empty what they are handed, and their bodies may look it up.
  Tensors handed = values;
  return evaluateOp(op, handed, context);
}
