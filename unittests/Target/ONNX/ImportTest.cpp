// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The importer as a library: weights are shared with the file and live as long
// as the module; broken models end in one diagnostic.

#include "ModelBytes.h"
#include "QDialect/Target/ONNX/ImportONNX.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"
#include <random>

using namespace mlir;
using namespace qdialect;
using namespace qdialect::onnx_test;

namespace {

std::shared_ptr<llvm::MemoryBuffer> bufferOf(const std::string &bytes) {
  return llvm::MemoryBuffer::getMemBufferCopy(bytes);
}

/// The blob of the first dense_resource constant.
ArrayRef<char> firstResource(ModuleOp module) {
  ArrayRef<char> data;
  module.walk([&](arith::ConstantOp constant) {
    if (auto attr = dyn_cast<DenseResourceElementsAttr>(constant.getValue()))
      data = attr.getRawHandle().getBlob()->getData();
  });
  return data;
}

struct Said {
  explicit Said(MLIRContext &context)
      : handler(&context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
            errors.push_back(diagnostic.str());
        }) {}
  std::vector<std::string> errors;
  ScopedDiagnosticHandler handler;
};

} // namespace

TEST(ImportONNX, SharesWeightsWithTheFile) {
  // Somewhere among four paddings of the producer name the weights are aligned.
  bool shared = false;
  for (int shift = 0; shift < 4; ++shift) {
    std::string model = field(2, std::string(shift, 'p')) +
                        addModel(16, 16, std::string(1024, 'w'));
    std::shared_ptr<llvm::MemoryBuffer> buffer = bufferOf(model);
    const char *begin = buffer->getBufferStart(), *end = buffer->getBufferEnd();
    MLIRContext context;
    auto module = importONNX(std::move(buffer), "model.onnx", &context);
    ASSERT_TRUE(module);
    ArrayRef<char> data = firstResource(*module);
    ASSERT_EQ(data.size(), 1024u);
    // The buffer was moved away: the module alone keeps the bytes alive.
    EXPECT_EQ(StringRef(data.data(), data.size()), std::string(1024, 'w'));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data.data()) % 4, 0u);
    shared |= data.data() >= begin && data.data() < end;
  }
  EXPECT_TRUE(shared);
}

TEST(ImportONNX, RefusesExternalDataOfBuffers) {
  std::string entry = field(1, "location") + field(2, "weights.bin");
  std::string weights = number(1, 4) + number(2, 1) + field(8, "w") +
                        field(13, entry) + number(14, 1);
  std::string model = field(7, field(5, weights)) + field(8, number(2, 17));
  MLIRContext context;
  Said said(context);
  EXPECT_FALSE(importONNX(bufferOf(model), "", &context));
  ASSERT_EQ(said.errors.size(), 1u);
  EXPECT_EQ(
      said.errors[0],
      "model: initializer 'w': external data 'weights.bin' cannot be found: "
      "the model is not a file");
}

TEST(ImportONNX, ParsesDimensions) {
  ImportOptions options;
  EXPECT_FALSE(static_cast<bool>(parseDimension("batch=4", options)));
  EXPECT_FALSE(static_cast<bool>(parseDimension("a=b:0=7", options)));
  EXPECT_EQ(options.dims.lookup("batch").low, 4);
  EXPECT_EQ(options.dims.lookup("a=b:0").high, 7);
  EXPECT_FALSE(static_cast<bool>(parseDimension("h=1..650:32", options)));
  EXPECT_EQ(options.dims.lookup("h").low, 32);
  EXPECT_EQ(options.dims.lookup("h").high, 640);
  EXPECT_EQ(options.dims.lookup("h").step, 32);
  EXPECT_FALSE(static_cast<bool>(parseDimension("x:2=48..:48", options)));
  EXPECT_EQ(options.dims.lookup("x:2").low, 48);
  EXPECT_EQ(options.dims.lookup("x:2").high % 48, 0);
  for (const char *text : {"", "batch", "=4", "batch=", "batch=x", "batch=0",
                           "batch=-1", "batch=4:2", "batch=1..4:",
                           "batch=1..4:0", "batch=1..4:x", "batch=33..63:32"}) {
    llvm::Error error = parseDimension(text, options);
    EXPECT_TRUE(static_cast<bool>(error)) << text;
    llvm::consumeError(std::move(error));
  }
}

// Every prefix of a model and thousands of corrupted ones: exactly one error
// or a verified module, and no crash.
TEST(ImportONNXProperty, SurvivesBrokenModels) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  Said said(context);
  auto check = [&](const std::string &bytes) {
    said.errors.clear();
    auto module = importONNX(bufferOf(bytes), "m", &context);
    EXPECT_EQ(said.errors.size(), module ? 0u : 1u);
  };
  const std::string model = addModel(4, 4, std::string(64, 'w'));
  for (size_t length = 0; length <= model.size(); ++length)
    check(model.substr(0, length));
  std::mt19937 random(20261122);
  for (int round = 0; round < 2000; ++round) {
    std::string broken = model;
    for (int flips = 1 + static_cast<int>(random() % 2); flips-- > 0;)
      broken[random() % broken.size()] = static_cast<char>(random());
    check(broken);
  }
}
