// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small dispatched programs through emission, loading and running, against the
// interpreter, and the files that emission leaves.

#include "Fixture.h"
#include "QDialect/Execution/Executor.h"
#include "QDialect/Target/SharedLibrary/KernelCache.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <thread>

using namespace qdialect;

namespace {

/// y = x * scale + shift with two per-column constants.
constexpr const char *kAffine = R"(
func.func @main(%arg0: tensor<3701x19xf32> {qd.name = "x"})
    -> (tensor<3701x19xf32> {qd.name = "y"}) {
  %0 = qd.dispatch ins(%arg0 : tensor<3701x19xf32>) -> (tensor<3701x19xf32>) {
  ^bb0(%x: tensor<3701x19xf32>):
    %scale = arith.constant dense<[1.5, -2.25, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0,
      9.0, 0.1, 1.1, 2.1, 3.1, 4.1, 5.1, 6.1, 7.1, 8.1, 9.1]> : tensor<19xf32>
    %e = tensor.empty() : tensor<3701x19xf32>
    %r = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                         affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%x, %scale : tensor<3701x19xf32>, tensor<19xf32>)
        outs(%e : tensor<3701x19xf32>) attrs = {qd.name = "affine"} {
    ^bb0(%a: f32, %s: f32, %o: f32):
      %m = arith.mulf %a, %s : f32
      %r0 = arith.addf %m, %s : f32
      linalg.yield %r0 : f32
    } -> tensor<3701x19xf32>
    qd.yield %r : tensor<3701x19xf32>
  }
  return %0 : tensor<3701x19xf32>
})";

/// i8 matmul with bias and requantize, then a residual add of its own input.
constexpr const char *kIntegerMatmul = R"(
func.func @main(%arg0: tensor<5x16xi8>) -> (tensor<5x16xi8>, tensor<5x16xf32>) {
  %0 = qd.dispatch ins(%arg0 : tensor<5x16xi8>) -> (tensor<5x16xi8>) {
  ^bb0(%x: tensor<5x16xi8>):
    %w = arith.constant dense<[[1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -16]]> : tensor<1x16xi8>
    %wc = tensor.collapse_shape %w [[0, 1]] : tensor<1x16xi8> into tensor<16xi8>
    %we = tensor.empty() : tensor<16x16xi8>
    %w2 = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%wc : tensor<16xi8>) outs(%we : tensor<16x16xi8>) {
    ^bb0(%a: i8, %o: i8):
      linalg.yield %a : i8
    } -> tensor<16x16xi8>
    %b = arith.constant dense<[100, -200, 300, -400, 500, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]> : tensor<16xi32>
    %ie = tensor.empty() : tensor<5x16xi32>
    %init = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%b : tensor<16xi32>) outs(%ie : tensor<5x16xi32>) {
    ^bb0(%a: i32, %o: i32):
      linalg.yield %a : i32
    } -> tensor<5x16xi32>
    %acc = linalg.matmul {qd.name = "fc", qd.acc_bound = array<i64: -40000, 40000>,
        qd.requested = "int8"}
        ins(%x, %w2 : tensor<5x16xi8>, tensor<16x16xi8>)
        outs(%init : tensor<5x16xi32>) -> tensor<5x16xi32>
    %s = arith.constant 7.3e-3 : f32
    %z = arith.constant 3 : i32
    %qe = tensor.empty() : tensor<5x16xi8>
    %q = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%acc : tensor<5x16xi32>) outs(%qe : tensor<5x16xi8>) {
    ^bb0(%a: i32, %o: i8):
      %r = qd.requantize %a scale %s zero_point %z rounding(half_even) overflow(saturate) : i32, f32, i32 -> i8
      linalg.yield %r : i8
    } -> tensor<5x16xi8>
    qd.yield %q : tensor<5x16xi8>
  }
  %1 = qd.dispatch ins(%0 : tensor<5x16xi8>) -> (tensor<5x16xf32>) {
  ^bb0(%x: tensor<5x16xi8>):
    %s = arith.constant 0.5 : f32
    %z = arith.constant 3 : i32
    %e = tensor.empty() : tensor<5x16xf32>
    %d = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<5x16xi8>) outs(%e : tensor<5x16xf32>)
        attrs = {qd.fallback = "because the test says so"} {
    ^bb0(%a: i8, %o: f32):
      %r = qd.dequantize %a scale %s zero_point %z : i8, f32, i32 -> f32
      linalg.yield %r : f32
    } -> tensor<5x16xf32>
    qd.yield %d : tensor<5x16xf32>
  }
  return %0, %1 : tensor<5x16xi8>, tensor<5x16xf32>
})";

class SharedLibraryTest : public ExecutionTest {};

TEST_F(SharedLibraryTest, FloatElementwise) {
  expectRunsLikeInterpreter(kAffine);
}

TEST_F(SharedLibraryTest, IntegerMatmulAndDequantize) {
  expectRunsLikeInterpreter(kIntegerMatmul);
}

TEST_F(SharedLibraryTest, ArgumentsConstantsAndEmptyTensorsAsResults) {
  expectRunsLikeInterpreter(R"(
func.func @main(%x: tensor<7xi8>, %y: tensor<f32>, %e: tensor<0x3xf32>,
                %u: tensor<5x!qd.uint<8>>, %b: tensor<3xi1>)
    -> (tensor<7xi8>, tensor<7xi8>, tensor<f32>, tensor<0x3xf32>,
        tensor<5x!qd.uint<8>>, tensor<3xi1>, tensor<3xi8>) {
  %c = arith.constant dense<[1, -2, 3]> : tensor<3xi8>
  return %x, %x, %y, %e, %u, %b, %c : tensor<7xi8>, tensor<7xi8>, tensor<f32>,
      tensor<0x3xf32>, tensor<5x!qd.uint<8>>, tensor<3xi1>, tensor<3xi8>
})");
}

TEST_F(SharedLibraryTest, GenericKernelsAgree) {
  auto module = parse(kIntegerMatmul);
  EmitOptions generic;
  generic.genericKernels = true;
  auto model = emitAndLoad(*module, "generic.so", generic);
  ASSERT_TRUE(model);
  auto inputs = randomInputs(*model, 5);
  auto actual = model->run(inputs);
  ASSERT_TRUE(static_cast<bool>(actual));
  expectBitEqual(*actual, reference(*module, inputs));
}

TEST_F(SharedLibraryTest, ThreeFilesAndNothingElse) {
  auto module = parse(kAffine);
  auto summary = emitSharedLibrary(*module, {}, path("m.so"));
  ASSERT_TRUE(static_cast<bool>(summary));
  EXPECT_EQ(files(),
            (std::vector<std::string>{"m.h", "m.receipt.json", "m.so"}));
  uint64_t size = 0;
  ASSERT_FALSE(llvm::sys::fs::file_size(path("m.so"), size));
  EXPECT_EQ(static_cast<uint64_t>(summary->fileBytes), size);
  EXPECT_EQ(summary->steps, 1);
}

TEST_F(SharedLibraryTest, AnUnwritablePathLeavesNothing) {
  auto module = parse(kAffine);
  for (std::string target : {path("no/such/folder/m.so"),
                             std::string("/proc/m.so"), folder.str().str()}) {
    auto summary = emitSharedLibrary(*module, {}, target);
    ASSERT_FALSE(static_cast<bool>(summary));
    std::string message = llvm::toString(summary.takeError());
    EXPECT_NE(message.find("cannot write '" + target + "'"), std::string::npos)
        << message;
  }
  EXPECT_TRUE(files().empty());
}

TEST_F(SharedLibraryTest, ARefusedProgramLeavesTheOldLibrary) {
  auto good = parse(kAffine);
  ASSERT_TRUE(emitAndLoad(*good));
  auto before = files();
  auto bad = parse("func.func @main(%x: tensor<4xi4>) { return }");
  mlir::ScopedDiagnosticHandler quiet(
      &context, [](mlir::Diagnostic &) { return mlir::success(); });
  auto summary = emitSharedLibrary(*bad, {}, path("model.so"));
  EXPECT_FALSE(static_cast<bool>(summary));
  llvm::consumeError(summary.takeError());
  EXPECT_EQ(files(), before);
  EXPECT_TRUE(static_cast<bool>(CompiledModel::load(path("model.so"))));
}

TEST_F(SharedLibraryTest, PrefixesAreChecked) {
  auto module = parse(kAffine);
  for (const char *prefix : {"", "1x", "a-b", "qd_rt"}) {
    EmitOptions options;
    options.prefix = prefix;
    auto summary = emitSharedLibrary(*module, options, path("m.so"));
    ASSERT_FALSE(static_cast<bool>(summary));
    EXPECT_NE(llvm::toString(summary.takeError()).find("symbol prefix"),
              std::string::npos);
  }
}

TEST_F(SharedLibraryTest, TwoModelsOfTheSamePrefixInOneProcess) {
  auto first = parse(kAffine), second = parse(kIntegerMatmul);
  auto a = emitAndLoad(*first, "a.so"), b = emitAndLoad(*second, "b.so");
  ASSERT_TRUE(a && b);
  auto inputsA = randomInputs(*a), inputsB = randomInputs(*b);
  auto expectedA = reference(*first, inputsA);
  auto expectedB = reference(*second, inputsB);
  std::thread other([&] {
    for (int i = 0; i < 50; ++i)
      expectBitEqual(llvm::cantFail(b->run(inputsB)), expectedB);
  });
  for (int i = 0; i < 50; ++i)
    expectBitEqual(llvm::cantFail(a->run(inputsA)), expectedA);
  other.join();
}

TEST_F(SharedLibraryTest, ALibraryCompiledAgainUnderItsNameIsTheNewOne) {
  auto first = parse(kAffine), second = parse(kIntegerMatmul);
  auto a = emitAndLoad(*first), b = emitAndLoad(*second);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->inputs()[0].name, "x");
  EXPECT_EQ(b->inputs()[0].type, DType::I8);
  // The first one still works though its file is gone.
  auto inputs = randomInputs(*a);
  expectBitEqual(llvm::cantFail(a->run(inputs)), reference(*first, inputs));
}

TEST_F(SharedLibraryTest, EqualProgramsMakeEqualFiles) {
  auto module = parse(kIntegerMatmul);
  EmitOptions options;
  options.provenance.name = "same"; // else the file's name
  for (const char *name : {"a.so", "b.so"})
    ASSERT_TRUE(emitAndLoad(*module, name, options));
  auto a = llvm::MemoryBuffer::getFile(path("a.so"));
  auto b = llvm::MemoryBuffer::getFile(path("b.so"));
  ASSERT_TRUE(a && b);
  EXPECT_TRUE((*a)->getBuffer() == (*b)->getBuffer());
}

/// Programs with the same kernels and other constants, in turns.
TEST_F(SharedLibraryTest, ACacheCompilesEachKernelOnce) {
  KernelCache cache;
  std::string other(kAffine);
  other.replace(other.find("-2.25"), 5, "17.75");
  size_t objects = 0;
  for (llvm::StringRef text :
       {llvm::StringRef(kAffine), llvm::StringRef(kIntegerMatmul),
        llvm::StringRef(other), llvm::StringRef(kIntegerMatmul)}) {
    auto module = parse(text);
    EmitOptions options;
    options.cache = &cache;
    auto model = emitAndLoad(*module, "cached.so", options);
    ASSERT_TRUE(model);
    std::vector<HostTensor> inputs = randomInputs(*model);
    auto actual = model->run(inputs);
    ASSERT_TRUE(static_cast<bool>(actual))
        << llvm::toString(actual.takeError());
    expectBitEqual(*actual, reference(*module, inputs));
    if (text == other)
      objects = cache.objects.size();
  }
  EXPECT_GT(objects, 0u);
  EXPECT_EQ(cache.objects.size(), objects);
  // One variant alone is another matter than all of them.
  EmitOptions scalar;
  scalar.cache = &cache;
  scalar.targets = {allCpuTargets().back()};
  ASSERT_TRUE(emitAndLoad(*parse(kAffine), "scalar.so", scalar));
  EXPECT_GT(cache.objects.size(), objects);
}

TEST_F(SharedLibraryTest, TheReceiptTellsWhatWasCompiled) {
  auto module = parse(kIntegerMatmul);
  EmitOptions options;
  options.provenance = {"tiny", "sha256:00", "w8a8-int", "float"};
  auto model = emitAndLoad(*module, "model.so", options);
  ASSERT_TRUE(model);
  auto beside = llvm::MemoryBuffer::getFile(path("model.receipt.json"));
  ASSERT_TRUE(static_cast<bool>(beside));
  EXPECT_EQ((*beside)->getBuffer(), model->receipt());

  llvm::json::Value receipt =
      llvm::cantFail(llvm::json::parse(model->receipt()));
  const llvm::json::Object &root = *receipt.getAsObject();
  EXPECT_EQ(root.getString("model"), "tiny");
  EXPECT_EQ(root.getString("recipe"), "w8a8-int");
  EXPECT_EQ(root.getString("rescale"), "float");
  ASSERT_EQ(root.getArray("layers")->size(), 2u);
  const llvm::json::Object &fc = *(*root.getArray("layers"))[0].getAsObject();
  EXPECT_EQ(fc.getString("name"), "fc");
  EXPECT_EQ(fc.getString("op"), "matmul");
  EXPECT_EQ(fc.getString("requested"), "int8");
  EXPECT_EQ(fc.getString("realised"), "int8");
  EXPECT_EQ(fc.getInteger("macs"), 5 * 16 * 16);
  EXPECT_EQ((*fc.getArray("accumulator_bound"))[1].getAsInteger(), 40000);
  EXPECT_FALSE(fc.get("fallback"));
  const llvm::json::Object &last = *(*root.getArray("layers"))[1].getAsObject();
  EXPECT_EQ(last.getString("op"), "dequantize");
  EXPECT_EQ(last.getString("realised"), "f32");
  EXPECT_EQ(last.getString("fallback"), "because the test says so");

  const llvm::json::Object &totals = *root.getObject("totals");
  EXPECT_EQ(totals.getInteger("int_macs"), 5 * 16 * 16);
  EXPECT_EQ(totals.getInteger("total_macs"), 5 * 16 * 16);
  EXPECT_EQ(totals.getNumber("int_macs_share"), 1.0);
  EXPECT_EQ(totals.getInteger("fallbacks"), 1);
  uint64_t size = 0;
  ASSERT_FALSE(llvm::sys::fs::file_size(path("model.so"), size));
  EXPECT_EQ(totals.getInteger("file_bytes"), static_cast<int64_t>(size));
  EXPECT_EQ(totals.getInteger("weights_bytes"), model->weightsBytes());
}

/// A dispatch that adds a table of 16 numbers to its input.
std::string addTable(llvm::StringRef result, llvm::StringRef input,
                     llvm::StringRef first) {
  std::string text = R"(
  RESULT = qd.dispatch ins(INPUT : tensor<16xf32>) -> (tensor<16xf32>) {
  ^bb0(%x: tensor<16xf32>):
    %t = arith.constant dense<[FIRST, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0,
      9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0]> : tensor<16xf32>
    %e = tensor.empty() : tensor<16xf32>
    %r = linalg.generic {
        indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>,
                         affine_map<(i) -> (i)>],
        iterator_types = ["parallel"]}
        ins(%x, %t : tensor<16xf32>, tensor<16xf32>) outs(%e : tensor<16xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      linalg.yield %s : f32
    } -> tensor<16xf32>
    qd.yield %r : tensor<16xf32>
  })";
  for (auto [from, to] :
       {std::pair<llvm::StringRef, llvm::StringRef>("RESULT", result),
        {"INPUT", input},
        {"FIRST", first}})
    text.replace(text.find(from.str()), from.size(), to.str());
  return text;
}

TEST_F(SharedLibraryTest, EqualConstantsAreStoredOnce) {
  auto network = [&](llvm::StringRef last) {
    return "func.func @main(%arg0: tensor<16xf32>) -> tensor<16xf32> {" +
           addTable("%0", "%arg0", "0.0") + addTable("%1", "%0", "0.5") +
           addTable("%2", "%1", last) + "\nreturn %2 : tensor<16xf32> }";
  };
  expectRunsLikeInterpreter(network("0.5"));
  auto equal = emitAndLoad(*parse(network("0.5")), "equal.so");
  auto distinct = emitAndLoad(*parse(network("0.25")), "distinct.so");
  ASSERT_TRUE(equal && distinct);
  // Two tables against three, and the readable bytes at the end.
  EXPECT_EQ((equal->weightsBytes() - 64) * 3,
            (distinct->weightsBytes() - 64) * 2);
}

TEST_F(SharedLibraryTest, ExecutorRunsAndLeavesNoFile) {
  auto module = parse(kIntegerMatmul);
  ExecutorOptions options;
  options.load.threads = 2;
  auto executor = Executor::create(*module, options);
  ASSERT_TRUE(static_cast<bool>(executor))
      << llvm::toString(executor.takeError());
  auto inputs = randomInputs((*executor)->model(), 9);
  auto actual = (*executor)->run(inputs);
  ASSERT_TRUE(static_cast<bool>(actual));
  expectBitEqual(*actual, reference(*module, inputs));
  EXPECT_EQ((*executor)->model().variants().size(), 1u);
  EXPECT_TRUE(files().empty());

  options.variant = "scalar";
  auto scalar = Executor::create(*module, options);
  ASSERT_TRUE(static_cast<bool>(scalar));
  EXPECT_EQ((*scalar)->model().variant(), "scalar");
  options.variant = "pentium";
  auto unknown = Executor::create(*module, options);
  ASSERT_FALSE(static_cast<bool>(unknown));
  EXPECT_EQ(llvm::toString(unknown.takeError()),
            "unknown CPU variant 'pentium'");
}

} // namespace
