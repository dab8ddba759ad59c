// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The integer program against the exact meaning of the QDQ program: random
// islands of 8-bit and of 16-bit codes, both rescale modes. A code may differ
// from the exact one only by one step, and only where the exact value lies
// within the stated error (qd.error_lsb) of the boundary between the two.

#include "RandomIsland.h"

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "gtest/gtest.h"
#include <cmath>
#include <map>

using namespace mlir;
using namespace qdialect;
using qdialect::test::makeRandomIsland;
using qdialect::test::RandomIsland;

namespace {

class IntegerizeProperty
    : public ::testing::TestWithParam<std::tuple<const char *, unsigned>> {
protected:
  IntegerizeProperty() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, math::MathDialect,
                        tensor::TensorDialect, qd::QDDialect>();
  }

  static func::FuncOp mainOf(ModuleOp module) {
    return module.lookupSymbol<func::FuncOp>("main");
  }

  LogicalResult integerize(ModuleOp module, StringRef rescale) {
    PassManager pm(&context);
    pm.addNestedPass<func::FuncOp>(createRebaseUnsignedPass());
    pm.addNestedPass<func::FuncOp>(createCommuteDequantizePass());
    IntegerizePassOptions options;
    options.rescale = rescale.str();
    pm.addNestedPass<func::FuncOp>(createIntegerizePass(options));
    return pm.run(module);
  }

  MLIRContext context;
};

/// Does any op of the function compute in floats on tensors?
bool hasFloatTensors(func::FuncOp function) {
  bool found = false;
  for (Operation &op : function.getBody().front())
    for (Type type : op.getResultTypes())
      if (!op.hasTrait<OpTrait::ConstantLike>() &&
          isa<FloatType>(getElementTypeOrSelf(type)))
        found = true;
  return found;
}

double statedError(func::FuncOp function) {
  double error = 0;
  function.walk([&](Operation *op) {
    if (auto attr = op->getAttrOfType<FloatAttr>("qd.error_lsb"))
      error = std::max(error, attr.getValueAsDouble());
  });
  return error;
}

TEST_P(IntegerizeProperty, MatchesExactIslands) {
  auto [rescale, bits] = GetParam();
  const uint32_t kPrograms = bits == 8 ? 500 : 200;
  std::map<std::string, int> kinds;
  int64_t elements = 0, different = 0;
  for (uint32_t seed = 1; seed <= kPrograms; ++seed) {
    RandomIsland island = makeRandomIsland(seed, bits);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + island.kind);
    ++kinds[island.kind];
    auto exactModule = parseSourceString<ModuleOp>(island.text(true), &context);
    auto module = parseSourceString<ModuleOp>(island.text(false), &context);
    ASSERT_TRUE(exactModule && module) << island.text(true);
    InterpreterOptions exact;
    exact.exactIslands = true;
    auto expected = interpret(mainOf(*exactModule), island.inputs, exact);
    ASSERT_TRUE(bool(expected)) << llvm::toString(expected.takeError());
    ASSERT_TRUE(succeeded(integerize(*module, rescale)));
    func::FuncOp main = mainOf(*module);
    std::string printed;
    llvm::raw_string_ostream(printed) << *module;
    ASSERT_FALSE(hasFloatTensors(main)) << printed;
    auto actual = interpret(main, island.inputs);
    ASSERT_TRUE(bool(actual)) << llvm::toString(actual.takeError());
    const HostTensor &want = (*expected)[0], &real = (*expected)[1];
    const HostTensor &got = (*actual)[0];
    ASSERT_EQ(want.shape(), got.shape());
    double error = statedError(main);
    // Half an accumulator step (the rounded bias) is the largest part; the
    // programs' output steps span at least eight accumulator steps.
    // Sums of 16-bit codes in f32 have 8 bits left.
    EXPECT_LT(error, bits == 8 ? 1.0 / 16 : 1.0 / 8)
        << "the bound says nothing";
    for (int64_t i = 0; i < want.size(); ++i) {
      int64_t a = want.asInteger(i), b = got.asInteger(i);
      ++elements;
      if (a == b)
        continue;
      ++different;
      ASSERT_LE(std::abs(a - b), 1) << "element " << i << "\n" << printed;
      double value = real.asDouble(i) / island.scale + island.zeroPoint;
      double boundary = std::min(a, b) + 0.5;
      ASSERT_LE(std::fabs(value - boundary), error * (1 + 1e-9))
          << "element " << i << ": exact value " << value << ", code " << b
          << "\n"
          << printed;
    }
  }
  EXPECT_EQ(kinds.size(), 11u);
  RecordProperty("elements", static_cast<int>(elements));
  RecordProperty("different", static_cast<int>(different));
  // Where nothing lies near a boundary nothing may differ: the modes agree with
  // the exact value nearly everywhere.
  EXPECT_LT(different, elements / (bits == 8 ? 1000 : 100));
}

INSTANTIATE_TEST_SUITE_P(Rescale, IntegerizeProperty,
                         ::testing::Combine(::testing::Values("float",
                                                              "dyadic"),
                                            ::testing::Values(8u, 16u)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param)) +
                                  std::to_string(std::get<1>(info.param));
                         });

} // namespace
