// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interpreter as a library: errors, options, evaluate, chunk borders.

#include "Programs.h"

using namespace qdialect;
using namespace qdialect::test;

static std::string
errorOf(llvm::Expected<llvm::SmallVector<HostTensor>> result) {
  return result ? "" : llvm::toString(result.takeError());
}

TEST(Interpreter, ErrorsNamePlaceAndOp) {
  Program unknown("func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n"
                  "  %0 = math.cbrt %x : tensor<4xf32>\n"
                  "  return %0 : tensor<4xf32>\n}");
  HostTensor x(DType::F32, {4});
  EXPECT_EQ(errorOf(unknown.run({x})),
            "-:2:8: 'math.cbrt' is not known to the interpreter");
  EXPECT_EQ(errorOf(unknown.run({})),
            "-:1:1: 'func.func' has 1 arguments, got 0");
  EXPECT_EQ(errorOf(unknown.run({HostTensor(DType::F32, {3})})),
            "-:1:1: 'func.func' wants a tensor<4xf32>, got 3xfloat32");
  EXPECT_EQ(errorOf(unknown.run({HostTensor(DType::I32, {4})})),
            "-:1:1: 'func.func' wants elements of type f32, got int32");
}

TEST(Interpreter, BadValuesAreErrorsNotCrashes) {
  Program division("func.func @main(%x: tensor<2xi32>) -> tensor<2xi32> {\n"
                   "  %0 = arith.divsi %x, %x : tensor<2xi32>\n"
                   "  return %0 : tensor<2xi32>\n}");
  EXPECT_EQ(errorOf(division.run({HostTensor(DType::I32, {2})})),
            "-:2:8: 'arith.divsi' divides by zero");
  Program gather(
      "func.func @main(%t: tensor<3xf32>, %i: index) -> f32 {\n"
      "  %0 = tensor.extract %t[%i] : tensor<3xf32>\n  return %0 : f32\n}");
  EXPECT_EQ(errorOf(gather.run({HostTensor(DType::F32, {3}),
                                HostTensor::of<int64_t>(DType::I64, {}, {3})})),
            "-:2:8: 'tensor.extract' reads outside of its tensor");
  Program shift(
      "func.func @main(%a: tensor<1xi32>, %n: tensor<1xi32>) -> tensor<1xi8> "
      "{\n"
      "  %m = arith.constant dense<1> : tensor<1xi32>\n"
      "  %0 = qd.rescale %a multiplier %m shift %n rounding(half_even) "
      "overflow(saturate) block_sizes = [1] : tensor<1xi32>, tensor<1xi32>, "
      "tensor<1xi32> -> tensor<1xi8>\n  return %0 : tensor<1xi8>\n}");
  EXPECT_EQ(
      errorOf(shift.run({HostTensor(DType::I32, {1}),
                         HostTensor::of<int32_t>(DType::I32, {1}, {63})})),
      "-:3:8: 'qd.rescale' has a shift outside [0, 62]");
}

// More elements than one chunk, a broadcast along each side, odd sizes.
TEST(Interpreter, ChunksJoinWithoutSeams) {
  const int64_t rows = 37, columns = 83;
  Program program(
      "func.func @main(%x: tensor<37x83xf32>, %r: tensor<37xf32>, %c: "
      "tensor<83xf32>) -> tensor<83x37xf32> {\n"
      "  %e = tensor.empty() : tensor<83x37xf32>\n"
      "  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, "
      "affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) "
      "-> "
      "(i, j)>], iterator_types = [\"parallel\", \"parallel\"]} ins(%x, %r, %c "
      ": "
      "tensor<37x83xf32>, tensor<37xf32>, tensor<83xf32>) outs(%e : "
      "tensor<83x37xf32>) {\n  ^bb0(%a: f32, %b: f32, %d: f32, %o: f32):\n"
      "    %p = arith.mulf %a, %b : f32\n    %s = arith.subf %p, %d : f32\n"
      "    linalg.yield %s : f32\n  } -> tensor<83x37xf32>\n"
      "  return %0 : tensor<83x37xf32>\n}");
  HostTensor x(DType::F32, {rows, columns}), r(DType::F32, {rows}),
      c(DType::F32, {columns});
  for (int64_t i = 0; i < rows * columns; ++i)
    x.mutableData<float>()[i] = float(i) * 0.25f;
  for (int64_t i = 0; i < rows; ++i)
    r.mutableData<float>()[i] = float(i % 7) - 3;
  for (int64_t i = 0; i < columns; ++i)
    c.mutableData<float>()[i] = float(i % 5);
  auto result = program.run({x, r, c});
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  for (int64_t i = 0; i < columns; ++i)
    for (int64_t j = 0; j < rows; ++j)
      ASSERT_EQ((*result)[0].data<float>()[i * rows + j],
                x.data<float>()[j * columns + i] * r.data<float>()[j] -
                    c.data<float>()[i]);
}

TEST(Interpreter, StochasticRoundingDependsOnSeedAndElementAlone) {
  auto text = [](int64_t n, int seed) {
    std::string t = std::to_string(n);
    return "func.func @main(%x: tensor<" + t + "xf32>) -> tensor<" + t +
           "xi8> {\n  %s = arith.constant dense<1.0> : tensor<f32>\n"
           "  %0 = qd.quantize %x scale %s rounding(stochastic) "
           "overflow(saturate) {seed = " +
           std::to_string(seed) + "} : tensor<" + t +
           "xf32>, tensor<f32> -> tensor<" + t + "xi8>\n  return %0 : tensor<" +
           t + "xi8>\n}";
  };
  auto run = [&](int64_t n, int seed) {
    Program program(text(n, seed));
    HostTensor x(DType::F32, {n});
    std::fill_n(x.mutableData<float>(), n, 2.25f);
    auto result = program.run({x});
    EXPECT_TRUE(bool(result));
    return (*result)[0];
  };
  HostTensor a = run(3000, 1), b = run(2000, 1), c = run(2000, 2);
  EXPECT_EQ(std::memcmp(a.bytes(), b.bytes(), 2000), 0);
  EXPECT_NE(std::memcmp(b.bytes(), c.bytes(), 2000), 0);
  int64_t up = 0;
  for (int64_t i = 0; i < 3000; ++i) {
    EXPECT_TRUE(a.asInteger(i) == 2 || a.asInteger(i) == 3);
    up += a.asInteger(i) == 3;
  }
  // A quarter of 3000, within five standard deviations (24).
  EXPECT_NEAR(double(up), 750, 120);
}

TEST(Interpreter, ObserversSeeValuesByName) {
  Program program("func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n"
                  "  %0 = qd.observe %x \"conv1\" : tensor<2xf32>\n"
                  "  return %0 : tensor<2xf32>\n}");
  std::vector<std::string> seen;
  InterpreterOptions options;
  options.observe = [&](llvm::StringRef name, const HostTensor &tensor) {
    seen.push_back(name.str() + " " + std::to_string(tensor.asDouble(1)));
  };
  auto result =
      program.run({HostTensor::of<float>(DType::F32, {2}, {1, 4})}, options);
  ASSERT_TRUE(bool(result));
  EXPECT_EQ(seen, std::vector<std::string>{"conv1 4.000000"});
}

TEST(Interpreter, ExactIslandsGiveDoubles) {
  Program program("func.func @main(%x: tensor<1xf32>) -> tensor<1xf32> {\n"
                  "  %0 = arith.divf %x, %x : tensor<1xf32>\n"
                  "  %1 = math.exp %0 : tensor<1xf32>\n"
                  "  return %1 : tensor<1xf32>\n}");
  InterpreterOptions options;
  options.exactIslands = true;
  auto result =
      program.run({HostTensor::of<float>(DType::F32, {1}, {3})}, options);
  ASSERT_TRUE(bool(result));
  EXPECT_EQ((*result)[0].type(), DType::F64);
  EXPECT_EQ((*result)[0].asDouble(0), std::exp(1.0));
}

TEST(Interpreter, EvaluatesOneOp) {
  Program program("func.func @main(%x: tensor<2xi32>) -> tensor<2xi32> {\n"
                  "  %c = arith.constant dense<[3, 4]> : tensor<2xi32>\n"
                  "  %0 = arith.addi %x, %c : tensor<2xi32>\n"
                  "  return %0 : tensor<2xi32>\n}");
  mlir::Operation *add = nullptr;
  program.module->walk([&](mlir::arith::AddIOp op) { add = op; });
  HostTensor x = HostTensor::of<int32_t>(DType::I32, {2}, {1, INT32_MAX});
  HostTensor c = HostTensor::of<int32_t>(DType::I32, {2}, {3, 4});
  auto sum = evaluate(add, {x, c});
  ASSERT_TRUE(bool(sum));
  EXPECT_EQ((*sum)[0].asInteger(0), 4);
  EXPECT_EQ((*sum)[0].asInteger(1), INT32_MIN + 3);
  EXPECT_NE(errorOf(evaluate(add, {x})).find("has 2 operands, got 1"),
            std::string::npos);
}

// A loop empties what it is handed; its body may read the same value.
TEST(Interpreter, EvaluatesLoopsThatCaptureWhatTheyCarry) {
  Program program("func.func @main(%x: tensor<2xi32>, %n: index, %s: index) -> "
                  "tensor<2xi32> {\n"
                  "  %0 = scf.for %i = %n to %s step %s iter_args(%c = %x) -> "
                  "(tensor<2xi32>) {\n"
                  "    %1 = arith.addi %c, %x : tensor<2xi32>\n"
                  "    scf.yield %1 : tensor<2xi32>\n"
                  "  }\n"
                  "  return %0 : tensor<2xi32>\n}");
  mlir::Operation *loop = nullptr;
  program.module->walk([&](mlir::scf::ForOp op) { loop = op; });
  HostTensor x = HostTensor::of<int32_t>(DType::I32, {2}, {1, 5});
  HostTensor n = HostTensor::of<int64_t>(DType::I64, {}, {0});
  HostTensor s = HostTensor::of<int64_t>(DType::I64, {}, {1});
  auto sum = evaluate(loop, {n, s, s, x});
  ASSERT_TRUE(bool(sum));
  EXPECT_EQ((*sum)[0].asInteger(0), 2);
  EXPECT_EQ((*sum)[0].asInteger(1), 10);
}

// The input is not changed by a program that writes into its own copy.
TEST(Interpreter, InputsStayAsTheyAre) {
  Program program("func.func @main(%x: tensor<2xf32>, %i: index, %v: f32) -> "
                  "tensor<2xf32> {\n"
                  "  %0 = tensor.insert %v into %x[%i] : tensor<2xf32>\n"
                  "  return %0 : tensor<2xf32>\n}");
  HostTensor x = HostTensor::of<float>(DType::F32, {2}, {1, 2});
  auto result = program.run({x, HostTensor::of<int64_t>(DType::I64, {}, {1}),
                             HostTensor::of<float>(DType::F32, {}, {9})});
  ASSERT_TRUE(bool(result));
  EXPECT_EQ((*result)[0].asDouble(1), 9);
  EXPECT_EQ(x.asDouble(1), 2);
}

// What is changed behind an op is what the ops behind it read; each op runs for
// all samples before the next one does.
TEST(Interpreter, SamplesGoSideBySide) {
  Program program("func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n"
                  "  %c = arith.constant dense<2.0> : tensor<2xf32>\n"
                  "  %0 = arith.mulf %x, %c : tensor<2xf32>\n"
                  "  %1 = arith.addf %0, %c : tensor<2xf32>\n"
                  "  return %1 : tensor<2xf32>\n}");
  auto main = program.module->lookupSymbol<mlir::func::FuncOp>("main");
  std::vector<std::vector<HostTensor>> samples{
      {HostTensor::of<float>(DType::F32, {2}, {1, 2})},
      {HostTensor::of<float>(DType::F32, {2}, {3, 4})}};
  std::vector<std::string> order;
  std::vector<double> sums;
  llvm::Error error = interpretSideBySide(
      main, samples,
      [&](mlir::Operation *op, llvm::ArrayRef<HostTensor *> results) {
        EXPECT_EQ(results.size(), 2u);
        order.push_back(op->getName().stripDialect().str());
        if (order.back() == "mulf")
          results[1]->mutableData<float>()[0] = 10;
        if (order.back() == "addf")
          for (HostTensor *result : results)
            sums.push_back(result->asDouble(0));
        return llvm::Error::success();
      });
  ASSERT_FALSE(bool(error));
  EXPECT_EQ(order, (std::vector<std::string>{"constant", "mulf", "addf"}));
  EXPECT_EQ(sums, (std::vector<double>{4, 12}));
  EXPECT_EQ(samples[1][0].asDouble(0), 3);
  llvm::Error wrong = interpretSideBySide(
      main, {{}}, [](mlir::Operation *, llvm::ArrayRef<HostTensor *>) {
        return llvm::Error::success();
      });
  EXPECT_EQ(llvm::toString(std::move(wrong)),
            "-:1:1: 'func.func' has 1 arguments, got 0");
}
