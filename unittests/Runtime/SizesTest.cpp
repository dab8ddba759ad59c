// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Symbolic sizes at run time: what is bound, what is refused and in which
// words, where buffers go, and blocks of rows.

extern "C" {
#include "sizes.h"
}
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace {

/// Inputs x [n, 3, s] and y [n, s]; output [2 * s - 1]; arena buffers given.
struct Program {
  const int64_t xDims[3] = {-1, 3, -1}, yDims[2] = {-1, -1}, zDims[1] = {-1};
  const char *names[3] = {"n", nullptr, "s"};
  const qd_tensor_info inputs[2] = {{"x", QD_F32, 3, xDims, 0, names, nullptr},
                                    {"y", QD_F32, 2, yDims, 0, names, nullptr}};
  const qd_tensor_info outputs[1] = {
      {"z", QD_F32, 1, zDims, 0, names, nullptr}};
  qd_symbol symbols[2] = {{"n", 1, 8, 1, 0}, {"s", 2, int64_t(1) << 40, 1, 0}};
  const qd_size sizes[9] = {
      {QD_SIZE_SYMBOL, 0, 0, 0},    // 0: n
      {QD_SIZE_NUMBER, 0, 0, 3},    // 1: 3
      {QD_SIZE_SYMBOL, 1, 0, 0},    // 2: s
      {QD_SIZE_ADD, 2, 2, 0},       // 3: 2 s
      {QD_SIZE_NUMBER, 0, 0, -1},   // 4
      {QD_SIZE_ADD, 3, 4, 0},       // 5: 2 s - 1
      {QD_SIZE_MUL, 0, 2, 0},       // 6: n s
      {QD_SIZE_MUL, 6, 3, 0},       // 7: 2 n s s
      {QD_SIZE_FLOOR_DIV, 4, 1, 0}, // 8: floor(-1 / 3)
  };
  const uint32_t inputDims[5] = {0, 1, 2, 0, 2}, outputDims[1] = {5};
  qd_program program = {};
  qd_sizes bound = {};

  explicit Program(std::vector<qd_buffer> list) : buffers(std::move(list)) {
    program.info.num_inputs = 2;
    program.info.num_outputs = 1;
    program.info.inputs = inputs;
    program.info.outputs = outputs;
    program.info.num_symbols = 2;
    program.info.symbols = symbols;
    program.num_sizes = 9;
    program.sizes = sizes;
    program.num_buffers = buffers.size();
    program.buffers = buffers.data();
    program.input_dims = inputDims;
    program.output_dims = outputDims;
    EXPECT_EQ(qd_sizes_create(&program, &bound), QD_OK);
  }
  ~Program() { qd_sizes_destroy(&bound); }

  qd_status bind(std::vector<int64_t> x, std::vector<int64_t> y) {
    const int64_t *dims[] = {x.data(), y.data()};
    return qd_sizes_bind(&program, &bound, dims);
  }
  std::vector<qd_buffer> buffers;
};

TEST(SizesTest, EvaluatesAndAnswersOutputs) {
  Program p({});
  ASSERT_EQ(p.bind({2, 3, 5}, {2, 5}), QD_OK);
  int64_t size = 0;
  int64_t *dims[] = {&size};
  qd_sizes_outputs(&p.program, &p.bound, dims);
  EXPECT_EQ(size, 9);
  EXPECT_EQ(p.bound.values[7], 100);
  EXPECT_EQ(p.bound.values[8], -1);
}

TEST(SizesTest, MismatchesNameDimensionAndBothSizes) {
  Program p({});
  EXPECT_EQ(p.bind({2, 4, 5}, {2, 5}), QD_SHAPE_MISMATCH);
  EXPECT_STREQ(p.bound.error, "dimension 1 of input 'x' is 4, but must be 3");
  EXPECT_EQ(p.bind({2, 3, 5}, {2, 6}), QD_SHAPE_MISMATCH);
  EXPECT_STREQ(p.bound.error,
               "dimension 1 of input 'y' is 6, but must be 5 like every 's'");
  EXPECT_EQ(p.bind({9, 3, 5}, {9, 5}), QD_SHAPE_MISMATCH);
  EXPECT_STREQ(p.bound.error,
               "dimension 0 of input 'x' is 9, but must be from 1 to 8 ('n')");
  EXPECT_EQ(p.bind({1, 3, 1}, {1, 1}), QD_SHAPE_MISMATCH);
  EXPECT_EQ(p.bind({1, 3, -1}, {1, -1}), QD_SHAPE_MISMATCH);
  EXPECT_EQ(qd_sizes_bind(&p.program, &p.bound, nullptr), QD_SHAPE_MISMATCH);
  EXPECT_EQ(p.bind({1, 3, 2}, {1, 2}), QD_OK);
  p.symbols[1].step = 4;
  EXPECT_EQ(p.bind({1, 3, 6}, {1, 6}), QD_SHAPE_MISMATCH);
  EXPECT_STREQ(
      p.bound.error,
      "dimension 2 of input 'x' is 6, but must be a multiple of 4 ('s')");
  EXPECT_EQ(p.bind({1, 3, 8}, {1, 8}), QD_OK);
}

TEST(SizesTest, WhatDoesNotFitMemoryIsRefused) {
  Program p({{7, 0, 1, 0}});
  EXPECT_EQ(p.bind({8, 3, int64_t(1) << 40}, {8, int64_t(1) << 40}),
            QD_OUT_OF_MEMORY);
  ASSERT_EQ(p.bind({8, 3, 4}, {8, 4}), QD_OK);
  EXPECT_EQ(p.bound.arena_bytes[0], 320u); // 256, and 64 to read behind it
}

/// Buffers alive at the same step never overlap, whatever their sizes.
TEST(SizesTest, PlacesBuffersApart) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    std::vector<qd_buffer> buffers;
    for (int i = 0; i < 30; ++i) {
      int32_t first = random() % 20, length = random() % 6;
      uint32_t nodes[] = {0, 2, 5, 6, 7};
      buffers.push_back({nodes[random() % 5], first, first + length, 0});
    }
    Program p(buffers);
    int64_t n = 1 + random() % 8, s = 2 + random() % 30;
    ASSERT_EQ(p.bind({n, 3, s}, {n, s}), QD_OK);
    auto end = [&](int i) {
      return p.bound.offsets[i] + p.bound.values[buffers[i].bytes];
    };
    for (int i = 0; i < 30; ++i) {
      EXPECT_EQ(p.bound.offsets[i] % 64, 0);
      EXPECT_LE(end(i) + 64, int64_t(p.bound.arena_bytes[0]));
      for (int j = 0; j < i; ++j) {
        bool together = buffers[i].first_step <= buffers[j].last_step &&
                        buffers[j].first_step <= buffers[i].last_step;
        bool apart =
            end(i) <= p.bound.offsets[j] || end(j) <= p.bound.offsets[i];
        EXPECT_TRUE(!together || apart) << i << " and " << j;
      }
    }
  }
}

/// What depends on a computed size lies in an arena of its own, placed when the
/// size is known, with room for one row where there is none.
TEST(SizesTest, PlacesWhatDependsOnData) {
  const int64_t dims[] = {-1, 4};
  const char *names[] = {"k", nullptr};
  const qd_tensor_info output = {"z", QD_F32, 2, dims, 0, names, nullptr};
  const qd_symbol symbol = {"k", 0, 100, 1, 1};
  const qd_size sizes[] = {{QD_SIZE_SYMBOL, 0, 0, 0},
                           {QD_SIZE_NUMBER, 0, 0, 4},
                           {QD_SIZE_MUL, 0, 1, 0},
                           {QD_SIZE_NUMBER, 0, 0, 64}};
  const qd_buffer buffers[] = {{3, 0, 2, 0}, {2, 1, 2, 1}, {2, 2, 3, 1}};
  const uint32_t outputDims[] = {0, 1};
  qd_program program = {};
  program.info.num_outputs = 1;
  program.info.outputs = &output;
  program.info.num_symbols = 1;
  program.info.symbols = &symbol;
  program.num_sizes = 4;
  program.sizes = sizes;
  program.num_buffers = 3;
  program.num_arenas = 1;
  program.buffers = buffers;
  program.output_dims = outputDims;
  qd_sizes bound = {};
  ASSERT_EQ(qd_sizes_create(&program, &bound), QD_OK);
  ASSERT_EQ(qd_sizes_bind(&program, &bound, nullptr), QD_OK);
  EXPECT_EQ(bound.arena_bytes[0], 128u);
  int64_t shape[2] = {};
  int64_t *shapes[] = {shape};
  qd_sizes_outputs(&program, &bound, shapes);
  EXPECT_EQ(shape[0], -1);
  EXPECT_EQ(shape[1], 4);
  ASSERT_EQ(qd_sizes_compute(&program, &bound, 0, 1, 100), QD_OK);
  EXPECT_EQ(bound.values[2], 400);
  EXPECT_EQ(bound.arena_bytes[1], 2u * 512);
  EXPECT_NE(bound.offsets[1], bound.offsets[2]);
  ASSERT_EQ(qd_sizes_compute(&program, &bound, 0, 1, 0), QD_OK);
  EXPECT_EQ(bound.values[2], 0);
  EXPECT_EQ(bound.arena_bytes[1], 2u * 128);
  EXPECT_EQ(qd_sizes_compute(&program, &bound, 0, 1, int64_t(1) << 46),
            QD_OUT_OF_MEMORY);
  qd_sizes_destroy(&bound);
}

} // namespace
