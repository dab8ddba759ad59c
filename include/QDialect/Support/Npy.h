// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading and writing numpy's .npy (versions 1 to 3) and reading .npz (a zip
// of .npy entries, stored or deflated). Little-endian only; Fortran order is
// converted. Headers are not trusted: every size is checked against the bytes
// that are there before anything is allocated.

#ifndef QDIALECT_SUPPORT_NPY_H
#define QDIALECT_SUPPORT_NPY_H

#include "QDialect/Support/HostTensor.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace qdialect {

/// What a .npy header says.
struct NpyHeader {
  DType type = DType::F32;
  std::vector<int64_t> shape;
  bool fortranOrder = false;
  /// Bytes from the start of the file to the first element.
  size_t dataOffset = 0;

  /// Elements and bytes of the whole array (checked when parsed).
  int64_t elements() const { return *numElements(shape); }
  size_t dataBytes() const { return elements() * byteWidth(type); }
};

/// Parses the header at the start of `bytes`; `where` begins every message.
llvm::Expected<NpyHeader> parseNpyHeader(llvm::ArrayRef<char> bytes,
                                         llvm::StringRef where);

/// A .npy file mapped into memory; tensors made from it share the mapping.
class NpyFile {
public:
  static llvm::Expected<NpyFile> open(llvm::StringRef path);
  const NpyHeader &header() const { return head; }
  /// The whole array in row-major order.
  HostTensor read() const;
  /// `count` leading indices from `begin` on, shape [count, rest...]. Shares
  /// the mapping for row-major files; the caller stays inside the first
  /// dimension.
  HostTensor slice(int64_t begin, int64_t count) const;

private:
  NpyHeader head;
  std::shared_ptr<const void> mapping;
  const char *data = nullptr;
  /// The row-major form of a Fortran-order array, made when first asked for.
  mutable std::optional<HostTensor> converted;
};

llvm::Expected<HostTensor> readNpy(llvm::StringRef path);

/// Writes version 1.0 under a temporary name beside `path`, then renames it, so
/// that a reader never sees half a file. bfloat16 is written as float32.
llvm::Error writeNpy(llvm::StringRef path, const HostTensor &tensor);

/// All arrays of a .npz in the order of the archive, names without ".npy".
llvm::Expected<std::vector<std::pair<std::string, HostTensor>>>
readNpz(llvm::StringRef path);

/// Sequential access to the arrays of a .npz without loading them.
class NpzFile {
public:
  static llvm::Expected<NpzFile> open(llvm::StringRef path);
  NpzFile(NpzFile &&);
  NpzFile &operator=(NpzFile &&);
  ~NpzFile();

  struct Entry {
    std::string name;
    NpyHeader header;
  };
  llvm::ArrayRef<Entry> entries() const;
  /// Index of the array called `name`, or -1.
  int find(llvm::StringRef name) const;

  /// The next `count` leading indices of array `index`, continuing where the
  /// last call on that array stopped. Fortran-order arrays are loaded whole.
  llvm::Expected<HostTensor> readNext(int index, int64_t count);
  /// The whole array (the reading position is not touched).
  llvm::Expected<HostTensor> read(int index) const;
  /// Puts every reading position back to the start.
  void rewind();

private:
  struct Impl;
  explicit NpzFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace qdialect

#endif // QDIALECT_SUPPORT_NPY_H
