// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-expand-ops against Numerics, bit for bit: the expansion is compiled and
// run on ties, ends, NaN, infinities and random values.

#include "Jit.h"
#include "QDialect/Numerics/Quantize.h"
#include "QDialect/Numerics/Rescale.h"
#include "gtest/gtest.h"
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace qdialect;

namespace {

constexpr int kLanes = 8; // elements are tested in multiples of this

struct Mode {
  const char *name;
  Rounding rounding;
};
const Mode kModes[] = {{"half_even", Rounding::HalfEven},
                       {"half_away", Rounding::HalfAway},
                       {"half_up", Rounding::HalfUp},
                       {"floor", Rounding::Floor},
                       {"trunc", Rounding::Trunc}};

struct Codes {
  const char *type;
  int32_t min, max;
  unsigned bits;
};
const Codes kCodes[] = {{"i8", -128, 127, 8},
                        {"!qd.uint<8>", 0, 255, 8},
                        {"i4", -8, 7, 4},
                        {"!qd.uint<3>", 0, 7, 3},
                        {"!qd.ternary", -1, 1, 2}};

/// Halves around every end and tie, special values, random ones; for scales
/// 0.5 and 1 these are exact ties.
std::vector<float> interestingFloats() {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> values = {
      0.0f,          -0.0f,          NAN,        inf,     -inf,
      1e30f,         -1e30f,         1e-40f,     -1e-40f, 0.49999997f,
      2147483648.0f, -2147483904.0f, 16777217.0f};
  for (int i = -1100; i <= 1100; ++i)
    values.push_back(static_cast<float>(i) * 0.25f);
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform(-300.0f, 300.0f);
  for (int i = 0; i < 3000; ++i)
    values.push_back(uniform(generator));
  while (values.size() % kLanes)
    values.push_back(1.5f);
  return values;
}

std::vector<int32_t> interestingIntegers() {
  std::vector<int32_t> values = {0,         1,         -1,
                                 INT32_MAX, INT32_MIN, INT32_MAX - 1,
                                 16777217,  -16777217, 33554433};
  for (int32_t i = -600; i <= 600; ++i)
    values.push_back(i);
  std::mt19937 generator(2);
  std::uniform_int_distribution<int32_t> wide(-(1 << 30), 1 << 30);
  std::uniform_int_distribution<int32_t> narrow(-50000, 50000);
  for (int i = 0; i < 2000; ++i) {
    values.push_back(wide(generator));
    values.push_back(narrow(generator));
  }
  while (values.size() % kLanes)
    values.push_back(7);
  return values;
}

/// Codes leave as i32, sign-extended if the alphabet is signed.
const char *kFunction = R"(
  func.func @run(%in: !llvm.ptr, %p: $P, %z: i32, %n: i32, %out: !llvm.ptr, %count: i64) {
    %zero = arith.constant 0 : i64
    %step = arith.constant $STEP : i64
    scf.for %i = %zero to %count step %step : i64 {
      %from = llvm.getelementptr %in[%i] : (!llvm.ptr, i64) -> !llvm.ptr, $IN
      %to = llvm.getelementptr %out[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i32
      %x = llvm.load %from {alignment = 4 : i64} : !llvm.ptr -> $V($IN)
      %q = $OP
      %b = qd.storage_cast %q : $V($OUT) to $V(i$BITS)
      %w = arith.$EXT %b : $V(i$BITS) to $V(i32)
      llvm.store %w, %to {alignment = 4 : i64} : $V(i32), !llvm.ptr
    }
    return
  })";

/// "$V(t)" is t or a vector of it.
std::string inShape(std::string text, bool isVector) {
  for (size_t at = text.find("$V("); at != std::string::npos;
       at = text.find("$V(", at)) {
    size_t end = text.find(')', at);
    std::string element = text.substr(at + 3, end - at - 3);
    text.replace(at, end - at + 1,
                 isVector ? "vector<8x" + element + ">" : element);
  }
  return text;
}

template <typename Input, typename Parameter>
std::vector<int32_t> run(const std::string &op, const char *inputType,
                         const char *parameterType, const Codes &codes,
                         bool isVector, const std::vector<Input> &inputs,
                         Parameter parameter, int32_t z, int32_t n = 0) {
  std::string text =
      substitute(kFunction, {{"OP", op},
                             {"P", parameterType},
                             {"STEP", isVector ? "8" : "1"},
                             {"EXT", codes.min < 0 ? "extsi" : "extui"},
                             {"IN", inputType},
                             {"OUT", codes.type},
                             {"BITS", std::to_string(codes.bits)}});
  Jit jit;
  jit.compile(inShape(text, isVector), "qd-expand-ops,qd-lower-alphabets");
  std::vector<int32_t> outputs(inputs.size());
  jit.lookup<void(const Input *, Parameter, int32_t, int32_t, int32_t *,
                  int64_t)>("run")(inputs.data(), parameter, z, n,
                                   outputs.data(),
                                   static_cast<int64_t>(inputs.size()));
  return outputs;
}

TEST(ExpandOps, QuantizeSaturates) {
  std::vector<float> inputs = interestingFloats();
  for (const Codes &codes : kCodes)
    for (const Mode &mode : kModes)
      for (int32_t z : {0, 3, -140}) {
        bool isTernary = codes.bits == 2;
        if (isTernary && z != 0)
          continue;
        float s = z == 3 ? 0.3f : 0.5f;
        std::string op = substitute(
            isTernary ? "qd.quantize %x scale %p rounding($R) "
                        "overflow(saturate) : $V(f32), f32 -> $V($OUT)"
                      : "qd.quantize %x scale %p zero_point %z rounding($R) "
                        "overflow(saturate) : $V(f32), f32, i32 -> $V($OUT)",
            {{"R", mode.name}});
        if (z == -140) // the scalar form takes scalars only, so do both
          ASSERT_EQ(run(op, "f32", "f32", codes, false, inputs, s, z),
                    run(op, "f32", "f32", codes, true, inputs, s, z));
        std::vector<int32_t> outputs =
            run(op, "f32", "f32", codes, /*isVector=*/true, inputs, s, z);
        for (size_t i = 0; i < inputs.size(); ++i)
          ASSERT_EQ(outputs[i], quantize(inputs[i], s, z, codes.min, codes.max,
                                         mode.rounding))
              << codes.type << ' ' << mode.name << " x=" << inputs[i]
              << " s=" << s << " z=" << z;
      }
}

TEST(ExpandOps, QuantizeWraps) {
  std::vector<float> inputs = interestingFloats();
  for (const Codes &codes : {kCodes[0], kCodes[1], kCodes[3]})
    for (const Mode &mode : kModes) {
      std::string op =
          substitute("qd.quantize %x scale %p zero_point %z rounding($R) "
                     "overflow(wrap) : $V(f32), f32, i32 -> $V($OUT)",
                     {{"R", mode.name}});
      std::vector<int32_t> outputs =
          run(op, "f32", "f32", codes, /*isVector=*/true, inputs, 0.5f, 5);
      for (size_t i = 0; i < inputs.size(); ++i)
        ASSERT_EQ(outputs[i], quantizeWrap(inputs[i], 0.5f, 5, codes.bits,
                                           codes.min < 0, mode.rounding))
            << codes.type << ' ' << mode.name << " x=" << inputs[i];
    }
}

TEST(ExpandOps, QuantizeByZeroScale) {
  std::vector<float> inputs = interestingFloats();
  std::string op = "qd.quantize %x scale %p zero_point %z rounding(half_even) "
                   "overflow(saturate) : $V(f32), f32, i32 -> $V($OUT)";
  std::vector<int32_t> outputs =
      run(op, "f32", "f32", kCodes[0], /*isVector=*/false, inputs, 0.0f, 9);
  for (size_t i = 0; i < inputs.size(); ++i)
    ASSERT_EQ(outputs[i], quantize(inputs[i], 0.0f, 9, -128, 127)) << inputs[i];
}

TEST(ExpandOps, Requantize) {
  std::vector<int32_t> inputs = interestingIntegers();
  for (const Codes &codes : {kCodes[0], kCodes[1], kCodes[2]})
    for (const Mode &mode : kModes)
      for (float s : {0.5f, 0.0123f, 1e-7f, NAN}) {
        std::string op =
            substitute("qd.requantize %x scale %p zero_point %z rounding($R) "
                       "overflow(saturate) : $V(i32), f32, i32 -> $V($OUT)",
                       {{"R", mode.name}});
        std::vector<int32_t> outputs =
            run(op, "i32", "f32", codes, /*isVector=*/true, inputs, s, -7);
        for (size_t i = 0; i < inputs.size(); ++i)
          ASSERT_EQ(outputs[i], requantize(inputs[i], s, -7, codes.min,
                                           codes.max, mode.rounding))
              << codes.type << ' ' << mode.name << " acc=" << inputs[i]
              << " s=" << s;
      }
}

TEST(ExpandOps, Rescale) {
  std::vector<int32_t> inputs = interestingIntegers();
  struct Pair {
    int32_t multiplier, shift;
  };
  for (const Codes &codes : {kCodes[0], kCodes[1]})
    for (const Mode &mode : kModes)
      for (Pair pair : {Pair{1610612736, 31}, Pair{1, 0}, Pair{1, 1},
                        Pair{3, 2}, Pair{1073741825, 40}, Pair{7, 62}}) {
        std::string op = substitute(
            "qd.rescale %x multiplier %p shift %n zero_point %z rounding($R) "
            "overflow(saturate) : $V(i32), i32, i32, i32 -> $V($OUT)",
            {{"R", mode.name}});
        std::vector<int32_t> outputs =
            run(op, "i32", "i32", codes, /*isVector=*/true, inputs,
                pair.multiplier, 11, pair.shift);
        for (size_t i = 0; i < inputs.size(); ++i)
          ASSERT_EQ(outputs[i],
                    rescale(inputs[i], pair.multiplier, pair.shift, 11,
                            codes.min, codes.max, mode.rounding))
              << codes.type << ' ' << mode.name << " acc=" << inputs[i]
              << " m=" << pair.multiplier << " n=" << pair.shift;
      }
}

TEST(ExpandOps, DequantizeEveryCode) {
  for (const Codes &codes : kCodes) {
    if (codes.bits == 2)
      continue; // has no zero point; decoding is covered by quantize
    std::string text = R"(
      func.func @run(%q: i32, %s: f32, %z: i32) -> f32 {
        %b = arith.trunci %q : i32 to i$BITS
        %c = qd.storage_cast %b : i$BITS to $OUT
        %x = qd.dequantize %c scale %s, %s zero_point %z : $OUT, f32, f32, i32 -> f32
        return %x : f32
      })";
    Jit jit;
    jit.compile(substitute(text, {{"BITS", std::to_string(codes.bits)},
                                  {"OUT", codes.type}}),
                "qd-expand-ops,qd-lower-alphabets");
    auto *dequantizeTwice = jit.lookup<float(int32_t, float, int32_t)>("run");
    for (int32_t q = codes.min; q <= codes.max; ++q)
      for (int32_t z : {0, 130, -130, (1 << 23) - 1, 1 << 23, -(1 << 23),
                        -(1 << 23) - 1, 16777217, INT32_MAX / 2, INT32_MAX - 64,
                        INT32_MAX, INT32_MIN, INT32_MIN + 65})
        ASSERT_EQ(dequantizeTwice(q, 0.1f, z), dequantize(q, 0.1f * 0.1f, z))
            << codes.type << ' ' << q << " z=" << z;
  }
}

/// Any zero point of the run, and constants on both sides of those that need no
/// more than 32 bits.
TEST(ExpandOps, DequantizeEveryZeroPoint) {
  constexpr const char *kBody = R"(
      func.func @run(%q: i16, %s: f32, %r: i32) -> f32 {
        $Z
        %x = qd.dequantize %q scale %s zero_point %z : i16, f32, i32 -> f32
        return %x : f32
      })";
  std::vector<int16_t> inputs = {0, 1, -1, 77, INT16_MIN, INT16_MAX};
  Jit any;
  any.compile(substitute(kBody, {{"Z", "%zero = arith.constant 0 : i32 "
                                       "%z = arith.addi %r, %zero : i32"}}),
              "qd-expand-ops");
  auto *value = any.lookup<float(int16_t, float, int32_t)>("run");
  for (int32_t z : interestingIntegers())
    for (int16_t q : inputs)
      ASSERT_EQ(value(q, 1.0f, z), dequantize(q, 1.0f, z)) << q << " z=" << z;
  for (int32_t z : {-5, (1 << 30) - 1, 1 << 30, -(1 << 30), -(1 << 30) - 1,
                    INT32_MAX, INT32_MIN}) {
    Jit one;
    one.compile(substitute(kBody, {{"Z", "%z = arith.constant " +
                                             std::to_string(z) + " : i32"}}),
                "qd-expand-ops");
    auto *known = one.lookup<float(int16_t, float, int32_t)>("run");
    for (int16_t q : inputs)
      ASSERT_EQ(known(q, 1.0f, 0), dequantize(q, 1.0f, z)) << q << " z=" << z;
  }
}

TEST(ExpandOps, RealZeroPoints) {
  Jit jit;
  jit.compile(R"(
      func.func @quantize(%x: f32, %s: f32, %m: f32) -> i8 {
        %q = qd.quantize %x scale %s zero_point %m rounding(half_even) overflow(saturate) domain(real) : f32, f32, f32 -> i8
        return %q : i8
      }
      func.func @dequantize(%q: i8, %s: f32, %m: f32) -> f32 {
        %x = qd.dequantize %q scale %s zero_point %m domain(real) : i8, f32, f32 -> f32
        return %x : f32
      })",
              "qd-expand-ops");
  auto *code = jit.lookup<int8_t(float, float, float)>("quantize");
  auto *value = jit.lookup<float(int8_t, float, float)>("dequantize");
  for (float x : interestingFloats())
    ASSERT_EQ(code(x, 0.7f, 1.3f), quantizeRealZero(x, 0.7f, 1.3f, -128, 127));
  for (int q = -128; q < 128; ++q)
    ASSERT_EQ(value(static_cast<int8_t>(q), 0.7f, 1.3f),
              dequantizeRealZero(q, 0.7f, 1.3f));
}

} // namespace
