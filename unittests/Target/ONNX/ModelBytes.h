// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Serialized models made by hand: just enough of protobuf's wire format.

#ifndef QDIALECT_UNITTESTS_TARGET_ONNX_MODELBYTES_H
#define QDIALECT_UNITTESTS_TARGET_ONNX_MODELBYTES_H

#include <cstdint>
#include <string>
#include <vector>

namespace qdialect::onnx_test {

std::string varint(uint64_t value);
/// A length-delimited field: a message, a string or bytes.
std::string field(unsigned number, const std::string &body);
std::string number(unsigned field, uint64_t value);

/// TensorProto float32 with the given dimensions and raw bytes.
std::string tensor(const std::string &name, const std::vector<int64_t> &dims,
                   const std::string &rawData);

/// y = Add(x, w), x and w of shape [rows, columns].
std::string addModel(int64_t rows, int64_t columns, const std::string &rawData);

} // namespace qdialect::onnx_test

#endif // QDIALECT_UNITTESTS_TARGET_ONNX_MODELBYTES_H
