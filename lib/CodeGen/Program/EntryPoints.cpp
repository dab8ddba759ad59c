// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each entry point is a call of the runtime's function of its name.

#include "EntryPoints.h"
#include "llvm/IR/IRBuilder.h"

using namespace llvm;

Function *qdialect::declareHidden(Module &module, StringRef name, Type *result,
                                  ArrayRef<Type *> arguments) {
  // Variants may share kernels.
  if (Function *known = module.getFunction(name))
    return known;
  auto *function = Function::Create(FunctionType::get(result, arguments, false),
                                    GlobalValue::ExternalLinkage, name, module);
  function->setVisibility(GlobalValue::HiddenVisibility);
  function->setDSOLocal(true);
  return function;
}

void qdialect::emitEntryPoints(Module &module, StringRef prefix,
                               GlobalVariable *description) {
  LLVMContext &context = module.getContext();
  IRBuilder<> builder(context);
  Type *pointer = PointerType::getUnqual(context);
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
      {"run_dims", i32, {pointer, pointer, pointer, pointer}, false},
      {"output_dims", i32, {pointer, pointer, pointer}, false},
      {"result", pointer, {pointer, i32, pointer}, false},
      {"error", pointer, {pointer}, false},
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
    Function *target = declareHidden(module, ("qd_rt_" + entry.name).str(),
                                     entry.result, types);
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
