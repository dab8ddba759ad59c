// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds the constants that describe a program to the runtime.

#ifndef QDIALECT_LIB_CODEGEN_PROGRAM_DESCRIPTIONBUILDER_H
#define QDIALECT_LIB_CODEGEN_PROGRAM_DESCRIPTIONBUILDER_H

#include "QDialect/CodeGen/Program/Program.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"

namespace qdialect {

/// Constants of the description, as the C compiler would lay them out.
class DescriptionBuilder {
public:
  explicit DescriptionBuilder(llvm::Module &module)
      : module(module), context(module.getContext()),
        pointer(llvm::PointerType::getUnqual(context)) {}

  llvm::Constant *i32(uint64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt32Ty(context), value);
  }
  llvm::Constant *i64(uint64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt64Ty(context), value);
  }
  llvm::Constant *record(llvm::ArrayRef<llvm::Constant *> fields) {
    return llvm::ConstantStruct::getAnon(context, fields);
  }
  llvm::Constant *string(llvm::StringRef text) {
    return global(llvm::ConstantDataArray::getString(context, text));
  }
  /// The address of an array of equal types; null if it is empty.
  llvm::Constant *array(llvm::ArrayRef<llvm::Constant *> elements) {
    if (elements.empty())
      return llvm::ConstantPointerNull::get(pointer);
    auto *type =
        llvm::ArrayType::get(elements.front()->getType(), elements.size());
    return global(llvm::ConstantArray::get(type, elements));
  }
  llvm::GlobalVariable *global(llvm::Constant *value) {
    auto *result = new llvm::GlobalVariable(
        module, value->getType(), /*constant=*/true,
        llvm::GlobalValue::PrivateLinkage, value, "qd");
    result->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
    return result;
  }
  llvm::Constant *tensors(llvm::ArrayRef<ProgramTensor> list,
                          const SymbolicSizes &sizes);
  llvm::Constant *strings(llvm::ArrayRef<std::string> list);

private:
  llvm::Module &module;
  llvm::LLVMContext &context;
  llvm::PointerType *pointer;
};

} // namespace qdialect

#endif // QDIALECT_LIB_CODEGEN_PROGRAM_DESCRIPTIONBUILDER_H
