// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Binds the files of a command line to the inputs of a model.

#ifndef QDIALECT_EXECUTION_MODELINPUTS_H
#define QDIALECT_EXECUTION_MODELINPUTS_H

#include "QDialect/Execution/CompiledModel.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace qdialect {

/// Tensors in the order of `specs` from arguments "[name=]file.npy" (without a
/// name: the first input that none is given for) and "file.npz" (arrays by
/// name). Unknown names, missing inputs and wrong types or shapes are errors
/// that name the input and both values.
llvm::Expected<std::vector<HostTensor>>
bindInputs(llvm::ArrayRef<TensorSpec> specs,
           llvm::ArrayRef<std::string> arguments);

/// Reproducible data for measuring: floats in [0, 1), bytes over their
/// range, wider integers (tokens, indices, sizes) zero. Symbolic sizes are
/// those of `sizes` ("name=number"), else the least that they may be.
std::vector<HostTensor> syntheticInputs(llvm::ArrayRef<TensorSpec> specs,
                                        llvm::ArrayRef<SymbolSpec> symbols = {},
                                        llvm::ArrayRef<std::string> sizes = {});

} // namespace qdialect

#endif // QDIALECT_EXECUTION_MODELINPUTS_H
