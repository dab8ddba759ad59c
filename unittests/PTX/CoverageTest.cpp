// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every instruction, type and modifier of the table is decoded by some test of
// this program. Checked after all of them, and only when all have run.

#include "RunLanes.h"

#include <sstream>

using namespace qdialect::ptx;

namespace {
class Coverage : public testing::Environment {
  void TearDown() override {
    if (testing::GTEST_FLAG(filter) != "*")
      return;
    std::set<std::string> seen = decodedForms();
    for (const InstructionRow &row : listInstructions()) {
      for (std::string_view list : {row.types, row.modifiers}) {
        std::istringstream words{std::string(list)};
        for (std::string word; words >> word;)
          EXPECT_TRUE(seen.count(std::string(row.opcode) + "." + word))
              << "no test has " << row.opcode << " with ." << word;
      }
      if (row.types.empty() && row.modifiers.empty())
        EXPECT_TRUE(seen.count(std::string(row.opcode))) << row.opcode;
    }
  }
};
const testing::Environment *const kCoverage =
    testing::AddGlobalTestEnvironment(new Coverage);
} // namespace
