// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The library is loaded through /proc/self/fd/N and N stays open as long as it
// is loaded: the loader would take a second file of a name it knows (a model
// compiled again) for the first one.

#include "LibraryFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

using namespace llvm;
using namespace qdialect;

static constexpr StringLiteral kEntryPoints[] = {
    "_info",    "_create",  "_run",          "_destroy",
    "_variant", "_profile", "_status_string"};

/// The prefix before the entry points that the library exports.
static Expected<std::string> findPrefix(StringRef path, int descriptor) {
  auto notAModel = [&](const Twine &why) {
    return createStringError("'" + path + "' is not a compiled model: " + why);
  };
  auto buffer = MemoryBuffer::getOpenFile(
      sys::fs::convertFDToNativeFile(descriptor), path, /*FileSize=*/-1,
      /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError(buffer.getError(),
                             "cannot read '" + path +
                                 "': " + buffer.getError().message());
  auto object = object::ObjectFile::createELFObjectFile(**buffer);
  if (!object)
    return notAModel(toString(object.takeError()));
  auto *elf = dyn_cast<object::ELF64LEObjectFile>(object->get());
  if (!elf || elf->getELFFile().getHeader().e_type != ELF::ET_DYN)
    return notAModel("no 64-bit shared library");
  Triple::ArchType here = Triple(sys::getProcessTriple()).getArch();
  if (elf->getArch() != here)
    return createStringError("'" + path + "' was compiled for " +
                             Triple::getArchTypeName(elf->getArch()) +
                             ", this machine is " +
                             Triple::getArchTypeName(here));
  StringSet<> names;
  for (const object::ELFSymbolRef &symbol : elf->getDynamicSymbolIterators()) {
    Expected<StringRef> name = symbol.getName();
    if (!name)
      return notAModel(toString(name.takeError()));
    Expected<uint32_t> flags = symbol.getFlags();
    if (!flags)
      return notAModel(toString(flags.takeError()));
    if (!(*flags & object::SymbolRef::SF_Undefined))
      names.insert(*name);
  }
  for (const auto &entry : names) {
    StringRef prefix = entry.getKey();
    if (prefix.consume_back(kEntryPoints[0]) &&
        all_of(kEntryPoints, [&](StringRef suffix) {
          return names.contains((prefix + suffix).str());
        }))
      return prefix.str();
  }
  return notAModel("it does not export the functions of model.h");
}

Error LibraryFile::bind(StringRef path, const std::string &prefix) {
  std::string name = "/proc/self/fd/" + std::to_string(descriptor);
  handle = dlopen(sys::fs::exists(name) ? name.c_str() : path.str().c_str(),
                  RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return createStringError("cannot load '" + path + "': " + dlerror());
  auto bindOne = [&](auto &function, StringRef suffix) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
        dlsym(handle, (prefix + suffix).str().c_str()));
  };
  decltype(&qd_model_info) getInfo = nullptr;
  bindOne(getInfo, "_info");
  bindOne(create, "_create");
  bindOne(run, "_run");
  bindOne(runDims, "_run_dims");
  bindOne(outputDims, "_output_dims");
  bindOne(result, "_result");
  bindOne(error, "_error");
  bindOne(destroy, "_destroy");
  bindOne(variant, "_variant");
  bindOne(profile, "_profile");
  bindOne(statusString, "_status_string");
  info = getInfo();
  if (info->abi_version != QDIALECT_MODEL_ABI)
    return createStringError(
        "'" + path + "' has ABI version " + Twine(info->abi_version) +
        ", this program knows version " + Twine(QDIALECT_MODEL_ABI));
  return Error::success();
}

Expected<std::shared_ptr<LibraryFile>> LibraryFile::open(StringRef path) {
  std::shared_ptr<LibraryFile> file(new LibraryFile());
  file->descriptor = ::open(path.str().c_str(), O_RDONLY | O_CLOEXEC);
  if (file->descriptor < 0)
    return createStringError(std::error_code(errno, std::generic_category()),
                             "cannot open '" + path +
                                 "': " + std::strerror(errno));
  Expected<std::string> prefix = findPrefix(path, file->descriptor);
  if (!prefix)
    return prefix.takeError();
  if (Error error = file->bind(path, *prefix))
    return std::move(error);
  return file;
}

LibraryFile::~LibraryFile() {
  if (handle)
    dlclose(handle);
  if (descriptor >= 0)
    close(descriptor);
}
