// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Binding of data to inputs: every accepted layout, every refusal.

#include "QDialect/Support/InputSource.h"
#include "Files.h"
#include <gtest/gtest.h>
#include <numeric>

using namespace qdialect;
using namespace qdialect::test;

/// A .npy of float32 counting 0, 1, 2, ...
static std::string counting(const std::string &shape, size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.0f);
  return npyBytes("<f4", false, shape, values);
}

static std::string errorOf(const std::string &path,
                           const std::vector<InputSpec> &specs) {
  auto source = InputSource::open(path, specs);
  return source ? "" : llvm::toString(source.takeError());
}

/// The first element of each input of each sample.
static std::vector<std::vector<double>> firsts(InputSource &source) {
  std::vector<std::vector<double>> all;
  while (true) {
    auto sample = source.next();
    EXPECT_TRUE(bool(sample)) << llvm::toString(sample.takeError());
    if (!sample || !*sample)
      return all;
    all.emplace_back();
    for (const HostTensor &tensor : **sample)
      all.back().push_back(tensor.asDouble(0));
  }
}

TEST(InputSource, FindsTheSampleAxis) {
  struct Case {
    std::vector<int64_t> input;
    std::string array;
    size_t count;
    int64_t samples;
    std::vector<int64_t> shape;
  };
  const Case cases[] = {
      {{1, 2}, "(3, 2)", 6, 3, {1, 2}},    // the batch is the sample axis
      {{2, 2}, "(4, 2)", 8, 2, {2, 2}},    // batches of two
      {{1, 2}, "(3, 1, 2)", 6, 3, {1, 2}}, // one more axis
      {{2, 3}, "(2, 3)", 6, 1, {2, 3}},    // the array is the sample
      {{1, 2}, "(2,)", 2, 1, {1, 2}},      // without the batch
      {{}, "(3,)", 3, 3, {}},              // scalars
      {{}, "()", 1, 1, {}},
      {{-1, 2}, "(3, 2)", 6, 3, {1, 2}}, // dynamic batch
      {{1, -1}, "(2, 4)", 8, 2, {1, 4}}, // variable size
  };
  for (const Case &c : cases)
    for (bool npz : {false, true}) {
      TemporaryFolder folder;
      std::string path = folder.path(npz ? "d.npz" : "d.npy");
      if (npz)
        writeZip(path, true, {{"x.npy", counting(c.array, c.count)}});
      else
        writeFile(path, counting(c.array, c.count));
      auto source =
          InputSource::open(path, InputSpec{"x", DType::F32, c.input});
      ASSERT_TRUE(bool(source)) << llvm::toString(source.takeError());
      EXPECT_EQ(source->numSamples(), c.samples) << c.array;
      double expected = 0;
      for (int64_t i = 0; i < c.samples; ++i) {
        auto sample = source->next();
        ASSERT_TRUE(sample && *sample);
        const HostTensor &tensor = (**sample)[0];
        EXPECT_EQ(tensor.shape(), c.shape) << c.array;
        EXPECT_EQ(tensor.asDouble(0), expected) << c.array;
        expected += double(tensor.size());
      }
      auto end = source->next();
      ASSERT_TRUE(bool(end));
      EXPECT_FALSE(end->has_value());
    }
}

TEST(InputSource, BindsByNameAndRewinds) {
  TemporaryFolder folder;
  std::string path = folder.path("d.npz");
  writeZip(
      path, false,
      {{"b.npy", npyBytes("<i8", false, "(2, 1)", std::vector<int64_t>{7, 8})},
       {"unused.npy", counting("(9,)", 9)},
       {"a.npy", counting("(2, 2)", 4)}});
  std::vector<InputSpec> specs = {{"a", DType::F32, {1, 2}},
                                  {"b", DType::I64, {1, 1}}};
  auto source = InputSource::open(path, specs);
  ASSERT_TRUE(bool(source)) << llvm::toString(source.takeError());
  std::vector<std::vector<double>> expected = {{0, 7}, {2, 8}};
  EXPECT_EQ(firsts(*source), expected);
  EXPECT_EQ(source->lastSampleName(), path + ", sample 1");
  source->rewind();
  EXPECT_EQ(firsts(*source), expected);
}

TEST(InputSource, ReadsFoldersInOrderWithVariableSizes) {
  TemporaryFolder folder;
  writeZip(folder.path("2.npz"), false, {{"x.npy", counting("(1, 5)", 5)}});
  writeZip(folder.path("1.npz"), false,
           {{"x.npy", npyBytes("<f4", false, "(2, 3)",
                               std::vector<float>{4, 4, 4, 5, 5, 5})}});
  writeFile(folder.path("readme.txt"), "not data");
  auto source =
      InputSource::open(folder.path(""), InputSpec{"x", DType::F32, {1, -1}});
  ASSERT_TRUE(bool(source)) << llvm::toString(source.takeError());
  EXPECT_EQ(source->numSamples(), 3);
  EXPECT_EQ(firsts(*source), (std::vector<std::vector<double>>{{4}, {5}, {0}}));
}

TEST(InputSource, ErrorsNameFileInputAndBothShapes) {
  TemporaryFolder folder;
  InputSpec x{"x", DType::F32, {1, 2}}, y{"y", DType::F32, {1}};
  std::string npy = folder.path("d.npy"), npz = folder.path("d.npz");
  auto expect = [&](const std::string &error, const std::string &text) {
    EXPECT_NE(error.find(text), std::string::npos) << error;
  };
  writeFile(npy, counting("(3, 5)", 15));
  expect(errorOf(npy, {x}), npy + ": input 'x' wants 1x2xfloat32, the array is "
                                  "3x5xfloat32");
  writeFile(npy, npyBytes("<f8", false, "(1, 2)", std::vector<double>{1, 2}));
  expect(errorOf(npy, {x}), "wants 1x2xfloat32, the array is 1x2xfloat64");
  writeFile(npy, counting("(3, 2)", 6));
  expect(errorOf(npy, {{"x", DType::F32, {2, 2}}}), "no multiple of the batch");
  expect(errorOf(npy, {x, y}), "feeds a model with one input, this one has 2");
  writeZip(npz, false,
           {{"x.npy", counting("(3, 2)", 6)}, {"z.npy", counting("(1,)", 1)}});
  expect(errorOf(npz, {x, y}),
         npz + ": there is no array for input 'y' (arrays: 'x', 'z')");
  writeZip(npz, false,
           {{"x.npy", counting("(3, 2)", 6)}, {"y.npy", counting("(4,)", 4)}});
  expect(errorOf(npz, {x, y}), "input 'y' has 4 samples, input 'x' has 3");
  writeZip(npz, false, {{"x.npy", counting("(0, 2)", 0)}});
  expect(errorOf(npz, {x}), "holds no samples");
  expect(errorOf(folder.path("none.npz"), {x}), "No such file");
  expect(errorOf(folder.path("data.csv"), {x}), "expected a .npz or .npy file");
  TemporaryFolder empty;
  expect(errorOf(empty.path(""), {x}), "the folder holds no .npy or .npz file");
  // One bad file in a folder is found when it is opened, not in its turn.
  writeFile(folder.path("a.npy"), "junk");
  expect(errorOf(folder.path(""), {x}), "a.npy: not a .npy file");
}
