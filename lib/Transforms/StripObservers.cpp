// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Removes observers:
//
//   %o = qd.observe %z "relu1"; use(%o)   ->   use(%z)

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_STRIPOBSERVERSPASS
#include "QDialect/Transforms/Passes.h.inc"

bool hasObservers(func::FuncOp function) {
  return function.walk([](qd::ObserveOp) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

int64_t stripObservers(func::FuncOp function) {
  SmallVector<qd::ObserveOp> observers;
  function.walk([&](qd::ObserveOp op) { observers.push_back(op); });
  for (qd::ObserveOp op : observers) {
    op.getResult().replaceAllUsesWith(op.getInput());
    op.erase();
  }
  return observers.size();
}

namespace {
struct StripObservers : impl::StripObserversPassBase<StripObservers> {
  using StripObserversPassBase::StripObserversPassBase;

  void runOnOperation() override {
    numStripped += stripObservers(getOperation());
  }
};
} // namespace
} // namespace qdialect
