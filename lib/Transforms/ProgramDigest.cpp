// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The digest that ties statistics to a program (Transforms/Observers.h).

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Observers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace qdialect {

namespace {
/// Writes a canonical text of the function: values by number, constants by
/// hash.
class DigestWriter {
public:
  std::string text;

  void write(func::FuncOp function) {
    os << function.getFunctionType();
    writeRegion(function.getBody());
  }

private:
  void writeRegion(Region &region) {
    for (Block &block : region) {
      for (BlockArgument argument : block.getArguments())
        define(argument);
      for (Operation &op : block)
        writeOp(op);
    }
  }

  void writeOp(Operation &op) {
    if (auto observe = dyn_cast<qd::ObserveOp>(op)) {
      numbers[observe.getResult()] = numbers.lookup(observe.getInput());
      return;
    }
    os << '\n' << op.getName();
    for (Value operand : op.getOperands())
      os << ' ' << numbers.lookup(operand);
    std::optional<ConstantView> view;
    if (op.getNumResults() == 1 && isa<arith::ConstantOp>(op))
      view = constantView(op.getResult(0));
    if (view) {
      // Equal contents hash alike, however they are held.
      ArrayRef<uint8_t> bytes(
          reinterpret_cast<const uint8_t *>(view->raw.data()),
          view->raw.size());
      os << " #" << llvm::xxh3_64bits(bytes) << (view->splat ? "s" : "");
    } else {
      writeAttributes(op);
    }
    for (Value result : op.getResults()) {
      os << ' ' << result.getType();
      define(result);
    }
    for (Region &region : op.getRegions())
      writeRegion(region);
  }

  void writeAttributes(Operation &op) {
    // Sorted by name. What passes note for later (qd.*) is no part of the
    // computation.
    for (NamedAttribute attribute : op.getAttrDictionary())
      if (!attribute.getName().strref().starts_with("qd."))
        os << ' ' << attribute.getName().strref() << '='
           << attribute.getValue();
  }

  void define(Value value) {
    unsigned number = numbers.size() + 1;
    numbers[value] = number;
  }

  llvm::raw_string_ostream os{text};
  llvm::DenseMap<Value, unsigned> numbers;
};
} // namespace

std::string programDigest(func::FuncOp function) {
  DigestWriter writer;
  writer.write(function);
  std::string digest;
  llvm::raw_string_ostream(digest)
      << llvm::format_hex_no_prefix(llvm::xxh3_64bits(writer.text), 16);
  return digest;
}

StringRef getProgramDigest(func::FuncOp function) {
  auto digest = function->getAttrOfType<StringAttr>(qd::kProgramAttr);
  return digest ? digest.getValue() : StringRef();
}

SmallVector<StringRef> getObservedNames(func::FuncOp function) {
  SmallVector<StringRef> names;
  if (auto list = function->getAttrOfType<ArrayAttr>(qd::kObservedAttr))
    for (Attribute name : list)
      names.push_back(cast<StringAttr>(name).getValue());
  return names;
}

SmallVector<int64_t> getTakenFlags(func::FuncOp function) {
  if (auto flags = function->getAttrOfType<DenseI64ArrayAttr>(qd::kTakenAttr))
    return SmallVector<int64_t>(flags.asArrayRef());
  return SmallVector<int64_t>(getObservedNames(function).size(), -1);
}

} // namespace qdialect
