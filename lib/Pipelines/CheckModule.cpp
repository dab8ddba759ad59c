// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of a module that was read; see the header.

#include "CheckModule.h"
#include "QDialect/Analysis/AccumulatorBounds.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/LayerName.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;

namespace qdialect {

static LogicalResult checkConstant(arith::ConstantOp constant) {
  auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue());
  if (!resource || !hostType(resource.getElementType()) ||
      constantView(resource))
    return success();
  InFlightDiagnostic error = constant.emitError("cannot be read: ");
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  if (!blob)
    return error << "its data '" << resource.getRawHandle().getKey()
                 << "' are absent";
  return error << "its data '" << resource.getRawHandle().getKey() << "' of "
               << blob->getData().size() << " bytes are not those of "
               << resource.getType();
}

LogicalResult checkConstants(ModuleOp module) {
  bool failed = false;
  module.walk([&](arith::ConstantOp constant) {
    failed |= checkConstant(constant).failed();
  });
  return failure(failed);
}

LogicalResult checkBounds(func::FuncOp main) {
  bool failed = false;
  main.walk([&](linalg::LinalgOp op) {
    auto stated = op->getAttrOfType<DenseI64ArrayAttr>(qd::kAccBoundAttr);
    if (!stated)
      return;
    std::optional<AccumulatorBound> bound = computeAccumulatorBound(op);
    if (!bound || (stated[0] <= bound->low && bound->high <= stated[1]))
      return;
    op->emitError("layer '")
        << layerName(op) << "' states that its sums are in [" << stated[0]
        << ", " << stated[1] << "], but its codes and constants reach ["
        << bound->low << ", " << bound->high << "]";
    failed = true;
  });
  return failure(failed);
}

LogicalResult checkProgramForm(func::FuncOp main) {
  if (main.isExternal())
    return main.emitError("@main is a declaration without a body");
  if (!main.getBody().hasOneBlock())
    return main.emitError("@main has ")
           << main.getBody().getBlocks().size() << " blocks, not one";
  WalkResult calls = main.walk([](CallOpInterface call) {
    call->emitError("a program makes no calls; inline its functions into "
                    "@main");
    return WalkResult::interrupt();
  });
  if (calls.wasInterrupted())
    return failure();
  for (Operation &op : *main->getBlock())
    if (auto other = dyn_cast<FunctionOpInterface>(op); other && &op != main)
      return other->emitError("a program is @main alone, and here is another "
                              "function, @")
             << other.getName();
  return success();
}

} // namespace qdialect
