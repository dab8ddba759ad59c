// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of rows on half warps and blocks, against the interpreter: around
// the lanes of half a warp, the rows of a block, the steps of four neighbours
// and the pieces of long rows.

#include "GpuCheck.h"
#include "RowText.h"
#include "gtest/gtest.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

/// Sums of one lane, of several, with and without neighbours; the last two are
/// a block's, in one piece and in two.
const int64_t kLengths[] = {1, 2, 15, 16, 17, 64, 100, 384, 1026, 8200};

class RowsPlan : public ::testing::Test {
protected:
  /// `vectors`: all of the row is read and written four elements at a time.
  void check(const std::string &dispatch, bool vectors = true) {
    ptx::LaunchResult said = checkGpuDispatch(dispatch, "rows", random);
    if (vectors)
      EXPECT_EQ(said.total().conflicts, 0u);
  }
  std::mt19937 random{testSeed()};
  RowText text{random};
  IntegerRowText codes{random};
};

TEST_F(RowsPlan, Softmax) {
  for (int64_t length : kLengths)
    for (bool quantized : {false, true}) {
      SCOPED_TRACE(length);
      check(text.softmax({length < 1000 ? 3 : 1, 3, length}, quantized));
    }
}

TEST_F(RowsPlan, SoftmaxOfMasksAndSpecials) {
  std::vector<float> all;
  for (const std::vector<float> &row : specialRows())
    llvm::append_range(all, row);
  checkGpuDispatch(text.softmax({7, 9}, false), "rows", random,
                   HostTensor::of(DType::F32, {7, 9}, all));
}

TEST_F(RowsPlan, LayerNorm) {
  for (int64_t length : kLengths)
    for (bool quantized : {false, true}) {
      SCOPED_TRACE(length);
      check(text.layerNorm({length < 1000 ? 3 : 1, 3, length}, 2, length % 4,
                           quantized));
    }
}

TEST_F(RowsPlan, LayerNormOfSeveralDimensions) {
  check(text.layerNorm({3, 5, 7}, 1, true, true));
  check(text.layerNorm({3, 5, 8}, 0, true, false));
}

TEST_F(RowsPlan, RmsNorm) {
  for (int64_t length : kLengths) {
    SCOPED_TRACE(length);
    check(text.rmsNorm({length < 1000 ? 3 : 1, 3, length}, length % 2));
  }
}

TEST_F(RowsPlan, IntegerSoftmax) {
  for (const char *scheme : {"qd", "ibert", "ivit"})
    for (int64_t length : kLengths)
      for (bool wide : {false, true}) {
        SCOPED_TRACE(std::string(scheme) + " " + std::to_string(length));
        check(codes.softmax({length < 1000 ? 3 : 1, 3, length}, scheme, wide,
                            wide && length % 2),
              length != 100);
      }
}

TEST_F(RowsPlan, IntegerNorms) {
  for (const char *scheme : {"qd", "ibert", "ivit"})
    for (const char *op : {"int_layer_norm", "int_rms_norm"})
      for (int64_t length : {1, 15, 16, 17, 100, 384, 1026})
        for (bool wide : {false, true}) {
          SCOPED_TRACE(std::string(scheme) + " " + op + " " +
                       std::to_string(length));
          check(codes.norm(op, {3, 3, length}, 2, scheme, wide,
                           wide && length % 2));
        }
}

} // namespace
