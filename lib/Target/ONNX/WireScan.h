// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Protobuf copies every `bytes` field it parses and refuses messages beyond
// 2 GiB, so weights must not go through it. The scan walks the wire format of
// a ModelProto once and writes a second, small message in which the raw_data
// of every TensorProto is replaced by eight bytes: the little-endian index of
// a payload, that is of a range of the original bytes. Protobuf parses the
// small message; the weights stay in the mapped file.
//
//   file:    tensor { dims 64 dims 3 ... raw_data <900 kB> name "w" }
//   pruned:  tensor { dims 64 dims 3 ... raw_data <index 0> name "w" }
//   payload: 0 -> bytes [offset, offset + 900 kB) of the file
//
// Every length is checked against the enclosing message; nothing is allocated
// that the input does not itself hold.

#ifndef QDIALECT_LIB_TARGET_ONNX_WIRESCAN_H
#define QDIALECT_LIB_TARGET_ONNX_WIRESCAN_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace qdialect::onnx_import {

struct PrunedModel {
  /// A valid serialized ModelProto without weights.
  std::string message;
  /// The bytes that raw_data fields held, by index.
  std::vector<llvm::StringRef> payloads;
};

/// Scans a serialized ModelProto. The payloads point into `model`.
llvm::Expected<PrunedModel> scanModel(llvm::StringRef model);

/// The payload index that a pruned raw_data field holds.
uint64_t decodePayloadIndex(llvm::StringRef rawData);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_WIRESCAN_H
