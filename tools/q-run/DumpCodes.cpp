// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --dump-codes: the constants that a program is quantized with, each under the
// name it has in the model. Codes take a byte each (two from 9 bits on), zero
// points the type of their codes; those that are all zero are no constants of
// the program and are left out.

#include "InterpretProgram.h"
#include "QDialect/Execution/RunModel.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Support/Npy.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace qdialect;

namespace {

class CodeDump {
public:
  explicit CodeDump(StringRef folder) : folder(folder) {}

  /// Writes the constants among the operands of a cast.
  llvm::Error write(Operation *cast, Value codes, Type alphabet,
                    ValueRange scales, Value zeroPoint);
  int64_t numFiles() const { return written.size(); }

private:
  llvm::Error writeConstant(Value value, const Twine &otherwise,
                            std::optional<DType> type = std::nullopt);

  StringRef folder;
  llvm::StringSet<> written;
};

std::string nameOr(Operation *op, const Twine &otherwise) {
  auto name = op ? op->getAttrOfType<StringAttr>("qd.name") : StringAttr();
  return name ? name.getValue().str() : otherwise.str();
}

llvm::Error CodeDump::writeConstant(Value value, const Twine &otherwise,
                                    std::optional<DType> type) {
  std::optional<ConstantView> view = constantView(value);
  if (!view)
    return llvm::Error::success();
  std::string name = nameOr(value.getDefiningOp(), otherwise);
  if (!written.insert(name).second)
    return llvm::Error::success();
  HostTensor tensor = view->toHostTensor();
  SmallString<128> path(folder);
  llvm::sys::path::append(path, outputFileName(name));
  return writeNpy(path, type ? tensor.converted(*type) : tensor);
}

llvm::Error CodeDump::write(Operation *cast, Value codes, Type alphabet,
                            ValueRange scales, Value zeroPoint) {
  std::string name = nameOr(codes ? codes.getDefiningOp() : nullptr,
                            nameOr(cast, "cast" + Twine(written.size())));
  if (codes)
    if (llvm::Error error = writeConstant(codes, name))
      return error;
  for (auto [i, scale] : llvm::enumerate(scales))
    if (llvm::Error error =
            writeConstant(scale, name + ".scale" + (i ? Twine(i) : Twine())))
      return error;
  // A zero point in the real domain is a number of its own.
  if (!zeroPoint)
    return llvm::Error::success();
  bool isCode = getElementTypeOrSelf(zeroPoint.getType()).isInteger(32);
  return writeConstant(zeroPoint, name + ".zero_point",
                       isCode ? hostType(alphabet) : std::nullopt);
}

} // namespace

llvm::Error qdialect::dumpCodes(ModuleOp module, StringRef folder,
                                llvm::raw_ostream &out) {
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError("cannot create folder '" + folder +
                                   "': " + code.message());
  CodeDump dump(folder);
  llvm::Error error = llvm::Error::success();
  module.walk([&](Operation *op) {
    if (error)
      return WalkResult::interrupt();
    if (auto cast = dyn_cast<qd::DequantizeOp>(op))
      error = dump.write(op, cast.getInput(),
                         getElementTypeOrSelf(cast.getInput().getType()),
                         cast.getScales(), cast.getZeroPoint());
    else if (auto cast = dyn_cast<qd::QuantizeOp>(op))
      error = dump.write(op, Value(), getElementTypeOrSelf(cast.getType()),
                         cast.getScales(), cast.getZeroPoint());
    return WalkResult::advance();
  });
  if (!error)
    out << dump.numFiles() << " constants written\n";
  return error;
}
