// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// .npy files: mapped for reading, written under a temporary name and renamed.

#include "QDialect/Support/Npy.h"
#include "NpyData.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace qdialect;

HostTensor qdialect::fromFortran(const NpyHeader &header, const char *data) {
  HostTensor result(header.type, header.shape);
  size_t width = byteWidth(header.type);
  int64_t rank = result.rank();
  char *out = result.mutableBytes();
  std::vector<int64_t> index(rank, 0), stride(rank, 1);
  for (int64_t d = 1; d < rank; ++d)
    stride[d] = stride[d - 1] * header.shape[d - 1];
  int64_t offset = 0;
  for (int64_t i = 0, e = result.size(); i < e; ++i) {
    std::memcpy(out + i * width, data + offset * width, width);
    for (int64_t d = rank - 1; d >= 0; --d) {
      offset += stride[d];
      if (++index[d] < header.shape[d])
        break;
      offset -= stride[d] * header.shape[d];
      index[d] = 0;
    }
  }
  return result;
}

Expected<NpyFile> NpyFile::open(StringRef path) {
  // A directory opens but does not map; say so instead of "Is a directory".
  if (sys::fs::is_directory(path))
    return createStringError(path + ": is a folder, not a .npy file");
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer =
      MemoryBuffer::getFile(path, /*IsText=*/false,
                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError(path + ": " + buffer.getError().message());
  std::shared_ptr<MemoryBuffer> owner(std::move(*buffer));
  ArrayRef<char> bytes(owner->getBufferStart(), owner->getBufferSize());
  Expected<NpyHeader> header = parseNpyHeader(bytes, path);
  if (!header)
    return header.takeError();
  size_t there = bytes.size() - header->dataOffset;
  if (there < header->dataBytes())
    return createStringError(path + ": truncated: the array " +
                             describe(header->type, header->shape) + " takes " +
                             Twine(header->dataBytes()) + " bytes, " +
                             Twine(there) + " are there");
  NpyFile file;
  file.data = bytes.data() + header->dataOffset;
  file.head = std::move(*header);
  file.mapping = owner;
  return file;
}

HostTensor NpyFile::read() const {
  if (!head.fortranOrder || head.shape.size() < 2)
    return HostTensor::borrow(head.type, head.shape, data, mapping);
  if (!converted)
    converted = fromFortran(head, data);
  return *converted;
}

HostTensor NpyFile::slice(int64_t begin, int64_t count) const {
  std::vector<int64_t> shape = head.shape;
  int64_t step = shape[0] ? head.elements() / shape[0] : 0;
  shape[0] = count;
  size_t offset = begin * step * byteWidth(head.type);
  if (!head.fortranOrder || shape.size() < 2)
    return HostTensor::borrow(head.type, shape, data + offset, mapping);
  auto whole = std::make_shared<HostTensor>(read());
  return HostTensor::borrow(head.type, shape, whole->bytes() + offset, whole);
}

Expected<HostTensor> qdialect::readNpy(StringRef path) {
  Expected<NpyFile> file = NpyFile::open(path);
  if (!file)
    return file.takeError();
  return file->read();
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static StringRef descrOf(DType type) {
  static const StringLiteral table[] = {"|b1", "|i1", "|u1", "<i2", "<u2",
                                        "<i4", "<u4", "<i8", "<u8", "<f2",
                                        "<f4", "<f4", "<f8"};
  return table[static_cast<unsigned>(type)];
}

static std::string headerOf(const HostTensor &tensor) {
  std::string dict;
  raw_string_ostream os(dict);
  os << "{'descr': '" << descrOf(tensor.type())
     << "', 'fortran_order': False, 'shape': (";
  for (int64_t dim : tensor.shape())
    os << dim << (tensor.rank() == 1 ? "," : ", ");
  os << "), }";
  // numpy's rule: the data starts at a multiple of 64, the header ends in \n.
  size_t total = (10 + dict.size() + 1 + 63) / 64 * 64;
  dict.append(total - 10 - dict.size() - 1, ' ');
  dict += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += char(dict.size() & 0xff);
  header += char(dict.size() >> 8);
  return header + dict;
}

Error qdialect::writeNpy(StringRef path, const HostTensor &tensor) {
  HostTensor stored =
      tensor.type() == DType::BF16 ? tensor.converted(DType::F32) : tensor;
  Expected<sys::fs::TempFile> file =
      sys::fs::TempFile::create(path + ".%%%%%%.tmp");
  if (!file)
    return createStringError("cannot write '" + path +
                             "': " + toString(file.takeError()));
  raw_fd_ostream os(file->FD, /*shouldClose=*/false);
  os << headerOf(stored) << StringRef(stored.bytes(), stored.sizeInBytes());
  os.flush();
  if (os.has_error()) {
    std::string message = os.error().message();
    os.clear_error();
    consumeError(file->discard());
    return createStringError("cannot write '" + path + "': " + message);
  }
  if (Error error = file->keep(path))
    return createStringError("cannot write '" + path +
                             "': " + toString(std::move(error)));
  return Error::success();
}
