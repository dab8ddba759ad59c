// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One main function, straight but for the program's loops and branches: for
// each step it computes the addresses of the arguments, stores them in an array
// and calls the runtime. Every address and every size comes from one function
// here (address, bytes). Symbolic sizes and the places of arena buffers are
// read from arrays that the runtime fills before it calls main: it evaluates
// the expressions of the description.
//
// The structs mirror runtime/include/qdialect/model.h and
// runtime/src/program.h field by field.

#include "QDialect/CodeGen/Program/EmitProgram.h"
#include "DescriptionBuilder.h"
#include "EntryPoints.h"
#include "SizeTable.h"
#include "program.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/CodeGen.h"

using namespace llvm;
using namespace qdialect;
using Storage = ProgramBuffer::Storage;

std::vector<ProgramVariant> qdialect::cpuVariants(const Program &program,
                                                  ArrayRef<CpuTarget> targets) {
  std::vector<ProgramVariant> variants;
  for (const CpuTarget &target : targets) {
    variants.push_back({target.name, target.isa, {}, {}, {}});
    for (const ProgramKernel &kernel : program.kernels) {
      variants.back().symbols.push_back(
          kernelSymbol(kernel, codeTarget(kernel, target, targets)));
      variants.back().instructions.push_back(
          cast<CpuKernelPlan>(kernel.plan)->instruction(target));
    }
  }
  return variants;
}

std::string qdialect::kernelSymbol(const ProgramKernel &kernel,
                                   const CpuTarget &target) {
  return kernel.symbol + "_" + target.name;
}

const CpuTarget &qdialect::codeTarget(const ProgramKernel &kernel,
                                      const CpuTarget &target,
                                      ArrayRef<CpuTarget> targets) {
  if (!target.hasTiles() || cast<CpuKernelPlan>(kernel.plan)->usesTiles(target))
    return target;
  const CpuTarget *other = find_if(targets, [&](const CpuTarget &candidate) {
    return candidate.hasDotProduct() && candidate.hasAvx512() &&
           !candidate.hasTiles();
  });
  return other == targets.end() ? target : *other;
}

namespace {

class ProgramEmitter {
public:
  ProgramEmitter(Module &module, const Program &program,
                 const WeightsLayout &weights)
      : module(module), context(module.getContext()), program(program),
        weights(weights), builder(context), describe(module),
        table(program.sizes), pointer(PointerType::getUnqual(context)) {}

  Function *emitMain();
  GlobalVariable *emitDescription(ArrayRef<ProgramVariant> variants,
                                  const ProgramIdentity &identity,
                                  Function *main);

private:
  Function *runtimeFunction(StringRef name, Type *result,
                            ArrayRef<Type *> arguments) {
    return declareHidden(module, name, result, arguments);
  }
  void emitSteps(int64_t begin, int64_t end);
  void emitLoop(const ProgramRegion &loop);
  void emitWhile(const ProgramRegion &loop);
  void emitBranch(const ProgramRegion &branch);
  Value *isSet(unsigned buffer);
  void emitStep(unsigned number, const ProgramStep &step);
  void emitSize(unsigned number, const ProgramStep &step);
  void emitCheck(const ProgramStep &step);
  void goOnIfZero(Value *status);
  void emitBlocks(unsigned number, const ProgramStep &step, unsigned numArgs);
  void emitTiles(unsigned number, const ProgramStep &step, unsigned numArgs);
  Constant *dims(ArrayRef<ProgramTensor> tensors);
  Constant *outputBuffers();
  Constant *variant(const ProgramVariant &variant);
  Value *sizeAddress(unsigned node) {
    return builder.CreateConstGEP1_64(builder.getInt64Ty(), sizes, node);
  }
  Value *size(int64_t value) {
    if (!SymbolicSizes::isSymbolic(value))
      return builder.getInt64(value);
    return builder.CreateLoad(builder.getInt64Ty(),
                              sizeAddress(table.node(value)));
  }
  Value *address(const ProgramBuffer &buffer);
  Value *constantAddress(unsigned number) {
    return byteOffset(weightsBase, weights.offsets[number]);
  }
  Value *bytes(const ProgramBuffer &buffer) { return size(buffer.bytes); }
  Value *byteOffset(Value *base, int64_t offset) {
    return builder.CreateGEP(builder.getInt8Ty(), base,
                             builder.getInt64(offset));
  }
  Value *element(Value *array, unsigned index) {
    return builder.CreateLoad(
        pointer, builder.CreateConstGEP1_64(pointer, array, index));
  }

  Module &module;
  LLVMContext &context;
  const Program &program;
  const WeightsLayout &weights;
  IRBuilder<> builder;
  DescriptionBuilder describe;
  SizeTable table;
  PointerType *pointer;
  // Values of the main function.
  Value *runtime = nullptr, *arenas = nullptr, *arena = nullptr;
  Value *kernels = nullptr;
  Value *sizes = nullptr, *offsets = nullptr;
  /// Arena buffers of a program with symbols, by their number there.
  SmallVector<const ProgramBuffer *> placed;
  SmallVector<Value *> inputs, outputs;
  /// Of the regions entered so far, in their order; null but for loops.
  SmallVector<Value *> counters;
  Value *args = nullptr;
  Value *weightsBase = nullptr, *kernelSizes = nullptr;
  GlobalVariable *weightsImage = nullptr;
  Function *parallel = nullptr, *serial = nullptr, *copy = nullptr,
           *blocked = nullptr, *tiled = nullptr, *computed = nullptr,
           *checkedCount = nullptr, *checkedSize = nullptr, *flag = nullptr,
           *grow = nullptr;
};

Value *ProgramEmitter::address(const ProgramBuffer &buffer) {
  switch (buffer.storage) {
  case Storage::Arena:
    if (program.isDynamic() && buffer.bytes) {
      auto place = find(placed, &buffer);
      Value *slot = builder.CreateConstGEP1_64(builder.getInt64Ty(), offsets,
                                               place - placed.begin());
      // Where the others lie is known behind their sizes only.
      Value *base = buffer.index ? element(arenas, buffer.index) : arena;
      return builder.CreateGEP(builder.getInt8Ty(), base,
                               builder.CreateLoad(builder.getInt64Ty(), slot));
    }
    return byteOffset(arena, buffer.offset);
  case Storage::Input:
    return inputs[buffer.index];
  case Storage::Output:
    return outputs[buffer.index];
  case Storage::Constant:
    return constantAddress(buffer.index);
  case Storage::Growable:
    return element(arenas, buffer.index);
  case Storage::Row: {
    Value *offset = size(buffer.offset);
    if (buffer.stride)
      offset =
          builder.CreateAdd(offset, builder.CreateMul(counters[buffer.loop],
                                                      size(buffer.stride)));
    return builder.CreateGEP(builder.getInt8Ty(),
                             address(program.buffers[buffer.index]), offset);
  }
  }
  llvm_unreachable("unknown storage");
}

void ProgramEmitter::emitStep(unsigned number, const ProgramStep &step) {
  if (step.kind == ProgramStep::Kind::Copy) {
    const ProgramBuffer &source = program.buffers[step.args[0]],
                        &target = program.buffers[step.args[1]];
    if (target.storage == Storage::Growable)
      goOnIfZero(builder.CreateCall(
          grow, {runtime, builder.getInt32(target.index),
                 size(step.room ? step.room : source.bytes)}));
    builder.CreateCall(copy, {runtime, builder.getInt32(number),
                              address(target), address(source), bytes(source),
                              builder.getInt32(step.flip ? 0x80 : 0)});
    return;
  }
  if (step.kind == ProgramStep::Kind::Size)
    return emitSize(number, step);
  if (step.kind == ProgramStep::Kind::Check)
    return emitCheck(step);
  SmallVector<Value *> pointers;
  for (unsigned buffer : step.args)
    pointers.push_back(buffer < program.buffers.size()
                           ? address(program.buffers[buffer])
                           : ConstantPointerNull::get(pointer));
  for (unsigned i = 0; i < step.plan->constants.size(); ++i)
    pointers.push_back(constantAddress(step.firstConstant + i));
  if (!step.sizes.empty())
    pointers.push_back(builder.CreateConstGEP1_64(
        builder.getInt64Ty(), kernelSizes, table.run(step.sizes)));
  for (auto [i, value] : enumerate(pointers))
    builder.CreateStore(value, builder.CreateConstGEP1_64(pointer, args, i));
  if (step.blocks)
    return emitBlocks(number, step, pointers.size());
  if (step.tiles)
    return emitTiles(number, step, pointers.size());
  builder.CreateCall(
      step.serial ? serial : parallel,
      {runtime, builder.getInt32(number), element(kernels, step.kernel), args,
       step.tasks ? size(*step.tasks) : builder.getInt64(step.plan->numTasks)});
}

/// Without memory for what has that size, the program ends.
void ProgramEmitter::emitSize(unsigned number, const ProgramStep &step) {
  int64_t limit = step.limit ? table.node(*step.limit) : -1;
  goOnIfZero(builder.CreateCall(
      computed,
      {runtime, builder.getInt32(number), builder.getInt32(step.symbol),
       builder.getInt32(limit), builder.getInt32(step.arena),
       address(program.buffers[step.args[0]])}));
}

void ProgramEmitter::emitCheck(const ProgramStep &step) {
  Constant *what = describe.string(step.checked);
  if (step.args.empty())
    return goOnIfZero(builder.CreateCall(
        checkedSize, {runtime, builder.getInt32(table.node(step.sizes[0])),
                      builder.getInt32(table.node(step.sizes[1])), what}));
  int64_t limit = step.limit ? table.node(*step.limit) : -1;
  goOnIfZero(builder.CreateCall(
      checkedCount, {runtime, builder.getInt32(limit),
                     address(program.buffers[step.args[0]]), what}));
}

void ProgramEmitter::goOnIfZero(Value *status) {
  Function *main = builder.GetInsertBlock()->getParent();
  auto *failed = BasicBlock::Create(context, "failed", main),
       *known = BasicBlock::Create(context, "known", main);
  builder.CreateCondBr(builder.CreateIsNull(status), known, failed);
  builder.SetInsertPoint(failed);
  builder.CreateRetVoid();
  builder.SetInsertPoint(known);
}

void ProgramEmitter::emitBlocks(unsigned number, const ProgramStep &step,
                                unsigned numArgs) {
  const ProgramStep::Blocks &blocks = *step.blocks;
  auto padded = [&](ArrayRef<int64_t> bytes) {
    SmallVector<int64_t> list(bytes);
    list.resize(numArgs, 0); // constants and sizes stay
    return sizeAddress(table.run(list));
  };
  builder.CreateCall(
      blocked, {runtime, builder.getInt32(number),
                element(kernels, step.kernel), args, builder.getInt32(numArgs),
                padded(blocks.offsets), padded(blocks.strides),
                builder.getInt64(step.plan->numTasks), size(blocks.count)});
}

void ProgramEmitter::emitTiles(unsigned number, const ProgramStep &step,
                               unsigned numArgs) {
  const ProgramStep::Tiles &tiles = *step.tiles;
  constexpr size_t kFields = sizeof(qd_tile_arg) / sizeof(int64_t);
  static_assert(sizeof(qd_tile_arg) == 10 * sizeof(int64_t) &&
                sizeof(qd_tiles) == 8 * sizeof(int64_t));
  SmallVector<int64_t> places(tiles.places);
  places.resize(numArgs * kFields, 0); // constants and sizes stay
  builder.CreateCall(
      tiled,
      {runtime, builder.getInt32(number), element(kernels, step.kernel), args,
       builder.getInt32(numArgs), builder.getInt64(step.plan->numTasks),
       sizeAddress(table.run(tiles.plan)), sizeAddress(table.run(places)),
       address(program.buffers[tiles.scratch]),
       tiles.padding ? constantAddress(*tiles.padding)
                     : ConstantPointerNull::get(pointer)});
}

/// The steps [begin, end), those of regions between their jumps.
void ProgramEmitter::emitSteps(int64_t begin, int64_t end) {
  while (begin < end) {
    auto number = static_cast<unsigned>(counters.size());
    if (number == program.regions.size() ||
        program.regions[number].firstStep != begin) {
      emitStep(begin, program.steps[begin]);
      ++begin;
      continue;
    }
    const ProgramRegion &region = program.regions[number];
    switch (region.kind) {
    case ProgramRegion::Kind::Loop:
      emitLoop(region);
      break;
    case ProgramRegion::Kind::While:
      emitWhile(region);
      break;
    case ProgramRegion::Kind::Branch:
      emitBranch(region);
      break;
    }
    begin = region.endStep;
  }
}

void ProgramEmitter::emitLoop(const ProgramRegion &loop) {
  BasicBlock *before = builder.GetInsertBlock();
  auto *head = BasicBlock::Create(context, "loop", before->getParent()),
       *exit = BasicBlock::Create(context, "", before->getParent());
  Value *first = builder.getInt64(loop.low), *last = size(loop.high);
  if (SymbolicSizes::isSymbolic(loop.high))
    builder.CreateCondBr(builder.CreateICmpSLT(first, last), head, exit);
  else
    builder.CreateBr(head);
  builder.SetInsertPoint(head);
  PHINode *counter = builder.CreatePHI(builder.getInt64Ty(), 2);
  counters.push_back(counter);
  emitSteps(loop.firstStep, loop.endStep);
  Value *next = builder.CreateAdd(counter, builder.getInt64(1));
  Value *more = builder.CreateICmpSLT(next, last);
  BasicBlock *latch = builder.GetInsertBlock();
  builder.CreateCondBr(more, head, exit);
  counter->addIncoming(first, before);
  counter->addIncoming(next, latch);
  builder.SetInsertPoint(exit);
}

/// Is the first byte of a buffer not 0?
Value *ProgramEmitter::isSet(unsigned buffer) {
  return builder.CreateIsNotNull(
      builder.CreateCall(flag, {runtime, address(program.buffers[buffer])}));
}

void ProgramEmitter::emitWhile(const ProgramRegion &loop) {
  counters.push_back(nullptr);
  Function *main = builder.GetInsertBlock()->getParent();
  auto *head = BasicBlock::Create(context, "while", main),
       *body = BasicBlock::Create(context, "do", main),
       *exit = BasicBlock::Create(context, "", main);
  builder.CreateBr(head);
  builder.SetInsertPoint(head);
  builder.CreateCondBr(isSet(loop.condition), body, exit);
  builder.SetInsertPoint(body);
  emitSteps(loop.firstStep, loop.endStep);
  builder.CreateBr(head);
  builder.SetInsertPoint(exit);
}

void ProgramEmitter::emitBranch(const ProgramRegion &branch) {
  counters.push_back(nullptr);
  Value *condition = isSet(branch.condition);
  Function *main = builder.GetInsertBlock()->getParent();
  auto *taken = BasicBlock::Create(context, "then", main),
       *other = BasicBlock::Create(context, "else", main),
       *behind = BasicBlock::Create(context, "", main);
  builder.CreateCondBr(condition, taken, other);
  builder.SetInsertPoint(taken);
  emitSteps(branch.firstStep, branch.elseStep);
  builder.CreateBr(behind);
  builder.SetInsertPoint(other);
  emitSteps(branch.elseStep, branch.endStep);
  builder.CreateBr(behind);
  builder.SetInsertPoint(behind);
}

Function *ProgramEmitter::emitMain() {
  Type *i32 = builder.getInt32Ty(), *i64 = builder.getInt64Ty();
  Type *none = builder.getVoidTy();
  parallel = runtimeFunction("qd_rt_parallel", none,
                             {pointer, i32, pointer, pointer, i64});
  serial = runtimeFunction("qd_rt_serial", none,
                           {pointer, i32, pointer, pointer, i64});
  blocked = runtimeFunction(
      "qd_rt_blocks", none,
      {pointer, i32, pointer, pointer, i32, pointer, pointer, i64, i64});
  tiled = runtimeFunction("qd_rt_tiles", none,
                          {pointer, i32, pointer, pointer, i32, i64, pointer,
                           pointer, pointer, pointer});
  copy = runtimeFunction("qd_rt_copy", none,
                         {pointer, i32, pointer, pointer, i64, i32});
  computed = runtimeFunction("qd_rt_size", i32,
                             {pointer, i32, i32, i32, i32, pointer});
  checkedCount = runtimeFunction("qd_rt_check_count", i32,
                                 {pointer, i32, pointer, pointer});
  checkedSize =
      runtimeFunction("qd_rt_check_size", i32, {pointer, i32, i32, pointer});
  flag = runtimeFunction("qd_rt_flag", i32, {pointer, pointer});
  grow = runtimeFunction("qd_rt_grow", i32, {pointer, i32, i64});
  weightsImage = new GlobalVariable(
      module, ArrayType::get(builder.getInt8Ty(), 0), /*constant=*/true,
      GlobalValue::ExternalLinkage, nullptr, kWeightsSymbol);
  weightsImage->setVisibility(GlobalValue::HiddenVisibility);
  weightsImage->setDSOLocal(true);
  // The image may lie more than 2 GiB away from the code.
  weightsImage->setCodeModel(CodeModel::Large);

  auto *main = Function::Create(
      FunctionType::get(none, SmallVector<Type *>(9, pointer), false),
      GlobalValue::InternalLinkage, "qd_program_main", module);
  builder.SetInsertPoint(BasicBlock::Create(context, "entry", main));
  runtime = main->getArg(0);
  arenas = main->getArg(1);
  arena = element(arenas, 0);
  kernels = main->getArg(2);
  sizes = main->getArg(5);
  offsets = main->getArg(6);
  weightsBase = main->getArg(7);
  kernelSizes = main->getArg(8);
  for (const ProgramBuffer &buffer : program.buffers)
    if (program.isDynamic() && buffer.storage == Storage::Arena && buffer.bytes)
      placed.push_back(&buffer);
  for (unsigned i = 0; i < program.inputs.size(); ++i)
    inputs.push_back(element(main->getArg(3), i));
  for (unsigned i = 0; i < program.outputs.size(); ++i)
    outputs.push_back(element(main->getArg(4), i));
  size_t most = 1;
  for (const ProgramStep &step : program.steps)
    if (step.plan)
      most = std::max(most, step.args.size() + step.plan->constants.size() +
                                !step.sizes.empty());
  args = builder.CreateAlloca(ArrayType::get(pointer, most));
  emitSteps(0, program.steps.size());
  builder.CreateRetVoid();
  return main;
}

/// The nodes of all dimensions, one tensor after the other.
Constant *ProgramEmitter::dims(ArrayRef<ProgramTensor> tensors) {
  SmallVector<Constant *> list;
  for (const ProgramTensor &tensor : tensors)
    for (int64_t size : tensor.sizes)
      list.push_back(describe.i32(table.node(size)));
  return describe.array(list);
}

/// The places of outputs in the list of buffers, -1 for the caller's memory.
Constant *ProgramEmitter::outputBuffers() {
  SmallVector<Constant *> list;
  for (const ProgramTensor &output : program.outputs) {
    int64_t number = -1;
    if (output.buffer)
      number = find(placed, &program.buffers[*output.buffer]) - placed.begin();
    list.push_back(describe.i32(static_cast<uint32_t>(number)));
  }
  return describe.array(list);
}

/// A qd_variant.
Constant *ProgramEmitter::variant(const ProgramVariant &variant) {
  Type *i64 = builder.getInt64Ty();
  SmallVector<Constant *> functions, gpuKernels;
  for (const std::string &symbol : variant.symbols)
    functions.push_back(
        runtimeFunction(symbol, builder.getVoidTy(), {pointer, i64, i64}));
  for (const GpuKernelCode &kernel : variant.gpuKernels)
    gpuKernels.push_back(describe.record(
        {describe.string(kernel.symbol), describe.string(kernel.code),
         kernel.binary.empty() ? ConstantPointerNull::get(pointer)
                               : describe.string(kernel.binary),
         describe.i64(kernel.blocks), describe.i32(kernel.threads),
         describe.i32(kernel.sharedBytes), describe.i32(kernel.tasks),
         describe.i32(kernel.numArguments), describe.i32(kernel.numStrides)}));
  return describe.record({describe.i64(variant.isa), describe.array(functions),
                          describe.array(gpuKernels),
                          describe.i32(program.kernels.size())});
}

GlobalVariable *
ProgramEmitter::emitDescription(ArrayRef<ProgramVariant> variants,
                                const ProgramIdentity &identity,
                                Function *main) {
  SmallVector<Constant *> variantRecords;
  std::vector<std::string> variantNames, stepNames;
  bool isGpu = false;
  for (const ProgramVariant &one : variants) {
    variantRecords.push_back(variant(one));
    variantNames.push_back(one.name);
    isGpu |= !one.gpuKernels.empty();
  }
  for (const ProgramStep &step : program.steps)
    stepNames.push_back(step.name);

  SmallVector<Constant *> symbols, nodes, buffers;
  for (const SymbolicSizes::Symbol &symbol : program.sizes.symbols())
    symbols.push_back(
        describe.record({describe.string(symbol.name), describe.i64(symbol.low),
                         describe.i64(symbol.high), describe.i64(symbol.step),
                         describe.i32(symbol.isComputed)}));
  Constant *inputDims = nullptr, *outputDims = nullptr, *owned = nullptr;
  if (program.isDynamic()) {
    inputDims = dims(program.inputs);
    outputDims = dims(program.outputs);
    for (const ProgramBuffer *buffer : placed)
      buffers.push_back(describe.record(
          {describe.i32(table.node(buffer->bytes)),
           describe.i32(buffer->firstStep), describe.i32(buffer->lastStep),
           describe.i32(buffer->index)}));
    owned = outputBuffers();
    for (const SizeTable::Node &node : table.nodes)
      nodes.push_back(
          describe.record({describe.i32(node.kind), describe.i32(node.lhs),
                           describe.i32(node.rhs), describe.i64(node.number)}));
  } else {
    inputDims = outputDims = owned = ConstantPointerNull::get(pointer);
  }

  Constant *info = describe.record(
      {describe.i32(QDIALECT_MODEL_ABI), describe.i32(QD_ALIGNMENT),
       describe.string(identity.prefix), describe.i32(program.inputs.size()),
       describe.i32(program.outputs.size()), describe.i32(stepNames.size()),
       describe.i32(variantNames.size()),
       describe.tensors(program.inputs, program.sizes),
       describe.tensors(program.outputs, program.sizes),
       describe.strings(stepNames), describe.strings(variantNames),
       describe.string(identity.receipt), describe.i64(identity.receipt.size()),
       describe.i64(program.arenaBytes), describe.i64(weights.bytes),
       describe.i32(symbols.size()), describe.array(symbols)});
  Constant *gpuRuntime = ConstantPointerNull::get(pointer);
  if (isGpu) {
    auto *table = new GlobalVariable(module, pointer, /*constant=*/true,
                                     GlobalValue::ExternalLinkage, nullptr,
                                     "qd_gpu_functions");
    table->setVisibility(GlobalValue::HiddenVisibility);
    table->setDSOLocal(true);
    gpuRuntime = table;
  }
  return describe.global(describe.record(
      {info, describe.array(variantRecords), main, describe.i32(nodes.size()),
       describe.i32(buffers.size()), describe.i32(program.numArenas),
       describe.array(nodes), describe.array(buffers), inputDims, outputDims,
       owned, weightsImage, gpuRuntime}));
}

} // namespace

std::unique_ptr<Module> qdialect::emitProgram(LLVMContext &context,
                                              const Program &program,
                                              const WeightsLayout &weights,
                                              ArrayRef<ProgramVariant> variants,
                                              const ProgramIdentity &identity) {
  auto module = std::make_unique<Module>("qd_program", context);
  module->setPICLevel(PICLevel::BigPIC);
  ProgramEmitter emitter(*module, program, weights);
  Function *main = emitter.emitMain();
  emitEntryPoints(*module, identity.prefix,
                  emitter.emitDescription(variants, identity, main));
  return module;
}
