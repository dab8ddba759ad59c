// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pipeline is the CPU's with NVVM's own lowering in front: kernels are LLVM
// functions from the start, so no gpu.module is needed.

#include "QDialect/CodeGen/NVVM/Ptx.h"
#include "Legalize.h"
#include "QDialect/CodeGen/CPU/KernelPlan.h"
#include "QDialect/CodeGen/CPU/OptimizeModule.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>

using namespace llvm;

namespace qdialect {

void loadGpuDialects(mlir::MLIRContext &context) {
  loadKernelDialects(context);
  context.getOrLoadDialect<mlir::NVVM::NVVMDialect>();
  mlir::registerBuiltinDialectTranslation(context);
  mlir::registerLLVMDialectTranslation(context);
  mlir::registerNVVMDialectTranslation(context);
}

static Expected<std::unique_ptr<TargetMachine>>
createTargetMachine(const GpuTarget &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const Target *backend = TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return createStringError("no code generator for " + triple.str() + ": " +
                             error);
  TargetOptions options;
  options.AllowFPOpFusion = FPOpFusion::Strict; // fma only where the IR says so
  std::unique_ptr<TargetMachine> machine(backend->createTargetMachine(
      triple, target.name, target.features, options, std::nullopt));
  if (!machine)
    return createStringError("cannot create a code generator for " +
                             target.name);
  return std::move(machine);
}

/// Everything but kernels belongs to them: a call would pass its arguments
/// through memory.
static void inlineHelpers(Module &module) {
  for (Function &function : module) {
    if (function.isDeclaration() ||
        function.getCallingConv() == CallingConv::PTX_Kernel)
      continue;
    function.setLinkage(GlobalValue::InternalLinkage);
    function.removeFnAttr(Attribute::NoInline);
    function.addFnAttr(Attribute::AlwaysInline);
  }
}

/// The C library's functions, of which there are none on GPUs: the code
/// generator would print a message without a place and go on.
static Error requireNoLibrary(const Module &module) {
  for (const Function &function : module) {
    if (!function.isDeclaration() || function.use_empty())
      continue;
    StringRef name = function.getName();
    if (function.isIntrinsic()) {
      static constexpr Intrinsic::ID kLibrary[] = {
          Intrinsic::sin,  Intrinsic::cos,   Intrinsic::tan,   Intrinsic::asin,
          Intrinsic::acos, Intrinsic::atan,  Intrinsic::sinh,  Intrinsic::cosh,
          Intrinsic::tanh, Intrinsic::atan2, Intrinsic::exp,   Intrinsic::exp2,
          Intrinsic::log,  Intrinsic::log2,  Intrinsic::log10, Intrinsic::pow};
      if (!is_contained(kLibrary, function.getIntrinsicID()))
        continue;
      name = Intrinsic::getBaseName(function.getIntrinsicID());
      name.consume_front("llvm.");
    }
    return createStringError("it computes '" + name +
                             "' in f64 by the C library, which GPUs lack");
  }
  return Error::success();
}

Expected<std::string> translateToPtx(mlir::ModuleOp module,
                                     const GpuTarget &target) {
  gpu::expandRounding(module);
  mlir::PassManager passes(module.getContext(),
                           mlir::ModuleOp::getOperationName());
  passes.addPass(mlir::createConvertNVVMToLLVMPass());
  addKernelLoweringPasses(passes);
  if (failed(passes.run(module)))
    return createStringError("the kernel cannot be lowered");
  LLVMContext context;
  std::unique_ptr<Module> code =
      mlir::translateModuleToLLVMIR(module, context, "qd_kernel");
  if (!code)
    return createStringError("the kernel cannot be translated to LLVM IR");
  auto machine = createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  code->setTargetTriple((*machine)->getTargetTriple());
  code->setDataLayout((*machine)->createDataLayout());
  inlineHelpers(*code);
  optimizeModule(*code, **machine);
  if (Error error = gpu::replaceAllocations(*code))
    return std::move(error);
  if (Error error = requireNoLibrary(*code))
    return std::move(error);

  SmallString<0> text;
  raw_svector_ostream stream(text);
  legacy::PassManager printer;
  if ((*machine)->addPassesToEmitFile(printer, stream, nullptr,
                                      CodeGenFileType::AssemblyFile))
    return createStringError("the code generator cannot write PTX");
  printer.run(*code);
  return text.str().str();
}

} // namespace qdialect
