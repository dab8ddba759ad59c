// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads the file, makes the arguments, launches, prints.

#include "RunKernel.h"
#include "KernelArguments.h"
#include "PrintReport.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"

#include <ctime>

using namespace llvm;
using namespace qdialect;
using namespace qdialect::ptx;

static bool parseDim(StringRef text, Dim3 &dim) {
  SmallVector<StringRef> parts;
  text.split(parts, ',');
  uint32_t *axes[] = {&dim.x, &dim.y, &dim.z};
  if (parts.size() > 3)
    return false;
  for (size_t i = 0; i < parts.size(); ++i)
    if (parts[i].getAsInteger(10, *axes[i]))
      return false;
  return true;
}

/// The only kernel of the module, where none is named.
static std::string onlyKernel(const Module &module) {
  std::string found;
  for (const Function &f : module.functions)
    if (f.isEntry && f.hasBody) {
      if (!found.empty())
        return {};
      found = f.name;
    }
  return found;
}

int qdialect::runKernel(RunKernelOptions &o, raw_ostream &out,
                        raw_ostream &err) {
  auto fail = [&](const Twine &what) {
    err << "error: " << what << "\n";
    return 1;
  };
  if (!parseDim(o.grid, o.config.grid) || !parseDim(o.block, o.config.block))
    return fail("--grid and --block are X, X,Y or X,Y,Z");
  if (o.path.empty() || sys::fs::is_directory(o.path))
    return fail("'" + o.path + "' is no PTX file");
  auto buffer = MemoryBuffer::getFile(o.path);
  if (!buffer)
    return fail(o.path + ": " + buffer.getError().message());
  Diagnostic why;
  StringRef text = (*buffer)->getBuffer();
  auto emulator = Emulator::create({text.data(), text.size()}, why);
  auto located = [&] {
    return fail(o.path + ":" + std::to_string(why.line) + ": " + why.message);
  };
  if (!emulator)
    return located();
  if (o.kernel.empty())
    o.kernel = onlyKernel(emulator->module());
  if (o.kernel.empty())
    return fail(o.path + " has no kernel or several: name one by --kernel");
  KernelArguments arguments(*emulator);
  for (const std::string &argument : o.arguments)
    if (Error error = arguments.add(argument))
      return fail(toString(std::move(error)));
  o.config.arguments = arguments.bytes();
  o.config.check = !o.noCheck;
  o.config.count = o.counters || o.lines;
  LaunchResult result;
  // Processor time of all threads: the machine may have other work.
  std::clock_t begin = std::clock();
  if (!emulator->launch(o.kernel, o.config, result, why))
    return located();
  double seconds = double(std::clock() - begin) / CLOCKS_PER_SEC;
  out << result.output;
  if (o.time)
    out << format("%.3g warp instructions in %.3f s of processor time: %.3g a "
                  "second\n",
                  double(result.steps), seconds,
                  double(result.steps) / seconds);
  if (o.counters)
    printCounters(result, out);
  if (o.lines)
    printLines(result, emulator->module(), out);
  out.flush();
  printFindings(result, emulator->module(), o.path, err);
  if (Error error = arguments.writeOutputs())
    return fail(toString(std::move(error)));
  return result.findings.empty() ? 0 : 2;
}
