// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// q-batch: many small models in one process. Reads one job a line from standard
// input and writes one answer a line, so that a sweep or a test suite pays for
// the start of one process only. Both are JSON:
//
//   {"model": "m.onnx", "mode": "compile", "dims": ["batch=1"],
//    "inputs": {"x": "x.npy"}, "outputs": "folder"}
//   {"ok": true, "seconds": 0.08, "outputs": ["y.npy"]}
//   {"ok": false, "stage": "import", "error": "m.onnx: node 'a' (Foo, ..."}
//
// `mode` is "interpret" or "compile"; stages are job, import, normalize,
// dispatch, compile, input, run and output. Outputs lie in the folder, in the
// model's order. q-batch ends with its input; its exit code is 0.

#include "RunJob.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"
#include <iostream>
#include <string>

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::cl::ParseCommandLineOptions(
      argc, argv,
      "Runs the jobs on standard input, one JSON object a line:\n"
      "  {\"model\": M, \"mode\": \"interpret\"|\"compile\", \"dims\": [..], "
      "\"inputs\": {name: FILE.npy}, \"outputs\": FOLDER}\n"
      "and answers each with one JSON object on standard output.\n");
  for (std::string line; std::getline(std::cin, line);) {
    llvm::outs() << llvm::json::Value(qdialect::runJob(line)) << '\n';
    llvm::outs().flush();
  }
  return 0;
}
