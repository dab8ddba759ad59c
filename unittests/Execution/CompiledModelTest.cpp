// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loading: files that are none of ours, inputs that do not fit, variants, the
// profile, and q-run's work on top.

#include "Fixture.h"
#include "QDialect/Execution/RunModel.h"
#include "QDialect/Support/Npy.h"
#include "qdialect/model.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <fstream>

using namespace qdialect;

namespace {

constexpr const char *kNegate = R"(
func.func @main(%arg0: tensor<2x3xf32> {qd.name = "x"},
                %arg1: tensor<4xi8> {qd.name = "codes"})
    -> (tensor<2x3xf32> {qd.name = "layer/y"}, tensor<4xi8> {qd.name = "same"}) {
  %0 = qd.dispatch ins(%arg0 : tensor<2x3xf32>) -> (tensor<2x3xf32>) {
  ^bb0(%x: tensor<2x3xf32>):
    %e = tensor.empty() : tensor<2x3xf32>
    %r = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>)
        attrs = {qd.name = "neg"} {
    ^bb0(%a: f32, %o: f32):
      %n = arith.negf %a : f32
      linalg.yield %n : f32
    } -> tensor<2x3xf32>
    qd.yield %r : tensor<2x3xf32>
  }
  return %0, %arg1 : tensor<2x3xf32>, tensor<4xi8>
})";

class CompiledModelTest : public ExecutionTest {
protected:
  void SetUp() override {
    ExecutionTest::SetUp();
    module = parse(kNegate);
    EmitOptions options;
    options.prefix = "net";
    options.targets.assign(allCpuTargets().begin(), allCpuTargets().end());
    model = emitAndLoad(*module, "net.so", options);
    ASSERT_TRUE(model);
    x = HostTensor::of<float>(DType::F32, {2, 3}, {1, -2, 3, -4, 5, -6});
    codes = HostTensor::of<int8_t>(DType::I8, {4}, {-128, -1, 0, 127});
  }

  std::string loadError(llvm::StringRef file, const LoadOptions &options = {}) {
    auto loaded = CompiledModel::load(file, options);
    if (loaded)
      return "loads";
    return llvm::toString(loaded.takeError());
  }
  std::string runError(std::vector<HostTensor> inputs) {
    auto results = model->run(inputs);
    return results ? "runs" : llvm::toString(results.takeError());
  }
  void write(llvm::StringRef name, llvm::StringRef bytes) {
    std::ofstream(path(name), std::ios::binary)
        .write(bytes.data(), bytes.size());
  }
  /// q-run with the given options: exit code, output, errors.
  int qrun(RunModelOptions options) {
    options.model = path("net.so");
    out.clear();
    errors.clear();
    llvm::raw_string_ostream outStream(out), errorStream(errors);
    return runModel(options, outStream, errorStream);
  }
  RunModelOptions withInputs() {
    EXPECT_FALSE(static_cast<bool>(writeNpy(path("x.npy"), x)));
    EXPECT_FALSE(static_cast<bool>(writeNpy(path("codes.npy"), codes)));
    RunModelOptions options;
    options.inputs = {"codes=" + path("codes.npy"), path("x.npy")};
    return options;
  }

  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<CompiledModel> model;
  HostTensor x, codes;
  std::string out, errors;
};

TEST_F(CompiledModelTest, DescribesItself) {
  EXPECT_EQ(model->prefix(), "net");
  ASSERT_EQ(model->inputs().size(), 2u);
  EXPECT_EQ(model->inputs()[0].name, "x");
  EXPECT_EQ(model->inputs()[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(model->inputs()[1].type, DType::I8);
  EXPECT_EQ(model->variants().size(), allCpuTargets().size());
  auto results = model->run({x, codes});
  ASSERT_TRUE(static_cast<bool>(results));
  EXPECT_EQ((*results)[0].data<float>()[5], 6);
  EXPECT_TRUE(bitEqual((*results)[1], codes));
}

TEST_F(CompiledModelTest, FilesThatAreNoModels) {
  EXPECT_EQ(loadError(path("none.so")),
            "cannot open '" + path("none.so") + "': No such file or directory");
  write("text.so", "this is no library");
  EXPECT_NE(loadError(path("text.so")).find("is not a compiled model"),
            std::string::npos);
  write("empty.so", "");
  EXPECT_NE(loadError(path("empty.so")).find("is not a compiled model"),
            std::string::npos);
  auto bytes = llvm::MemoryBuffer::getFile(path("net.so"));
  write("short.so", (*bytes)->getBuffer().take_front(3000));
  EXPECT_NE(loadError(path("short.so")).find("is not a compiled model"),
            std::string::npos);
  // A library of somebody else is not even loaded.
  EXPECT_NE(loadError("/proc/self/exe").find("is not a compiled model"),
            std::string::npos);
}

TEST_F(CompiledModelTest, AnotherAbiVersionIsNamed) {
  auto bytes = llvm::MemoryBuffer::getFile(path("net.so"));
  std::string patched = (*bytes)->getBuffer().str();
  // qd_info begins with its version and the alignment. ELF headers hold such
  // numbers too.
  constexpr size_t behindHeaders = 1024;
  uint32_t head[] = {QDIALECT_MODEL_ABI, QD_ALIGNMENT}, changed = 99;
  size_t at = patched.find(
      std::string(reinterpret_cast<const char *>(head), sizeof(head)),
      behindHeaders);
  ASSERT_NE(at, std::string::npos);
  patched.replace(at, 4, reinterpret_cast<const char *>(&changed), 4);
  write("future.so", patched);
  EXPECT_EQ(loadError(path("future.so")),
            "'" + path("future.so") +
                "' has ABI version 99, this program knows version " +
                std::to_string(QDIALECT_MODEL_ABI));
}

TEST_F(CompiledModelTest, VariantsAndThreads) {
  LoadOptions options;
  options.variant = "scalar";
  auto scalar = CompiledModel::load(path("net.so"), options);
  ASSERT_TRUE(static_cast<bool>(scalar));
  EXPECT_EQ((*scalar)->variant(), "scalar");
  options.variant = "sparc";
  EXPECT_NE(loadError(path("net.so"), options).find("asked for: sparc"),
            std::string::npos);
  setenv("QDIALECT_CPU", "mips", 1);
  EXPECT_NE(loadError(path("net.so")).find("asked for: mips"),
            std::string::npos);
  unsetenv("QDIALECT_CPU");
  options = {};
  options.threads = -3;
  EXPECT_NE(loadError(path("net.so"), options).find("threads = -3"),
            std::string::npos);
  ASSERT_FALSE(static_cast<bool>(model->setThreads(2)));
  EXPECT_EQ(runError({x, codes}), "runs");
}

TEST_F(CompiledModelTest, TheRuntimeAndTheCompilerKnowTheSameCpus) {
  for (const CpuTarget &target : allCpuTargets()) {
    LoadOptions options;
    options.variant = target.name;
    EXPECT_EQ(loadError(path("net.so"), options) == "loads", target.runsHere())
        << target.name;
  }
}

TEST_F(CompiledModelTest, WrongInputsAreNamed) {
  EXPECT_EQ(runError({x}), "the model has 2 inputs, 1 given");
  EXPECT_EQ(runError({x.reshaped({3, 2}), codes}),
            "input 'x' is 2x3xfloat32, given 3x2xfloat32");
  EXPECT_EQ(runError({x, codes.bitcast(DType::U8)}),
            "input 'codes' is 4xint8, given 4xuint8");
}

TEST_F(CompiledModelTest, ProfileNamesTheSteps) {
  auto none = model->profile();
  EXPECT_FALSE(static_cast<bool>(none));
  llvm::consumeError(none.takeError());
  LoadOptions options;
  options.profile = true;
  auto profiled = CompiledModel::load(path("net.so"), options);
  ASSERT_TRUE(static_cast<bool>(profiled));
  ASSERT_TRUE(static_cast<bool>((*profiled)->run({x, codes})));
  auto steps = (*profiled)->profile();
  ASSERT_TRUE(static_cast<bool>(steps));
  ASSERT_EQ(steps->size(), 2u);
  EXPECT_EQ((*steps)[0].name, "neg");
  EXPECT_EQ((*steps)[1].name, "copy-out same");
}

TEST_F(CompiledModelTest, RunWritesAndComparesFiles) {
  RunModelOptions options = withInputs();
  options.outputDir = path("out");
  ASSERT_EQ(qrun(options), kRunSuccess) << errors;
  auto y = readNpy(path("out/layer_y.npy"));
  ASSERT_TRUE(static_cast<bool>(y)) << llvm::toString(y.takeError());
  EXPECT_EQ(y->data<float>()[0], -1);

  options.outputDir.clear();
  options.compare = path("out");
  options.requireEqual = true;
  EXPECT_EQ(qrun(options), kRunSuccess) << errors;
  EXPECT_NE(out.find("layer/y  max_abs_diff 0"), std::string::npos) << out;
  options.compare = path("net.so");
  EXPECT_EQ(qrun(options), kRunSuccess) << errors;

  y->mutableData<float>()[0] = 5;
  ASSERT_FALSE(static_cast<bool>(writeNpy(path("out/layer_y.npy"), *y)));
  options.compare = path("out");
  EXPECT_EQ(qrun(options), kRunDiffers);
  EXPECT_NE(out.find("max_abs_diff 6"), std::string::npos) << out;
  options.requireEqual = false;
  EXPECT_EQ(qrun(options), kRunSuccess);
}

TEST_F(CompiledModelTest, RunRefusesWrongFiles) {
  RunModelOptions good = withInputs(), options = good;
  options.inputs = {path("x.npy")};
  EXPECT_EQ(qrun(options), kRunFailure);
  EXPECT_EQ(errors, "error: input 'codes' (4xint8) is not given\n");
  options.inputs = {"codes=" + path("x.npy")};
  EXPECT_EQ(qrun(options), kRunFailure);
  EXPECT_EQ(errors, "error: input 'codes' is 4xint8, file '" + path("x.npy") +
                        "' holds 2x3xfloat32\n");
  options.inputs = {"z=" + path("x.npy")};
  EXPECT_EQ(qrun(options), kRunFailure);
  EXPECT_EQ(errors,
            "error: the model has no input 'z'; its inputs: x, codes\n");
  options.inputs = {path("x.npy"), "x=" + path("x.npy")};
  EXPECT_EQ(qrun(options), kRunFailure);
  EXPECT_EQ(errors, "error: input 'x' is given twice\n");
  options = good;
  options.inputs.push_back(path("x.npy"));
  EXPECT_EQ(qrun(options), kRunFailure);
  EXPECT_NE(errors.find("one more than the 2 inputs"), std::string::npos);
  options = good;
  options.compare = path("nothing.onnx");
  EXPECT_EQ(qrun(options), kRunFailure);
  EXPECT_NE(errors.find("neither a library nor a folder"), std::string::npos);
}

TEST_F(CompiledModelTest, BenchmarkWritesItsFigures) {
  RunModelOptions options;
  options.benchmark = options.profile = options.info = true;
  options.minTime = 0.01;
  options.load.threads = 2;
  options.json = path("bench.json");
  ASSERT_EQ(qrun(options), kRunSuccess) << errors;
  auto text = llvm::MemoryBuffer::getFile(options.json);
  ASSERT_TRUE(static_cast<bool>(text));
  llvm::json::Value figures =
      llvm::cantFail(llvm::json::parse((*text)->getBuffer()));
  const llvm::json::Object &object = *figures.getAsObject();
  EXPECT_EQ(object.getInteger("threads"), 2);
  EXPECT_GE(*object.getInteger("runs"), 5);
  EXPECT_GT(*object.getNumber("min_ms"), 0);
  EXPECT_LE(*object.getNumber("min_ms"), *object.getNumber("median_ms"));
  EXPECT_NE(out.find("input      codes  4xint8"), std::string::npos) << out;
}

} // namespace
