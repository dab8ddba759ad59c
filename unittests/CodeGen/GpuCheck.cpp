// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A dispatch on the emulated GPU.

#include "GpuCheck.h"

#include "Check.h"
#include "QDialect/CodeGen/NVVM/GpuKernelPlan.h"
#include "QDialect/CodeGen/NVVM/Ptx.h"
#include "QDialect/PTX/Emulator.h"

using namespace mlir;

namespace qdialect::testing {

/// Tensors and constants have bytes behind them that may be read.
static constexpr size_t kSlack = 64;

static std::vector<char> asOnDevice(const HostTensor &tensor) {
  std::vector<char> bytes(tensor.sizeInBytes() + kSlack, 0x5a);
  std::memcpy(bytes.data(), tensor.bytes(), tensor.sizeInBytes());
  if (tensor.type() == DType::I8)
    for (char &byte : bytes)
      byte ^= static_cast<char>(0x80);
  return bytes;
}

static const GpuTarget &targetNamed(llvm::StringRef name) {
  return *llvm::find_if(allGpuTargets(), [&](const GpuTarget &each) {
    return each.name == name;
  });
}

/// Emits the plan's kernel and runs it.
static ptx::LaunchResult runPlan(DispatchModule &module, GpuKernelPlan &plan,
                                 std::mt19937 &random,
                                 llvm::ArrayRef<HostTensor> given,
                                 double tolerance, const GpuTarget &target) {
  OwningOpRef<ModuleOp> code = ModuleOp::create(module.dispatch().getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(code->getBody());
  EXPECT_TRUE(succeeded(plan.emit(builder, target, "kernel")));
  llvm::Expected<std::string> assembly = translateToPtx(*code, target);
  if (!assembly) {
    ADD_FAILURE() << llvm::toString(assembly.takeError());
    return {};
  }
  if (const char *path = std::getenv("QDIALECT_DUMP_PTX")) {
    std::error_code error;
    llvm::raw_fd_ostream(path, error) << *assembly;
  }

  ptx::Diagnostic why;
  auto emulator = ptx::Emulator::create(*assembly, why);
  if (!emulator) {
    ADD_FAILURE() << why.line << ": " << why.message;
    return {};
  }
  ptx::LaunchConfig config;
  auto argument = [&](llvm::ArrayRef<char> bytes, uint64_t size, bool isInput) {
    uint64_t at = emulator->allocate(size, isInput, !isInput);
    emulator->write(at, bytes.data(), bytes.size());
    config.arguments.emplace_back(8);
    std::memcpy(config.arguments.back().data(), &at, 8);
    return at;
  };
  llvm::SmallVector<HostTensor> inputs(given);
  if (inputs.empty())
    inputs = module.randomInputs(random);
  HostTensor expected = module.expected(inputs);
  for (const HostTensor &input : inputs) {
    std::vector<char> bytes = asOnDevice(input);
    argument(bytes, bytes.size(), true);
  }
  HostTensor result(expected.type(), expected.shape());
  uint64_t output = argument({}, result.sizeInBytes(), false);
  for (const ConstantBlob &blob : plan.constants) {
    std::vector<char> bytes(blob.size);
    blob.fill(bytes);
    argument(bytes, bytes.size(), true);
  }
  GpuLaunch launch = plan.launch(target);
  config.grid.x = static_cast<uint32_t>(launch.blocks);
  config.block.x = static_cast<uint32_t>(launch.threads);
  config.sharedBytes = launch.sharedBytes;
  config.seed = random();
  ptx::LaunchResult said;
  EXPECT_TRUE(emulator->launch("kernel", config, said, why))
      << why.line << ": " << why.message;
  for (const ptx::Finding &finding : said.findings)
    ADD_FAILURE() << finding.line << ": " << finding.message;
  emulator->read(output, result.mutableBytes(), result.sizeInBytes());
  if (result.type() == DType::I8)
    for (size_t i = 0; i < result.sizeInBytes(); ++i)
      result.mutableBytes()[i] ^= static_cast<char>(0x80);
  expectSame(result, expected, target.name, tolerance);
  return said;
}

ptx::LaunchResult checkGpuDispatch(const std::string &text,
                                   const std::string &family,
                                   std::mt19937 &random,
                                   llvm::ArrayRef<HostTensor> given,
                                   double tolerance, llvm::StringRef target) {
  DispatchModule module(text);
  const GpuTarget &gpu = targetNamed(target);
  auto plan = planGpuKernel(module.dispatch(), {}, gpu);
  if (failed(plan)) {
    ADD_FAILURE() << "no plan";
    return {};
  }
  EXPECT_EQ((*plan)->family, family);
  return runPlan(module, **plan, random, given, tolerance, gpu);
}

unsigned checkFewerRegisters(const std::string &text, std::mt19937 &random,
                             llvm::StringRef name) {
  DispatchModule module(text);
  const GpuTarget &target = targetNamed(name);
  auto plan = planGpuKernel(module.dispatch());
  unsigned smaller = 0;
  for (; succeeded(plan) && (*plan)->useFewerRegisters(target); ++smaller)
    runPlan(module, **plan, random, {}, 0, target);
  return smaller;
}

} // namespace qdialect::testing
