// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles into the system's folder for temporary files; the library goes when
// the run is over, or interrupted.

#include "QDialect/Pipelines/RunCompiled.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

using namespace llvm;

int qdialect::runCompiled(CompileOptions compileOptions, RunModelOptions run,
                          raw_ostream &out, raw_ostream &errors) {
  SmallString<128> path;
  if (std::error_code code =
          sys::fs::createTemporaryFile("qdialect", "so", path)) {
    errors << "error: cannot create a temporary file: " << code.message()
           << "\n";
    return kRunFailure;
  }
  SmallString<128> header(path), receipt(path);
  sys::path::replace_extension(header, "h");
  sys::path::replace_extension(receipt, "receipt.json");
  FileRemover removers[] = {FileRemover(path), FileRemover(header),
                            FileRemover(receipt)};
  for (StringRef file : {path.str(), header.str(), receipt.str()})
    sys::RemoveFileOnSignal(file);

  compileOptions.output = path.str().str();
  if (Error error = compile(compileOptions)) {
    errors << "error: " << toString(std::move(error)) << "\n";
    return kRunFailure;
  }
  run.model = compileOptions.output;
  return runModel(run, out, errors);
}
