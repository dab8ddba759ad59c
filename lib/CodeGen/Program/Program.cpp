// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks @main once in program order. Views (expand, collapse) share their
// source's buffer. The caller's memory holds plain i8 codes and kernels want
// offset binary, so i8 inputs and outputs pass through a copy in the arena;
// every other type is read and written in the caller's memory where possible;
// outputs of a size that depends on data stay in the arena.

#include "QDialect/CodeGen/Program/Program.h"
#include "DispatchFacts.h"
#include "Planner.h"
#include "QDialect/CodeGen/Program/ArenaPlan.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "TiledStep.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cstring>

using namespace mlir;
using namespace qdialect;
using Storage = ProgramBuffer::Storage;

/// Most bytes of one tensor: 48 bits of address.
static constexpr int64_t kMaxTensorBytes = int64_t(1) << 48;

FailureOr<ProgramTensor> Planner::describe(Operation *where, Value value,
                                           std::string name) {
  auto tensor = dyn_cast<RankedTensorType>(value.getType());
  if (!tensor)
    return where->emitOpError("'")
           << name << "' of type " << value.getType() << " is no tensor";
  SymbolicShapes::Shape sizes = shapes->shapeOf(value);
  if (llvm::any_of(sizes, ShapedType::isDynamic))
    return where->emitOpError("tensor '")
           << name << "' of type " << tensor
           << " has a size that does not follow from the inputs' shapes";
  std::optional<DType> element = memoryType(tensor.getElementType());
  if (!element)
    return where->emitOpError("tensor '")
           << name << "': element type " << tensor.getElementType()
           << " has no form in the memory of compiled programs";
  // What no machine addresses would overflow the sums of the plan.
  if (tensor.hasStaticShape()) {
    std::optional<int64_t> elements = numElements(tensor.getShape().vec());
    if (!elements || *elements > kMaxTensorBytes / byteWidth(*element))
      return where->emitOpError("tensor '")
             << name << "' of type " << tensor << " takes more than "
             << kMaxTensorBytes << " bytes";
  }
  ProgramTensor result{std::move(name), *element, {}, 0, {}, {}, {}};
  result.sizes.assign(sizes.begin(), sizes.end());
  for (int64_t size : sizes)
    result.shape.push_back(SymbolicSizes::isSymbolic(size) ? -1 : size);
  result.bytes =
      shapes->sizes.mul(shapes->sizes.product(sizes), byteWidth(*element));
  return result;
}

unsigned Planner::addBuffer(Storage storage, unsigned index, int64_t bytes) {
  ProgramBuffer buffer;
  buffer.storage = storage;
  buffer.index = index;
  // The arena that is placed when the last of the symbols is known.
  if (storage == Storage::Arena)
    for (unsigned symbol : shapes->sizes.symbolsOf(bytes))
      buffer.index = std::max(buffer.index, arenaOfSymbol.lookup(symbol));
  buffer.bytes = bytes;
  buffer.firstStep = buffer.lastStep = program.steps.size();
  program.buffers.push_back(buffer);
  return program.buffers.size() - 1;
}

/// The buffer that `buffer` is or is a row of.
unsigned Planner::wholeOf(unsigned buffer) const {
  while (program.buffers[buffer].storage == Storage::Row)
    buffer = program.buffers[buffer].index;
  return buffer;
}

/// The next step reads or writes `buffer`.
void Planner::use(unsigned buffer) {
  program.buffers[wholeOf(buffer)].lastStep = program.steps.size();
}

int64_t Planner::roomFor(Value value) {
  if (auto open = value.getDefiningOp<qd::AnySizeOp>())
    value = open.getInput();
  SymbolicShapes::Shape sizes = shapes->shapeOf(value);
  std::optional<DType> element = memoryType(getElementTypeOrSelf(value));
  if (!element || llvm::any_of(sizes, ShapedType::isDynamic))
    return 0;
  for (int64_t &size : sizes)
    size = shapes->sizes.max(size, 1);
  return shapes->sizes.mul(shapes->sizes.product(sizes), byteWidth(*element));
}

void Planner::addCopy(unsigned source, unsigned target, bool flip, Twine name,
                      int64_t room) {
  use(source);
  use(target);
  ProgramStep step;
  step.kind = ProgramStep::Kind::Copy;
  step.name = name.str();
  step.args = {source, target};
  step.flip = flip;
  step.room = room;
  program.steps.push_back(std::move(step));
}

/// The `qd.name` in a dictionary of argument or result attributes.
static std::string nameIn(Attribute named, StringRef kind, unsigned index) {
  auto name = dyn_cast_or_null<StringAttr>(named);
  return name ? name.str() : (kind + Twine(index)).str();
}

LogicalResult Planner::addArguments(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto tensor = describe(
        function, argument,
        nameIn(function.getArgAttr(index, qd::kNameAttr), "arg", index));
    if (failed(tensor))
      return failure();
    tensor->codes = codesName(function.getArgAttr(index, qd::kCodesAttr));
    bufferOf[argument] = addBuffer(Storage::Input, index, tensor->bytes);
    program.inputs.push_back(std::move(*tensor));
  }
  Operation *ret = function.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(ret->getOperands())) {
    auto tensor = describe(
        function, value,
        nameIn(function.getResultAttr(index, qd::kNameAttr), "result", index));
    if (failed(tensor))
      return failure();
    tensor->codes = codesName(function.getResultAttr(index, qd::kCodesAttr));
    program.outputs.push_back(std::move(*tensor));
  }
  return success();
}

LogicalResult Planner::addConstant(arith::ConstantOp constant) {
  auto tensor = describe(constant, constant.getResult(), "constant");
  if (failed(tensor))
    return failure();
  std::optional<ConstantView> view = constantView(constant.getResult());
  if (!view)
    return constant.emitOpError("has no readable elements");
  ConstantBlob blob;
  blob.size = tensor->bytes;
  HostTensor elements = view->toHostTensor();
  blob.fill = [elements](llvm::MutableArrayRef<char> target) {
    std::memcpy(target.data(), elements.bytes(), target.size());
  };
  bufferOf[constant.getResult()] =
      addBuffer(Storage::Constant, program.constants.size(), tensor->bytes);
  program.constants.push_back(std::move(blob));
  return success();
}

/// The buffer of a tensor in the form that kernels read.
unsigned Planner::kernelForm(Value value) {
  unsigned buffer = bufferOf.lookup(value);
  const ProgramBuffer plain = program.buffers[buffer];
  // Rows are those of buffers that went through here.
  if (!isOffsetBinary(value.getType()) || plain.storage == Storage::Arena ||
      plain.storage == Storage::Row || plain.storage == Storage::Growable)
    return buffer;
  auto [entry, isNew] = flippedCopy.try_emplace(buffer, 0);
  if (isNew) {
    entry->second = addBuffer(Storage::Arena, 0, plain.bytes);
    addCopy(buffer, entry->second, /*flip=*/true,
            plain.storage == Storage::Input
                ? "copy-in " + program.inputs[plain.index].name
                : "copy-in constant");
  }
  return entry->second;
}

/// The buffer that a kernel reads for a tensor.
unsigned Planner::kernelOperand(Value value) {
  unsigned buffer = kernelForm(value);
  readByKernels.insert(wholeOf(buffer));
  return buffer;
}

/// Copies what the body of a loop or branch reads from outside before it runs:
/// a copy that it makes would be missing behind it where it does not run, and
/// be made again in each iteration.
void Planner::copyOperandsOf(Operation *region) {
  region->walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (bufferOf.contains(operand))
        kernelForm(operand);
  });
}

unsigned Planner::kernelNumber(KernelPlan &plan) {
  unsigned next = program.kernels.size();
  if (!plan.key().empty()) {
    auto [entry, isNew] = kernelOfKey.try_emplace(plan.key(), next);
    if (!isNew) {
      ++program.kernels[entry->second].steps;
      return entry->second;
    }
  }
  std::string symbol = ("qd_kernel_" + Twine(next) + "_" + plan.family).str();
  llvm::replace(symbol, '-', '_');
  program.kernels.push_back({symbol, &plan, 1, 0});
  return next;
}

LogicalResult Planner::addDispatch(qd::DispatchOp dispatch) {
  if (dispatch->getNumResults() != 1)
    return dispatch.emitOpError("must have one result, has ")
           << dispatch->getNumResults();
  Value result = dispatch->getResult(0);
  auto tensor = describe(dispatch, result, "result");
  if (failed(tensor))
    return failure();
  if (tensor->bytes == 0) { // nothing to compute; no kernel is asked for it
    bufferOf[result] = addBuffer(Storage::Arena, 0, 0);
    return success();
  }
  // Operands first: their copies are steps before this one.
  SmallVector<unsigned> args;
  for (Value input : dispatch->getOperands())
    args.push_back(input.getType().isIndex() ? kNoBuffer
                                             : kernelOperand(input));
  bufferOf[result] = addResultBuffer(result, tensor->bytes);
  std::optional<RowBlocks> rows = RowBlocks::analyze(dispatch, *shapes);
  if (rows && rows->isStatic)
    return addRowBlocks(dispatch, *rows, args, bufferOf[result]);
  if (options.symbolicPlanner && !kernelSizes(dispatch).empty())
    if (std::unique_ptr<KernelPlan> plan = options.symbolicPlanner(dispatch))
      return addWhole(dispatch, args, std::move(plan));
  if (options.tiles)
    if (std::optional<TileBlocks> tiles =
            TileBlocks::analyze(dispatch, *shapes))
      return addTileBlocks(dispatch, *tiles, args, bufferOf[result]);
  if (rows)
    return addRowBlocks(dispatch, *rows, args, bufferOf[result]);
  return addWhole(dispatch, args, nullptr);
}

/// One step for the whole dispatch. `plan`: null for that of options.planner.
LogicalResult Planner::addWhole(qd::DispatchOp dispatch,
                                ArrayRef<unsigned> args,
                                std::unique_ptr<KernelPlan> plan) {
  Value result = dispatch->getResult(0);
  ProgramStep step;
  step.name = dispatchName(dispatch, program.steps.size());
  step.args.assign(args.begin(), args.end());
  step.args.push_back(bufferOf[result]);
  if (plan && plan->symbolicTasks)
    step.tasks = plan->symbolicTasks(*shapes);
  for (KernelSize size : kernelSizes(dispatch)) {
    if (size.axis < 0)
      step.sizes.push_back(shapes->sizeOf(dispatch.getInputs()[size.input]));
    else
      step.sizes.push_back(shapes->shapeOf(
          size.input < args.size() ? dispatch.getInputs()[size.input]
                                   : result)[size.axis]);
  }
  return addKernel(dispatch, std::move(step), std::nullopt, std::move(plan));
}

/// What kernelSizes lists of a copy, whose inputs are those of the original
/// with the numbers `inputs`.
SmallVector<int64_t> Planner::sizesOfCopy(qd::DispatchOp copy,
                                          qd::DispatchOp original,
                                          ArrayRef<unsigned> inputs) {
  SmallVector<int64_t> sizes;
  for (KernelSize size : kernelSizes(copy)) {
    Value whole = size.input < inputs.size()
                      ? Value(original.getInputs()[inputs[size.input]])
                      : Value(original->getResult(0));
    sizes.push_back(size.axis < 0 ? shapes->sizeOf(whole)
                                  : shapes->shapeOf(whole)[size.axis]);
  }
  return sizes;
}

LogicalResult Planner::addTileBlocks(qd::DispatchOp dispatch,
                                     const TileBlocks &tiles,
                                     ArrayRef<unsigned> args, unsigned target) {
  SmallVector<unsigned> inputs;
  qd::DispatchOp copy =
      tiles.build(dispatch, *shapes, *program.blockDispatches, inputs);
  TiledStep planned = planTiledStep(tiles, dispatch, inputs, *shapes);
  ProgramStep step;
  step.name = dispatchName(dispatch, program.steps.size());
  step.sizes = sizesOfCopy(copy, dispatch, inputs);
  for (unsigned input : inputs)
    step.args.push_back(args[input]);
  step.args.push_back(target);
  step.tiles = std::move(planned.tiles);
  step.tiles->scratch = addBuffer(Storage::Arena, 0, planned.scratchBytes);
  if (planned.padding) {
    step.tiles->padding = program.constants.size();
    program.constants.push_back(std::move(*planned.padding));
  }
  return addKernel(copy, std::move(step), std::nullopt);
}

/// One step for each height of blocks: the tall ones first, then what is left.
LogicalResult Planner::addRowBlocks(qd::DispatchOp dispatch,
                                    const RowBlocks &rows,
                                    ArrayRef<unsigned> args, unsigned target) {
  SymbolicSizes &sizes = shapes->sizes;
  Value result = dispatch->getResult(0);
  std::string name = dispatchName(dispatch, program.steps.size());
  /// Bytes of one row, of the tensors that have rows.
  auto rowBytes = [&](Value tensor) {
    SymbolicShapes::Shape shape = shapes->shapeOf(tensor);
    Type element = getElementTypeOrSelf(tensor.getType());
    return sizes.mul(sizes.product(ArrayRef(shape).drop_front(rows.numDims)),
                     byteWidth(*memoryType(element)));
  };
  int64_t all =
      sizes.product(ArrayRef(shapes->shapeOf(result)).take_front(rows.numDims));
  int64_t done = 0;
  std::optional<unsigned> constants;
  for (int64_t height : rows.heights(options.tallBlocks)) {
    SmallVector<unsigned> inputs;
    qd::DispatchOp copy =
        rows.build(dispatch, *shapes, height, *program.blockDispatches, inputs);
    ProgramStep step;
    step.name = done == 0 ? name : name + " (rest)";
    ProgramStep::Blocks blocks;
    blocks.rows = height;
    blocks.rest = done != 0;
    blocks.count = sizes.floorDiv(sizes.sub(all, done), height);
    auto addArgument = [&](unsigned buffer, Value tensor, bool hasRows) {
      step.args.push_back(buffer);
      int64_t bytes = hasRows ? rowBytes(tensor) : 0;
      blocks.offsets.push_back(sizes.mul(bytes, done));
      blocks.strides.push_back(sizes.mul(bytes, height));
    };
    for (unsigned input : inputs)
      addArgument(args[input], dispatch.getInputs()[input],
                  rows.inputHasRows[input]);
    addArgument(target, result, true);
    step.sizes = sizesOfCopy(copy, dispatch, inputs);
    done = sizes.add(done, sizes.mul(blocks.count, height));
    step.blocks = std::move(blocks);
    unsigned first = program.constants.size();
    if (failed(addKernel(copy, std::move(step), constants)))
      return failure();
    if (!constants)
      constants = first;
  }
  return success();
}

/// Plans the kernel of a step whose name, arguments and sizes are set.
/// `constants`: where an earlier step's lie that are likely the same.
LogicalResult Planner::addKernel(qd::DispatchOp dispatch, ProgramStep step,
                                 std::optional<unsigned> constants,
                                 std::unique_ptr<KernelPlan> plan) {
  if (!plan) {
    FailureOr<std::unique_ptr<KernelPlan>> planned = options.planner(dispatch);
    if (failed(planned))
      return failure();
    plan = std::move(*planned);
  }
  step.dispatch = dispatch;
  step.plan = plan.get();
  step.kernel = kernelNumber(*plan);
  if (step.blocks)
    program.kernels[step.kernel].repeatedTensors = step.args.size();
  step.firstConstant = program.constants.size();
  ArrayRef<ConstantBlob> own = plan->constants;
  if (constants && program.constants.size() >= *constants + own.size() &&
      sameConstants(own,
                    ArrayRef(program.constants).slice(*constants, own.size())))
    step.firstConstant = *constants;
  else
    llvm::append_range(program.constants, own);
  int64_t bytes = 0;
  for (unsigned buffer : step.args) {
    if (buffer == kNoBuffer)
      continue;
    use(buffer);
    bytes = shapes->sizes.add(bytes, program.buffers[buffer].bytes);
  }
  for (const ConstantBlob &constant : own)
    bytes = shapes->sizes.add(bytes, constant.size);
  step.serial = !SymbolicSizes::isSymbolic(bytes) && isSmall(dispatch, bytes);
  program.steps.push_back(std::move(step));
  program.plans.push_back(std::move(plan));
  return success();
}

/// From this step on the symbol is a number.
LogicalResult Planner::addDataSize(qd::DataSizeOp op) {
  unsigned symbol =
      shapes->sizes.symbolsOf(shapes->sizeOf(op.getResult())).front();
  ProgramStep step;
  step.kind = ProgramStep::Kind::Size;
  step.name = "size of " + op.getSymbol().str();
  step.args = {kernelOperand(op.getCount())};
  step.symbol = symbol;
  if (op.getLimit()) {
    step.limit = shapes->sizeOf(op.getLimit());
    if (*step.limit == ShapedType::kDynamic)
      return op.emitOpError("the limit of '")
             << op.getSymbol() << "' is not computed from sizes";
  }
  step.arena = arenaOfSymbol[symbol] = ++program.numArenas;
  use(step.args[0]);
  program.steps.push_back(std::move(step));
  return success();
}

LogicalResult Planner::addCheck(Operation *op) {
  ProgramStep step;
  step.kind = ProgramStep::Kind::Check;
  step.name = "check of sizes";
  step.checked = op->getAttrOfType<StringAttr>("what").str();
  if (auto check = dyn_cast<qd::CheckCountOp>(op)) {
    step.args = {kernelOperand(check.getCount())};
    use(step.args[0]);
    if (check.getLimit())
      step.limit = shapes->sizeOf(check.getLimit());
  } else {
    step.sizes = {shapes->sizeOf(op->getOperand(0)),
                  shapes->sizeOf(op->getOperand(1))};
  }
  if (llvm::is_contained(step.sizes, ShapedType::kDynamic) ||
      step.limit == ShapedType::kDynamic)
    return op->emitOpError("compares what is not computed from sizes");
  program.steps.push_back(std::move(step));
  return success();
}

LogicalResult Planner::addResults(func::ReturnOp op) {
  for (auto [index, value] : llvm::enumerate(op.getOperands())) {
    unsigned number = bufferOf.lookup(value);
    if (program.buffers[number].bytes == 0)
      continue;
    // What lies in memory that grows has no place among the buffers.
    if (program.buffers[wholeOf(number)].storage == Storage::Growable) {
      unsigned source = number;
      number = addBuffer(Storage::Arena, 0, program.buffers[source].bytes);
      addCopy(source, number, /*flip=*/false,
              "loop end " + program.outputs[index].name);
    }
    ProgramBuffer &buffer = program.buffers[number];
    bool flip =
        buffer.storage == Storage::Arena && isOffsetBinary(value.getType());
    // What the caller has no room for is read where it lies.
    if (shapes->sizes.isComputed(buffer.bytes)) {
      if (flip) {
        unsigned plain = addBuffer(Storage::Arena, 0, buffer.bytes);
        addCopy(number, plain, flip, "copy-out " + program.outputs[index].name);
        number = plain;
      }
      program.buffers[number].lastStep = INT32_MAX;
      program.outputs[index].buffer = number;
      continue;
    }
    // What another kernel reads stays in the arena, where reading a few bytes
    // beyond the end is allowed.
    if (buffer.storage == Storage::Arena && !flip &&
        !readByKernels.contains(number)) {
      buffer.storage = Storage::Output;
      buffer.index = index;
      continue;
    }
    unsigned target = addBuffer(Storage::Output, index, buffer.bytes);
    addCopy(number, target, flip, "copy-out " + program.outputs[index].name);
  }
  return success();
}

LogicalResult Planner::addOp(Operation &op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<qd::DispatchOp>(
          [&](auto dispatch) { return addDispatch(dispatch); })
      .Case<qd::DataSizeOp>([&](auto size) { return addDataSize(size); })
      .Case<qd::CheckCountOp, qd::CheckSizeOp>(
          [&](auto check) { return addCheck(check); })
      .Case<tensor::CollapseShapeOp, tensor::ExpandShapeOp>([&](auto view) {
        bufferOf[view.getResult()] = bufferOf.lookup(view.getSrc());
        return success();
      })
      .Case<qd::AnySizeOp>([&](auto view) {
        bufferOf[view.getResult()] = bufferOf.lookup(view.getInput());
        return success();
      })
      .Case<qd::SizedOp>([&](auto sized) { return addSized(sized); })
      .Case<scf::ForOp>([&](auto loop) { return addLoop(loop); })
      .Case<scf::WhileOp>([&](auto loop) { return addWhile(loop); })
      .Case<scf::IfOp>([&](auto branch) { return addBranch(branch); })
      .Case<tensor::ExtractSliceOp>(
          [&](auto slice) { return addRowView(slice); })
      // Rows of carried tensors and their storage: addLoop sees to them. The
      // element that is a condition: addBranch does.
      .Case<tensor::InsertSliceOp, tensor::EmptyOp, tensor::ExtractOp,
            scf::YieldOp>([](auto) { return success(); })
      .Case<arith::ConstantOp>([&](auto constant) {
        return isa<RankedTensorType>(constant.getType()) ? addConstant(constant)
                                                         : success();
      })
      .Case<func::ReturnOp>([&](auto ret) { return addResults(ret); })
      .Default([](Operation *other) {
        // Sizes: the runtime computes them from the inputs' shapes.
        if (other->getNumResults() == 1 &&
            other->getResult(0).getType().isIndex())
          return LogicalResult(success());
        return LogicalResult(other->emitOpError(
            "is not allowed between the dispatches of a program"));
      });
}

void Planner::placeBuffers() {
  if (program.isDynamic())
    return; // where they lie depends on their sizes
  llvm::SmallVector<ArenaBuffer> placed;
  for (const ProgramBuffer &buffer : program.buffers)
    if (buffer.storage == Storage::Arena && buffer.bytes)
      placed.push_back({buffer.bytes, buffer.firstStep, buffer.lastStep, 0});
  program.arenaBytes = planArena(placed);
  const ArenaBuffer *next = placed.begin();
  for (ProgramBuffer &buffer : program.buffers)
    if (buffer.storage == Storage::Arena && buffer.bytes)
      buffer.offset = (next++)->offset;
}

FailureOr<Program> Planner::plan() {
  program.blockDispatches = ModuleOp::create(module.getLoc());
  auto functions = module.getOps<func::FuncOp>();
  if (!llvm::hasSingleElement(functions))
    return module.emitError("a program is a module with one function, not ")
           << std::distance(functions.begin(), functions.end());
  func::FuncOp function = *functions.begin();
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("must have one block");
  shapes.emplace(function);
  if (failed(addArguments(function)))
    return failure();
  for (Operation &op : function.getBody().front())
    if (failed(addOp(op)))
      return failure();
  program.sizes = std::move(shapes->sizes);
  placeBuffers();
  return std::move(program);
}

KernelPlanner qdialect::planCpuKernel(const KernelOptions &options) {
  return
      [options](
          qd::DispatchOp dispatch) -> FailureOr<std::unique_ptr<KernelPlan>> {
        FailureOr<std::unique_ptr<CpuKernelPlan>> plan =
            planKernel(dispatch, options);
        if (failed(plan))
          return failure();
        return std::unique_ptr<KernelPlan>(std::move(*plan));
      };
}

FailureOr<Program> qdialect::planProgram(ModuleOp module,
                                         const ProgramOptions &options) {
  ProgramOptions chosen = options;
  if (!chosen.planner)
    chosen.planner = planCpuKernel();
  return Planner(module, chosen).plan();
}
