// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --fail-on-fallback: a layer that was to be integer and is not is an error.

#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Transforms/LayerName.h"
#include "QDialect/Transforms/Passes.h"

namespace qdialect {
#define GEN_PASS_DEF_VERIFYFALLBACKSPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;

namespace qdialect {
namespace {

struct VerifyFallbacksPass
    : public impl::VerifyFallbacksPassBase<VerifyFallbacksPass> {
  using VerifyFallbacksPassBase::VerifyFallbacksPassBase;

  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      auto reason = op->getAttrOfType<StringAttr>(qd::kFallbackAttr);
      if (!reason)
        return;
      op->emitError("layer '")
          << layerName(op) << "' stays float: " << reason.getValue();
      signalPassFailure();
    });
  }
};

} // namespace
} // namespace qdialect
