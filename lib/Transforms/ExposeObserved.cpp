// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Observed values become results, so that any executor can collect them:
//
//   %o = qd.observe %z "relu1"; return %y   ->   return %y, %z
//
// and the function lists the names: qd.observed = ["relu1"].

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_EXPOSEOBSERVEDPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

struct ExposeObserved : impl::ExposeObservedPassBase<ExposeObserved> {
  using ExposeObservedPassBase::ExposeObservedPassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function.getBody().hasOneBlock()) {
      function.emitError() << "has more than one block";
      return signalPassFailure();
    }
    SmallVector<Value> values;
    SmallVector<Attribute> names;
    OpBuilder builder(&getContext());
    for (qd::ObserveOp op : function.getOps<qd::ObserveOp>()) {
      values.push_back(op.getInput());
      names.push_back(builder.getStringAttr(op.getValueName()));
    }
    numExposed += values.size();
    stripObservers(function);
    Operation *terminator = function.getBody().front().getTerminator();
    SmallVector<unsigned> positions(values.size(), function.getNumResults());
    SmallVector<Type> types;
    SmallVector<DictionaryAttr> attributes;
    for (auto [value, name] : llvm::zip(values, names)) {
      types.push_back(value.getType());
      attributes.push_back(
          builder.getDictionaryAttr(builder.getNamedAttr("qd.name", name)));
    }
    if (failed(function.insertResults(positions, types, attributes))) {
      function.emitError() << "cannot get more results";
      return signalPassFailure();
    }
    terminator->insertOperands(terminator->getNumOperands(), values);
    function->setAttr(kObservedAttr, builder.getArrayAttr(names));
  }
};

} // namespace
} // namespace qdialect
