// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --dump-codes: the constants that a program is quantized with, each under the
// name it has in the model. Codes take a byte each (two from 9 bits on), zero
// points the type of their codes; those that are all zero are no constants of
// the program and are left out. The weights of MatMulNBits are packed again as
// that operator has them; what fills up their last block is the zero point.

#include "InterpretProgram.h"
#include "QDialect/Execution/RunModel.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/Packing.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Support/Npy.h"
#include "QDialect/Support/PermuteTensor.h"
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
  /// The same for the weights of MatMulNBits.
  llvm::Error writePacked(qd::DequantizeOp weights);
  int64_t numFiles() const { return written.size(); }

private:
  llvm::Error writeConstant(Value value, const Twine &otherwise,
                            std::optional<DType> type = std::nullopt);
  llvm::Error writeTensor(StringRef name, const HostTensor &tensor);

  StringRef folder;
  llvm::StringSet<> written;
};

std::string nameOr(Operation *op, const Twine &otherwise) {
  auto name = op ? op->getAttrOfType<StringAttr>(qd::kNameAttr) : StringAttr();
  return name ? name.getValue().str() : otherwise.str();
}

llvm::Error CodeDump::writeConstant(Value value, const Twine &otherwise,
                                    std::optional<DType> type) {
  std::optional<ConstantView> view = constantView(value);
  if (!view)
    return llvm::Error::success();
  HostTensor tensor = view->toHostTensor();
  return writeTensor(nameOr(value.getDefiningOp(), otherwise),
                     type ? tensor.converted(*type) : tensor);
}

llvm::Error CodeDump::writeTensor(StringRef name, const HostTensor &tensor) {
  if (!written.insert(name).second)
    return llvm::Error::success();
  SmallString<128> path(folder);
  llvm::sys::path::append(path, outputFileName(name.str()));
  return writeNpy(path, tensor);
}

/// [rows][columns] of codes, a byte each, packed row by row.
HostTensor packRows(const HostTensor &codes, unsigned bits) {
  std::vector<int64_t> shape = codes.shape();
  int64_t columns = shape.back();
  shape.back() = static_cast<int64_t>(packedSize(columns, bits));
  HostTensor packed(DType::U8, shape);
  for (int64_t row = 0, rows = codes.size() / columns; row < rows; ++row)
    packCodes(codes.data<uint8_t>() + row * columns, columns, bits,
              packed.mutableData<uint8_t>() + row * shape.back());
  return packed;
}

/// What the importer makes of MatMulNBits and marks.
bool isPackedForm(qd::DequantizeOp op) {
  auto codes = dyn_cast<RankedTensorType>(op.getInput().getType());
  auto alphabet =
      codes ? dyn_cast<qd::UIntType>(codes.getElementType()) : qd::UIntType();
  if (!op->hasAttr(qd::kPackedAttr) || !alphabet || alphabet.getWidth() > 8 ||
      !codes.hasStaticShape() || codes.getRank() != 2 || !op.getZeroPoint() ||
      op.getScales().size() != 1 || op.getBlockSizes().size() != 2 ||
      op.getBlockSizes()[0] < 1)
    return false;
  auto scales = cast<RankedTensorType>(op.getScales()[0].getType());
  auto zeros = cast<RankedTensorType>(op.getZeroPoint().getType());
  return scales.getRank() == 2 &&
         (zeros.getShape() == scales.getShape() || zeros.getRank() == 0);
}

llvm::Error CodeDump::writePacked(qd::DequantizeOp weights) {
  auto type = cast<RankedTensorType>(weights.getInput().getType());
  auto alphabet = cast<qd::UIntType>(type.getElementType());
  int64_t depth = type.getDimSize(0), channels = type.getDimSize(1);
  int64_t block = weights.getBlockSizes()[0],
          blocks = (depth + block - 1) / block;
  std::optional<ConstantView> codes = constantView(weights.getInput()),
                              scales = constantView(weights.getScales()[0]),
                              zeros = constantView(weights.getZeroPoint());
  if (!codes || !scales || !zeros)
    return llvm::Error::success();
  bool isCode =
      getElementTypeOrSelf(weights.getZeroPoint().getType()).isInteger(32);
  bool perBlock = zeros->numElements() != 1;
  HostTensor filled(DType::U8, {channels, blocks, block});
  auto *out = filled.mutableData<uint8_t>();
  for (int64_t n = 0; n < channels; ++n)
    for (int64_t k = 0; k < blocks * block; ++k) {
      int64_t zero =
          isCode ? zeros->integer(perBlock ? k / block * channels + n : 0) : 0;
      out[n * blocks * block + k] = static_cast<uint8_t>(
          k < depth ? codes->integer(k * channels + n) : zero);
    }
  std::string name = nameOr(weights.getInput().getDefiningOp(), "weights");
  if (auto error = writeTensor(name, packRows(filled, alphabet.getWidth())))
    return error;
  if (auto error = writeTensor(
          nameOr(weights.getScales()[0].getDefiningOp(), name + ".scale"),
          permuteTensor(scales->toHostTensor(), {1, 0})))
    return error;
  // The middle of the codes is no constant of the file; a real zero point is
  // part of an addend here.
  if (!perBlock || !isCode)
    return llvm::Error::success();
  return writeTensor(
      nameOr(weights.getZeroPoint().getDefiningOp(), name + ".zero_point"),
      packRows(
          permuteTensor(zeros->toHostTensor().converted(DType::U8), {1, 0}),
          alphabet.getWidth()));
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
    if (auto cast = dyn_cast<qd::DequantizeOp>(op); cast && isPackedForm(cast))
      error = dump.writePacked(cast);
    else if (cast)
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
