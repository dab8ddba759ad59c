// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Maxima and minima of rows against the interpreter, bit for bit: lengths and
// numbers of rows at the edges of vectors, functions of the elements, steps
// behind, signed zeros, NaN and infinities.

#include "Check.h"
#include "DispatchText.h"
#include <cmath>

using namespace qdialect;
using namespace qdialect::testing;

namespace {

/// max or min over the last dimension of f(x), then a division by 127 that ends
/// as qd.choose_params does.
std::string extremeText(const std::vector<int64_t> &shape,
                        const std::string &combiner, bool ofMagnitudes,
                        bool hasStep, const std::string &start = "0.0") {
  std::vector<int64_t> rows(shape.begin(), shape.end() - 1);
  std::string in = shapeText(shape, "f32"), out = shapeText(rows, "f32");
  std::string all, kept, loops, parallel;
  for (size_t i = 0; i < shape.size(); ++i) {
    bool last = i + 1 == shape.size();
    all += (i ? ", d" : "d") + number(i);
    if (!last) {
      kept += (i ? ", d" : "d") + number(i);
      parallel += i ? ", \"parallel\"" : "\"parallel\"";
    }
  }
  loops = parallel + (parallel.empty() ? "" : ", ") + "\"reduction\"";
  std::string identity = "affine_map<(" + kept + ") -> (" + kept + ")>";
  std::string body =
      "    %s = arith.constant " + start + " : f32\n" +
      "    %e = tensor.empty() : " + out + "\n" +
      "    %i = linalg.fill ins(%s : f32) outs(%e : " + out + ") -> " + out +
      "\n    %y = linalg.generic {indexing_maps = [affine_map<(" + all +
      ") -> (" + all + ")>, affine_map<(" + all + ") -> (" + kept +
      ")>], iterator_types = [" + loops + "]} ins(%x0 : " + in +
      ") outs(%i : " + out + ") {\n    ^bb0(%v: f32, %o: f32):\n";
  std::string element = "%v";
  if (ofMagnitudes) {
    body += "      %inf = arith.constant 0x7F800000 : f32\n"
            "      %zero = arith.constant 0.0 : f32\n"
            "      %a = math.absf %v : f32\n"
            "      %t = arith.cmpf olt, %a, %inf : f32\n"
            "      %f = arith.select %t, %v, %zero : f32\n"
            "      %m = math.absf %f : f32\n";
    element = "%m";
  }
  body += "      %r = arith." + combiner + " %o, " + element +
          " : f32\n      linalg.yield %r : f32\n    } -> " + out + "\n";
  std::string result = "%y";
  if (hasStep) {
    body += "    %z = linalg.generic {indexing_maps = [" + identity + ", " +
            identity + "], iterator_types = [" + parallel +
            "]} ins(%y : " + out + ") outs(%e : " + out +
            ") {\n    ^bb0(%v: f32, %o: f32):\n"
            "      %c = arith.constant 127.0 : f32\n"
            "      %d = arith.divf %v, %c : f32\n"
            "      linalg.yield %d : f32\n    } -> " +
            out + "\n";
    result = "%z";
  }
  return mainText({in}, out,
                  body + "    qd.yield " + result + " : " + out + "\n");
}

class RowExtremeTest : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};
};

TEST_F(RowExtremeTest, LengthsAndRows) {
  for (int64_t length : {1, 2, 15, 16, 17, 63, 64, 100, 384})
    for (int64_t rows : {1, 3, 16, 17}) {
      SCOPED_TRACE(number(rows) + " x " + number(length));
      checkDispatch(extremeText({2, rows, length}, "maximumf", true, true),
                    "row", random, 0, length < 64);
      checkDispatch(extremeText({rows, length}, "minimumf", false, false),
                    "row", random, 0, length < 64);
    }
}

TEST_F(RowExtremeTest, OneRow) {
  checkDispatch(extremeText({70}, "maximumf", true, true), "row", random);
}

/// A transpose in front of the reduction that went into its map.
TEST_F(RowExtremeTest, LoopsInAnyOrder) {
  checkDispatch(mainText({"tensor<3x9x21xf32>"}, "tensor<3xf32>",
                         R"(
    %s = arith.constant 0x7F800000 : f32
    %e = tensor.empty() : tensor<3xf32>
    %i = linalg.fill ins(%s : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
    %y = linalg.generic {
        indexing_maps = [affine_map<(a, b, c) -> (a, c, b)>,
                         affine_map<(a, b, c) -> (a)>],
        iterator_types = ["parallel", "reduction", "reduction"]}
        ins(%x0 : tensor<3x9x21xf32>) outs(%i : tensor<3xf32>) {
    ^bb0(%v: f32, %o: f32):
      %r = arith.minimumf %o, %v : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>
    qd.yield %y : tensor<3xf32>
)"),
                "row", random);
}

TEST_F(RowExtremeTest, SpecialNumbers) {
  const float inf = INFINITY, nan = NAN;
  std::vector<float> rows[] = {{-0.0f, 0.0f, -0.0f}, {-0.0f, -0.0f, -0.0f},
                               {nan, 1, 2},          {inf, 5, -7},
                               {-inf, -5, -7},       {nan, nan, nan},
                               {-inf, inf, nan}};
  for (const std::vector<float> &row : rows)
    for (const char *combiner : {"maximumf", "minimumf"})
      for (bool ofMagnitudes : {false, true}) {
        DispatchModule module(
            extremeText({1, 3}, combiner, ofMagnitudes, false,
                        combiner[1] == 'a' ? "0xFF800000" : "0x7F800000"));
        ASSERT_TRUE(module.isValid());
        llvm::SmallVector<HostTensor> inputs{
            HostTensor::of(DType::F32, {1, 3}, row)};
        HostTensor expected = module.expected(inputs);
        for (const CpuTarget &target : allCpuTargets())
          if (target.runsHere()) {
            auto kernel = CompiledKernel::create(module, target);
            ASSERT_TRUE(kernel);
            HostTensor actual = kernel->run(inputs);
            expectSame(actual, expected, target.name, 0);
            if (!std::isnan(expected.asDouble(0)))
              EXPECT_EQ(std::signbit(actual.asDouble(0)),
                        std::signbit(expected.asDouble(0)))
                  << target.name;
          }
      }
}

} // namespace
