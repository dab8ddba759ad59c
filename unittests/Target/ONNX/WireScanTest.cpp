// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The wire scan: payloads leave the message and nothing else changes.

#include "WireScan.h"
#include "ModelBytes.h"
#include "llvm/Support/Error.h"
#include "gtest/gtest.h"
#include <random>

using namespace qdialect::onnx_import;
using namespace qdialect::onnx_test;

TEST(WireScan, CutsRawDataOut) {
  std::string weights(4096, 'w');
  std::string model = addModel(32, 32, weights);
  auto pruned = scanModel(model);
  ASSERT_TRUE(static_cast<bool>(pruned));
  ASSERT_EQ(pruned->payloads.size(), 1u);
  EXPECT_EQ(pruned->payloads[0], weights);
  // The payload is not a copy.
  EXPECT_GE(pruned->payloads[0].data(), model.data());
  EXPECT_LT(pruned->payloads[0].data(), model.data() + model.size());
  EXPECT_LT(pruned->message.size(), 200u);
}

TEST(WireScan, IndexesPayloadsInOrder) {
  std::string graph = field(5, tensor("a", {1}, "aaaa")) +
                      field(5, tensor("b", {2}, "bbbbbbbb"));
  std::string model = field(7, graph);
  auto pruned = scanModel(model);
  ASSERT_TRUE(static_cast<bool>(pruned));
  ASSERT_EQ(pruned->payloads.size(), 2u);
  EXPECT_EQ(pruned->payloads[1], "bbbbbbbb");
  std::string zero(8, '\0'), one = zero;
  one[0] = 1;
  EXPECT_EQ(pruned->message, field(7, field(5, tensor("a", {1}, zero)) +
                                          field(5, tensor("b", {2}, one))));
  EXPECT_EQ(decodePayloadIndex(one), 1u);
}

// Tensors in attributes, subgraphs, functions and sparse tensors are found;
// a field 9 of another message is not raw data.
TEST(WireScan, FollowsEveryWayToATensor) {
  std::string small = tensor("t", {1}, "data");
  std::string attribute = field(5, small) + field(10, small);
  std::string sparse = field(1, small) + field(2, small);
  std::string inner = field(5, small) + field(15, sparse);
  std::string node =
      field(5, attribute) + field(5, field(6, inner)) + field(9, "metadata");
  std::string function = field(7, node);
  auto pruned = scanModel(field(7, field(1, node)) + field(25, function));
  ASSERT_TRUE(static_cast<bool>(pruned));
  EXPECT_EQ(pruned->payloads.size(), 10u);
  EXPECT_NE(pruned->message.find("metadata"), std::string::npos);
}

TEST(WireScan, KeepsEverythingElse) {
  std::string model = number(1, 8) + field(2, "producer") +
                      varint(99 << 3 | 5) + "abcd" + varint(98 << 3 | 1) +
                      "abcdefgh" + number(97, UINT64_MAX);
  auto pruned = scanModel(model);
  ASSERT_TRUE(static_cast<bool>(pruned));
  EXPECT_EQ(pruned->message, model);
}

TEST(WireScan, RefusesWhatDoesNotFit) {
  const std::string broken[] = {
      std::string("\x3a"), // no length
      std::string("\x3a\x05"
                  "abc"), // five bytes claimed, three there
      std::string("\x0d"
                  "ab"), // four bytes needed
      std::string("\x09"
                  "abcd"),            // eight bytes needed
      std::string("\x08\xff"),        // number cut off
      std::string(12, '\xff'),        // number without end
      std::string("\x0b"),            // group
      field(7, field(5, "\x4a\x7f")), // raw data larger than its tensor
  };
  for (const std::string &bytes : broken) {
    auto pruned = scanModel(bytes);
    EXPECT_FALSE(static_cast<bool>(pruned)) << testing::PrintToString(bytes);
    llvm::consumeError(pruned.takeError());
  }
}

TEST(WireScan, LimitsNesting) {
  std::string body;
  for (int level = 0; level < 200; ++level)
    body = field(1, field(5, field(6, body)));
  auto pruned = scanModel(field(7, body));
  EXPECT_FALSE(static_cast<bool>(pruned));
  llvm::consumeError(pruned.takeError());
}

// Whatever one flipped byte does, the scan ends with a result or an error, and
// payloads stay inside the file.
TEST(WireScanProperty, SurvivesCorruption) {
  const std::string model = addModel(4, 4, std::string(64, 'w'));
  std::mt19937 random(20261122);
  for (int round = 0; round < 20000; ++round) {
    std::string broken = model;
    for (int flips = 1 + static_cast<int>(random() % 3); flips-- > 0;)
      broken[random() % broken.size()] = static_cast<char>(random());
    auto pruned = scanModel(broken);
    if (!pruned) {
      llvm::consumeError(pruned.takeError());
      continue;
    }
    for (llvm::StringRef payload : pruned->payloads) {
      EXPECT_GE(payload.data(), broken.data());
      EXPECT_LE(payload.data() + payload.size(), broken.data() + broken.size());
    }
  }
}
