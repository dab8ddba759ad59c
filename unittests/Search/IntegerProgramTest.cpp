// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The solver against enumeration on random small programs.

#include "QDialect/Search/IntegerProgram.h"
#include "gtest/gtest.h"
#include <cmath>
#include <random>

using namespace qdialect;

namespace {

/// The least cost over all assignments; none if no assignment is allowed.
std::optional<double> bruteForce(const IntegerProgram &program) {
  std::optional<double> best;
  size_t count = program.costs.size();
  for (unsigned bits = 0; bits < 1u << count; ++bits) {
    std::vector<char> values;
    double cost = 0;
    for (size_t v = 0; v < count; ++v) {
      values.push_back(bits >> v & 1);
      cost += values.back() ? program.costs[v] : 0;
    }
    bool allowed = true;
    for (const IntegerProgram::Row &row : program.rows)
      allowed &= row.holds(values);
    if (allowed && (!best || cost < *best))
      best = cost;
  }
  return best;
}

double costOf(const IntegerProgram &program, const std::vector<char> &values) {
  double cost = 0;
  for (size_t v = 0; v < values.size(); ++v)
    cost += values[v] ? program.costs[v] : 0;
  return cost;
}

std::optional<std::vector<char>> solved(const IntegerProgram &program) {
  auto values = solveIntegerProgram(program);
  if (!values) {
    ADD_FAILURE() << llvm::toString(values.takeError());
    return std::nullopt;
  }
  return *values;
}

TEST(IntegerProgramTest, EqualsEnumeration) {
  if (!hasIntegerProgramSolver())
    GTEST_SKIP() << "built without a solver";
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 rng(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  int infeasible = 0;
  for (int round = 0; round < 60; ++round) {
    IntegerProgram program;
    // Scales of figures differ as those of bytes and milliseconds do.
    double costScale = std::pow(10, 6 * uniform(rng));
    int count = 1 + rng() % 12;
    for (int v = 0; v < count; ++v)
      program.costs.push_back(costScale * uniform(rng));
    for (int r = rng() % 4; r > 0; --r) {
      double scale = std::pow(10, 6 * uniform(rng));
      IntegerProgram::Row row;
      for (int v = 0; v < count; ++v)
        if (rng() % 3)
          row.terms.push_back({v, scale * uniform(rng)});
      if (rng() % 2)
        row.high = scale * uniform(rng);
      else
        row.low = scale * uniform(rng);
      program.rows.push_back(row);
    }
    std::optional<double> expected = bruteForce(program);
    std::optional<std::vector<char>> values = solved(program);
    ASSERT_EQ(values.has_value(), expected.has_value()) << "round " << round;
    infeasible += !expected;
    if (values)
      EXPECT_NEAR(costOf(program, *values), *expected, 1e-9 * costScale)
          << "round " << round;
  }
  RecordProperty("infeasible", infeasible);
}

/// Both ends of a row may be met exactly, although 0.1 + 0.2 > 0.3.
TEST(IntegerProgramTest, LimitsAreReached) {
  if (!hasIntegerProgramSolver())
    GTEST_SKIP() << "built without a solver";
  IntegerProgram program;
  program.costs = {-1, -1};
  IntegerProgram::Row row;
  row.terms = {{0, 0.1}, {1, 0.2}};
  row.high = 0.3;
  program.rows.push_back(row);
  EXPECT_EQ(solved(program), (std::vector<char>{1, 1}));
}

/// CBC takes 1e-7 of a row for nothing; a byte of a hundred megabytes is more.
TEST(IntegerProgramTest, LimitsAreKeptWithinTheSolversTolerance) {
  if (!hasIntegerProgramSolver())
    GTEST_SKIP() << "built without a solver";
  IntegerProgram program;
  program.costs = {-2, -1};
  IntegerProgram::Row row;
  row.terms = {{0, 1e8 + 1}, {1, 1e8}};
  row.high = 1e8;
  program.rows.push_back(row);
  EXPECT_EQ(solved(program), (std::vector<char>{0, 1}));
}

TEST(IntegerProgramTest, NothingToGain) {
  if (!hasIntegerProgramSolver())
    GTEST_SKIP() << "built without a solver";
  IntegerProgram program;
  program.costs.assign(20, 0);
  EXPECT_TRUE(solved(program).has_value());
}

TEST(IntegerProgramTest, NothingToChoose) {
  if (!hasIntegerProgramSolver())
    GTEST_SKIP() << "built without a solver";
  EXPECT_EQ(solved({}), std::vector<char>());
}

} // namespace
