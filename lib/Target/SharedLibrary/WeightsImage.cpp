// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels' packers write straight into the mapped object file: no copy of
// the weights ever stands in anonymous memory. Equal blobs (the same weights
// used twice, equal scales) are found after that, by hash and comparison, and
// squeezed out before the end of the file is written:
//
//   0 ELF header | 4096 payload | symbols | strings | section headers

#include "WeightsImage.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Parallel.h"
#include "llvm/Support/xxhash.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace llvm;
using namespace qdialect;

namespace {

constexpr int64_t kPayloadOffset = 4096;
/// Kernels may load whole vectors behind the last constant.
constexpr int64_t kPadding = 64;

/// A file that grows and shrinks under one mapping.
class MappedFile {
public:
  ~MappedFile() {
    if (data)
      munmap(data, capacity);
    if (descriptor >= 0)
      close(descriptor);
  }

  Error open(StringRef path, int64_t bytes) {
    descriptor = ::open(path.str().c_str(), O_CREAT | O_TRUNC | O_RDWR, 0644);
    if (descriptor < 0)
      return lastError("create", path);
    capacity = bytes;
    // Reserved now, or a full disk would be a signal in the middle of packing.
    if (int code = posix_fallocate(descriptor, 0, bytes)) {
      errno = code;
      return lastError("reserve space in", path);
    }
    void *address =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED)
      return lastError("map", path);
    data = static_cast<char *>(address);
    return Error::success();
  }

  Error truncate(StringRef path, int64_t bytes) {
    return ftruncate(descriptor, bytes) ? lastError("shorten", path)
                                        : Error::success();
  }

  char *data = nullptr;

private:
  static Error lastError(const char *what, StringRef path) {
    return createStringError(std::error_code(errno, std::generic_category()),
                             Twine("cannot ") + what + " '" + path +
                                 "': " + std::strerror(errno));
  }

  int descriptor = -1;
  int64_t capacity = 0;
};

/// Symbols, strings and section headers behind the payload.
class ElfTail {
public:
  ElfTail(int64_t payloadBytes, bool isArm);
  int64_t bytes() const { return text.size(); }
  void write(char *file) const;

private:
  template <class T>
  int64_t append(const T &value) {
    return appendBytes({reinterpret_cast<const char *>(&value), sizeof(T)});
  }
  int64_t appendBytes(StringRef bytes) {
    int64_t at = start + text.size();
    text += bytes;
    return at;
  }

  int64_t start; ///< position in the file
  std::string text;
  ELF::Elf64_Ehdr header = {};
};

ElfTail::ElfTail(int64_t payloadBytes, bool isArm)
    : start(kPayloadOffset + alignTo(payloadBytes, 8)) {
  using namespace ELF;
  static constexpr char sectionNames[] =
      "\0.lrodata.qd\0.symtab\0.strtab\0.shstrtab\0.note.GNU-stack";
  auto nameOf = [](StringRef name) {
    return static_cast<Elf64_Word>(
        StringRef(sectionNames, sizeof(sectionNames)).find(name));
  };
  std::string symbolNames = std::string(1, '\0') + kWeightsSymbol + '\0';

  Elf64_Sym symbols[2] = {};
  symbols[1].st_name = 1;
  symbols[1].setBindingAndType(STB_GLOBAL, STT_OBJECT);
  symbols[1].st_other = STV_HIDDEN;
  symbols[1].st_shndx = 1;
  symbols[1].st_size = payloadBytes;

  Elf64_Shdr sections[6] = {};
  sections[1].sh_name = nameOf(".lrodata.qd");
  sections[1].sh_type = SHT_PROGBITS;
  sections[1].sh_flags = SHF_ALLOC;
  if (!isArm) // its code reaches 4 GiB without
    sections[1].sh_flags |= SHF_X86_64_LARGE;
  sections[1].sh_offset = kPayloadOffset;
  sections[1].sh_size = payloadBytes;
  sections[1].sh_addralign = 4096;
  sections[2].sh_name = nameOf(".symtab");
  sections[2].sh_type = SHT_SYMTAB;
  sections[2].sh_offset = append(symbols);
  sections[2].sh_size = sizeof(symbols);
  sections[2].sh_link = 3;
  sections[2].sh_info = 1; // first global symbol
  sections[2].sh_addralign = 8;
  sections[2].sh_entsize = sizeof(Elf64_Sym);
  sections[3].sh_name = nameOf(".strtab");
  sections[3].sh_type = SHT_STRTAB;
  sections[3].sh_offset = appendBytes(symbolNames);
  sections[3].sh_size = symbolNames.size();
  sections[3].sh_addralign = 1;
  sections[4].sh_name = nameOf(".shstrtab");
  sections[4].sh_type = SHT_STRTAB;
  sections[4].sh_offset = appendBytes({sectionNames, sizeof(sectionNames)});
  sections[4].sh_size = sizeof(sectionNames);
  sections[4].sh_addralign = 1;
  sections[5].sh_name = nameOf(".note.GNU-stack");
  sections[5].sh_type = SHT_PROGBITS;
  sections[5].sh_offset = sections[4].sh_offset;
  sections[5].sh_addralign = 1;

  text.append(alignTo(text.size(), 8) - text.size(), '\0');
  std::memcpy(header.e_ident, ElfMagic, 4);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_REL;
  header.e_machine = isArm ? EM_AARCH64 : EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof(header);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = std::size(sections);
  header.e_shstrndx = 4;
  header.e_shoff = append(sections);
}

void ElfTail::write(char *file) const {
  std::memcpy(file, &header, sizeof(header));
  std::memcpy(file + start, text.data(), text.size());
}

int64_t alignmentOf(const ConstantBlob &blob) {
  return std::max<int64_t>(blob.alignment, 1);
}

/// All blobs one after the other, as if they were distinct.
WeightsLayout layOut(ArrayRef<ConstantBlob> blobs) {
  WeightsLayout layout;
  for (const ConstantBlob &blob : blobs) {
    layout.bytes = alignTo(layout.bytes, alignmentOf(blob));
    layout.offsets.push_back(layout.bytes);
    layout.bytes += blob.size;
  }
  return layout;
}

/// Moves the blobs down over the ones that occur again; each lands at or before
/// the place it had. Returns the new layout.
WeightsLayout shareEqual(ArrayRef<ConstantBlob> blobs,
                         const WeightsLayout &before, char *payload) {
  std::vector<uint64_t> hashes(blobs.size());
  parallelFor(0, blobs.size(), [&](size_t i) {
    hashes[i] =
        xxh3_64bits(StringRef(payload + before.offsets[i], blobs[i].size));
  });
  WeightsLayout after;
  DenseMap<std::pair<uint64_t, int64_t>, SmallVector<size_t, 1>> known;
  for (size_t i = 0; i < blobs.size(); ++i) {
    char *bytes = payload + before.offsets[i];
    auto &candidates = known[{hashes[i], blobs[i].size}];
    const size_t *same = llvm::find_if(candidates, [&](size_t other) {
      return after.offsets[other] % alignmentOf(blobs[i]) == 0 &&
             !std::memcmp(payload + after.offsets[other], bytes, blobs[i].size);
    });
    if (same != candidates.end()) {
      after.offsets.push_back(after.offsets[*same]);
      continue;
    }
    candidates.push_back(i);
    int64_t offset = alignTo(after.bytes, alignmentOf(blobs[i]));
    std::memset(payload + after.bytes, 0, offset - after.bytes);
    std::memmove(payload + offset, bytes, blobs[i].size);
    after.offsets.push_back(offset);
    after.bytes = offset + blobs[i].size;
  }
  std::memset(payload + after.bytes, 0, kPadding);
  after.bytes += kPadding;
  return after;
}

} // namespace

Expected<WeightsLayout>
qdialect::writeWeightsObject(ArrayRef<ConstantBlob> blobs, StringRef path,
                             bool isArm) {
  WeightsLayout layout = layOut(blobs);
  ElfTail largest(layout.bytes + kPadding, isArm);
  MappedFile file;
  if (Error error = file.open(path, kPayloadOffset + layout.bytes + kPadding +
                                        8 + largest.bytes()))
    return std::move(error);
  char *payload = file.data + kPayloadOffset;
  parallelFor(0, blobs.size(), [&](size_t i) {
    if (blobs[i].size)
      blobs[i].fill(
          {payload + layout.offsets[i], static_cast<size_t>(blobs[i].size)});
  });
  layout = shareEqual(blobs, layout, payload);
  ElfTail tail(layout.bytes, isArm);
  tail.write(file.data);
  if (Error error = file.truncate(
          path, kPayloadOffset + alignTo(layout.bytes, 8) + tail.bytes()))
    return std::move(error);
  return layout;
}
