// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plan, emit, lower, translate, optimise, JIT, run.

#include "KernelHarness.h"

#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>

using namespace mlir;

namespace qdialect::testing {

unsigned testSeed() {
  static const unsigned seed = [] {
    const char *text = std::getenv("QDIALECT_TEST_SEED");
    unsigned value = text ? static_cast<unsigned>(std::atoi(text)) : 1;
    std::fprintf(stderr, "QDIALECT_TEST_SEED=%u\n", value);
    return value;
  }();
  return seed;
}

DispatchModule::DispatchModule(llvm::StringRef text) {
  loadKernelDialects(context);
  registerBuiltinDialectTranslation(context);
  registerLLVMDialectTranslation(context);
  module = parseSourceString<ModuleOp>(text, &context);
}
DispatchModule::~DispatchModule() = default;

qd::DispatchOp DispatchModule::dispatch() {
  qd::DispatchOp found;
  module->walk([&](qd::DispatchOp op) { found = op; });
  return found;
}

llvm::SmallVector<HostTensor>
DispatchModule::randomInputs(std::mt19937 &random) {
  llvm::SmallVector<HostTensor> inputs;
  for (Type type : dispatch().getInputs().getTypes()) {
    auto tensorType = cast<RankedTensorType>(type);
    DType dtype = *hostType(tensorType.getElementType());
    HostTensor tensor(dtype, tensorType.getShape().vec());
    char *bytes = tensor.mutableBytes();
    if (dtype == DType::F32) {
      std::normal_distribution<float> normal(0, 2);
      for (int64_t i = 0; i < tensor.size(); ++i)
        reinterpret_cast<float *>(bytes)[i] = normal(random);
    } else {
      for (size_t i = 0; i < tensor.sizeInBytes(); ++i)
        bytes[i] =
            static_cast<char>(dtype == DType::I1 ? random() & 1 : random());
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

HostTensor DispatchModule::expected(llvm::ArrayRef<HostTensor> inputs) {
  auto main = module->lookupSymbol<func::FuncOp>("main");
  auto results = interpret(main, inputs);
  if (!results) {
    std::fprintf(stderr, "interpreter: %s\n",
                 toString(results.takeError()).c_str());
    std::abort();
  }
  return (*results)[0];
}

/// Bytes with 64 of slack behind, and guards around what a kernel may write.
struct CompiledKernel::Buffer {
  static constexpr size_t kGuard = 256;
  static constexpr char kGuardByte = 0x5a;
  std::unique_ptr<char, decltype(&std::free)> storage{nullptr, &std::free};
  size_t size = 0;

  explicit Buffer(size_t bytes) : size(bytes) {
    size_t total = (bytes + 3 * kGuard) / 64 * 64;
    storage.reset(static_cast<char *>(std::aligned_alloc(64, total)));
    std::fill_n(storage.get(), total, kGuardByte);
  }
  char *data() const { return storage.get() + kGuard; }
  bool guardsIntact() const {
    auto intact = [](char byte) { return byte == kGuardByte; };
    return std::all_of(storage.get(), data(), intact) &&
           std::all_of(data() + size, data() + size + kGuard, intact);
  }
};

static bool isFlipped(Type tensor) {
  return cast<RankedTensorType>(tensor).getElementType().isInteger(8);
}

CompiledKernel::~CompiledKernel() = default;

std::unique_ptr<CompiledKernel>
CompiledKernel::create(DispatchModule &module, const CpuTarget &target,
                       const KernelOptions &options) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  std::unique_ptr<CompiledKernel> kernel(new CompiledKernel());
  qd::DispatchOp dispatch = module.dispatch();
  auto plan = planKernel(dispatch, options);
  if (failed(plan))
    return nullptr;
  kernel->plan = std::move(*plan);
  kernel->resultType = cast<RankedTensorType>(dispatch->getResult(0).getType());

  OwningOpRef<ModuleOp> code = ModuleOp::create(dispatch.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(code->getBody());
  if (failed(kernel->plan->emit(builder, target, "kernel")))
    return nullptr;
  if (const char *path = std::getenv("QDIALECT_DUMP_MLIR")) {
    std::error_code error;
    llvm::raw_fd_ostream os(path, error);
    code->print(os);
  }
  PassManager pm(code->getContext());
  addKernelLoweringPasses(pm);
  if (failed(pm.run(*code)))
    return nullptr;
  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> ir =
      translateModuleToLLVMIR(*code, *llvmContext);
  if (!ir)
    return nullptr;

  llvm::orc::JITTargetMachineBuilder machine{
      llvm::Triple(llvm::sys::getProcessTriple())};
  machine.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  llvm::SmallVector<llvm::StringRef> features;
  llvm::StringRef(target.features).split(features, ',', -1, false);
  for (llvm::StringRef feature : features)
    machine.getFeatures().AddFeature(feature);
  auto targetMachine = llvm::cantFail(machine.createTargetMachine());
  ir->setDataLayout(targetMachine->createDataLayout());
  ir->setTargetTriple(targetMachine->getTargetTriple());
  llvm::LoopAnalysisManager lam;
  llvm::FunctionAnalysisManager fam;
  llvm::CGSCCAnalysisManager cgam;
  llvm::ModuleAnalysisManager mam;
  llvm::PassBuilder passes(targetMachine.get());
  passes.registerModuleAnalyses(mam);
  passes.registerCGSCCAnalyses(cgam);
  passes.registerFunctionAnalyses(fam);
  passes.registerLoopAnalyses(lam);
  passes.crossRegisterProxies(lam, fam, cgam, mam);
  passes.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(*ir, mam);
  if (const char *path = std::getenv("QDIALECT_DUMP_LLVM")) {
    std::error_code error;
    llvm::raw_fd_ostream os(path, error);
    ir->print(os, nullptr);
  }

  kernel->jit = llvm::cantFail(
      llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(machine).create());
  kernel->jit->getMainJITDylib().addGenerator(llvm::cantFail(
      llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
          kernel->jit->getDataLayout().getGlobalPrefix())));
  llvm::cantFail(kernel->jit->addIRModule(
      llvm::orc::ThreadSafeModule(std::move(ir), std::move(llvmContext))));
  kernel->entry = llvm::cantFail(kernel->jit->lookup("kernel"))
                      .toPtr<void (*)(void **, int64_t, int64_t)>();
  for (ConstantBlob &blob : kernel->plan->constants) {
    Buffer &buffer = kernel->constants.emplace_back(blob.size);
    std::fill_n(buffer.data(), blob.size, 0);
    blob.fill(llvm::MutableArrayRef<char>(buffer.data(), blob.size));
  }
  return kernel;
}

void CompiledKernel::bind(llvm::ArrayRef<HostTensor> inputs) {
  operands.clear();
  pointers.clear();
  for (const HostTensor &input : inputs) {
    Buffer &buffer = operands.emplace_back(input.sizeInBytes());
    std::memcpy(buffer.data(), input.bytes(), buffer.size);
    if (input.type() == DType::I8)
      for (size_t i = 0; i < buffer.size; ++i)
        buffer.data()[i] ^= static_cast<char>(0x80);
  }
  DType dtype = *hostType(resultType.getElementType());
  operands.emplace_back(resultType.getNumElements() * byteWidth(dtype));
  for (Buffer &buffer : operands)
    pointers.push_back(buffer.data());
  for (Buffer &buffer : constants)
    pointers.push_back(buffer.data());
}

HostTensor CompiledKernel::run(llvm::ArrayRef<HostTensor> inputs,
                               unsigned seed) {
  bind(inputs);
  // Neighbours may share what a kernel makes for them.
  std::mt19937 random(seed);
  std::uniform_int_distribution<int64_t> length(1, 3);
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (int64_t begin = 0; begin < plan->numTasks;) {
    int64_t end = std::min(begin + length(random), plan->numTasks);
    ranges.push_back({begin, end});
    begin = end;
  }
  std::shuffle(ranges.begin(), ranges.end(), random);
  for (auto [begin, end] : ranges)
    entry(pointers.data(), begin, end);
  for (const Buffer &buffer : operands)
    if (!buffer.guardsIntact()) {
      std::fprintf(stderr, "a kernel of family %s wrote outside its output\n",
                   family().c_str());
      return HostTensor(DType::I8, {0});
    }
  HostTensor result(*hostType(resultType.getElementType()),
                    resultType.getShape().vec());
  std::memcpy(result.mutableBytes(), operands[inputs.size()].data(),
              result.sizeInBytes());
  if (isFlipped(resultType))
    for (size_t i = 0; i < result.sizeInBytes(); ++i)
      result.mutableBytes()[i] ^= static_cast<char>(0x80);
  return result;
}

} // namespace qdialect::testing
