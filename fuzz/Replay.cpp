// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a fuzz target once on each file named on the command line, or on every
// file of a named folder: the kept inputs as a test, without libFuzzer.

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file) {
    llvm::errs() << path << ": " << file.getError().message() << "\n";
    return false;
  }
  // The name comes first, so that a crash shows whose it is.
  llvm::outs() << path << "\n";
  llvm::outs().flush();
  llvm::StringRef bytes = (*file)->getBuffer();
  LLVMFuzzerTestOneInput(bytes.bytes_begin(), bytes.size());
  return true;
}

int main(int argc, char **argv) {
  bool good = argc > 1;
  for (int i = 1; i < argc; ++i) {
    if (!llvm::sys::fs::is_directory(argv[i])) {
      good &= replay(argv[i]);
      continue;
    }
    std::error_code error;
    for (llvm::sys::fs::directory_iterator at(argv[i], error), end;
         at != end && !error; at.increment(error))
      good &= replay(at->path());
    good &= !error;
  }
  return good ? 0 : 1;
}
