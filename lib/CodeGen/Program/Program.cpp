// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks @main once in program order. Views (expand, collapse) share their
// source's buffer. The caller's memory holds plain i8 codes and kernels want
// offset binary, so i8 inputs and outputs pass through a copy in the arena;
// every other type is read and written in the caller's memory where possible.

#include "QDialect/CodeGen/Program/Program.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/CodeGen/Program/ArenaPlan.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cstring>

using namespace mlir;
using namespace qdialect;
using Storage = ProgramBuffer::Storage;

namespace {

/// i8 codes are offset binary inside the program (PhaseContract section 7).
bool isOffsetBinary(Type tensor) {
  return cast<ShapedType>(tensor).getElementType().isSignlessInteger(8);
}

/// The element type's form in the memory of compiled programs.
std::optional<DType> memoryType(Type elementType) {
  if (auto integer = dyn_cast<IntegerType>(elementType)) {
    if (integer.isUnsignedInteger(8))
      return DType::U8;
    unsigned width = integer.getWidth();
    if (!integer.isSignless() ||
        (width != 1 && width != 8 && width != 16 && width != 32 && width != 64))
      return std::nullopt;
  }
  // Other alphabets have no layout in memory yet; packing comes with them.
  if (auto codes = dyn_cast<qd::UIntType>(elementType);
      codes && codes.getWidth() == 8)
    return DType::U8;
  if (!isa<IntegerType, Float16Type, BFloat16Type, Float32Type, Float64Type>(
          elementType))
    return std::nullopt;
  return hostType(elementType);
}

class Planner {
public:
  Planner(ModuleOp module, const KernelOptions &options)
      : module(module), options(options) {}

  FailureOr<Program> plan();

private:
  FailureOr<ProgramTensor> describe(Operation *where, Type type,
                                    std::string name);
  LogicalResult addArguments(func::FuncOp function);
  LogicalResult addOp(Operation &op);
  LogicalResult addConstant(arith::ConstantOp constant);
  LogicalResult addDispatch(qd::DispatchOp dispatch);
  LogicalResult addResults(func::ReturnOp op);
  unsigned addBuffer(Storage storage, unsigned index, int64_t bytes);
  void addCopy(unsigned source, unsigned target, bool flip, Twine name);
  unsigned kernelOperand(Value value);
  unsigned kernelNumber(KernelPlan &plan);
  void placeBuffers();

  ModuleOp module;
  KernelOptions options;
  Program program;
  /// The buffer of each tensor, as its producer left it.
  llvm::DenseMap<Value, unsigned> bufferOf;
  /// Arena copies in offset binary of the caller's and constant i8 buffers.
  llvm::DenseMap<unsigned, unsigned> flippedCopy;
  /// Buffers that kernels read.
  llvm::DenseSet<unsigned> readByKernels;
  llvm::StringMap<unsigned> kernelOfKey;
};

FailureOr<ProgramTensor> Planner::describe(Operation *where, Type type,
                                           std::string name) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape())
    return where->emitOpError("tensor '")
           << name << "' of type " << type << " has no static shape";
  std::optional<DType> element = memoryType(tensor.getElementType());
  if (!element)
    return where->emitOpError("tensor '")
           << name << "': element type " << tensor.getElementType()
           << " has no form in the memory of compiled programs";
  ProgramTensor result{std::move(name), *element, tensor.getShape().vec(), 0};
  result.bytes = tensor.getNumElements() * byteWidth(*element);
  return result;
}

unsigned Planner::addBuffer(Storage storage, unsigned index, int64_t bytes) {
  ProgramBuffer buffer;
  buffer.storage = storage;
  buffer.index = index;
  buffer.bytes = bytes;
  buffer.firstStep = buffer.lastStep = program.steps.size();
  program.buffers.push_back(buffer);
  return program.buffers.size() - 1;
}

void Planner::addCopy(unsigned source, unsigned target, bool flip, Twine name) {
  int64_t number = program.steps.size();
  program.buffers[source].lastStep = number;
  ProgramStep step;
  step.kind = ProgramStep::Kind::Copy;
  step.name = name.str();
  step.args = {source, target};
  step.flip = flip;
  program.steps.push_back(std::move(step));
}

/// The `qd.name` in a dictionary of argument or result attributes.
std::string nameIn(Attribute named, StringRef kind, unsigned index) {
  auto name = dyn_cast_or_null<StringAttr>(named);
  return name ? name.str() : (kind + Twine(index)).str();
}

LogicalResult Planner::addArguments(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto tensor =
        describe(function, argument.getType(),
                 nameIn(function.getArgAttr(index, "qd.name"), "arg", index));
    if (failed(tensor))
      return failure();
    bufferOf[argument] = addBuffer(Storage::Input, index, tensor->bytes);
    program.inputs.push_back(std::move(*tensor));
  }
  for (auto [index, type] : llvm::enumerate(function.getResultTypes())) {
    auto tensor = describe(
        function, type,
        nameIn(function.getResultAttr(index, "qd.name"), "result", index));
    if (failed(tensor))
      return failure();
    program.outputs.push_back(std::move(*tensor));
  }
  return success();
}

LogicalResult Planner::addConstant(arith::ConstantOp constant) {
  auto tensor = describe(constant, constant.getType(), "constant");
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

/// The buffer that a kernel reads for a tensor.
unsigned Planner::kernelOperand(Value value) {
  unsigned buffer = bufferOf.lookup(value);
  const ProgramBuffer plain = program.buffers[buffer];
  if (isOffsetBinary(value.getType()) && plain.storage != Storage::Arena) {
    auto [entry, isNew] = flippedCopy.try_emplace(buffer, 0);
    if (isNew) {
      entry->second = addBuffer(Storage::Arena, 0, plain.bytes);
      addCopy(buffer, entry->second, /*flip=*/true,
              plain.storage == Storage::Input
                  ? "copy-in " + program.inputs[plain.index].name
                  : "copy-in constant");
    }
    buffer = entry->second;
  }
  readByKernels.insert(buffer);
  return buffer;
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
  program.kernels.push_back({symbol, &plan, 1});
  return next;
}

/// The name a dispatch has in the model: that of its last named op.
std::string dispatchName(qd::DispatchOp dispatch, unsigned number) {
  if (auto name = dispatch->getAttrOfType<StringAttr>("qd.name"))
    return name.str();
  std::string result = ("step" + Twine(number)).str();
  for (Operation &op : dispatch.getBody().front())
    if (auto name = op.getAttrOfType<StringAttr>("qd.name"))
      result = name.str();
  return result;
}

/// Whether one thread computes a dispatch in the time in which it could hand a
/// part of it to another (a microsecond where threads spin, many where they
/// sleep). The rates are those of one core of a current server, roughly.
bool isSmall(qd::DispatchOp dispatch, int64_t bytes) {
  constexpr double kMacsPerNs = 100, kBytesPerNs = 10, kHandOverNs = 3000;
  double macs = 0;
  dispatch.walk([&](linalg::LinalgOp op) {
    if (auto structure = getContractionStructure(op))
      macs += structure->macs();
  });
  return macs / kMacsPerNs + bytes / kBytesPerNs < kHandOverNs;
}

LogicalResult Planner::addDispatch(qd::DispatchOp dispatch) {
  if (dispatch->getNumResults() != 1)
    return dispatch.emitOpError("must have one result, has ")
           << dispatch->getNumResults();
  Value result = dispatch->getResult(0);
  auto tensor = describe(dispatch, result.getType(), "result");
  if (failed(tensor))
    return failure();
  if (tensor->bytes == 0) { // nothing to compute; no kernel is asked for it
    bufferOf[result] = addBuffer(Storage::Arena, 0, 0);
    return success();
  }

  FailureOr<std::unique_ptr<KernelPlan>> plan = planKernel(dispatch, options);
  if (failed(plan))
    return failure();
  ProgramStep step;
  step.dispatch = dispatch;
  step.plan = plan->get();
  step.kernel = kernelNumber(**plan);
  step.firstConstant = program.constants.size();
  llvm::append_range(program.constants, (*plan)->constants);
  // Operands first: their copies are steps before this one.
  for (Value input : dispatch->getOperands())
    step.args.push_back(kernelOperand(input));
  int64_t number = program.steps.size();
  step.name = dispatchName(dispatch, number);
  for (unsigned input : step.args)
    program.buffers[input].lastStep = number;
  bufferOf[result] = addBuffer(Storage::Arena, 0, tensor->bytes);
  step.args.push_back(bufferOf[result]);
  int64_t bytes = 0;
  for (unsigned buffer : step.args)
    bytes += program.buffers[buffer].bytes;
  for (const ConstantBlob &constant : (*plan)->constants)
    bytes += constant.size;
  step.serial = isSmall(dispatch, bytes);
  program.steps.push_back(std::move(step));
  program.plans.push_back(std::move(*plan));
  return success();
}

LogicalResult Planner::addResults(func::ReturnOp op) {
  for (auto [index, value] : llvm::enumerate(op.getOperands())) {
    unsigned number = bufferOf.lookup(value);
    ProgramBuffer &buffer = program.buffers[number];
    if (buffer.bytes == 0)
      continue;
    bool flip =
        buffer.storage == Storage::Arena && isOffsetBinary(value.getType());
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
      .Case<tensor::CollapseShapeOp, tensor::ExpandShapeOp>([&](auto view) {
        bufferOf[view.getResult()] = bufferOf.lookup(view.getSrc());
        return success();
      })
      .Case<arith::ConstantOp>(
          [&](auto constant) { return addConstant(constant); })
      .Case<func::ReturnOp>([&](auto ret) { return addResults(ret); })
      .Default([](Operation *other) {
        return other->emitOpError(
            "is not allowed between the dispatches of a program");
      });
}

void Planner::placeBuffers() {
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
  auto functions = module.getOps<func::FuncOp>();
  if (!llvm::hasSingleElement(functions))
    return module.emitError("a program is a module with one function, not ")
           << std::distance(functions.begin(), functions.end());
  func::FuncOp function = *functions.begin();
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("must have one block");
  if (failed(addArguments(function)))
    return failure();
  for (Operation &op : function.getBody().front())
    if (failed(addOp(op)))
      return failure();
  placeBuffers();
  return std::move(program);
}

} // namespace

FailureOr<Program> qdialect::planProgram(ModuleOp module,
                                         const KernelOptions &options) {
  return Planner(module, options).plan();
}
