// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Predictions: what is counted of a dispatch, what costs make of it, and which
// files of costs are refused.

#include "QDialect/CodeGen/CPU/CpuCosts.h"
#include "DispatchText.h"
#include "KernelHarness.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace qdialect;

TEST(CpuCosts, EveryDefaultVariantHasCosts) {
  for (const CpuTarget &target : defaultCpuTargets())
    EXPECT_NE(CpuCosts::find(target.name), nullptr) << target.name;
  EXPECT_EQ(CpuCosts::find("sm_80"), nullptr);
}

TEST(CpuCosts, TimesAreSumsOverTheWork) {
  auto costs = CpuCosts::parse("step_us: 2\n"
                               "families:\n"
                               "  pool: {operation: 0.5, byte: 0.25}\n"
                               "  other: {product: 1, float_product: 3, "
                               "weight_byte: 0.125}\n",
                               "here");
  ASSERT_TRUE(bool(costs)) << toString(costs.takeError());
  KernelWork work{/*products=*/1000, /*floatProducts=*/2000,
                  /*operations=*/4000, /*bytes=*/8000, /*weightBytes=*/16000};
  EXPECT_DOUBLE_EQ(costs->microseconds(work, "pool"), 2 + 2 + 2);
  EXPECT_DOUBLE_EQ(costs->microseconds(work, "copy"), 2 + 1 + 6 + 2);
  EXPECT_DOUBLE_EQ(costs->microseconds({}, "copy"), 2);
}

TEST(CpuCosts, BadFilesAreRefused) {
  auto message = [](StringRef text) {
    auto costs = CpuCosts::parse(text, "my.yaml");
    return costs ? "" : toString(costs.takeError());
  };
  EXPECT_EQ(message("step_us: 1\nfamilies: {pool: {byte: 1}}\n"),
            "costs 'my.yaml':1: missing family 'other'");
  EXPECT_EQ(message("step_us: 1\nfamilies: {other: {byte: -1}}\n"),
            "costs 'my.yaml':2: costs must not be negative");
  EXPECT_EQ(message("step_us: 1\nfamilies: {other: {bits: 1}}\n"),
            "costs 'my.yaml':2: unknown key 'bits'");
  EXPECT_NE(message("families: {other: {}}\n").find("step_us"),
            std::string::npos);
}

/// A matrix product of codes with two operations behind it, of 4 rows, or of a
/// symbolic number.
static std::string productText(bool isSymbolic) {
  std::string rows = isSymbolic ? "?" : "4";
  std::string sums = "tensor<" + rows + "x16xi32>",
              codes = "tensor<" + rows + "x8xi8>";
  return qdialect::testing::mainText(
      {codes}, sums,
      "    %w = arith.constant dense<1> : tensor<8x16xi8>\n"
      "    %zero = arith.constant 0 : i32\n"
      "    %c0 = arith.constant 0 : index\n"
      "    %rows = tensor.dim %x0, %c0 : " +
          codes + "\n    %e = tensor.empty(" + (isSymbolic ? "%rows" : "") +
          ") : " + sums +
          "\n    %f = linalg.fill ins(%zero : i32) outs(%e : " + sums +
          ") -> " + sums + "\n    %p = linalg.matmul ins(%x0, %w : " + codes +
          ", tensor<8x16xi8>) outs(%f : " + sums + ") -> " + sums +
          R"(
    %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>,
                                          affine_map<(i, j) -> (i, j)>],
                         iterator_types = ["parallel", "parallel"]}
        ins(%p : )" +
          sums + ") outs(%e : " + sums + R"() {
    ^bb0(%a: i32, %o: i32):
      %c3 = arith.constant 3 : i32
      %m = arith.maxsi %a, %c3 : i32
      %s = arith.addi %m, %c3 : i32
      linalg.yield %s : i32
    } -> )" +
          sums + "\n    qd.yield %y : " + sums + "\n");
}

TEST(CpuCosts, WorkIsCounted) {
  qdialect::testing::DispatchModule known(productText(/*isSymbolic=*/false));
  ASSERT_TRUE(known.isValid());
  std::optional<KernelWork> work = countWork(known.dispatch());
  ASSERT_TRUE(work);
  EXPECT_EQ(work->products, 4 * 8 * 16);
  EXPECT_EQ(work->floatProducts, 0);
  EXPECT_EQ(work->operations, 2 * 4 * 16);
  EXPECT_EQ(work->bytes, 4 * 8 + 4 * 16 * 4);
  qdialect::testing::DispatchModule symbolic(productText(/*isSymbolic=*/true));
  ASSERT_TRUE(symbolic.isValid());
  EXPECT_FALSE(countWork(symbolic.dispatch()));
}
