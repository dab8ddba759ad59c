// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `q-run MODEL.mlir|MODEL.onnx` does: load, bind, interpret, write, print.

#ifndef QDIALECT_TOOLS_QRUN_INTERPRETPROGRAM_H
#define QDIALECT_TOOLS_QRUN_INTERPRETPROGRAM_H

#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Support/InputSource.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/raw_ostream.h"
#include <map>
#include <string>
#include <vector>

namespace qdialect {

struct InterpretProgramOptions {
  std::string model;               ///< .mlir, .mlirbc or .onnx
  std::string function;            ///< empty: see interpretProgram
  std::vector<std::string> inputs; ///< see bindProgramInputs
  std::string data;                ///< many samples (Support/InputSource.h)
  std::vector<std::string> dims;   ///< name=value for symbolic ONNX dimensions
  std::string outputDir;           ///< writes <output name>.npy there
  bool print = false;
  std::string dumpCodes; ///< see dumpCodes; nothing is run then
  InterpreterOptions interpreter;
};

/// Runs the function of that name; without one @main; without @main every
/// function that takes no arguments, in order, and prints the results under the
/// function's name. Returns the exit code.
int interpretProgram(const InterpretProgramOptions &options,
                     llvm::raw_ostream &out, llvm::raw_ostream &errors);

/// Writes the constant codes, scales and zero points of all casts to
/// `folder`/<name in the model>.npy.
llvm::Error dumpCodes(mlir::ModuleOp module, llvm::StringRef folder,
                      llvm::raw_ostream &out);

/// Outputs by name of the program at `path` on inputs by name.
llvm::Expected<std::map<std::string, HostTensor>>
interpretReference(llvm::StringRef path,
                   const std::map<std::string, HostTensor> &inputs,
                   const InterpretProgramOptions &options);

/// Tensors in the order of the specs from arguments
///   [name=]FILE.npy       the whole array
///   FILE.npz              arrays by name
///   [name=][1, 2.5, nan]  elements row-major (brackets nest, dense<..> is let
///                         through); one element fills the tensor
/// An argument without a name is for the first input that has none yet.
llvm::Expected<std::vector<HostTensor>>
bindProgramInputs(llvm::ArrayRef<InputSpec> specs,
                  llvm::ArrayRef<std::string> arguments);

/// Prints "2x2xint8 [ [1, 2], [3, 4] ]": floats in the fewest digits that read
/// back the same, codes as integers.
void printTensor(llvm::raw_ostream &os, const HostTensor &tensor);

} // namespace qdialect

#endif // QDIALECT_TOOLS_QRUN_INTERPRETPROGRAM_H
