// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a piece of IR in this process: text, a pass pipeline, LLVM, a function
// pointer. The lowering is upstream's, so what is tested is what our passes
// emitted.

#ifndef QDIALECT_UNITTESTS_TRANSFORMS_JIT_H
#define QDIALECT_UNITTESTS_TRANSFORMS_JIT_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include <memory>
#include <string>

namespace qdialect {

class Jit {
public:
  Jit();

  /// Compiles a module of functions over !llvm.ptr and integers. `passes` run
  /// before the lowering to LLVM ("qd-expand-ops,qd-lower-alphabets"). An error
  /// ends the test program with a message.
  void compile(const std::string &text, const std::string &passes);

  template <typename Function>
  Function *lookup(llvm::StringRef name) {
    return llvm::cantFail(jit->lookup(name)).toPtr<Function *>();
  }

private:
  mlir::MLIRContext context;
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

/// `pattern` with each "$name" replaced.
std::string
substitute(std::string pattern,
           std::initializer_list<std::pair<const char *, std::string>> values);

} // namespace qdialect

#endif // QDIALECT_UNITTESTS_TRANSFORMS_JIT_H
