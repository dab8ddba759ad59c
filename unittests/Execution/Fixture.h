// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the execution tests share: a context, programs from text, reproducible
// inputs, the interpreter's answer, and a folder that goes away.

#ifndef QDIALECT_UNITTESTS_EXECUTION_FIXTURE_H
#define QDIALECT_UNITTESTS_EXECUTION_FIXTURE_H

#include "QDialect/Execution/CompiledModel.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Target/SharedLibrary/SharedLibrary.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"
#include <random>

namespace qdialect {

class ExecutionTest : public testing::Test {
protected:
  void SetUp() override {
    mlir::DialectRegistry registry;
    registry.insert<qd::QDDialect, mlir::arith::ArithDialect,
                    mlir::func::FuncDialect, mlir::linalg::LinalgDialect,
                    mlir::math::MathDialect, mlir::scf::SCFDialect,
                    mlir::tensor::TensorDialect>();
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    unsetenv("QDIALECT_CPU");
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("qdialect-test", folder));
  }
  void TearDown() override {
    llvm::sys::fs::remove_directories(folder);
    unsetenv("QDIALECT_CPU");
  }

  std::string path(llvm::StringRef name) const {
    llvm::SmallString<128> result = folder;
    llvm::sys::path::append(result, name);
    return std::string(result);
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(llvm::StringRef text) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text.str();
    return module;
  }

  /// Files in the folder, sorted.
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    std::error_code code;
    for (llvm::sys::fs::directory_iterator it(folder, code), end; it != end;
         it.increment(code))
      names.push_back(llvm::sys::path::filename(it->path()).str());
    llvm::sort(names);
    return names;
  }

  std::unique_ptr<CompiledModel> emitAndLoad(mlir::ModuleOp module,
                                             llvm::StringRef name = "model.so",
                                             const EmitOptions &options = {},
                                             const LoadOptions &load = {}) {
    auto summary = emitSharedLibrary(module, options, path(name));
    if (!summary) {
      ADD_FAILURE() << llvm::toString(summary.takeError());
      return nullptr;
    }
    auto model = CompiledModel::load(path(name), load);
    if (!model) {
      ADD_FAILURE() << llvm::toString(model.takeError());
      return nullptr;
    }
    return std::move(*model);
  }

  static std::vector<HostTensor> randomInputs(const CompiledModel &model,
                                              unsigned seed = 1) {
    std::mt19937 random(seed);
    std::vector<HostTensor> inputs;
    for (const TensorSpec &spec : model.inputs()) {
      HostTensor tensor(spec.type, spec.shape);
      char *bytes = tensor.mutableBytes();
      if (spec.type == DType::F32)
        for (int64_t i = 0; i < tensor.size(); ++i)
          tensor.mutableData<float>()[i] =
              std::uniform_real_distribution<float>(-4, 4)(random);
      else
        for (size_t i = 0; i < tensor.sizeInBytes(); ++i)
          bytes[i] = spec.type == DType::I1 ? random() & 1 : random();
      inputs.push_back(std::move(tensor));
    }
    return inputs;
  }

  /// The interpreter's results.
  static std::vector<HostTensor> reference(mlir::ModuleOp module,
                                           llvm::ArrayRef<HostTensor> inputs) {
    auto function = *module.getOps<mlir::func::FuncOp>().begin();
    auto results = interpret(function, inputs);
    if (!results) {
      ADD_FAILURE() << llvm::toString(results.takeError());
      return {};
    }
    return {results->begin(), results->end()};
  }

  static void expectBitEqual(llvm::ArrayRef<HostTensor> actual,
                             llvm::ArrayRef<HostTensor> expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i)
      EXPECT_TRUE(bitEqual(actual[i], expected[i])) << "output " << i;
  }

  /// Every CPU variant of this machine, 1 to 3 threads, against the
  /// interpreter.
  void expectRunsLikeInterpreter(llvm::StringRef text) {
    auto module = parse(text);
    ASSERT_TRUE(module);
    auto model = emitAndLoad(*module);
    ASSERT_TRUE(model);
    std::vector<HostTensor> inputs = randomInputs(*model);
    std::vector<HostTensor> expected = reference(*module, inputs);
    for (const CpuTarget &target : defaultCpuTargets()) {
      if (!target.runsHere())
        continue;
      for (int threads : {1, 2, 3}) {
        SCOPED_TRACE(target.name + ", " + std::to_string(threads) + " threads");
        LoadOptions load;
        load.threads = threads;
        load.variant = target.name;
        auto instance = CompiledModel::load(path("model.so"), load);
        ASSERT_TRUE(static_cast<bool>(instance))
            << llvm::toString(instance.takeError());
        EXPECT_EQ((*instance)->variant(), target.name);
        auto actual = (*instance)->run(inputs);
        ASSERT_TRUE(static_cast<bool>(actual))
            << llvm::toString(actual.takeError());
        expectBitEqual(*actual, expected);
      }
    }
  }

  mlir::MLIRContext context;
  llvm::SmallString<128> folder;
};

} // namespace qdialect

#endif // QDIALECT_UNITTESTS_EXECUTION_FIXTURE_H
