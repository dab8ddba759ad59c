// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Field numbers are those of onnx.proto.

#include "ModelBytes.h"

namespace qdialect::onnx_test {

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7)
    bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}

std::string field(unsigned number, const std::string &body) {
  return varint(number << 3 | 2) + varint(body.size()) + body;
}

std::string number(unsigned field, uint64_t value) {
  return varint(field << 3) + varint(value);
}

std::string tensor(const std::string &name, const std::vector<int64_t> &dims,
                   const std::string &rawData) {
  std::string bytes;
  for (int64_t size : dims)
    bytes += number(1, static_cast<uint64_t>(size));
  return bytes + number(2, 1) + field(8, name) + field(9, rawData);
}

std::string addModel(int64_t rows, int64_t columns,
                     const std::string &rawData) {
  auto size = [](int64_t value) {
    return field(1, number(1, static_cast<uint64_t>(value)));
  };
  // ValueInfoProto{name, type{tensor_type{elem_type, shape}}}.
  auto value = [&](const std::string &name) {
    std::string shape = size(rows) + size(columns);
    return field(1, name) + field(2, field(1, number(1, 1) + field(2, shape)));
  };
  std::string node =
      field(1, "x") + field(1, "w") + field(2, "y") + field(4, "Add");
  std::string graph = field(1, node) +
                      field(5, tensor("w", {rows, columns}, rawData)) +
                      field(11, value("x")) + field(12, value("y"));
  return number(1, 8) + field(7, graph) + field(8, number(2, 17));
}

} // namespace qdialect::onnx_test
