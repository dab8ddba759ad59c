// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What messages call a layer (LayerName.h).

#include "QDialect/Transforms/LayerName.h"
#include "QDialect/IR/AttributeNames.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace qdialect {

std::string layerName(Operation *op) {
  for (Operation *layer = op; layer && !isa<func::FuncOp>(layer);
       layer = layer->getParentOp())
    if (auto name = layer->getAttrOfType<StringAttr>(qd::kNameAttr))
      return name.str();
  Location loc = op->getLoc();
  if (auto name = loc->findInstanceOf<NameLoc>())
    return name.getName().str();
  if (auto place = loc->findInstanceOf<FileLineColLoc>())
    return (place.getFilename().getValue() + ":" + Twine(place.getLine()) +
            ":" + Twine(place.getColumn()))
        .str();
  return "<unnamed>";
}

} // namespace qdialect
