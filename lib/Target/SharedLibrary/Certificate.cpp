// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads the attributes that qd-integerize leaves on what it proves.

#include "Certificate.h"
#include "QDialect/IR/AttributeNames.h"
#include <algorithm>

using namespace mlir;
using namespace qdialect;

/// What an op computes itself is bounded on it, a sum that it reads on that.
static DenseI64ArrayAttr boundOf(Operation &op) {
  if (auto own = op.getAttrOfType<DenseI64ArrayAttr>(qd::kAccBoundAttr))
    return own;
  Operation *read =
      op.getNumOperands() > 0 ? op.getOperand(0).getDefiningOp() : nullptr;
  return read ? read->getAttrOfType<DenseI64ArrayAttr>(qd::kAccBoundAttr)
              : DenseI64ArrayAttr();
}

void Certificate::merge(const Certificate &other) {
  error = std::max(error, other.error);
  word = std::max(word, other.word);
  dword = std::max(dword, other.dword);
}

SmallVector<Certificate> qdialect::certificatesOf(qd::DispatchOp dispatch) {
  SmallVector<Certificate> result;
  for (Operation &op : dispatch.getBody().front()) {
    auto error = op.getAttrOfType<FloatAttr>(qd::kErrorLsbAttr);
    if (!error)
      continue;
    Certificate &one = result.emplace_back();
    if (auto name = op.getAttrOfType<StringAttr>(qd::kNameAttr))
      one.name = name.str();
    one.bound = boundOf(op);
    one.error = error.getValueAsDouble();
    if (auto bits =
            op.getAttrOfType<DenseI64ArrayAttr>(qd::kIntermediateBitsAttr);
        bits && bits.size() == 2) {
      one.word = bits[0];
      one.dword = bits[1];
    }
  }
  return result;
}
