// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// .npz archives through libzip. An archive is only ever read forwards, entry
// by entry, so a calibration set larger than memory streams sample by sample.

#include "NpyData.h"
#include "llvm/ADT/Twine.h"
#include <zip.h>

using namespace llvm;
using namespace qdialect;

namespace {
struct CloseFile {
  void operator()(zip_file_t *file) const { zip_fclose(file); }
};
using ZipEntry = std::unique_ptr<zip_file_t, CloseFile>;

/// Deflate cannot shrink by more than this; an entry that claims more lies.
constexpr uint64_t kMaxDeflateRatio = 1032;
/// numpy keeps headers far below this unless the dtype is structured.
constexpr size_t kMaxHeader = 1 << 16;
} // namespace

struct NpzFile::Impl {
  std::string path;
  zip_t *archive = nullptr;
  std::vector<Entry> entries;
  std::vector<zip_uint64_t> indices;
  /// Reading positions: an open entry past its header, and for Fortran order
  /// the whole array with the next index.
  std::vector<ZipEntry> streams;
  std::vector<std::pair<HostTensor, int64_t>> loaded;

  ~Impl() {
    streams.clear();
    if (archive)
      zip_discard(archive);
  }

  std::string where(int index) const {
    return path + ": array '" + entries[index].name + "'";
  }
  Expected<ZipEntry> openEntry(int index) const;
  Error addEntry(zip_uint64_t index);
};

/// Reads exactly `size` bytes.
static Error readBytes(zip_file_t *file, char *out, size_t size,
                       const Twine &where) {
  while (size) {
    zip_int64_t got = zip_fread(file, out, std::min<size_t>(size, 1 << 30));
    if (got <= 0)
      return createStringError(
          where + ": " +
          (got < 0 ? zip_file_strerror(file) : "truncated array data"));
    out += got;
    size -= got;
  }
  return Error::success();
}

Error NpzFile::Impl::addEntry(zip_uint64_t index) {
  zip_stat_t stat;
  if (zip_stat_index(archive, index, 0, &stat) != 0 || !stat.name)
    return createStringError(path + ": unreadable archive entry " +
                             Twine(index));
  StringRef name(stat.name);
  if (!name.consume_back(".npy"))
    return Error::success();
  std::string where = path + ": array '" + name.str() + "'";
  if (stat.size / kMaxDeflateRatio > stat.comp_size)
    return createStringError(where + " claims " + Twine(stat.size) +
                             " bytes out of " + Twine(stat.comp_size) +
                             " compressed ones");
  ZipEntry file(zip_fopen_index(archive, index, 0));
  if (!file)
    return createStringError(where + ": " + zip_strerror(archive));
  std::vector<char> head(std::min<uint64_t>(stat.size, kMaxHeader));
  if (Error error = readBytes(file.get(), head.data(), head.size(), where))
    return error;
  Expected<NpyHeader> header = parseNpyHeader(head, where);
  if (!header)
    return header.takeError();
  if (header->dataOffset + header->dataBytes() > stat.size)
    return createStringError(
        where + " is truncated: " + describe(header->type, header->shape) +
        " takes " + Twine(header->dataBytes()) + " bytes, " +
        Twine(stat.size - header->dataOffset) + " are there");
  entries.push_back({name.str(), std::move(*header)});
  indices.push_back(index);
  return Error::success();
}

Expected<NpzFile> NpzFile::open(StringRef path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path.str();
  int code = 0;
  impl->archive = zip_open(impl->path.c_str(), ZIP_RDONLY, &code);
  if (!impl->archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    std::string message = zip_error_strerror(&error);
    zip_error_fini(&error);
    return createStringError(path + ": " + message);
  }
  zip_int64_t count = zip_get_num_entries(impl->archive, 0);
  for (zip_int64_t i = 0; i < count; ++i)
    if (Error error = impl->addEntry(i))
      return std::move(error);
  impl->streams.resize(impl->entries.size());
  impl->loaded.resize(impl->entries.size());
  return NpzFile(std::move(impl));
}

NpzFile::NpzFile(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
NpzFile::NpzFile(NpzFile &&) = default;
NpzFile &NpzFile::operator=(NpzFile &&) = default;
NpzFile::~NpzFile() = default;

ArrayRef<NpzFile::Entry> NpzFile::entries() const { return impl->entries; }

int NpzFile::find(StringRef name) const {
  for (size_t i = 0; i < impl->entries.size(); ++i)
    if (impl->entries[i].name == name)
      return static_cast<int>(i);
  return -1;
}

Expected<ZipEntry> NpzFile::Impl::openEntry(int index) const {
  ZipEntry file(zip_fopen_index(archive, indices[index], 0));
  if (!file)
    return createStringError(where(index) + ": " + zip_strerror(archive));
  std::vector<char> skipped(entries[index].header.dataOffset);
  if (Error error =
          readBytes(file.get(), skipped.data(), skipped.size(), where(index)))
    return std::move(error);
  return file;
}

Expected<HostTensor> NpzFile::read(int index) const {
  const NpyHeader &header = impl->entries[index].header;
  Expected<ZipEntry> file = impl->openEntry(index);
  if (!file)
    return file.takeError();
  std::optional<HostTensor> tensor =
      HostTensor::tryCreate(header.type, header.shape);
  if (!tensor)
    return createStringError(impl->where(index) + ": out of memory");
  if (Error error = readBytes(file->get(), tensor->mutableBytes(),
                              tensor->sizeInBytes(), impl->where(index)))
    return std::move(error);
  if (header.fortranOrder && header.shape.size() > 1)
    return fromFortran(header, tensor->bytes());
  return *tensor;
}

Expected<HostTensor> NpzFile::readNext(int index, int64_t count) {
  const NpyHeader &header = impl->entries[index].header;
  std::vector<int64_t> shape = header.shape;
  shape[0] = count;
  std::optional<HostTensor> tensor = HostTensor::tryCreate(header.type, shape);
  if (!tensor)
    return createStringError(impl->where(index) + ": out of memory");
  if (header.fortranOrder && header.shape.size() > 1) {
    auto &[whole, position] = impl->loaded[index];
    if (position == 0) {
      Expected<HostTensor> array = read(index);
      if (!array)
        return array.takeError();
      whole = *array;
    }
    if (tensor->size())
      std::memcpy(tensor->mutableBytes(),
                  whole.bytes() + position * (tensor->sizeInBytes() / count),
                  tensor->sizeInBytes());
    position += count;
    return *tensor;
  }
  ZipEntry &stream = impl->streams[index];
  if (!stream) {
    Expected<ZipEntry> file = impl->openEntry(index);
    if (!file)
      return file.takeError();
    stream = std::move(*file);
  }
  if (Error error = readBytes(stream.get(), tensor->mutableBytes(),
                              tensor->sizeInBytes(), impl->where(index)))
    return std::move(error);
  return *tensor;
}

void NpzFile::rewind() {
  for (ZipEntry &stream : impl->streams)
    stream.reset();
  for (auto &entry : impl->loaded)
    entry = {HostTensor(), 0};
}

Expected<std::vector<std::pair<std::string, HostTensor>>>
qdialect::readNpz(StringRef path) {
  Expected<NpzFile> file = NpzFile::open(path);
  if (!file)
    return file.takeError();
  std::vector<std::pair<std::string, HostTensor>> arrays;
  for (auto [index, entry] : llvm::enumerate(file->entries())) {
    Expected<HostTensor> tensor = file->read(static_cast<int>(index));
    if (!tensor)
      return tensor.takeError();
    arrays.emplace_back(entry.name, std::move(*tensor));
  }
  return arrays;
}
