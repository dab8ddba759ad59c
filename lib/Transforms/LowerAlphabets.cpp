// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-lower-alphabets: element types that LLVM does not know, floats of at most
// 8 bits among them, become the integer that stores a code, everywhere at once:
//
//   memref<4x!qd.uint<8>>  ->  memref<4xi8>
//
// No conversion patterns are needed: types are replaced inside all types and
// attributes, then the storage casts whose two types became equal vanish.

#include "QDialect/Transforms/Passes.h"
#include "mlir/IR/AttrTypeSubElements.h"

namespace qdialect {
#define GEN_PASS_DEF_LOWERALPHABETSPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;

namespace {

struct LowerAlphabetsPass
    : qdialect::impl::LowerAlphabetsPassBase<LowerAlphabetsPass> {
  void runOnOperation() override {
    AttrTypeReplacer replacer;
    replacer.addReplacement([](Type type) -> std::optional<Type> {
      auto small = dyn_cast<FloatType>(type);
      if (!isa<qd::QDDialect>(type.getDialect()) &&
          !(small && small.getWidth() <= 8))
        return std::nullopt;
      Type storage = qd::getStorageType(type);
      return storage ? std::optional<Type>(storage) : std::nullopt;
    });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
    getOperation()->walk([](qd::StorageCastOp cast) {
      if (cast.getInput().getType() != cast.getType())
        return;
      cast.getResult().replaceAllUsesWith(cast.getInput());
      cast.erase();
    });
  }
};

} // namespace
