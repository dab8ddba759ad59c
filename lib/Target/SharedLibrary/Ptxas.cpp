// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ptxas runs as a process of its own: it may crash.

#include "Ptxas.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"

using namespace llvm;
using namespace qdialect;

/// Seconds after which a kernel is given up.
static constexpr unsigned kPatience = 300;

std::string qdialect::findPtxas() {
  if (auto found = sys::findProgramByName("ptxas"))
    return *found;
  auto usual = sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
  return usual ? *usual : "";
}

/// The number in front of `what`; 0 where it is not printed.
static int64_t numberBefore(StringRef text, StringRef what) {
  SmallVector<StringRef> match;
  int64_t number = 0;
  if (Regex("([0-9]+) " + what.str()).match(text, &match))
    match[1].getAsInteger(10, number);
  return number;
}

Expected<AssemblyFigures> qdialect::parsePtxasOutput(StringRef text) {
  SmallVector<StringRef> match;
  AssemblyFigures figures;
  if (!Regex("Used ([0-9]+) registers").match(text, &match) ||
      match[1].getAsInteger(10, figures.registers))
    return createStringError("ptxas does not tell the registers: " + text);
  figures.spillStores = numberBefore(text, "bytes spill stores");
  figures.spillLoads = numberBefore(text, "bytes spill loads");
  figures.stackBytes = numberBefore(text, "bytes stack frame");
  figures.sharedBytes = numberBefore(text, "bytes smem");
  return figures;
}

Expected<AssembledKernel> qdialect::runPtxas(StringRef ptxas, StringRef code,
                                             StringRef target) {
  SmallString<128> input, messages, output;
  int file = 0;
  if (std::error_code error =
          sys::fs::createTemporaryFile("qdialect", "ptx", file, input))
    return createStringError(error, "cannot create a temporary file: " +
                                        error.message());
  FileRemover removeInput(input);
  {
    raw_fd_ostream stream(file, /*shouldClose=*/true);
    stream << code;
  }
  if (std::error_code error =
          sys::fs::createTemporaryFile("qdialect", "txt", messages))
    return createStringError(error, "cannot create a temporary file: " +
                                        error.message());
  FileRemover removeMessages(messages);
  if (std::error_code error =
          sys::fs::createTemporaryFile("qdialect", "cubin", output))
    return createStringError(error, "cannot create a temporary file: " +
                                        error.message());
  FileRemover removeOutput(output);
  std::string arch = ("-arch=" + target).str();
  std::string reason;
  int status = sys::ExecuteAndWait(
      ptxas, {ptxas, arch, "-v", "-o", output, input}, std::nullopt,
      {StringRef(""), messages.str(), messages.str()}, kPatience,
      /*MemoryLimit=*/0, &reason);
  auto text = MemoryBuffer::getFile(messages);
  StringRef said = text ? StringRef((*text)->getBuffer()).trim() : "";
  if (status != 0)
    return createStringError("ptxas refuses the kernel for " + target + ": " +
                             (said.empty() ? StringRef(reason) : said));
  if (said.contains("warning"))
    return createStringError("ptxas warns of the kernel for " + target + ": " +
                             said);
  auto figures = parsePtxasOutput(said);
  if (!figures)
    return figures.takeError();
  auto binary = MemoryBuffer::getFile(output);
  if (!binary)
    return createStringError(binary.getError(),
                             "cannot read what ptxas wrote: " +
                                 binary.getError().message());
  return AssembledKernel{*figures, (*binary)->getBuffer().str()};
}
