// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-expand-math and qd-decompose against Numerics: each function, scalar and
// vector, gives the bits of FloatFunctions.h when it is compiled and run.

#include "Jit.h"
#include "QDialect/Numerics/FloatFunctions.h"
#include "QDialect/Numerics/FloatPower.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using namespace qdialect;

namespace {

struct Function {
  const char *op; // $T is the type
  float (*reference)(float);
};
const Function kFunctions[] = {
    {"math.exp %x : $T", expF32},
    {"math.log %x : $T", logF32},
    {"math.log1p %x : $T", log1pF32},
    {"math.erf %x : $T", erfF32},
    {"math.tanh %x : $T", tanhF32},
    {"math.rsqrt %x : $T", rsqrtF32},
    {"qd.silu %x : $T", siluF32},
    {"qd.gelu %x approximate(none) : $T", geluF32},
    {"qd.gelu %x approximate(tanh) : $T", geluTanhF32},
};

uint32_t bitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

/// Bit patterns over the whole range, and values where the functions bend.
std::vector<float> arguments() {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> values = {0.0f,   -0.0f,   inf,    -inf,   NAN,
                               1e-45f, -1e-45f, 88.73f, -87.4f, -104.5f};
  std::mt19937 generator(3);
  std::uniform_real_distribution<float> uniform(-12.0f, 12.0f);
  for (int i = 0; i < 20000; ++i) {
    values.push_back(uniform(generator));
    uint32_t pattern = generator();
    float value;
    std::memcpy(&value, &pattern, sizeof value);
    values.push_back(value);
  }
  while (values.size() % 8)
    values.push_back(1.0f);
  return values;
}

const char *kFunctionText = R"(
  func.func @run(%in: !llvm.ptr, %out: !llvm.ptr, %count: i64) {
    %zero = arith.constant 0 : i64
    %step = arith.constant $STEP : i64
    scf.for %i = %zero to %count step %step : i64 {
      %from = llvm.getelementptr %in[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
      %to = llvm.getelementptr %out[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
      %x = llvm.load %from {alignment = 4 : i64} : !llvm.ptr -> $T
      %y = $OP
      llvm.store %y, %to {alignment = 4 : i64} : $T, !llvm.ptr
    }
    return
  })";

void expectSameBits(const char *passes) {
  std::vector<float> inputs = arguments();
  for (const Function &function : kFunctions)
    for (bool isVector : {false, true}) {
      Jit jit;
      jit.compile(substitute(kFunctionText,
                             {{"OP", function.op},
                              {"STEP", isVector ? "8" : "1"},
                              {"T", isVector ? "vector<8xf32>" : "f32"}}),
                  passes);
      std::vector<float> outputs(inputs.size());
      jit.lookup<void(const float *, float *, int64_t)>("run")(
          inputs.data(), outputs.data(), static_cast<int64_t>(inputs.size()));
      for (size_t i = 0; i < inputs.size(); ++i) {
        float expected = function.reference(inputs[i]);
        if (std::isnan(expected))
          ASSERT_TRUE(std::isnan(outputs[i])) << function.op << inputs[i];
        else
          ASSERT_EQ(bitsOf(outputs[i]), bitsOf(expected))
              << function.op << " at " << inputs[i];
      }
    }
}

TEST(ExpandMath, EveryFunctionHasNumericsBits) {
  expectSameBits("qd-expand-math");
}

TEST(ExpandMath, DecomposedFunctionsHaveThemToo) {
  expectSameBits("qd-decompose,qd-expand-math");
}

TEST(ExpandMath, PowerHasNumericsBits) {
  Jit jit;
  jit.compile(R"(
      func.func @run(%x: f32, %y: f32) -> f32 {
        %z = math.powf %x, %y : f32
        return %z : f32
      })",
              "qd-expand-math");
  auto *power = jit.lookup<float(float, float)>("run");
  std::vector<float> values = arguments();
  for (size_t i = 0; i + 1 < values.size(); ++i) {
    float expected = powF32(values[i], values[i + 1]);
    float result = power(values[i], values[i + 1]);
    if (std::isnan(expected))
      ASSERT_TRUE(std::isnan(result)) << values[i] << '^' << values[i + 1];
    else
      ASSERT_EQ(bitsOf(result), bitsOf(expected))
          << values[i] << '^' << values[i + 1];
  }
}

} // namespace
