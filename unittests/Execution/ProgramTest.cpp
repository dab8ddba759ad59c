// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the tensors of a program lie, and what is refused.

#include "QDialect/CodeGen/Program/Program.h"
#include "Fixture.h"
#include "mlir/IR/Diagnostics.h"

using namespace qdialect;
using Storage = ProgramBuffer::Storage;

namespace {

/// @main of the given arguments, body and results; @F is a float dispatch, @I
/// an i8 one.
std::string program(llvm::StringRef arguments, llvm::StringRef results,
                    std::string body) {
  auto replaceAll = [&](llvm::StringRef from, llvm::StringRef to) {
    for (size_t at = 0; (at = body.find(from, at)) != std::string::npos;
         at += to.size())
      body.replace(at, from.size(), to);
  };
  replaceAll("@F", R"(-> (tensor<32xf32>) {
    ^bb0(%x: tensor<32xf32>):
      %e = tensor.empty() : tensor<32xf32>
      %r = linalg.generic {
          indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
          iterator_types = ["parallel"]}
          ins(%x : tensor<32xf32>) outs(%e : tensor<32xf32>) {
      ^bb0(%a: f32, %o: f32):
        %s = arith.addf %a, %a : f32
        linalg.yield %s : f32
      } -> tensor<32xf32>
      qd.yield %r : tensor<32xf32>
    })");
  replaceAll("@I", R"(-> (tensor<32xi8>) {
    ^bb0(%x: tensor<32xi8>):
      %e = tensor.empty() : tensor<32xi8>
      %c = arith.constant 3 : i8
      %r = linalg.generic {
          indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
          iterator_types = ["parallel"]}
          ins(%x : tensor<32xi8>) outs(%e : tensor<32xi8>) {
      ^bb0(%a: i8, %o: i8):
        %s = arith.maxsi %a, %c : i8
        linalg.yield %s : i8
      } -> tensor<32xi8>
      qd.yield %r : tensor<32xi8>
    })");
  return ("func.func @main(" + arguments + ") -> (" + results + ") {" + body +
          "}")
      .str();
}

class ProgramTest : public ExecutionTest {
protected:
  Program plan(const std::string &text) {
    module = parse(text);
    auto planned = planProgram(*module);
    EXPECT_TRUE(succeeded(planned));
    return succeeded(planned) ? std::move(*planned) : Program();
  }
  /// The diagnostic of a program that is refused.
  std::string refusal(const std::string &text) {
    module = parse(text);
    std::string message;
    mlir::ScopedDiagnosticHandler handler(&context,
                                          [&](mlir::Diagnostic &diagnostic) {
                                            message = diagnostic.str();
                                            return mlir::success();
                                          });
    EXPECT_TRUE(failed(planProgram(*module)));
    return message;
  }
  static const ProgramBuffer &argument(const Program &program, size_t step,
                                       size_t index) {
    return program.buffers[program.steps[step].args[index]];
  }

  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(ProgramTest, FloatsAreReadAndWrittenInTheCallersMemory) {
  Program p = plan(program("%in: tensor<32xf32>", "tensor<32xf32>", R"(
    %0 = qd.dispatch ins(%in : tensor<32xf32>) @F
    return %0 : tensor<32xf32>)"));
  ASSERT_EQ(p.steps.size(), 1u);
  EXPECT_EQ(argument(p, 0, 0).storage, Storage::Input);
  EXPECT_EQ(argument(p, 0, 1).storage, Storage::Output);
  EXPECT_EQ(p.arenaBytes, 0);
}

TEST_F(ProgramTest, CodesPassThroughTheArenaAtTheBoundary) {
  Program p = plan(program("%in: tensor<32xi8>", "tensor<32xi8>", R"(
    %0 = qd.dispatch ins(%in : tensor<32xi8>) @I
    return %0 : tensor<32xi8>)"));
  ASSERT_EQ(p.steps.size(), 3u);
  EXPECT_EQ(p.steps[0].kind, ProgramStep::Kind::Copy);
  EXPECT_TRUE(p.steps[0].flip);
  EXPECT_EQ(argument(p, 0, 0).storage, Storage::Input);
  EXPECT_EQ(argument(p, 1, 0).storage, Storage::Arena);
  EXPECT_EQ(argument(p, 1, 1).storage, Storage::Arena);
  EXPECT_TRUE(p.steps[2].flip);
  EXPECT_EQ(argument(p, 2, 1).storage, Storage::Output);
}

TEST_F(ProgramTest, OneCopyServesAllReadersOfAnInput) {
  Program p =
      plan(program("%in: tensor<32xi8>", "tensor<32xi8>, tensor<32xi8>", R"(
    %0 = qd.dispatch ins(%in : tensor<32xi8>) @I
    %1 = qd.dispatch ins(%in : tensor<32xi8>) @I
    return %0, %1 : tensor<32xi8>, tensor<32xi8>)"));
  ASSERT_EQ(p.steps.size(), 5u); // in, two kernels, two out
  EXPECT_EQ(p.steps[1].args[0], p.steps[2].args[0]);
  EXPECT_EQ(p.kernels.size(), 1u);
  EXPECT_EQ(p.kernels[0].steps, 2u);
}

TEST_F(ProgramTest, ViewsShareTheirSourcesMemory) {
  Program p = plan(program("%in: tensor<32xf32>", "tensor<4x8xf32>", R"(
    %0 = qd.dispatch ins(%in : tensor<32xf32>) @F
    %1 = tensor.expand_shape %0 [[0, 1]] output_shape [4, 8]
        : tensor<32xf32> into tensor<4x8xf32>
    %2 = tensor.collapse_shape %1 [[0, 1]]
        : tensor<4x8xf32> into tensor<32xf32>
    %3 = qd.dispatch ins(%2 : tensor<32xf32>) @F
    %4 = tensor.expand_shape %3 [[0, 1]] output_shape [4, 8]
        : tensor<32xf32> into tensor<4x8xf32>
    return %4 : tensor<4x8xf32>)"));
  ASSERT_EQ(p.steps.size(), 2u);
  EXPECT_EQ(p.steps[0].args[1], p.steps[1].args[0]);
  EXPECT_EQ(argument(p, 1, 1).storage, Storage::Output);
  EXPECT_EQ(p.outputs[0].shape, (std::vector<int64_t>{4, 8}));
}

TEST_F(ProgramTest, AResultThatIsReadAgainStaysInTheArena) {
  // The caller's memory has no readable bytes behind it.
  Program p =
      plan(program("%in: tensor<32xf32>", "tensor<32xf32>, tensor<32xf32>", R"(
    %0 = qd.dispatch ins(%in : tensor<32xf32>) @F
    %1 = qd.dispatch ins(%0 : tensor<32xf32>) @F
    return %0, %1 : tensor<32xf32>, tensor<32xf32>)"));
  ASSERT_EQ(p.steps.size(), 3u);
  EXPECT_EQ(argument(p, 0, 1).storage, Storage::Arena);
  EXPECT_EQ(argument(p, 1, 1).storage, Storage::Output);
  EXPECT_EQ(p.steps[2].kind, ProgramStep::Kind::Copy);
  EXPECT_FALSE(p.steps[2].flip);
  EXPECT_GE(argument(p, 0, 1).lastStep, 2);
}

TEST_F(ProgramTest, OneValueReturnedTwiceIsComputedOnce) {
  Program p =
      plan(program("%in: tensor<32xf32>", "tensor<32xf32>, tensor<32xf32>", R"(
    %0 = qd.dispatch ins(%in : tensor<32xf32>) @F
    return %0, %0 : tensor<32xf32>, tensor<32xf32>)"));
  ASSERT_EQ(p.steps.size(), 2u);
  EXPECT_EQ(argument(p, 1, 0).index, 0u);
  EXPECT_EQ(argument(p, 1, 1).index, 1u);
  EXPECT_EQ(argument(p, 1, 1).storage, Storage::Output);
}

TEST_F(ProgramTest, AReturnedArgumentIsCopiedAsItIs) {
  Program p = plan(program("%in: tensor<32xi8>, %y: tensor<f32>",
                           "tensor<32xi8>, tensor<f32>",
                           "return %in, %y : tensor<32xi8>, tensor<f32>"));
  ASSERT_EQ(p.steps.size(), 2u);
  EXPECT_FALSE(p.steps[0].flip);
  EXPECT_EQ(p.outputs[1].bytes, 4);
  EXPECT_TRUE(p.outputs[1].shape.empty());
}

TEST_F(ProgramTest, NamesComeFromTheModel) {
  Program p = plan(R"(func.func @main(
      %x: tensor<4xf32> {qd.name = "image"}, %y: tensor<4x!qd.uint<8>>)
      -> (tensor<4xf32> {qd.name = "logits"}, tensor<4x!qd.uint<8>>) {
    return %x, %y : tensor<4xf32>, tensor<4x!qd.uint<8>>
  })");
  EXPECT_EQ(p.inputs[0].name, "image");
  EXPECT_EQ(p.inputs[1].name, "arg1");
  EXPECT_EQ(p.inputs[1].type, DType::U8);
  EXPECT_EQ(p.outputs[0].name, "logits");
  EXPECT_EQ(p.outputs[1].name, "result1");
}

TEST_F(ProgramTest, SmallStepsStayOnTheCaller) {
  std::string small = program("%in: tensor<32xf32>", "tensor<32xf32>", R"(
    %0 = qd.dispatch ins(%in : tensor<32xf32>) @F
    return %0 : tensor<32xf32>)");
  EXPECT_TRUE(plan(small).steps[0].serial);
  std::string large = small;
  for (size_t at = 0; (at = large.find("<32x", at)) != std::string::npos;)
    large.replace(at, 4, "<99999x");
  EXPECT_FALSE(plan(large).steps[0].serial);
}

/// A loop over the rows of %in that starts from %first.
std::string loopOver(std::string row, std::string next) {
  return R"(
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %0 = scf.for %t = %c0 to %c4 step %c1 iter_args(%h = %first)
        -> (tensor<32xi8>) {)" +
         row + next + R"(
      scf.yield %next : tensor<32xi8>
    }
    return %0 : tensor<32xi8>)";
}

const char *const kTakeRow = R"(
      %row = tensor.extract_slice %in[%t, 0] [1, 32] [1, 1]
          : tensor<4x32xi8> to tensor<32xi8>)";
const char *const kReadRow = R"(
      %next = qd.dispatch ins(%row : tensor<32xi8>) @I)";

TEST_F(ProgramTest, WhatALoopReadsIsCopiedInFrontOfIt) {
  Program p = plan(program("%in: tensor<4x32xi8>, %first: tensor<32xi8>",
                           "tensor<32xi8>", loopOver(kTakeRow, kReadRow)));
  ASSERT_EQ(p.regions.size(), 1u);
  int64_t copies = 0;
  for (auto [number, step] : llvm::enumerate(p.steps))
    if (llvm::StringRef(step.name).starts_with("copy-in")) {
      EXPECT_LT(static_cast<int64_t>(number), p.regions[0].firstStep);
      ++copies;
    }
  EXPECT_EQ(copies, 2);
}

TEST_F(ProgramTest, WhatABranchReadsIsCopiedInFrontOfIt) {
  Program p = plan(program("%in: tensor<32xi8>, %which: tensor<i1>",
                           "tensor<32xi8>, tensor<32xi8>", R"(
    %yes = tensor.extract %which[] : tensor<i1>
    %0 = scf.if %yes -> (tensor<32xi8>) {
      %1 = qd.dispatch ins(%in : tensor<32xi8>) @I
      scf.yield %1 : tensor<32xi8>
    } else {
      %2 = qd.dispatch ins(%in : tensor<32xi8>) @I
      %3 = qd.dispatch ins(%2 : tensor<32xi8>) @I
      scf.yield %3 : tensor<32xi8>
    }
    %4 = qd.dispatch ins(%in : tensor<32xi8>) @I
    return %0, %4 : tensor<32xi8>, tensor<32xi8>)"));
  ASSERT_EQ(p.regions.size(), 1u);
  EXPECT_EQ(p.regions[0].firstStep, 1);
  EXPECT_TRUE(p.steps[0].flip);
  EXPECT_EQ(p.steps[1].args[0], p.steps[4].args[0]);
}

TEST_F(ProgramTest, RefusedRows) {
  auto refused = [&](const char *row) {
    return refusal(program("%in: tensor<4x32xi8>, %first: tensor<32xi8>",
                           "tensor<32xi8>", loopOver(row, kReadRow)));
  };
  EXPECT_EQ(refused(R"(
      %after = arith.addi %t, %c1 : index
      %row = tensor.extract_slice %in[%after, 0] [1, 32] [1, 1]
          : tensor<4x32xi8> to tensor<32xi8>)"),
            "'tensor.extract_slice' op takes row 4 of 'tensor<4x32xi8>' in "
            "iteration 3");
  EXPECT_EQ(refused(R"(
      %before = arith.subi %t, %c1 : index
      %row = tensor.extract_slice %in[%before, 0] [1, 32] [1, 1]
          : tensor<4x32xi8> to tensor<32xi8>)"),
            "'tensor.extract_slice' op takes row -1 of 'tensor<4x32xi8>' in "
            "iteration 0");
  EXPECT_EQ(refused(R"(
      %rows = tensor.extract_slice %in[%t, 0] [1, 32] [1, 1]
          : tensor<4x32xi8> to tensor<1x32xi8>
      %half = tensor.extract_slice %in[0, %t] [1, 16] [1, 1]
          : tensor<4x32xi8> to tensor<16xi8>
      %row = tensor.collapse_shape %rows [[0, 1]]
          : tensor<1x32xi8> into tensor<32xi8>)"),
            "'tensor.extract_slice' op is no row that a loop of the program "
            "chooses");
}

TEST_F(ProgramTest, RefusedBranches) {
  EXPECT_EQ(refusal(program("%in: tensor<32xf32>", "tensor<32xf32>", R"(
    %yes = arith.constant true
    %0 = scf.if %yes -> (tensor<32xf32>) {
      scf.yield %in : tensor<32xf32>
    } else {
      %1 = qd.dispatch ins(%in : tensor<32xf32>) @F
      scf.yield %1 : tensor<32xf32>
    }
    return %0 : tensor<32xf32>)")),
            "'scf.if' op expected a condition that is the element of a tensor");
}

// A list of any size lies in memory that the copies to it make large enough,
// and is read where it lies; the loop runs by a byte that it carries.
TEST_F(ProgramTest, WhileCarriesAnySize) {
  Program p = plan(program("%in: tensor<32xf32>, %go: tensor<i1>, "
                           "%count: tensor<i64>",
                           "tensor<?xf32>", R"(
    %any = qd.any_size %in : tensor<32xf32> to tensor<?xf32>
    %end:3 = scf.while (%g = %go, %l = %any, %k = %count)
        : (tensor<i1>, tensor<?xf32>, tensor<i64>)
        -> (tensor<i1>, tensor<?xf32>, tensor<i64>) {
      %c = tensor.extract %g[] : tensor<i1>
      scf.condition(%c) %g, %l, %k : tensor<i1>, tensor<?xf32>, tensor<i64>
    } do {
    ^bb0(%g: tensor<i1>, %l: tensor<?xf32>, %k: tensor<i64>):
      %n = qd.data_size %k "n" : tensor<i64>
      %list = qd.sized %l[%n] : tensor<?xf32>
      %0 = qd.dispatch ins(%in : tensor<32xf32>) @F
      %open = qd.any_size %0 : tensor<32xf32> to tensor<?xf32>
      scf.yield %g, %open, %k : tensor<i1>, tensor<?xf32>, tensor<i64>
    }
    %m = qd.data_size %end#2 "m" : tensor<i64>
    %y = qd.sized %end#1[%m] : tensor<?xf32>
    return %y : tensor<?xf32>)"));
  ASSERT_EQ(p.regions.size(), 1u);
  EXPECT_EQ(p.regions[0].kind, ProgramRegion::Kind::While);
  ASSERT_EQ(llvm::count_if(p.buffers,
                           [](const ProgramBuffer &buffer) {
                             return buffer.storage == Storage::Growable;
                           }),
            1);
  // The start, and the end of an iteration.
  EXPECT_EQ(llvm::count_if(p.steps,
                           [&](const ProgramStep &step) {
                             return step.kind == ProgramStep::Kind::Copy &&
                                    p.buffers[step.args[1]].storage ==
                                        Storage::Growable;
                           }),
            2);
}

TEST_F(ProgramTest, Refusals) {
  EXPECT_EQ(refusal("func.func @main(%x: tensor<4xi4>) { return }"),
            "'func.func' op tensor 'arg0': element type 'i4' has no form in "
            "the memory of compiled programs");
  EXPECT_EQ(refusal("func.func @a() { return } func.func @b() { return }"),
            "a program is a module with one function, not 2");
  EXPECT_EQ(refusal(R"(func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = arith.addf %x, %x : tensor<4xf32>
      return %0 : tensor<4xf32> })"),
            "'arith.addf' op is not allowed between the dispatches of a "
            "program");
}

} // namespace
