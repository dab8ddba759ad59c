// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels with a thread for each element, against the interpreter; their
// neighbouring threads touch neighbouring bytes.

#include "GpuCheck.h"
#include "gtest/gtest.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class ElementsPlan : public ::testing::Test {
protected:
  /// `body` computes %r of `result` from the block's %a (and %b).
  ptx::LaunchResult check(llvm::ArrayRef<std::string> inputs,
                          const std::string &result, const std::string &body,
                          const std::string &family = "elements") {
    std::string names, types, arguments;
    for (auto [i, type] : llvm::enumerate(inputs)) {
      std::string separator = i ? ", " : "";
      names += separator + "%arg" + std::to_string(i);
      types += separator + type;
      arguments += separator + (i ? "%b: " : "%a: ") + type;
    }
    std::string formal;
    for (auto [i, type] : llvm::enumerate(inputs))
      formal += (i ? ", %arg" : "%arg") + std::to_string(i) + ": " + type;
    return checkGpuDispatch("func.func @main(" + formal + ") -> " + result +
                                " {\n%0 = qd.dispatch ins(" + names + " : " +
                                types + ") -> (" + result + ") {\n^bb0(" +
                                arguments + "):\n" + body + "\nqd.yield %r : " +
                                result + "\n}\nreturn %0 : " + result + "\n}\n",
                            family, random);
  }
  std::mt19937 random{testSeed()};
};

const char *const kQuantize = R"(
  %e = tensor.empty() : tensor<3x43xi8>
  %s = arith.constant 0.031 : f32
  %z = arith.constant -3 : i32
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<3x43xf32>) outs(%e : tensor<3x43xi8>) {
  ^bb0(%x: f32, %o: i8):
    %q = qd.quantize %x scale %s zero_point %z rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8
    linalg.yield %q : i8
  } -> tensor<3x43xi8>)";

TEST_F(ElementsPlan, Quantize) {
  ptx::LaunchResult said =
      check({"tensor<3x43xf32>"}, "tensor<3x43xi8>", kQuantize);
  ptx::SiteCounters loads = said.total(ptx::InstructionClass::Load);
  EXPECT_EQ(loads.sectors, loads.idealSectors);
}

/// Four neighbours a thread: 16 bytes in, 4 out.
TEST_F(ElementsPlan, QuantizeFour) {
  std::string body = kQuantize;
  for (size_t at; (at = body.find("3x43")) != std::string::npos;)
    body.replace(at, 4, "5x52");
  ptx::LaunchResult said = check({"tensor<5x52xf32>"}, "tensor<5x52xi8>", body);
  EXPECT_EQ(said.total(ptx::InstructionClass::Load).requests, 3u);
  EXPECT_EQ(said.total(ptx::InstructionClass::Store).requests, 3u);
  EXPECT_EQ(said.total().sectors, said.total().idealSectors);
}

/// Rows of a table at computed places, plus rows that all share.
/// Bytes of minifloats, made and read.
TEST_F(ElementsPlan, Minifloats) {
  check({"tensor<3x44xf32>"}, "tensor<3x44x!qd.uint<8>>", R"(
  %e = tensor.empty() : tensor<3x44x!qd.uint<8>>
  %s = arith.constant 0.031 : f32
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<3x44xf32>) outs(%e : tensor<3x44x!qd.uint<8>>) {
  ^bb0(%x: f32, %o: !qd.uint<8>):
    %q = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : f32, f32 -> f8E4M3FN
    %b = qd.storage_cast %q : f8E4M3FN to i8
    %c = qd.storage_cast %b : i8 to !qd.uint<8>
    linalg.yield %c : !qd.uint<8>
  } -> tensor<3x44x!qd.uint<8>>)");
  check({"tensor<3x43x!qd.uint<8>>"}, "tensor<3x43xf32>", R"(
  %e = tensor.empty() : tensor<3x43xf32>
  %s = arith.constant 0.031 : f32
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<3x43x!qd.uint<8>>) outs(%e : tensor<3x43xf32>) {
  ^bb0(%x: !qd.uint<8>, %o: f32):
    %b = qd.storage_cast %x : !qd.uint<8> to i8
    %c = qd.storage_cast %b : i8 to f8E5M2
    %q = qd.dequantize %c scale %s : f8E5M2, f32 -> f32
    linalg.yield %q : f32
  } -> tensor<3x43xf32>)");
}

TEST_F(ElementsPlan, GatherFour) {
  check({"tensor<6xi8>", "tensor<12xf32>"}, "tensor<1x6x12xf32>", R"(
  %t = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %e = tensor.empty() : tensor<1x6x12xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(n, i, j) -> (i)>, affine_map<(n, i, j) -> (j)>,
                       affine_map<(n, i, j) -> (n, i, j)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a, %b : tensor<6xi8>, tensor<12xf32>) outs(%e : tensor<1x6x12xf32>) {
  ^bb0(%x: i8, %y: f32, %o: f32):
    %c1 = arith.constant 1 : i8
    %c3 = arith.constant 3 : index
    %k = arith.andi %x, %c1 : i8
    %p = arith.index_castui %k : i8 to index
    %j = linalg.index 2 : index
    %q = arith.remui %j, %c3 : index
    %v = tensor.extract %t[%p, %q] : tensor<2x3xf32>
    %s = arith.addf %v, %y : f32
    linalg.yield %s : f32
  } -> tensor<1x6x12xf32>)");
}

/// Maxima over an image, four channels a thread in the same loops.
TEST_F(ElementsPlan, ChannelMaxima) {
  ptx::LaunchResult said = check({"tensor<2x3x5x8xi8>"}, "tensor<2x8xi8>", R"(
  %c = arith.constant -128 : i8
  %e = tensor.empty() : tensor<2x8xi8>
  %f = linalg.fill ins(%c : i8) outs(%e : tensor<2x8xi8>) -> tensor<2x8xi8>
  %r = linalg.generic {
      indexing_maps = [affine_map<(n, c, i, j) -> (n, i, j, c)>, affine_map<(n, c, i, j) -> (n, c)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%a : tensor<2x3x5x8xi8>) outs(%f : tensor<2x8xi8>) {
  ^bb0(%x: i8, %o: i8):
    %s = arith.maxsi %x, %o : i8
    linalg.yield %s : i8
  } -> tensor<2x8xi8>)");
  EXPECT_EQ(said.total(ptx::InstructionClass::Load).requests, 15u);
}

TEST_F(ElementsPlan, TransposeAndBroadcast) {
  check({"tensor<5x7xi8>", "tensor<5xf32>"}, "tensor<7x5xf32>", R"(
  %e = tensor.empty() : tensor<7x5xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (j)>,
                       affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : tensor<5x7xi8>, tensor<5xf32>) outs(%e : tensor<7x5xf32>) {
  ^bb0(%x: i8, %y: f32, %o: f32):
    %f = arith.sitofp %x : i8 to f32
    %m = arith.mulf %f, %y : f32
    %d = arith.divf %m, %y : f32
    linalg.yield %d : f32
  } -> tensor<7x5xf32>)");
}

TEST_F(ElementsPlan, PaddedPool) {
  const std::string body = R"(
  %c = arith.constant -128 : i8
  %p = tensor.pad %a low[0, 1, 2, 0] high[0, 2, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %c : i8
  } : tensor<1x5x6x9xi8> to tensor<1x8x8x9xi8>
  %w = tensor.empty() : tensor<2x2xi8>
  %e = tensor.empty() : tensor<1x4x4x9xi8>
  %f = linalg.fill ins(%c : i8) outs(%e : tensor<1x4x4x9xi8>) -> tensor<1x4x4x9xi8>
  %r = linalg.pooling_nhwc_max {dilations = dense<1> : tensor<2xi64>, strides = dense<2> : tensor<2xi64>}
      ins(%p, %w : tensor<1x8x8x9xi8>, tensor<2x2xi8>) outs(%f : tensor<1x4x4x9xi8>) -> tensor<1x4x4x9xi8>)";
  check({"tensor<1x5x6x9xi8>"}, "tensor<1x4x4x9xi8>", body);
  // Four neighbours a thread.
  std::string wide = body;
  for (size_t at; (at = wide.find("x9xi8")) != std::string::npos;)
    wide.replace(at, 2, "x12");
  check({"tensor<1x5x6x12xi8>"}, "tensor<1x4x4x12xi8>", wide);
}

TEST_F(ElementsPlan, RowSumsOfBytes) {
  check({"tensor<6x37xi8>"}, "tensor<6xi32>", R"(
  %c = arith.constant 7 : i32
  %e = tensor.empty() : tensor<6xi32>
  %f = linalg.fill ins(%c : i32) outs(%e : tensor<6xi32>) -> tensor<6xi32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%a : tensor<6x37xi8>) outs(%f : tensor<6xi32>) {
  ^bb0(%x: i8, %o: i32):
    %w = arith.extsi %x : i8 to i32
    %s = arith.addi %w, %o : i32
    linalg.yield %s : i32
  } -> tensor<6xi32>)");
}

TEST_F(ElementsPlan, ConstantsAndComparisons) {
  check({"tensor<4x3xi32>"}, "tensor<4x3xi1>", R"(
  %c = arith.constant dense<[1, -2, 3]> : tensor<3xi32>
  %e = tensor.empty() : tensor<4x3xi1>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                       affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%a, %c : tensor<4x3xi32>, tensor<3xi32>) outs(%e : tensor<4x3xi1>) {
  ^bb0(%x: i32, %y: i32, %o: i1):
    %k = arith.cmpi slt, %x, %y : i32
    linalg.yield %k : i1
  } -> tensor<4x3xi1>)");
}

/// A sum that every element of a row needs is not computed by each of them.
TEST_F(ElementsPlan, SharedSumsAreLeftToOthers) {
  check({"tensor<4x8xf32>"}, "tensor<4x8xf32>", R"(
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %t = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%a : tensor<4x8xf32>) outs(%f : tensor<4xf32>) {
  ^bb0(%x: f32, %o: f32):
    %m = arith.maximumf %x, %o : f32
    linalg.yield %m : f32
  } -> tensor<4xf32>
  %g = tensor.empty() : tensor<4x8xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>,
                       affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%a, %t : tensor<4x8xf32>, tensor<4xf32>) outs(%g : tensor<4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %m = arith.subf %x, %y : f32
    linalg.yield %m : f32
  } -> tensor<4x8xf32>)",
        "tasks-generic");
}

} // namespace
