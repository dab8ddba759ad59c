// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLD as a library. It keeps its state in globals, so links queue up behind one
// mutex; a link takes about a millisecond and the copy of the weights.

#include "ObjectCode.h"
#include "lld/Common/Driver.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace llvm;

/// The C library's shared object, where distributions put it; empty if this
/// machine has none (a model can be cross-compiled on it all the same).
static std::string findLibrary(StringRef name, bool isArm) {
  static constexpr const char *armFolders[] = {"/usr/aarch64-linux-gnu/lib",
                                               "/lib/aarch64-linux-gnu",
                                               "/usr/lib/aarch64-linux-gnu"};
  static constexpr const char *folders[] = {"/lib/x86_64-linux-gnu",
                                            "/usr/lib/x86_64-linux-gnu",
                                            "/lib64",
                                            "/usr/lib64",
                                            "/lib",
                                            "/usr/lib"};
  for (const char *folder : isArm ? ArrayRef(armFolders) : ArrayRef(folders)) {
    std::string path = (Twine(folder) + "/" + name).str();
    if (sys::fs::exists(path))
      return path;
  }
  return "";
}

Error qdialect::linkSharedLibrary(ArrayRef<std::string> objects,
                                  StringRef output, bool isArm) {
  std::string outputPath = output.str();
  std::vector<const char *> arguments = {"ld.lld",
                                         "-shared",
                                         "-o",
                                         outputPath.c_str(),
                                         "--gc-sections",
                                         "--build-id=none",
                                         "--hash-style=gnu",
                                         "-z",
                                         "noexecstack",
                                         "-z",
                                         "relro",
                                         "-z",
                                         "now",
                                         "--as-needed"};
  for (const std::string &object : objects)
    arguments.push_back(object.c_str());
  std::string libc = findLibrary("libc.so.6", isArm),
              libm = findLibrary("libm.so.6", isArm);
  if (!libc.empty() && !libm.empty()) {
    arguments.insert(arguments.end(), {libc.c_str(), libm.c_str()});
    // Then every symbol can be checked; else the loader does it.
    arguments.insert(arguments.end(), {"-z", "defs"});
  }

  static std::mutex mutex;
  static bool usable = true;
  std::lock_guard<std::mutex> lock(mutex);
  if (!usable)
    return createStringError("the linker has crashed before in this process");
  std::string messages;
  raw_string_ostream stream(messages);
  lld::Result result =
      lld::lldMain(arguments, stream, stream, {{lld::Gnu, &lld::elf::link}});
  usable = result.canRunAgain;
  if (result.retCode != 0)
    return createStringError("linking failed: " + messages);
  return Error::success();
}
