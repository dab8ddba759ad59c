// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The subtarget is always "x86-64" (or "generic" for AArch64) plus the
// variant's own features: a CPU name would let the code generator use
// instructions that the runtime's check knows nothing of. The CPU name only
// chooses the schedule (tune-cpu).

#include "ObjectCode.h"
#include "QDialect/CodeGen/CPU/OptimizeModule.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"
#include <mutex>

using namespace llvm;
using namespace qdialect;

static Expected<std::unique_ptr<TargetMachine>>
createTargetMachine(const CpuTarget &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
  });
  Triple triple(target.isArm() ? "aarch64-unknown-linux-gnu"
                               : "x86_64-unknown-linux-gnu");
  std::string error;
  const Target *backend = TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return createStringError("no code generator for " + triple.str() + ": " +
                             error);
  TargetOptions options;
  options.AllowFPOpFusion = FPOpFusion::Strict; // fma only where the IR says so
  options.FunctionSections = true;
  std::unique_ptr<TargetMachine> machine(backend->createTargetMachine(
      triple, target.isArm() ? "generic" : "x86-64", target.features, options,
      Reloc::PIC_, CodeModel::Small));
  if (!machine)
    return createStringError("cannot create a code generator for " +
                             triple.str());
  return std::move(machine);
}

Expected<ObjectBytes> qdialect::compileModule(Module &module,
                                              const CpuTarget &target) {
  auto machine = createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    if (!target.tune.empty())
      function.addFnAttr("tune-cpu", target.tune);
    // Several server tunings prefer 256-bit vectors; ours is code that was
    // laid out for 512.
    if (target.hasAvx512())
      function.addFnAttr("prefer-vector-width", "512");
  }
  optimizeModule(module, **machine);

  ObjectBytes object;
  raw_svector_ostream stream(object);
  legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr,
                                      CodeGenFileType::ObjectFile))
    return createStringError("the code generator cannot write objects");
  passes.run(module);
  return object;
}
