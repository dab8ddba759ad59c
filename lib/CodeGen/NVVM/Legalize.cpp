// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What kernels written for CPUs use and GPUs have not.

#include "Legalize.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace mlir;

namespace qdialect::gpu {

/// Local memory of a thread; the hardware has 512 KiB.
static constexpr uint64_t kMaxLocalBytes = 256 << 10;
static constexpr uint64_t kAlignment = 64;

void expandRounding(ModuleOp module) {
  module.walk([](LLVM::LrintOp op) {
    OpBuilder builder(op);
    Value whole = LLVM::RoundEvenOp::create(builder, op.getLoc(), op.getVal());
    Value integer =
        LLVM::FPToSIOp::create(builder, op.getLoc(), op.getType(), whole);
    op.getResult().replaceAllUsesWith(integer);
    op.erase();
  });
}

/// The bytes that a call of malloc asks for, where they are a number.
static std::optional<uint64_t> allocatedBytes(const llvm::CallInst &call) {
  const auto *bytes = llvm::dyn_cast<llvm::ConstantInt>(call.getArgOperand(0));
  if (!bytes)
    return std::nullopt;
  return bytes->getZExtValue();
}

llvm::Error replaceAllocations(llvm::Module &module) {
  llvm::SmallVector<llvm::CallInst *> allocations, releases;
  for (llvm::Function &function : module) {
    if (!function.isDeclaration() || function.isIntrinsic() ||
        function.use_empty())
      continue;
    llvm::StringRef name = function.getName();
    if (name != "malloc" && name != "free")
      return llvm::createStringError("a GPU kernel cannot call '" + name + "'");
    for (llvm::User *user : function.users())
      (name == "malloc" ? allocations : releases)
          .push_back(llvm::cast<llvm::CallInst>(user));
  }
  for (llvm::CallInst *call : releases)
    call->eraseFromParent();
  uint64_t total = 0;
  for (llvm::CallInst *call : allocations) {
    std::optional<uint64_t> bytes = allocatedBytes(*call);
    if (!bytes)
      return llvm::createStringError(
          "a GPU kernel needs temporary memory whose size is symbolic");
    total += *bytes + kAlignment;
    if (total > kMaxLocalBytes)
      return llvm::createStringError("a GPU kernel needs more than " +
                                     llvm::Twine(kMaxLocalBytes) +
                                     " bytes of temporary memory a thread");
    llvm::BasicBlock &entry = call->getFunction()->getEntryBlock();
    llvm::IRBuilder<> builder(&entry, entry.getFirstInsertionPt());
    llvm::AllocaInst *local =
        builder.CreateAlloca(llvm::ArrayType::get(builder.getInt8Ty(), *bytes));
    local->setAlignment(llvm::Align(kAlignment));
    call->replaceAllUsesWith(local);
    call->eraseFromParent();
  }
  return llvm::Error::success();
}

} // namespace qdialect::gpu
