// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One straight-line main function: for each step it computes the addresses of
// the arguments, stores them in an array and calls the runtime. Every address
// and every size comes from one function here (address, bytes), which is where
// run-time expressions over the dimensions will go.
//
// The structs mirror runtime/include/qdialect/model.h and
// runtime/src/program.h field by field.

#include "QDialect/CodeGen/Program/EmitProgram.h"
#include "qdialect/model.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/CodeGen.h"

using namespace llvm;
using namespace qdialect;
using Storage = ProgramBuffer::Storage;

std::string qdialect::kernelSymbol(const ProgramKernel &kernel,
                                   const CpuTarget &target) {
  return kernel.symbol + "_" + target.name;
}

namespace {

/// Constants of the description, as the C compiler would lay them out.
class DescriptionBuilder {
public:
  explicit DescriptionBuilder(Module &module)
      : module(module), context(module.getContext()),
        pointer(PointerType::getUnqual(context)) {}

  Constant *i32(uint64_t value) {
    return ConstantInt::get(Type::getInt32Ty(context), value);
  }
  Constant *i64(uint64_t value) {
    return ConstantInt::get(Type::getInt64Ty(context), value);
  }
  Constant *record(ArrayRef<Constant *> fields) {
    return ConstantStruct::getAnon(context, fields);
  }
  Constant *string(StringRef text) {
    return global(ConstantDataArray::getString(context, text));
  }
  /// The address of an array of equal types; null if it is empty.
  Constant *array(ArrayRef<Constant *> elements) {
    if (elements.empty())
      return ConstantPointerNull::get(pointer);
    auto *type = ArrayType::get(elements.front()->getType(), elements.size());
    return global(ConstantArray::get(type, elements));
  }
  GlobalVariable *global(Constant *value) {
    auto *result =
        new GlobalVariable(module, value->getType(), /*constant=*/true,
                           GlobalValue::PrivateLinkage, value, "qd");
    result->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
    return result;
  }
  Constant *tensors(ArrayRef<ProgramTensor> list);
  Constant *strings(ArrayRef<std::string> list);

private:
  Module &module;
  LLVMContext &context;
  PointerType *pointer;
};

Constant *DescriptionBuilder::tensors(ArrayRef<ProgramTensor> list) {
  SmallVector<Constant *> records;
  for (const ProgramTensor &tensor : list) {
    SmallVector<Constant *> dims;
    for (int64_t dim : tensor.shape)
      dims.push_back(i64(dim));
    records.push_back(
        record({string(tensor.name), i32(static_cast<uint32_t>(tensor.type)),
                i32(tensor.shape.size()), array(dims), i64(tensor.bytes)}));
  }
  return array(records);
}

Constant *DescriptionBuilder::strings(ArrayRef<std::string> list) {
  SmallVector<Constant *> pointers;
  for (const std::string &text : list)
    pointers.push_back(string(text));
  return array(pointers);
}

class ProgramEmitter {
public:
  ProgramEmitter(Module &module, const Program &program,
                 const WeightsLayout &weights)
      : module(module), context(module.getContext()), program(program),
        weights(weights), builder(context), describe(module),
        pointer(PointerType::getUnqual(context)) {}

  Function *emitMain();
  GlobalVariable *emitDescription(ArrayRef<CpuTarget> targets,
                                  const ProgramIdentity &identity,
                                  Function *main);
  void emitEntryPoints(StringRef prefix, GlobalVariable *description);

private:
  Function *runtimeFunction(StringRef name, Type *result,
                            ArrayRef<Type *> arguments);
  void emitStep(unsigned number, const ProgramStep &step);
  Value *address(const ProgramBuffer &buffer);
  Value *constantAddress(unsigned number);
  Value *bytes(const ProgramBuffer &buffer) {
    return builder.getInt64(buffer.bytes);
  }
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
  PointerType *pointer;
  // Values of the main function.
  Value *runtime = nullptr, *arena = nullptr, *kernels = nullptr;
  SmallVector<Value *> inputs, outputs;
  Value *args = nullptr;
  GlobalVariable *weightsImage = nullptr;
  Function *parallel = nullptr, *serial = nullptr, *copy = nullptr;
};

/// Everything that crosses object files but not the library is hidden.
Function *ProgramEmitter::runtimeFunction(StringRef name, Type *result,
                                          ArrayRef<Type *> arguments) {
  auto *function = Function::Create(FunctionType::get(result, arguments, false),
                                    GlobalValue::ExternalLinkage, name, module);
  function->setVisibility(GlobalValue::HiddenVisibility);
  function->setDSOLocal(true);
  return function;
}

Value *ProgramEmitter::constantAddress(unsigned number) {
  return byteOffset(weightsImage, weights.offsets[number]);
}

Value *ProgramEmitter::address(const ProgramBuffer &buffer) {
  switch (buffer.storage) {
  case Storage::Arena:
    return byteOffset(arena, buffer.offset);
  case Storage::Input:
    return inputs[buffer.index];
  case Storage::Output:
    return outputs[buffer.index];
  case Storage::Constant:
    return constantAddress(buffer.index);
  }
  llvm_unreachable("unknown storage");
}

void ProgramEmitter::emitStep(unsigned number, const ProgramStep &step) {
  if (step.kind == ProgramStep::Kind::Copy) {
    const ProgramBuffer &source = program.buffers[step.args[0]];
    builder.CreateCall(copy,
                       {runtime, builder.getInt32(number),
                        address(program.buffers[step.args[1]]), address(source),
                        bytes(source), builder.getInt32(step.flip ? 0x80 : 0)});
    return;
  }
  SmallVector<Value *> pointers;
  for (unsigned buffer : step.args)
    pointers.push_back(address(program.buffers[buffer]));
  for (unsigned i = 0; i < step.plan->constants.size(); ++i)
    pointers.push_back(constantAddress(step.firstConstant + i));
  for (auto [i, value] : enumerate(pointers))
    builder.CreateStore(value, builder.CreateConstGEP1_64(pointer, args, i));
  builder.CreateCall(step.serial ? serial : parallel,
                     {runtime, builder.getInt32(number),
                      element(kernels, step.kernel), args,
                      builder.getInt64(step.plan->numTasks)});
}

Function *ProgramEmitter::emitMain() {
  Type *i32 = builder.getInt32Ty(), *i64 = builder.getInt64Ty();
  Type *none = builder.getVoidTy();
  parallel = runtimeFunction("qd_rt_parallel", none,
                             {pointer, i32, pointer, pointer, i64});
  serial = runtimeFunction("qd_rt_serial", none,
                           {pointer, i32, pointer, pointer, i64});
  copy = runtimeFunction("qd_rt_copy", none,
                         {pointer, i32, pointer, pointer, i64, i32});
  weightsImage = new GlobalVariable(
      module, ArrayType::get(builder.getInt8Ty(), 0), /*constant=*/true,
      GlobalValue::ExternalLinkage, nullptr, kWeightsSymbol);
  weightsImage->setVisibility(GlobalValue::HiddenVisibility);
  weightsImage->setDSOLocal(true);
  // The image may lie more than 2 GiB away from the code.
  weightsImage->setCodeModel(CodeModel::Large);

  auto *main = Function::Create(
      FunctionType::get(none, {pointer, pointer, pointer, pointer, pointer},
                        false),
      GlobalValue::InternalLinkage, "qd_program_main", module);
  builder.SetInsertPoint(BasicBlock::Create(context, "entry", main));
  runtime = main->getArg(0);
  arena = main->getArg(1);
  kernels = main->getArg(2);
  for (unsigned i = 0; i < program.inputs.size(); ++i)
    inputs.push_back(element(main->getArg(3), i));
  for (unsigned i = 0; i < program.outputs.size(); ++i)
    outputs.push_back(element(main->getArg(4), i));
  size_t most = 1;
  for (const ProgramStep &step : program.steps)
    if (step.plan)
      most = std::max(most, step.args.size() + step.plan->constants.size());
  args = builder.CreateAlloca(ArrayType::get(pointer, most));
  for (auto [number, step] : enumerate(program.steps))
    emitStep(number, step);
  builder.CreateRetVoid();
  return main;
}

GlobalVariable *ProgramEmitter::emitDescription(ArrayRef<CpuTarget> targets,
                                                const ProgramIdentity &identity,
                                                Function *main) {
  Type *i64 = builder.getInt64Ty();
  SmallVector<Constant *> variants;
  std::vector<std::string> variantNames, stepNames;
  for (const CpuTarget &target : targets) {
    SmallVector<Constant *> table;
    for (const ProgramKernel &kernel : program.kernels)
      table.push_back(runtimeFunction(kernelSymbol(kernel, target),
                                      builder.getVoidTy(),
                                      {pointer, i64, i64}));
    variants.push_back(
        describe.record({describe.i64(target.isa), describe.array(table)}));
    variantNames.push_back(target.name);
  }
  for (const ProgramStep &step : program.steps)
    stepNames.push_back(step.name);

  Constant *info = describe.record(
      {describe.i32(QDIALECT_MODEL_ABI), describe.i32(QD_ALIGNMENT),
       describe.string(identity.prefix), describe.i32(program.inputs.size()),
       describe.i32(program.outputs.size()), describe.i32(stepNames.size()),
       describe.i32(variantNames.size()), describe.tensors(program.inputs),
       describe.tensors(program.outputs), describe.strings(stepNames),
       describe.strings(variantNames), describe.string(identity.receipt),
       describe.i64(identity.receipt.size()), describe.i64(program.arenaBytes),
       describe.i64(weights.bytes)});
  return describe.global(
      describe.record({info, describe.array(variants), main}));
}

/// `<prefix>_create(a, b)` calls `qd_rt_create(program, a, b)`, the others pass
/// their arguments on.
void ProgramEmitter::emitEntryPoints(StringRef prefix,
                                     GlobalVariable *description) {
  Type *i32 = builder.getInt32Ty(), *none = builder.getVoidTy();
  struct EntryPoint {
    StringRef name;
    Type *result;
    SmallVector<Type *> arguments;
    bool takesProgram;
  };
  const EntryPoint entryPoints[] = {
      {"create", i32, {pointer, pointer}, true},
      {"run", i32, {pointer, pointer, pointer}, false},
      {"destroy", none, {pointer}, false},
      {"variant", pointer, {pointer}, false},
      {"profile", i32, {pointer, pointer}, false},
      {"status_string", pointer, {i32}, false}};
  auto begin = [&](StringRef name, Type *result, ArrayRef<Type *> arguments) {
    auto *function = Function::Create(
        FunctionType::get(result, arguments, false),
        GlobalValue::ExternalLinkage, prefix + "_" + name, module);
    builder.SetInsertPoint(BasicBlock::Create(context, "entry", function));
    return function;
  };
  for (const EntryPoint &entry : entryPoints) {
    SmallVector<Type *> types;
    SmallVector<Value *> values;
    if (entry.takesProgram) {
      types.push_back(pointer);
      values.push_back(description);
    }
    append_range(types, entry.arguments);
    Function *target =
        runtimeFunction(("qd_rt_" + entry.name).str(), entry.result, types);
    Function *function = begin(entry.name, entry.result, entry.arguments);
    for (Argument &argument : function->args())
      values.push_back(&argument);
    Value *result = builder.CreateCall(target, values);
    if (entry.result == none)
      builder.CreateRetVoid();
    else
      builder.CreateRet(result);
  }
  // The description starts with its qd_info.
  begin("info", pointer, {});
  builder.CreateRet(description);
}

} // namespace

std::unique_ptr<Module> qdialect::emitProgram(LLVMContext &context,
                                              const Program &program,
                                              const WeightsLayout &weights,
                                              ArrayRef<CpuTarget> targets,
                                              const ProgramIdentity &identity) {
  auto module = std::make_unique<Module>("qd_program", context);
  module->setPICLevel(PICLevel::BigPIC);
  ProgramEmitter emitter(*module, program, weights);
  Function *main = emitter.emitMain();
  emitter.emitEntryPoints(identity.prefix,
                          emitter.emitDescription(targets, identity, main));
  return module;
}
