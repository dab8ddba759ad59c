// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Opening a model and finding the bytes of its tensors. The conversion of those
// bytes to elements is TensorData.cpp.

#include "ModelFile.h"
#include "WireScan.h"
#include "onnx.pb.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace qdialect::onnx_import {

ModelFile::ModelFile() = default;
ModelFile::~ModelFile() = default;

Expected<std::unique_ptr<ModelFile>>
ModelFile::open(std::shared_ptr<MemoryBuffer> buffer, StringRef path) {
  std::unique_ptr<ModelFile> file(new ModelFile());
  file->path = path.str();
  file->name = path.empty() ? "model" : path.str();
  file->buffer = std::move(buffer);
  if (file->buffer->getBufferSize() == 0)
    return createStringError("the file is empty");
  Expected<PrunedModel> pruned = scanModel(file->buffer->getBuffer());
  if (!pruned)
    return pruned.takeError();
  file->payloads = std::move(pruned->payloads);
  file->proto = std::make_unique<onnx::ModelProto>();
  if (!file->proto->ParseFromArray(pruned->message.data(),
                                   static_cast<int>(pruned->message.size())))
    return createStringError("malformed protobuf: not an ONNX model");
  return std::move(file);
}

Expected<ModelFile::Bytes>
ModelFile::rawBytes(const onnx::TensorProto &tensor) const {
  // The scan replaced every raw_data of the model by an index.
  uint64_t index = decodePayloadIndex(tensor.raw_data());
  if (index >= payloads.size())
    return createStringError("raw data outside the model");
  return Bytes{payloads[index], buffer};
}

/// External data must lie beside the model or below: a model is data from
/// outside and must not name files elsewhere.
static Error checkLocation(StringRef location) {
  if (location.empty())
    return createStringError("external data without a location");
  bool climbs = llvm::any_of(
      make_range(sys::path::begin(location), sys::path::end(location)),
      [](StringRef part) { return part == ".."; });
  if (sys::path::is_absolute(location) || climbs || location.contains('\0') ||
      location.contains('\\'))
    return createStringError(formatv(
        "external data location '{0}' leaves the model's folder", location));
  return Error::success();
}

std::string ModelFile::externalPath(StringRef location) const {
  SmallString<128> full(sys::path::parent_path(path));
  sys::path::append(full, location);
  return full.str().str();
}

Expected<std::shared_ptr<MemoryBuffer>>
ModelFile::mapExternalFile(StringRef location) {
  auto known = externalFiles.find(location);
  if (known != externalFiles.end())
    return known->second;
  if (Error error = checkLocation(location))
    return std::move(error);
  if (path.empty())
    return createStringError(
        formatv("external data '{0}' cannot be found: the model is not a file",
                location));
  std::string full = externalPath(location);
  auto mapped = MemoryBuffer::getFile(full, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!mapped)
    return createStringError(formatv("cannot read external data '{0}': {1}",
                                     full, mapped.getError().message()));
  std::shared_ptr<MemoryBuffer> shared = std::move(*mapped);
  externalFiles[location] = shared;
  return shared;
}

Expected<ModelFile::Bytes>
ModelFile::externalBytes(const onnx::TensorProto &tensor, uint64_t needed) {
  StringRef location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
    StringRef key = entry.key(), value = entry.value();
    uint64_t number = 0;
    if (key == "location") {
      location = value;
    } else if (key == "offset" || key == "length") {
      if (value.getAsInteger(10, number))
        return createStringError(
            formatv("external data {0} '{1}' is not a number", key, value));
      if (key == "offset")
        offset = number;
      else
        length = number;
    }
  }
  auto file = mapExternalFile(location);
  if (!file)
    return file.takeError();
  StringRef bytes = (*file)->getBuffer();
  if (offset > bytes.size())
    return createStringError(
        formatv("external data offset {0} is beyond the {1} bytes of '{2}'",
                offset, bytes.size(), location));
  uint64_t rest = bytes.size() - offset;
  if (length.value_or(0) > rest)
    return createStringError(
        formatv("external data claims {0} bytes, but '{1}' "
                "has {2} after offset {3}",
                *length, location, rest, offset));
  bytes = bytes.substr(offset, length.value_or(std::min(needed, rest)));
  externalRanges.push_back({externalPath(location), offset, bytes});
  return Bytes{bytes, *file};
}

std::vector<FileRange> ModelFile::weightRanges() const {
  if (path.empty())
    return {};
  std::vector<FileRange> ranges = externalRanges;
  const char *start = buffer->getBufferStart();
  for (StringRef bytes : payloads)
    ranges.push_back(
        {path, static_cast<uint64_t>(bytes.data() - start), bytes});
  return ranges;
}

} // namespace qdialect::onnx_import
