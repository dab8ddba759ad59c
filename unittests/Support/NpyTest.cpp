// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// .npy and .npz: what numpy writes is read, what a liar writes is refused.

#include "QDialect/Support/Npy.h"
#include "Files.h"
#include <gtest/gtest.h>

using namespace qdialect;
using namespace qdialect::test;

static std::string messageOf(llvm::Error error) {
  return llvm::toString(std::move(error));
}

TEST(Npy, RoundTripsEveryType) {
  TemporaryFolder folder;
  for (DType type :
       {DType::I1, DType::I8, DType::U8, DType::I16, DType::U16, DType::I32,
        DType::U32, DType::I64, DType::U64, DType::F16, DType::F32, DType::F64})
    for (std::vector<int64_t> shape :
         {std::vector<int64_t>{}, {3}, {2, 3}, {0, 4}, {1, 1, 2, 1}}) {
      HostTensor tensor(type, shape);
      char *bytes = tensor.mutableBytes();
      for (size_t i = 0; i < tensor.sizeInBytes(); ++i)
        bytes[i] = type == DType::I1 ? i & 1 : char(i * 37 + 1);
      std::string path = folder.path("x.npy");
      ASSERT_FALSE(bool(writeNpy(path, tensor)));
      auto back = readNpy(path);
      ASSERT_TRUE(bool(back)) << messageOf(back.takeError());
      EXPECT_TRUE(bitEqual(*back, tensor)) << describe(type, shape);
    }
}

TEST(Npy, HeaderIsAlignedAsNumpyDoes) {
  TemporaryFolder folder;
  ASSERT_FALSE(
      bool(writeNpy(folder.path("x.npy"), HostTensor(DType::F32, {7}))));
  std::string bytes = readFile(folder.path("x.npy"));
  EXPECT_EQ((bytes.size() - 28) % 64, 0u);
  EXPECT_EQ(bytes.substr(10, 59),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }  ");
}

TEST(Npy, WritesBfloatAsFloat) {
  TemporaryFolder folder;
  HostTensor tensor = HostTensor::of<float>(DType::F32, {2}, {1.5f, -2.0f});
  ASSERT_FALSE(
      bool(writeNpy(folder.path("x.npy"), tensor.converted(DType::BF16))));
  auto back = readNpy(folder.path("x.npy"));
  ASSERT_TRUE(bool(back));
  EXPECT_TRUE(bitEqual(*back, tensor));
}

TEST(Npy, ConvertsFortranOrder) {
  TemporaryFolder folder;
  std::string path = folder.path("x.npy");
  // Column-major 2x3 of 0..5 in row-major counting.
  writeFile(path, npyBytes("<i2", true, "(2, 3)",
                           std::vector<int16_t>{0, 3, 1, 4, 2, 5}));
  auto tensor = readNpy(path);
  ASSERT_TRUE(bool(tensor));
  EXPECT_TRUE(bitEqual(*tensor, HostTensor::of<int16_t>(DType::I16, {2, 3},
                                                        {0, 1, 2, 3, 4, 5})));
  auto file = NpyFile::open(path);
  ASSERT_TRUE(bool(file));
  EXPECT_TRUE(bitEqual(file->slice(1, 1),
                       HostTensor::of<int16_t>(DType::I16, {1, 3}, {3, 4, 5})));
}

TEST(Npy, ReadsVersions2And3) {
  for (char version : {2, 3}) {
    std::string dict =
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n";
    std::string bytes = std::string("\x93NUMPY", 6) + version + '\0';
    bytes += char(dict.size());
    bytes += std::string(3, '\0') + dict + "\x05\x06";
    auto header = parseNpyHeader({bytes.data(), bytes.size()}, "x");
    ASSERT_TRUE(bool(header)) << messageOf(header.takeError());
    EXPECT_EQ(header->type, DType::U8);
    EXPECT_EQ(bytes.size() - header->dataOffset, 2u);
  }
}

TEST(Npy, RefusesHostileHeaders) {
  struct Case {
    std::string bytes, message;
  };
  auto with = [](std::string descr, std::string shape) {
    return npyBytes(descr, false, shape, std::vector<char>{});
  };
  std::string good = with("<f4", "(1,)");
  const Case cases[] = {
      {"", "not a .npy file"},
      {"PK\x03\x04", "not a .npy file"},
      {std::string("\x93NUMPY\x01", 7), "truncated .npy header"},
      {good.substr(0, 40), "truncated .npy header: it claims"},
      {std::string("\x93NUMPY\x09\x00\x10\x00xxxxxxxxxxxxxxxx", 26),
       "version 9 is not supported"},
      {std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12), "truncated"},
      {with(">f4", "(1,)"), "big-endian"},
      {with("<c8", "(1,)"), "element type '<c8' is not supported"},
      {with("|O", "(1,)"), "not supported"},
      {with("<f4", "(-1,)"), "malformed"},
      {with("<f4", "(99999999999999999999,)"), "malformed"},
      {with("<f4", "(4611686018427387904,)"), "too large"},
      {with("<f4", "(4294967296, 4294967296)"), "too large"},
      {with("<f4", "(1"), "malformed"},
      {with("<f4", "(1,), 'more': 3"), "unknown key 'more'"},
      {with("<f4', 'descr", "(1,)"), "malformed"},
  };
  for (const Case &c : cases) {
    auto header = parseNpyHeader({c.bytes.data(), c.bytes.size()}, "f.npy");
    ASSERT_FALSE(bool(header)) << c.message;
    std::string message = messageOf(header.takeError());
    EXPECT_NE(message.find(c.message), std::string::npos) << message;
    EXPECT_EQ(message.find("f.npy: "), 0u) << message;
  }
}

TEST(Npy, RefusesTruncatedData) {
  TemporaryFolder folder;
  std::string path = folder.path("x.npy");
  writeFile(path,
            npyBytes("<f4", false, "(1000000000,)", std::vector<char>(8)));
  auto tensor = readNpy(path);
  ASSERT_FALSE(bool(tensor));
  EXPECT_NE(messageOf(tensor.takeError())
                .find("truncated: the array 1000000000xfloat32 takes "
                      "4000000000 bytes, 8 are there"),
            std::string::npos);
}

TEST(Npy, LeavesNothingBehindWhenItCannotWrite) {
  TemporaryFolder folder;
  std::string path = folder.path("missing/x.npy");
  llvm::Error error = writeNpy(path, HostTensor(DType::F32, {1}));
  ASSERT_TRUE(bool(error));
  EXPECT_NE(messageOf(std::move(error)).find("cannot write '" + path + "'"),
            std::string::npos);
  EXPECT_TRUE(folder.isEmpty());
}

//===----------------------------------------------------------------------===//
// .npz
//===----------------------------------------------------------------------===//

TEST(Npz, ReadsStoredAndDeflatedArrays) {
  for (bool compressed : {false, true}) {
    TemporaryFolder folder;
    std::string path = folder.path("x.npz");
    std::vector<float> many(1000, 2.5f);
    writeZip(
        path, compressed,
        {{"a.npy", npyBytes("<f4", false, "(1000,)", many)},
         {"notes.txt", "ignored"},
         {"b.npy", npyBytes("<i4", false, "()", std::vector<int32_t>{7})}});
    auto arrays = readNpz(path);
    ASSERT_TRUE(bool(arrays)) << messageOf(arrays.takeError());
    ASSERT_EQ(arrays->size(), 2u);
    EXPECT_EQ((*arrays)[0].first, "a");
    EXPECT_TRUE(bitEqual((*arrays)[0].second,
                         HostTensor::of<float>(DType::F32, {1000}, many)));
    EXPECT_EQ((*arrays)[1].second.asInteger(0), 7);
  }
}

TEST(Npz, StreamsEachArrayAtItsOwnPosition) {
  TemporaryFolder folder;
  std::string path = folder.path("x.npz");
  writeZip(path, true,
           {{"a.npy", npyBytes("<i2", false, "(4, 1)",
                               std::vector<int16_t>{1, 2, 3, 4})},
            {"b.npy", npyBytes("<i2", true, "(2, 2)",
                               std::vector<int16_t>{5, 7, 6, 8})}});
  auto file = NpzFile::open(path);
  ASSERT_TRUE(bool(file));
  int a = file->find("a"), b = file->find("b");
  EXPECT_EQ(file->find("c"), -1);
  auto value = [&](int array, int64_t count, int64_t last) {
    auto tensor = file->readNext(array, count);
    ASSERT_TRUE(bool(tensor));
    EXPECT_EQ(tensor->shape()[0], count);
    EXPECT_EQ(tensor->asInteger(tensor->size() - 1), last);
  };
  value(a, 1, 1);
  value(b, 1, 6); // row 0 is 5, 6
  value(a, 2, 3);
  value(b, 1, 8);
  value(a, 1, 4);
  auto past = file->readNext(a, 1);
  ASSERT_FALSE(bool(past));
  EXPECT_NE(messageOf(past.takeError()).find("truncated array data"),
            std::string::npos);
  file->rewind();
  value(a, 1, 1);
}

TEST(Npz, RefusesTruncatedAndForeignFiles) {
  TemporaryFolder folder;
  std::string path = folder.path("x.npz");
  std::string message;
  auto expectError = [&](const std::string &text) {
    auto arrays = readNpz(path);
    ASSERT_FALSE(bool(arrays));
    message = messageOf(arrays.takeError());
    EXPECT_NE(message.find(text), std::string::npos) << message;
  };
  writeFile(path, "no zip at all");
  expectError("Not a zip archive");
  writeZip(path, false,
           {{"a.npy", npyBytes("<f4", false, "(5,)", std::vector<char>(8))}});
  expectError("array 'a' is truncated: 5xfloat32 takes 20 bytes, 8 are there");
  writeZip(path, false, {{"a.npy", "junk"}});
  expectError("array 'a': not a .npy file");
}
