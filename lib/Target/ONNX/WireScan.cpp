// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scanner is driven by one table: which field of which message is again a
// message on a way to a TensorProto. Everything else is copied byte by byte.
// Field numbers are those of onnx.proto; they can never change.

#include "WireScan.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;

namespace qdialect::onnx_import {
namespace {

enum class Message {
  Opaque,
  Model,
  Graph,
  Node,
  Attribute,
  Tensor,
  SparseTensor,
  Function,
  Training
};

struct Edge {
  Message from;
  uint64_t field;
  Message to;
};

constexpr Edge edges[] = {
    {Message::Model, 7, Message::Graph},
    {Message::Model, 20, Message::Training},
    {Message::Model, 25, Message::Function},
    {Message::Graph, 1, Message::Node},
    {Message::Graph, 5, Message::Tensor},
    {Message::Graph, 15, Message::SparseTensor},
    {Message::Node, 5, Message::Attribute},
    {Message::Attribute, 5, Message::Tensor},
    {Message::Attribute, 6, Message::Graph},
    {Message::Attribute, 10, Message::Tensor},
    {Message::Attribute, 11, Message::Graph},
    {Message::Attribute, 22, Message::SparseTensor},
    {Message::Attribute, 23, Message::SparseTensor},
    {Message::SparseTensor, 1, Message::Tensor},
    {Message::SparseTensor, 2, Message::Tensor},
    {Message::Function, 7, Message::Node},
    {Message::Function, 11, Message::Attribute},
    {Message::Training, 1, Message::Graph},
    {Message::Training, 2, Message::Graph},
};

constexpr uint64_t rawDataField = 9;
/// Protobuf's own limit on nested messages, which its parser would hit next.
constexpr unsigned maxDepth = 100;
/// Protobuf parses at most this many bytes.
constexpr size_t maxPrunedBytes = (size_t(1) << 31) - 1;

Message child(Message from, uint64_t field) {
  for (const Edge &edge : edges)
    if (edge.from == from && edge.field == field)
      return edge.to;
  return Message::Opaque;
}

void appendVarint(std::string &out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

class Scanner {
public:
  explicit Scanner(StringRef file) : file(file) {}

  Error scan(Message kind, StringRef bytes, unsigned depth, std::string &out);

  std::vector<StringRef> payloads;

private:
  Error malformed(const char *at, const Twine &what) const {
    return createStringError(
        formatv("malformed protobuf at byte {0}: {1}", at - file.data(), what));
  }
  Error readVarint(StringRef bytes, size_t &at, uint64_t &value) const;
  /// Advances `at` over the value of a field whose tag was just read; for a
  /// length-delimited one, `body` is its contents.
  Error skipValue(StringRef bytes, size_t &at, unsigned wireType,
                  StringRef &body) const;

  StringRef file;
};

Error Scanner::readVarint(StringRef bytes, size_t &at, uint64_t &value) const {
  value = 0;
  const char *start = bytes.data() + at;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (at >= bytes.size())
      return malformed(start, "a number is cut off");
    uint8_t byte = static_cast<uint8_t>(bytes[at++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80))
      return Error::success();
  }
  return malformed(start, "a number has more than ten bytes");
}

Error Scanner::skipValue(StringRef bytes, size_t &at, unsigned wireType,
                         StringRef &body) const {
  const char *start = bytes.data() + at;
  size_t left = bytes.size() - at;
  uint64_t length = 0;
  switch (wireType) {
  case 0:
    return readVarint(bytes, at, length);
  case 1:
  case 5:
    length = wireType == 1 ? 8 : 4;
    if (left < length)
      return malformed(start, "a fixed-size field is cut off");
    at += length;
    return Error::success();
  case 2:
    if (Error error = readVarint(bytes, at, length))
      return error;
    left = bytes.size() - at;
    if (length > left)
      return malformed(start, formatv("a field claims {0} bytes, but only {1} "
                                      "are left in the message around it",
                                      length, left));
    body = bytes.substr(at, length);
    at += length;
    return Error::success();
  default:
    return malformed(start, formatv("unknown wire type {0}", wireType));
  }
}

Error Scanner::scan(Message kind, StringRef bytes, unsigned depth,
                    std::string &out) {
  if (depth > maxDepth)
    return malformed(bytes.data(), "messages are nested too deeply");
  size_t at = 0;
  while (at < bytes.size()) {
    size_t start = at;
    uint64_t tag = 0;
    if (Error error = readVarint(bytes, at, tag))
      return error;
    uint64_t field = tag >> 3;
    unsigned wireType = tag & 7;
    size_t valueStart = at;
    StringRef body;
    if (Error error = skipValue(bytes, at, wireType, body))
      return error;

    Message to = child(kind, field);
    if (wireType == 2 && kind == Message::Tensor && field == rawDataField) {
      char index[8];
      support::endian::write64le(index, payloads.size());
      payloads.push_back(body);
      out.append(bytes.data() + start, valueStart - start);
      appendVarint(out, sizeof(index));
      out.append(index, sizeof(index));
    } else if (wireType == 2 && to != Message::Opaque) {
      std::string nested;
      if (Error error = scan(to, body, depth + 1, nested))
        return error;
      out.append(bytes.data() + start, valueStart - start);
      appendVarint(out, nested.size());
      out.append(nested);
    } else {
      out.append(bytes.data() + start, at - start);
    }
    if (out.size() > maxPrunedBytes)
      return malformed(bytes.data() + start,
                       "the model without its raw weights exceeds 2 GiB");
  }
  return Error::success();
}

} // namespace

Expected<PrunedModel> scanModel(StringRef model) {
  Scanner scanner(model);
  PrunedModel result;
  if (Error error = scanner.scan(Message::Model, model, 0, result.message))
    return std::move(error);
  result.payloads = std::move(scanner.payloads);
  return result;
}

uint64_t decodePayloadIndex(StringRef rawData) {
  return support::endian::read64le(rawData.data());
}

} // namespace qdialect::onnx_import
