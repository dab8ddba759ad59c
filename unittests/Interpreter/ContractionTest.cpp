// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Contractions through Numerics' kernels give the bits of the payload walk.

#include "Programs.h"
#include <chrono>
#include <random>

using namespace qdialect;
using namespace qdialect::test;

namespace {
/// One random contraction: the text of a program and its operands.
struct Case {
  std::string text;
  std::vector<HostTensor> operands;
};

struct Types {
  const char *lhs, *rhs, *acc;
  DType lhsType, rhsType, accType;
};
const Types kTypes[] = {
    {"f32", "f32", "f32", DType::F32, DType::F32, DType::F32},
    {"f64", "f64", "f64", DType::F64, DType::F64, DType::F64},
    {"i8", "i8", "i32", DType::I8, DType::I8, DType::I32},
    {"i16", "i8", "i32", DType::I16, DType::I8, DType::I32},
    {"i8", "i8", "i64", DType::I8, DType::I8, DType::I64},
    {"i32", "i32", "i32", DType::I32, DType::I32, DType::I32},
    {"i4", "i4", "i32", DType::I8, DType::I8, DType::I32}, // no kernel: walk
    {"bf16", "bf16", "bf16", DType::BF16, DType::BF16, DType::BF16},
};

class Generator {
public:
  explicit Generator(uint64_t seed) : random(seed) {}

  int64_t upTo(int64_t n) {
    return std::uniform_int_distribution<int64_t>(1, n)(random);
  }
  HostTensor tensor(DType type, std::vector<int64_t> shape, bool nibble) {
    HostTensor result(type, std::move(shape));
    std::vector<int64_t> values(result.size());
    for (int64_t &value : values)
      value =
          std::uniform_int_distribution<int64_t>(-(1 << 15), 1 << 15)(random);
    for (int64_t i = 0; i < result.size(); ++i) {
      // Floats of wide exponents, so that the order of additions shows.
      double real = double(values[i]) * std::ldexp(1.0, int(values[i] % 23));
      if (type == DType::F32)
        result.mutableData<float>()[i] = float(real);
      else if (type == DType::F64)
        result.mutableData<double>()[i] = real;
      else if (type == DType::BF16)
        result.mutableData<uint16_t>()[i] = floatToBfloat(float(real));
      else if (type == DType::I8)
        result.mutableData<int8_t>()[i] =
            int8_t(nibble ? values[i] % 8 : values[i]);
      else if (type == DType::I16)
        result.mutableData<int16_t>()[i] = int16_t(values[i]);
      else if (type == DType::I32)
        result.mutableData<int32_t>()[i] = int32_t(values[i] * 65521);
      else
        result.mutableData<int64_t>()[i] = values[i];
    }
    return result;
  }

  Case matmul(const Types &types);
  Case convolution(const Types &types);
  Case generic(const Types &types);

private:
  Case finish(const Types &types, const std::string &op,
              const std::string &attributes, std::vector<int64_t> lhs,
              std::vector<int64_t> rhs, std::vector<int64_t> out,
              const std::string &body = "");

  std::mt19937_64 random;
};
} // namespace

static std::string typeText(const std::vector<int64_t> &shape,
                            const char *element) {
  std::string text = "tensor<";
  for (int64_t dim : shape)
    text += std::to_string(dim) + "x";
  return text + element + ">";
}

Case Generator::finish(const Types &types, const std::string &op,
                       const std::string &attributes, std::vector<int64_t> lhs,
                       std::vector<int64_t> rhs, std::vector<int64_t> out,
                       const std::string &body) {
  std::string a = typeText(lhs, types.lhs), b = typeText(rhs, types.rhs);
  std::string c = typeText(out, types.acc);
  std::string text = "func.func @main(%a: " + a + ", %b: " + b + ", %c: " + c +
                     ") -> " + c + " {\n  %0 = " + op + " " + attributes +
                     " ins(%a, %b : " + a + ", " + b + ") outs(%c : " + c +
                     ") " + body + " -> " + c + "\n  return %0 : " + c + "\n}";
  bool nibble = std::string(types.lhs) == "i4";
  return {text,
          {tensor(types.lhsType, lhs, nibble),
           tensor(types.rhsType, rhs, nibble),
           tensor(types.accType, out, false)}};
}

Case Generator::matmul(const Types &types) {
  int64_t m = upTo(9), n = upTo(70), k = upTo(20);
  return finish(types, "linalg.matmul", "", {m, k}, {k, n}, {m, n});
}

Case Generator::convolution(const Types &types) {
  int64_t n = upTo(2), h = upTo(4), w = upTo(4), f = upTo(20), c = upTo(9);
  int64_t kh = upTo(3), kw = upTo(3), sh = upTo(2), sw = upTo(3), dh = upTo(2),
          dw = upTo(2);
  int64_t ih = (h - 1) * sh + (kh - 1) * dh + 1;
  int64_t iw = (w - 1) * sw + (kw - 1) * dw + 1;
  auto pair = [](int64_t a, int64_t b) {
    return "dense<[" + std::to_string(a) + ", " + std::to_string(b) +
           "]> : tensor<2xi64>";
  };
  std::string attributes =
      "{strides = " + pair(sh, sw) + ", dilations = " + pair(dh, dw) + "}";
  switch (upTo(3)) {
  case 1:
    return finish(types, "linalg.conv_2d_nhwc_hwcf", attributes, {n, ih, iw, c},
                  {kh, kw, c, f}, {n, h, w, f});
  case 2:
    return finish(types, "linalg.conv_2d_nchw_fchw", attributes, {n, c, ih, iw},
                  {f, c, kh, kw}, {n, f, h, w});
  default:
    return finish(types, "linalg.depthwise_conv_2d_nhwc_hwc", attributes,
                  {n, ih, iw, c}, {kh, kw, c}, {n, h, w, c});
  }
}

/// A grouped product with operands in turned order and the factors exchanged.
Case Generator::generic(const Types &types) {
  int64_t g = upTo(3), m = upTo(5), n = upTo(33), k = upTo(11);
  std::string ext, x = "%x", y = "%y";
  bool isFloat = types.acc[0] == 'f' || types.acc[0] == 'b';
  if (std::string(types.lhs) != types.acc) {
    ext += std::string("    %u = arith.extsi %x : ") + types.lhs + " to " +
           types.acc + "\n";
    x = "%u";
  }
  if (std::string(types.rhs) != types.acc) {
    ext += std::string("    %v = arith.extsi %y : ") + types.rhs + " to " +
           types.acc + "\n";
    y = "%v";
  }
  std::string f = isFloat ? "f" : "i";
  std::string body = "{\n  ^bb0(%x: " + std::string(types.lhs) +
                     ", %y: " + types.rhs + ", %z: " + types.acc + "):\n" +
                     ext + "    %p = arith.mul" + f + " " + y + ", " + x +
                     " : " + types.acc + "\n    %s = arith.add" + f +
                     " %p, %z : " + types.acc +
                     "\n    linalg.yield %s : " + types.acc + "\n  }";
  return finish(types, "linalg.generic",
                "{indexing_maps = [affine_map<(g, k, m, n) -> (m, g, k)>, "
                "affine_map<(g, k, m, n) -> (g, n, k)>, "
                "affine_map<(g, k, m, n) -> (n, g, m)>], iterator_types = "
                "[\"parallel\", \"reduction\", \"parallel\", \"parallel\"]}",
                {m, g, k}, {g, n, k}, {n, g, m}, body);
}

TEST(ContractionProperty, KernelsGiveTheBitsOfThePayloadWalk) {
  uint64_t seed = 20261122;
  SCOPED_TRACE("seed " + std::to_string(seed));
  Generator generator(seed);
  for (int i = 0; i < 120; ++i) {
    const Types &types = kTypes[i % std::size(kTypes)];
    Case c = i % 3 == 0   ? generator.matmul(types)
             : i % 3 == 1 ? generator.convolution(types)
                          : generator.generic(types);
    Program program(c.text);
    InterpreterOptions walk;
    walk.fastContractions = false;
    auto fast = program.run(c.operands);
    auto slow = program.run(c.operands, walk);
    ASSERT_TRUE(bool(fast)) << llvm::toString(fast.takeError());
    ASSERT_TRUE(bool(slow)) << llvm::toString(slow.takeError());
    ASSERT_TRUE(bitEqual((*fast)[0], (*slow)[0])) << "case " << i << "\n"
                                                  << c.text;
  }
}

// The same against four nested loops, so that both ways cannot be wrong
// together.
TEST(Contraction, MatmulEqualsTheLoopNest) {
  Generator generator(7);
  Case c = generator.matmul(kTypes[0]);
  Program program(c.text);
  auto result = program.run(c.operands);
  ASSERT_TRUE(bool(result));
  const std::vector<int64_t> &out = c.operands[2].shape();
  int64_t k = c.operands[0].shape()[1];
  for (int64_t i = 0; i < out[0]; ++i)
    for (int64_t j = 0; j < out[1]; ++j) {
      float sum = c.operands[2].data<float>()[i * out[1] + j];
      for (int64_t l = 0; l < k; ++l)
        sum = sum + c.operands[0].data<float>()[i * k + l] *
                        c.operands[1].data<float>()[l * out[1] + j];
      EXPECT_EQ((*result)[0].data<float>()[i * out[1] + j], sum);
    }
}

// The contract of the interpreter: at least 0.2 GMAC/s. Measured on a shared
// machine, so the best of some runs counts; printed for the record.
TEST(Contraction, RunsFastEnough) {
  Generator generator(3);
  std::string text =
      "func.func @main(%a: tensor<64x256xi8>, %b: tensor<256x512xi8>, %c: "
      "tensor<64x512xi32>) -> tensor<64x512xi32> {\n"
      "  %0 = linalg.matmul ins(%a, %b : tensor<64x256xi8>, "
      "tensor<256x512xi8>) "
      "outs(%c : tensor<64x512xi32>) -> tensor<64x512xi32>\n"
      "  return %0 : tensor<64x512xi32>\n}";
  Program program(text);
  std::vector<HostTensor> operands = {
      generator.tensor(DType::I8, {64, 256}, false),
      generator.tensor(DType::I8, {256, 512}, false),
      HostTensor(DType::I32, {64, 512})};
  double best = 0;
  for (int i = 0; i < 10 && best < 0.2; ++i) {
    auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(bool(program.run(operands)));
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    best = std::max(best, 64e-9 * 256 * 512 / time.count());
  }
  RecordProperty("gmacs", std::to_string(best));
#if !defined(__has_feature) || !__has_feature(address_sanitizer)
  EXPECT_GE(best, 0.2);
#endif
}
