// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dyadic rescaling on lanes against the interpreter, bit for bit: shifts within
// the lower word, beyond it and around its end, products that tie often and
// such that cannot, sums of two products, chains through 16-bit codes.

#include "Check.h"
#include "DispatchText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class RescaleTest : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};

  static std::string number(const std::string &name, int64_t value,
                            const std::string &type) {
    return "      %" + name + " = arith.constant " + std::to_string(value) +
           " : " + type + "\n";
  }

  /// The first `numInputs` of two tensors of `code` through `payload`, which
  /// makes %r of %a and %b.
  void check(int numInputs, const std::string &element,
             const std::string &payload, const std::string &code = "i16") {
    const std::vector<int64_t> shape{7, 75};
    std::string in = shapeText(shape, code), out = shapeText(shape, element);
    std::string id = "affine_map<(m, n) -> (m, n)>";
    std::string maps = id, names, types, arguments;
    std::vector<std::string> inputs;
    for (int i = 0; i < numInputs; ++i) {
      maps += ", " + id;
      names += (i ? ", %x" : "%x") + std::to_string(i);
      types += (i ? ", " : "") + in;
      arguments += (i ? "%b: " : "%a: ") + code + ", ";
      inputs.push_back(in);
    }
    std::string body =
        "    %e = tensor.empty() : " + out +
        "\n    %q = linalg.generic {indexing_maps = [" + maps +
        "], iterator_types = [\"parallel\", \"parallel\"]} ins(" + names +
        " : " + types + ") outs(%e : " + out + ") {\n    ^bb0(" + arguments +
        "%o: " + element + "):\n" + payload +
        "      linalg.yield %r : " + element + "\n    } -> " + out +
        "\n    qd.yield %q : " + out + "\n";
    checkDispatch(mainText(inputs, out, body), "elementwise", random);
  }

  /// i64 `product` = (code - zero) * multiplier.
  static std::string product(const std::string &code, int64_t zero,
                             int64_t multiplier) {
    return number(code + "z", zero, "i32") +
           number(code + "m", multiplier, "i64") + "      %" + code +
           "32 = arith.extsi %" + code + " : i16 to i32\n      %" + code +
           "c = arith.subi %" + code + "32, %" + code + "z : i32\n      %" +
           code + "64 = arith.extsi %" + code + "c : i32 to i64\n      %" +
           code + "p = arith.muli %" + code + "64, %" + code + "m : i64\n";
  }

  static std::string rescale(const std::string &result, const std::string &from,
                             const std::string &type, int64_t multiplier,
                             int64_t shift, int64_t zero,
                             const std::string &element,
                             const std::string &rounding = "half_even") {
    return number(result + "mul", multiplier, "i32") +
           number(result + "shift", shift, "i32") +
           number(result + "zero", zero, "i32") + "      %" + result +
           " = qd.rescale %" + from + " multiplier %" + result + "mul shift %" +
           result + "shift zero_point %" + result + "zero rounding(" +
           rounding + ") overflow(saturate) : " + type + ", i32, i32, i32 -> " +
           element + "\n";
  }
};

TEST_F(RescaleTest, SumsOfTwoProducts) {
  struct Case {
    int64_t a, b, shift;
  };
  for (Case c : {Case{1 << 29, 1 << 28, 30}, // ties everywhere
                 Case{916481401, 334055084, 30}, Case{3 << 20, 5 << 20, 24},
                 Case{1 << 30, 1 << 30, 31}, Case{1 << 30, 3 << 28, 32},
                 Case{1 << 30, 5 << 27, 33}, Case{1 << 30, 1 << 24, 44},
                 Case{1234567891, 987654321, 40}, Case{7, 3, 2}, Case{1, 1, 1}})
    for (const char *element : {"i8", "i16"}) {
      SCOPED_TRACE(std::to_string(c.a) + " " + std::to_string(c.shift));
      check(2, element,
            product("a", -13521, c.a) + product("b", 77, c.b) +
                "      %s = arith.addi %ap, %bp : i64\n" +
                rescale("r", "s", "i64", 1, c.shift, -9, element));
    }
}

TEST_F(RescaleTest, OneProduct) {
  struct Case {
    int64_t multiplier, shift;
  };
  // Odd multipliers never tie; powers of two do.
  for (Case c : {Case{4426753, 30}, Case{4426754, 30}, Case{1 << 22, 30},
                 Case{2147483647, 33}, Case{1 << 30, 33}, Case{1 << 30, 38},
                 Case{1140850689, 46}, Case{1 << 30, 46}, Case{1 << 12, 28}})
    for (const char *element : {"i8", "i16"}) {
      SCOPED_TRACE(std::to_string(c.multiplier) + " " +
                   std::to_string(c.shift));
      check(1, element,
            product("a", 5, c.multiplier) +
                rescale("r", "ap", "i64", 1, c.shift, 100, element));
      check(1, element,
            "      %w = arith.extsi %a : i16 to i32\n" +
                rescale("r", "w", "i32", c.multiplier, c.shift, -100, element));
    }
}

TEST_F(RescaleTest, NarrowSums) {
  // Sums of 32 bits that leave room for half a step, ties everywhere or never,
  // and the last one that leaves none.
  struct Case {
    int64_t a, b, shift;
  };
  for (Case c : {Case{8192, 16384, 14}, Case{8191, 16383, 14}, Case{3, 5, 1},
                 Case{1 << 12, 1 << 11, 20}, Case{20000, 12000, 24},
                 Case{32768, 16384, 29}, Case{32768, 32000, 30}})
    for (const char *element : {"i8", "i16"}) {
      SCOPED_TRACE(std::to_string(c.a) + " " + std::to_string(c.shift));
      check(2, element,
            number("m", c.a, "i32") + number("n", c.b, "i32") +
                "      %x = arith.extsi %a : i16 to i32\n"
                "      %y = arith.extsi %b : i16 to i32\n"
                "      %p = arith.muli %x, %m : i32\n"
                "      %q = arith.muli %y, %n : i32\n"
                "      %s = arith.addi %p, %q : i32\n" +
                rescale("r", "s", "i32", 1, c.shift, 21, element));
    }
}

TEST_F(RescaleTest, SumsOfCodes) {
  // Multipliers of one word and of two are multiplied in pairs, one beyond them
  // is not; either rounding, zero points inside and outside of the alphabet.
  struct Case {
    int64_t a, b, constant, shift, zero;
  };
  for (Case c :
       {Case{20011, 31763, 123457, 15, -128}, Case{32767, -32768, -99, 14, 17},
        Case{-32768, -32768, 0, 16, -300}, Case{16384, 8192, 1, 14, 127},
        Case{3, 1, 0, 1, 0}, Case{32768, 20011, 123457, 15, -5},
        Case{4194304, -4194304, 77, 22, 3}, Case{-4194303, 255, -1, 21, 0},
        Case{2097151, 3145729, -98765432, 22, -128},
        Case{-256, 65535, 12345, 14, 0}, Case{4194305, 20011, 9, 22, -5}})
    for (const char *rounding : {"half_even", "half_up"})
      for (const char *element : {"i8", "i16"}) {
        SCOPED_TRACE(std::to_string(c.a) + " " + rounding + " " + element);
        check(
            2, element,
            number("m", c.a, "i32") + number("n", c.b, "i32") +
                number("k", c.constant, "i32") +
                "      %x = arith.extsi %a : i8 to i32\n"
                "      %y = arith.extsi %b : i8 to i32\n"
                "      %p = arith.muli %x, %m : i32\n"
                "      %q = arith.muli %y, %n : i32\n"
                "      %s = arith.addi %p, %q : i32\n"
                "      %t = arith.addi %s, %k : i32\n" +
                rescale("r", "t", "i32", 1, c.shift, c.zero, element, rounding),
            "i8");
      }
}

TEST_F(RescaleTest, DigitsOfUpperWords) {
  // One to seven digits, more, and half steps.
  for (int64_t shift : {33, 34, 37, 38, 39, 40, 45})
    for (int64_t zero : {-128, 0, 127, 128, -129, -5000}) {
      SCOPED_TRACE(std::to_string(shift) + " " + std::to_string(zero));
      int64_t multiplier = (int64_t(1) << (shift - 9)) + 12345;
      if (multiplier < (int64_t(1) << 31))
        check(1, "i8",
              "      %w = arith.extsi %a : i16 to i32\n" +
                  rescale("r", "w", "i32", multiplier, shift, zero, "i8"));
    }
}

TEST_F(RescaleTest, NegativesThatSaturate) {
  // Products that tie are negative, and end at the lowest code if the zero
  // point is that; else they tell how ties are rounded.
  for (int64_t zero : {-128, -127, -100})
    for (int64_t shift : {23, 25, 26, 36}) {
      SCOPED_TRACE(std::to_string(zero) + " " + std::to_string(shift));
      check(1, "i8",
            product("a", 20000, int64_t(1) << (shift - 15)) +
                rescale("r", "ap", "i64", 1, shift, zero, "i8"));
      check(1, "i8",
            number("z", 20000, "i32") +
                "      %w = arith.extsi %a : i16 to i32\n"
                "      %c = arith.subi %w, %z : i32\n" +
                rescale("r", "c", "i32", int64_t(1) << (shift - 15), shift,
                        zero, "i8"));
    }
}

TEST_F(RescaleTest, ChainsThroughCodes) {
  // To 16 bits (saturating), from there with another input to 8.
  std::string first = "      %w = arith.extsi %a : i16 to i32\n" +
                      rescale("f", "w", "i32", 1717986919, 30, -300, "i16");
  check(2, "i8",
        first + product("f", -300, 4000001) + product("b", 9, 1234567) +
            "      %s = arith.subi %fp, %bp : i64\n" +
            rescale("r", "s", "i64", 1, 30, 3, "i8"));
}

TEST_F(RescaleTest, WideAddends) {
  // A constant that needs more than 32 bits, and one that is added first.
  check(1, "i16",
        product("a", 0, 473679297) + number("k", int64_t(-5) << 40, "i64") +
            "      %s = arith.addi %k, %ap : i64\n" +
            rescale("r", "s", "i64", 1, 30, -21723, "i16"));
}

} // namespace
